package leakcheck

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/report"
	"github.com/leakgate/leakgate/internal/roundtrip"
	"github.com/leakgate/leakgate/internal/socket"
)

// watch is one check from its beginning to its end: what there was, whose it is, and what to look at.
type watch struct {
	id     label.ID
	name   string // the test; "" for Take and Check
	t      TB     // nil for Take, Check and Main
	cfg    *config
	unmark func()

	scenario  scenario // t, when it is one; nil otherwise
	isMain    bool
	pooled    bool                     // it wants to know of idle connections too
	settled   func([]report.Leak) bool // says that a whole wait has shown all of these before; nil where none has
	looked    bool                     // there was a look, and there is a reason for another
	release   func()                   // lets the garbage collector run again; nil when it may
	reporting bool                     // t.Errorf runs
	erred     bool                     // what made the test fail is an error of the check's own

	base   heldBefore
	probes []*probeState
	meters []func() []Usage
	ends   []ending                          // of what follows the test
	amend  func([]report.Leak) []report.Leak // changes what is about to be reported; may be nil
	goleak *goleakFilter
	run    *testRun // nil when nobody wants to know
	ruled  *ruled   // nil until there is something

	// Who else ran, and how the test failed. Guarded by registry.mu.
	met     []string // names of watches that overlapped, not more than maxMet
	ceiling bool     // the test has failed for a ceiling of Sample, and for nothing before that
}

// maxMet bounds how many names of overlapping tests one watch keeps.
const maxMet = 32

// heldBefore is what was held when the watch began.
type heldBefore struct {
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
	joinAgent()
	w := &watch{id: label.NewID(), name: name, t: t, cfg: cfg}
	cfg.refuseWarmUp()
	if mark {
		w.unmark = label.Mark(w.id, name)
		registry.runsOn(w.id)
	}
	if sc, ok := t.(scenario); ok {
		w.scenario = sc
		if addr := sc.Server(); addr.IsValid() {
			label.Claim(addr, w.id)
		}
	}
	w.claimsTest()
	registry.enter(w)
	lease.Live.Watch(w.id)
	if !cfg.instead {
		roundtrip.CoverDefault()
	}
	w.base.leases = lease.Live.LastID()
	if w.lists(Process) {
		keys, err := children.keys()
		w.base.children, w.base.noChildren = keys, err != nil
		w.unseen("child processes are not looked at", err)
	}
	for _, p := range cfg.probes {
		if !cfg.wantsProbe(p) {
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
	w.startFollowers()
	w.watchRemotes()
	w.startWarnings()
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
	// After the goroutines: of a connection that others open meanwhile, the sockets must not be new where the goroutines that
	// explain them are not.
	if w.lists(Socket) {
		keys, err := sockets.keys()
		w.base.sockets, w.base.noSockets = keys, err != nil
		w.unseen("sockets are not looked at", err)
		if limits := socket.Limits(); err == nil && limits != "" {
			w.unseen("sockets are looked at, but not all", errors.New(limits))
		}
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
	w.endFollowers()
	registry.leave(w)
	w.forgetClaim()
	if w.owns() {
		w.run.count()
	}
	lease.Live.Unwatch(w.id)
	if w.unmark != nil {
		w.unmark()
	}
	if _, ok := w.t.(interface{ Cleanup(func()) }); !ok && w.owns() {
		w.endRun()
	}
}

// exclusive says whether nothing but this test ran while it did, so that whatever is new is its own. A test that is not
// parallel runs alone. Beside a parallel one others may have run that do not call Verify, so it never does.
func (w *watch) exclusive() bool {
	if w.t == nil {
		return true // Take, Check and Main: the caller asked for all that is new
	}
	if w.scenario != nil && w.scenario.Beside() {
		return false
	}
	if parallel, known := isParallel(w.t); known {
		return !parallel
	}
	registry.mu.Lock()
	defer registry.mu.Unlock()
	return len(w.met) == 0
}

// suspects names the tests that could have made what cannot be attributed.
func (w *watch) suspects() []string {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	out := append([]string{w.name}, w.met...)
	slices.Sort(out)
	return slices.Compact(out)
}

func (w *watch) meet(name string) {
	if len(w.met) < maxMet {
		w.met = append(w.met, name)
	}
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
