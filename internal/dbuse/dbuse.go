// Package dbuse tells budgets what happens to tracked database connections, whatever pool they are of: a sql.DB
// (package dbcheck) or a pgxpool.Pool (package pgxcheck).
//
// It uses the standard library alone and knows nothing of tests.
package dbuse

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
)

// Library is the import path of what may stand between the program and its pool without being one of database/sql: its
// frames are no call sites.
const Library = "github.com/jackc/pgx/v5"

// Lease is one lease of a connection: from the moment a pool lends it until it has it back. A *lease.Lease has the first
// four methods.
type Lease interface {
	Pool() *lease.Pool
	Test() label.ID
	Taken() lease.Moment
	PCs() []uintptr // stack that took it

	// Goroutine is the one that took it; 0 when nobody wanted to know (see Hub.WantGoroutines).
	Goroutine() uint64
	// What names it: "sql.Tx from db.BeginTx at store.go:41".
	What() string
	// Spent says how its time was spent so far.
	Spent() Spent
}

// Spent says how the time of a lease was spent.
type Spent struct {
	Gap           time.Duration // the longest time without a call
	Before, After string        // the calls around it, with their lines where they are known; "" for the beginning of the lease
	Statement     string        // the last one, as it was sent
}

// Conn is one open connection.
type Conn struct {
	ID     uint64 // of the pool's own numbers
	Opener label.ID
	PCs    []uintptr // stack that asked for it
}

// Ask is somebody who waits for a pool to lend a connection.
type Ask struct {
	Pool      *lease.Pool
	Test      label.ID
	Goroutine uint64
	PCs       []uintptr
	Since     time.Time
}

// Observer follows what happens to tracked connections, for one budget of one test. Its functions may be nil. They run in
// the calls of the pool and the driver, some of them under locks of theirs, and must not call into them.
type Observer struct {
	Scope
	Leased   func(Lease)
	Released func(Lease)
	Opened   func(*lease.Pool, Conn)
	Closed   func(*lease.Pool, Conn)
	Asked    func(*Ask)
	ByGoid   bool // it wants to know which goroutine holds a lease
	ByPlace  bool // it wants to know where connections are used
}

// Scope says what a test is judged for: all that is done with the pools that were given to its check, and what it did
// itself with others, also under checks that began inside this one.
type Scope struct {
	Test  label.ID
	Pools []*lease.Pool
	Only  bool // those pools alone
}

// Covers says whether the test is judged for what was done with the pool under a label.
func (s Scope) Covers(p *lease.Pool, by label.ID) bool {
	return slices.Contains(s.Pools, p) || !s.Only && label.Within(by, s.Test)
}

// CoversLease says whether the test is judged for the lease.
func (s Scope) CoversLease(l Lease) bool { return s.Covers(l.Pool(), l.Test()) }

// Hub is who observes now. Its zero value is ready.
type Hub struct {
	list   atomic.Pointer[[]*Observer]
	byGoid atomic.Int32
	places atomic.Int32

	mu    sync.Mutex
	held  map[uint64][]Lease // by the goroutine that took it, while somebody wants to know
	spare [][]Lease          // empty lists of earlier goroutines, so that a lease need not make one
	asks  map[*Ask]bool
}

// maxSpare is how many lists are kept.
const maxSpare = 64

// Observers is the hub of this process. There is one, because a test need not know which pools it will use.
var Observers Hub

// WantGoroutines says whether somebody wants to know which goroutine holds a lease.
func (h *Hub) WantGoroutines() bool { return h.byGoid.Load() > 0 }

// WantPlaces says whether somebody wants to know where connections are used, and not only where they were taken.
func (h *Hub) WantPlaces() bool { return h.places.Load() > 0 }

// Active says whether anybody observes.
func (h *Hub) Active() bool { return h.list.Load() != nil }

// Add begins to tell o; the function it returns ends that.
func (h *Hub) Add(o *Observer) (remove func()) {
	h.change(func(all []*Observer) []*Observer { return append(all, o) })
	if o.ByGoid {
		h.byGoid.Add(1)
	}
	if o.ByPlace {
		h.places.Add(1)
	}
	return sync.OnceFunc(func() {
		h.change(func(all []*Observer) []*Observer {
			return slices.DeleteFunc(all, func(q *Observer) bool { return q == o })
		})
		if o.ByGoid && h.byGoid.Add(-1) == 0 {
			h.mu.Lock()
			h.held, h.spare = nil, nil
			h.asks = nil
			h.mu.Unlock()
		}
		if o.ByPlace {
			h.places.Add(-1)
		}
	})
}

