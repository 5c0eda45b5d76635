package leakcheck

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/baseline"
	"github.com/leakgate/leakgate/internal/report"
)

// baselineEnv names another file than the leakgate.baseline beside go.mod; "off" is for none.
const baselineEnv = "LEAKGATE_BASELINE"

// acceptance is what the baseline allows the tests of this process.
type acceptance struct {
	path   string           // of the file that is read, or would be if it were there; "" for none
	name   string           // see fragment.Header
	ledger *baseline.Ledger // nil when nothing is allowed
	err    error            // why the baseline cannot be used

	mu      sync.Mutex
	nobody  *baseline.Ledger // for what no test is known for, of the run of the package that nobodys says
	nobodys int
	file    *baseline.File
}

// accepted reads the baseline, at its first call.
var accepted = sync.OnceValue(func() *acceptance {
	a := &acceptance{}
	if !testing.Testing() {
		return a
	}
	b, named := binary(), os.Getenv(baselineEnv)
	switch {
	case named == "off":
		a.name = named
		return a
	case named != "":
		a.path = fromRoot(named)
	case b.root == "":
		return a
	default:
		a.path = filepath.Join(b.root, baseline.Name)
	}
	file, err := baseline.Load(a.path)
	if errors.Is(err, os.ErrNotExist) && named == "" {
		return a
	}
	a.name = filepath.ToSlash(a.path)
	if rel, ok := below(b.root, a.path); ok {
		a.name = rel
	}
	if err != nil {
		by := ""
		if named != "" {
			by = " that " + baselineEnv + " names"
			if errors.Is(err, os.ErrNotExist) {
				err = fmt.Errorf("%w: correct the path, which is from the module's root where it is relative, or set %s=off to judge without a baseline", err, baselineEnv)
			}
		}
		a.err = fmt.Errorf("leakcheck: the baseline%s cannot be used, so that no leak is known from it: %w", by, err)
		return a
	}
	a.file, a.ledger = file, baseline.NewLedger(file, b.pkg, loaded)
	return a
})

// ask counts leaks of a test, and says what the baseline makes of them.
func (a *acceptance) ask(test, fingerprint string, count int) baseline.Answer {
	if test != "" {
		return a.ledger.Add(test, fingerprint, count)
	}
	// No test begins anew with what has none: the package does.
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := timesRun(""); a.nobody == nil || a.nobodys != n {
		a.nobody, a.nobodys = baseline.NewLedger(a.file, binary().pkg, loaded), n
	}
	return a.nobody.Add("", fingerprint, count)
}

// ruled is what became of what a watch found, until annotate has told it.
type ruled struct {
	failing []report.Leak
	allowed []report.Leak // by the baseline
}

// rule writes leaks down, sets aside those that the baseline knows, with a line in the log for each, and gives those that
// fail.
func (w *watch) rule(leaks []report.Leak, o outcome) (fail []report.Leak) {
	if w.t != nil {
		w.t.Helper()
	}
	if len(leaks) == 0 {
		return nil
	}
	if w.ruled == nil {
		w.ruled = &ruled{}
	}
	answers := w.ask(leaks)
	told := make(map[string]bool)
	for _, l := range leaks {
		a := answers[l.Fingerprint]
		switch a.Ruling {
		case baseline.Allowed:
			w.ruled.allowed = append(w.ruled.allowed, l)
			if !told[l.Fingerprint] {
				told[l.Fingerprint] = true
				w.logKnown(leaks, l, a.Entry)
			}
			w.recordLeak(l, fragment.Known, a, o.waited)
			continue
		case baseline.Over, baseline.Lapsed:
			l.Baseline = a.Why
		}
		w.recordLeak(l, fragment.Fatal, a, o.waited)
		fail = append(fail, l)
	}
	w.ruled.failing = append(w.ruled.failing, fail...)
	return fail
}

// accept is the command that lets the baseline know what a package leaks now; "" where there is no baseline.
func accept() string {
	if accepted().ledger == nil {
		return ""
	}
	return "leakgate baseline accept " + deepFlag() + `-reason "why it stays" ` + binary().pkg // there are entries: who adds to them says why
}

// ask asks the baseline once for each fingerprint: nil when there is none.
func (w *watch) ask(leaks []report.Leak) map[string]baseline.Answer {
	a := accepted()
	if a.ledger == nil {
		return nil
	}
	type of struct {
		test  string
		count int
	}
	found := make(map[string]of)
	var order []string
	for _, l := range leaks {
		f, ok := found[l.Fingerprint]
		if !ok {
			order = append(order, l.Fingerprint)
			f.test = l.Test
		}
		f.count += max(l.Count, 1)
		found[l.Fingerprint] = f
	}
	answers := make(map[string]baseline.Answer)
	for _, print := range order {
		f := found[print]
		if w.isMain { // it has found what all runs of the test have left
			top, _, _ := strings.Cut(f.test, "/")
			n := timesRun(top)
			f.count = (f.count + n - 1) / n
		}
		answers[print] = a.ask(f.test, print, f.count)
	}
	return answers
}

