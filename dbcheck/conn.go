package dbcheck

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync/atomic"

	"github.com/leakgate/leakgate/internal/callstack"
)

// conn is a tracked connection. It has what every connection must have, what leases are told from (ResetSession and
// IsValid), and Raw. What else the driver's has is added by exposed.
type conn struct {
	below driver.Conn
	pool  *pool
	info  *connInfo

	use   atomic.Pointer[use] // nil while it is idle
	deep  *atomic.Uint64      // ID of the lease that the agent of deep mode has of it
	swept *sweptConn          // in a run of Sweep; nil otherwise

	// A driver that does not have both ResetSession and IsValid loses its connection at a transaction that only its
	// context ended (database/sql, keepConnOnRollback). With both seen here, database/sql would keep it.
	keeps   bool
	discard atomic.Bool
}

func (c *conn) keepsConn() {
	_, resets := c.below.(driver.SessionResetter)
	_, validates := c.below.(driver.Validator)
	c.keeps = resets && validates
}

// LeakgateLeased is told by the agent of deep mode of its own lease of the connection, and of the *sql.DB that lends it.
func (c *conn) LeakgateLeased(id uint64, db uintptr) {
	c.deep.Store(id)
	c.pool.known.SetSeen(db)
}

// Raw gives the driver's own connection.
func (c *conn) Raw() driver.Conn { return c.below }

// take begins a lease of the connection. reused says that it had served another before.
func (c *conn) take(reused bool) *use {
	u := newUse(c, reused)
	c.use.Store(u)
	observers.Leased(u)
	return u
}

// release ends the lease, if there is one.
func (c *conn) release() {
	if u := c.use.Swap(nil); u != nil {
		u.end()
		u.forget()
		return
	}
	c.pool.seen(c.info) // nobody took it from the background opener
}

// begin notes a call of the driver. A connection without a lease was handed over by the background opener, or by another
// that had not used it: its lease begins here.
func (c *conn) begin(op, query string) *use {
	u := c.use.Load()
	if u == nil {
		c.pool.seen(c.info)
		u = c.take(false)
	}
	u.begin(op, query)
	return u
}

// Prepare prepares a statement.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	u := c.begin("Prepare", query)
	defer u.done()
	defer c.swept.leave()
	if err := c.swept.call(context.Background(), "Prepare", query); err != nil {
		return nil, err
	}
	s, err := c.below.Prepare(query)
	return c.prepared(u, s, err, query), err
}

// Begin starts a transaction.
func (c *conn) Begin() (driver.Tx, error) {
	u := c.begin("Begin", "")
	defer u.done()
	defer c.swept.leave()
	if err := c.swept.call(context.Background(), "Begin", ""); err != nil {
		return nil, err
	}
	t, err := c.below.Begin() //lint:ignore SA1019 database/sql still calls it for drivers that have nothing else
	return c.begun(context.Background(), u, t, err), err
}

// begun tracks a transaction.
func (c *conn) begun(ctx context.Context, u *use, t driver.Tx, err error) driver.Tx {
	if err != nil || isNil(t) {
		return t
	}
	u.txs(1)
	c.swept.began(t)
	return &tx{below: t, conn: c, use: u, ctx: ctx}
}

// Close closes the connection. Whatever was leased or prepared on it is gone with it.
func (c *conn) Close() error {
	defer c.pool.closed(c.info)
	defer c.release()
	if c.swept != nil {
		return c.swept.close()
	}
	return c.below.Close()
}

// ResetSession is called when a connection that has been in use before is taken out of the pool, by whoever takes it.
func (c *conn) ResetSession(ctx context.Context) error {
	u := c.use.Load()
	if u == nil {
		u = c.take(true)
	}
	defer c.swept.leave()
	if !c.swept.enter() {
		return driver.ErrBadConn
	}
	r, ok := c.below.(driver.SessionResetter)
	if !ok {
		return nil
	}
	u.resets(true)
	defer u.resets(false)
	return r.ResetSession(ctx)
}

// IsValid is called when a connection goes back to the pool, by whoever gives it back, and ends its lease.
func (c *conn) IsValid() bool {
	defer c.swept.leave()
	valid := c.swept.enter()
	if v, ok := c.below.(driver.Validator); ok && valid {
		valid = v.IsValid()
	}
	c.release()
	return valid && !c.discard.Load()
}

