package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// A test is one test of a package, or with an empty name the package itself.
type test struct{ pkg, name string }

func (t test) String() string {
	if t.name == "" {
		return t.pkg
	}
	return t.pkg + " " + t.name
}

// pattern is for -run; "" for all tests of the package. A name is of one more test than it says when the test is run once
// for each CPU, or twice under one name ("#01"): the whole of the outermost test is run then.
func (t test) pattern() string {
	top, _, _ := strings.Cut(t.name, "/")
	if top == "" {
		return ""
	}
	return "^" + regexp.QuoteMeta(top) + "$"
}

// results are what go test -json has said.
type results struct {
	ends map[test]string // "pass", "fail" or "skip"
	said map[test]string // output
}

// absent is the end of a test that has not run, or has not ended.
const absent = "not there"

func (r results) end(t test) string { return cmp.Or(r.ends[t], absent) }

// read reads what go test -json prints. Lines that are not its own are left out.
func read(in io.Reader) results {
	r := results{ends: make(map[test]string), said: make(map[test]string)}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		var e struct{ Action, Package, Test, Output string }
		if json.Unmarshal(line, &e) == nil && e.Package != "" {
			t := test{e.Package, e.Test}
			switch e.Action {
			case "pass", "fail", "skip":
				r.ends[t] = e.Action
			case "output":
				r.said[t] += e.Output
			}
		}
		if err != nil {
			return r
		}
	}
}

// differ gives the tests that do not end in the same way, sorted.
func (r results) differ(with results) (out []test) {
	all := maps.Clone(r.ends)
	maps.Copy(all, with.ends)
	for t := range all {
		if r.end(t) != with.end(t) {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b test) int {
		return cmp.Or(strings.Compare(a.pkg, b.pkg), strings.Compare(a.name, b.name))
	})
	return out
}

// tally counts the ends of a package's tests.
func (r results) tally(pkg string) string {
	n := make(map[string]int)
	for t, end := range r.ends {
		if t.pkg == pkg && t.name != "" {
			n[end]++
		}
	}
	return fmt.Sprintf("%d/%d/%d", n["pass"], n["fail"], n["skip"])
}

// reported is how deep mode begins what it tells of a test.
const reported = "leakgate: "

// on says whether deep mode has told something of each package that is known to leak.
func (r results) on(pkgs []string) error {
	for _, pkg := range pkgs {
		if slices.Contains(leaking, pkg) && r.toldOf(pkg) == 0 {
			return fmt.Errorf("deep mode has told of nothing in %s, whose tests are known to leak: it was not on", pkg)
		}
	}
	return nil
}

// toldOf counts the tests of a package that deep mode tells something of.
func (r results) toldOf(pkg string) (n int) {
	for t, text := range r.said {
		if t.pkg == pkg && t.name != "" && strings.Contains(text, reported) {
			n++
		}
	}
	return n
}

// writeTable writes a line for each package.
func writeTable(out io.Writer, pkgs []string, before, with results, unsteady, real []test) {
	in := func(pkg string, all []test) (n int) {
		for _, t := range all {
			if t.pkg == pkg {
				n++
			}
		}
		return n
	}
	fmt.Fprint(out, "| package | go test | leakgate test | not the same | unsteady | tests that leak |\n|---|---|---|---|---|---|\n")
	for _, pkg := range pkgs {
		fmt.Fprintf(out, "| %s | %s | %s | %d | %d | %d |\n", pkg, before.tally(pkg), with.tally(pkg), in(pkg, real), in(pkg, unsteady), with.toldOf(pkg))
	}
	fmt.Fprintln(out)
}

// writeLeaks writes what deep mode tells of each test.
func writeLeaks(out io.Writer, with results) {
	names := slices.SortedFunc(maps.Keys(with.said), func(a, b test) int {
		return cmp.Or(strings.Compare(a.pkg, b.pkg), strings.Compare(a.name, b.name))
	})
	for _, t := range names {
		if _, text, ok := strings.Cut(with.said[t], reported); ok {
			fmt.Fprintf(out, "\n== %s\n%s%s", t, reported, text)
		}
	}
}
