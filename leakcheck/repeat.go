package leakcheck

import (
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/leakgate/leakgate/internal/fold"
	"github.com/leakgate/leakgate/internal/growth"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/report"
)

// codeGrows is the code of what grows with every run.
const codeGrows = "LK601"

// Repeat runs fn again and again and fails t for what grows with every run. What one run leaves may be a cache, a pool that
// fills, or a worker that is started once; what each run leaves more of has no end:
//
//	leakcheck.Repeat(t, 10, func() {
//		_, err := client.IsSessionActive(ctx, "42")
//		require.NoError(t, err)
//	})
//
// fn runs once to warm up (see WarmUp), and then n times, which is at least 3. After each run it is waited for what is winding
// down, as Verify does, and what is new since the warm-up is counted by kind and call site. n = 3 finds what each of three runs leaves.
// With 10 a leak of one in each run is told from a cache that fills for five and then stops, and one in every second or third
// run is found; one in every tenth run takes 30. Repeat stops early when the rest could not change the verdict: after 7 runs
// that have all left something, or when too few are left for a leak to show. It also stops in time for t.Deadline.
//
// What took connections of a tracked pool in each run, in 3 or more, until all of them were out, grows too: it stops there
// because the next run waits for a connection or fails. Where a pool is empty before the third run, fn waits for ever or
// fails by itself: let it have more connections in that test.
//
// What counts is what a Verify with the same options would report, and idle connections of HTTP clients and sockets of
// database pools as well, which are no leak where they are bounded. Beside parallel tests what cannot be attributed is left
// out: sockets, and what a probe lists. The entry, LK601, is at the line that Verify would name, and says the code of what
// each run leaves, how many there were after each run, and in how many runs the pool's size or the limit of open files is
// reached, where one of them is known.
//
// What has failed t here is not reported again by a Verify of the same test. What was left once is no matter of Repeat: a
// Verify around it judges the difference; without one it is not reported. What too few runs decide is logged.
//
// fn runs on the calling goroutine, so that it may use require. When it fails or ends the test there is no judgement, one
// line in the log says so, and a panic goes on. What fn gives to t.Cleanup ends with the test and not with the run, so it
// grows: let fn end it by defer, or call t.Run in fn. In a benchmark, call Repeat beside the loop and not in it.
func Repeat(t TB, n int, fn func(), opts ...Option) {
	if isNil(t) {
		refuse("leakcheck.Repeat: t is nil: pass the *testing.T of the test that is to be checked, as in leakcheck.Repeat(t, 10, fn)")
		return
	}
	t.Helper()
	if t.Failed() {
		t.Logf("leakcheck: Repeat: not run, because the test has failed before")
		return
	}
	cfg := newConfig(opts)
	cfg.repeats = true
	if n < growth.Least {
		cfg.wrong("leakcheck.Repeat: n is %d: fewer than %d runs do not show growth; use 3, or 10 to tell a leak from a cache that fills", n, growth.Least)
	}
	if fn == nil {
		cfg.wrong("leakcheck.Repeat: fn is nil: pass the function that is to be run again and again")
	}
	registry.addSuite(cfg)
	noteInputs()
	w := begin(t.Name(), t, cfg, true)
	w.pooled = true
	w.join()
	if c, ok := t.(interface{ Cleanup(func()) }); ok && w.owns() {
		c.Cleanup(w.endRun)
	}
	r := &repeat{w: w, n: n, fn: fn, groups: make(map[string]*group), known: make(map[string]bool)}
	defer w.end()
	defer w.releaseCollector()
	defer func() {
		if r.running { // fn's own panic, or its end of the test, goes on
			return
		}
		p := recover()
		if p == nil {
			return
		}
		if w.reporting {
			panic(p) // it is t's own way to end a test
		}
		t.Helper()
		w.errorf("leakcheck: Repeat itself failed, please report it: %v\n%s", p, debug.Stack())
	}()
	defer w.flushPending()
	for _, err := range []error{cfg.err(), accepted().err, recording().problem()} {
		if err != nil {
			w.failsByItself()
			w.errorf("%v", err)
		}
	}
	if cfg.err() == nil {
		r.all()
	}
	w.annotate()
}

// WarmUp is how often Repeat runs fn before the runs that it judges: 1 without it, and 0 for none. What a warm-up run leaves is
// not judged. Other checks refuse it with an error.
func WarmUp(runs int) Option {
	return func(c *config) {
		if runs < 0 {
			c.wrong("leakcheck.WarmUp(%d): the number of runs is negative: use 0 for none", runs)
			return
		}
		c.warmUp = runs
	}
}

