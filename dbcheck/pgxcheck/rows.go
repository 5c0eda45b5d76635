package pgxcheck

import (
	"sync/atomic"

	"github.com/leakgate/leakgate/internal/dbuse"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/sqltext"
)

// rows is a query or a batch from its beginning to the end of its rows or results.
type rows struct {
	conn  *conn
	use   *use // what the connection was out for; nil when that is not known
	batch bool
	query string

	over atomic.Bool

	lease.Lease // last, because it ends in a long array without pointers
}

func (r *rows) end() {
	if !r.over.Swap(true) {
		r.Release(false)
	}
}

// Now says what they are at this moment. What pool.Query lends is one thing, whose entry is that of the connection.
func (r *rows) Now() lease.State {
	if r.conn.closed() && (r.use == nil || r.use.single) {
		r.end()
	}
	if r.over.Load() || r.use != nil && r.use.Now() == lease.Held && r.use.lendsThis(r) {
		return lease.Released
	}
	return lease.Held
}

// lendsThis says whether the rows are what the lease was taken for.
func (u *use) lendsThis(r *rows) bool {
	u.mu.Lock()
	first := u.first
	u.mu.Unlock()
	if first != r || u.single {
		return false
	}
	_, t := u.lends()
	switch t.Name {
	case "pgxpool.Conn", "sql.Conn", "driver.Conn":
		return false
	}
	return true // a transaction's first is what begins it
}

func (r *rows) lends() (call, dbuse.Thing) {
	c := callOf(r.PCs())
	t := c.lendsRows()
	if r.batch {
		t = batchResults
	}
	return c, t
}

// what names them: "pgx.Rows from conn.Query at store.go:44".
func (r *rows) what() string {
	c, t := r.lends()
	return c.what(t.Name, r.PCs())
}

// Info describes them.
func (r *rows) Info() lease.Info {
	c, t := r.lends()
	info := lease.Info{
		Kind: kindRows, Code: t.Code, Summary: c.what(t.Name, r.PCs()) + " " + t.End, Hint: t.Hint,
		State: sqltext.Statement(r.query), Note: "held for " + dbuse.Round(lease.Now().Sub(r.Taken())),
		Local: r.conn.ends.Local, Remote: r.conn.ends.Remote, Path: r.conn.ends.Path, Library: pkgPgx, Watches: 1,
	}
	info.Moving = inCall(t)
	if r.use != nil {
		info.Within = r.use.ID()
	}
	return info
}
