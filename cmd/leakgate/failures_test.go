package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/leakgate/leakgate/fragment"
)

// A test that failed because of what it leaked is told from one that failed by itself.
func TestFailures(t *testing.T) {
	const pkg = "example.com/shop/store"
	tests := func(named ...string) (out []fragment.Test) {
		for i := 0; i < len(named); i += 2 {
			out = append(out, fragment.Test{Name: named[i], Result: named[i+1]})
		}
		return out
	}
	for _, tc := range []struct {
		why    string
		events string // action and test, or an action alone for the package
		has    fragment.Fragment
		want   []failure
		died   bool // nothing was said at the end
	}{
		{
			"a leak", "run A|fail A|run B|pass B|fail",
			fragment.Fragment{Tests: tests("A", fragment.Leaked)}, nil, false,
		},
		{
			"a leak of a test that the fragment does not list", "run A|fail A|fail",
			fragment.Fragment{Leaks: []fragment.Leak{{Test: "A", Outcome: fragment.Fatal}}}, nil, false,
		},
		{
			"a failure", "run A|fail A|fail",
			fragment.Fragment{Tests: tests("A", fragment.Failed)}, []failure{{Package: pkg, Test: "A"}}, false,
		},
		{
			"a failure whose leak was excused", "run A|fail A|fail",
			fragment.Fragment{Tests: tests("A", fragment.Failed), Leaks: []fragment.Leak{{Test: "A", Outcome: fragment.Excused}}},
			[]failure{{Package: pkg, Test: "A"}}, false,
		},
		{
			"a package without the harness", "run A|fail A|fail", fragment.Fragment{}, []failure{{Package: pkg, Test: "A"}}, false,
		},
		{
			"the same test twice: it leaked, then failed", "run A|fail A|run A|fail A|fail",
			fragment.Fragment{Tests: tests("A", fragment.Leaked, "A", fragment.Failed)}, []failure{{Package: pkg, Test: "A"}}, false,
		},
		{
			"a subtest that leaked fails its parent too", "run A|run A/x|fail A/x|fail A|fail",
			fragment.Fragment{Tests: tests("A/x", fragment.Leaked, "A", fragment.Failed)}, nil, false,
		},
		{
			"a subtest that failed is told once", "run A|run A/x|fail A/x|fail A|fail",
			fragment.Fragment{}, []failure{{Package: pkg, Test: "A/x"}}, false,
		},
		{
			"a process that ends in a test ends the package", "run A|run A/x|fail",
			fragment.Fragment{}, []failure{{Package: pkg, Test: "A/x", Died: true}}, true,
		},
		{
			"a panic does so too", "run A|fail A|run B|fail! B|fail", fragment.Fragment{Tests: tests("A", fragment.Leaked)},
			[]failure{{Package: pkg, Test: "B", Died: true}}, true,
		},
		{
			"or the process ends between tests", "run A|fail A|fail", fragment.Fragment{Tests: tests("A", fragment.Leaked)},
			[]failure{{Package: pkg, Died: true}}, true,
		},
		{
			"a leak that no test was blamed for", "run A|pass A|fail",
			fragment.Fragment{Leaks: []fragment.Leak{{Outcome: fragment.Fatal}}}, nil, false,
		},
		{
			"TestMain failed", "run A|pass A|fail",
			fragment.Fragment{Tests: tests("A", fragment.Passed)}, []failure{{Package: pkg}}, false,
		},
		{"go test was killed", "run A|pass A", fragment.Fragment{}, []failure{{Package: pkg, Died: true}}, true},
		{"all is well", "run A|pass A|skip B|pass", fragment.Fragment{}, nil, false},
		{"nothing to run", "skip", fragment.Fragment{}, nil, false},
	} {
		run := &suiteRun{packages: make(map[string]*packageRun), builds: make(map[string][]string)}
		for e := range strings.SplitSeq(tc.events, "|") {
			action, test, _ := strings.Cut(e, " ")
			run.take(`{"Action":"` + strings.TrimSuffix(action, "!") + `","Package":"` + pkg + `","Test":"` + test + `"}`)
			switch {
			case action == "fail!":
				run.take(`{"Action":"output","Package":"` + pkg + `","Test":"` + test + `","Output":"panic: no\n"}`)
			case test == "" && action == "fail" && !tc.died:
				run.take(`{"Action":"output","Package":"` + pkg + `","Output":"FAIL\n"}`)
			}
		}
		tc.has.Package = pkg
		got := run.failures([]*fragment.Fragment{&tc.has})
		for i := range got {
			got[i].output = nil
		}
		assert.Equal(t, tc.want, got, tc.why)
	}
}