func (c *config) refuseWarmUp() {
	if c.warmUp >= 0 && !c.repeats {
		c.wrong("leakcheck.WarmUp is for Repeat alone: leave it out")
	}
}

// repeat is one Repeat.
type repeat struct {
	w  *watch
	n  int
	fn func()

	running bool // fn runs, or ended the test
	run     int  // the judged run that is under way, or the last one; 0 for a warm-up
	groups  map[string]*group
	order   []*group
	known   map[string]bool // groups that a whole wait has shown

	start   heldBefore // before the warm-up
	started []map[uint64]bool
	held    map[string]int // how many of each group there were after it
	longest time.Duration
}

// group is what is counted together.
type group struct {
	key    string
	within *group // the group of any remote, of one that is for one remote; nil for others
	counts []int  // after each run, from 0 on, which is the warm-up
	leak   report.Leak
	keys   []report.Key // of all of it, after the last run
	all    string       // that its pool has no connection left after the last run, in words; "" where it has, or where it is not known
}

// grows says whether it grows. What had a connection of its pool in each run until none was left would go on if it could: the
// next run waits for one for ever, or fails and leaves nothing.
func (g *group) grows() bool {
	return growth.Judge(g.counts) == growth.Grows || g.drained()
}

func (g *group) drained() bool { return g.all != "" && growth.Climbs(g.counts) }

// all runs fn and judges.
func (r *repeat) all() {
	w := r.w
	t := w.t
	t.Helper()
	warm := w.cfg.warmUp
	if warm < 0 {
		warm = 1
	}
	for range warm {
		if !r.once() {
			return
		}
	}
	for _, l := range r.wait().leaks {
		r.known[keyOf(l)] = true
	}
	w.releaseCollector()
	if !r.begin() {
		return
	}
	for r.run = 1; r.run <= r.n; r.run++ {
		if !r.once() {
			return
		}
		o, ok := r.settle()
		if !ok {
			return
		}
		if r.run < r.n && !r.clear() && !r.late() {
			continue
		}
		if len(r.growing()) > 0 { // it was not waited long for what is known from earlier runs
			if o, ok = r.confirm(); !ok {
				return
			}
			if r.run < r.n && !r.clear() && !r.late() {
				continue
			}
		}
		r.report(o)
		return
	}
}

// once runs fn, and says whether the test goes on.
func (r *repeat) once() (ok bool) {
	t := r.w.t
	t.Helper()
	returned := false
	began := time.Now()
	defer func() {
		r.longest = max(r.longest, time.Since(began))
		if returned {
			return
		}
		t.Helper()
		t.Logf("leakcheck: Repeat: not judged, because %s ended the test", r.name())
	}()
	r.running = true
	r.fn()
	r.running = false
	returned = true
	if t.Failed() {
		t.Logf("leakcheck: Repeat: not judged, because %s failed the test", r.name())
		return false
	}
	return true
}

func (r *repeat) name() string {
	if r.run == 0 {
		return "the warm-up run"
	}
	return fmt.Sprintf("run %d of %d", r.run, r.n)
}

// look gives in leaks all that is counted.
func (r *repeat) look() sight {
	s := r.w.lookSure()
	s.leaks = byProbe(slices.Concat(s.leaks, s.pooled, s.notes))
	s.notes = nil
	return s
}

// byProbe takes entries apart that are of several probes, which are alike in words.
func byProbe(leaks []report.Leak) (out []report.Leak) {
	for _, l := range leaks {
		lists := make(map[string][]report.Key)
		for _, k := range l.Keys {
			if strings.HasPrefix(k.List, "probe ") {
				lists[k.List] = append(lists[k.List], k)
			}
		}
		if len(lists) < 2 {
			out = append(out, l)
			continue
		}
		for _, list := range slices.Sorted(maps.Keys(lists)) {
			one := l
			one.Keys, one.Count = lists[list], len(lists[list])
			out = append(out, one)
		}
	}
	return out
}

// begin takes what is held after the warm-up as the base of all runs.
func (r *repeat) begin() bool {
	w := r.w
	w.t.Helper()
	r.start = w.base
	for _, p := range w.probes {
		r.started = append(r.started, p.held)
	}
	r.held = make(map[string]int)
	for _, l := range r.everything() {
		r.held[keyOf(l)] += max(l.Count, 1)
	}
	return r.fine(w.rebase())
}

