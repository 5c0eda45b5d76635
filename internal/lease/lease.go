// Package lease is the live table of tracked leases: what a pool of connections (HTTP or SQL) has lent out and not
// got back, who took it, and what each watch used of each pool.
//
// The owner of a pool calls Pool.Take when it lends something out and Lease.Release when it comes back. The table
// never refers to the thing lent, so that it keeps nothing alive.
//
// It uses the standard library alone and knows nothing of tests or modules.
package lease

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/leakgate/leakgate/internal/callstack"
	"github.com/leakgate/leakgate/internal/label"
)

// MaxDepth is the number of frames kept of the stack that took a lease.
const MaxDepth = callstack.MaxDepth

// Moment is a time as what leases need it for: to tell how long ago something was. Reading the wall clock too, as time.Now
// does, takes twice as long.
type Moment time.Duration

// began is what moments are counted from.
var began = time.Now()

// Now is the present moment.
func Now() Moment { return Moment(time.Since(began)) }

// Sub is the time from u to m.
func (m Moment) Sub(u Moment) time.Duration { return time.Duration(m - u) }

// State is what a lease is now.
type State uint32

const (
	// Held: the thing lent is still out.
	Held State = iota
	// Unclosed: the pool has its connection back (the body was read to EOF, or the request's context ended), but the
	// code never closed what it was given. Nothing is held; the code holds on another day.
	Unclosed
	// Released: closed, as it should be.
	Released
)

// Info is what the owner of a pool knows of one lease, for a report. It is asked for when a lease has to be
// described, never on the fast path.
type Info struct {
	Kind     string         // the kind of resource: "http-response"
	Summary  string         // what it is: "response body of GET /session (403 Forbidden, awselb/2.0)"
	State    string         // what it is doing now, in words: "12 of 118 bytes read"
	Code     string         // the code of this kind of leak: "LK001"
	Hint     string         // the call that is missing
	Late     bool           // nothing is held now, but was until something ended it that is not the code's doing
	Note     string         // one more sentence for the report, or ""
	Local    netip.AddrPort // own address of the connection below; not valid when there is none
	Remote   netip.AddrPort // peer's address of the connection below
	Socket   uint64         // identity of the socket below, as in socket.Ref; 0 when it is not known
	LoopID   uint64         // goroutine that runs the connection; 0 when not known
	Protocol string         // "HTTP/1.1", "HTTP/2.0", ...
	Provable bool           // a garbage collection may prove that nothing refers to it any more: Info says so from then on

	// Of leases of a database.
	Path    string // of a unix socket that the connection leads to; Local and Remote are not valid then
	Library string // import path of what stands between the program and the pool, whose frames are no call sites; "" for none
	Moving  bool   // a call works on it now, so that it may end by itself
	Txs     int    // transactions that are open on it, each with a goroutine of database/sql
	Rows    int    // rows that may be open on it, each with such a goroutine when its context can be cancelled
	Watches int    // queries that run, each with a goroutine of the driver when its context can be cancelled
	Kept    bool   // a library may keep it for the next use: it is told, and is no leak
	Within  uint64 // the lease that this one is a part of while that one is held, or the database pool whose end ends it; 0 for none
}

// Owner describes leases of one kind.
type Owner interface {
	// Now says what the lease is at this moment.
	Now() State
	// Info describes the lease.
	Info() Info
}

// Lease is one thing lent out. Its zero value is one that was not taken yet.
type Lease struct {
	pool  atomic.Pointer[Pool] // nil until it was taken; what follows does not change once it is set
	id    uint64
	test  label.ID
	taken Moment
	owner Owner
	stack *callstack.Stack

	// Guarded by table.mu.
	watch      *tally // of the watch that it was taken under, nil when there was none
	live       bool   // in the table
	back       bool   // counts as leased no longer
	released   bool   // closed
	prev, next *Lease // the table's list
	cover      *Lease // the same thing, lent on by another pool
	ask        *Ask   // that it is the answer to; nil for none

	whenBack func(Moment) // see WhenBack
}

// ID is unique in this process, and never 0.
func (l *Lease) ID() uint64 { return l.id }

// Pool is where the lease was taken; nil when it was not.
func (l *Lease) Pool() *Pool { return l.pool.Load() }

// Test is the watch that the lease was taken under, 0 when not known.
func (l *Lease) Test() label.ID { return l.test }

// Owner describes the lease.
func (l *Lease) Owner() Owner { return l.owner }

// Taken is when the lease was taken.
func (l *Lease) Taken() Moment { return l.taken }

// PCs are the program counters of the stack that took the lease, innermost first. They must not be changed.
func (l *Lease) PCs() []uintptr { return l.stack.PCs() }

// Now says what the lease is at this moment.
func (l *Lease) Now() State { return l.owner.Now() }

// Info describes the lease.
func (l *Lease) Info() Info { return l.owner.Info() }

// firstSweep is how many leases there are before the table looks for those that ended without an event.
const firstSweep = 1024