func (h *Hub) change(f func([]*Observer) []*Observer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []*Observer
	if old := h.list.Load(); old != nil {
		all = slices.Clone(*old)
	}
	if all = f(all); len(all) == 0 {
		h.list.Store(nil)
		return
	}
	h.list.Store(&all)
}

func (h *Hub) each(f func(*Observer)) {
	if all := h.list.Load(); all != nil {
		for _, o := range *all {
			f(o)
		}
	}
}

// Leased tells that a lease has begun.
func (h *Hub) Leased(l Lease) {
	h.each(func(o *Observer) {
		if o.Leased != nil && o.CoversLease(l) {
			o.Leased(l)
		}
	})
	if id := l.Goroutine(); id != 0 {
		h.mu.Lock()
		if h.held == nil {
			h.held = make(map[uint64][]Lease)
		}
		ls := h.held[id]
		if n := len(h.spare); ls == nil && n > 0 {
			ls, h.spare = h.spare[n-1], h.spare[:n-1]
		}
		h.held[id] = append(ls, l)
		h.mu.Unlock()
	}
}

// Released tells that a lease has ended.
func (h *Hub) Released(l Lease) {
	if id := l.Goroutine(); id != 0 {
		h.mu.Lock()
		rest := slices.DeleteFunc(h.held[id], func(q Lease) bool { return q == l })
		if len(rest) > 0 {
			h.held[id] = rest
		} else {
			delete(h.held, id)
			if rest != nil && h.held != nil && len(h.spare) < maxSpare {
				h.spare = append(h.spare, rest)
			}
		}
		h.mu.Unlock()
	}
	h.each(func(o *Observer) {
		if o.Released != nil && o.CoversLease(l) {
			o.Released(l)
		}
	})
}

// Opened tells that a pool has opened a connection.
func (h *Hub) Opened(p *lease.Pool, c Conn) {
	h.each(func(o *Observer) {
		if o.Opened != nil && o.Covers(p, c.Opener) {
			o.Opened(p, c)
		}
	})
}

// Closed tells that a connection was closed.
func (h *Hub) Closed(p *lease.Pool, c Conn) {
	h.each(func(o *Observer) {
		if o.Closed != nil && o.Covers(p, c.Opener) {
			o.Closed(p, c)
		}
	})
}

// Asked tells that somebody asks a pool for a connection, where the pool can tell. It must be followed by Answered.
func (h *Hub) Asked(a *Ask) {
	h.mu.Lock()
	if h.asks == nil {
		h.asks = make(map[*Ask]bool)
	}
	h.asks[a] = true
	h.mu.Unlock()
	h.each(func(o *Observer) {
		if o.Asked != nil && o.Covers(a.Pool, a.Test) {
			o.Asked(a)
		}
	})
}

// Answered tells that somebody who asked waits no longer.
func (h *Hub) Answered(a *Ask) {
	h.mu.Lock()
	delete(h.asks, a)
	h.mu.Unlock()
}

// Asks lists those who wait, in no order.
func (h *Hub) Asks() (out []*Ask) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for a := range h.asks {
		out = append(out, a)
	}
	return out
}

// HeldBy lists the leases that a goroutine holds, the oldest first.
func (h *Hub) HeldBy(goroutine uint64) []Lease {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.held[goroutine])
}

// Holders lists the leases that are held, by goroutine.
func (h *Hub) Holders() map[uint64][]Lease {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make(map[uint64][]Lease, len(h.held))
	for id, ls := range h.held {
		out[id] = slices.Clone(ls)
	}
	return out
}

// StillHeld drops from held, which Holders gave earlier, what is not held any more. A dump of goroutines that was taken
// between the two shows a goroutine that held each of the rest: without this, a goroutine that gave its connection back before the
// dump, and is somewhere else in it, would be taken for one that held it there.
func (h *Hub) StillHeld(held map[uint64][]Lease) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, ls := range held {
		now := h.held[id]
		ls = slices.DeleteFunc(ls, func(l Lease) bool { return !slices.Contains(now, l) })
		if held[id] = ls; len(ls) == 0 {
			delete(held, id)
		}
	}
}
