package dbcheck

import (
	"cmp"
	"fmt"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/report"
	"github.com/leakgate/leakgate/internal/sqltext"
)

// outcome is how a run ended.
type outcome string

const (
	outPassed    outcome = "passed"
	outLeak      outcome = "leak"
	outSwallowed outcome = "swallowed error"
	outHang      outcome = "hang"
	outStorm     outcome = "retry storm"
	outPanic     outcome = "panic"
	outFailed    outcome = "failed"
	outSkipped   outcome = "skipped"
)

// sweepFinding is one thing that is wrong in one run.
type sweepFinding struct {
	outcome outcome
	cause   string // findings with the same are one root cause
	head    string // what happened, in one line
	what    string // what happened, for all runs with this cause
	text    string // all of it, where it was worded elsewhere
	rows    []row  // all of it
	role    string // what happened at site: "taken at"
	site    callsite.Frame
	fix     string
}

// row is a line of an entry, or several, with a name.
type row struct{ name, text string }

func writeRows(b *strings.Builder, rows ...row) {
	for _, r := range rows {
		name := r.name
		for _, line := range strings.Split(r.text, "\n") {
			b.WriteString(strings.TrimRight(fmt.Sprintf("    %-11s %s", name, line), " ") + "\n")
			name = ""
		}
	}
}

