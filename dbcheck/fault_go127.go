//go:build go1.27

package dbcheck

import (
	"database/sql/driver"
	"errors"
)

// errInjectedScan is what a column fails with that cannot be scanned.
var errInjectedScan = errors.New("dbcheck.Sweep: injected failure to scan this row")

// scanning gives the rows for a driver that scans by itself.
func scanning(r *faultyRows) (driver.Rows, bool) {
	s, ok := r.Rows.(driver.RowsColumnScanner)
	if !ok {
		return nil, false
	}
	rows := &scanningRows{faultyRows: r, scanner: s}
	if n, ok := r.Rows.(driver.RowsNextResultSet); ok {
		return struct {
			*scanningRows
			resultSets
		}{rows, n}, true
	}
	return rows, true
}

// scanningRows is faultyRows with driver.RowsColumnScanner.
type scanningRows struct {
	*faultyRows
	scanner driver.RowsColumnScanner
	bad     bool // the row cannot be scanned
}

func (r *scanningRows) NextRow() error {
	r.bad = false
	if r.faults.hit(driverCall{op: "Next"}) {
		if r.faults.way != wayScan {
			return r.fail()
		}
		r.bad = true
	}
	return r.scanner.NextRow()
}

func (r *scanningRows) ScanColumn(ctx driver.ScanContext, i int, dest any) error {
	if r.bad {
		return errInjectedScan
	}
	return r.scanner.ScanColumn(ctx, i, dest)
}
