package dbcheck

import (
	"database/sql"
	"fmt"
	"net/netip"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/report"
)

const (
	moreTime  = 5                      // times the deadline, for a run that moves
	moveLooks = 3                      // how often it is looked whether it does,
	movePause = 30 * time.Millisecond  // with a pause of this
	grace     = 250 * time.Millisecond // for a run to return when its pool is closed
	moreCalls = 1000                   // than without a failure, and the run is ended
)

// sweepRun is one run of a sweep.
type sweepRun struct {
	ended []string // what only the end of t.Context() gave back

	s      *sweeper
	sc     *sweepScenario
	t      *testing.T
	tell   teller
	faults *faults
	db     *sql.DB
	done   chan struct{} // closed when run has returned, panicked or ended its goroutine
	end    ended
	id     atomic.Uint64 // goroutine that runs it
	over   atomic.Bool   // the subtest has ended

	findings []sweepFinding
	old      int // leaks that are there without a failure too
	notes    []report.Leak
	leaks    []report.Leak
	outcome  outcome
	left     bool // it did not return, and was left behind
	failed   bool // it failed by itself
}

// ended says how a run ended. It is written before sweepRun.done is closed.
type ended struct {
	returned bool
	panicked bool
	value    any
	stack    []callsite.Frame
}

func (s *sweeper) newRun(t *testing.T, sc *sweepScenario) *sweepRun {
	f := newFaults(t.Context())
	f.at, f.like, f.nth, f.way = sc.n, sc.call, sc.nth, sc.way
	if sc.n > 0 {
		f.limit = len(s.calls) + moreCalls
	}
	r := &sweepRun{s: s, sc: sc, t: t, tell: s.teller(t), faults: f, done: make(chan struct{})}
	c := s.connector(f)
	r.db = sql.OpenDB(c)
	poolOf(c).setDB(r.db)
	return r
}

// one makes the run under Verify.
func (r *sweepRun) one() {
	r.t.Helper()
	forget := remember(r.t.Name(), r.faults)
	st := &sweepT{T: r.t, run: r}
	check := Verify(st, r.db, r.s.cfg.check...)
	r.t.Cleanup(func() { // before the run's own, so that it runs after them
		r.t.Helper()
		defer forget()
		r.finish(st, check)
	})
	r.do()
}

// learn makes the run for the sake of its calls alone, where go test -run names a scenario.
func (r *sweepRun) learn() {
	r.t.Helper()
	forget := remember(r.t.Name(), r.faults)
	defer forget()
	before := r.t.Failed()
	r.do()
	r.failed = r.t.Failed() && !before
	r.close()
	r.verdict()
	r.over.Store(true)
}

// do runs the function in a goroutine of its own, and waits for it.
func (r *sweepRun) do() {
	go r.call()
	if r.wait() {
		r.tooLate()
	}
	select {
	case <-r.done:
	default:
		return
	}
	f := r.faults
	f.mu.Lock()
	storm := f.storm
	f.runs = 0
	f.mu.Unlock()
	switch {
	case storm:
		r.findings = slices.DeleteFunc(r.findings, func(f sweepFinding) bool { return f.outcome == outHang })
		r.add(r.stormFinding())
	case r.end.panicked && !isInjected(r.end.value, r.sc.way):
		r.add(r.panicFinding())
	case !r.end.returned && !r.end.panicked && !r.t.Failed() && !r.t.Skipped() && !r.hung():
		r.add(sweepFinding{
			outcome: outFailed, cause: "goexit", head: "the run ended its goroutine by runtime.Goexit, and neither failed nor skipped its test",
			what: "the run ended its goroutine by runtime.Goexit", fix: "return, or call t.FailNow or t.SkipNow",
		})
	}
}

func isInjected(v any, w way) bool {
	err, ok := v.(error)
	return ok && w == wayPanic && err == errInjected
}