// rebase lets the watch begin anew.
func (w *watch) rebase() (errs []error) {
	w.base.leases = lease.Live.LastID()
	if w.lists(Process) && !w.base.noChildren {
		w.base.children, _ = children.keys()
	}
	for _, p := range w.probes {
		ids, err := heldBy(p.probe, nil)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		p.held = make(map[uint64]bool)
		for _, id := range ids {
			p.held[id] = true
		}
	}
	if w.lists(Goroutine) {
		w.base.goroutines = goroutines.base()
	}
	if w.lists(Socket) && !w.base.noSockets { // after the goroutines, as in begin
		w.base.sockets, _ = sockets.keys()
	}
	return errs
}

// everything lists all that the test holds, also from before.
func (r *repeat) everything() []report.Leak {
	empty := make([]map[uint64]bool, len(r.w.probes))
	base := heldBefore{
		goroutines: goroutineBase{set: &idSet{}}, noSockets: r.w.base.noSockets, noChildren: r.w.base.noChildren,
	}
	return r.lookFrom(base, empty)
}

// lookFrom looks at what is new since another base.
func (r *repeat) lookFrom(base heldBefore, held []map[uint64]bool) []report.Leak {
	w := r.w
	now := w.base
	var probed []map[uint64]bool
	for i, p := range w.probes {
		probed = append(probed, p.held)
		p.held = held[i]
	}
	defer func() {
		w.base = now
		for i, p := range w.probes {
			p.held = probed[i]
		}
		w.releaseCollector()
	}()
	w.base = base
	return r.look().leaks
}

// fine reports errors of probes, and says whether there were none.
func (r *repeat) fine(errs []error) bool {
	r.w.t.Helper()
	for _, err := range errs {
		r.w.failsByItself()
		r.w.errorf("%v", err)
	}
	return len(errs) == 0
}

// settle waits after a run and counts what is left. What was there after earlier runs, when it was waited long, is not waited
// for again.
func (r *repeat) settle() (o outcome, ok bool) {
	w := r.w
	w.t.Helper()
	defer w.releaseCollector()
	w.settled = func(leaks []report.Leak) bool {
		return len(r.known) > 0 && !slices.ContainsFunc(leaks, func(l report.Leak) bool { return !r.known[keyOf(l)] })
	}
	o = r.wait()
	if !w.settled(o.leaks) {
		for _, l := range o.leaks {
			r.known[keyOf(l)] = true
		}
	}
	w.settled = nil
	r.count(o.leaks)
	return o, r.fine(o.errs)
}

// confirm waits as long as Verify does, and counts again.
func (r *repeat) confirm() (o outcome, ok bool) {
	r.w.t.Helper()
	defer r.w.releaseCollector()
	o = r.wait()
	r.count(o.leaks)
	growing := r.growing()
	if len(growing) > 0 {
		r.prove(&o)
		r.count(o.leaks)
	}
	return o, r.fine(o.errs)
}

func (r *repeat) wait() outcome {
	s := r.look()
	if len(s.leaks) == 0 {
		return outcome{sight: s, looks: 1}
	}
	return r.w.settle(s, r.look)
}

// prove lets the runtime say of what is left that nothing can end it.
func (r *repeat) prove(o *outcome) {
	kept := func(l report.Leak) bool { return l.Note || l.Code == fold.CodeIdle }
	var rest []report.Leak
	for _, l := range o.leaks {
		if kept(l) {
			rest = append(rest, l)
		}
	}
	o.leaks = slices.DeleteFunc(o.leaks, kept)
	r.w.prove(o)
	o.leaks = append(o.leaks, rest...)
}

// keyOf names what is counted together: of one kind and from one line. Of what has no line, the remote counts too.
func keyOf(l report.Leak) string {
	return anyRemote(l) + remoteOf(l)
}

func anyRemote(l report.Leak) string {
	list := ""
	if len(l.Keys) > 0 && strings.HasPrefix(l.Keys[0].List, "probe ") {
		list = l.Keys[0].List
	}
	return strings.Join([]string{l.Code, l.Fingerprint, l.Site.String(), list}, "\x00")
}

func remoteOf(l report.Leak) string {
	if l.Site.Func == "" && len(l.Remotes) > 0 {
		return "\x00to " + l.Remotes[0]
	}
	return ""
}

