package agent

import (
	"sync/atomic"
	"unsafe"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/dbuse"
	"github.com/leakgate/leakgate/internal/deep/hook"
	"github.com/leakgate/leakgate/internal/fold"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/sqltext"
)

// statements is the pool that statements are counted in.
var statements = lease.Live.NewPool("sql-stmt", "sql.DB", nil)

// bound counts the open statements that are bound to one connection, so that the end of a connection costs nothing where there
// is none.
var bound atomic.Int64

// statement is one sql.Stmt that the code has prepared.
type statement struct {
	query   string
	db      *database // nil when it is not known
	conn    uintptr   // the connection that it is bound to; 0 for none
	within  uint64    // the lease of that connection; of one that is not bound, the pool
	over    atomic.Bool
	dropped atomic.Bool

	lease.Lease
}

// prepared runs where database/sql prepares a statement for the code.
func prepared(of hook.Statement) hook.Lease {
	defer contain()
	s := &statement{query: of.Query, db: databaseAt(of.DB), conn: uintptr(of.Conn)}
	switch u, ok := of.Lease.(*use); {
	case ok:
		s.within = u.ID()
	case s.conn == 0 && s.db != nil:
		s.within = s.db.pool.ID()
	}
	if s.conn != 0 {
		bound.Add(1)
	}
	statements.TakeFor(label.Owner(), &s.Lease, s, 3)
	return s
}

// connClosed runs where database/sql closes a driver's connection, with all that is prepared on it.
func connClosed(conn unsafe.Pointer) {
	defer contain()
	if bound.Load() > 0 {
		endStatements(func(s *statement) bool { return s.conn == uintptr(conn) })
	}
}

// endStatements takes out the statements that are open no longer, though nobody has closed them.
func endStatements(which func(*statement) bool) {
	for _, l := range lease.Live.All(func(l *lease.Lease) bool { return l.Pool() == statements }) {
		if s, ok := l.Owner().(*statement); ok && which(s) {
			s.Released()
		}
	}
}

// Read does nothing: a statement is not read.
func (s *statement) Read(int) {}

// Returned does nothing: a statement is of no pool.
func (s *statement) Returned(error) {}

// Released notes that the statement is closed.
func (s *statement) Released() {
	defer contain()
	if s.over.Swap(true) {
		return
	}
	if s.conn != 0 {
		bound.Add(-1)
	}
	s.Release(false)
}

// Dropped notes that nothing refers to the statement any more.
func (s *statement) Dropped(string) { s.dropped.Store(true) }

// Now says whether the statement is open.
func (s *statement) Now() lease.State {
	if s.over.Load() {
		return lease.Released
	}
	return lease.Held
}

// Info describes the statement.
func (s *statement) Info() lease.Info {
	info := lease.Info{
		Kind: "sql-stmt", Code: fold.CodeStmt, Hint: "defer stmt.Close()", Within: s.within,
		Summary: dbuse.CallOf(s.PCs()).What("sql.Stmt", s.PCs()) + " was never closed",
		State:   sqltext.Statement(s.query), Kept: s.kept(), Provable: s.conn != 0,
	}
	if info.Kept {
		info.Hint = "where the library has given the statement to you: defer stmt.Close(); where it keeps it for the next use, it is no leak"
	}
	if s.dropped.Load() {
		info.State += "; " + proved + ", but by closing the connection that it is on"
	}
	return info
}

// kept says whether a library may keep the statement for as long as the pool is open, as an ORM's cache does: it has prepared it
// itself, and the pool is not the test's own.
func (s *statement) kept() bool {
	if s.conn != 0 || s.db == nil || s.db.test == s.Test() {
		return false
	}
	user := callsite.User(callsite.From(callsite.Expand(s.PCs()), "database/sql."))
	return len(user) > 0 && callsite.IsDependency(user[0])
}