// Table holds the leases that are out, in the order in which they were taken. Its zero value is ready.
type Table struct {
	mu          sync.Mutex
	first, last *Lease
	n           int
	sweepAt     int
	watch       map[label.ID]*watch
	measures    []*Measure
	byID        map[uint64]*Lease // those up to indexed; nil until Get had far to go
	indexed     uint64
	pools       []weak.Pointer[Pool] // those that were made, as long as they are referred to

	watching  atomic.Int64
	measuring atomic.Int32
	lastID    atomic.Uint64
	shared    atomic.Pointer[atomic.Uint64] // counts instead of lastID; nil where this copy of the package is alone
}

// Live is the table of this process. There is one, because what a process holds is one thing.
var Live Table

// Watching says whether anybody looks at the table now. When nobody does, owners need not take leases.
func (t *Table) Watching() bool { return t.watching.Load() > 0 }

// LastID is the highest ID given so far: leases taken from now on have a higher one.
func (t *Table) LastID() uint64 { return t.IDs().Load() }

// All lists the leases that are not released, the oldest first; a nil filter keeps all. The filter must not call into the
// table. A lease that another one covers is left out.
func (t *Table) All(keep func(*Lease) bool) []*Lease {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []*Lease
	for l := t.first; l != nil; l = l.next {
		if (l.cover == nil || !l.cover.live) && (keep == nil || keep(l)) {
			out = append(out, l)
		}
	}
	return out
}

// near is how many leases Get looks at, the newest first, before it makes an index. Most that are asked for are new, and most
// tables short; an index that every lease had to be entered in would cost each of them.
const near = 64

// Get finds a lease by its ID; nil when it was released.
func (t *Table) Get(id uint64) *Lease {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for l := t.last; l != nil && l.id >= id && l.id > t.indexed; l = l.prev { // their order is that of their IDs
		if l.id == id {
			return l
		}
		if n++; n == near {
			t.enter()
			break
		}
	}
	return t.byID[id]
}

// enter brings the index up to the last lease. The table is locked.
func (t *Table) enter() {
	if t.byID == nil {
		t.byID = make(map[uint64]*Lease, t.n)
	}
	for l := t.last; l != nil && l.id > t.indexed; l = l.prev {
		t.byID[l.id] = l
	}
	t.indexed = t.last.id
}

// Len counts the leases that are not released.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n
}

func (t *Table) link(l *Lease) {
	l.live, l.prev, l.next = true, t.last, nil
	if t.last == nil {
		t.first = l
	} else {
		t.last.next = l
	}
	t.last = l
	t.n++
}

func (t *Table) unlink(l *Lease) {
	if !l.live {
		return
	}
	if l.prev == nil {
		t.first = l.next
	} else {
		l.prev.next = l.next
	}
	if l.next == nil {
		t.last = l.prev
	} else {
		l.next.prev = l.prev
	}
	l.live, l.prev, l.next, l.cover = false, nil, nil, nil
	t.n--
	if t.byID != nil {
		delete(t.byID, l.id)
		if len(t.byID) == 0 {
			t.byID, t.indexed = nil, 0
		}
	}
}

// sweep asks every lease what it is, so that those whose end makes no event are forgotten when nobody watches.
func (t *Table) sweep() {
	t.mu.Lock()
	all := make([]*Lease, 0, t.n)
	for l := t.first; l != nil; l = l.next {
		all = append(all, l)
	}
	t.mu.Unlock()
	for _, l := range all {
		if l.Now() == Unclosed { // it locks the table itself
			l.Return()
		}
	}
	t.mu.Lock()
	t.sweepAt = 2 * t.n
	t.mu.Unlock()
}

// Pool is one source of leases: a transport, a database.
type Pool struct {
	table *Table
	id    uint64
	kind  string
	name  string
	size  func() int
	asks  bool // see CountsByAsk

	// Since the pool was made; guarded by table.mu.
	total tally
	taken uint64
	peaks []peak
}

// NewPool registers a pool. kind is the kind of connection it lends ("http-conn"), name what a reader calls it. size
// gives the most connections it keeps or lends, 0 for "no limit"; it may be nil.
func (t *Table) NewPool(kind, name string, size func() int) *Pool {
	p := &Pool{table: t, id: t.IDs().Add(1), kind: kind, name: name, size: size}
	t.register(p)
	return p
}

// ID is unique among pools and leases of this process.
func (p *Pool) ID() uint64 { return p.id }

// Kind is the kind of connection that the pool lends.
func (p *Pool) Kind() string { return p.kind }

// Name is what a reader calls the pool.
func (p *Pool) Name() string { return p.name }

// Size is the most connections that the pool keeps or lends; 0 when there is no limit or it is not known.
func (p *Pool) Size() int {
	if p.size == nil {
		return 0
	}
	return p.size()
}

