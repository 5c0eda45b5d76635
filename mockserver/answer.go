package mockserver

import "fmt"

// answer finds the reply to a request, whose path is escaped as it was sent, and says in rec which stub gives it. fail is
// what the test is failed with; it is empty when all is well or was said before.
func (s *Server) answer(rec *Request, escaped string) (r Reply, st *Stub, fail []string) {
	in := newIncoming(rec, escaped, s.cfg.keepBodies)
	st, fail = s.choose(in)
	if st == nil {
		s.mu.Lock()
		stubs := s.stubs // is only ever appended to
		s.mu.Unlock()
		msg := unmatched(in, stubs)
		fail = append(fail, in.panicked...)
		if !s.cfg.allowUnmatched && s.miss(rec.Method+" "+in.shown()) {
			fail = append(fail, msg)
		}
		return Text(501, msg+"\n"), nil, fail
	}
	fail = append(fail, in.panicked...)
	rec.Stub, rec.stub = st.pattern.String(), st.id

	r, why := st.next()
	if why != "" {
		msg := fmt.Sprintf("mockserver: request %s %s: %s", rec.Method, shorten(in.escaped), why)
		if s.miss(rec.Method + " " + in.escaped) {
			fail = append(fail, msg)
		}
		return Text(501, msg+"\n"), st, fail
	}
	if err := r.problem(); err != nil { // reported by Stub.Reply
		r = Text(501, fmt.Sprintf("mockserver: reply of %s (%s): %v\n", st.title(), st.site, err))
	}
	return r, st, fail
}
