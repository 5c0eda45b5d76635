package dbcheck_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// fake is a driver that has every optional interface, and says what it was asked. A test takes away what it wants to do
// without, and sets what is to go wrong.
type fake struct {
	mu     sync.Mutex
	calls  []string
	nextID atomic.Int64

	open     atomic.Int64 // connections
	maxRows  int          // rows of an answer, 2 when it is 0
	inputs   int          // parameters that a statement says it has; 0 for one that does not know
	fail     func(call string) error
	shapeOf  func(*fakeConn) driver.Conn
	shapeSt  func(*fakeStmt) driver.Stmt
	shapeCtr func(*fakeConnector) driver.Connector
}

func (f *fake) did(format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	f.mu.Lock()
	f.calls = append(f.calls, call)
	fail := f.fail
	f.mu.Unlock()
	if fail != nil {
		return fail(call)
	}
	return nil
}

// markKey is the key of what a context is known by in the log.
type markKey struct{}

// didWith is did for a call that has a context. The log has its mark, and whether it has ended.
func (f *fake) didWith(ctx context.Context, format string, args ...any) error {
	if mark, ok := ctx.Value(markKey{}).(string); ok {
		format, args = format+" [%s, %v]", append(args, mark, ctx.Err())
	}
	return f.did(format, args...)
}

func (f *fake) setFail(fail func(string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

func (f *fake) log() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.calls...)
}

// connector gives a connector of the driver.
func (f *fake) connector() driver.Connector {
	c := &fakeConnector{f}
	if f.shapeCtr != nil {
		return f.shapeCtr(c)
	}
	return c
}

type fakeConnector struct{ f *fake }

func (c *fakeConnector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := c.f.didWith(ctx, "connect"); err != nil {
		return nil, err
	}
	c.f.open.Add(1)
	conn := &fakeConn{f: c.f, id: c.f.nextID.Add(1)}
	if c.f.shapeOf != nil {
		return c.f.shapeOf(conn), nil
	}
	return conn, nil
}

func (c *fakeConnector) Driver() driver.Driver { return fakeDriver{c.f} }

// fakeCloser is a connector that can be closed.
type fakeCloser struct{ *fakeConnector }

func (c fakeCloser) Close() error { return c.f.did("connector.close") }

type fakeDriver struct{ f *fake }

func (d fakeDriver) Open(string) (driver.Conn, error) {
	return d.f.connector().Connect(context.Background())
}
func (d fakeDriver) OpenConnector(dsn string) (driver.Connector, error) {
	if err := d.f.did("open %s", dsn); err != nil {
		return nil, err
	}
	return d.f.connector(), nil
}

type fakeConn struct {
	f  *fake
	id int64
}

func (c *fakeConn) Prepare(q string) (driver.Stmt, error) {
	return c.prepare(context.Background(), "prepare", q)
}
func (c *fakeConn) PrepareContext(ctx context.Context, q string) (driver.Stmt, error) {
	return c.prepare(ctx, "prepareContext", q)
}

func (c *fakeConn) prepare(ctx context.Context, call, q string) (driver.Stmt, error) {
	if err := c.f.didWith(ctx, "%s %s", call, q); err != nil {
		return nil, err
	}
	s := &fakeStmt{f: c.f, query: q}
	if c.f.shapeSt != nil {
		return c.f.shapeSt(s), nil
	}
	return s, nil
}

func (c *fakeConn) Begin() (driver.Tx, error) {
	if err := c.f.did("begin"); err != nil {
		return nil, err
	}
	return &fakeTx{c.f}, nil
}

func (c *fakeConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if err := c.f.didWith(ctx, "beginTx %d %v", o.Isolation, o.ReadOnly); err != nil {
		return nil, err
	}
	return &fakeTx{c.f}, nil
}

func (c *fakeConn) Close() error {
	c.f.open.Add(-1)
	return c.f.did("close")
}

func (c *fakeConn) Ping(ctx context.Context) error { return c.f.didWith(ctx, "ping") }

func (c *fakeConn) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.f.didWith(ctx, "execContext %s %v", q, args); err != nil {
		return nil, err
	}
	return driver.RowsAffected(1), nil
}

func (c *fakeConn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.f.didWith(ctx, "queryContext %s %v", q, args); err != nil {
		return nil, err
	}
	return &fakeRows{f: c.f}, nil
}

func (c *fakeConn) CheckNamedValue(v *driver.NamedValue) error {
	if err := c.f.did("check"); err != nil {
		return err
	}
	return checkValue(v)
}

