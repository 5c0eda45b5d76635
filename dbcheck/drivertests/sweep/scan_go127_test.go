//go:build go1.27

package sweep_test

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/leakgate/leakgate/dbcheck"
)

// TestArrays: pgx scans by itself from Go 1.27 on (driver.RowsColumnScanner), and so it does in a run.
func TestArrays(t *testing.T) {
	b := bases["pgx"]
	var got []int64
	dbcheck.Sweep(t, connectors(t, b.driver, b.dsn(t)), func(t *testing.T, db *sql.DB) {
		var all []int64
		err := db.QueryRowContext(dbcheck.SweepContext(t), "SELECT '{1,2,3}'::int8[]").Scan(&all)
		if err == nil {
			got = all
		}
		dbcheck.SweepResult(t, err)
	})
	assert.Equal(t, []int64{1, 2, 3}, got)
}
