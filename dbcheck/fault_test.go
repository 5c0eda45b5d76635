package dbcheck

import (
	"context"
	"database/sql/driver"
	"io"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// swept gives a connection in a run in which call n fails in the way.
func swept(t *testing.T, n int, op string, w way) *sweptConn {
	f := newFaults(t.Context())
	t.Cleanup(f.cancel)
	f.at, f.like, f.way = n, driverCall{op: op}, w
	return f.adopt(plainConn{})
}

type sets struct{ plainRows }

func (*sets) HasNextResultSet() bool { return true }
func (*sets) NextResultSet() error   { return io.EOF }

// typed is rows that know all of their columns.
type typed struct{ plainRows }

func (*typed) ColumnTypeScanType(int) reflect.Type               { return reflect.TypeFor[int64]() }
func (*typed) ColumnTypeDatabaseTypeName(int) string             { return "INT" }
func (*typed) ColumnTypeLength(int) (int64, bool)                { return 8, true }
func (*typed) ColumnTypeNullable(int) (nullable, ok bool)        { return true, true }
func (*typed) ColumnTypePrecisionScale(int) (int64, int64, bool) { return 4, 2, true }

// TestSweptRows: rows of a run have what the driver's have, and answer for the rest as database/sql does.
func TestSweptRows(t *testing.T) {
	var none *sweptConn
	own := &plainRows{}
	assert.Same(t, own, none.sweptRows(t.Context(), own, ""), "elsewhere they are the driver's own")

	c := swept(t, 0, "", "")
	rows := c.sweptRows(t.Context(), &plainRows{}, "")
	_, ok := rows.(driver.RowsNextResultSet)
	assert.False(t, ok)
	assert.Equal(t, reflect.TypeFor[any](), rows.(driver.RowsColumnTypeScanType).ColumnTypeScanType(0))
	assert.Empty(t, rows.(driver.RowsColumnTypeDatabaseTypeName).ColumnTypeDatabaseTypeName(0))
	_, ok = rows.(driver.RowsColumnTypeLength).ColumnTypeLength(0)
	assert.False(t, ok)
	_, ok = rows.(driver.RowsColumnTypeNullable).ColumnTypeNullable(0)
	assert.False(t, ok)
	_, _, ok = rows.(driver.RowsColumnTypePrecisionScale).ColumnTypePrecisionScale(0)
	assert.False(t, ok)

	rows = c.sweptRows(t.Context(), &typed{}, "")
	assert.Equal(t, reflect.TypeFor[int64](), rows.(driver.RowsColumnTypeScanType).ColumnTypeScanType(0))
	assert.Equal(t, "INT", rows.(driver.RowsColumnTypeDatabaseTypeName).ColumnTypeDatabaseTypeName(0))
	n, ok := rows.(driver.RowsColumnTypeLength).ColumnTypeLength(0)
	assert.True(t, ok && n == 8)
	nullable, ok := rows.(driver.RowsColumnTypeNullable).ColumnTypeNullable(0)
	assert.True(t, ok && nullable)
	p, sc, ok := rows.(driver.RowsColumnTypePrecisionScale).ColumnTypePrecisionScale(0)
	assert.True(t, ok && p == 4 && sc == 2)

	several := c.sweptRows(t.Context(), &sets{}, "").(driver.RowsNextResultSet)
	assert.True(t, several.HasNextResultSet())
	assert.Equal(t, io.EOF, several.NextResultSet())
	failing := swept(t, 1, "NextResultSet", wayError).sweptRows(t.Context(), &sets{}, "").(driver.RowsNextResultSet)
	assert.Equal(t, errInjected, failing.NextResultSet())
}

// closes counts what is closed.
type closes struct {
	plainConn
	rows, conns, txs int
}

func (c *closes) Close() error    { c.conns++; return errInjected }
func (c *closes) Rollback() error { c.txs++; panic("a driver that does not expect this") }
func (c *closes) Commit() error   { return nil }

type closingRows struct {
	plainRows
	c *closes
}

func (r *closingRows) Close() error { r.c.rows++; return nil }

// TestLostConn: what is lost is closed once, when nobody uses it, and what was open on it before.
func TestLostConn(t *testing.T) {
	f := newFaults(context.Background())
	below := &closes{}
	c := f.adopt(below)
	c.began(below)
	rows := c.sweptRows(t.Context(), &closingRows{c: below}, "")
	require.NoError(t, c.call(t.Context(), "Ping", "")) // which is being made
	c.lose()
	assert.Zero(t, below.conns+below.rows+below.txs, "not while a call is made")
	assert.Len(t, f.open(), 1)
	c.leave()
	assert.Equal(t, closes{rows: 1, conns: 1, txs: 1}, *below)
	assert.Empty(t, f.open())

	assert.Equal(t, driver.ErrBadConn, c.call(t.Context(), "Ping", ""))
	c.leave()
	assert.False(t, c.enter())
	c.leave()
	assert.NoError(t, rows.Close())
	assert.Equal(t, driver.ErrBadConn, rows.Next(nil))
	assert.Equal(t, errInjected, c.close(), "what the driver said")
	assert.Equal(t, closes{rows: 1, conns: 1, txs: 1}, *below)
}
