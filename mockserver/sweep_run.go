package mockserver

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/report"
)

// run is one scenario being run.
type run struct {
	s    *sweep
	sc   *sweepScenario
	name string // of the subtest
	st   serverT
	srv  *Server // nil for a responder
	stub *Stub   // the target's

	answerer *answerer // of a responder, nil for a server

	watch atomic.Uint64 // label.ID of the leak check, 0 when it cannot be known
	id    atomic.Uint64 // goroutine that runs the call
	hits  atomic.Int64  // requests for the target
	over  atomic.Bool   // the subtest has ended
	done  chan struct{} // closed when the call has returned, panicked or ended its goroutine; one for each repetition

	paused atomic.Bool   // the call has called t.Parallel
	frozen chan struct{} // closed when requests are answered no more
	free   chan struct{} // closed when those that wait for an answer are to end
	freed  sync.Once

	mu       sync.Mutex
	freezing bool
	freezeAt int // requests
	requests int
	before   int       // requests of the calls before this one
	dialled  int       // connections of these
	first    time.Time // when the first request of this call came
	last     time.Time
	seen     []seenRequest
	senders  []sender
	findings []finding
	notes    []report.Leak
	leaks    []report.Leak // what is held; no finding where the call failed by itself
	outcome  verdict
	late     bool        // the call did not return in time
	gone     bool        // the call was left behind
	cleanups *time.Timer // until the call's t.Cleanup functions have run
}

// seenRequest is what a stub must be made for.
type seenRequest struct{ method, path string }

// sender is who sent a request, as it was seen when the request came.
type sender struct {
	req   Request // zero when several were under way
	own   bool    // it is one of the call's own goroutines
	pair  string  // net/http's connection, as goroutine.PairKey names it; "" when not known
	site  callsite.Frame
	stack []callsite.Frame
}

const (
	maxSenders  = 32                     // requests whose sender is looked for
	freezeLate  = 20                     // times the limit of requests, when the server stops to answer,
	freezeSoon  = 2                      // and when scenarios before had too many as well,
	manyStorms  = 3                      // as many of them
	moreTime    = 5                      // times the deadline, for a call that moves
	movesLooks  = 3                      // how often it is looked whether it does,
	movesWithin = 30 * time.Millisecond  // with a pause of this
	lookAgain   = 100 * time.Millisecond // until it is looked once more whether it does,
	graceLong   = 250 * time.Millisecond // for a call to return when its server is closed,
	graceShort  = 50 * time.Millisecond  // and when its requests are not answered any more
)

func newRun(s *sweep, t *testing.T, sc *sweepScenario) *run {
	freezeAt := freezeLate * s.cfg.requestLimit
	s.mu.Lock()
	if s.storms >= manyStorms {
		freezeAt = freezeSoon * s.cfg.requestLimit
	}
	s.mu.Unlock()
	return &run{
		s: s, sc: sc, freezeAt: freezeAt, name: t.Name(), st: serverT{name: t.Name()},
		frozen: make(chan struct{}), free: make(chan struct{}),
	}
}

// serve starts the scenario's server. Its goroutines and its listener are there before the leak check begins.
func (r *run) serve() {
	opts := append(slices.Clone(r.s.cfg.serve), AllowUnused(), func(c *config) { c.onRequest, c.allowBad = r.arrived, true })
	var srv *Server
	label.Open(func() netip.AddrPort {
		srv = New(&r.st, opts...)
		return addrOf(srv)
	}, label.NewID())
	for _, setup := range r.s.cfg.setup {
		setup(srv)
	}
	method, path := "", "/{path...}"
	if r.s.cfg.target {
		method, path = r.s.cfg.method, r.s.cfg.path
	}
	stub := srv.On(method, path).Reply(r.sc.replies(r)...)
	stub.site = "the scenario's" // in messages, in place of a line of this file
	if r.s.cfg.target && method != "" && r.sc.changesMethod() {
		// The lowest priority: a stub of Setup that takes the request is meant to.
		again := srv.On("", path, Where("after the scenario's redirect", func(Request) bool { return stub.begun() })).Priority(math.MaxInt)
		again.as, again.site = stub, stub.site
	}
	r.mu.Lock() // for the server's goroutines
	defer r.mu.Unlock()
	r.srv, r.stub = srv, stub
}

