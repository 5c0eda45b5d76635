package leakcheck

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/baseline"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/report"
)

// Verify takes note of what the process holds and returns the function that looks again and fails t if something was not
// given back. Make it the first line of a test, so that it looks last, after all other cleanups:
//
//	t.Cleanup(leakcheck.Verify(t))
//
// What counts as t's is in the package comment. A test that failed by itself, or panicked, gets one log line instead of a
// second error. The function may be called once; later calls do nothing. When it was not called and t has a Cleanup
// method, the check is made in t's cleanup. It never panics, and never waits longer than Wait says. Wrong options fail
// the test. Without a t there is nothing to fail: it is said on standard error, and fails the run where there is a Main.
//
// Verify must be called at the beginning. Called by defer, as in
//
//	defer leakcheck.Verify(t)()
//
// the check comes too early, before the test's cleanups and its parallel subtests; and defer leakcheck.Verify(t) without
// the second pair of parentheses begins when the test is over, and checks nothing.
func Verify(t TB, opts ...Option) func() {
	if isNil(t) {
		refuse("leakcheck.Verify: t is nil: pass the *testing.T of the test that is to be checked, as in t.Cleanup(leakcheck.Verify(t))")
		return func() {}
	}
	t.Helper()
	if withinLeft(t) {
		return func() {}
	}
	if s, ok := t.(subtest); ok {
		registry.startsHere()
		if s.JudgedOutside() {
			followSubtest(s)
			return func() {}
		}
	}
	_, check := verifying(t, newConfig(opts))
	return check
}

// verifying begins the check of a test.
func verifying(t TB, cfg *config) (w *watch, check func()) {
	t.Helper()
	registry.addSuite(cfg)
	noteInputs()
	w = begin(t.Name(), t, cfg, true)
	w.join()
	for _, err := range []error{cfg.err(), accepted().err, recording().problem()} {
		if err != nil {
			w.erred = w.erred || !t.Failed()
			w.failsByItself()
			w.errorf("%v", err)
		}
	}
	var done atomic.Bool // not a sync.Once, whose frames would hide the user's line
	check = func() {
		t.Helper()
		if !done.Swap(true) {
			w.verify()
		}
	}
	if c, ok := t.(interface{ Cleanup(func()) }); ok {
		// It runs after the caller's own t.Cleanup, and does nothing then. It is there for those who forgot theirs: a check
		// that never ends would also keep the others from knowing that they were the last.
		if w.owns() {
			c.Cleanup(w.endRun)
		}
		c.Cleanup(check)
	}
	return w, check
}

// verify ends the watch and reports.
func (w *watch) verify() {
	t := w.t
	t.Helper()
	defer w.end()
	if w.isLeft() {
		return
	}
	defer w.releaseCollector()
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if w.reporting {
			panic(p) // it is t's own way to end a test
		}
		t.Helper()
		w.errorf("leakcheck: the check itself failed, please report it: %v\n%s", p, debug.Stack())
	}()

	s := w.lookSure()
	switch {
	case s.clean() && len(w.meters) == 0 && len(w.ends) == 0:
	case t.Failed() && !w.erred && !registry.isJudgedAnyway(w) && !w.failedElsewhere() || panicking():
		w.excuse(s)
	default:
		w.judgeAndReport(s)
	}
	w.flushPending()
	w.annotate()
}

// judgeAndReport waits for what is winding down, and fails the test for what is left.
func (w *watch) judgeAndReport(s sight) {
	t := w.t
	t.Helper()
	o := w.settle(s, w.lookSure)
	if len(o.leaks) > 0 {
		w.prove(&o)
		w.setApart(&o)
	} else {
		o.waited, o.looks = 0, 0 // what it was waited for has ended; what follows is no matter of waiting
	}
	all := slices.Concat(o.leaks, w.judge(), w.endFollowers())
	if w.amend != nil {
		all = w.amend(all)
	}
	o.leaks = report.Finish(all)
	w.postpone(o.unknown)
	registry.claim(o.excused) // what is ignored here is not for Main or the test around this one to report
	for _, l := range o.leaks {
		registry.claim(l.Keys)
	}
	if w.scenario == nil {
		w.logNotes(o)
	}
	for _, err := range o.errs {
		w.failsByItself()
		w.errorf("%v", err)
	}
	w.recordIgnored(o.ignored)
	if w.scenario != nil {
		w.scenario.Found(report.Findings{
			Leaks: o.leaks, Notes: o.notes, Ended: o.ended, Waited: o.waited, Looks: o.looks, Ledger: &scenarioLedger{w, o},
		})
		return
	}
	if fail := w.rule(o.leaks, o); len(fail) > 0 {
		w.failsByLeaks()
		w.errorf("%s", report.Text{
			Who: who, Scope: w.name, Leaks: fail, Ignored: o.ignored, Waited: o.waited, Looks: o.looks, Ages: true, Accept: accept(),
		})
		return
	}
	for _, ig := range o.ignored {
		t.Logf("leakcheck: ignored %d: %s", ig.Count, ig.Reason)
	}
}

