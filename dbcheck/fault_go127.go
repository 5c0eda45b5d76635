//go:build go1.27

package dbcheck

import (
	"database/sql/driver"
	"errors"
)

// errInjectedScan is what a column fails with that cannot be scanned.
var errInjectedScan = errors.New("dbcheck.Sweep: injected failure to scan this row")

// scanning gives the rows for a driver that scans by itself.
func scanning(r *sweptRows) (driver.Rows, bool) {
	s, ok := r.Rows.(driver.RowsColumnScanner)
	if !ok {
		return nil, false
	}
	rows := &scanningRows{sweptRows: r, scanner: s}
	if n, ok := r.Rows.(driver.RowsNextResultSet); ok {
		return struct {
			*scanningRows
			resultSets
		}{rows, &sweptSets{n, r}}, true
	}
	return rows, true
}

// scanningRows is sweptRows with driver.RowsColumnScanner.
type scanningRows struct {
	*sweptRows
	scanner driver.RowsColumnScanner
	bad     bool // the row cannot be scanned
}

func (r *scanningRows) NextRow() (err error) {
	r.bad, err = r.next(r.scanner.NextRow)
	return err
}

func (r *scanningRows) ScanColumn(ctx driver.ScanContext, i int, dest any) error {
	if r.bad {
		return errInjectedScan
	}
	defer r.conn.leave()
	if !r.conn.enter() {
		return driver.ErrBadConn
	}
	return r.scanner.ScanColumn(ctx, i, dest)
}
