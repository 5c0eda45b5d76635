package dbcheck

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/leakgate/leakgate/internal/callstack"
	"github.com/leakgate/leakgate/internal/lease"
)

// A sql.Stmt of a pool is prepared on one connection, and again on each other one that it is used on. When the pool closes
// the first, the statement stays open on the others, and is still the program's to close. Which copy is of which statement
// database/sql does not tell: they have the same text. Where another statement may be meant, none is reported.

// ended notes that the driver's statement was closed: by whoever closed the sql.Stmt, or with its connection.
func (s *stmt) ended() {
	p, pool := s.open, s.conn.pool
	if s.conn.use.Load() == nil && withConn() {
		if !p.info.gone.Swap(true) {
			pool.endCopies(p.info)
		}
		if p.Now() == lease.Held {
			p.lost.Store(true)
			if p.hasCopy() {
				pool.lost.Add(1)
				return
			}
		}
	}
	if p.end() && pool.lost.Load() > 0 {
		p.resolve()
		pool.found(p, p.copy() && !withConn())
	}
}

// endCopies takes out the copies on a connection that is being closed. database/sql closes what is open there in no order,
// and which lost statement a copy is of must not depend on it: those of this connection go first.
func (p *pool) endCopies(on *connInfo) {
	if p.lost.Load() == 0 {
		return
	}
	for _, l := range lease.Live.All(func(l *lease.Lease) bool { return l.Pool() == p.stmts }) {
		if c, ok := l.Owner().(*preparation); ok && c.info == on {
			if c.resolve(); c.copy() && c.end() {
				p.found(c, false)
			}
		}
	}
}

// found takes out the lost statements of a text that are open nowhere, now that gone is not open any more; also the others when
// a sql.Stmt of the text was closed.
func (p *pool) found(gone *preparation, closed bool) {
	for _, o := range gone.same() {
		if o.lost.Load() && (closed || o.Now() == lease.Released) && o.end() {
			p.lost.Add(-1)
		}
	}
}

// copy says whether database/sql prepared it for a sql.Stmt that it had prepared on another connection.
func (p *preparation) copy() bool {
	return p.call.Receiver == "stmt" || p.call.Method == "Stmt" || p.call.Method == "StmtContext"
}

// withConn says whether database/sql is closing a connection with all that is open on it.
func withConn() bool {
	return callstack.Capture(0).Through("database/sql.(*driverConn).finalClose")
}

// hasCopy says whether the statement, whose own connection is closed, is open on another one.
func (p *preparation) hasCopy() bool { return p.openOn() != p.info }

// openOn gives the connection that the statement is open on. That is another than its own when that one is closed and it
// has a copy; where another statement of the same text may be what is open there, it is taken for that one's.
func (p *preparation) openOn() *connInfo {
	if !p.lost.Load() {
		return p.info
	}
	on := p.info
	for _, o := range p.same() {
		switch o.resolve(); {
		case o == p || o.closed.Load():
		case o.copy():
			on = o.info
		case !o.mine: // for one call
		case !o.lost.Load() || o.ID() < p.ID():
			return p.info
		}
	}
	return on
}

// same lists the statements of the pool that have the same text, the oldest first.
func (p *preparation) same() []*preparation { return p.among.of(p) }

// texts finds the statements of a pool by their text. It begins to know them when it is asked, which is when a connection was closed
// that a statement was prepared on; until then a statement costs nothing here. It forgets when none is open.
type texts struct {
	on atomic.Bool
	mu sync.Mutex
	by map[string][]*preparation // the oldest first
}

func (x *texts) of(p *preparation) []*preparation {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.on.Load() {
		x.on.Store(true) // from here on those that come and go say so themselves
		x.by = make(map[string][]*preparation)
		for _, l := range lease.Live.All(func(l *lease.Lease) bool { return l.Pool() == p.Pool() }) {
			if o, ok := l.Owner().(*preparation); ok {
				x.put(o)
			}
		}
		if len(x.by) == 0 { // none is open any more
			x.by = nil
			x.on.Store(false)
			return nil
		}
	}
	return slices.Clone(x.by[p.query])
}

// opened is told of a statement when it is in the table of leases.
func (x *texts) opened(p *preparation) {
	if x.on.Load() {
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.on.Load() {
			x.put(p)
		}
	}
}

// put enters a statement, which may be there. x is locked.
func (x *texts) put(p *preparation) {
	all := x.by[p.query]
	if i, there := placeOf(all, p); !there {
		x.by[p.query] = slices.Insert(all, i, p)
	}
}

// ended is told of a statement when it is in the table of leases no longer.
func (x *texts) ended(p *preparation) {
	if !x.on.Load() {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	all := x.by[p.query]
	if i, there := placeOf(all, p); there {
		all = slices.Delete(all, i, i+1)
		x.by[p.query] = all
	}
	if len(all) == 0 {
		delete(x.by, p.query)
	}
	if len(x.by) == 0 {
		x.by = nil
		x.on.Store(false)
	}
}

func placeOf(all []*preparation, p *preparation) (i int, there bool) {
	return slices.BinarySearchFunc(all, p.ID(), func(o *preparation, id uint64) int { return cmp.Compare(o.ID(), id) })
}
