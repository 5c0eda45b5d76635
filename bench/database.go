package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/XSAM/otelsql"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/ngrok/sqlmw"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
	_ "modernc.org/sqlite" // its driver

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

const (
	nameOtelsql = "otelsql"
	nameSqlmw   = "sqlmw"
	nameStacks  = "sqlmw+Callers"
)

// database is a server, or a library, that a driver opens.
type database struct {
	driver driver.Driver
	dsn    string
	end    func()
}

// connector opens connections with a driver as database/sql does for one without connectors of its own.
type connector struct {
	driver driver.Driver
	dsn    string
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return c.driver }

// openSQLite makes a database of one file.
func openSQLite() (database, error) {
	dir, err := os.MkdirTemp("", "leakgate-bench")
	if err != nil {
		return database{}, err
	}
	d := database{dsn: filepath.Join(dir, "bench.db"), end: func() { os.RemoveAll(dir) }}
	db, err := sql.Open("sqlite", d.dsn)
	if err != nil {
		d.end()
		return d, err
	}
	d.driver = db.Driver()
	return d, db.Close()
}

// openPostgres is a database of a server over loopback.
func openPostgres() (database, error) {
	dsn, end, err := startPostgres()
	return database{driver: stdlib.GetDefaultDriver(), dsn: dsn, end: end}, err
}

// wrapper gives a pool with what one tool puts around the driver, and what ends its check.
type wrapper struct {
	name string
	open func(database) (db *sql.DB, end func() error)
}

func unchecked(db *sql.DB) (*sql.DB, func() error) { return db, func() error { return nil } }

// wrap is dbcheck without a check that runs.
func wrap(d database) (*sql.DB, func() error) {
	return unchecked(dbcheck.OpenDB(connector{d.driver, d.dsn}))
}

// verified is dbcheck in a test under dbcheck.Verify.
func verified(opts ...leakcheck.Option) func(database) (*sql.DB, func() error) {
	return func(d database) (*sql.DB, func() error) {
		db := dbcheck.OpenDB(connector{d.driver, d.dsn})
		t := &recorder{name: "TestDatabase"}
		end := dbcheck.Verify(t, db, opts...)
		return db, func() error {
			end()
			return t.clean()
		}
	}
}

var peersOfWrap = []wrapper{
	{namePlain, func(d database) (*sql.DB, func() error) { return unchecked(sql.OpenDB(connector{d.driver, d.dsn})) }},
	{nameOtelsql, func(d database) (*sql.DB, func() error) {
		return unchecked(otelsql.OpenDB(connector{d.driver, d.dsn},
			otelsql.WithTracerProvider(tracenoop.NewTracerProvider()), otelsql.WithMeterProvider(metricnoop.NewMeterProvider())))
	}},
	{nameSqlmw, func(d database) (*sql.DB, func() error) {
		return unchecked(sql.OpenDB(connector{sqlmw.Driver(d.driver, sqlmw.NullInterceptor{}), d.dsn}))
	}},
	{nameStacks, func(d database) (*sql.DB, func() error) {
		return unchecked(sql.OpenDB(connector{sqlmw.Driver(d.driver, &stacks{}), d.dsn}))
	}},
}

// stacks is the least that somebody would write with sqlmw to know which line left something open: where each thing was
// opened, and when.
type stacks struct {
	sqlmw.NullInterceptor
	last atomic.Pointer[opened]
}

type opened struct {
	at  time.Time
	n   int
	pcs [64]uintptr
}

func (s *stacks) note() {
	o := &opened{at: time.Now()}
	o.n = runtime.Callers(3, o.pcs[:])
	s.last.Store(o)
}

func (s *stacks) ConnBeginTx(ctx context.Context, c driver.ConnBeginTx, o driver.TxOptions) (context.Context, driver.Tx, error) {
	s.note()
	return s.NullInterceptor.ConnBeginTx(ctx, c, o)
}

func (s *stacks) ConnPrepareContext(ctx context.Context, c driver.ConnPrepareContext, q string) (context.Context, driver.Stmt, error) {
	s.note()
	return s.NullInterceptor.ConnPrepareContext(ctx, c, q)
}

func (s *stacks) ConnQueryContext(ctx context.Context, c driver.QueryerContext, q string, args []driver.NamedValue) (context.Context, driver.Rows, error) {
	s.note()
	return s.NullInterceptor.ConnQueryContext(ctx, c, q, args)
}

// What is done with a database.

func queryRow(db *sql.DB) error {
	var n int
	if err := db.QueryRow("SELECT 1").Scan(&n); err != nil {
		return err
	}
	return isOne(n)
}

func transaction(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	var n int
	if err := tx.QueryRow("SELECT 1").Scan(&n); err != nil {
		return err
	}
	if err := tx.Rollback(); err != nil {
		return err
	}
	return isOne(n)
}

