package dbcheck

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"reflect"
	"slices"
)

// sweptRows gives rows whose Next and Close can fail, in a run of Sweep. Rows are the driver's own otherwise.
func (c *sweptConn) sweptRows(ctx context.Context, r driver.Rows, query string) driver.Rows {
	if c == nil || isNil(r) {
		return r
	}
	rows := &sweptRows{Rows: r, conn: c, ctx: ctx, query: query}
	c.mu.Lock()
	c.rows = append(c.rows, rows)
	c.mu.Unlock()
	if out, ok := scanning(rows); ok {
		return out
	}
	if n, ok := r.(driver.RowsNextResultSet); ok {
		return struct {
			*sweptRows
			resultSets
		}{rows, &sweptSets{n, rows}}
	}
	return rows
}

// sweptRows answers what the driver's rows do not know of their columns as database/sql does without them.
type sweptRows struct {
	driver.Rows
	conn   *sweptConn
	ctx    context.Context // the query's
	query  string
	closed bool
}

// unscannable is a value that no destination but an interface takes.
type unscannable struct{ _ func() }

func (r *sweptRows) Next(dest []driver.Value) error {
	bad, err := r.next(func() error { return r.Rows.Next(dest) })
	if err == nil && bad {
		for i := range dest {
			dest[i] = unscannable{}
		}
	}
	return err
}

// next goes to the next row by the driver's own method, and says whether that row is one that cannot be scanned.
func (r *sweptRows) next(below func() error) (bad bool, err error) {
	defer r.conn.leave()
	if err := r.conn.call(r.ctx, "Next", r.query); err != nil {
		if r.conn.faults.way != wayScan || err != errInjected {
			return false, err
		}
		bad = true
	}
	err = below()
	if err == io.EOF {
		r.conn.faults.ended()
	}
	return bad, err
}

// Close closes the driver's rows, also when it fails.
func (r *sweptRows) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	defer r.conn.leave()
	fault := r.conn.call(r.ctx, "Rows.Close", r.query)
	c := r.conn
	c.mu.Lock()
	mine := slices.Contains(c.rows, r)
	c.rows = slices.DeleteFunc(c.rows, func(q *sweptRows) bool { return q == r })
	c.mu.Unlock()
	var err error
	if mine { // else they were closed with their connection
		err = r.Rows.Close()
	}
	if fault != nil && !errors.Is(fault, driver.ErrBadConn) {
		return fault
	}
	return err
}

// resultSets is what driver.RowsNextResultSet adds to driver.Rows.
type resultSets interface {
	HasNextResultSet() bool
	NextResultSet() error
}

type sweptSets struct {
	below driver.RowsNextResultSet
	rows  *sweptRows
}

func (s *sweptSets) HasNextResultSet() bool {
	defer s.rows.conn.leave()
	return s.rows.conn.enter() && s.below.HasNextResultSet()
}

func (s *sweptSets) NextResultSet() error {
	defer s.rows.conn.leave()
	if err := s.rows.conn.call(s.rows.ctx, "NextResultSet", s.rows.query); err != nil {
		return err
	}
	return s.below.NextResultSet()
}

func (r *sweptRows) ColumnTypeScanType(i int) reflect.Type {
	if c, ok := r.Rows.(driver.RowsColumnTypeScanType); ok {
		return c.ColumnTypeScanType(i)
	}
	return reflect.TypeFor[any]()
}

func (r *sweptRows) ColumnTypeDatabaseTypeName(i int) string {
	if c, ok := r.Rows.(driver.RowsColumnTypeDatabaseTypeName); ok {
		return c.ColumnTypeDatabaseTypeName(i)
	}
	return ""
}

func (r *sweptRows) ColumnTypeLength(i int) (int64, bool) {
	if c, ok := r.Rows.(driver.RowsColumnTypeLength); ok {
		return c.ColumnTypeLength(i)
	}
	return 0, false
}

func (r *sweptRows) ColumnTypeNullable(i int) (nullable, ok bool) {
	if c, ok := r.Rows.(driver.RowsColumnTypeNullable); ok {
		return c.ColumnTypeNullable(i)
	}
	return false, false
}

func (r *sweptRows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	if c, ok := r.Rows.(driver.RowsColumnTypePrecisionScale); ok {
		return c.ColumnTypePrecisionScale(i)
	}
	return 0, 0, false
}
