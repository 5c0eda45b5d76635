package leakcheck

import (
	"reflect"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
)

// testRun is one run of one test, from its beginning until its cleanups have run. There is one only while a report is
// written, or there is a baseline.
type testRun struct {
	t     TB // the test itself, and not what wraps it
	name  string
	key   any      // see identity
	owner *watch   // the check that began it and ends it; nil for Main
	id    label.ID // the watch whose use is the test's

	returned bool // its function returned, as Main has seen
	limits   []highWater
	meters   []func() []Usage // of probes that are not ours
	pools    []fragment.Pool
	began    time.Time
	before   fragment.Sample
	most     fragment.Sample // guarded by recorder.mu

	// Guarded by runs.mu, as limits and meters are.
	leaked bool // what leaked has failed it, and nothing else had before
	own    bool // it failed by itself
}

// runs are the tests that run now.
var runs = struct {
	mu   sync.Mutex
	by   map[any]*testRun
	tops map[string]int // how often a top-level test has begun
	most int            // the highest of tops: how often the whole package has run, as -count says

	leaked, failed int // runs that have ended: failed for leaks alone, and by themselves
}{by: make(map[any]*testRun), tops: make(map[string]int)}

// watchesRuns says whether anybody wants to know of runs.
func watchesRuns() bool { return recording() != nil || accepted().ledger != nil }

// beginRun notes that a test begins; nil when nobody wants to know. What began it ends it.
func beginRun(t TB, name string, id label.ID, owner *watch) *testRun {
	r := &testRun{t: t, name: name, key: identity(t), owner: owner, id: id}
	runs.mu.Lock()
	runs.by[r.key] = r
	if !strings.Contains(name, "/") {
		runs.tops[name]++
		runs.most = max(runs.most, runs.tops[name])
	}
	runs.mu.Unlock()
	if l := accepted().ledger; l != nil {
		l.Begin(name)
	}
	recording().start()
	recording().begin(r)
	return r
}

// join gives the watch the run of its test, which it begins when nobody has. Several checks of one test share it.
func (w *watch) join() {
	if w.t == nil || !watchesRuns() {
		return
	}
	t := innermost(w.t)
	runs.mu.Lock()
	w.run = runs.by[identity(t)]
	runs.mu.Unlock()
	if w.run == nil {
		w.run = beginRun(t, w.name, w.id, w)
	}
	var meters []func() []Usage
	for _, ps := range w.probes {
		if p, ok := ps.probe.(Metered); ok && recording() != nil {
			if _, ours := p.(leaser); !ours {
				meters = append(meters, meterOf(p, w.id))
			}
		}
	}
	runs.mu.Lock()
	defer runs.mu.Unlock()
	w.run.limits = append(w.run.limits, w.cfg.high...)
	w.run.meters = append(w.run.meters, meters...)
}

// meterOf counts for the report alone what a probe of the user's says. A probe that panics is not counted: where a limit
// judges it, that says so.
func meterOf(p Metered, id label.ID) (used func() []Usage) {
	defer func() {
		if recover() != nil {
			used = func() []Usage { return nil }
		}
	}()
	m := p.Meter(TestID(id))
	return func() (out []Usage) {
		defer func() { _ = recover() }()
		return m()
	}
}

// owns says whether the watch has begun the run of its test, and is to end it.
func (w *watch) owns() bool { return w.run != nil && w.run.owner == w }

// count takes what the test has used of pools. It must be called while the watch of the run still counts.
func (r *testRun) count() {
	if recording() == nil {
		return
	}
	add := func(u Usage) {
		p := fragment.Pool{
			Kind: string(u.Kind), Name: u.Pool, Size: u.Size, Requests: u.Requests, Peak: u.PeakLeased,
			Dialed: u.Dialed, Reused: u.Reused, Early: u.ClosedEarly,
		}
		if h, ok := strictest(r.limits, u.Kind); ok {
			p.Limit = h.share
		}
		r.pools = append(r.pools, p)
	}
	for _, u := range lease.Live.Used(r.id) {
		if lendsConns(u.Pool) {
			u.Early = nil
			for _, one := range usageOf([]lease.Usage{u}) {
				one.ClosedEarly = u.ClosedEarly
				add(one)
			}
		}
	}
	runs.mu.Lock()
	meters := r.meters
	r.meters = nil
	runs.mu.Unlock()
	for _, m := range meters {
		for _, u := range m() {
			add(u)
		}
	}
}