// siteRows are a line of the program with its source, and the lines that led there.
func siteRows(role string, site callsite.Frame, stack []callsite.Frame) (out []row) {
	if site.Func == "" {
		return nil
	}
	out = append(out, row{role, where(frame(site))})
	if src := callsite.Source(site); src != "" {
		out = append(out, row{"", "    " + src})
	}
	const most = 5
	name := "via"
	for _, f := range stack {
		if f == site || callsite.IsDependency(f) {
			continue
		}
		if len(out) == most+2 {
			return append(out, row{"", "…"})
		}
		out = append(out, row{name, where(frame(f))})
		name = ""
	}
	return out
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

func restOf(s string) string {
	_, s, _ = strings.Cut(s, "\n")
	return s
}

// leakCause is the same for leaks of one kind that were taken at one line.
func leakCause(l report.Leak) string {
	if l.Site.Func == "" {
		return "leak " + l.Kind + " " + l.Code + " " + l.Class
	}
	return "leak " + l.Kind + " " + l.Code + " " + l.Site.String()
}

// leakFinding words one leak.
func (r *sweepRun) leakFinding(l report.Leak, found report.Findings) sweepFinding {
	text := report.Text{Scope: r.t.Name(), Leaks: []report.Leak{l}, Waited: found.Waited, Looks: found.Looks, Ages: true}.String()
	f := sweepFinding{
		outcome: outLeak, cause: leakCause(l), head: l.Summary, what: l.Summary, text: restOf(text),
		role: cmp.Or(l.Role, "taken at"), site: l.Site, fix: l.Hint,
	}
	if l.Count > 1 {
		f.head += fmt.Sprintf(" (×%d)", l.Count)
	}
	return f
}

// swallowFinding says whose error was lost.
func (r *sweepRun) swallowFinding() sweepFinding {
	c, _ := r.faults.failed()
	site := c.site()
	f := sweepFinding{
		outcome: outSwallowed, cause: "swallowed " + c.op + " " + site.String(), role: "failed at", site: site,
		what: "the error of " + c.op + " is lost: the code says that all went well",
		fix:  "return the error; where the code is meant to go on without: dbcheck.SweepWithout(\"" + fmt.Sprintf("call %d *", r.sc.n) + "\")",
	}
	switch c.op {
	case "Next":
		f.what = "the error of Rows.Next is lost: the code takes the rows that came for all"
		f.fix = "look at rows.Err() after the loop, and return it"
	case "Commit":
		f.fix = "return the error of tx.Commit"
	}
	f.head = f.what
	if site.Func != "" {
		f.head += ", " + c.op + " at " + short(site)
	}
	f.rows = siteRows(f.role, site, c.stack())
	if q := sqltext.Statement(c.query); q != "" {
		f.rows = append(f.rows, row{"state", q})
	}
	f.rows = append(f.rows, row{"fix", f.fix})
	return f
}

// hangFinding says where the run waits, and what it holds.
func (r *sweepRun) hangFinding() sweepFinding {
	g, _ := r.goroutine()
	stack := callsite.User(g.Frames)
	site := callsite.Pick(stack)
	f := sweepFinding{
		outcome: outHang, cause: "hang " + site.String(), role: "waits at", site: site,
		what: fmt.Sprintf("the run did not return within %v", r.s.cfg.deadline),
		fix:  "give calls a context that ends; where it only needs longer, write dbcheck.SweepDeadline(time.Minute)",
	}
	f.head = f.what
	callee := ""
	for i, fr := range g.Frames {
		if fr != site {
			continue
		}
		for j := i - 1; j >= 0 && callee == ""; j-- {
			if n := g.Frames[j]; n.Package() != "runtime" && !callsite.IsHarness(n) {
				callee = n.Func[strings.LastIndexByte(n.Func, '/')+1:]
			}
		}
		break
	}
	if site.Func != "" {
		f.head += fmt.Sprintf("; it waits in %s at %s", cmp.Or(callee, g.State), short(site))
	}
	f.rows = siteRows(f.role, site, stack)
	f.rows = append(f.rows, row{"state", fmt.Sprintf("in %s (%s)", cmp.Or(callee, "your code"), g.State)})
	if slices.ContainsFunc(g.Frames, func(f callsite.Frame) bool { return f.Func == "database/sql.(*DB).conn" }) && g.State == "select" {
		f.what = "the run waits for a connection of the pool, and none comes"
		f.fix = "give back what is held before another one is asked for"
	}
	name := "holds"
	for _, l := range Leases(r.db) {
		f.rows = append(f.rows, row{name, l.Summary})
		name = ""
	}
	f.rows = append(f.rows, row{"fix", f.fix})
	return f
}

// explain adds to a hang what was found while it waited: why it does, and what to do.
func (f *sweepFinding) explain(text string) {
	head, rest, _ := strings.Cut(text, "\n")
	if _, fix, ok := strings.Cut(rest, "\n  fix         "); ok {
		f.fix, _, _ = strings.Cut(fix, "\n")
	}
	i := slices.IndexFunc(f.rows, func(r row) bool { return r.name == "fix" })
	f.rows = slices.Insert(f.rows, i, row{"because", head})
	f.rows[i+1].text = f.fix
}

// panicFinding words a panic.
func (r *sweepRun) panicFinding() sweepFinding {
	text := fmt.Sprint(r.end.value)
	if len(text) > 500 {
		text = text[:500] + "…"
	}
	f := sweepFinding{
		outcome: outPanic, head: firstLine(text), what: firstLine(text), role: "panics at", site: callsite.Pick(r.end.stack),
		fix: "check the error before the result is used",
	}
	f.cause = "panic " + f.site.String()
	f.rows = siteRows(f.role, f.site, r.end.stack)
	if f.site.Func == "" {
		f.rows = append(f.rows, row{"no line", "none of your functions is in the stack of the panic"})
	}
	if text != f.head {
		f.rows = append(f.rows, row{"value", text})
	}
	f.rows = append(f.rows, row{"fix", f.fix})
	return f
}

// stormFinding says that the run tries again and again.
func (r *sweepRun) stormFinding() sweepFinding {
	c, _ := r.faults.failed()
	f := sweepFinding{
		outcome: outStorm, role: "failed at", site: c.site(),
		what: fmt.Sprintf("more than %d calls of the driver, and %d without a failure", r.faults.limit, len(r.s.calls)),
		fix:  "give retries a limit and a growing wait between them, and stop when the context ends",
	}
	f.head, f.cause = f.what, "storm "+f.site.String()
	f.rows = append(siteRows(f.role, f.site, c.stack()), row{"fix", f.fix})
	return f
}

// failRow says which call failed where.
func (r *sweepRun) failRows() []row {
	rows := []row{{"scenario", r.sc.what()}}
	if c, ok := r.faults.failed(); ok {
		if site := c.site(); site.Func != "" {
			rows = append(rows, row{"", "at " + where(frame(site))})
		}
	}
	return rows
}

// reproduce is the line that lets the same call fail in a test of its own.
func (sc *sweepScenario) reproduce() string {
	if sc.n == 0 {
		return "without Sweep: nothing fails in this run"
	}
	return fmt.Sprintf("db := dbcheck.OpenDB(dbcheck.FailCall(t, connector(), %q))", sc.name())
}

// report tells the run's test what was found.
func (r *sweepRun) report() {
	r.t.Helper()
	r.tell.Helper()
	if r.failed {
		note := "sweep: the run failed its own test. With a failure injected errors are expected: let the run ignore them, or check only what holds for all"
		if r.sc.n == 0 {
			note = "sweep: the run failed its own test"
		}
		if len(r.leaks) > 0 {
			var names []string
			for _, l := range r.leaks {
				names = append(names, l.Summary)
			}
			note += "\nsweep: not checked for leaks, because it failed; it still holds: " + strings.Join(names, "; ")
		}
		r.tell.Logf("%s\n    reproduce   %s", note, r.sc.reproduce())
	}
	if len(r.findings) > 0 {
		r.tell.Errorf("%s", r.text())
	}
	if r.old > 0 {
		r.tell.Logf("sweep: %s as without a failure (see %q)", many(r.old, "leak"), cleanName)
	}
	for _, l := range r.notes {
		r.tell.Logf("sweep: note: %s", l.Summary)
	}
	if r.sc.n > 0 && len(r.findings) == 0 && !r.failed && !r.t.Skipped() {
		if _, ok := r.faults.failed(); !ok {
			r.tell.Logf("sweep: the run did not make call %d, %s, this time, so that nothing failed", r.sc.n, r.sc.call)
		}
	}
}

// text is what a run that fails prints.
func (r *sweepRun) text() string {
	var b strings.Builder
	told := false
	for i, f := range r.findings {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "sweep: %s: %s\n", f.outcome, f.head)
		if first := r.s.tellCause(f.cause, r); first != r {
			var rows []row
			if f.site.Func != "" {
				rows = append(rows, row{f.role, where(frame(f.site))})
			}
			writeRows(&b, append(rows, row{"as in", first.t.Name() + ", the first with this root cause, where all of it is told"})...)
			continue
		}
		told = true
		if text := strings.Trim(f.text, "\n"); text != "" {
			b.WriteString("\n" + text + "\n")
		}
		if len(f.rows) > 0 {
			b.WriteByte('\n')
			writeRows(&b, f.rows...)
		}
	}
	if told {
		b.WriteByte('\n')
	}
	if r.sc.n == 0 {
		what := "no call fails: this is so when all goes well"
		if r.outcome == outLeak {
			what += "; the other runs do not fail for it"
		}
		writeRows(&b, row{"scenario", what})
	} else {
		writeRows(&b, append(r.failRows(), row{"reproduce", r.sc.reproduce()})...)
	}
	return strings.TrimRight(b.String(), "\n")
}