// call runs the function, in a goroutine of its own, so that one which never returns or ends its goroutine does not end the sweep.
func (r *sweepRun) call() {
	id := goroutine.CurrentID(nil)
	r.id.Store(id)
	r.faults.mu.Lock()
	r.faults.runs = id
	r.faults.mu.Unlock()
	defer close(r.done)
	defer func() {
		if r.end.returned {
			return
		}
		if v := recover(); v != nil {
			r.end.panicked, r.end.value, r.end.stack = true, v, panicStack()
		}
	}()
	r.s.run(r.t, r.db)
	r.end.returned = true
}

// panicStack gives the user's frames of the panic that is being recovered, innermost first.
func panicStack() []callsite.Frame {
	var pcs [64]uintptr
	stack := callsite.Expand(pcs[:runtime.Callers(1, pcs[:])])
	if i := slices.IndexFunc(stack, func(f callsite.Frame) bool { return f.Func == "runtime.gopanic" }); i >= 0 {
		stack = stack[i+1:]
	}
	return callsite.User(stack)
}

// wait waits for the run, and says whether it takes too long.
func (r *sweepRun) wait() (late bool) {
	start := time.Now()
	d := r.s.cfg.deadline
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-r.done:
			return false
		case <-timer.C:
		}
		switch {
		case r.isPaused(): // it calls t.Parallel, and goes on when the sweep is over
			<-r.done
			return false
		case time.Since(start) > moreTime*d, !r.moves():
			select {
			case <-r.done:
				return false
			default:
				return true
			}
		}
		timer.Reset(d / 4)
	}
}

// moves says whether the run computes, or calls the driver.
func (r *sweepRun) moves() bool {
	for range moveLooks {
		before := r.faults.progress()
		time.Sleep(movePause)
		if r.faults.progress() != before {
			return true
		}
		if g, ok := r.goroutine(); !ok || g.State == "running" || g.State == "runnable" {
			return true
		}
	}
	return false
}

// goroutine finds the one that runs the function; ok is false when it has ended.
func (r *sweepRun) goroutine() (found goroutine.Goroutine, ok bool) {
	var d goroutine.Dumper
	goroutine.Scan(d.Dump(), func(h goroutine.Head) bool {
		if h.ID != r.id.Load() {
			return true
		}
		found, _ = goroutine.Parse(h.Block)
		ok = true
		return false
	})
	return found, ok
}

// isPaused says whether the function has called t.Parallel: testing lets t.Run return then.
func (r *sweepRun) isPaused() bool {
	g, _ := r.goroutine()
	return slices.ContainsFunc(g.Frames, func(f callsite.Frame) bool { return f.Func == "testing.(*T).Parallel" })
}

// tooLate reports where the run waits, and makes it return if that is possible: its context ends, its pool is closed, and its
// calls of the driver do not come back.
func (r *sweepRun) tooLate() {
	r.add(r.hangFinding())
	r.s.hangs++
	r.faults.cancel()
	r.faults.stop()
	go r.db.Close() // what waits for a connection returns then
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-r.done:
	case <-timer.C:
		r.left = true
		for i := range r.findings {
			if r.findings[i].outcome == outHang {
				r.findings[i].rows = append(r.findings[i].rows, row{"left", "it did not return when its context was cancelled and its pool closed, and is left behind"})
			}
		}
	}
}

// hung says whether the run did not end in time, so that there is nothing to look for.
func (r *sweepRun) hung() bool {
	return slices.ContainsFunc(r.findings, func(f sweepFinding) bool { return f.outcome == outHang || f.outcome == outStorm })
}

func (r *sweepRun) add(f sweepFinding) { r.findings = append(r.findings, f) }

