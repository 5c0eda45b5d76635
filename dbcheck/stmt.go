package dbcheck

import (
	"context"
	"database/sql/driver"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/lease"
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
	within uint64 // the lease that it was prepared under
	usedBy atomic.Pointer[use]
	closed atomic.Bool

	once sync.Once
	call call // what prepared it, known once it was asked for
	mine bool // whoever called that has to close it

	lease.Lease // last, because it ends in a long array without pointers
}

// prepared tracks a statement.
func (c *conn) prepared(u *use, s driver.Stmt, err error, query string) driver.Stmt {
	if err != nil || isNil(s) {
		return s
	}
	p := &preparation{query: query, info: c.info, within: u.ID()}
	c.pool.stmts.TakeFor(u.Test(), &p.Lease, p, 2)
	t := &stmt{below: s, conn: c, open: p}
	return t.exposed()
}

// Now says whether the statement is open. One that database/sql prepared for a single call, or again on another connection,
// is its own to close.
func (p *preparation) Now() lease.State {
	if p.closed.Load() {
		return lease.Released
	}
	p.once.Do(func() {
		p.call = callOf(p.PCs())
		switch p.call.method {
		case "Prepare", "PrepareContext", "":
			p.mine = true
		}
	})
	if !p.mine {
		return lease.Released
	}
	return lease.Held
}

func (p *preparation) end() {
	if !p.closed.Swap(true) {
		p.Release(false)
	}
}

// Info describes the statement.
func (p *preparation) Info() lease.Info {
	p.Now() // finds out what prepared it
	within := p.within
	if u := p.usedBy.Load(); u != nil && !u.over.Load() {
		within = u.ID() // database/sql closes it only when that lease is over
	}
	info := lease.Info{
		Kind: "sql-stmt", Code: codeStmt, Hint: "defer stmt.Close()", Within: within,
		Summary: p.call.what("sql.Stmt", p.PCs()) + " was never closed",
		State:   statement(p.query),
	}
	if p.info.pid != 0 {
		info.Note = "it is prepared on the server, process " + itoa(p.info.pid)
	}
	return info
}

// NumInput is the driver's.
func (s *stmt) NumInput() int { return s.below.NumInput() }

// Close closes the statement. database/sql may call it while it holds its own lock, so that nothing here may ask it.
func (s *stmt) Close() error {
	defer s.open.end()
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
	if err := s.conn.pool.fault("stmt.Exec", s.open.query); err != nil {
		return nil, err
	}
	return s.below.Exec(args) //lint:ignore SA1019 database/sql still calls it for drivers that have nothing else
}

// Query is called for drivers without QueryContext.
func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	u := s.begin("stmt.Query")
	defer u.done()
	if err := s.conn.pool.fault("stmt.Query", s.open.query); err != nil {
		return nil, err
	}
	rows, err := s.below.Query(args) //lint:ignore SA1019 database/sql still calls it for drivers that have nothing else
	if err == nil {
		u.queried()
	}
	return s.conn.pool.faultyRows(rows), err
}

// The rest is there when the driver has it.

type stmtExecer struct{ *stmt }

func (s stmtExecer) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	u := s.begin("stmt.ExecContext")
	defer u.done()
	if err := s.conn.pool.fault("stmt.ExecContext", s.open.query); err != nil {
		return nil, err
	}
	return s.below.(driver.StmtExecContext).ExecContext(ctx, args)
}

type stmtQueryer struct{ *stmt }

func (s stmtQueryer) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	u := s.begin("stmt.QueryContext")
	defer u.done()
	if err := s.conn.pool.fault("stmt.QueryContext", s.open.query); err != nil {
		return nil, err
	}
	rows, err := s.below.(driver.StmtQueryContext).QueryContext(ctx, args)
	if err == nil {
		u.queried()
	}
	return s.conn.pool.faultyRows(rows), err
}

type stmtChecker struct{ *stmt }

func (s stmtChecker) CheckNamedValue(v *driver.NamedValue) error {
	return s.below.(driver.NamedValueChecker).CheckNamedValue(v)
}

type stmtConverter struct{ *stmt }

func (s stmtConverter) ColumnConverter(i int) driver.ValueConverter {
	return s.below.(converter).ColumnConverter(i)
}

// call is the function of database/sql that the program called.
type call struct {
	receiver string // "db", "tx", "conn", "stmt"; "" for none
	method   string // "QueryContext"; "" when there is no frame of database/sql
}

// callOf finds the call in a stack: the outermost of the innermost run of frames of database/sql.
func callOf(pcs []uintptr) (c call) {
	if len(pcs) == 0 {
		return c
	}
	it := runtime.CallersFrames(pcs)
	in := false
	for {
		f, more := it.Next()
		name, ok := strings.CutPrefix(f.Function, "database/sql.")
		if in && !ok && !strings.HasPrefix(f.Function, "runtime.") {
			return c
		}
		if ok {
			in = true
			c.frame(name)
		}
		if !more {
			return c
		}
	}
}

var receivers = map[string]string{"(*DB)": "db", "(*Tx)": "tx", "(*Conn)": "conn", "(*Stmt)": "stmt", "(*Row)": "row", "(*Rows)": "rows"}

func (c *call) frame(name string) {
	recv, method, ok := strings.Cut(name, ").")
	if !ok {
		return // a function such as withLock
	}
	method, _, _ = strings.Cut(method, ".") // a closure inside
	r := receivers[recv+")"]
	if r == "" {
		return // driverConn
	}
	c.receiver, c.method = r, method
}

// what names a thing by where it came from: "sql.Rows from db.QueryContext at store.go:41".
func (c call) what(thing string, pcs []uintptr) string {
	switch {
	case c.method == "":
	case c.method == "connectionOpener":
		thing += " from db's background opener"
	default:
		thing += " from " + c.receiver + "." + c.method
	}
	if site := callsite.Pick(callsite.User(callsite.Expand(pcs))); site.Func != "" {
		thing += " at " + short(site)
	}
	return thing
}
