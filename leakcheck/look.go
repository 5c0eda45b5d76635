package leakcheck

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/dbpool"
	"github.com/leakgate/leakgate/internal/fold"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/origin"
	"github.com/leakgate/leakgate/internal/process"
	"github.com/leakgate/leakgate/internal/report"
	"github.com/leakgate/leakgate/internal/roundtrip"
	"github.com/leakgate/leakgate/internal/socket"
)

// sight is what one look found, explained.
type sight struct {
	leaks   []report.Leak // of this test, not ignored, not reported before
	unknown []report.Leak // of nobody in particular, while others ran
	notes   []report.Leak // nothing is held now
	ignored []report.Ignored
	excused []report.Key // what the ignored entries are made of
	errs    []error
	input   fold.Input // what the leaks were made of
	fresh   []socket.Ref
	pooled  []report.Leak // idle connections, when the watch asks for them
	guessed bool          // see fold.Output
}

func (s *sight) clean() bool {
	return len(s.leaks) == 0 && len(s.unknown) == 0 && len(s.notes) == 0 && len(s.ignored) == 0 && len(s.errs) == 0
}

// look lists what is new since the watch began, sockets first: what nobody refers to may be gone at the next collection.
func (w *watch) look() sight {
	var s sight
	if w.lists(Socket) && !w.base.noSockets {
		done := label.Listing()
		s.fresh, _ = sockets.since(w.base.sockets) // an error was told when the watch began
		done()
		if len(s.fresh) > 0 {
			w.holdCollector()
		}
	}
	leases := w.newLeases()
	var kids []process.Ref
	if w.lists(Process) && !w.base.noChildren {
		kids, _ = children.since(w.base.children)
	}
	probed, errs := w.newProbed()
	s.errs = errs
	var gs []found
	if w.lists(Goroutine) {
		gs = goroutines.since(w.base.goroutines, w.looked || !w.exclusive())
	}
	w.looked = true
	if len(s.fresh)+len(leases)+len(kids)+len(gs)+len(probed) == 0 {
		return s
	}
	if w.cfg.instead && len(leases) > 0 {
		// Not looked at, but it belongs to a leased response and makes its entry complete.
		s.fresh = allSockets()
		gs = goroutines.everything()
	}
	s.input = w.input(s.fresh, leases, kids, gs)
	w.explain(&s, probed)
	return s
}

// lookSure is look; where that had to guess, it may be several.
func (w *watch) lookSure() sight { return w.sure(w.look) }

// sure looks again as long as a look took a connection for that of a goroutine which may be about to end: a server's that has
// just closed its own, or one of a scenario beside this one. For 63 ms at most, and not where one look was asked for.
func (w *watch) sure(look func() sight) sight {
	s := look()
	if !s.guessed || w.cfg.wait == 0 && w.scenario == nil {
		return s
	}
	bubble := goroutines.me().Bubble != 0
	for pause := time.Millisecond; s.guessed && pause < 64*time.Millisecond; pause *= 2 {
		if bubble {
			runtime.Gosched() // a sleep might never end
		} else {
			time.Sleep(pause)
		}
		s = look()
	}
	return s
}

// allSockets lists every socket.
func allSockets() (out []socket.Ref) {
	_ = sockets.list(func(refs []socket.Ref) { out = slices.Clone(refs) })
	return out
}

// newLeases lists the tracked leases taken since the watch began: of all pools, or of those that the probes name.
func (w *watch) newLeases() []*lease.Lease {
	every := make(map[string]bool)
	for kind, tells := range toldBy {
		every[kind] = slices.ContainsFunc(tells, w.wants)
	}
	pools := make(map[*lease.Pool]bool)
	dbs := make(map[uintptr]bool)
	for _, ps := range w.probes {
		if p, ok := ps.probe.(plainDB); ok && p.Address() != 0 {
			dbs[p.Address()] = true
		}
		if p, ok := ps.probe.(leaser); ok {
			pools[p.LeasePool()] = true
		}
	}
	out := lease.Live.All(func(l *lease.Lease) bool {
		return l.ID() > w.base.leases && (every[l.Pool().Kind()] || pools[l.Pool()])
	})
	return append(out, deepLeases(w.base.leases, func(kind string, db uintptr) bool {
		return every[kind] || dbs[db] && kind == string(SQLConn)
	})...)
}