// finish runs when the function's own cleanups have run. It looks what is left, and reports.
func (r *sweepRun) finish(st *sweepT, check func()) {
	r.t.Helper()
	r.failed = r.t.Failed()
	st.drop = r.hung() // what it holds is held because it hangs
	check()
	if r.sc.way != wayCancel { // there the sweep itself ended the context, perhaps just before the test's
		r.ended = st.ended
	}
	if !st.drop {
		r.notes, r.leaks = st.found.Notes, st.found.Leaks
	}
	for _, err := range st.errors() {
		if i := slices.IndexFunc(r.findings, func(f sweepFinding) bool { return f.outcome == outHang }); i >= 0 && strings.HasPrefix(err, waitsText) {
			r.findings[i].explain(strings.TrimPrefix(err, waitsText))
			continue
		}
		r.add(sweepFinding{outcome: outFailed, cause: "failed " + firstLine(err), head: firstLine(err), what: firstLine(err), text: restOf(err)})
	}
	r.close()
	fresh := r.fresh()
	if ledger := st.found.Ledger; ledger != nil { // nil when nothing was found
		ledger.Note(r.notes)
		if r.failed {
			ledger.Excuse(fresh)
		} else {
			fresh = ledger.Judge(fresh)
		}
		if len(r.findings) > 0 {
			ledger.Fail()
		}
	}
	if !r.failed {
		for _, l := range fresh {
			r.add(r.leakFinding(l, st.found))
		}
		if !r.t.Skipped() && len(r.findings) == 0 && r.faults.swallowed() {
			r.add(r.swallowFinding())
		}
	}
	r.verdict()
	r.report()
	r.over.Store(true)
}

// fresh gives what the run holds that the one without a failure does not.
func (r *sweepRun) fresh() (out []report.Leak) {
	for _, l := range r.leaks {
		if r.sc.n > 0 && r.s.clean != nil && slices.ContainsFunc(r.s.clean.leaks, func(c report.Leak) bool { return leakCause(c) == leakCause(l) }) {
			if !r.failed {
				r.old++
			}
			continue
		}
		out = append(out, l)
	}
	return out
}

// close ends what the run used: what it has leaked must not stand in the way of the next one.
func (r *sweepRun) close() {
	r.faults.cancel()
	if r.left {
		return // the function may still use it
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = r.db.Close()
	}()
	select {
	case <-done:
	case <-time.After(r.s.cfg.deadline): // the driver's Close does not return
	}
	r.faults.stop()
	for _, c := range r.faults.open() {
		c.lose()
	}
}

// verdict says how the run ended.
func (r *sweepRun) verdict() {
	switch {
	case r.failed:
		r.outcome = outFailed
	case len(r.findings) > 0:
		r.outcome = r.findings[0].outcome
	case r.t.Skipped():
		r.outcome = outSkipped
	default:
		r.outcome = outPassed
	}
}

// sweepT is the T that a run gives to the check, which then hands over what it found.
type sweepT struct {
	*testing.T
	run   *sweepRun
	drop  bool
	ended []string // what only the end of the test's context gave back

	mu    sync.Mutex
	errs  []string
	found report.Findings
}

// Failed says that it did not fail: what a run holds that failed by itself is told as well.
func (t *sweepT) Failed() bool           { return false }
func (t *sweepT) Beside() bool           { return false }
func (t *sweepT) Server() netip.AddrPort { return netip.AddrPort{} }

func (t *sweepT) Errorf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errs = append(t.errs, fmt.Sprintf(format, args...))
}

func (t *sweepT) errors() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.errs)
}

// Known looks at what other runs have told.
func (t *sweepT) Known(leaks []report.Leak) bool {
	return !slices.ContainsFunc(leaks, func(l report.Leak) bool { return t.run.s.told[leakCause(l)] == nil })
}

func (t *sweepT) Found(f report.Findings) { t.found = f }

// Unattributed has nothing to tell: a pool is one run's own.
func (t *sweepT) Unattributed([]report.Leak, report.Ledger) {}

func funcPC(f any) uintptr { return reflect.ValueOf(f).Pointer() }

// runsByName knows the faults of each test that has some, by its name.
var runsByName sync.Map

func remember(name string, f *faults) (forget func()) {
	runsByName.Store(name, f)
	return func() { runsByName.CompareAndDelete(name, f) }
}

// faultsOf finds the faults of a test, or of one that it is a part of; nil when there are none.
func faultsOf(name string) *faults {
	for name != "" {
		if f, ok := runsByName.Load(name); ok {
			return f.(*faults)
		}
		i := len(name) - 1
		for i >= 0 && name[i] != '/' {
			i--
		}
		name = name[:max(i, 0)]
	}
	return nil
}
