package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// A project is one module whose tests are run.
type project struct {
	Module  string `json:"module"`
	Version string `json:"version"`
	// Dir is a folder of the module to run in, when that is not its root; Packages are patterns.
	Dir      string   `json:"dir,omitempty"`
	Packages []string `json:"packages"`
	// Needs are the servers that it wants. In Env and Args, ${POSTGRES_PORT} stands for the port of one.
	Needs []string          `json:"needs,omitempty"`
	Env   map[string]string `json:"env,omitempty"`
	Args  []string          `json:"args,omitempty"`
	// Binary are arguments of the test binaries, after -args.
	Binary []string `json:"binary,omitempty"`
	// Setup is a shell command that is run before each run of the tests, in the same folder and with Env.
	Setup string `json:"setup,omitempty"`
	// Note says what was left out, and why.
	Note string `json:"note,omitempty"`
	// Reports are those that somebody has read.
	Reports []class `json:"reports,omitempty"`
}

// A class is what somebody who has read the code says of the reports of one place.
type class struct {
	// At is the file and the function of the place, "conn_test.go TestConn", and Kind the kind of resource. In At a star
	// stands for any text.
	At   string `json:"at"`
	Kind string `json:"kind"`
	// Class is one of classes, and Why the proof.
	Class string `json:"class"`
	Why   string `json:"why"`
}

// The classes, and what the page says of them.
var classes = []struct{ name, what string }{
	{"project", "a leak in the project's own code"},
	{"tests", "a leak in its tests"},
	{"process-wide", "kept for the life of the process on purpose, and told as a test's"},
	{"false", "nothing is leaked"},
}

// name is the project's as a file's name.
func (p *project) name() string {
	return strings.ReplaceAll(p.Module, "/", "+")
}

// readList reads the list, and refuses what it does not know.
func readList(file string) ([]*project, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var list []*project
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, p := range list {
		for _, c := range p.Reports {
			if !known(c.Class) {
				return nil, fmt.Errorf("%s: %s: %q is no class", file, p.Module, c.Class)
			}
		}
	}
	return list, nil
}

func known(name string) bool {
	for _, c := range classes {
		if c.name == name {
			return true
		}
	}
	return false
}

// class gives what was said of a finding, and the index of it; -1 when nobody has.
func (p *project) class(f finding) (class, int) {
	for i, c := range p.Reports {
		if (c.Kind == f.Kind || c.Kind == "") && matches(c.At, f.at()) {
			return c, i
		}
	}
	return class{}, -1
}

// matches says whether a text is one with stars for any text.
func matches(pattern, text string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	text, ok := strings.CutPrefix(text, head)
	if !ok || !star {
		return ok && text == ""
	}
	for i := 0; i <= len(text); i++ {
		if matches(rest, text[i:]) {
			return true
		}
	}
	return false
}

// writeJSON writes a value to a file.
func writeJSON(file string, v any) error {
	data, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}