// toldBy says which kinds are told from the leases of a kind of pool.
var toldBy = map[string][]Kind{
	string(HTTPConn): {HTTPResponse},
	string(SQLConn):  {SQLRows, SQLTx, SQLConn},
	string(SQLStmt):  {SQLStmt},
	string(PgxConn):  {PgxConn, PgxRows, SQLRows, SQLTx, SQLConn}, // database/sql may stand above a pgx pool
	string(PgxRows):  {PgxRows},
	"pgx-single":     {PgxConn}, // connections that no pool has opened
	string(File):     {File},    // these two are tracked in deep mode
	string(Socket):   {Socket},
}

// leaser is a probe of this module whose resources are tracked leases: the check explains them with all it knows.
type leaser interface {
	LeasePool() *lease.Pool
	// FailUnclosed says that a lease that holds nothing but was never closed fails the test too.
	FailUnclosed() bool
}

// plainDB is a probe of this module that counts the leases of a sql.DB that is not tracked: it has the line of each in deep mode
// alone.
type plainDB interface {
	// Address is that of the sql.DB; 0 when it counts something else.
	Address() uintptr
}

type probedID struct {
	probe Probe
	id    uint64
}

func (w *watch) newProbed() (out []probedID, errs []error) {
	for _, ps := range w.probes {
		if _, ok := ps.probe.(leaser); ok {
			continue
		}
		ids, err := heldBy(ps.probe, nil)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, id := range ids {
			if !ps.held[id] {
				out = append(out, probedID{ps.probe, id})
			}
		}
	}
	return out, errs
}

// input describes what is new and says whose it is.
func (w *watch) input(fresh []socket.Ref, leases []*lease.Lease, kids []process.Ref, gs []found) fold.Input {
	in := fold.Input{Openers: w.cfg.openers, Pooled: w.pooled}
	exclusive := w.exclusive()
	unknown := fold.Blame{Test: w.name}
	if !exclusive {
		unknown = fold.Blame{Suspects: w.suspects()}
	}
	others := fold.Blame{Other: true}

	fails := make(map[*lease.Pool]bool)
	for _, ps := range w.probes {
		if p, ok := ps.probe.(leaser); ok && p.FailUnclosed() {
			fails[p.LeasePool()] = true
		}
	}
	for _, l := range leases {
		now := l.Now()
		if now == lease.Released {
			continue
		}
		b := w.blameLease(l, unknown)
		in.Leases = append(in.Leases, fold.Lease{ID: l.ID(), PCs: l.PCs(), Info: l.Info(), Now: now, Blame: b, Fail: fails[l.Pool()], Twin: lease.TwinOf(l), Deep: isDeep(l)})
	}
	described := make([]socket.Socket, 0, len(fresh))
	for _, r := range fresh {
		if s, ok := socket.Describe(r); ok {
			described = append(described, s)
		}
	}
	for _, s := range described {
		b := w.blameSocket(s, described, w.blameKey(report.Key{List: "socket", ID: s.Key()}, unknown))
		from, _ := origin.Descriptor(s.FD)
		if from.Test != 0 {
			b = w.blameID(from.Test, label.NameOf(from.Test))
		}
		if !w.lists(Socket) {
			b = others
		}
		in.Sockets = append(in.Sockets, fold.Socket{Socket: s, Blame: b, PCs: from.PCs, Role: from.Role, From: from.From, Lease: from.Lease})
	}
	for _, r := range kids {
		if c, ok := process.Describe(r); ok {
			b := w.blameKey(report.Key{List: "process", ID: r.ID}, unknown)
			from, _ := origin.Process(r.PID)
			if from.Test != 0 {
				b = w.blameID(from.Test, label.NameOf(from.Test))
			}
			in.Children = append(in.Children, fold.Child{Child: c, ID: r.ID, Blame: b, PCs: from.PCs})
		}
	}
	for _, f := range gs {
		if w.scenario != nil && ofMockserver(f) {
			continue // nothing is explained by it: whose its connections are is known
		}
		b := w.blameGoroutine(f, unknown)
		if !w.lists(Goroutine) { // it explains, and is not reported
			b.Other, b.Sure = true, false
		}
		in.Goroutines = append(in.Goroutines, fold.Goroutine{Goroutine: f.Goroutine, Role: f.role, Blame: b, Older: f.older})
	}
	in.ConnOf = roundtrip.ConnOf
	in.PoolOfDial = roundtrip.PoolOfDial
	in.SQLOpen = sqlOpen
	for _, p := range dbpool.All() {
		in.Pools = append(in.Pools, fold.Pool{View: p, New: p.ID > w.base.leases})
	}
	singletons.apply(&in)
	deepPools(func(id uint64, db uintptr, pcs []uintptr) {
		for i := range in.Pools {
			p := &in.Pools[i]
			if p.DB == 0 && !p.Gone && p.Seen == db {
				p.DB = db // the program has made it of a wrapped connector
			}
			if p.DB == db {
				return
			}
		}
		in.Pools = append(in.Pools, fold.Pool{View: dbpool.View{ID: id, DB: db, PCs: pcs}, New: id > w.base.leases})
	})
	return in
}

