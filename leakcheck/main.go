package leakcheck

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/baseline"
	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/report"
)

// Main runs the tests of a package and then looks at what is left of them, for use in TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(leakcheck.Main(m)) }
//
// It gives m.Run's exit code, or 1 when the tests passed and something is held that was not before. Each leak is printed
// with the test that made it where that is known, also for tests that do not call Verify; what a test's own Verify reported
// is not repeated. When tests failed, one line says what they left; where there is a report or a baseline, and tests failed for
// leaks alone, what they left is judged all the same, so that one run shows all. Ignores that matched nothing in a whole run are listed;
// go test shows that with -v, or when the package fails.
//
// Main's Ignore, Goleak and AllowRemotes options hold for every Verify of the package too; its other options are its own. Bodies that hold
// nothing today (LK002) are told by Verify alone.
//
// To know whose a leak is, it puts a label on each test's goroutine, for which it replaces the test functions in m by
// functions that call them: a panic's trace shows a frame of this package. With -test.list, and in the worker processes of
// -fuzz, it only runs m.
func Main(m interface{ Run() int }, opts ...Option) int {
	if isNil(m) {
		fmt.Fprintln(os.Stderr, "leakcheck.Main: m is nil: pass the *testing.M of TestMain, as in os.Exit(leakcheck.Main(m))")
		return 2
	}
	if !flag.Parsed() { // m.Run does the same
		flag.Parse()
	}
	if flagSet("test.list") || flagSet("test.fuzzworker") {
		return m.Run()
	}
	cfg := newConfig(opts)
	cfg.main = true
	joinAgent()
	labelsTests.Store(labelTests(m))
	recording().start()
	w := begin("", nil, cfg, false)
	w.isMain = true
	registry.mu.Lock()
	registry.main = w
	registry.mu.Unlock()
	claimsMain(w)

	tests := m.Run()
	if mainIsLeft() {
		registry.mu.Lock()
		registry.main = nil
		registry.mu.Unlock()
		w.end()
		return tests
	}
	code := w.judgeRun(tests)
	var unused []string
	// A test that failed by itself, or before others that -failfast left out, may not have made what is ignored.
	if wholeRun() && (tests == 0 || onlyLeaked() && !flagSet("test.failfast")) {
		unused = rules.unused()
	}
	recordEndElsewhere(tests == 0, code, unused)
	recording().stop(tests == 0, code, unused)
	if err := recording().problem(); err != nil {
		toStderr("%v", err)
		code = max(code, 1)
	}
	return code
}

// judgeRun looks at what is left when the tests have run, and gives the exit code.
func (w *watch) judgeRun(code int) int {
	cfg := w.cfg

	registry.mu.Lock()
	registry.main = nil
	refused := registry.refused
	registry.mu.Unlock()
	defer w.end()
	if err := cfg.err(); err != nil {
		toStderr("%v", err)
		refused++
	}
	if err := accepted().err; err != nil {
		toStderr("%v", err)
		refused++
	}
	if code != 0 && !onlyLeaked() {
		w.afterFailure()
		return code
	}
	sockets.forget()
	o := w.result()
	registry.forgetPending()
	o.leaks = report.Finish(slices.Concat(o.leaks, w.endRemotes(), w.takeLoose()))
	if flagSet("test.v") {
		tellShared(o.notes)
	}
	for _, err := range o.errs {
		toStderr("%v", err)
		code = 1
	}
	w.recordIgnored(o.ignored)
	if o.leaks = w.rule(o.leaks, o); len(o.leaks) > 0 {
		toStderr("%s", w.mainText(o))
		code = 1
	}
	if unused := rules.unused(); len(unused) > 0 && wholeRun() && !(code != 0 && flagSet("test.failfast")) {
		toStderr("leakcheck: ignores that matched nothing in this run, and can go:\n  %s", strings.Join(unused, "\n  "))
	}
	if refused > 0 {
		code = max(code, 1)
	}
	return code
}

// tellShared lists what was made once for the life of the process.
func tellShared(notes []report.Leak) {
	for _, l := range notes {
		if l.Test != label.Shared {
			continue
		}
		at := ""
		if l.Site.Func != "" {
			at = " at " + callsite.Short(l.Site.File) + ":" + strconv.Itoa(l.Site.Line)
		}
		how := "made once"
		if l.Why == heldByVariable {
			how = "held by a package-level variable, acquired"
		}
		toStderr("leakcheck: %s, which is no leak: %s%s: %s (×%d)", label.Shared, how, at, l.Summary, max(l.Count, 1))
	}
}

// VerifyTestMain is Main for those who know it from goleak: it exits with Main's code.
func VerifyTestMain(m interface{ Run() int }, opts ...Option) {
	os.Exit(Main(m, opts...))
}

func (w *watch) mainText(o outcome) string {
	return report.Text{
		Who: who, Leaks: o.leaks, Ignored: o.ignored, Waited: o.waited, Looks: o.looks, Ages: true, Accept: accept(),
		Nobody: "not known: neither a label nor its stack names one; with t.Cleanup(leakcheck.Verify(t)) in the tests the one that leaks fails",
	}.String()
}

// afterFailure says in one line what is held when tests have failed: a failed test often skips its clean-up.
func (w *watch) afterFailure() {
	defer w.releaseCollector()
	// What was dialled does not depend on how a test ended, as what is held does.
	for _, l := range report.Finish(append(w.endRemotes(), w.takeLoose()...)) {
		toStderr("leakcheck: beside the tests that failed: %s", l.Summary)
	}
	s := w.look()
	if len(s.leaks) == 0 {
		return
	}
	n := 0
	for _, l := range s.leaks {
		n += max(l.Count, 1)
		w.recordLeak(l, fragment.Excused, baseline.Answer{}, 0)
	}
	toStderr("leakcheck: tests failed, so what is still held is not judged: %d, the first of them: %s", n, s.leaks[0].Summary)
}

func flagSet(name string) bool {
	f := flag.Lookup(name)
	return f != nil && f.Value.String() != "" && f.Value.String() != "false"
}

// wholeRun says whether every test of the package ran: only then does an ignore that matched nothing prove anything.
func wholeRun() bool {
	for _, name := range []string{"test.run", "test.skip", "test.short", "test.fuzz"} {
		if flagSet(name) {
			return false
		}
	}
	return true
}
