package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/leakgate/leakgate/internal/label"
)

// limit is what go test may take for one package.
const limit = "-timeout=8m"

// A result is what was found of one project.
type result struct {
	project *project

	Module, Version string
	Go              string // version
	Date            string // year-month-day
	Plain, Deep     counts
	// Failing is the run in which leaks fail tests.
	Failing counts
	// Differs are the tests whose results are not the same plain and under deep mode, leaks aside; Unsteady those that have had
	// either result in both when they were run again.
	Differs, Unsteady []difference
	// Shared are the things that the binaries hold for the life of the process, which fail nothing.
	Shared   []string
	Findings []finding
}

// counts are the tests of one run by their results, and how long it took.
type counts struct {
	Pass, Fail, Skip int
	Seconds          float64
}

// A finding is a root cause that deep mode reported.
type finding struct {
	Kind, Code, Title string
	Func, File        string
	Line              int
	Source            string
	Package           string
	Tests             []string
	Count             int
	Fails             bool
}

// A difference is a test, or with Test "" a package, with another result than in the plain run.
type difference struct{ Package, Test, Was, Is, How string }

func (d difference) String() string {
	return fmt.Sprintf("%s: %s plain, %s with leaks %s", strings.TrimSpace(d.Package+" "+d.Test), or(d.Was, "not run"), or(d.Is, "not run"), d.How)
}

// top is the top-level test.
func (d difference) top() string {
	name, _, _ := strings.Cut(d.Test, "/")
	return name
}

// topTests are the top-level tests among differences.
func topTests(list []difference) (names []string) {
	for _, d := range list {
		if name := d.top(); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// at is the place without its line: "conn_test.go TestConn".
func (f finding) at() string {
	if f.File == "" {
		return "?"
	}
	return strings.TrimSpace(f.File + " " + f.Func)
}

// project fetches a project and runs its tests three times: plain, with leaks told, and with leaks failing.
func (o options) project(ctx context.Context, p *project) (*result, error) {
	src, err := o.fetch(ctx, p)
	if err != nil {
		return nil, err
	}
	logs := filepath.Join(o.dir, "logs", p.name())
	if !o.reread {
		if err := os.RemoveAll(logs); err != nil {
			return nil, err
		}
	}
	found := filepath.Join(logs, "found")
	if err := os.MkdirAll(found, 0o755); err != nil {
		return nil, err
	}
	run := func(name string, only []string, deep []string, env ...string) (*tests, error) {
		if o.reread {
			return readLog(filepath.Join(logs, name+".json"))
		}
		return o.tests(ctx, p, src, filepath.Join(logs, name+".json"), only, deep, env...)
	}
	plain, err := run("plain", nil, nil)
	if err != nil {
		return nil, err
	}
	told, err := run("report", nil, []string{"-report"}, "LEAKGATE_REPORT="+found)
	if err != nil {
		return nil, err
	}
	failing, err := run("fail", nil, []string{"-report=false"})
	if err != nil {
		return nil, err
	}
	r := &result{
		Module: p.Module, Version: p.Version, Date: time.Now().Format(time.DateOnly),
		Plain: plain.counts(), Deep: told.counts(), Failing: failing.counts(), Shared: told.shared,
	}
	if r.Go, err = goVersion(ctx, src); err != nil {
		return nil, err
	}
	if r.Findings, err = o.findings(ctx, found, filepath.Join(logs, "found.json")); err != nil {
		return nil, err
	}
	r.Differs = append(differences(plain, told, "told", false), differences(plain, failing, "failing", true)...)
	if again := topTests(r.Differs); len(again) > 0 {
		// It may be that they do not always end alike, plain or not.
		r.Unsteady, r.Differs = r.Differs, nil
		for i := range tries {
			was, err := run(fmt.Sprint("again-plain", i), again, nil)
			if o.reread && errors.Is(err, os.ErrNotExist) {
				break
			}
			if err != nil {
				return nil, err
			}
			is, err := run(fmt.Sprint("again-fail", i), again, []string{"-report=false"})
			if o.reread && errors.Is(err, os.ErrNotExist) {
				break
			}
			if err != nil {
				return nil, err
			}
			plain.also(was)
			failing.also(is)
		}
		r.Differs = slices.DeleteFunc(differences(plain, failing, "failing", true), func(d difference) bool {
			return !slices.Contains(again, d.top())
		})
		r.Unsteady = slices.DeleteFunc(r.Unsteady, func(d difference) bool {
			return slices.ContainsFunc(r.Differs, func(o difference) bool { return o.Package == d.Package && o.Test == d.Test })
		})
	}
	return r, nil
}

// tries is how often tests with different results are run again, plain and in deep mode in turn.
const tries = 2

// fetch puts the sources of a project where they can be written to, because tests write beside them.
func (o options) fetch(ctx context.Context, p *project) (dir string, err error) {
	dir = filepath.Join(o.dir, "src", p.name(), p.Version) // a folder with @ would be taken for a dependency
	sub := filepath.Join(dir, filepath.FromSlash(p.Dir))
	if _, err := os.Stat(dir); err == nil {
		return sub, nil
	}
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", p.Module+"@"+p.Version)
	cmd.Dir = os.TempDir()
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	var m struct{ Dir, Error string }
	if json.Unmarshal(out, &m) != nil || m.Error != "" || err != nil {
		return "", fmt.Errorf("go mod download %s@%s: %v %s", p.Module, p.Version, err, m.Error)
	}
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	err = os.CopyFS(part, os.DirFS(m.Dir))
	if err == nil {
		err = filepath.WalkDir(part, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				err = os.Chmod(path, 0o755)
			} else if err == nil {
				err = os.Chmod(path, 0o644)
			}
			return err
		})
	}
	if err != nil {
		return "", err
	}
	return sub, os.Rename(part, dir)
}

