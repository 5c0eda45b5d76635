package mockserver

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Calls returns the requests that the stub has answered until now, oldest first. The result is a copy. A request is there
// before its reply is sent. Like Requests it knows the last 10,000 requests of the server. A stub that is nil, or of
// another server, fails the test.
func (s *Server) Calls(stub *Stub) []Request {
	s.t.Helper()
	if !s.owns(stub, "Calls") {
		return nil
	}
	return s.callsOf(stub)
}

func (s *Server) callsOf(stub *Stub) []Request {
	s.mu.Lock()
	var calls []Request
	for _, r := range last(s.requests, keepLog) {
		if r.stub == stub.id {
			calls = append(calls, r)
		}
	}
	s.mu.Unlock()
	for i := range calls {
		calls[i] = calls[i].clone()
	}
	return calls
}

func (s *Server) owns(stub *Stub, function string) bool {
	s.t.Helper()
	if stub != nil && stub.srv == s {
		return true
	}
	msg := fmt.Sprintf("mockserver: %s: the stub is nil; give it what On returned", function)
	switch {
	case stub == nil:
	case stub.srv == nil:
		msg = fmt.Sprintf("mockserver: %s: the stub is an empty Stub, which belongs to no server; give it what On returned", function)
	default:
		msg = fmt.Sprintf("mockserver: %s: the stub %s (%s) is another server's", function, stub.title(), stub.site)
	}
	s.safely(func() { s.t.Helper(); s.t.Errorf("%s", msg) })
	return false
}

// Wait waits until the stub has answered n requests, and returns those that it has answered until then, as Calls does. It
// does not poll, and returns at once when they are there already.
//
// When they are not there after timeout, or when the server is closed and no more can come, the test fails with the last
// requests that the server got. Where t has FailNow, Wait calls it then, so call Wait from the goroutine of the test; a t
// without it goes on with what came.
func (s *Server) Wait(stub *Stub, n int, timeout time.Duration) []Request {
	s.t.Helper()
	if !s.owns(stub, "Wait") {
		s.failNow()
		return nil
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for over := ""; ; {
		s.mu.Lock()
		came := stub.recorded
		if s.arrived == nil {
			s.arrived = make(chan struct{})
		}
		arrived := s.arrived
		s.mu.Unlock()
		if came >= n {
			return s.callsOf(stub)
		}
		if over != "" {
			msg := fmt.Sprintf("mockserver: Wait: the stub %s (%s) answered %s, not %d, %s%s",
				stub.title(), stub.site, count(came, "request"), n, over, s.lastRequests())
			// After Close too: it is the test that asks.
			s.safely(func() { s.t.Helper(); s.t.Errorf("%s", msg) })
			s.failNow()
			return s.callsOf(stub)
		}
		select {
		case <-arrived:
		case <-s.done:
			select {
			case <-s.ended: // the last requests are recorded
			case <-time.After(closeWait):
			case <-timer.C:
			}
			over = "before the server was closed"
		case <-timer.C:
			over = fmt.Sprintf("in %v", timeout)
		}
	}
}

func (s *Server) failNow() {
	if t, ok := s.t.(interface{ FailNow() }); ok {
		t.FailNow()
	}
}

// lastRequests lists what the server got last, for a message.
func (s *Server) lastRequests() string {
	const most = 10
	s.mu.Lock()
	total := len(s.requests)
	recent := append([]Request(nil), last(s.requests, most)...)
	s.mu.Unlock()
	if total == 0 {
		return "\n\tthe server got no request at all"
	}
	var b strings.Builder
	if total > most {
		fmt.Fprintf(&b, "\n\tthe last %d of %d requests that the server got:", most, total)
	} else {
		b.WriteString("\n\tthe requests that the server got:")
	}
	width := 0
	what := make([]string, len(recent))
	for i, r := range recent {
		switch {
		case r.Method == "":
			what[i] = "unreadable"
		default:
			what[i] = clip(r.Method+" "+r.Target, 2*cell)
		}
		width = max(width, utf8.RuneCountInString(what[i]))
	}
	for i, r := range recent {
		by := "no stub"
		if r.stub > 0 {
			st := s.stubByID(r.stub)
			by = fmt.Sprintf("%s (%s)", st.title(), st.site)
		}
		fmt.Fprintf(&b, "\n\t\t%-*s   %d   %s", width, what[i], r.Status, by)
	}
	return b.String()
}

func (s *Server) stubByID(id int) *Stub {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.everyStub[id-1]
}
