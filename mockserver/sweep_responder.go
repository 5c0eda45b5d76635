package mockserver

import (
	"context"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/roundtrip"
	"github.com/leakgate/leakgate/leakcheck"
)

// SweepResponder is Sweep for clients that are tested without a socket. The call gets a function that answers, for
// httpmock and anything else that takes such a function:
//
//	mockserver.SweepResponder(t, func(t *testing.T, respond func(*http.Request) (*http.Response, error)) {
//		mock := httpmock.NewMockTransport()
//		mock.RegisterNoResponder(respond)
//		client := &http.Client{Transport: mock, Timeout: time.Second}
//		_, _ = session.New("http://session.test", client).IsActive(t.Context(), "abc")
//	})
//
// A mock has no connection that an unclosed body holds, so the sweep tracks the bodies by itself: one that was not closed
// is reported with the line that asked for it, also when it was read to its end. Pages that hide a leak over a socket hide
// it here too, because their body is http.NoBody.
//
// Faults are what net/http's client makes of them: an error in place of a response, or from a read of the body. Those that
// exist only on a wire are left out. Setup and Serve have no meaning here and are an error. With Target, requests for
// anything else get the Success reply.
func SweepResponder(t *testing.T, call func(t *testing.T, respond func(*http.Request) (*http.Response, error)), opts ...SweepOption) {
	t.Helper()
	if call == nil {
		t.Errorf("mockserver.SweepResponder: the call is nil; write mockserver.SweepResponder(t, func(t *testing.T, respond func(*http.Request) (*http.Response, error)) { ... })")
		return
	}
	s := newSweep(t, "SweepResponder", opts)
	if s == nil {
		return
	}
	if len(s.cfg.setup)+len(s.cfg.serve) > 0 {
		t.Errorf("mockserver.SweepResponder: Setup and Serve are about a server, and there is none; answer other requests in the call, before it calls respond")
		return
	}
	s.begin = func(r *run) func(*testing.T) {
		a := newAnswerer(r)
		r.answerer = a
		return func(t *testing.T) { call(t, a.respond) }
	}
	var all []*sweepScenario
	for _, sc := range sweepScenarios(&s.cfg) {
		if sc.mocked() {
			all = append(all, sc)
		}
	}
	s.runAll(all)
}

// answerer answers the requests of one scenario without a socket.
type answerer struct {
	r       *run
	tracker *roundtrip.Tracker
	replies []Reply

	mu      sync.Mutex
	served  int
	cancels []context.CancelFunc // end what waits when the scenario is over
}

func newAnswerer(r *run) *answerer {
	return &answerer{r: r, tracker: roundtrip.New("the sweep's responder", nil), replies: flatten(r.sc.replies(r))}
}

// options make leakcheck fail for every body that was not closed.
func (a *answerer) options() []leakcheck.Option {
	return []leakcheck.Option{leakcheck.With(bodies{a.tracker.Pool()})}
}

func (a *answerer) respond(req *http.Request) (*http.Response, error) {
	resp, err := a.tracker.Do(req, answer(a.answer), 1)
	if ended := req.Context().Err(); ended != nil && resp != nil {
		// httpmock drops a response that comes when the context has ended: nobody could close it.
		resp.Body.Close()
		return nil, ended
	}
	return resp, err
}

// answer is a RoundTripper.
type answer func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f answer) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func (a *answerer) answer(req *http.Request) (*http.Response, error) {
	r := a.r
	hit := a.hits(req)
	if hit {
		r.hits.Add(1)
	}
	r.note(newRequest(req, 0))

	ctx, cancel := context.WithCancel(req.Context())
	a.mu.Lock()
	a.cancels = append(a.cancels, cancel)
	reply := r.s.cfg.success
	if hit {
		var more bool
		if reply, more = nth(a.replies, a.served); !more {
			reply = a.replies[len(a.replies)-1]
		}
		a.served++
	}
	a.mu.Unlock()
	select {
	case <-r.frozen:
		if req.Body != nil {
			req.Body.Close() // as each RoundTripper has to
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-r.free:
			return nil, io.ErrUnexpectedEOF
		}
	default:
	}
	resp, err := reply.Responder()(req.WithContext(ctx))
	if resp != nil {
		resp.Request = req
	}
	return resp, err
}

// hits says whether the request is for the target.
func (a *answerer) hits(req *http.Request) bool {
	cfg := &a.r.s.cfg
	if !cfg.target {
		return true
	}
	p, err := parsePattern(cfg.method, cfg.path)
	path := req.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	if err != nil || !p.matchesPath(splitPath(path)) {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return p.matchesMethod(req.Method) || a.served > 0 && a.r.sc.changesMethod()
}

// rewind makes the replies begin anew.
func (a *answerer) rewind() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.served = 0
}

// end lets everything that waits go on.
func (a *answerer) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, cancel := range a.cancels {
		cancel()
	}
	a.cancels = nil
}

// bodies is the probe of a scenario's own bodies.
type bodies struct{ pool *lease.Pool }

// Kind is leakcheck.HTTPResponse.
func (b bodies) Kind() leakcheck.Kind { return leakcheck.HTTPResponse }

// Held lists the responses that were not closed.
func (b bodies) Held(ids []uint64) ([]uint64, error) {
	for _, l := range lease.Live.All(func(l *lease.Lease) bool { return l.Pool() == b.pool }) {
		ids = append(ids, l.ID())
	}
	return ids, nil
}

// Describe is not asked for: leakcheck explains leases by itself.
func (b bodies) Describe(uint64) (leakcheck.Leak, bool) { return leakcheck.Leak{}, false }

// LeasePool lets leakcheck explain the responses.
func (b bodies) LeasePool() *lease.Pool { return b.pool }

// FailUnclosed makes a body that was read to its end and never closed fail the scenario.
func (b bodies) FailUnclosed() bool { return true }
