package leakcheck

import (
	"fmt"

	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/report"
)

// codeCeiling is the code of a ceiling that a Series passed.
const codeCeiling = "LK602"

// sampleWatch is what a Series reports by: a watch that has looked at nothing.
func sampleWatch(t TB) *watch {
	w := &watch{id: label.NewID(), name: t.Name(), t: t, cfg: newConfig(nil)}
	if watchesRuns() {
		runs.mu.Lock()
		w.run = runs.by[identity(innermost(t))]
		runs.mu.Unlock()
	}
	return w
}

// entry is what is said of a ceiling that a point passes. It describes what is held now.
func (s *Series) entry(c Ceiling, p Point) report.Leak {
	n := p.Of(c.metric)
	held := holdersOf(c.metric)
	l := report.Leak{
		Kind: string(c.metric.kind()), Code: codeCeiling, Class: "AtMost(" + c.metric.code() + ")", Test: s.w.name, Rank: rankLimit,
		Summary: fmt.Sprintf("%s, and AtMost allows %s", c.metric.count(n), c.metric.value(c.most)),
		Holds:   lines(held, s.w.name), HoldsAs: "held now",
	}
	s.mu.Lock()
	l.State = fmt.Sprintf("%s (%s in %v)", s.spark(c.metric), many(s.samples, "sample"), s.span())
	s.mu.Unlock()
	known := 0
	for _, h := range held {
		if h.site.Func == "" {
			continue
		}
		if known++; known == 1 {
			l.Site, l.Stack = h.site, h.stack
		}
	}
	if known > 0 && c.metric == Goroutines {
		l.Role = "started at"
	}
	if len(held) > 1 && known > 0 {
		l.Role = roleExample
	}
	if known == 0 {
		l.Unknown = noSite(c.metric)
	}
	switch {
	case c.metric == CloseWait:
		l.Why = "CLOSE_WAIT: the peer has closed and this side has not; the socket stays until this process closes it"
		l.Hint, l.Probably = "close each response body, also where its status is an error", true
	case c.metric == HeapInUse:
		l.Hint, l.Probably = "go test -memprofile, and go tool pprof -sample_index=inuse_space", true
	}
	return l
}

// noSite says why there is no line.
func noSite(m Metric) string {
	_, isState := m.state()
	switch {
	case isState || m == Sockets:
		return "a socket shows where it leads and not who opened it; with a tracked transport or pool (httpcheck.Instrument, dbcheck.Wrap) the line is known"
	case m == FDs:
		return "a descriptor does not show who opened it"
	case m == HeapInUse:
		return "the heap does not show who allocated it"
	case m == Goroutines:
		return "none of them was started by a function of yours"
	}
	return "they have been given back meanwhile"
}

// passed fails the test for a ceiling, unless the baseline has it.
func (w *watch) passed(l report.Leak) {
	w.t.Helper()
	fail := w.rule(report.Finish([]report.Leak{l}), outcome{})
	if len(fail) == 0 {
		return
	}
	registry.judgeAnyway(w.t)
	w.failsByLeaks()
	w.errorf("%s", report.Text{Who: "leakcheck", Scope: w.name, Leaks: fail, Accept: accept()})
}

// judgeAnyway lets the checks of a test that is about to fail for a ceiling judge what is left all the same: the test has not
// failed by itself, and what it still holds at its end is more than the ceiling could say.
func (r *watches) judgeAnyway(t TB) {
	if t.Failed() {
		return
	}
	id := identity(innermost(t))
	r.mu.Lock()
	defer r.mu.Unlock()
	for w := range r.active {
		if w.t != nil && identity(innermost(w.t)) == id {
			w.ceiling = true
		}
	}
}

// isJudgedAnyway: see judgeAnyway.
func (r *watches) isJudgedAnyway(w *watch) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return w.ceiling
}