// errorf fails the test. When the test is over already, which the testing package answers with a panic, the text goes to
// standard error, and Main fails the run.
func (w *watch) errorf(format string, args ...any) {
	w.t.Helper()
	w.reporting = true
	failWith(w.t, format, args...)
	w.reporting = false
}

// failWith fails a test as errorf does.
func failWith(t TB, format string, args ...any) {
	t.Helper()
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if text, ok := p.(string); ok && strings.Contains(text, "has completed") {
			refuse(fmt.Sprintf(format, args...))
			return
		}
		panic(p)
	}()
	t.Errorf(format, args...)
}

// panicking says whether the cleanup that it is called from runs because the test panicked: the testing package marks
// such a test as failed only later.
func panicking() bool { return endedBy("runtime.gopanic") }

// exiting says whether it runs because the test's function did not return: it panicked, or called runtime.Goexit, as FailNow
// and SkipNow do.
func exiting() bool { return endedBy("runtime.gopanic", "runtime.Goexit") }

// endedBy looks for one of the functions in what the test's goroutine runs.
func endedBy(functions ...string) bool {
	var pcs [64]uintptr
	it := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	for {
		f, more := it.Next()
		switch {
		case slices.Contains(functions, f.Function):
			return true
		case f.Function == "testing.tRunner" || !more:
			return false
		}
	}
}

// excuse: the test failed by itself, so that an early return is the likely reason for what is held. What is only winding down is
// not told.
func (w *watch) excuse(s sight) {
	w.t.Helper()
	w.excuseRemotes()
	if !panicking() {
		s = w.settle(s, w.lookSure).sight
	}
	w.postpone(s.unknown) // which may be another test's
	if len(s.leaks) == 0 {
		return
	}
	var names []string
	for _, l := range s.leaks {
		registry.claim(l.Keys)
		names = append(names, l.Summary)
		w.recordLeak(l, fragment.Excused, baseline.Answer{}, 0)
	}
	more := ""
	if len(names) > 3 {
		more = fmt.Sprintf("; and %d more", len(names)-3)
		names = names[:3]
	}
	w.t.Logf("leakcheck: not checked, because the test failed or panicked by itself; it still holds: %s%s", strings.Join(names, "; "), more)
}

// logNotes tells what is no leak today. What is process-wide is only written down: it is no matter of the test that happened to
// come first, and is listed when all have run.
func (w *watch) logNotes(o outcome) {
	w.t.Helper()
	for _, l := range o.notes {
		if registry.claim(told(l.Keys)) {
			if l.Test == label.Shared {
				w.recordLeak(l, fragment.Noted, baseline.Answer{}, 0)
				continue
			}
			w.t.Logf("%s", report.Text{Who: who, Scope: w.name, Leaks: []report.Leak{l}})
			w.recordLeak(l, fragment.Noted, baseline.Answer{}, 0)
		}
	}
	if len(o.gone) > 0 {
		w.t.Logf("leakcheck: %d of the sockets that were open when the test ended may have been closed by the garbage collector: a collection ran, and they are gone; nothing proves who closed them", len(o.gone))
	}
}

// told gives the keys under which a note is remembered. They are not the resources' own: what was only told must still fail
// the check that was asked to (httpcheck.Verify).
func told(keys []report.Key) []report.Key {
	out := slices.Clone(keys)
	for i := range out {
		out[i].List = "told " + out[i].List
	}
	return out
}

// flushPending reports what no test could be blamed for, when the last of those that ran together ends. Where there is a
// Main, it does so at the end of the run.
func (w *watch) flushPending() {
	t := w.t
	t.Helper()
	if last := registry.leave(w); !last || !registry.hasPending() && !policies.hasLoose() {
		return
	}
	look := func() sight { return w.sure(w.lookPending) }
	o := w.settle(look(), look)
	registry.forgetPending()
	o.leaks = report.Finish(append(o.leaks, w.takeLoose()...))
	for _, l := range o.leaks {
		registry.claim(l.Keys)
	}
	for _, err := range o.errs {
		w.failsByItself()
		w.errorf("%v", err)
	}
	if len(o.leaks) == 0 {
		return
	}
	if w.scenario != nil {
		w.scenario.Unattributed(o.leaks, &scenarioLedger{w, o})
		return
	}
	fail := w.rule(o.leaks, o)
	if len(fail) == 0 {
		return
	}
	w.failsByLeaks()
	w.errorf("%s", report.Text{
		Who: who, Leaks: fail,
		Preface: "not attributed to one test, reported by the last that ran: " + w.name,
		Waited:  o.waited, Looks: o.looks, Ages: true, Accept: accept(),
	})
}

// refuse reports what cannot be reported through a test: to standard error, and by Main's exit code.
func refuse(text string) {
	toStderr("%s", text)
	registry.mu.Lock()
	registry.refused++
	registry.mu.Unlock()
}

// toStderr prints what is told of no test.
func toStderr(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if who != "leakcheck" {
		text = strings.ReplaceAll("\n"+text, "\nleakcheck: ", "\n"+who+": ")[1:]
	}
	fmt.Fprintln(os.Stderr, text)
}