// tests are the results of one run.
type tests struct {
	results map[string]string // "package test" to pass, fail or skip
	output  map[string]string // of those that failed, and of packages
	shared  []string
	seconds float64
	times   []time.Time // of the first and the last line
	others  []*tests    // the same once more
}

// also adds another run.
func (t *tests) also(o *tests) { t.others = append(t.others, o) }

// of gives the results of a test in all runs, and whether it failed for leaks wherever it failed.
func (t *tests) of(key string) (results []string, leaks bool) {
	leaks = true
	for _, r := range append([]*tests{t}, t.others...) {
		got := r.results[key]
		results = append(results, got)
		if got == "fail" && !r.leaked(key) {
			leaks = false
		}
	}
	return results, leaks
}

// tests runs the tests, in deep mode when there are flags for it.
func (o options) tests(ctx context.Context, p *project, src, log string, only, deep []string, env ...string) (*tests, error) {
	vars, stop, err := p.start(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	expand := func(s string) string {
		return regexp.MustCompile(`\$\{(\w+)\}`).ReplaceAllStringFunc(s, func(v string) string {
			if got, ok := vars[v[2:len(v)-1]]; ok {
				return got
			}
			return v
		})
	}
	environ := append(os.Environ(), "GOWORK=off", "LEAKGATE_REPORT=", "GOFLAGS=-buildvcs=false")
	for k, v := range p.Env {
		environ = append(environ, k+"="+expand(v))
	}
	environ = append(environ, env...)
	if p.Setup != "" {
		cmd := exec.CommandContext(ctx, "bash", "-ec", expand(p.Setup))
		cmd.Dir, cmd.Env = src, environ
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("setup: %w\n%s", err, out)
		}
	}
	name, args := "go", []string{"test"}
	if deep != nil {
		name, args = o.tool, append(args, deep...)
	}
	args = append(args, "-count=1", "-json", "-vet=off", limit)
	if o.race {
		args = append(args, "-race")
	}
	for _, a := range p.Args {
		args = append(args, expand(a))
	}
	if len(only) > 0 {
		args = append(args, "-run=^("+strings.Join(only, "|")+")$")
	}
	args = append(args, p.Packages...)
	if len(p.Binary) > 0 {
		args = append(args, "-args")
		for _, a := range p.Binary {
			args = append(args, expand(a))
		}
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = src, environ
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	t, err := readTests(io.TeeReader(out, file))
	_, _ = io.Copy(io.Discard, out)
	ended := cmd.Wait()
	_, _ = file.Write(said.Bytes())
	t.seconds = time.Since(began).Seconds()
	var exit *exec.ExitError
	switch {
	case err != nil:
		return nil, err
	case errors.As(ended, &exit) && exit.ExitCode() > 1, ended != nil && exit == nil, len(t.results) == 0:
		return nil, fmt.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), ended, said.Bytes())
	}
	return t, nil
}

// readLog reads what go test printed before.
func readLog(file string) (*tests, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := readTests(f)
	if err != nil {
		return nil, err
	}
	if len(t.times) == 2 {
		t.seconds = t.times[1].Sub(t.times[0]).Seconds()
	}
	return t, nil
}

// event is one line of go test -json.
type event struct {
	Action, Package, Test, Output string
	Time                          time.Time
}

// tempDir is a folder of t.TempDir, which some have in the names of subtests.
var tempDir = regexp.MustCompile(`/[^ ]*?/\w*\d{5,}/\d{3}`)

// process-wide lines, as the agent writes them.
var processWide = regexp.MustCompile(`process-wide, which is no leak: (.*)`)