// count takes what is held after the run.
func (r *repeat) count(leaks []report.Leak) {
	now := make(map[*group]int)
	most := make(map[*group]int)
	for _, g := range r.order {
		g.keys = nil
	}
	add := func(g *group, l report.Leak) {
		n := max(l.Count, 1)
		now[g] += n
		g.keys = append(g.keys, l.Keys...)
		if n > most[g] { // of several that differ in words, such as the path of a request
			most[g], g.leak = n, l
		}
	}
	for _, l := range leaks {
		g := r.group(keyOf(l))
		add(g, l)
		if remoteOf(l) != "" {
			if g.within == nil {
				g.within = r.group(anyRemote(l) + "\x00to any")
			}
			add(g.within, l)
		}
	}
	for _, g := range r.order {
		for len(g.counts) <= r.run {
			g.counts = append(g.counts, 0)
		}
		g.counts[r.run] = now[g]
		g.all = g.allOut()
	}
}

// pool is the pool of connections that all of it was taken from, and its size; nil when there is none, or no limit.
func (g *group) pool() (p *lease.Pool, size int) {
	for _, k := range g.keys {
		if k.List != "lease" {
			continue
		}
		l := lease.Live.Get(k.ID)
		if l == nil {
			continue
		}
		if p != nil && p != l.Pool() {
			return nil, 0
		}
		p = l.Pool()
	}
	if p == nil || !lendsConns(p) {
		return nil, 0
	}
	if size = p.Size(); size <= 0 {
		return nil, 0
	}
	return p, size
}

// allOut says that all connections of the pool are out, between two runs; "" when they are not.
func (g *group) allOut() string {
	if p, size := g.pool(); p != nil && lease.Live.Out()[p] >= size && inOnePlace(p) {
		return allOut(p, size)
	}
	return ""
}

// inOnePlace says whether the pool's limit is on all that is out: that of an http.Transport is for each host, and HTTP/2 has
// many requests on one connection.
func inOnePlace(p *lease.Pool) bool {
	if p.Kind() != string(HTTPConn) {
		return true
	}
	out := lease.Live.All(func(l *lease.Lease) bool { return l.Pool() == p })
	if len(out) == 0 {
		return false
	}
	first := out[0].Info().Remote
	return !slices.ContainsFunc(out, func(l *lease.Lease) bool {
		i := l.Info()
		return i.Remote != first || !strings.HasPrefix(i.Protocol, "HTTP/1")
	})
}

func allOut(p *lease.Pool, size int) string {
	return fmt.Sprintf("the %s of %s are all out", many(size, "connection"), p.Name())
}

func (r *repeat) group(key string) *group {
	g := r.groups[key]
	if g == nil {
		g = &group{key: key}
		r.groups[key] = g
		r.order = append(r.order, g)
	}
	return g
}

// When it is looked whether the verdict is clear.
const (
	lastRuns  = 5    // in the last runs, and when something has changed,
	manyRuns  = 1000 // and after as many runs
	thenEvery = 100  // less often, because each look is at the whole series
)

// clear says whether what is to come could not change the verdict: something grows for sure, or nothing can any more.
func (r *repeat) clear() bool {
	if slices.ContainsFunc(r.order, (*group).drained) { // the next run may wait for a connection for ever
		return true
	}
	if r.n-r.run >= lastRuns {
		if r.run > manyRuns && r.run%thenEvery != 0 || !slices.ContainsFunc(r.order, (*group).changed) {
			return false
		}
	}
	sure := true
	for _, g := range r.order {
		clear := growth.Clear(g.counts, r.n)
		if clear && growth.Judge(g.counts) == growth.Grows {
			return true // it fails the test, whatever else comes
		}
		sure = sure && clear
	}
	return sure && growth.Clear(make([]int, r.run+1), r.n) // of what has not been seen yet
}

// late says whether the test's deadline is too near for another run.
func (r *repeat) late() bool {
	d, ok := r.w.t.(interface{ Deadline() (time.Time, bool) })
	if !ok || goroutines.me().Bubble != 0 {
		return false
	}
	at, ok := d.Deadline()
	if !ok {
		return false
	}
	if need := 3*r.longest + 2*r.w.cfg.wait; time.Until(at) > need {
		return false
	}
	r.w.t.Logf("leakcheck: Repeat: stopped after %d of %d runs, because the test's deadline is near", r.run, r.n)
	r.n = r.run
	return true
}

// growing gives the groups that grow. Of a group and those that it is made of, the latter say more.
func (r *repeat) growing() (out []*group) {
	told := make(map[*group]bool)
	for _, g := range r.order {
		if g.grows() && g.within != nil {
			told[g.within] = true
		}
	}
	for _, g := range r.order {
		if g.grows() && !told[g] {
			out = append(out, g)
		}
	}
	return out
}