// checkValue lets type odd through as a text.
func checkValue(v *driver.NamedValue) error {
	if _, ok := v.Value.(odd); ok {
		v.Value = "odd"
		return nil
	}
	return driver.ErrSkip
}

// odd is a type that no default conversion knows.
type odd struct{ _ int }

func (c *fakeConn) ResetSession(ctx context.Context) error { return c.f.didWith(ctx, "reset") }
func (c *fakeConn) IsValid() bool                          { return c.f.did("isValid") == nil }

// legacyConn has the interfaces of old: Execer and Queryer.
type legacyConn struct {
	driver.Conn
	f *fake
}

func (c legacyConn) Exec(q string, args []driver.Value) (driver.Result, error) {
	if err := c.f.did("exec %s %v", q, args); err != nil {
		return nil, err
	}
	return driver.RowsAffected(1), nil
}

func (c legacyConn) Query(q string, args []driver.Value) (driver.Rows, error) {
	if err := c.f.did("query %s %v", q, args); err != nil {
		return nil, err
	}
	return &fakeRows{f: c.f}, nil
}

type fakeStmt struct {
	f     *fake
	query string
}

func (s *fakeStmt) Close() error { return s.f.did("stmt.close") }
func (s *fakeStmt) NumInput() int {
	if s.f.inputs == 0 {
		return -1
	}
	return s.f.inputs
}

func (s *fakeStmt) Exec(args []driver.Value) (driver.Result, error) {
	if err := s.f.did("stmt.exec %v", args); err != nil {
		return nil, err
	}
	return driver.RowsAffected(1), nil
}

func (s *fakeStmt) Query(args []driver.Value) (driver.Rows, error) {
	if err := s.f.did("stmt.query %v", args); err != nil {
		return nil, err
	}
	return &fakeRows{f: s.f}, nil
}

func (s *fakeStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if err := s.f.didWith(ctx, "stmt.execContext %v", args); err != nil {
		return nil, err
	}
	return driver.RowsAffected(1), nil
}

func (s *fakeStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if err := s.f.didWith(ctx, "stmt.queryContext %v", args); err != nil {
		return nil, err
	}
	return &fakeRows{f: s.f}, nil
}

func (s *fakeStmt) CheckNamedValue(v *driver.NamedValue) error {
	if err := s.f.did("stmt.check"); err != nil {
		return err
	}
	return checkValue(v)
}

func (s *fakeStmt) ColumnConverter(int) driver.ValueConverter { return oddConverter{s.f} }

type oddConverter struct{ f *fake }

func (c oddConverter) ConvertValue(v any) (driver.Value, error) {
	if err := c.f.did("convert"); err != nil {
		return nil, err
	}
	if _, ok := v.(odd); ok {
		return "odd", nil
	}
	return driver.DefaultParameterConverter.ConvertValue(v)
}

type fakeTx struct{ f *fake }

func (t *fakeTx) Commit() error   { return t.f.did("commit") }
func (t *fakeTx) Rollback() error { return t.f.did("rollback") }

type fakeRows struct {
	f *fake
	n int
}

func (r *fakeRows) Columns() []string { return []string{"n"} }
func (r *fakeRows) Close() error      { return r.f.did("rows.close") }

func (r *fakeRows) Next(dest []driver.Value) error {
	if err := r.f.did("next"); err != nil {
		return err
	}
	most := r.f.maxRows
	if most == 0 {
		most = 2
	}
	if r.n == most {
		return io.EOF
	}
	r.n++
	dest[0] = int64(r.n)
	return nil
}

var errFake = errors.New("the fake fails")

// quiet is a driver that does next to nothing, for what the wrapper costs.
type quiet struct{ driver.Conn }

func (q quiet) Connect(context.Context) (driver.Conn, error) { return q, nil }
func (q quiet) Driver() driver.Driver                        { return nil }
func (quiet) Close() error                                   { return nil }
func (quiet) ResetSession(context.Context) error             { return nil }
func (quiet) IsValid() bool                                  { return true }
func (quiet) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return &quietRows{}, nil
}

type quietRows struct{ done bool }

func (*quietRows) Columns() []string { return []string{"n"} }
func (*quietRows) Close() error      { return nil }
func (r *quietRows) Next(dest []driver.Value) error {
	if r.done {
		return io.EOF
	}
	r.done, dest[0] = true, int64(1)
	return nil
}
