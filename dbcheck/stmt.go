package dbcheck

import (
	"context"
	"database/sql/driver"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/dbuse"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/sqltext"
)

// stmt is a tracked statement: what every one has. What else the driver's has is added by exposed.
type stmt struct {
	below driver.Stmt
	conn  *conn
	open  *preparation
}

// preparation is the record of one statement that the driver has prepared. It does not refer to the statement.
type preparation struct {
	query  string
	info   *connInfo
	among  *texts // of its pool
	within uint64 // the lease that it was prepared under
	usedBy atomic.Pointer[use]
	closed atomic.Bool
	lost   atomic.Bool // its connection was closed, and not the statement: see lost.go

	once sync.Once
	call dbuse.Call // what prepared it, known once it was asked for
	mine bool       // whoever called that has to close it

	lease.Lease
}

// prepared tracks a statement.
func (c *conn) prepared(u *use, s driver.Stmt, err error, query string) driver.Stmt {
	if err != nil || isNil(s) {
		return s
	}
	p := &preparation{query: query, info: c.info, among: &c.pool.texts, within: u.ID()}
	c.pool.stmts.TakeFor(u.Test(), &p.Lease, p, 2)
	p.among.opened(p)
	t := &stmt{below: s, conn: c, open: p}
	c.swept.prepared(t)
	return t.exposed()
}

// Now says whether the statement is open. One that database/sql prepared for a single call, or again on another connection,
// is its own to close.
func (p *preparation) Now() lease.State {
	if p.closed.Load() {
		return lease.Released
	}
	if p.resolve(); !p.mine || p.lost.Load() && !p.hasCopy() {
		return lease.Released
	}
	return lease.Held
}

// resolve finds out what prepared it.
func (p *preparation) resolve() {
	p.once.Do(func() {
		p.call = dbuse.CallOf(p.PCs())
		switch p.call.Method {
		case "Prepare", "PrepareContext", "":
			p.mine = true
		}
	})
}

// end takes the statement out; it is false when it was out already.
func (p *preparation) end() bool {
	if p.closed.Swap(true) {
		return false
	}
	p.Release(false)
	p.among.ended(p)
	return true
}

// Info describes the statement.
func (p *preparation) Info() lease.Info {
	p.resolve()
	within := p.within
	if u := p.usedBy.Load(); u != nil && !u.over.Load() {
		within = u.ID() // database/sql closes it only when that lease is over
	}
	info := lease.Info{
		Kind: "sql-stmt", Code: codeStmt, Hint: p.hint(), Within: within,
		Summary: p.call.What("sql.Stmt", p.PCs()) + " was never closed",
		State:   sqltext.Statement(p.query),
	}
	if pid := p.openOn().pid; pid != 0 {
		info.Note = "it is prepared on the server, process " + itoa(pid)
	}
	return info
}

// hint says how the statement is closed. One that a dependency has prepared is the caller's only when it was handed over: an ORM may
// keep it.
func (p *preparation) hint() string {
	user := callers(p.PCs())
	if len(user) == 0 || !callsite.IsDependency(user[0]) {
		return "defer stmt.Close()"
	}
	lib, _, _ := strings.Cut(user[0].Package(), "/internal/")
	return "defer stmt.Close(), where " + lib + " has given the statement to you; where " + lib + " keeps it, as a cache of statements does, " +
		"close that before the check, or leave statements out: leakcheck.Without(leakcheck.SQLStmt)"
}

// NumInput is the driver's.
func (s *stmt) NumInput() int { return s.below.NumInput() }

// Close closes the statement. database/sql may call it while it holds its own lock, so that nothing here may ask it.
func (s *stmt) Close() error {
	defer s.ended()
	if s.conn.swept != nil {
		return s.conn.swept.closeStmt(s)
	}
	return s.below.Close()
}

func (s *stmt) begin(op string) *use {
	u := s.conn.begin(op, s.open.query)
	s.open.usedBy.Store(u)
	return u
}

// Exec is called for drivers without ExecContext.
func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	u := s.begin("stmt.Exec")
	defer u.done()
	defer s.conn.swept.leave()
	if err := s.conn.swept.call(context.Background(), "stmt.Exec", s.open.query); err != nil {
		return nil, err
	}
	return s.below.Exec(args) //lint:ignore SA1019 database/sql still calls it for drivers that have nothing else
}

// Query is called for drivers without QueryContext.
func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	u := s.begin("stmt.Query")
	defer u.done()
	defer s.conn.swept.leave()
	if err := s.conn.swept.call(context.Background(), "stmt.Query", s.open.query); err != nil {
		return nil, err
	}
	rows, err := s.below.Query(args) //lint:ignore SA1019 database/sql still calls it for drivers that have nothing else
	if err == nil {
		u.queried(true) // the driver is not told which context it is
	}
	return s.conn.swept.sweptRows(context.Background(), rows, s.open.query), err
}

// The rest is there when the driver has it.

type stmtExecer struct{ *stmt }

func (s stmtExecer) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	u := s.begin("stmt.ExecContext")
	defer u.done()
	defer s.conn.swept.leave()
	if err := s.conn.swept.call(ctx, "stmt.ExecContext", s.open.query); err != nil {
		return nil, err
	}
	return s.below.(driver.StmtExecContext).ExecContext(ctx, args)
}

type stmtQueryer struct{ *stmt }

func (s stmtQueryer) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	u := s.begin("stmt.QueryContext")
	defer u.done()
	defer s.conn.swept.leave()
	if err := s.conn.swept.call(ctx, "stmt.QueryContext", s.open.query); err != nil {
		return nil, err
	}
	rows, err := s.below.(driver.StmtQueryContext).QueryContext(ctx, args)
	if err == nil {
		u.queried(ctx.Done() != nil)
	}
	return s.conn.swept.sweptRows(ctx, rows, s.open.query), err
}

type stmtChecker struct{ *stmt }

func (s stmtChecker) CheckNamedValue(v *driver.NamedValue) error {
	return s.below.(driver.NamedValueChecker).CheckNamedValue(v)
}

type stmtConverter struct{ *stmt }

func (s stmtConverter) ColumnConverter(i int) driver.ValueConverter {
	return s.below.(converter).ColumnConverter(i)
}