// Take puts a lease into the table, for the watch that the calling goroutine belongs to. The stack is captured with skip
// frames left out, as runtime.Callers counts them (0 is Take's caller). l may be a part of a larger struct, so that a
// lease costs no allocation of its own; it must not have been taken before.
func (p *Pool) Take(l *Lease, owner Owner, skip int) { p.TakeFor(label.Owner(), l, owner, skip+1) }

// TakeFor is Take for a watch that the caller has found out already.
func (p *Pool) TakeFor(id label.ID, l *Lease, owner Owner, skip int) {
	p.take(id, l, owner, callstack.Capture(skip+1), nil)
}

// TakeAt is TakeFor for a caller that has captured the stack already.
func (p *Pool) TakeAt(id label.ID, l *Lease, owner Owner, stack *callstack.Stack) {
	p.take(id, l, owner, stack, nil)
}

// TakeCounted is TakeFor for a pool where every lease is a request. reused says that what is lent has served another
// before.
func (p *Pool) TakeCounted(id label.ID, l *Lease, owner Owner, skip int, reused bool) {
	p.take(id, l, owner, callstack.Capture(skip+1), func(y *tally) {
		y.requests++
		if reused {
			y.reused++
		}
	})
}

func (p *Pool) take(id label.ID, l *Lease, owner Owner, stack *callstack.Stack, count func(*tally)) {
	l.stack = stack
	l.owner = owner
	l.test = id
	l.taken = Now()

	t := p.table
	t.mu.Lock()
	if len(t.measures) > 0 {
		l.taken = Now() // before the lock it was another one's turn
	}
	l.id = t.IDs().Add(1)
	l.watch = t.tally(p, id)
	l.pool.Store(p)
	t.link(l)
	p.leased()
	if count != nil {
		count(&p.total)
	}
	for y := l.watch; y != nil; y = y.outer {
		y.leased++
		y.peak = max(y.peak, y.leased)
		if count != nil {
			count(y)
		}
	}
	if len(t.measures) > 0 {
		t.measureTake(p, l)
	}
	sweep := t.n > max(t.sweepAt, firstSweep) && t.watching.Load() == 0
	if sweep {
		t.sweepAt = 2 * t.n // one sweep at a time will do
	}
	t.mu.Unlock()
	if sweep {
		t.sweep()
	}
}

// Return says that the connection came back to its pool by itself, before the code closed what it was given: the
// lease counts as leased no longer, and stays in the table as Unclosed as long as somebody watches. It does nothing the
// second time, and nothing for a lease that was not taken yet.
func (l *Lease) Return() {
	p := l.pool.Load()
	if p == nil {
		return
	}
	t := p.table
	t.mu.Lock()
	tell := l.giveBack(p)
	if t.watching.Load() == 0 {
		t.unlink(l)
	}
	t.mu.Unlock()
	if tell != nil {
		tell(Now())
	}
}

// Release takes the lease out of the table: it was closed. early counts it as closed before its end, also when the
// connection has come back to its pool since (net/http drains it from Go 1.27 on). It does nothing the second time, and nothing for a lease that was not taken yet.
func (l *Lease) Release(early bool) {
	p := l.pool.Load()
	if p == nil {
		return
	}
	t := p.table
	t.mu.Lock()
	if early && !l.released {
		site := l.PCs()
		p.total.closedEarly(site)
		for y := l.watch; y != nil; y = y.outer {
			y.closedEarly(site)
		}
	}
	l.released = true
	tell := l.giveBack(p)
	t.unlink(l)
	t.mu.Unlock()
	if tell != nil {
		tell(Now())
	}
}

// WhenBack lets tell be called, once, with the moment at which the lease is given back. It runs on the goroutine that gives it
// back, perhaps under locks of its owner, and must not call into that. It is false, and tell is never called, when the lease is
// back already, was not taken, or somebody else has asked.
func (l *Lease) WhenBack(tell func(Moment)) bool {
	p := l.pool.Load()
	if p == nil {
		return false
	}
	p.table.mu.Lock()
	defer p.table.mu.Unlock()
	if l.back || l.whenBack != nil {
		return false
	}
	l.whenBack = tell
	return true
}

// giveBack ends the counting of the lease, and gives what is to be called when the table is locked no longer. The table is
// locked.
func (l *Lease) giveBack(p *Pool) (tell func(Moment)) {
	if l.back {
		return nil
	}
	l.back = true
	p.total.leased--
	for y := l.watch; y != nil; y = y.outer {
		y.leased--
	}
	if l.ask != nil || len(p.table.measures) > 0 {
		p.table.measureBack(p, l)
	}
	return l.whenBack
}

// Cover says that inner is the same thing as l, lent by a pool below. It is left out of lists until l is released: then
// it must have been released too, or it is a leak of whoever stands between the two.
func (l *Lease) Cover(inner *Lease) {
	p := inner.pool.Load()
	if p == nil || inner == l {
		return
	}
	p.table.mu.Lock()
	if inner.live {
		inner.cover = l
	}
	p.table.mu.Unlock()
}
