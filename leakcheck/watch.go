package leakcheck

import (
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/report"
	"github.com/leakgate/leakgate/internal/socket"
)

// watch is one check from its beginning to its end: what there was, whose it is, and what to look at.
type watch struct {
	id     label.ID
	name   string // the test; "" for Take and Check
	t      TB     // nil for Take, Check and Main
	cfg    *config
	unmark func()

	isMain    bool
	looked    bool   // there was a look, and there is a reason for another
	release   func() // lets the garbage collector run again; nil when it may
	reporting bool   // t.Errorf runs
	erred     bool   // what made the test fail is an error of the check's own

	base   baseline
	probes []*probeState
	meters []func() []Usage
	goleak *goleakFilter

	// Who else ran. Guarded by registry.mu.
	met      []string // names of watches that overlapped, not more than maxMet
	metCount int
}

// maxMet bounds how many names of overlapping tests one watch keeps.
const maxMet = 32

// baseline is what was held when the watch began.
type baseline struct {
	goroutines goroutineBase
	sockets    []uint64 // sorted
	children   []uint64 // sorted
	noSockets  bool     // they could not be listed
	noChildren bool
	leases     uint64 // leases with a higher ID are new
}

type probeState struct {
	probe Probe
	held  map[uint64]bool
}

// begin starts a watch. With mark it labels the calling goroutine.
func begin(name string, t TB, cfg *config, mark bool) *watch {
	w := &watch{id: label.NewID(), name: name, t: t, cfg: cfg}
	if mark {
		w.unmark = label.Mark(w.id, name)
		registry.runsOn(w.id)
	}
	registry.enter(w)
	lease.Live.Watch(w.id)
	if !cfg.instead {
		coverDefaultTransport()
	}
	w.base.leases = lease.Live.LastID()
	if w.lists(Socket) {
		keys, err := sockets.keys()
		w.base.sockets, w.base.noSockets = keys, err != nil
		w.unseen("sockets are not looked at", err)
		if limits := socket.Limits(); err == nil && limits != "" {
			w.unseen("sockets are looked at, but not all", errors.New(limits))
		}
	}
	if w.lists(Process) {
		keys, err := children.keys()
		w.base.children, w.base.noChildren = keys, err != nil
		w.unseen("child processes are not looked at", err)
	}
	for _, p := range cfg.probes {
		if !cfg.wants(kindOf(p)) {
			continue
		}
		ps := &probeState{probe: p, held: make(map[uint64]bool)}
		ids, err := heldBy(p, nil)
		if err != nil {
			cfg.errs = append(cfg.errs, err)
			continue
		}
		for _, id := range ids {
			ps.held[id] = true
		}
		w.probes = append(w.probes, ps)
	}
	w.meter()
	if len(cfg.goleak) > 0 {
		if goroutines.me().Bubble == 0 {
			w.goleak = newGoleakFilter(cfg.goleak)
		} else if t != nil { // goleak sleeps, which may never end there
			t.Logf("leakcheck: goleak's options have no effect in a synctest bubble")
		}
	}
	if w.lists(Goroutine) {
		w.base.goroutines = goroutines.base()
	}
	return w
}

// wants says whether the default probe of the kind is on.
func (w *watch) wants(k Kind) bool { return !w.cfg.instead && w.cfg.wants(k) }

// madeOf says which other kinds are told from a listing of this one.
var madeOf = map[Kind][]Kind{
	Goroutine: {HTTPResponse, HTTPConn, SQLRows, SQLTx, SQLConn},
	Socket:    {HTTPConn},
}

// lists says whether a listing of the kind is needed: for itself, or for a kind that is told from it.
func (w *watch) lists(k Kind) bool {
	if w.wants(k) {
		return true
	}
	for _, other := range madeOf[k] {
		if w.wants(other) {
			return true
		}
	}
	return false
}

// end stops the watch; it must be called once, on the goroutine that began it.
func (w *watch) end() {
	registry.leave(w)
	lease.Live.Unwatch(w.id)
	if w.unmark != nil {
		w.unmark()
	}
}

// exclusive says whether nothing but this test ran while it did, so that whatever is new is its own. A test that is not
// parallel runs alone. Beside a parallel one others may have run that do not call Verify, so it never does.
func (w *watch) exclusive() bool {
	if w.t == nil {
		return true // Take, Check and Main: the caller asked for all that is new
	}
	if parallel, known := isParallel(w.t); known {
		return !parallel
	}
	registry.mu.Lock()
	defer registry.mu.Unlock()
	return w.metCount == 0
}

// suspects names the tests that could have made what cannot be attributed.
func (w *watch) suspects() []string {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	out := append([]string{w.name}, w.met...)
	slices.Sort(out)
	return slices.Compact(out)
}

// watches is who watches now, and what was reported already.
type watches struct {
	mu       sync.Mutex
	active   map[*watch]bool
	main     *watch                  // the watch of Main, which ends after all others
	reported map[report.Key]bool     // what an entry was made of
	pending  map[report.Key]*waiting // what no test could be blamed for while others ran
	tops     map[string]bool         // top-level tests that ever watched
	told     map[string]bool         // what is said once
	runners  map[uint64]label.ID     // goroutines that run a test
	first    map[report.Key]string   // the test that ran alone when the resource first showed
	refused  int                     // calls that could not be reported through a test
}

