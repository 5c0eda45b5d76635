package mockserver

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/report"
	"github.com/leakgate/leakgate/leakcheck"
)

// Sweep runs a call of a client against every page that a proxy may send, and against every fault of the network, one
// subtest each, under leakcheck. It finds the test that nobody wrote: the scenario in which the client leaks.
//
//	func TestClient(t *testing.T) {
//		client := &http.Client{Timeout: 500 * time.Millisecond}
//		mockserver.Sweep(t, func(t *testing.T, baseURL string) {
//			_, _ = session.New(baseURL, client).IsActive(t.Context(), "abc") // errors are expected: most replies are errors
//		})
//	}
//
// Each subtest has a server of its own, at baseURL, that answers every request with the scenario's replies. The call must
// use baseURL, may send several requests, and should ignore the errors that it gets. It fails the subtest, whose name is
// that of the scenario (TestClient/alb-403-html), when
//
//	leak                something is held when it has returned and its t.Cleanup functions have run: see package leakcheck
//	hang                it has not returned after the Deadline, 2 s: the server is closed, and the sweep goes on, with or
//	                    without it, until 20 scenarios hang
//	panic               it panics: the sweep goes on
//	unbounded read      it reads more than BodyLimit, 16 MiB, of a body that never ends
//	retry storm         it sends more than RequestLimit, 50, requests
//	failed              it fails its t by itself; what it holds then is told, but is no finding
//	unexpected request  it sends a request that no stub matches, which is possible with Target alone
//	no request          it sends none, because it keeps state between calls, for example: the scenario proves nothing
//	not answered by the scenario
//	                    it sends requests, and other stubs than the scenario's answer all of them: see Setup and Target
//
// A timeout of the client frees a body that nobody closed, but not before the check has seen it when it is 100 ms or more.
//
// What is printed names the line of the client, and the stub that shows the same in a test of its own. A root cause (the
// same line, and the same outcome) is printed whole once, by the first scenario that has it; the other scenarios say which.
// The end of the test's log is a summary: the root causes, each with the simplest scenario that shows it, and a table of
// all scenarios.
//
// Scenarios run one after the other, in a fixed order, the simple ones first; Parallel runs several at once. Where a client
// has a timeout of 100 to 500 ms the whole sweep takes some seconds, most of them spent on waiting for that timeout. One
// scenario runs alone with go test -run 'TestClient/alb-403-html$'.
//
// Pages that have a Retry-After are sent with Retry-After: 0, so that a client which obeys does not wait. Other scenarios
// than pages have names that begin with ok, no-content-, not-modified-, early-hints-, framing-, body-, redirect-, seq- (a
// fault first and good replies then, or the other way round), fault-, stall- and trickle-.
//
// Some pages cannot show a leak, because net/http has the connection back before the client sees the response: they are run
// as well, and marked in the table. A client that never closes a body is found by all the others.
//
// The call must not call t.Parallel. It may end by t.FailNow and t.Skip, may call t.Run and t.Cleanup, and it may be run
// again in the same process. A sweep in which no request reaches the server fails: it would prove nothing.
func Sweep(t *testing.T, call func(t *testing.T, baseURL string), opts ...SweepOption) {
	t.Helper()
	if call == nil {
		t.Errorf("mockserver.Sweep: the call is nil; write mockserver.Sweep(t, func(t *testing.T, baseURL string) { client.New(baseURL).Get(t.Context()) })")
		return
	}
	s := newSweep(t, "Sweep", opts)
	if s == nil {
		return
	}
	s.begin = func(r *run) func(*testing.T) {
		r.serve()
		return func(t *testing.T) { call(t, r.srv.URL) }
	}
	s.runAll(sweepScenarios(&s.cfg))
}

// sweep is one call of Sweep.
type sweep struct {
	t     *testing.T
	name  string // of the exported function, for messages
	cfg   sweepConfig
	begin func(*run) func(*testing.T) // makes what the call talks to, and gives the call

	scenarios []*sweepScenario

	mu      sync.Mutex
	runs    []*run          // by scenario; nil when it was not run
	told    map[string]*run // who printed a root cause whole
	stopped string          // why the rest is not run
	hangs   int
	storms  int
	reached atomic.Int64 // requests that the servers received
	unknown []report.Leak
}