// readTests reads what go test -json prints.
func readTests(r io.Reader) (*tests, error) {
	t := &tests{results: make(map[string]string), output: make(map[string]string)}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		if json.Unmarshal(line, &e) == nil {
			t.add(e)
		}
		if err == io.EOF {
			return t, nil
		}
		if err != nil {
			return t, err
		}
	}
}

func (t *tests) add(e event) {
	key := e.Package
	if e.Test != "" {
		key += " " + tempDir.ReplaceAllString(e.Test, "TEMP")
	}
	switch {
	case e.Time.IsZero():
	case len(t.times) < 2:
		t.times = append(t.times, e.Time)
	default:
		t.times[1] = e.Time
	}
	switch e.Action {
	case "pass", "fail", "skip":
		t.results[key] = e.Action
	case "output":
		t.output[key] += e.Output
		if m := processWide.FindStringSubmatch(e.Output); m != nil {
			t.shared = append(t.shared, m[1])
		}
	}
}

// counts counts tests; packages are none.
func (t *tests) counts() counts {
	c := counts{Seconds: t.seconds}
	for key, r := range t.results {
		if !strings.Contains(key, " ") {
			continue
		}
		switch r {
		case "pass":
			c.Pass++
		case "fail":
			c.Fail++
		case "skip":
			c.Skip++
		}
	}
	return c
}

// differences are the tests that plain runs and others have no result in common of. Where leaks fail tests, a test that passed
// plain may fail when it was told of a leak, or a test below it was.
func differences(plain, deep *tests, how string, failing bool) []difference {
	var list []difference
	keys := make(map[string]bool)
	for key := range plain.results {
		keys[key] = true
	}
	for key := range deep.results {
		keys[key] = true
	}
	for key := range keys {
		was, _ := plain.of(key)
		is, leaks := deep.of(key)
		pkg, name, _ := strings.Cut(key, " ")
		switch {
		case slices.ContainsFunc(was, func(r string) bool { return slices.Contains(is, r) }):
		case failing && slices.Contains(is, "fail") && leaks && (slices.Contains(was, "pass") || slices.Contains(was, "skip")):
		default:
			list = append(list, difference{pkg, name, was[0], is[0], how})
		}
	}
	for key, text := range deep.output {
		if strings.Contains(text, "leakgate: the check itself failed") {
			list = append(list, difference{Package: key, Is: "the check itself failed", How: how})
		}
	}
	slices.SortFunc(list, func(a, b difference) int { return strings.Compare(a.Package+" "+a.Test, b.Package+" "+b.Test) })
	return list
}

// leaked says whether a test, or one below it, or when it is a package the binary, was told of a leak.
func (t *tests) leaked(key string) bool {
	for other, text := range t.output {
		if (other == key || strings.HasPrefix(other, key+"/") || strings.HasPrefix(other, key+" ")) && leakText.MatchString(text) {
			return true
		}
	}
	return false
}

var leakText = regexp.MustCompile(`(?m)^\s*leakgate: \d+ leaks?\b|leakgate: .* leak`)

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// findings reads what the test binaries have written down.
func (o options) findings(ctx context.Context, dir, file string) ([]finding, error) {
	left, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if len(left) == 0 {
		return nil, errors.New("no test binary has written a report")
	}
	cmd := exec.CommandContext(ctx, o.tool, "report", "-format", "json", "-o", file, dir)
	said, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		return nil, fmt.Errorf("leakgate report: %w\n%s", err, said)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var report struct {
		Findings []struct {
			Title, Package string
			Fails          bool
			Count          int
			Tests          []string
			Leak           struct {
				Kind, Code string
				Site       struct {
					Func, File, Source string
					Line               int
				}
			}
		}
	}
	if err := json.Unmarshal(data, &report); err != nil {
		return nil, err
	}
	var list []finding
	for _, f := range report.Findings {
		l := f.Leak
		if !f.Fails && slices.Equal(f.Tests, []string{label.Shared}) {
			continue // it is told with the result's Shared
		}
		list = append(list, finding{
			Kind: l.Kind, Code: l.Code, Title: f.Title, Func: short(l.Site.Func), File: l.Site.File, Line: l.Site.Line, Source: l.Site.Source,
			Package: f.Package, Tests: f.Tests, Count: f.Count, Fails: f.Fails,
		})
	}
	return list, nil
}

// short is a function's name without the path of its package.
func short(name string) string {
	name = name[strings.LastIndex(name, "/")+1:]
	_, rest, ok := strings.Cut(name, ".")
	if !ok {
		return name
	}
	return rest
}

// goVersion is that of the go command in a folder.
func goVersion(ctx context.Context, dir string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "env", "GOVERSION")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

// readResult reads what was found before.
func readResult(file string) (*result, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := &result{}
	return r, json.Unmarshal(data, r)
}