// waiting is a resource that was new for the tests named.
type waiting struct {
	suspects []string
	probe    Probe // that lists it; nil for the default ones
}

var registry = &watches{
	active:   make(map[*watch]bool),
	reported: make(map[report.Key]bool), pending: make(map[report.Key]*waiting), told: make(map[string]bool), tops: make(map[string]bool), first: make(map[report.Key]string), runners: make(map[uint64]label.ID),
}

// addSuite adds what Main ignores for the whole package.
func (r *watches) addSuite(c *config) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.main != nil {
		c.rules = append(c.rules, r.main.cfg.rules...)
		c.goleak = append(c.goleak, r.main.cfg.goleak...)
	}
}

// hasWatched says whether a top-level test of that name was ever watched.
func (r *watches) hasWatched(top string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tops[top]
}

func (r *watches) enter(w *watch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w.name == "" {
		return // Take and Check are asked at any time and blame nobody
	}
	top, _, _ := strings.Cut(w.name, "/")
	r.tops[top] = true
	for o := range r.active {
		if related(o.name, w.name) {
			continue
		}
		o.meet(w.name)
		w.meet(o.name)
	}
	r.active[w] = true
}

// runsOn notes that the calling goroutine runs the test of the watch: what it starts is the test's, also under labels that
// hide ours.
func (r *watches) runsOn(id label.ID) {
	var buf [64]byte
	self := goroutine.CurrentID(buf[:])
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.runners) >= 2*label.Keep {
		maps.DeleteFunc(r.runners, func(_ uint64, old label.ID) bool { return old+label.Keep < id })
	}
	r.runners[self] = id
}

// runner gives the watch whose test the goroutine runs, or ran; 0 for none.
func (r *watches) runner(goroutine uint64) label.ID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.runners[goroutine]
}

func (w *watch) meet(name string) {
	w.metCount++
	if len(w.met) < maxMet {
		w.met = append(w.met, name)
	}
}

// related: a test and its subtests watch the same thing; the inner one answers for it.
func related(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

// leave ends a watch, and says whether it was the last of the tests that watch, and no Main will look after them: then
// what is pending is reported now. Both in one step, so that of two that end together one is the last.
func (r *watches) leave(w *watch) (last bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.active, w)
	return r.main == nil && len(r.active) == 0
}

// claim marks the keys as reported and says whether any was not before.
func (r *watches) claim(keys []report.Key) (fresh bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range keys {
		if !r.reported[k] {
			fresh = true
			r.reported[k] = true
		}
		delete(r.pending, k)
	}
	return fresh || len(keys) == 0
}

func (r *watches) isReported(k report.Key) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reported[k]
}

// postpone keeps what cannot be attributed until nobody else runs.
func (r *watches) postpone(keys []report.Key, suspects []string, probe Probe) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range keys {
		if r.reported[k] {
			continue
		}
		p := r.pending[k]
		if p == nil {
			p = &waiting{probe: probe}
			r.pending[k] = p
		}
		if len(p.suspects) < maxMet {
			p.suspects = append(p.suspects, suspects...)
		}
	}
}

// suspectsOf gives the tests that could have made a pending resource, and whether there is one.
func (r *watches) suspectsOf(k report.Key) ([]string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.pending[k]
	if !ok {
		return nil, false
	}
	out := slices.Clone(p.suspects)
	slices.Sort(out)
	return slices.Compact(out), true
}

// once says whether the text is said for the first time in this process.
func (r *watches) once(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.told[text] {
		return false
	}
	r.told[text] = true
	return true
}

// unseen says once what cannot be seen on this system.
func (w *watch) unseen(what string, err error) {
	if err == nil {
		return
	}
	text := fmt.Sprintf("leakcheck: %s: %v", what, err)
	if registry.once(text) && w.t != nil {
		w.t.Helper()
		w.t.Logf("%s", text)
	}
}

// holdCollector keeps the garbage collector from running by itself until the check is over, so that what it sees does not
// depend on when that is: the collector closes descriptors that nobody refers to. It is done only while no other test
// runs, for at most the time of the wait; the memory limit goes on working.
func (w *watch) holdCollector() {
	if w.release != nil || !w.exclusive() {
		return
	}
	collector.Lock()
	defer collector.Unlock()
	if collector.holders == 0 {
		collector.percent = debug.SetGCPercent(-1)
	}
	collector.holders++
	w.release = func() {
		collector.Lock()
		defer collector.Unlock()
		if collector.holders--; collector.holders == 0 {
			if now := debug.SetGCPercent(collector.percent); now != -1 {
				debug.SetGCPercent(now) // somebody else has set it since
			}
		}
	}
}

// releaseCollector lets it run again.
func (w *watch) releaseCollector() {
	if w.release != nil {
		w.release()
		w.release = nil
	}
}

var collector struct {
	sync.Mutex
	holders int
	percent int
}

// deadline is when the check must be over: the wait asked for, and in time for the test's own deadline, of which a part
// is left for the report.
func (w *watch) deadline(now time.Time) time.Time {
	end := now.Add(w.cfg.wait)
	d, ok := w.t.(interface{ Deadline() (time.Time, bool) })
	if !ok {
		return end
	}
	at, ok := d.Deadline()
	if !ok {
		return end
	}
	left := at.Sub(now)
	if limit := now.Add(left / 2); limit.Before(end) {
		return limit
	}
	return end
}