// begun says whether the stub has sent a reply of this call.
func (st *Stub) begun() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.served > 0
}

// addr is the address of the server; not valid when there is none.
func (r *run) addr() netip.AddrPort {
	if r.srv == nil {
		return netip.AddrPort{}
	}
	return addrOf(r.srv)
}

func addrOf(srv *Server) netip.AddrPort {
	_, host, _ := strings.Cut(srv.URL, "://")
	addr, _ := netip.ParseAddrPort(host)
	return addr
}

// rewind makes the replies begin anew, and counts anew what a call sends.
func (r *run) rewind() {
	r.mu.Lock()
	r.before = r.requests
	if r.srv != nil {
		r.dialled = r.srv.dialled()
	}
	r.mu.Unlock()
	if r.answerer != nil {
		r.answerer.rewind()
	}
	if r.stub != nil {
		r.stub.mu.Lock()
		r.stub.served = 0
		r.stub.mu.Unlock()
	}
}

// arrived is called by the server for each request before it is answered.
func (r *run) arrived(req Request) {
	r.mu.Lock()
	srv, stub := r.srv, r.stub
	r.mu.Unlock()
	if req.stub == stub.id {
		r.hits.Add(1)
	}
	r.note(req)
	select {
	case <-r.frozen:
		select {
		case <-r.free:
		case <-srv.done:
		}
	default:
	}
}

// note counts a request, and finds who sends it.
func (r *run) note(req Request) {
	now := time.Now()
	r.mu.Lock()
	r.requests++
	if r.requests == r.before+1 {
		r.first = now
	}
	r.last = now
	if one := (seenRequest{req.Method, req.Path}); len(r.seen) < 100 && !slices.Contains(r.seen, one) {
		r.seen = append(r.seen, one)
	}
	look := r.requests <= maxSenders
	if !r.freezing && r.requests-r.before >= r.freezeAt {
		r.freezing = true
		close(r.frozen)
	}
	r.mu.Unlock()
	r.s.reached.Add(1)
	if !look {
		return
	}
	found := r.findSenders()
	if len(found) == 1 {
		found[0].req = req
	}
	for _, who := range found {
		if who.pair != "" && (who.own || len(found) == 1) {
			label.ClaimConn(who.pair, label.ID(r.watch.Load()))
		}
	}
	r.mu.Lock()
	r.senders = append(r.senders, found...)
	r.mu.Unlock()
}

// do makes the call once, in a goroutine of its own, and waits for it. It returns false when there is no use in another.
func (r *run) do(t *testing.T, call func(*testing.T)) bool {
	start := time.Now()
	r.done = make(chan struct{})
	var end ended
	r.watch.Store(uint64(label.Owner()))
	go r.call(t, call, &end)

	late := r.wait(start)
	if late {
		r.tooLate()
	}
	r.storm(late)
	select {
	case <-r.done:
		switch {
		case end.panicked:
			r.add(panicFinding(&end))
		case !end.returned && !t.Failed() && !t.Skipped():
			r.add(finding{
				outcome: outFailed, cause: "goexit", head: "the call ended its goroutine by runtime.Goexit, and neither failed nor skipped its test",
				what: "the call ended its goroutine by runtime.Goexit", fix: "return, or call t.FailNow or t.SkipNow",
			})
		}
		return !late && end.returned && !t.Failed() && !t.Skipped()
	default:
		return false
	}
}