// end notes that the test is over. unfinished says that its function did not return, and the test does not know it yet.
func (r *testRun) end(unfinished bool) {
	r.t.Helper()
	result := r.result(unfinished)
	runs.mu.Lock()
	if runs.by[r.key] == r {
		delete(runs.by, r.key)
	}
	switch result {
	case fragment.Leaked:
		runs.leaked++
	case fragment.Failed:
		runs.failed++
		for _, outer := range around(r.t) {
			outer.own = true
		}
	}
	runs.mu.Unlock()
	if l := accepted().ledger; l != nil {
		l.End(r.name)
	}
	recording().end(r, result)
	if _, ok := r.t.(exampleT); ok {
		return // Main tells it
	}
	if err := recording().problem(); err != nil {
		failWith(r.t, "%v", err)
	}
}

// onlyLeaked says whether tests failed, and all that did for leaks alone. It is known where a report or a baseline wants to know.
func onlyLeaked() bool {
	runs.mu.Lock()
	defer runs.mu.Unlock()
	return runs.leaked > 0 && runs.failed == 0
}

func (r *testRun) result(unfinished bool) string {
	runs.mu.Lock()
	leaked := r.leaked && !r.own
	runs.mu.Unlock()
	skipper, _ := r.t.(interface{ Skipped() bool })
	switch {
	case unfinished && !r.t.Failed() && (skipper == nil || !skipper.Skipped()):
		return fragment.Failed // a panic, or runtime.Goexit; testing marks the test when its cleanups have run
	case r.t.Failed() && leaked:
		return fragment.Leaked
	case r.t.Failed():
		return fragment.Failed
	case skipper != nil && skipper.Skipped():
		return fragment.Skipped
	}
	return fragment.Passed
}

// endRun ends the run that the watch has begun. It is the last of the test's cleanups that we know of.
func (w *watch) endRun() {
	w.t.Helper()
	w.run.end(exiting())
}

// failsByLeaks notes, before the watch fails its test for what leaked, which tests fail for nothing else.
func (w *watch) failsByLeaks() {
	w.tellsLeaked()
	if w.run == nil {
		return
	}
	runs.mu.Lock()
	defer runs.mu.Unlock()
	for _, r := range append(around(w.run.t), w.run) {
		if !r.t.Failed() {
			r.leaked = true
		}
	}
}

// failsByItself notes that the test fails for something else than a leak.
func (w *watch) failsByItself() {
	if w.run == nil {
		return
	}
	runs.mu.Lock()
	defer runs.mu.Unlock()
	for _, r := range append(around(w.run.t), w.run) {
		r.own = true
	}
}

// timesRun says how often a top-level test has begun in this process, at least 1; "" is for all.
func timesRun(top string) int {
	runs.mu.Lock()
	defer runs.mu.Unlock()
	if top == "" {
		return max(runs.most, 1)
	}
	return max(runs.tops[top], 1)
}

// innermost gives what embedded finds, as deep as it goes.
func innermost(t TB) TB {
	for inner := embedded(t); inner != nil; inner = embedded(t) {
		t = inner
	}
	return t
}

// identity is what a test is known by: where it is in memory, as its subtests know it too, or its name.
func identity(t TB) any {
	if v := reflect.ValueOf(t); v.Kind() == reflect.Pointer {
		return v.UnsafePointer()
	}
	return t.Name()
}

// around gives the runs of the tests that t is a subtest of, as far as they are known. runs is locked.
func around(t TB) (out []*testRun) {
	v, ok := commonOf(t)
	if !ok {
		for name := t.Name(); ; {
			i := strings.LastIndexByte(name, '/')
			if i < 0 {
				return out
			}
			name = name[:i]
			if r := runs.by[name]; r != nil {
				out = append(out, r)
			}
		}
	}
	for range maxDepth {
		parent := v.FieldByName("parent")
		if !parent.IsValid() || parent.Kind() != reflect.Pointer || parent.IsNil() {
			return out
		}
		// What testing has in common of all tests is the first field of each.
		if r := runs.by[unsafe.Pointer(parent.UnsafePointer())]; r != nil {
			out = append(out, r)
		}
		v = parent.Elem()
	}
	return out
}
