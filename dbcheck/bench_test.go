package dbcheck_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"

	"github.com/leakgate/leakgate/dbcheck"
)

// quietAll is quiet with transactions and statements.
type quietAll struct{ quiet }

func (q quietAll) Connect(context.Context) (driver.Conn, error) { return q, nil }
func (q quietAll) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) {
	return quietTx{}, nil
}
func (q quietAll) PrepareContext(context.Context, string) (driver.Stmt, error) {
	return quietStmt{}, nil
}

type quietTx struct{}

func (quietTx) Commit() error   { return nil }
func (quietTx) Rollback() error { return nil }

type quietStmt struct{}

func (quietStmt) Close() error                               { return nil }
func (quietStmt) NumInput() int                              { return 0 }
func (quietStmt) Exec([]driver.Value) (driver.Result, error) { return driver.RowsAffected(0), nil }
func (quietStmt) Query([]driver.Value) (driver.Rows, error)  { return &quietRows{}, nil }

// uses are what a program does with a pool.
var uses = []struct {
	name string
	// allocations that tracking may add: two for each lease, and one for each statement and transaction beside it
	may float64
	do  func(*sql.DB) error
}{
	{"QueryRow", 2, func(db *sql.DB) error {
		var n int
		return db.QueryRow("SELECT 1").Scan(&n)
	}},
	{"Begin", 2, func(db *sql.DB) error {
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		return tx.Rollback()
	}},
	{"Conn", 2, func(db *sql.DB) error {
		c, err := db.Conn(context.Background())
		if err != nil {
			return err
		}
		return c.Close()
	}},
	{"Prepare", 5, func(db *sql.DB) error { // two leases, and the statement
		s, err := db.Prepare("SELECT 1")
		if err != nil {
			return err
		}
		rows, err := s.Query()
		if err != nil {
			return err
		}
		if err := rows.Close(); err != nil {
			return err
		}
		return s.Close()
	}},
}

var pools = []struct {
	name string
	open func(driver.Connector) *sql.DB
}{{"plain", sql.OpenDB}, {"tracked", dbcheck.OpenDB}}

// BenchmarkLease is what a query costs, plain and tracked, with a driver that does next to nothing.
func BenchmarkLease(b *testing.B) {
	for _, u := range uses {
		for _, p := range pools {
			b.Run(u.name+"/"+p.name, func(b *testing.B) {
				db := p.open(quietAll{})
				defer db.Close()
				b.ReportAllocs()
				for b.Loop() {
					if err := u.do(db); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkTogether is the same query in 64 goroutines for each processor on one pool.
func BenchmarkTogether(b *testing.B) {
	for _, p := range pools {
		b.Run(p.name, func(b *testing.B) {
			db := p.open(quietAll{})
			defer db.Close()
			db.SetMaxOpenConns(64)
			db.SetMaxIdleConns(64)
			b.ReportAllocs()
			b.SetParallelism(64)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := uses[0].do(db); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
