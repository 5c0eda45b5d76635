package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// results are what the tests of one run came to, by their full names.
type results map[string]result

type result struct {
	verdict string // "pass", "fail", "skip"; "unfinished" when the run ended within it
	output  string
}

// readResults reads what `go tool test2json` writes.
func readResults(r io.Reader) (results, error) {
	out := make(results)
	texts := make(map[string]*strings.Builder)
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e struct{ Action, Test, Output string }
			if err := json.Unmarshal(line, &e); err != nil {
				return nil, fmt.Errorf("test2json wrote %q: %w", line, err)
			}
			if e.Test == "" {
				e.Test = whole // what belongs to no test: a panic, or TestMain
			}
			switch e.Action {
			case "run":
				out[e.Test] = result{verdict: "unfinished"}
			case "pass", "fail", "skip":
				out[e.Test] = result{verdict: e.Action}
			case "output":
				if texts[e.Test] == nil {
					texts[e.Test] = new(strings.Builder)
				}
				texts[e.Test].WriteString(e.Output)
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	for name, r := range out {
		if b := texts[name]; b != nil {
			r.output = b.String()
			out[name] = r
		}
	}
	return out, nil
}

// whole is the name that a test binary's own verdict has.
const whole = "(the whole run)"

// cut names the tests that the run ended within; "" when it came to its end. What it had not run by then was not compared.
func (r results) cut() string {
	var in []string
	for name, v := range r {
		if v.verdict == "unfinished" {
			in = append(in, name)
		}
	}
	if r[whole].verdict == "" {
		in = append(in, whole)
	}
	slices.Sort(in)
	return strings.Join(in, ", ")
}

// tally counts tests, subtests among them.
type tally struct{ passed, failed, skipped int }

func (r results) tally() (t tally) {
	for name, v := range r {
		switch {
		case name == whole:
		case v.verdict == "pass":
			t.passed++
		case v.verdict == "skip":
			t.skipped++
		default:
			t.failed++
		}
	}
	return t
}

func (t tally) String() string { return fmt.Sprintf("%d / %d / %d", t.passed, t.failed, t.skipped) }

// difference is a test that comes to something else with the wrapper.
type difference struct {
	test           string
	plain, wrapped string // verdicts; "absent" when there is no such test
	output         string // of the wrapped one
	why            string // where it is known
	unsteady       bool   // it did not differ again
}

func (d difference) String() string {
	s := fmt.Sprintf("%s: %s without the wrapper, %s with it", d.test, d.plain, d.wrapped)
	switch {
	case d.why != "":
		return "known: " + s + ": " + d.why
	case d.unsteady:
		return "unsteady: " + s + ", and not again in " + fmt.Sprint(again) + " more runs of both"
	}
	return "DIFFERS: " + s
}

// unexplained says whether the wrapper has to answer for it.
func (d difference) unexplained() bool { return d.why == "" && !d.unsteady }

// compare lists the tests that differ, by name. A test around one that differs, which fails because of it, is not listed by
// itself, and neither is the whole run.
func compare(plain, wrapped results) (out []difference) {
	names := slices.Sorted(maps.Keys(plain))
	for name := range wrapped {
		if _, ok := plain[name]; !ok {
			names = append(names, name)
		}
	}
	differs := func(name string) bool { return verdict(plain, name) != verdict(wrapped, name) }
	for _, name := range names {
		inner := slices.ContainsFunc(names, func(n string) bool {
			return (strings.HasPrefix(n, name+"/") || name == whole && n != whole) && differs(n)
		})
		if differs(name) && !inner {
			out = append(out, difference{
				test: name, plain: verdict(plain, name), wrapped: verdict(wrapped, name), output: wrapped[name].output,
			})
		}
	}
	slices.SortFunc(out, func(a, b difference) int { return cmp.Compare(a.test, b.test) })
	return out
}

func verdict(r results, name string) string {
	if v, ok := r[name]; ok {
		return v.verdict
	}
	return "absent"
}