// The rest is there when the driver has it.

type pinger struct{ *conn }

func (c pinger) Ping(ctx context.Context) error {
	u := c.begin("Ping", "")
	defer u.done()
	defer c.swept.leave()
	if err := c.swept.call(ctx, "Ping", ""); err != nil {
		return err
	}
	return c.below.(driver.Pinger).Ping(ctx)
}

type preparer struct{ *conn }

func (c preparer) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	u := c.begin("PrepareContext", query)
	defer u.done()
	defer c.swept.leave()
	if err := c.swept.call(ctx, "PrepareContext", query); err != nil {
		return nil, err
	}
	s, err := c.below.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	return c.prepared(u, s, err, query), err
}

type beginner struct{ *conn }

func (c beginner) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	u := c.begin("BeginTx", "")
	defer u.done()
	defer c.swept.leave()
	if err := c.swept.call(ctx, "BeginTx", ""); err != nil {
		return nil, err
	}
	t, err := c.below.(driver.ConnBeginTx).BeginTx(ctx, opts)
	return c.begun(ctx, u, t, err), err
}

type checker struct{ *conn }

func (c checker) CheckNamedValue(v *driver.NamedValue) error {
	return c.below.(driver.NamedValueChecker).CheckNamedValue(v)
}

type execer struct{ *conn }

func (c execer) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	u := c.begin("ExecContext", query)
	defer u.done()
	defer c.swept.leave()
	if err := c.swept.call(ctx, "ExecContext", query); err != nil {
		return nil, err
	}
	if e, ok := c.below.(driver.ExecerContext); ok {
		return e.ExecContext(ctx, query, args)
	}
	values, err := legacy(ctx, args)
	if err != nil {
		return nil, err
	}
	return c.below.(driver.Execer).Exec(query, values) //lint:ignore SA1019 what an old driver has
}

type queryer struct{ *conn }

func (c queryer) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	u := c.begin("QueryContext", query)
	defer u.done()
	defer c.swept.leave()
	if err := c.swept.call(ctx, "QueryContext", query); err != nil {
		return nil, err
	}
	rows, err := c.query(ctx, query, args)
	if err == nil {
		u.queried(ctx.Done() != nil)
	}
	return c.swept.sweptRows(ctx, rows, query), err
}

func (c queryer) query(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if q, ok := c.below.(driver.QueryerContext); ok {
		return q.QueryContext(ctx, query, args)
	}
	values, err := legacy(ctx, args)
	if err != nil {
		return nil, err
	}
	return c.below.(driver.Queryer).Query(query, values) //lint:ignore SA1019 what an old driver has
}

// legacy turns arguments into those of a driver that takes no context and no names, as database/sql does.
func legacy(ctx context.Context, args []driver.NamedValue) ([]driver.Value, error) {
	values := make([]driver.Value, len(args))
	for i, a := range args {
		if a.Name != "" {
			return nil, errors.New("sql: driver does not support the use of Named Parameters")
		}
		values[i] = a.Value
	}
	select {
	default:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return values, nil
}

// tx is a tracked transaction.
type tx struct {
	below driver.Tx
	conn  *conn
	use   *use
	ctx   context.Context // that it was begun with
}

func (t *tx) Commit() error {
	t.use.begin("Commit", "")
	defer t.use.done()
	defer t.use.txs(-1)
	swept := t.conn.swept
	defer swept.leave()
	if err := swept.call(t.ctx, "Commit", ""); err != nil {
		if !swept.isLost() {
			swept.ended()
			_ = t.below.Rollback() // as the server does
		}
		return err
	}
	swept.ended()
	return t.below.Commit()
}

func (t *tx) Rollback() error {
	if !t.conn.keeps && byContext() {
		t.conn.discard.Store(true)
	}
	t.use.begin("Rollback", "")
	defer t.use.done()
	defer t.use.txs(-1)
	swept := t.conn.swept
	defer swept.leave()
	fault := swept.call(t.ctx, "Rollback", "")
	if swept.isLost() {
		return driver.ErrBadConn
	}
	swept.ended()
	if err := t.below.Rollback(); err != nil {
		return err
	}
	return fault
}

// byContext says whether the end of a context ended the transaction, and not the program.
func byContext() bool {
	return callstack.Capture(0).Through("database/sql.(*Tx).awaitDone")
}
