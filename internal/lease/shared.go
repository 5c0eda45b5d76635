package lease

import (
	"sync/atomic"

	"github.com/leakgate/leakgate/internal/callstack"
	"github.com/leakgate/leakgate/internal/label"
)

// IDs is the counter that IDs are from.
func (t *Table) IDs() *atomic.Uint64 {
	if c := t.shared.Load(); c != nil {
		return c
	}
	return &t.lastID
}

// ShareIDs takes IDs from another table's counter from now on, so that no two leases of the two have the same, and a higher one
// is newer in both.
func (t *Table) ShareIDs(counter *atomic.Uint64) {
	label.Raise(counter, t.lastID.Load())
	t.shared.Store(counter)
}

// Slot is the key under which the context of a tracked request has an *atomic.Uint64: the agent of deep mode puts the ID of its own
// lease of the response there. A connection of a tracked sql.DB has a method LeakgateLeased that is told of it.
const Slot = "github.com/leakgate/leakgate"

// Twin is an Owner whose lease the other table of the process may have too: deep mode tracks what net/http and database/sql
// lend, whoever else does.
type Twin interface {
	// Twin is the ID of the other table's lease of the same thing; 0 when there is none.
	Twin() uint64
}

// TwinOf gives the ID of the other table's lease of the same thing; 0 when there is none.
func TwinOf(l *Lease) uint64 {
	if t, ok := l.owner.(Twin); ok {
		return t.Twin()
	}
	return 0
}

// Elsewhere is a pool of another table, as far as leases need one to be described. Nothing is taken from it here.
func Elsewhere(kind string) *Pool { return &Pool{table: new(Table), kind: kind} }

// Describe gives a lease of another table, so that it can be looked at like one of this.
func (p *Pool) Describe(id uint64, test label.ID, pcs []uintptr, owner Owner) *Lease {
	l := &Lease{id: id, test: test, owner: owner, stack: callstack.Of(pcs)}
	l.pool.Store(p)
	return l
}
