//go:build !leakgate_deep

package leakcheck

import (
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/deep/bridge"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/origin"
	"github.com/leakgate/leakgate/internal/report"
)

// Under leakgate test the binary has an agent, which looks at every test with a copy of this package. The tests that call
// this one are its own: it judges them, with what the agent knows of who took what, and the agent stands back. Elsewhere, and
// beside an agent of a version that does not offer all of this, nothing here does anything.

// who is what messages begin with.
const who = "leakcheck"

// isAgent says whether this copy is the agent's, which sees every test.
const isAgent = false

// deepFlag is what a command needs to run the tests as they are run now.
func deepFlag() string {
	if far.Load() != nil {
		return "-deep "
	}
	return ""
}

// far is the agent.
var far struct {
	sync.Mutex
	atomic.Pointer[bridge.Far] // nil until joinAgent has found it
	none                       atomic.Bool
}

// joinAgent begins to use the agent's tables. It is called before a watch begins.
func joinAgent() {
	if far.Load() != nil || far.none.Load() {
		return
	}
	far.Lock()
	defer far.Unlock()
	offer, can := bridge.Offered()
	switch {
	case far.Load() != nil:
	case !can:
		far.none.Store(true)
	case offer == nil: // not begun yet, or no test binary's main process
	default:
		f := bridge.Take(offer)
		if f == nil {
			far.none.Store(true)
			return
		}
		label.Share(label.Tables{IDs: f.LabelIDs(), Mark: f.Mark, Owner: f.Owner, Name: f.Name, Parent: f.Parent})
		lease.Live.ShareIDs(f.LeaseIDs())
		origin.Know(farOrigins{f})
		far.Store(f)
	}
}

// farOrigins are what the agent knows of descriptors and processes.
type farOrigins struct{ f *bridge.Far }

func (o farOrigins) Descriptor(fd int) (origin.Origin, bool) {
	pcs, test, l, ok := o.f.Descriptor(fd)
	return origin.Origin{PCs: pcs, Test: label.ID(test), Lease: l}, ok
}

func (o farOrigins) Process(pid int) (origin.Origin, bool) {
	pcs, test, ok := o.f.Process(pid)
	return origin.Origin{PCs: pcs, Test: label.ID(test)}, ok
}

func (o farOrigins) Changes() uint64 { return o.f.Changes() }

// claimsTest tells the agent that the watch judges its test. A check of one pool or client judges no test.
func (w *watch) claimsTest() {
	if f := far.Load(); f != nil && w.t != nil && !w.cfg.instead {
		if t, ok := innermost(w.t).(*testing.T); ok {
			f.ClaimTest(t)
		}
	}
}

// claimsMain tells the agent that the watch looks at what is left when all tests have run, and that it is to be asked for what
// is ignored in all of them.
func claimsMain(w *watch) {
	f := far.Load()
	if f == nil {
		return
	}
	f.ClaimMain(func(text []byte) string {
		var l report.Leak
		if json.Unmarshal(text, &l) != nil {
			return ""
		}
		return w.ignoredBy(&l)
	})
}

// reportElsewhere notes in the agent that something was reported, and says whether it was not before.
func reportElsewhere(k report.Key) bool {
	f := far.Load()
	return f == nil || f.Report(k.List, k.ID)
}

func isReportedElsewhere(k report.Key) bool {
	f := far.Load()
	return f != nil && f.Reported(k.List, k.ID)
}

// suspectsElsewhere gives the tests that could have made what the agent could not attribute.
func suspectsElsewhere(k report.Key) ([]string, bool) {
	if f := far.Load(); f != nil {
		return f.Suspects(k.List, k.ID)
	}
	return nil, false
}

// farLease is a lease that the agent tracks.
type farLease struct {
	now  func() uint32
	info func() []byte
}

func (l farLease) Now() lease.State { return lease.State(l.now()) }

func (l farLease) Info() (info lease.Info) {
	_ = json.Unmarshal(l.info(), &info) // what a newer version does not have stays empty
	return info
}

