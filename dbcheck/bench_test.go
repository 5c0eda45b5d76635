package dbcheck_test

import (
	"database/sql"
	"database/sql/driver"
	"testing"

	"github.com/leakgate/leakgate/dbcheck"
)

// BenchmarkLease is what a query costs, plain and tracked, with a driver that does next to nothing.
func BenchmarkLease(b *testing.B) {
	for name, open := range map[string]func(driver.Connector) *sql.DB{"plain": sql.OpenDB, "tracked": dbcheck.OpenDB} {
		b.Run(name, func(b *testing.B) {
			db := open(quiet{})
			defer db.Close()
			b.ReportAllocs()
			for b.Loop() {
				var n int
				if err := db.QueryRow("SELECT 1").Scan(&n); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
