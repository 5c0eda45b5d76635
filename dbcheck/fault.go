package dbcheck

import (
	"context"
	"database/sql/driver"
	"errors"
	"reflect"
	"sync"
)

// way is how a call of the driver fails.
type way string

const (
	wayError  way = "error"
	wayBad    way = "ErrBadConn"
	wayCancel way = "cancelled"
	wayScan   way = "scan error" // the row comes, and cannot be scanned
	wayPanic  way = "panic"
)

// errInjected is what a call fails with.
var errInjected = errors.New("dbcheck.Sweep: injected failure of this driver call")

// waysOf lists how a call can fail. Only those that a caller has to cope with: what database/sql tries again by itself is
// among them, because it tries with another connection.
func waysOf(op string, panics bool) []way {
	switch op {
	case "Connect", "Rollback":
		return []way{wayError}
	case "Commit":
		return []way{wayError, wayBad}
	case "Next":
		if panics {
			return []way{wayError, wayCancel, wayScan, wayPanic}
		}
		return []way{wayError, wayCancel, wayScan}
	}
	return []way{wayError, wayBad, wayCancel}
}

// driverCall is one call of the driver.
type driverCall struct{ op, query string }

func (c driverCall) String() string {
	if q := statement(c.query); q != "" {
		return c.op + " " + q
	}
	return c.op
}

// faults counts the calls of the driver in one run, and lets one of them fail.
type faults struct {
	at  int // the call that fails, from 1; 0 for none
	way way

	mu    sync.Mutex
	calls []driverCall
}

// hit counts a call and says whether it is the one that fails.
func (f *faults) hit(c driverCall) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, c)
	return len(f.calls) == f.at
}

func (f *faults) seen() []driverCall {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]driverCall(nil), f.calls...)
}

func (w way) err() error {
	switch w {
	case wayBad:
		return driver.ErrBadConn
	case wayCancel:
		return context.Canceled
	}
	return errInjected
}

// fault gives the error that a call fails with; nil when it does not.
func (p *pool) fault(op, query string) error {
	if p.faults == nil || !p.faults.hit(driverCall{op, query}) {
		return nil
	}
	return p.faults.way.err()
}

// faultyRows gives rows whose Next can fail, in a run of Sweep. Rows are the driver's own otherwise.
func (p *pool) faultyRows(r driver.Rows) driver.Rows {
	if p.faults == nil || isNil(r) {
		return r
	}
	rows := &faultyRows{Rows: r, faults: p.faults}
	if out, ok := scanning(rows); ok {
		return out
	}
	if n, ok := r.(driver.RowsNextResultSet); ok {
		return struct {
			*faultyRows
			resultSets
		}{rows, n}
	}
	return rows
}

// resultSets is what driver.RowsNextResultSet adds to driver.Rows.
type resultSets interface {
	HasNextResultSet() bool
	NextResultSet() error
}

// faultyRows answers what the driver's rows do not know of their columns as database/sql does without them.
type faultyRows struct {
	driver.Rows
	faults *faults
}

// unscannable is a value that no destination but an interface takes.
type unscannable struct{ _ func() }

func (r *faultyRows) Next(dest []driver.Value) error {
	hit := r.faults.hit(driverCall{op: "Next"})
	if hit && r.faults.way != wayScan {
		return r.fail()
	}
	err := r.Rows.Next(dest)
	if err == nil && hit && len(dest) > 0 {
		dest[0] = unscannable{}
	}
	return err
}

func (r *faultyRows) fail() error {
	if r.faults.way == wayPanic {
		panic(errInjected)
	}
	return r.faults.way.err()
}

func (r *faultyRows) ColumnTypeScanType(i int) reflect.Type {
	if c, ok := r.Rows.(driver.RowsColumnTypeScanType); ok {
		return c.ColumnTypeScanType(i)
	}
	return reflect.TypeFor[any]()
}

func (r *faultyRows) ColumnTypeDatabaseTypeName(i int) string {
	if c, ok := r.Rows.(driver.RowsColumnTypeDatabaseTypeName); ok {
		return c.ColumnTypeDatabaseTypeName(i)
	}
	return ""
}

func (r *faultyRows) ColumnTypeLength(i int) (int64, bool) {
	if c, ok := r.Rows.(driver.RowsColumnTypeLength); ok {
		return c.ColumnTypeLength(i)
	}
	return 0, false
}

func (r *faultyRows) ColumnTypeNullable(i int) (nullable, ok bool) {
	if c, ok := r.Rows.(driver.RowsColumnTypeNullable); ok {
		return c.ColumnTypeNullable(i)
	}
	return false, false
}

func (r *faultyRows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	if c, ok := r.Rows.(driver.RowsColumnTypePrecisionScale); ok {
		return c.ColumnTypePrecisionScale(i)
	}
	return 0, 0, false
}
