package verdict

import "github.com/leakgate/leakgate/fragment"

// count gives the most that one run leaked of what is held, and in how many runs it was found.
func (g *group) count(held func(*fragment.Leak) bool) (most, runs int) {
	type tally struct {
		single map[int]int // by run
		all    int         // of all runs together
		of     int
	}
	byProcess := make(map[*process]*tally)
	for _, o := range g.leaks {
		if !held(o.leak) {
			continue
		}
		t := byProcess[o.process]
		if t == nil {
			t = &tally{single: make(map[int]int), of: 1}
			byProcess[o.process] = t
		}
		t.of = max(t.of, o.of)
		if o.run < 0 {
			t.all += max(o.leak.Count, 1)
		} else {
			t.single[o.run] += max(o.leak.Count, 1)
		}
	}
	test := g.top()
	for _, t := range byProcess {
		// What was found when all runs were over is spread over them: each of them did the same.
		share := (t.all + t.of - 1) / t.of
		most = max(most, share)
		for _, n := range t.single {
			most = max(most, n+share)
		}
		if test == "" {
			runs++
			continue
		}
		runs += min(t.of, len(t.single)+t.all)
	}
	return most, runs
}

// top gives the top-level test of the group; "" when it has none. A fingerprint ends in it, so that there are not two.
func (g *group) top() string {
	top := ""
	for _, o := range g.leaks {
		if t := topOf(o.leak.Test); t != "" && (top == "" || t < top) {
			top = t
		}
	}
	return top
}

// runsOf says how often the group's test ran.
func (m *merger) runsOf(g *group) int {
	top, n := g.top(), 0
	leaked := make(map[*process]bool)
	for _, o := range g.leaks {
		leaked[o.process] = true
	}
	for _, p := range m.byPkg[g.leaks[0].process.Package] {
		runs := p.runs(top)
		if runs == 0 && leaked[p] {
			runs = 1 // the process ended before it could write the test down
		}
		n += runs
	}
	return n
}