func prepare(db *sql.DB) error {
	stmt, err := db.Prepare("SELECT 1")
	if err != nil {
		return err
	}
	rows, err := stmt.Query()
	if err != nil {
		return err
	}
	n := 0
	for rows.Next() {
		if err := rows.Scan(&n); err != nil {
			return err
		}
	}
	if err := rows.Close(); err != nil {
		return err
	}
	if err := stmt.Close(); err != nil {
		return err
	}
	return isOne(n)
}

func isOne(n int) error {
	if n != 1 {
		return fmt.Errorf("SELECT 1 gave %d", n)
	}
	return nil
}

const workers = 64

// together does queries in 64 goroutines on one pool.
func together(db *sql.DB) func(n int) (time.Duration, error) {
	db.SetMaxOpenConns(workers)
	db.SetMaxIdleConns(workers)
	return func(n int) (time.Duration, error) {
		var wg sync.WaitGroup
		var left atomic.Int64
		left.Store(int64(n))
		errs := make([]error, workers)
		start := time.Now()
		for i := range workers {
			wg.Go(func() {
				for left.Add(-1) >= 0 {
					if err := queryRow(db); err != nil {
						errs[i] = err
					}
				}
			})
		}
		wg.Wait()
		took := time.Since(start)
		for _, err := range errs {
			if err != nil {
				return took, err
			}
		}
		return took, nil
	}
}

func each(op func(*sql.DB) error) func(*sql.DB) func(int) (time.Duration, error) {
	return func(db *sql.DB) func(int) (time.Duration, error) {
		return loop("", func() error { return op(db) }).run
	}
}

// openDatabase makes the sides of one comparison: each has a pool of its own on the same database.
func openDatabase(open func() (database, error), work func(*sql.DB) func(int) (time.Duration, error), ours wrapper, peers []wrapper) ([]side, func(), error) {
	d, err := open()
	if err != nil {
		return nil, nil, err
	}
	var sides []side
	var ends []func()
	for _, w := range append([]wrapper{ours}, peers...) {
		db, end := w.open(d)
		sides = append(sides, side{name: w.name, run: work(db)})
		ends = append(ends, func() {
			if err := end(); err != nil {
				fmt.Fprintf(os.Stderr, "bench: %s: %v\n", w.name, err)
			}
			db.Close()
		})
	}
	return sides, func() {
		for _, end := range ends {
			end()
		}
		d.end()
	}, nil
}

func databaseComparisons() (out []comparison) {
	const more, moreAllocs, moreShare = 2e3, 2, 0.03
	budgets := []leakcheck.Option{
		dbcheck.MaxHold(time.Minute), dbcheck.MaxConns(100), dbcheck.NoCallWhileHeld(), dbcheck.NoNestedLease(),
	}
	plainOnly := peersOfWrap[:1]
	type variant struct {
		name, what string
		ours       wrapper
		peers      []wrapper
		work       func(*sql.DB) func(int) (time.Duration, error)
		lease      bool // it is one lease, so that the goals of one are its own
	}
	less := goal{ratioMost, 1}
	variants := []variant{
		{"queryrow", "QueryRow", wrapper{nameOurs, wrap}, peersOfWrap, each(queryRow), true},
		{"verify", "QueryRow, under Verify", wrapper{nameOurs, verified()}, plainOnly, each(queryRow), true},
		{"budgets", "QueryRow, under Verify with 4 budgets", wrapper{nameOurs, verified(budgets...)}, plainOnly, each(queryRow), true},
		{"tx", "Begin, QueryRow, Rollback", wrapper{nameOurs, wrap}, peersOfWrap, each(transaction), true},
		{"prepare", "Prepare, Query, Close", wrapper{nameOurs, wrap}, peersOfWrap, each(prepare), false},
		{"parallel", "QueryRow in 64 goroutines", wrapper{nameOurs, wrap}, peersOfWrap, together, false},
	}
	for _, d := range []struct {
		name, what string
		open       func() (database, error)
		over       goal
	}{
		{"sqlite", "SQLite", openSQLite, goal{overMost, more}},
		{"postgres", "Postgres", openPostgres, goal{shareMost, moreShare}},
	} {
		for _, v := range variants {
			c := comparison{
				name: "database/" + d.name + "/" + v.name, what: d.what + ": " + v.what,
				open:   func() ([]side, func(), error) { return openDatabase(d.open, v.work, v.ours, v.peers) },
				goals:  map[string]goal{},
				allocs: map[string]goal{namePlain: {}, nameOtelsql: {}, nameSqlmw: {}, nameStacks: {}},
				least:  true,
			}
			if v.lease {
				c.goals[namePlain] = d.over
				c.allocs[namePlain] = goal{overMost, moreAllocs}
			}
			if d.name == "sqlite" { // beside a round trip the tools do not differ by more than it varies
				for _, p := range v.peers[1:] {
					c.goals[p.name] = less
				}
			}
			out = append(out, c)
		}
	}
	return out
}
