package dbcheck

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/leakgate/leakgate/leakcheck"
)

// The driver answers every query with two rows.
type (
	plainConnector struct{}
	plainDriver    struct{}
	plainConn      struct{}
	plainStmt      struct{}
	plainTx        struct{}
	plainRows      struct{ n int }
)

func (plainConnector) Connect(context.Context) (driver.Conn, error) { return plainConn{}, nil }
func (plainConnector) Driver() driver.Driver                        { return plainDriver{} }
func (plainDriver) Open(string) (driver.Conn, error)                { return plainConn{}, nil }
func (plainConn) Prepare(string) (driver.Stmt, error)               { return plainStmt{}, nil }
func (plainConn) Close() error                                      { return nil }
func (plainConn) Begin() (driver.Tx, error)                         { return plainTx{}, nil }
func (plainStmt) Close() error                                      { return nil }
func (plainStmt) NumInput() int                                     { return -1 }
func (plainStmt) Exec([]driver.Value) (driver.Result, error)        { return driver.RowsAffected(1), nil }
func (plainStmt) Query([]driver.Value) (driver.Rows, error)         { return &plainRows{}, nil }
func (plainTx) Commit() error                                       { return nil }
func (plainTx) Rollback() error                                     { return nil }
func (*plainRows) Columns() []string                                { return []string{"n"} }
func (*plainRows) Close() error                                     { return nil }

func (r *plainRows) Next(dest []driver.Value) error {
	if r.n == 2 {
		return io.EOF
	}
	r.n++
	dest[0] = int64(r.n)
	return nil
}

// record is a t that records.
type record struct {
	name   string
	errors []string
}

func (*record) Helper()             {}
func (r *record) Name() string      { return r.name }
func (r *record) Failed() bool      { return len(r.errors) > 0 }
func (*record) Logf(string, ...any) {}
func (r *record) Errorf(format string, args ...any) {
	line, _, _ := strings.Cut(fmt.Sprintf(format, args...), "\n")
	r.errors = append(r.errors, line)
}

// swept gives the names of all runs, and what failed.
func swept(t *testing.T, run func(*sql.DB) error, opts ...SweepOption) (names, failed []string) {
	s := &sweeper{open: func() driver.Connector { return plainConnector{} }, run: func(_ *testing.T, db *sql.DB) { _ = run(db) }}
	for _, o := range opts {
		o(s)
	}
	outer := &record{name: "TestOuter"}
	s.sweep(func(name string, do func(*testing.T, leakcheck.TB)) {
		r := &record{name: "TestOuter/" + name}
		do(t, r)
		names = append(names, name)
		for _, e := range r.errors {
			at := strings.LastIndex(e, " at ")
			_, end, _ := strings.Cut(e[at+4:], " ")
			failed = append(failed, name+": "+e[:at]+" "+end)
		}
	}, outer)
	return names, append(failed, outer.errors...)
}

// names is right on its happy path, and leaks when a row cannot be scanned, or the second query fails.
func names(db *sql.DB) error {
	rows, err := db.Query("SELECT id FROM users WHERE name = 'secret'")
	if err != nil {
		return err
	}
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			return err
		}
	}
	if err := rows.Close(); err != nil {
		return err
	}
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	if _, err := tx.Exec("UPDATE users SET n = 1"); err != nil {
		return err
	}
	return tx.Commit()
}

func TestSweepFinds(t *testing.T) {
	all, failed := swept(t, names)
	assert.Equal(t, []string{
		"call 4 Next, scan error: leakcheck: 1 leak: sql.Rows from db.Query was never closed",
		"call 5 Next, scan error: leakcheck: 1 leak: sql.Rows from db.Query was never closed",
		"call 8 Prepare UPDATE users SET n = ?, error: leakcheck: 1 leak: sql.Tx from db.Begin was neither committed nor rolled back",
		"call 8 Prepare UPDATE users SET n = ?, ErrBadConn: leakcheck: 1 leak: sql.Tx from db.Begin was neither committed nor rolled back",
		"call 8 Prepare UPDATE users SET n = ?, cancelled: leakcheck: 1 leak: sql.Tx from db.Begin was neither committed nor rolled back",
		"call 9 stmt.Exec UPDATE users SET n = ?, error: leakcheck: 1 leak: sql.Tx from db.Begin was neither committed nor rolled back",
		"call 9 stmt.Exec UPDATE users SET n = ?, ErrBadConn: leakcheck: 1 leak: sql.Tx from db.Begin was neither committed nor rolled back",
		"call 9 stmt.Exec UPDATE users SET n = ?, cancelled: leakcheck: 1 leak: sql.Tx from db.Begin was neither committed nor rolled back",
	}, failed)
	assert.Equal(t, []string{
		"no failure", "call 1 Connect, error",
		"call 2 Prepare SELECT id FROM users WHERE name = '…', error", "call 2 Prepare SELECT id FROM users WHERE name = '…', ErrBadConn",
		"call 2 Prepare SELECT id FROM users WHERE name = '…', cancelled",
		"call 3 stmt.Query SELECT id FROM users WHERE name = '…', error", "call 3 stmt.Query SELECT id FROM users WHERE name = '…', ErrBadConn",
		"call 3 stmt.Query SELECT id FROM users WHERE name = '…', cancelled",
		"call 4 Next, error", "call 4 Next, cancelled", "call 4 Next, scan error",
		"call 5 Next, error", "call 5 Next, cancelled", "call 5 Next, scan error",
		"call 6 Next, error", "call 6 Next, cancelled", "call 6 Next, scan error",
		"call 7 Begin, error", "call 7 Begin, ErrBadConn", "call 7 Begin, cancelled",
	}, all[:20])
}

// TestSweepPanics: rows that are closed by hand at the end of the loop stay open when the loop panics.
func TestSweepPanics(t *testing.T) {
	run := func(db *sql.DB) error {
		rows, err := db.Query("SELECT 1")
		if err != nil {
			return err
		}
		for rows.Next() {
		}
		return rows.Close()
	}
	_, failed := swept(t, run)
	assert.Empty(t, failed)
	_, failed = swept(t, run, SweepPanics())
	assert.Equal(t, []string{
		"call 4 Next, panic: leakcheck: 1 leak: sql.Rows from db.Query was never closed",
		"call 5 Next, panic: leakcheck: 1 leak: sql.Rows from db.Query was never closed",
		"call 6 Next, panic: leakcheck: 1 leak: sql.Rows from db.Query was never closed",
	}, failed)
}

// TestSweep: the same without the mistakes, as a user calls it.
func TestSweep(t *testing.T) {
	runs, errs := 0, 0
	Sweep(t, func() driver.Connector { return plainConnector{} }, func(_ *testing.T, db *sql.DB) {
		runs++
		err := func() error {
			rows, err := db.Query("SELECT 1")
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var n int
				if err := rows.Scan(&n); err != nil {
					return err
				}
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				return err
			}
			tx, err := db.Begin()
			if err != nil {
				return err
			}
			defer tx.Rollback()
			if _, err := tx.Exec("UPDATE users SET n = 1"); err != nil {
				return err
			}
			return tx.Commit()
		}()
		if err != nil {
			errs++
		}
	}, SweepPanics(), nil)
	assert.Greater(t, runs, 30)
	assert.Greater(t, errs, 20)
}

func TestSweepRefuses(t *testing.T) {
	_, failed := swept(t, func(*sql.DB) error { return nil })
	assert.Equal(t, []string{"dbcheck.Sweep: the run made no call of the driver: nothing was swept. Let it use the db that it is given"}, failed)
}
