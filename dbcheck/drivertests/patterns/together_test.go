package patterns_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

// testParallel: tests that share a pool and run at once answer each for what it took itself.
func testParallel(t *testing.T, d database) {
	s := store{d, d.open(t), new([]func() error)}
	results := make([]*fakeT, 4)
	t.Run("group", func(t *testing.T) {
		for i := range results {
			ft := &fakeT{name: fmt.Sprintf("Test%d", i)}
			results[i] = ft
			t.Run("", func(t *testing.T) {
				t.Parallel()
				check := dbcheck.Verify(ft, s.db, leakcheck.Wait(20*time.Millisecond))
				for range 5 {
					assert.NoError(t, s.rowUnscannedFixed(context.Background()))
					assert.ErrorIs(t, s.earlyReturnFixed(context.Background()), errWrong)
				}
				if i == 2 {
					assert.ErrorIs(t, s.earlyReturnBuggy(context.Background()), errWrong)
				}
				check()
			})
		}
	})
	for i, ft := range results {
		if i != 2 {
			assert.Empty(t, ft.failures())
			continue
		}
		require.Len(t, ft.failures(), 1)
		patterns[0].assertReport(t, ft.failures()[0])
	}
	require.NoError(t, (*s.kept)[0]())
}

// testBackgroundOpener: who waits for a connection gets one that database/sql opened on a goroutine of its own, without a
// further call of the driver: the line is that of the first call.
func testBackgroundOpener(t *testing.T, d database) {
	ctx := context.Background()
	db := d.open(t)
	db.SetMaxOpenConns(1)
	ft := &fakeT{}
	check := dbcheck.Verify(ft, db, leakcheck.Wait(20*time.Millisecond))
	first, err := db.Conn(ctx)
	require.NoError(t, err)
	type result struct {
		rows *sql.Rows
		err  error
	}
	got := make(chan result)
	before := db.Stats().WaitCount
	go func() {
		rows, err := db.Query("SELECT id FROM items") // waits
		got <- result{rows, err}
	}()
	require.Eventually(t, func() bool { return db.Stats().WaitCount > before }, 10*time.Second, time.Millisecond)
	require.ErrorIs(t, first.Raw(func(any) error { return driver.ErrBadConn }), driver.ErrBadConn) // it is thrown away
	r := <-got
	require.NoError(t, r.err)
	check()
	require.Len(t, ft.failures(), 1)
	text := ft.failures()[0]
	assert.Contains(t, text, ": 1 leak: sql.Rows from db.Query at together_test.go:")
	assert.Contains(t, text, `rows, err := db.Query("SELECT id FROM items") // waits`)
	require.NoError(t, r.rows.Close())
}

// testBackgroundUnused: the same of a connection with which nothing was done: there is no line, and it is counted.
func testBackgroundUnused(t *testing.T, d database) {
	ctx := context.Background()
	db := d.open(t)
	db.SetMaxOpenConns(1)
	ft := &fakeT{}
	check := dbcheck.Verify(ft, db, leakcheck.Wait(20*time.Millisecond))
	first, err := db.Conn(ctx)
	require.NoError(t, err)
	got := make(chan *sql.Conn)
	before := db.Stats().WaitCount
	go func() {
		conn, err := db.Conn(ctx)
		assert.NoError(t, err)
		got <- conn
	}()
	require.Eventually(t, func() bool { return db.Stats().WaitCount > before }, 10*time.Second, time.Millisecond)
	require.ErrorIs(t, first.Raw(func(any) error { return driver.ErrBadConn }), driver.ErrBadConn)
	conn := <-got
	check()
	require.Len(t, ft.failures(), 1)
	assert.Contains(t, ft.failures()[0], ": 1 leak: a connection of the sql.DB opened at drivers_test.go:")
	require.NoError(t, conn.Close())
}

// testCloseWaits: Conn.Close waits for ever for rows that are open on the connection. The test is told while it waits.
func testCloseWaits(t *testing.T, d database) {
	ctx := context.Background()
	db := d.open(t)
	ft := &fakeT{}
	check := dbcheck.Verify(ft, db)
	conn, err := db.Conn(ctx)
	require.NoError(t, err)
	rows, err := conn.QueryContext(ctx, d.q("SELECT id FROM items WHERE id > ?"), 0)
	require.NoError(t, err)
	require.True(t, rows.Next())
	closed := make(chan error)
	go func() { closed <- conn.Close() }()
	require.Eventually(t, ft.Failed, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, rows.Close())
	require.NoError(t, <-closed)
	check()
	require.Len(t, ft.failures(), 1)
	text := ft.failures()[0]
	assert.Contains(t, text, "Conn.Close at together_test.go:")
	assert.Contains(t, text, "waits for rows that are still open on the connection (LK207)")
	if d.name == "pgx" {
		golden(t, "Close-waits", "Conn.Close waits for rows on the connection", ft)
	}
}