// blameKey: what carries no label was first seen while one test ran alone, or waits to be attributed.
func (w *watch) blameKey(k report.Key, unknown fold.Blame) fold.Blame {
	if !w.isMain {
		return unknown
	}
	if test := registry.seenIn(k); test != "" {
		return fold.Blame{Test: test}
	}
	if suspects, ok := registry.suspectsOf(k); ok {
		return fold.Blame{Suspects: suspects}
	}
	if suspects, ok := suspectsElsewhere(k); ok {
		return fold.Blame{Suspects: suspects}
	}
	return unknown
}

// blameGoroutine: labels are exact, and so is the goroutine that started it when it runs a test; without those, a function
// of the test in the stack; without that, whoever ran alone.
func (w *watch) blameGoroutine(f found, unknown fold.Blame) fold.Blame {
	if b, ok := w.blameConn(f); ok {
		return b
	}
	if f.role == goroutine.RoleClientLeased {
		return w.blameLeased(f, unknown)
	}
	if !f.older {
		if v, ok := f.Label(label.Key); ok {
			if id, name, ok := label.Parse(v); ok {
				return w.blameID(id, name)
			}
		}
		if id := registry.runner(f.CreatorID); id != 0 && f.CreatorID != 0 {
			return w.blameID(id, label.NameOf(id))
		}
		if b, ok := w.blameStack(append(slices.Clone(f.Frames), f.CreatedBy)); ok {
			return b
		}
	}
	return w.blameKey(report.Key{List: "goroutine", ID: f.ID}, unknown)
}

// blameLeased: the loop of a connection has the label of the test that dialled it, which need not be the one that holds
// its response. With the test alone in the process it is, and so it is with a scenario that has its server to itself.
func (w *watch) blameLeased(f found, unknown fold.Blame) fold.Blame {
	if w.isMain {
		return w.blameKey(report.Key{List: "goroutine", ID: f.ID | fold.LeasedBit}, unknown)
	}
	v, _ := f.Label(label.Key)
	if id, name, ok := label.Parse(v); ok && (w.all() || w.scenario != nil && !w.exclusive()) {
		return w.blameID(id, name)
	}
	return unknown
}

func (w *watch) blameLease(l *lease.Lease, unknown fold.Blame) fold.Blame {
	if w.cfg.instead && l.Pool().Kind() == string(HTTPConn) { // the client was given to this test
		return fold.Blame{Test: w.name}
	}
	if id := l.Test(); id != 0 {
		return w.blameID(id, label.NameOf(id))
	}
	if b, ok := w.blameStack(callsite.Expand(l.PCs())); ok {
		return b
	}
	return w.blameKey(report.Key{List: "lease", ID: l.ID()}, unknown)
}

// blameID: what carries the label of another watch of the same test, or of a subtest, is the test's too. The inner check
// comes first, and what it reported is not reported again.
func (w *watch) blameID(id label.ID, name string) fold.Blame {
	mine := id == w.id || w.all() || name == w.name || strings.HasPrefix(name, w.name+"/")
	return fold.Blame{Test: name, Other: !mine}
}

// all says that the watch reports what is new whoever made it: Take, Check and Main.
func (w *watch) all() bool { return w.t == nil }

// blameStack looks for the function of a test. A function that merely has such a name (TestServer, as a helper) is none:
// only a test that has watched counts as another.
func (w *watch) blameStack(stack []callsite.Frame) (fold.Blame, bool) {
	top, _, _ := strings.Cut(w.name, "/")
	for _, f := range stack {
		test := testFunc(f.Func)
		switch {
		case test == "":
		case test == top:
			if w.name != top && !w.exclusive() {
				return fold.Blame{}, false // one of the test's subtests, but which?
			}
			return fold.Blame{Test: w.name}, true
		case registry.hasWatched(test):
			return fold.Blame{Test: test, Other: !w.all()}, true
		case w.all() && callsite.IsTestFile(f):
			return fold.Blame{Test: test}, true
		}
	}
	return fold.Blame{}, false
}