// wait waits for the call, and says whether it takes too long. As long as something still moves when the deadline comes, it
// may take five times as long: a busy machine is no hang.
func (r *run) wait(start time.Time) (late bool) {
	d := r.s.cfg.deadline
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-r.done:
			return false
		case <-r.frozen:
			return true
		case <-timer.C:
		}
		switch {
		case r.isPaused(): // it calls t.Parallel, and goes on when the sweep is over
			<-r.done
			return false
		case time.Since(start) > moreTime*d:
			return !r.returned()
		case !r.moves():
			// Once more: a busy machine may have had no time for it.
			select {
			case <-r.done:
				return false
			case <-time.After(lookAgain):
			}
			if !r.moves() {
				return !r.returned()
			}
		}
		timer.Reset(d / 4)
	}
}

// returned says whether the call has ended.
func (r *run) returned() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// moves says whether the call computes, or something is sent or read for it.
func (r *run) moves() bool {
	for range movesLooks {
		before := r.progress()
		time.Sleep(movesWithin)
		if r.progress() != before || r.computes() {
			return true
		}
	}
	return false
}

// progress changes as long as requests come, and replies are read.
func (r *run) progress() int64 {
	r.mu.Lock()
	n := int64(r.requests)
	srv := r.srv
	r.mu.Unlock()
	if srv == nil {
		return n
	}
	srv.mu.Lock()
	conns := slices.Clone(srv.conns)
	srv.mu.Unlock()
	for _, c := range conns {
		info, _ := c.snapshot()
		n += info.Written
	}
	return n
}

// release lets requests that wait for an answer end without one.
func (r *run) release() {
	r.freed.Do(func() { close(r.free) })
	if r.answerer != nil {
		r.answerer.end()
	}
}

// ended says how a call ended. It is written before run.done is closed.
type ended struct {
	returned bool
	panicked bool
	value    any
	stack    []callsite.Frame
}

// call runs in a goroutine of its own, so that a call which never returns or ends its goroutine does not end the sweep.
func (r *run) call(t *testing.T, call func(*testing.T), e *ended) {
	var buf [64]byte
	r.id.Store(goroutine.CurrentID(buf[:]))
	defer close(r.done)
	defer func() {
		if e.returned {
			return
		}
		if v := recover(); v != nil {
			e.panicked, e.value, e.stack = true, v, panicStack()
		}
	}()
	call(t)
	e.returned = true
}

// isPaused says whether the call has called t.Parallel: testing lets t.Run return then.
func (r *run) isPaused() bool {
	if r.paused.Load() {
		return true
	}
	g, ok := r.caller(goroutinesNow())
	return ok && slices.ContainsFunc(g.Frames, func(f callsite.Frame) bool { return f.Func == "testing.(*T).Parallel" })
}

// tooLate reports where the call waits, and makes it return if that is possible.
func (r *run) tooLate() {
	r.mu.Lock()
	r.late = true
	r.mu.Unlock()
	storm := r.isFrozen()
	if !storm {
		r.add(r.hangFinding())
		r.s.hang()
		r.release()
		if r.srv != nil {
			r.srv.Close()
		}
	}
	// A storm is left without an answer: a server that is closed would make it worse.
	grace := graceLong
	if storm {
		grace = graceShort
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-r.done:
	case <-timer.C:
		r.mu.Lock()
		defer r.mu.Unlock()
		r.gone = true
		if storm {
			r.s.hang()
		}
		var b rows
		b.row("left", "it did not return when the server was closed either, and is left behind")
		for i := range r.findings {
			if f := &r.findings[i]; f.outcome == outHang {
				f.whole = strings.TrimRight(f.whole, "\n") + "\n" + b.String()
			}
		}
	}
}

