package pgxcheck

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/leakgate/leakgate/internal/dbuse"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/sqltext"
)

// use is what a connection is out for: a pool has lent it, or the program has opened it without one.
type use struct {
	conn   *conn
	of     *pool // nil without one
	single bool  // opened without a pool
	goid   uint64

	over     atomic.Bool
	hijacked atomic.Bool // taken out of the pool for good
	unsure   atomic.Bool // it may be the one that was taken out

	mu      sync.Mutex
	first   *rows // the first query or batch
	op      string
	query   string
	at      lease.Moment // when that ended; when it began, while it runs
	running bool
	gap     dbuse.Spent

	lease.Lease // last, because it ends in a long array without pointers
}

// touch notes that something is done with the connection, or has ended. Without a name it is what ran.
func (u *use) touch(op, query string, running bool) {
	now := lease.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	if op == "" {
		op = u.op
	}
	u.idled(now, op)
	u.op, u.at, u.running = op, now, running
	if query != "" {
		u.query = query
	}
}

// idled notes the time without a call that ends now. u.mu is locked.
func (u *use) idled(now lease.Moment, next string) {
	if d := now.Sub(u.at); d > u.gap.Gap {
		u.gap.Gap, u.gap.Before, u.gap.After = d, u.op, next
		if u.running {
			u.gap.Before += " that runs"
		}
	}
}

// end ends the lease.
func (u *use) end() {
	if u.over.Swap(true) {
		return
	}
	u.mu.Lock()
	u.idled(lease.Now(), "its return")
	u.mu.Unlock()
	u.Release(false)
}

// Now says what the lease is at this moment.
func (u *use) Now() lease.State {
	if !u.over.Load() && u.of != nil {
		u.of.reconcile()
	}
	if (u.single || u.hijacked.Load()) && u.conn.closed() {
		u.over.Store(true)
		u.Release(false)
	}
	if u.over.Load() {
		return lease.Released
	}
	return lease.Held
}

// lends says what the lease lends to the program.
func (u *use) lends() (call, dbuse.Thing) {
	c := callOf(u.PCs())
	t := c.lends()
	switch {
	case u.single:
		t = dbuse.Thing{Kind: kindConn, Code: codeSingle, Name: "pgx.Conn", End: "was never closed", Hint: "defer conn.Close(ctx)"}
	case u.hijacked.Load():
		t = dbuse.Thing{Kind: kindConn, Code: codeSingle, Name: "pgx.Conn, hijacked from its pool,", End: "was never closed", Hint: "defer conn.Close(ctx)"}
	}
	return c, t
}

// Info describes the lease.
func (u *use) Info() lease.Info {
	c, t := u.lends()
	info := lease.Info{
		Kind: t.Kind, Code: t.Code, Summary: c.what(t.Name, u.PCs()) + " " + t.End, Hint: t.Hint,
		Local: u.conn.ends.Local, Remote: u.conn.ends.Remote, Path: u.conn.ends.Path, Library: pkgPgx,
	}
	u.conn.mu.Lock()
	open := u.conn.rows
	begun := u.conn.begun
	u.conn.mu.Unlock()
	if open != nil {
		info.Watches = 1
	}
	if c.sql.Method != "" { // database/sql has a goroutine for each transaction and for rows whose context can be cancelled
		switch t.Code {
		case dbuse.CodeTx:
			info.Txs, info.Rows = 1, 1
		case dbuse.CodeConn:
			info.Txs, info.Rows = 1, 1
		default:
			info.Rows = 1
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	info.State = sqltext.Statement(u.query)
	info.Moving = u.running && inCall(t)
	if t.Code == codeTx || t.Code == dbuse.CodeTx {
		begun = nil // it is the lease itself
	}
	info.Note = u.note(open, begun)
	return info
}

// inCall says whether a thing is out for as long as a call runs, and not longer.
func inCall(t dbuse.Thing) bool { return t.Name == "a connection" || t.Name == "a query" }

// note is what changes from one look to the next. u.mu is locked.
func (u *use) note(open *rows, begun []uintptr) string {
	now := lease.Now()
	s := "held for " + dbuse.Round(now.Sub(u.Taken()))
	switch {
	case u.op == "":
		s += "; nothing was done with it"
	case u.running && open != nil:
		s += fmt.Sprintf("; last thing done with it: %s, begun %s ago and not closed", u.op, dbuse.Round(now.Sub(u.at)))
	case u.running:
		s += fmt.Sprintf("; %s runs for %s", u.op, dbuse.Round(now.Sub(u.at)))
	default:
		s += fmt.Sprintf("; last thing done with it: %s, ended %s ago", u.op, dbuse.Round(now.Sub(u.at)))
	}
	if begun != nil {
		s += "; " + callOf(begun).what("a transaction", begun) + " is open on it"
	}
	if u.conn.closed() {
		s += "; the connection is closed, but its place in the pool is not free"
	}
	if u.unsure.Load() {
		s += "; a connection of this pool was hijacked, which may be this one"
	}
	if u.conn.pid != 0 {
		s += fmt.Sprintf("; server process %d", u.conn.pid)
	}
	return s
}

// Goroutine is the one that took the lease; 0 when nobody asked for that.
func (u *use) Goroutine() uint64 { return u.goid }

// What names the lease: "pgx.Tx from pool.Begin at store.go:41".
func (u *use) What() string {
	c, t := u.lends()
	return c.what(t.Name, u.PCs())
}

// Spent says how its time was spent.
func (u *use) Spent() dbuse.Spent {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := u.gap
	s.Statement = u.query
	return s
}