// testFunc gives the test that a function is, or is a closure of: "TestA" for "example.com/app_test.TestA.func1".
func testFunc(fn string) string {
	_, name, ok := strings.Cut(fn[strings.LastIndexByte(fn, '/')+1:], ".")
	if !ok {
		return ""
	}
	name, _, _ = strings.Cut(name, ".")
	for _, prefix := range []string{"Test", "Benchmark", "Fuzz", "Example"} {
		rest, ok := strings.CutPrefix(name, prefix)
		if ok && (rest == "" || rest[0] < 'a' || rest[0] > 'z') && name != "TestMain" {
			return name
		}
	}
	return ""
}

// explain folds the input into leaks, asks the probes for theirs, and sorts out what is ignored, reported or nobody's.
func (w *watch) explain(s *sight, probed []probedID) {
	out := fold.Fold(s.input)
	s.guessed = out.Guessed
	leaks := append(out.Leaks, out.Pooled...)
	for _, p := range probed {
		l, ok, err := describe(p.probe, p.id)
		switch {
		case err != nil:
			s.errs = append(s.errs, err)
		case ok:
			b := fold.Blame{Test: w.name}
			if suspects, ok := registry.suspectsOf(report.Key{List: probeList(p.probe), ID: p.id}); ok {
				b = fold.Blame{Suspects: suspects}
			} else if !w.exclusive() {
				b = fold.Blame{Suspects: w.suspects()}
			}
			leaks = append(leaks, fromPublic(l, p, b))
		}
	}
	leaks = foldCounted(leaks, s.input.Leases)
	ignored := make(map[string]int)
	keep := leaks[:0]
	for _, l := range leaks {
		if !w.cfg.wants(Kind(l.Kind)) || w.known(l) {
			continue
		}
		if l.Test == label.Shared {
			l.Note, l.Why = true, singletons.says(l)
		}
		if r := w.ignoredBy(&l); r != "" {
			ignored[r] += max(l.Count, 1)
			s.excused = append(s.excused, l.Keys...)
			continue
		}
		keep = append(keep, l)
	}
	for _, l := range report.Finish(keep) {
		switch {
		case w.pooled && l.Code == fold.CodeIdle && (l.Test != "" || w.all()):
			s.pooled = append(s.pooled, l)
		case l.Note:
			s.notes = append(s.notes, l)
		case l.Test == "" && len(l.Suspects) > 0 && !w.all():
			s.unknown = append(s.unknown, l)
		default:
			s.leaks = append(s.leaks, l)
		}
	}
	for reason, n := range ignored {
		s.ignored = append(s.ignored, report.Ignored{Reason: reason, Count: n})
	}
	slices.SortFunc(s.ignored, func(a, b report.Ignored) int { return strings.Compare(a.Reason, b.Reason) })
}

// known says that the leak was reported already, or belongs to a test that failed by itself.
func (w *watch) known(l report.Leak) bool {
	if w.all() && !w.isMain { // Take and Check say what is held, whoever said it before
		return false
	}
	if len(l.Keys) == 0 {
		return false
	}
	return registry.isReported(l.Keys[0]) || w.isOfLeft(l)
}

// ignoredBy gives the reason of the rule that sets the leak aside, or "".
func (w *watch) ignoredBy(l *report.Leak) string {
	if len(w.cfg.rules) > 0 {
		p := toPublic(*l)
		for _, r := range w.cfg.rules {
			if r.matches(&p) {
				rules.hit(r)
				return r.reason
			}
		}
	}
	if w.goleakIgnores(l) {
		return "goleak options"
	}
	return ignoredElsewhere(l)
}

// heldBy asks a probe and turns a panic into an error.
func heldBy(p Probe, ids []uint64) (out []uint64, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("leakcheck: probe %q panicked in Held: %v: it sees nothing in this test", kindOf(p), r)
		}
	}()
	out, err = p.Held(ids)
	if err != nil {
		return nil, fmt.Errorf("leakcheck: probe %q could not list what is held: %w", kindOf(p), err)
	}
	return out, nil
}

func describe(p Probe, id uint64) (l Leak, ok bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("leakcheck: probe %q panicked in Describe(%d): %v", kindOf(p), id, r)
			if e, isErr := r.(error); isErr {
				err = errors.Join(err, e)
			}
		}
	}()
	l, ok = p.Describe(id)
	return l, ok, nil
}

// kindOf asks for a probe's kind; a panic gives "".
func kindOf(p Probe) (k Kind) {
	defer func() {
		if recover() != nil {
			k = ""
		}
	}()
	return p.Kind()
}