// logKnown says which leaks the baseline has.
func (w *watch) logKnown(leaks []report.Leak, first report.Leak, e *baseline.Entry) {
	if w.t != nil {
		w.t.Helper()
	}
	n := 0
	for _, l := range leaks {
		if l.Fingerprint == first.Fingerprint {
			n += max(l.Count, 1)
		}
	}
	owner := ""
	if e.Owner != "" {
		owner = "; " + e.Owner
	}
	w.say("leakcheck: known, in %s: %s: %s (%s%s)", accepted().name, many(n, "leak"), first.Summary, e.Reason, owner)
}

// recordIgnored writes down what options set aside.
func (w *watch) recordIgnored(ignored []report.Ignored) {
	for _, ig := range ignored {
		record := fragment.Ignored{Test: w.name, Reason: ig.Reason, Count: ig.Count}
		recordIgnoredElsewhere(record)
		recording().write(func(f *fragment.Writer) error { return f.Ignored(record) })
	}
}

// scenarioLedger judges and writes down what a scenario words by itself.
type scenarioLedger struct {
	w *watch
	o outcome
}

func (s *scenarioLedger) Judge(leaks []report.Leak) []report.Leak {
	s.w.t.Helper()
	for i := range leaks {
		leaks[i].Identify() // the scenario may know more of it, and have taken the old one away
	}
	fail := s.w.rule(leaks, s.o)
	if len(fail) > 0 {
		s.w.failsByLeaks()
	}
	s.w.annotate()
	return fail
}

func (s *scenarioLedger) Excuse(leaks []report.Leak) { s.record(leaks, fragment.Excused) }
func (s *scenarioLedger) Note(leaks []report.Leak)   { s.record(leaks, fragment.Noted) }
func (s *scenarioLedger) Fail()                      { s.w.failsByItself() }

func (s *scenarioLedger) record(leaks []report.Leak, outcome string) {
	for i := range leaks {
		leaks[i].Identify()
		s.w.recordLeak(leaks[i], outcome, baseline.Answer{}, s.o.waited)
	}
}

// say logs, or tells standard error where there is no test.
func (w *watch) say(format string, args ...any) {
	if w.t == nil {
		toStderr(format, args...)
		return
	}
	w.t.Helper()
	w.t.Logf(format, args...)
}

func many(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// recordLeak writes one down.
func (w *watch) recordLeak(l report.Leak, outcome string, a baseline.Answer, waited time.Duration) {
	if recording() == nil && leakLines() == nil && !recordsElsewhere() {
		return
	}
	b := binary()
	out := b.toFragment(l, outcome, a)
	if len(l.Keys) > 0 { // a limit is not waited for
		out.Waited = waited
	}
	if recordsElsewhere() {
		recordLeakElsewhere(out)
		return
	}
	writeLeak(out)
}

// writeLeak writes a leak to the report of the process and to the lines of leakgate test -json, where they are asked for.
func writeLeak(l fragment.Leak) {
	r, lines := recording(), leakLines()
	if l.At = realTime(); r != nil {
		l.At = r.time()
	}
	r.write(func(f *fragment.Writer) error { return f.Leak(l) })
	if lines == nil {
		return
	}
	if err := lines.Leak(l); err != nil {
		toStderr("leakcheck: a leak has no line in -json: %v", err)
	}
}

func (b *testBinary) toFragment(l report.Leak, outcome string, a baseline.Answer) fragment.Leak {
	out := fragment.Leak{
		Kind: l.Kind, Code: l.Code, Class: l.Class, Fingerprint: l.Fingerprint, Test: l.Test, Suspects: l.Suspects,
		Outcome: outcome, Summary: l.Summary, Count: max(l.Count, 1), Site: b.frame(l.Site), Example: l.Role == roleExample,
		Role: l.Role, Stack: b.frames(l.Stack), State: l.State, Why: l.Why, Holds: l.Holds, Hint: l.Hint, Likely: l.Probably,
		Unknown: l.Unknown,
	}
	if out.Role == "" && out.Site.Func != "" {
		out.Role = report.RoleTaken
	}
	if a.Entry != nil {
		out.Allowed = a.Entry.Count
		if a.Ruling == baseline.Lapsed {
			out.Expired = a.Entry.Expires
		}
	}
	return out
}
