//go:build go1.27

package dbcheck

import (
	"database/sql"
	"database/sql/driver"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// scanner is rows of a driver that scans by itself.
type scanner struct{ plainRows }

func (s *scanner) NextRow() error {
	if s.n == 2 {
		return io.EOF
	}
	s.n++
	return nil
}

func (s *scanner) ScanColumn(ctx driver.ScanContext, _ int, dest any) error {
	return sql.ConvertAssign(ctx, dest, int64(s.n))
}

type scannerSets struct{ scanner }

func (*scannerSets) HasNextResultSet() bool { return false }
func (*scannerSets) NextResultSet() error   { return io.EOF }

// TestScanningRows: rows that scan by themselves still do in a run of Sweep, and their failures are met.
func TestScanningRows(t *testing.T) {
	c := swept(t, 2, "Next", wayScan)
	_, ok := c.sweptRows(t.Context(), &scannerSets{}, "").(driver.RowsNextResultSet)
	assert.True(t, ok)
	rows := c.sweptRows(t.Context(), &scanner{}, "")
	_, ok = rows.(driver.RowsNextResultSet)
	assert.False(t, ok)
	r, ok := rows.(driver.RowsColumnScanner)
	require.True(t, ok)
	var n int
	require.NoError(t, r.NextRow())
	require.NoError(t, r.ScanColumn(driver.ScanContext{}, 0, &n))
	assert.Equal(t, 1, n)
	require.NoError(t, r.NextRow())
	assert.ErrorIs(t, r.ScanColumn(driver.ScanContext{}, 0, &n), errInjectedScan)
	assert.Equal(t, io.EOF, r.NextRow())
	c.lose()
	assert.Equal(t, driver.ErrBadConn, r.NextRow())

	r = swept(t, 1, "Next", wayError).sweptRows(t.Context(), &scanner{}, "").(driver.RowsColumnScanner)
	assert.ErrorIs(t, r.NextRow(), errInjected)
}