// storm reports too many requests of one call, once for all calls of the scenario.
func (r *run) storm(late bool) {
	r.mu.Lock()
	n, what := r.requests-r.before, "requests"
	over := r.last.Sub(r.first)
	told := slices.ContainsFunc(r.findings, func(f finding) bool { return f.outcome == outStorm })
	if r.srv != nil {
		if conns := r.srv.dialled() - r.dialled; conns > n {
			n, what = conns, "connections"
		}
	}
	r.mu.Unlock()
	if n <= r.s.cfg.requestLimit || told {
		return
	}
	f := r.stormFinding(n, what, over, late)
	r.s.mu.Lock()
	r.s.storms++
	r.s.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	// It does not return because it tries again and again.
	r.findings = slices.DeleteFunc(r.findings, func(f finding) bool { return f.outcome == outHang })
	r.findings = append(r.findings, f)
}

// dialled is how many connections the server has accepted.
func (s *Server) dialled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastID
}

// guardCleanups closes the server when the call's t.Cleanup functions take too long: one may wait for a goroutine that
// waits for the server.
func (r *run) guardCleanups() {
	r.cleanups = time.AfterFunc(r.s.cfg.deadline, func() {
		r.add(r.cleanupFinding())
		r.release()
		if r.srv != nil {
			r.srv.Close()
		}
	})
}

// finish runs when the call's own cleanups have run. It looks what is left, and reports.
func (r *run) finish(st *sweepT, check func()) {
	t := st.T
	t.Helper()
	if r.cleanups != nil {
		r.cleanups.Stop()
	}
	st.failed = t.Failed()
	st.drop = r.hung() // what it holds is held because it hangs
	r.mu.Lock()
	gone := r.gone
	r.mu.Unlock()
	check()
	r.take(st)
	if gone && r.isFrozen() {
		// A call that tries again for ever is left waiting for an answer: without the server it would take the processor.
		r.close(t, st)
		r.over.Store(true)
		return
	}
	if r.srv != nil {
		r.srv.Close()
		if !st.beside {
			label.Unclaim(r.addr())
		}
	}
	r.release()
	r.close(t, st)
	r.over.Store(true)
}

// isFrozen says whether requests are not answered any more.
func (r *run) isFrozen() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.freezing
}

// hung says whether the call or its cleanups did not end in time, so that there is nothing to look for.
func (r *run) hung() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.findings, func(f finding) bool { return f.outcome == outHang || f.outcome == outStorm && r.gone })
}

func (r *run) add(f finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.findings = append(r.findings, f)
}

// serverT is the T of a scenario's server: what the server has against the requests or the stubs is a finding.
type serverT struct {
	name string
	mu   sync.Mutex
	errs []string
}

func (t *serverT) Helper()             {}
func (t *serverT) Name() string        { return t.name }
func (t *serverT) Failed() bool        { return false }
func (t *serverT) Logf(string, ...any) {}
func (t *serverT) Errorf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errs = append(t.errs, fmt.Sprintf(format, args...))
}

func (t *serverT) errors() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.errs)
}

// sweepT is the T that a scenario gives to leakcheck, which then hands over what it found.
type sweepT struct {
	*testing.T
	s      *sweep
	r      *run // nil for the sweep as a whole
	addr   netip.AddrPort
	beside bool
	failed bool // the call failed by itself
	drop   bool // the call hangs

	mu       sync.Mutex
	errs     []string
	findings report.Findings
}

func (t *sweepT) Failed() bool           { return false }
func (t *sweepT) Beside() bool           { return t.beside }
func (t *sweepT) Server() netip.AddrPort { return t.addr }

func (t *sweepT) Errorf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errs = append(t.errs, fmt.Sprintf(format, args...))
}

// Known looks at what other scenarios have told.
func (t *sweepT) Known(leaks []report.Leak) bool {
	if t.r == nil {
		return false
	}
	for _, l := range leaks {
		for _, one := range t.r.named(l) {
			if !t.s.knows(leakCause(one)) {
				return false
			}
		}
	}
	return true
}

func (t *sweepT) Found(f report.Findings) { t.findings = f }

func (t *sweepT) Unattributed(leaks []report.Leak, ledger report.Ledger) {
	leaks = ledger.Judge(leaks)
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.s.unknown = append(t.s.unknown, leaks...)
}