// report judges, and fails the test for what grows.
func (r *repeat) report(o outcome) {
	w := r.w
	w.t.Helper()
	growing := r.withoutTurnover(r.growing())
	var leaks []report.Leak
	keys := make(map[string]bool)
	for _, g := range growing {
		leaks = append(leaks, r.entry(g))
		registry.claim(g.keys)
		keys[g.key] = true
	}
	if len(growing) > 0 { // what the warm-up has left of the same
		for _, l := range r.lookFrom(r.start, r.started) {
			if keys[keyOf(l)] || keys[anyRemote(l)+"\x00to any"] {
				registry.claim(l.Keys)
			}
		}
	}
	if len(leaks) == 0 {
		o.waited, o.looks = 0, 0
	}
	leaks = report.Finish(slices.Concat(leaks, w.judge(), w.endFollowers()))
	registry.claim(o.excused)
	w.recordIgnored(o.ignored)
	if fail := w.rule(leaks, o); len(fail) > 0 {
		preface := ""
		if r.run < r.n && len(growing) > 0 {
			preface = fmt.Sprintf("stopped after %d of %d runs: it is clear", r.run, r.n)
		}
		w.failsByLeaks()
		w.errorf("%s", report.Text{
			Who: "leakcheck", Scope: w.name, Leaks: fail, Ignored: o.ignored, Waited: o.waited, Looks: o.looks, Ages: true,
			Preface: preface, Accept: accept(),
		})
		return
	}
	for _, ig := range o.ignored {
		w.t.Logf("leakcheck: ignored %d: %s", ig.Count, ig.Reason)
	}
	r.logUndecided()
}

// withoutTurnover leaves out what has taken the place of as much that was there before, as where a pool renews its connections.
func (r *repeat) withoutTurnover(growing []*group) []*group {
	if !slices.ContainsFunc(growing, func(g *group) bool { return r.held[g.key] > 0 }) {
		return growing
	}
	now := make(map[string]int)
	for _, l := range r.everything() {
		now[keyOf(l)] += max(l.Count, 1)
	}
	return slices.DeleteFunc(growing, func(g *group) bool {
		was := r.held[g.key]
		return was > 0 && 2*(now[g.key]-was) < g.last()
	})
}

// changed says whether the last run has made a difference.
func (g *group) changed() bool { return len(g.counts) > 1 && g.last() != g.counts[len(g.counts)-2] }

func (g *group) last() int { return g.counts[len(g.counts)-1] }

// entry words what grows.
func (r *repeat) entry(g *group) report.Leak {
	l := g.leak
	what := "what each run leaves is " + l.Code
	if l.State != "" {
		what += " (" + l.State + ")"
	}
	if limit := r.limit(g); limit != "" {
		what += "; " + limit
	}
	l.Class = "growth of " + l.Class
	l.Code, l.Count, l.Keys, l.Note, l.Fingerprint = codeGrows, g.last(), g.keys, false, ""
	l.Summary += ": " + growth.Pace(g.counts)
	l.State, l.Why = growth.Series(g.counts), what
	return l
}

// limit says how many more runs it takes until there is no more of it, where that is known; "" elsewhere.
func (r *repeat) limit(g *group) string {
	if g.all != "" {
		return "now " + g.all
	}
	slope := growth.Slope(g.counts)
	if p, size := g.pool(); p != nil {
		return until(growth.RunsUntil(lease.Live.Out()[p], size, slope), allOut(p, size))
	}
	ends := 0
	for _, k := range g.keys {
		if k.List == "socket" {
			ends++
		}
	}
	if limit := descriptorLimit(); ends > 0 && limit > 0 {
		each := float64(ends) / float64(max(g.last(), 1))
		open := countDescriptors()
		if open < 0 { // sockets are most of them
			_, open = sockets.states(0)
		}
		return until(growth.RunsUntil(open, limit, slope*each), fmt.Sprintf("the process has its %d descriptors open", limit))
	}
	return ""
}

func until(runs int, what string) string {
	switch {
	case runs < 0:
		return ""
	case runs == 0:
		return "now " + what
	}
	return fmt.Sprintf("%s and %s", many(runs, "more run"), what)
}

// logUndecided tells of what is held and may be a leak. What is no leak today, such as idle connections, is not told.
func (r *repeat) logUndecided() {
	r.w.t.Helper()
	for _, g := range r.order {
		if g.leak.Note || g.leak.Code == fold.CodeIdle || growth.Judge(g.counts) != growth.Undecided {
			continue
		}
		r.w.t.Logf("leakcheck: Repeat: undecided after %d runs, more of them would tell: %s: %s", r.run, g.leak.Summary, growth.Series(g.counts))
	}
}