// tellCause gives the run that prints the root cause whole.
func (s *sweeper) tellCause(cause string, r *sweepRun) *sweepRun {
	if s.told[cause] == nil {
		s.told[cause] = r
	}
	return s.told[cause]
}

// sweepRoot is one root cause in the summary.
type sweepRoot struct {
	sweepFinding
	runs []*sweepRun
}

// sweepRoots groups the findings by root cause, the one with most runs first.
func sweepRoots(runs []*sweepRun) []*sweepRoot {
	var out []*sweepRoot
	add := func(r *sweepRun, f sweepFinding) {
		i := slices.IndexFunc(out, func(c *sweepRoot) bool { return c.cause == f.cause })
		if i < 0 {
			i = len(out)
			out = append(out, &sweepRoot{sweepFinding: f})
		}
		if n := len(out[i].runs); n == 0 || out[i].runs[n-1] != r {
			out[i].runs = append(out[i].runs, r)
		}
	}
	for _, r := range runs {
		for _, f := range r.findings {
			add(r, f)
		}
		if r.failed && len(r.findings) == 0 {
			add(r, sweepFinding{
				outcome: outFailed, cause: "own", what: "the run failed its own test",
				fix: "with a failure injected errors are expected: let the run ignore them, or check only what holds for all",
			})
		}
	}
	slices.SortStableFunc(out, func(a, b *sweepRoot) int { return cmp.Compare(len(b.runs), len(a.runs)) })
	return out
}