// farKinds are the agent's pools, by kind.
var farKinds sync.Map // string -> *lease.Pool

// deepLeases lists the leases that the agent tracks, those alone that nobody tracks here: what knows more of a pool says more.
func deepLeases(after uint64, keep func(kind string, db uintptr) bool) (out []*lease.Lease) {
	f := far.Load()
	if f == nil {
		return nil
	}
	f.Leases(after, func(id, test uint64, kind string, db uintptr, pcs []uintptr, now func() uint32, info func() []byte) {
		if !keep(kind, db) {
			return
		}
		pool, ok := farKinds.Load(kind)
		if !ok {
			pool, _ = farKinds.LoadOrStore(kind, lease.Elsewhere(kind))
		}
		out = append(out, pool.(*lease.Pool).Describe(id, label.ID(test), pcs, farLease{now, info}))
	})
	if len(out) == 0 {
		return nil
	}
	here := make(map[uint64]bool)
	var single []*lease.Lease // of databases; the newest first
	for _, l := range slices.Backward(lease.Live.All(nil)) {
		twin := lease.TwinOf(l)
		here[twin] = true
		if twin == 0 && l.Pool().Kind() == string(SQLConn) {
			single = append(single, l)
		}
	}
	alone := out[:0]
	for _, l := range out {
		if here[l.ID()] {
			continue
		}
		if i := slices.IndexFunc(single, func(of *lease.Lease) bool { return sameLease(of, l) }); i >= 0 {
			single = slices.Delete(single, i, i+1)
			continue
		}
		alone = append(alone, l)
	}
	return alone
}

// sameLease says whether a lease of a connection that is tracked here is one that the agent tracks, which nobody has told because
// there is a wrapper of the program's between database/sql and ours. Then database/sql has taken the one here for the other: on the
// same stack, further in, and a moment before.
func sameLease(here, far *lease.Lease) bool {
	in, out := here.PCs(), far.PCs()
	if far.Pool().Kind() != string(SQLConn) || here.ID() > far.ID() || here.Test() != far.Test() || len(out) < 2 || len(in) < len(out) {
		return false
	}
	out = out[1:] // the first is where database/sql calls the hook
	return slices.Equal(in[len(in)-len(out):], out)
}

// isDeep says whether the agent tracks a lease.
func isDeep(l *lease.Lease) bool {
	_, ok := l.Owner().(farLease)
	return ok
}

// deepPools calls each with every *sql.DB that is open.
func deepPools(each func(id uint64, db uintptr, pcs []uintptr)) {
	if f := far.Load(); f != nil {
		f.Pools(each)
	}
}

// tellsLeaked tells the agent that the watch is about to fail its test for leaks, so that this does not keep it from judging what
// else the test has left.
func (w *watch) tellsLeaked() {
	if f := far.Load(); f != nil && w.t != nil {
		if t, ok := innermost(w.t).(*testing.T); ok {
			f.Leaked(t)
		}
	}
}

// recordsElsewhere says whether the agent writes the report of the process, which has the tests of both.
func recordsElsewhere() bool {
	joinAgent()
	return far.Load() != nil
}

func recordLeakElsewhere(l fragment.Leak) {
	if f := far.Load(); f != nil {
		if text, err := json.Marshal(l); err == nil {
			f.RecordLeak(text)
		}
	}
}

func recordIgnoredElsewhere(ig fragment.Ignored) {
	if f := far.Load(); f != nil {
		if text, err := json.Marshal(ig); err == nil {
			f.RecordIgnored(text)
		}
	}
}

func recordEndElsewhere(passed bool, code int, unused []string) {
	if f := far.Load(); f != nil {
		f.RecordEnd(passed, code, unused)
	}
}

func (w *watch) isLeft() bool { return false }

func (w *watch) isOfLeft(report.Leak) bool { return false }

func (w *watch) failedElsewhere() bool { return false }

func (w *watch) forgetClaim() {}

func mainIsLeft() bool { return false }

func withinLeft(TB) bool { return false }

func ignoredElsewhere(*report.Leak) string { return "" }
