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
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leakgate/leakgate/internal/label"
)

// MaxDepth is the number of frames kept of the stack that took a lease.
const MaxDepth = 40

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
	Note     string         // one more sentence for the report, or ""
	Local    netip.AddrPort // own address of the connection below; not valid when there is none
	Remote   netip.AddrPort // peer's address of the connection below
	LoopID   uint64         // goroutine that runs the connection; 0 when not known
	Protocol string         // "HTTP/1.1", "HTTP/2.0", ...
}

// Owner describes leases of one kind.
type Owner interface {
	// Now says what the lease is at this moment.
	Now() State
	// Info describes the lease.
	Info() Info
}

// Lease is one thing lent out.
type Lease struct {
	id    uint64
	pool  *Pool
	test  label.ID
	taken time.Time
	owner Owner
	back  bool // the pool has its connection back; guarded by table.mu
	depth int
	pcs   [MaxDepth]uintptr
}

// ID is unique in this process, and never 0.
func (l *Lease) ID() uint64 { return l.id }

// Pool is where the lease was taken.
func (l *Lease) Pool() *Pool { return l.pool }

// Test is the watch that the lease was taken under, 0 when not known.
func (l *Lease) Test() label.ID { return l.test }

// Taken is when the lease was taken.
func (l *Lease) Taken() time.Time { return l.taken }

// PCs are the program counters of the stack that took the lease, innermost first.
func (l *Lease) PCs() []uintptr { return l.pcs[:l.depth] }

// Now says what the lease is at this moment.
func (l *Lease) Now() State { return l.owner.Now() }

// Info describes the lease.
func (l *Lease) Info() Info { return l.owner.Info() }

// Table holds the leases that are out. Its zero value is ready.
type Table struct {
	mu    sync.Mutex
	live  map[uint64]*Lease
	watch map[label.ID]*watch

	watching atomic.Int64
	lastID   atomic.Uint64
}

// Live is the table of this process. There is one, because what a process holds is one thing.
var Live Table

// Watching says whether anybody looks at the table now. When nobody does, owners need not take leases.
func (t *Table) Watching() bool { return t.watching.Load() > 0 }

// LastID is the highest ID given so far: leases taken from now on have a higher one.
func (t *Table) LastID() uint64 { return t.lastID.Load() }

// All lists the leases that are not released, in no order; a nil filter keeps all.
func (t *Table) All(keep func(*Lease) bool) []*Lease {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []*Lease
	for _, l := range t.live {
		if keep == nil || keep(l) {
			out = append(out, l)
		}
	}
	return out
}

// Get finds a lease by its ID; nil when it was released.
func (t *Table) Get(id uint64) *Lease {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.live[id]
}

// Len counts the leases that are not released.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.live)
}

// Pool is one source of leases: a transport, a database.
type Pool struct {
	table *Table
	id    uint64
	kind  string
	name  string
	size  func() int

	total tally // since the pool was made; guarded by table.mu
}

// NewPool registers a pool. kind is the kind of connection it lends ("http-conn"), name what a reader calls it. size
// gives the most connections it keeps or lends, 0 for "no limit"; it may be nil.
func (t *Table) NewPool(kind, name string, size func() int) *Pool {
	return &Pool{table: t, id: t.lastID.Add(1), kind: kind, name: name, size: size}
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

// Take puts a lease into the table. The stack is captured with skip frames left out, as runtime.Callers counts them
// (0 is Take's caller). l may be a part of a larger struct, so that a lease costs no allocation of its own.
func (p *Pool) Take(l *Lease, owner Owner, skip int) {
	l.depth = runtime.Callers(skip+2, l.pcs[:])
	l.id = p.table.lastID.Add(1)
	l.pool = p
	l.owner = owner
	l.test = label.Owner()
	l.taken = time.Now()

	t := p.table
	t.mu.Lock()
	if t.live == nil {
		t.live = make(map[uint64]*Lease)
	}
	t.live[l.id] = l
	t.each(p, l.test, func(y *tally) { y.leased++; y.peak = max(y.peak, y.leased) })
	t.mu.Unlock()
}

// Return says that the connection came back to its pool by itself, before the code closed what it was given: the
// lease counts as leased no longer, and stays in the table as Unclosed. It does nothing the second time, and nothing
// for a lease that was never taken.
func (l *Lease) Return() {
	if l.pool == nil {
		return
	}
	t := l.pool.table
	t.mu.Lock()
	l.giveBack()
	t.mu.Unlock()
}

// Release takes the lease out of the table: it was closed. It does nothing the second time, and nothing for a lease
// that was never taken.
func (l *Lease) Release() {
	if l.pool == nil {
		return
	}
	t := l.pool.table
	t.mu.Lock()
	l.giveBack()
	if t.live[l.id] == l {
		delete(t.live, l.id)
	}
	t.mu.Unlock()
}

// giveBack ends the counting of the lease. The table is locked.
func (l *Lease) giveBack() {
	if !l.back {
		l.back = true
		l.pool.table.each(l.pool, l.test, func(y *tally) { y.leased-- })
	}
}

// forget drops the lease from the table without a word.
func (l *Lease) forget() {
	t := l.pool.table
	t.mu.Lock()
	if t.live[l.id] == l {
		delete(t.live, l.id)
	}
	t.mu.Unlock()
}