// judge says what the sweep came to.
func (s *sweeper) judge(took time.Duration) {
	s.t.Helper()
	tell := s.teller(s.t)
	tell.Helper()
	if len(s.runs) > 0 || len(s.clean.findings) > 0 {
		tell.Logf("%s", s.summary(took))
	}
}

// summary is the end of the log: what is wrong, the test that is missing, and where each call fails.
func (s *sweeper) summary(took time.Duration) string {
	var b strings.Builder
	all := slices.Concat([]*sweepRun{s.clean}, s.runs)
	bad, skips, unmet := 0, 0, 0
	for _, r := range all {
		switch r.outcome {
		case outPassed:
		case outSkipped:
			skips++
		default:
			bad++
		}
		if _, ok := r.faults.failed(); !ok && r.sc.n > 0 {
			unmet++
		}
	}
	causes := sweepRoots(all)
	if bad > 0 {
		fmt.Fprintf(&b, "sweep: %d of %s failed, by %s", bad, many(len(all), "scenario"), many(len(causes), "root cause"))
	} else {
		fmt.Fprintf(&b, "sweep: %s passed", many(len(all)-skips, "scenario"))
	}
	if skips > 0 {
		fmt.Fprintf(&b, ", %d skipped", skips)
	}
	fmt.Fprintf(&b, " (%v)\n", took.Round(10*time.Millisecond))
	if n := s.planned - len(s.runs); s.stopped != "" && n > 0 {
		fmt.Fprintf(&b, "  not run: %s, because %s\n", many(n, "more scenario"), s.stopped)
	}
	if s.rest > 0 {
		fmt.Fprintf(&b, "  not failed: %s in the middle of loops, like those at their ends (dbcheck.SweepEnds)\n", many(s.rest, "more call"))
	}
	if unmet > 0 {
		fmt.Fprintf(&b, "  not met: in %s the call to fail was not made: the run does not make the same calls each time\n", many(unmet, "scenario"))
	}
	if s.mixed() {
		b.WriteString("  from several goroutines: calls with the same statement are told apart by their order alone, which may be another in each run\n")
	}
	if ended := s.endedByTest(); len(ended) > 0 {
		fmt.Fprintf(&b, "  not judged: whether %s is ended: t.Context() had ended before; use dbcheck.SweepContext(t)\n", someOf(ended))
	}
	if !s.clean.told() {
		b.WriteString("  not judged: whether errors are handed on; let the run say what came of it: dbcheck.SweepResult(t, err)\n")
	}
	for i, c := range causes {
		const most = 10
		if i == most {
			fmt.Fprintf(&b, "\n  … and %s more, see the table\n", many(len(causes)-most, "root cause"))
			break
		}
		fmt.Fprintf(&b, "\n  %d. %s in %s: %s\n", i+1, c.outcome, many(len(c.runs), "scenario"), c.what)
		rows := siteRows(c.role, c.site, nil)
		if c.fix != "" {
			rows = append(rows, row{"fix", c.fix})
		}
		first := c.runs[0]
		rows = append(rows, row{"simplest", first.t.Name()})
		if first.sc.n > 0 {
			rows = append(rows, row{"", first.sc.what()}, row{"the test", s.missing(first.sc)})
		}
		writeRows(&b, rows...)
	}
	b.WriteByte('\n')
	s.table(&b, causes)
	return strings.TrimRight(b.String(), "\n")
}

// mixed says whether several goroutines make calls with the same statement.
func (s *sweeper) mixed() bool {
	by := make(map[string]uint64)
	for _, c := range s.calls {
		if !c.reports() {
			continue // database/sql makes some of these by itself
		}
		key := c.op + "\x00" + c.query
		if id, ok := by[key]; ok && id != c.goid {
			return true
		}
		by[key] = c.goid
	}
	return false
}

