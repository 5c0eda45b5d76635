package mockserver

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Stub is what the server answers to the requests with one method and pattern that meet the stub's matchers.
type Stub struct {
	srv      *Server
	id       int // from 1, in the order of On
	pattern  pattern
	matchers []Matcher  // never changed
	site     string     // file:line of On, or the file of Load
	url      *loadedURL // of Load, nil of On
	as       *Stub      // the stub whose replies are sent in its place, nil for its own

	// These are guarded by srv.mu.
	priority int
	sets     map[string]string // states of scenarios; never changed in place
	optional bool
	expects  bool
	expected int
	dropped  bool  // not used, because On or settle found it wrong
	chosen   int   // requests that it answered
	recorded int   // those of them that are in Requests, or were
	lost     int   // requests that it matches and another stub answered
	lostTo   *Stub // the last of these

	mu      sync.Mutex
	replies []Reply
	served  int
}

const usualPriority = 5 // as in WireMock

// On adds a stub: requests with this method, "" for any, whose path matches the pattern and that all matchers take are
// answered with what Reply says. The package comment describes patterns. GET also answers HEAD.
//
// Where several stubs match a request, the one with the lowest Priority answers it. Of these it is the one with the more
// specific pattern, of these the one with more matchers, and of these the one that was added last.
//
// A pattern or a matcher that cannot be used fails the test. Two stubs of one priority fail it too when they have the same
// matchers, or both none, and either match the same requests, or overlap so that neither pattern is more specific; this is
// known, and said, when the next request comes or the server closes, since Priority is called after On. In both cases the
// stub that On has returned, of two the later one, is never used. A stub that is never called fails the test when the server
// closes; see Optional and Expect.
func (s *Server) On(method, path string, matchers ...Matcher) *Stub {
	s.t.Helper()
	file, line := caller()
	st := &Stub{srv: s, site: fmt.Sprintf("%s:%d", file, line), matchers: slices.Clone(matchers), priority: usualPriority}
	var err error
	if st.pattern, err = parsePattern(method, path); err == nil {
		err = st.checkMatchers()
	}
	s.add(st, err == nil)
	if err != nil {
		s.errorf("%v", err)
	}
	return st
}

func (st *Stub) checkMatchers() error {
	for _, m := range st.matchers {
		if err := m.problem(); err != nil {
			return fmt.Errorf("mockserver: On(%q, %q): %w", st.pattern.method, st.pattern.text, err)
		}
	}
	return nil
}

// add gives a stub its number. One that cannot be used is known to the server, but matches nothing.
func (s *Server) add(st *Stub, usable bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.everyStub = append(s.everyStub, st)
	st.id = len(s.everyStub)
	if st.dropped = !usable; usable {
		s.added = append(s.added, st)
	}
}

// Priority says how early the stub is asked: of those that match, one with a lower number answers. The default is 5. It
// may be any number, and is to be set before the first request comes. It returns the stub.
//
// With it a test can override a stub that a helper has added for all tests, and a stub for everything else can stand
// behind the others: On("", "/").Priority(10).
func (st *Stub) Priority(n int) *Stub {
	st.srv.mu.Lock()
	defer st.srv.mu.Unlock()
	st.priority = n
	return st
}

// title names a stub in messages: its method, pattern and matchers.
func (st *Stub) title() string {
	var b strings.Builder
	b.WriteString(st.pattern.String())
	if st.url != nil && st.url.oneOf != nil {
		b.WriteString(" (" + st.url.methods() + ")")
	}
	for i := range st.matchers {
		b.WriteString(" " + st.matchers[i].text)
	}
	return clip(b.String(), 2*cell+40)
}

// call is the call of On that made the stub.
func (st *Stub) call() string {
	var b strings.Builder
	fmt.Fprintf(&b, "On(%q, %q", st.pattern.method, st.pattern.text)
	for i := range st.matchers {
		b.WriteString(", " + st.matchers[i].text)
	}
	return clip(b.String(), 2*cell+40) + ")"
}

// Reply adds replies to the stub. Each request is answered with the next one, and when there is no next one, with the
// last again. A reply that cannot be sent, as ALB(404), fails the test and is answered with a 501 that says why. It
// returns the stub.
func (st *Stub) Reply(replies ...Reply) *Stub {
	st.srv.t.Helper()
	if len(replies) == 0 {
		st.srv.errorf("mockserver: Reply() of %s has no reply; write Reply(mockserver.Status(200)), for example", st.pattern)
	}
	for _, r := range replies {
		if err := r.problem(); err != nil {
			st.srv.errorf("mockserver: reply of %s (%s): %v", st.pattern, st.site, err)
		}
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, r := range flatten(replies) {
		st.replies = append(st.replies, r)
		if r.isHandler() {
			st.srv.handlers.Store(true)
		}
	}
	return st
}

// next returns why there is no reply.
func (st *Stub) next() (r Reply, why string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if len(st.replies) == 0 {
		return Reply{}, fmt.Sprintf("the stub %s (%s) has no reply, answered 501\n\tcall .Reply(...) on it before the first request", st.title(), st.site)
	}
	r, ok := nth(st.replies, st.served)
	if !ok {
		return Reply{}, spent(fmt.Sprintf("the stub %s (%s)", st.title(), st.site), st.replies)
	}
	st.served++
	return r, ""
}
