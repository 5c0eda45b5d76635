//go:build go1.27

package patterns_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// testScanArrays: pgx scans arrays by driver.RowsColumnScanner, which Go 1.27 has added; rows are pgx's own.
func testScanArrays(t *testing.T, d database) {
	if d.name != "pgx" {
		t.Skip("the driver has no RowsColumnScanner")
	}
	var numbers []int64
	require.NoError(t, d.open(t).QueryRow("SELECT '{1,2,3}'::bigint[]").Scan(&numbers))
	assert.Equal(t, []int64{1, 2, 3}, numbers)
}

func init() { tests = append(tests, driverTest{"ScanArrays", testScanArrays}) }