func (r *sweepRun) told() bool {
	r.faults.mu.Lock()
	defer r.faults.mu.Unlock()
	return r.faults.told
}

var notLetter = regexp.MustCompile(`[^A-Za-z0-9]+`)

// missing is a test of its own for one scenario.
func (s *sweeper) missing(sc *sweepScenario) string {
	name := notLetter.ReplaceAllString(s.t.Name(), "_") + "_" + strings.ToUpper(sc.call.op[:1]) + sc.call.op[1:] + "_" + string(sc.way)
	name = notLetter.ReplaceAllString(name, "_")
	call := "// here: what the function does that the sweep runs"
	if site := s.runSite(); site.Func != "" {
		_, fn, _ := strings.Cut(site.Func[strings.LastIndexByte(site.Func, '/')+1:], ".")
		if token.IsIdentifier(fn) {
			call = fn + "(t, db) // what the sweep runs"
		}
		call += ", at " + short(site)
	}
	return strings.Join([]string{
		"func " + name + "(t *testing.T) {",
		"	" + sc.reproduce(),
		"	t.Cleanup(func() { db.Close() })",
		"	t.Cleanup(dbcheck.Verify(t, db))",
		"	" + call,
		"}",
	}, "\n")
}

// table has a line for each call that failed, and a column for each way.
func (s *sweeper) table(b *strings.Builder, causes []*sweepRoot) {
	type key struct {
		n   int
		way way
	}
	cells := make(map[key]string)
	var calls []int
	var ways []way
	count := make(map[way]int)
	for _, r := range s.runs {
		k := key{r.sc.n, r.sc.way}
		if !slices.Contains(calls, k.n) {
			calls = append(calls, k.n)
		}
		var marks []string
		for i, c := range causes {
			if slices.Contains(c.runs, r) {
				marks = append(marks, fmt.Sprint(i+1))
			}
		}
		_, met := r.faults.failed()
		switch {
		case len(marks) > 0:
			count[k.way]++
			cells[k] = strings.Join(marks, ",")
		case r.outcome == outSkipped:
			cells[k] = "skipped"
		case !met:
			cells[k] = "not met"
		default:
			cells[k] = "ok"
		}
	}
	if len(calls) == 0 {
		return
	}
	for _, w := range allWays {
		if slices.ContainsFunc(s.runs, func(r *sweepRun) bool { return r.sc.way == w }) {
			ways = append(ways, w)
		}
	}
	names := make(map[int]string)
	wide := len("failed")
	for _, n := range calls {
		c := s.calls[n-1]
		name := c.String()
		if r := []rune(name); len(r) > 44 {
			name = string(r[:43]) + "…"
		}
		if site := c.site(); site.Func != "" {
			name += "  " + short(site)
		}
		names[n] = fmt.Sprintf("%*d %s", len(fmt.Sprint(len(s.calls))), n, name)
		wide = max(wide, len([]rune(names[n])))
	}
	line := func(name string, cell func(way) string) {
		text := "  " + name + strings.Repeat(" ", wide-len([]rune(name)))
		for _, w := range ways {
			text += fmt.Sprintf("   %-*s", max(len(w), 7), cell(w))
		}
		b.WriteString(strings.TrimRight(text, " ") + "\n")
	}
	line("call", func(w way) string { return string(w) })
	for _, n := range calls {
		line(names[n], func(w way) string { return cells[key{n, w}] })
	}
	line("failed", func(w way) string { return fmt.Sprint(count[w]) })
	if len(causes) > 0 {
		b.WriteString("\n  a number is a root cause above; without one, that call cannot fail in that way\n")
	}
}

// endedByTest lists what only the end of t.Context() gave back in the runs.
func (s *sweeper) endedByTest() (all []string) {
	for _, r := range s.runs {
		all = append(all, r.ended...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// someOf names the first, and counts the rest.
func someOf(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return fmt.Sprintf("%s (and %d more)", names[0], len(names)-1)
}
