package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/leakgate/leakgate/fragment"
)

func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// failure is a test, or a package, that failed by itself: not because of what it leaked.
type failure struct {
	Package string `json:"package"`
	Test    string `json:"test,omitempty"` // "" for the package
	// Died says that the test never ended: it panicked, ran out of time or ended the process. What was to run after it in its
	// package did not.
	Died bool `json:"died,omitempty"`

	output []string
}

// failures tells the tests that failed by themselves from those that leaked: the fragments say of which sort each one is.
func (run *suiteRun) failures(fragments []*fragment.Fragment) []failure {
	leaked := make(map[string]map[string]bool)
	own := make(map[string]map[string]bool)
	for _, f := range fragments {
		if leaked[f.Package] == nil {
			leaked[f.Package], own[f.Package] = make(map[string]bool), make(map[string]bool)
		}
		for _, t := range f.Tests {
			switch t.Result {
			case fragment.Leaked:
				leaked[f.Package][t.Name] = true
			case fragment.Failed:
				own[f.Package][t.Name] = true
			}
		}
		for _, l := range f.Leaks {
			if l.Outcome == fragment.Fatal {
				leaked[f.Package][l.Test] = true // "" when it is not known
			}
		}
	}
	var out []failure
	for _, name := range sorted(run.packages) {
		p := run.packages[name]
		if p.verdict == "pass" || p.verdict == "skip" || p.failedBuild != "" {
			continue
		}
		out = append(out, p.failures(name, leaked[name], own[name])...)
	}
	return out
}

func (p *packageRun) failures(name string, leaked, own map[string]bool) (out []failure) {
	died, told := p.died(), false
	for _, test := range sorted(p.tests) {
		t := p.tests[test]
		if t.verdict == "pass" || t.verdict == "skip" || !p.leaf(test) {
			continue
		}
		ended := died && (t.verdict == "" || crashed(t.output))
		told = told || ended
		if ended || own[test] || !leaked[test] {
			out = append(out, failure{name, test, ended, t.output})
		}
	}
	if died && !told || len(out)+len(leaked) == 0 {
		out = append(out, failure{Package: name, Died: died, output: p.output})
	}
	return out
}

// died says that the package ended before its tests did. The testing package writes PASS or FAIL on a line of its own when
// they have.
func (p *packageRun) died() bool {
	return !slices.ContainsFunc(p.output, func(line string) bool { return line == "PASS" || line == "FAIL" })
}

// crashed says that a test's output is that of a crash.
func crashed(output []string) bool {
	return slices.ContainsFunc(output, func(line string) bool {
		return strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ")
	})
}

// leaf says that no subtest of the test failed: what a parent says is then not said twice.
func (p *packageRun) leaf(test string) bool {
	for name, t := range p.tests {
		if strings.HasPrefix(name, test+"/") && t.verdict != "pass" && t.verdict != "skip" {
			return false
		}
	}
	return true
}

// tellFailures writes them, with what the tests printed.
func (c console) tellFailures(path string, fs []failure) {
	if len(fs) == 0 {
		return
	}
	fmt.Fprintf(c.err, "leakgate %s: %s; what such a test leaks is not judged, and its entries stay\n",
		path, count(len(fs), "failure is no leak", "failures are no leaks"))
	const most = 5
	for _, f := range fs[:min(len(fs), most)] {
		what := f.Package
		if f.Test != "" {
			what = f.Test + " in " + f.Package
		}
		if f.Died {
			what += " ended the process: what was to run after it did not"
		}
		fmt.Fprintf(c.err, "  %s\n", what)
		c.quoteFew(f.output)
	}
	if len(fs) > most {
		fmt.Fprintf(c.err, "  … %d more: go test shows them\n", len(fs)-most)
	}
}

// quoteFew writes the beginning of a test's output, without the stacks of a crash.
func (c console) quoteFew(lines []string) {
	const most = 8
	if i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "goroutine ") }); i >= 0 {
		lines = append(slices.Clone(lines[:i]), "… and stacks, which go test shows")
	}
	lines = slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return strings.TrimSpace(line) == "" })
	for _, line := range lines[:min(len(lines), most)] {
		fmt.Fprintf(c.err, "    %s\n", line)
	}
	if len(lines) > most {
		fmt.Fprintf(c.err, "    … %d lines more\n", len(lines)-most)
	}
}
