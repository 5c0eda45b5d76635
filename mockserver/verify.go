package mockserver

import (
	"fmt"
	"strings"
)

// AllowUnused lets the test pass when stubs are never called. Optional does so for one stub. What Expect says still holds.
func AllowUnused() Option {
	return func(c *config) { c.allowUnused = true }
}

// Expect says how many requests the stub is to answer, exactly. One more fails the test when it comes, and is answered
// nevertheless; fewer fail it when the server closes. Expect(0) is for a request that must not come. Without Expect a
// stub is to be called at least once. A negative n fails the test. It returns the stub.
func (st *Stub) Expect(n int) *Stub {
	st.srv.t.Helper()
	if n < 0 {
		st.srv.errorf("mockserver: Expect(%d) of %s (%s): a number of requests is 0 or more", n, st.title(), st.site)
		return st
	}
	st.srv.mu.Lock()
	defer st.srv.mu.Unlock()
	st.expects, st.expected = true, n
	return st
}

// Optional says that the stub need not be called: a stub that a helper adds for every test, for example. With Expect(n) it
// is to be called n times or not at all. It returns the stub.
func (st *Stub) Optional() *Stub {
	st.srv.mu.Lock()
	defer st.srv.mu.Unlock()
	st.optional = true
	return st
}

// verify reports, when the server closes, stubs that contradict each other and stubs that were not called as expected. A
// test that has failed gets one line in its log: what went wrong first is most likely the cause. One that was skipped
// gets none.
func (s *Server) verify() {
	s.t.Helper()
	if t, ok := s.t.(interface{ Skipped() bool }); ok && t.Skipped() {
		return
	}
	s.mu.Lock()
	wrong := s.settle()
	stubs, reasons := s.uncalled()
	s.mu.Unlock()
	for _, msg := range wrong {
		s.safely(func() { s.t.Helper(); s.t.Errorf("%s", msg) })
	}
	if len(stubs) == 0 {
		return
	}
	verdict := "1 stub was not called as expected"
	if n := len(stubs); n > 1 {
		verdict = fmt.Sprintf("%d stubs were not called as expected", n)
	}

	if s.t.Failed() {
		var all []string
		for i, st := range stubs[:min(len(stubs), maxStubs)] {
			all = append(all, fmt.Sprintf("%s (%s) %s", st.title(), st.site, reasons[i]))
		}
		if n := len(stubs) - maxStubs; n > 0 {
			all = append(all, fmt.Sprintf("and %d more", n))
		}
		s.safely(func() {
			s.t.Logf("mockserver: %s, in a test that has failed already: %s", verdict, strings.Join(all, "; "))
		})
		return
	}
	var b strings.Builder
	b.WriteString("mockserver: " + verdict + ":")
	unused := false
	for i, st := range stubs {
		if i == maxStubs {
			fmt.Fprintf(&b, "\n\tand %d more", len(stubs)-i)
			break
		}
		fmt.Fprintf(&b, "\n\t%s (%s): %s", st.title(), st.site, reasons[i])
		unused = unused || !st.expects
	}
	if unused {
		b.WriteString("\n\tone that need not be called is marked .Optional(); New(t, mockserver.AllowUnused()) is for all of a server")
	}
	s.safely(func() { s.t.Helper(); s.t.Errorf("%s", b.String()) })
}

// uncalled lists the stubs that were not called as expected, and why each is listed. It wants s.mu.
func (s *Server) uncalled() (stubs []*Stub, reasons []string) {
	for _, st := range s.stubs {
		why := ""
		switch {
		case st.chosen == 0 && (st.optional || s.cfg.allowUnused && !st.expects):
		case st.expects && st.chosen != st.expected:
			why = fmt.Sprintf("called %s, not %d", count(st.chosen, "time"), st.expected)
		case !st.expects && st.chosen == 0:
			why = "never called"
		}
		if why == "" {
			continue
		}
		if st.lost > 0 {
			why += fmt.Sprintf("; %s that it matches went to %s (%s)", count(st.lost, "request"), st.lostTo.title(), st.lostTo.site)
		} else if other := st.otherState(s.states); st.chosen == 0 && other != "" {
			why += "; " + other
		}
		stubs, reasons = append(stubs, st), append(reasons, why)
	}
	return stubs, reasons
}
