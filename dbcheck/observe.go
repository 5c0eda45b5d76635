package dbcheck

import (
	"github.com/leakgate/leakgate/internal/dbuse"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/leakcheck"
)

// observers is who observes the connections of this process, for budgets.
var observers = &dbuse.Observers

// scope says what a test is judged for.
type scope struct {
	dbuse.Scope
	pools []*pool // those of its pools that are of database/sql
}

func scopeOf(f leakcheck.Followed) scope {
	s := scope{Scope: dbuse.Scope{Test: label.ID(f.Test), Only: f.Only}}
	for _, p := range f.Probes {
		if p, ok := p.(interface{ LeasePool() *lease.Pool }); ok {
			s.Pools = append(s.Pools, p.LeasePool())
		}
		if p, ok := p.(*probe); ok {
			s.pools = append(s.pools, p.pool)
		}
	}
	return s
}

// Goroutine is the one that took the lease; 0 when nobody asked for that.
func (u *use) Goroutine() uint64 { return u.goid }

// What names the lease: "sql.Tx from db.BeginTx at store.go:41".
func (u *use) What() string {
	c := dbuse.CallOf(u.PCs())
	return c.What(c.Lends().Name, u.PCs())
}

// Spent says how its time was spent.
func (u *use) Spent() dbuse.Spent {
	u.mu.Lock()
	g, query := u.gap, u.query
	var first, last []uintptr
	known := u.places != nil
	if known {
		first, last = u.places.before.stack(), u.places.after.stack()
	}
	u.mu.Unlock()
	before, pcs := g.before, first
	if before == "" && known {
		before, pcs = "its beginning", u.PCs()
		if c := dbuse.CallOf(pcs); c.Method != "" {
			before = c.Receiver + "." + c.Method
		}
	}
	return dbuse.Spent{Gap: g.length, Before: placed(before, pcs), After: placed(g.after, last), Statement: query}
}

// seenAs is the connection as budgets see it.
func (i *connInfo) seenAs() dbuse.Conn { return dbuse.Conn{ID: i.id, Opener: i.opener, PCs: i.pcs} }
