package verdict

import (
	"slices"
	"strings"
	"time"

	"github.com/leakgate/leakgate/fragment"
)

// process is a fragment with what is asked of it again and again.
type process struct {
	*fragment.Fragment
	module string
	tests  map[string][]int // by name, indices into Tests, oldest first
	repeat int              // runs of the package in this process (-count), at least 1
	tops   map[string][]int // by top-level test, indices of it and of its subtests
}

func newProcess(f *fragment.Fragment) *process {
	p := &process{Fragment: f, tests: make(map[string][]int), tops: make(map[string][]int)}
	for i := range f.Tests {
		name := f.Tests[i].Name
		p.tests[name] = append(p.tests[name], i)
		p.tops[topOf(name)] = append(p.tops[topOf(name)], i)
	}
	for name, at := range p.tests {
		slices.SortFunc(at, func(a, b int) int { return compareRuns(&f.Tests[a], &f.Tests[b]) })
		if isTop := topOf(name) == name; isTop && len(at) > p.repeat {
			p.repeat = len(at)
		}
	}
	p.repeat = max(p.repeat, 1)
	return p
}

// topOf gives the top-level test of a test.
func topOf(test string) string {
	top, _, _ := strings.Cut(test, "/")
	return top
}

func (p *process) records() int { return len(p.Tests) + len(p.Leaks) + len(p.Ignored) + len(p.Samples) }

// fuller says whether p has more of the same process than q: one of them may have been copied while it ran, or was cut.
func (p *process) fuller(q *process) bool {
	if (p.End != nil) != (q.End != nil) {
		return p.End != nil
	}
	return p.records() > q.records()
}

// span gives when the process began and the latest time that it wrote down.
func (p *process) span() (began, ended time.Time) {
	began, ended = p.Began, p.Began
	later := func(t time.Time) {
		if t.After(ended) {
			ended = t
		}
	}
	for i := range p.Tests {
		later(p.Tests[i].Began.Add(p.Tests[i].Took))
	}
	for i := range p.Leaks {
		later(p.Leaks[i].At)
	}
	for i := range p.Samples {
		later(p.Samples[i].At)
	}
	if p.End != nil {
		later(p.End.At)
	}
	if began.IsZero() {
		began = ended
	}
	return began, ended
}

// runOf says in which run of its top-level test a leak was found, from 0, and how many runs there were. -1 is for all of them
// together: it was found when they were over, by Main, which tells runs not apart.
//
// -count runs the tests of a package again and again, one pass after the other, so that a leak found between the
// beginnings of two runs belongs to the first of them.
func (p *process) runOf(l *fragment.Leak) (run, of int) {
	if l.Test == "" {
		return -1, p.repeat
	}
	runs := p.tests[topOf(l.Test)]
	if len(runs) == 0 {
		runs = p.tests[l.Test] // without a Main, a test that does not call Verify is not listed: its subtests may be
	}
	if len(runs) < 2 {
		return 0, 1
	}
	last := &p.Tests[runs[len(runs)-1]]
	if l.At.After(last.Began.Add(last.Took)) || l.At.IsZero() {
		return -1, len(runs)
	}
	for run < len(runs)-1 && !p.Tests[runs[run+1]].Began.After(l.At) {
		run++
	}
	return run, len(runs)
}

// runs says how often the test was run to the end or until it failed: skipped runs are left out.
func (p *process) runs(top string) int {
	if top == "" {
		return 1
	}
	byName := make(map[string]int)
	most := 0
	for _, i := range p.tops[top] {
		if p.Tests[i].Result != fragment.Skipped {
			byName[p.Tests[i].Name]++
			most = max(most, byName[p.Tests[i].Name])
		}
	}
	if n, ok := byName[top]; ok {
		return n
	}
	return most
}

// testRuns gives the tests with what each leaked. A leak of a subtest that is not listed goes to the test around it.
func (p *process) testRuns() []TestRun {
	out := make([]TestRun, len(p.Tests))
	for i := range p.Tests {
		out[i] = TestRun{Package: p.Package, PID: p.PID, Test: p.Tests[i]}
	}
	for i := range p.Leaks {
		l := &p.Leaks[i]
		if l.Outcome == fragment.Noted || l.Test == "" {
			continue
		}
		name := l.Test
		at := p.tests[name]
		for len(at) == 0 {
			slash := strings.LastIndexByte(name, '/')
			if slash < 0 {
				break
			}
			name = name[:slash]
			at = p.tests[name]
		}
		if len(at) == 0 {
			continue
		}
		run, _ := p.runOf(l)
		if run < 0 || run >= len(at) {
			run = len(at) - 1
		}
		out[at[run]].Leaks += max(l.Count, 1)
	}
	return out
}