// maxHangs is how many scenarios may wait for their deadline in vain before the rest is not run: a call that always hangs
// would take minutes.
const maxHangs = 20

func newSweep(t *testing.T, name string, opts []SweepOption) *sweep {
	t.Helper()
	s := &sweep{t: t, name: name, cfg: defaultSweep(), told: make(map[string]*run)}
	for _, o := range opts {
		if o != nil {
			o(&s.cfg)
		}
	}
	for _, err := range s.cfg.errs {
		t.Errorf("mockserver.%s: %v", name, err)
	}
	if len(s.cfg.errs) > 0 {
		return nil
	}
	if bad := checkOptions(t, s.cfg.check); bad != "" {
		t.Errorf("mockserver.%s: an option given with Check is wrong: %s", name, bad)
		return nil
	}
	return s
}

// runAll runs the scenarios that were chosen and logs the summary.
func (s *sweep) runAll(all []*sweepScenario) {
	s.t.Helper()
	chosen, err := s.cfg.choose(all)
	if err != nil {
		s.t.Errorf("mockserver.%s: %v", s.name, err)
		return
	}
	s.scenarios = chosen
	s.runs = make([]*run, len(chosen))
	start := time.Now()
	if s.cfg.parallel > 1 {
		s.inParallel()
	} else {
		for i := range chosen {
			if !s.goesOn() {
				break
			}
			s.t.Run(chosen[i].name, func(t *testing.T) {
				t.Helper()
				s.one(t, i)
			})
			if r := s.runs[i]; r != nil && !r.over.Load() {
				r.paused.Store(true)
				s.t.Errorf("mockserver.%s: the call calls t.Parallel, so that it would run when the sweep is over; take that out, and write mockserver.Parallel(8) to run scenarios at once", s.name)
				break
			}
		}
	}
	s.judge(time.Since(start))
}

// inParallel runs several scenarios at once. Their t is not marked as parallel: testing runs such subtests only when the
// caller has returned, and no more of them at once than there are processors.
func (s *sweep) inParallel() {
	s.t.Helper()
	// It ends after all scenarios, and takes what no single one of them can be blamed for.
	whole := leakcheck.Verify(&sweepT{T: s.t, s: s, beside: true}, s.cfg.check...)
	defer whole()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(s.cfg.parallel, len(s.scenarios)) {
		wg.Go(func() {
			for s.goesOn() {
				i := int(next.Add(1)) - 1
				if i >= len(s.scenarios) {
					return
				}
				s.t.Run(s.scenarios[i].name, func(t *testing.T) { s.one(t, i) })
			}
		})
	}
	wg.Wait()
	for _, r := range s.runs {
		if r != nil && r.over.Load() { // until then others look at what is closing
			label.Unclaim(r.addr())
		}
	}
}

// hang counts a scenario that did not return.
func (s *sweep) hang() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hangs++
}

// goesOn says whether the next scenario is to be run.
func (s *sweep) goesOn() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped != "" {
		return false
	}
	if s.hangs >= maxHangs {
		s.stopped = fmt.Sprintf("%d scenarios did not return in time", s.hangs)
		return false
	}
	if end, ok := s.t.Deadline(); ok && time.Until(end) < 2*s.cfg.deadline+time.Second {
		s.stopped = "the test's own deadline is near (go test -timeout)"
		return false
	}
	return true
}

// one runs one scenario as the subtest t.
func (s *sweep) one(t *testing.T, i int) {
	t.Helper()
	r := newRun(s, t, s.scenarios[i])
	s.mu.Lock()
	s.runs[i] = r
	s.mu.Unlock()
	call := s.begin(r)
	st := &sweepT{T: t, s: s, r: r, addr: r.addr(), beside: s.cfg.parallel > 1}
	opts := slices.Clone(s.cfg.check)
	if r.answerer != nil {
		opts = append(opts, r.answerer.options()...)
	}
	check := leakcheck.Verify(st, opts...)
	t.Cleanup(func() { // before the call's own, so that it runs after them
		t.Helper()
		r.finish(st, check)
	})
	for range s.cfg.repeat * max(r.sc.calls, 1) {
		r.rewind()
		if !r.do(t, call) {
			break
		}
	}
	if !r.hung() {
		r.guardCleanups()
	}
}
