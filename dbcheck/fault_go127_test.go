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
	p := poolOf(Wrap(plainConnector{}))
	assert.Equal(t, driver.Rows(&scanner{}), p.faultyRows(&scanner{}), "elsewhere they are the driver's own")

	p.faults = &faults{at: 2, way: wayScan}
	rows := p.faultyRows(&scannerSets{})
	_, ok := rows.(driver.RowsNextResultSet)
	assert.True(t, ok)
	rows = p.faultyRows(&scanner{})
	_, ok = rows.(driver.RowsNextResultSet)
	assert.False(t, ok)
	r, ok := rows.(driver.RowsColumnScanner)
	require.True(t, ok)
	require.NoError(t, r.NextRow())
	require.NoError(t, r.NextRow())
	assert.ErrorIs(t, r.ScanColumn(driver.ScanContext{}, 0, new(int)), errInjectedScan)
	assert.Equal(t, io.EOF, r.NextRow())

	p.faults = &faults{at: 1, way: wayError}
	r = p.faultyRows(&scanner{}).(driver.RowsColumnScanner)
	assert.ErrorIs(t, r.NextRow(), errInjected)
}
