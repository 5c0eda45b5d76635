package pgxcheck

import (
	"slices"
	"strings"
	"sync"
	"unsafe"
	"weak"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/dbpool"
	"github.com/leakgate/leakgate/internal/dbuse"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/lease"
)

// pool is what is tracked of one pgxpool.Pool.
type pool struct {
	conns *lease.Pool // what it has lent
	open  *lease.Pool // queries and batches on its connections
	known *dbpool.Pool

	mu        sync.Mutex
	handle    weak.Pointer[pgxpool.Pool] // nil until it is known
	uses      map[*use]bool              // what it has lent and not got back
	listeners []*listener
}

func newPool(t *tracer) *pool {
	p := &pool{uses: make(map[*use]bool)}
	size := func(p weak.Pointer[pool]) func() int {
		return func() int {
			if p := p.Value(); p != nil {
				if of := p.pool(); of != nil {
					return int(of.Stat().MaxConns())
				}
			}
			return 0
		}
	}(weak.Make(p))
	name := nameOf("the pgxpool.Pool", t.pcs)
	p.conns = lease.Live.NewPool(kindConn, name, size)
	p.open = lease.Live.NewPool(kindRows, name, nil)
	p.known = dbpool.NewPgx(p.conns.ID(), t.pcs)
	return p
}

// is says whether it is that pool. One that is not known yet becomes it.
func (p *pool) is(key weak.Pointer[pgxpool.Pool]) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.handle == (weak.Pointer[pgxpool.Pool]{}) {
		p.handle = key
		p.known.SetDB(func() uintptr { return uintptr(unsafe.Pointer(key.Value())) })
	}
	return p.handle == key
}

// pool gives the pgxpool.Pool; nil when it is not known, or gone.
func (p *pool) pool() *pgxpool.Pool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.handle.Value()
}

func (p *pool) add(u *use) {
	p.mu.Lock()
	p.uses[u] = true
	p.mu.Unlock()
}

func (p *pool) remove(u *use) {
	p.mu.Lock()
	delete(p.uses, u)
	p.mu.Unlock()
}

// held lists what the pool has lent and not got back, as far as it was traced, the oldest first.
func (p *pool) held() []*use {
	p.mu.Lock()
	out := make([]*use, 0, len(p.uses))
	for u := range p.uses {
		out = append(out, u)
	}
	p.mu.Unlock()
	slices.SortFunc(out, func(a, b *use) int { return int(int64(a.ID()) - int64(b.ID())) })
	return out
}

// reconcile finds leases that the pool does not count any more: their connection was hijacked, which is not traced.
func (p *pool) reconcile() {
	of := p.pool()
	if of == nil {
		return
	}
	before := p.held()
	if len(before) == 0 {
		return
	}
	acquired := int(of.Stat().AcquiredConns())
	after := p.held()
	// A lease begins after the pool counts it, and ends before: what was held all the time was counted.
	var held []*use
	for _, u := range before {
		if slices.Contains(after, u) {
			held = append(held, u)
		}
	}
	gone := len(held) - acquired
	if gone <= 0 {
		return
	}
	var candidates []*use
	for _, u := range held {
		if m := callOf(u.PCs()); m.method == "Acquire" || m.method == "AcquireFunc" {
			candidates = append(candidates, u)
		}
	}
	// Which of several it is, is not known. Those that are closed now are more likely than those that are not.
	slices.SortStableFunc(candidates, func(a, b *use) int {
		switch x, y := a.conn.closed(), b.conn.closed(); {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	})
	if len(candidates) > gone && !candidates[gone-1].conn.closed() {
		for _, u := range candidates {
			u.unsure.Store(true)
		}
		return
	}
	for _, u := range candidates[:min(gone, len(candidates))] {
		u.hijacked.Store(true)
		p.remove(u)
	}
}

// inBackground is how many goroutines give connections of pools back: for AfterRelease, or to close one that is used up.
func inBackground() (n int) {
	var d goroutine.Dumper
	for _, g := range dbuse.Goroutines(&d) {
		if slices.ContainsFunc(g.Frames, func(f callsite.Frame) bool {
			return strings.HasPrefix(f.Func, pkgPool+".(*Conn).Release.func") ||
				strings.HasPrefix(f.Func, pkgPuddle) && strings.HasSuffix(f.Func, ".destroyAcquiredResource")
		}) {
			n++
		}
	}
	return n
}

// unaccounted is how many connections are out that were not traced.
func (p *pool) unaccounted() int {
	of := p.pool()
	if of == nil {
		return 0
	}
	p.reconcile()
	acquired := int(of.Stat().AcquiredConns())
	return max(0, acquired-len(p.held()))
}
