package dbcheck

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"sync"
)

// sweptConn is what a run of Sweep knows of one connection: it can lose it, as when the server ends it, and closes it when
// the run is over and has leaked it. The driver's own connection is never used by two at once: whoever closes it waits for the
// calls that are being made. Its methods may be called on nil, outside of such runs.
type sweptConn struct {
	faults *faults
	below  driver.Conn

	mu     sync.Mutex
	busy   int  // calls that are being made
	lost   bool // no call reaches the driver any more
	closed bool // the driver's connection is
	err    error
	tx     driver.Tx
	rows   []*sweptRows
	stmts  []*stmt
}

// adopt makes one of a new connection; nil outside of a sweep.
func (f *faults) adopt(below driver.Conn) *sweptConn {
	if f == nil {
		return nil
	}
	c := &sweptConn{faults: f, below: below}
	f.mu.Lock()
	f.conns = append(f.conns, c)
	f.mu.Unlock()
	return c
}

// call counts a call and gives the error that it fails with; nil when it does not. leave must follow it.
func (c *sweptConn) call(ctx context.Context, op, query string) error {
	if c == nil {
		return nil
	}
	c.enter()
	return c.faults.call(ctx, c, op, query)
}

// enter begins a call that is not counted, and says whether the driver may be called. leave must follow it.
func (c *sweptConn) enter() bool {
	if c == nil {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy++
	return !c.lost
}

// leave ends a call. The last one closes a connection that was lost meanwhile.
func (c *sweptConn) leave() {
	if c == nil {
		return
	}
	c.mu.Lock()
	c.busy--
	c.mu.Unlock()
	c.bury()
}

// lose ends the connection: what is open on it is closed as soon as no call is being made.
func (c *sweptConn) lose() {
	if c == nil {
		return
	}
	c.mu.Lock()
	c.lost = true
	c.mu.Unlock()
	c.bury()
}

func (c *sweptConn) isLost() bool {
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost
}

// bury closes a lost connection that nobody uses, and first what is open on it: that is what a server does when it notices,
// and some drivers keep a connection for as long as a statement is open.
func (c *sweptConn) bury() {
	c.mu.Lock()
	if !c.lost || c.closed || c.busy > 0 {
		c.mu.Unlock()
		return
	}
	c.closed = true
	rows, tx, stmts := c.rows, c.tx, c.stmts
	c.rows, c.tx, c.stmts = nil, nil, nil
	c.mu.Unlock()
	for _, r := range rows {
		quietly(r.Rows.Close)
	}
	if tx != nil {
		quietly(tx.Rollback)
	}
	for _, s := range stmts {
		quietly(s.below.Close)
	}
	err := quietly(c.below.Close)
	c.mu.Lock()
	c.err = err
	c.mu.Unlock()
	c.forget()
}

func (c *sweptConn) forget() {
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	c.faults.conns = slices.DeleteFunc(c.faults.conns, func(q *sweptConn) bool { return q == c })
}

// quietly calls f, which a driver may not expect to be called now.
func quietly(f func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("dbcheck.Sweep: the driver panicked when its connection was closed")
		}
	}()
	return f()
}

// close is Close for database/sql.
func (c *sweptConn) close() error {
	c.lose()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// began notes a transaction, and ended that it is over.
func (c *sweptConn) began(t driver.Tx) {
	if c != nil {
		c.mu.Lock()
		c.tx = t
		c.mu.Unlock()
	}
}

func (c *sweptConn) ended() {
	if c != nil {
		c.mu.Lock()
		c.tx = nil
		c.mu.Unlock()
	}
}

// prepared notes a statement.
func (c *sweptConn) prepared(s *stmt) {
	if c != nil {
		c.mu.Lock()
		c.stmts = append(c.stmts, s)
		c.mu.Unlock()
	}
}

// closeStmt is Close of a statement. database/sql may hold its own lock.
func (c *sweptConn) closeStmt(s *stmt) error {
	defer c.leave()
	fault := c.call(context.Background(), "Stmt.Close", s.open.query)
	c.mu.Lock()
	mine := slices.Contains(c.stmts, s)
	c.stmts = slices.DeleteFunc(c.stmts, func(q *stmt) bool { return q == s })
	c.mu.Unlock()
	var err error
	if mine { // else it was closed with its connection
		err = s.below.Close()
	}
	if fault != nil && !errors.Is(fault, driver.ErrBadConn) {
		return fault
	}
	return err
}