// testHoldAndWait: a goroutine that holds the only connection asks for another one. It would wait for ever; its context ends that.
func testHoldAndWait(t *testing.T, d database) {
	db := d.open(t)
	db.SetMaxOpenConns(1)
	ft := &fakeT{}
	check := dbcheck.Verify(ft, db, dbcheck.NoNestedLease())
	tx, err := db.Begin()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		// It is looked every 10 ms who waits. Many times that, each counted from the one before: a process that was not
		// run for a while has not looked meanwhile either. Not so many that it could be two seconds, when the test is told at once.
		for range 12 {
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
	}()
	err = db.QueryRowContext(ctx, "SELECT id FROM items").Scan(new(int))
	assert.ErrorIs(t, err, context.Canceled)
	require.NoError(t, tx.Rollback())
	check()
	require.Len(t, ft.failures(), 1)
	text := ft.failures()[0]
	assert.Contains(t, text, ": 1 leak: a connection was asked for while its goroutine held another connection of the pool: sql.Tx from db.Begin at together_test.go:")
	assert.Contains(t, text, "LK216 sql-conn")
	assert.Contains(t, text, `err = db.QueryRowContext(ctx, "SELECT id FROM items").Scan(new(int))`)
}

// testCancelled: the end of a context closes rows and ends transactions on another goroutine, some time later: no false alarm,
// however many there are and whoever cancels.
func testCancelled(t *testing.T, d database) {
	db := d.open(t)
	ft := &fakeT{}
	check := leakcheck.Verify(ft, leakcheck.Wait(20*time.Second))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if i%2 == 0 {
				rows, err := db.QueryContext(ctx, d.q("SELECT id FROM items WHERE id > ?"), 0)
				if assert.NoError(t, err) {
					rows.Next()
				}
				return
			}
			tx, err := db.BeginTx(ctx, nil)
			if assert.NoError(t, err) {
				_, err = tx.Query("SELECT id FROM items")
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	check()
	assert.Empty(t, ft.failures())
	d.assertNoNotes(t, ft)
}

// testErrors: what a failed call gives to the program is what the driver gives, and it holds nothing.
func testErrors(t *testing.T, d database) {
	plain, err := sql.Open(d.driver, d.source)
	require.NoError(t, err)
	defer plain.Close()
	db := d.open(t)
	ft := &fakeT{}
	check := leakcheck.Verify(ft, leakcheck.Wait(10*time.Second))
	for _, q := range []string{"SELEC", "SELECT no_such_column FROM items", "INSERT INTO no_such_table VALUES (1)"} {
		for name, call := range map[string]func(*sql.DB) error{
			"Query":   func(db *sql.DB) error { _, err := db.Query(q); return err },
			"Row":     func(db *sql.DB) error { return db.QueryRow(q).Scan(new(int)) },
			"Exec":    func(db *sql.DB) error { _, err := db.Exec(q); return err },
			"Prepare": func(db *sql.DB) error { _, err := db.Prepare(q); return err },
			"arguments": func(db *sql.DB) error {
				rows, err := db.Query(d.q("SELECT id FROM items WHERE id = ?"))
				if err == nil {
					return rows.Close()
				}
				return err
			},
			"Tx": func(db *sql.DB) error {
				tx, err := db.Begin()
				if err != nil {
					return err
				}
				_, err = tx.Exec(q)
				return errors.Join(err, tx.Rollback())
			},
			"options": func(db *sql.DB) error {
				tx, err := db.BeginTx(context.Background(), &sql.TxOptions{Isolation: sql.LevelLinearizable, ReadOnly: true})
				if err == nil {
					return tx.Rollback()
				}
				return err
			},
		} {
			want, got := call(plain), call(db)
			assert.Equal(t, fmt.Sprintf("%T %[1]v", want), fmt.Sprintf("%T %[1]v", got), "%s %s", name, strings.Fields(q)[0])
		}
	}
	check()
	assert.Empty(t, ft.failures())
}
