package dbcheck_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

func summaries(leaks []leakcheck.Leak) (out []string) {
	for _, l := range leaks {
		out = append(out, string(l.Kind)+": "+l.Summary)
	}
	return out
}

// TestKeepConnOnRollback: a driver that does not have both SessionResetter and Validator loses its connection when the
// context of a transaction ends, and one that has both keeps it. The wrapper, which has both, must not change that.
func TestKeepConnOnRollback(t *testing.T) {
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			open := func(open func(driver.Connector) *sql.DB) int {
				f := &fake{shapeOf: s.conn, shapeSt: s.stmt}
				db := open(f.connector())
				defer db.Close()
				ctx, cancel := context.WithCancel(context.Background())
				_, err := db.BeginTx(ctx, nil)
				require.NoError(t, err)
				cancel()
				require.Eventually(t, func() bool { return db.Stats().InUse == 0 }, 10*time.Second, time.Millisecond)
				// What is discarded counts as in use until it is closed: now it is settled.
				conn, err := (&fake{shapeOf: s.conn}).connector().Connect(context.Background())
				require.NoError(t, err)
				want := 0
				if is[driver.SessionResetter](conn) && is[driver.Validator](conn) {
					want = 1
				}
				assert.EqualValues(t, want, f.open.Load(), "connections of the driver")
				return db.Stats().OpenConnections
			}
			assert.Equal(t, open(sql.OpenDB), open(dbcheck.OpenDB))
		})
	}
}

// TestResetHangs: a connection whose ResetSession does not return is one whose call has not returned; none has panicked.
func TestResetHangs(t *testing.T) {
	f := &fake{}
	db := tracked(t, f)
	require.NoError(t, db.Ping())
	running, goOn := make(chan bool), make(chan bool)
	f.setFail(func(call string) error {
		if call == "reset" {
			close(running)
			<-goOn
		}
		return nil
	})
	ft := &fakeT{}
	check := dbcheck.Verify(ft, db)
	done := make(chan error)
	go func() {
		_, err := db.Exec("UPDATE users SET n = 1")
		done <- err
	}()
	<-running
	check()
	close(goOn)
	require.NoError(t, <-done)
	golden(t, "reset-hangs", "the driver's ResetSession has not returned", ft)
}

// TestBackgroundOpener: a connection that database/sql opens in the background, for somebody who waits, has the line of the
// first call that is made on it.
func TestBackgroundOpener(t *testing.T) {
	leaksOnPurpose(t)
	db := tracked(t, &fake{})
	handOver(t, db, func() {
		rows, err := db.Query("SELECT 1")
		require.NoError(t, err)
		keep(rows)
	})
	got := dbcheck.Leases(db)
	require.Len(t, got, 1)
	assert.Regexp(t, `^sql.Rows from db.Query at hooks_test.go:\d+ was never closed$`, got[0].Summary)
	assert.Equal(t, 1, db.Stats().InUse)
}

// handOver lets do wait for a connection that the background opener opens.
func handOver(t *testing.T, db *sql.DB, do func()) {
	db.SetMaxOpenConns(1)
	first, err := db.Conn(context.Background())
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		do()
	}()
	require.Eventually(t, func() bool { return db.Stats().WaitCount > 0 }, 10*time.Second, time.Millisecond)
	_ = first.Raw(func(any) error { return driver.ErrBadConn }) // the connection is lost, and another is opened
	_ = first.Close()
	wg.Wait()
}

// TestBackgroundOpenerUnused: handed over and never used, nothing tells whose it is, but it is counted.
func TestBackgroundOpenerUnused(t *testing.T) {
	db := tracked(t, &fake{})
	ft := &fakeT{}
	check := dbcheck.Verify(ft, db)
	handOver(t, db, func() {
		conn, err := db.Conn(context.Background())
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() }) // whose it is, is not known to deep mode either
	})
	check()
	golden(t, "opener-unused", "a connection of the background opener that nothing was done with: no line, but it is counted", ft)
}

// TestBackgroundOpenerIdle: nobody waits any more when it is open, so that it is idle, and no leak.
func TestBackgroundOpenerIdle(t *testing.T) {
	connecting, connect := make(chan bool), make(chan bool)
	f := &fake{}
	db := tracked(t, f)
	ft := &fakeT{}
	check := dbcheck.Verify(ft, db)
	db.SetMaxOpenConns(1)
	first, err := db.Conn(context.Background())
	require.NoError(t, err)
	f.setFail(func(call string) error {
		if call == "connect" {
			connecting <- true
			<-connect
		}
		return nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		_, err := db.Conn(ctx)
		done <- err
	}()
	require.Eventually(t, func() bool { return db.Stats().WaitCount > 0 }, 10*time.Second, time.Millisecond)
	_ = first.Raw(func(any) error { return driver.ErrBadConn })
	_ = first.Close()
	<-connecting
	cancel()
	assert.ErrorIs(t, <-done, context.Canceled)
	connect <- true
	require.Eventually(t, func() bool { return db.Stats().Idle == 1 }, 10*time.Second, time.Millisecond)
	f.setFail(nil)
	check()
	assert.Empty(t, ft.failures())

	rows, err := db.Query("SELECT 1") // its first use
	require.NoError(t, err)
	got := dbcheck.Leases(db)
	require.Len(t, got, 1)
	assert.Contains(t, got[0].Summary, "sql.Rows from db.Query at hooks_test.go")
	require.NoError(t, rows.Close())
	assert.Empty(t, dbcheck.Leases(db))
}

// TestHandOver: a connection goes straight from one goroutine to one that waits.
func TestHandOver(t *testing.T) {
	db := tracked(t, &fake{})
	db.SetMaxOpenConns(1)
	tx, err := db.Begin()
	require.NoError(t, err)
	got := make(chan *sql.Conn)
	go func() {
		conn, err := db.Conn(context.Background())
		assert.NoError(t, err)
		got <- conn
	}()
	require.Eventually(t, func() bool { return db.Stats().WaitCount > 0 }, 10*time.Second, time.Millisecond)
	assert.Contains(t, summaries(dbcheck.Leases(db))[0], "sql-tx: sql.Tx from db.Begin")
	require.NoError(t, tx.Commit())
	conn := <-got
	assert.Contains(t, summaries(dbcheck.Leases(db))[0], "sql-conn: sql.Conn from db.Conn")
	require.NoError(t, conn.Close())
	assert.Empty(t, dbcheck.Leases(db))
}

// TestBadConn: a connection that turns out to be dead is replaced, and leaves no record.
func TestBadConn(t *testing.T) {
	for _, at := range []string{"reset", "isValid", "queryContext"} {
		t.Run(at, func(t *testing.T) {
			f := &fake{}
			db := tracked(t, f)
			require.NoError(t, db.Ping())
			bad := true
			f.setFail(func(call string) error {
				if bad && strings.HasPrefix(call, at) {
					bad = false
					return driver.ErrBadConn
				}
				return nil
			})
			rows, err := db.Query("SELECT 1")
			require.NoError(t, err)
			assert.Len(t, dbcheck.Leases(db), 1)
			require.NoError(t, rows.Close())
			assert.Empty(t, dbcheck.Leases(db))
			assert.False(t, bad)
			assert.EqualValues(t, db.Stats().OpenConnections, f.open.Load())
		})
	}
}

// TestContextEnds: rows and transactions that the end of a context closes are given back by a goroutine of database/sql.
func TestContextEnds(t *testing.T) {
	db := tracked(t, &fake{})
	ft := &fakeT{}
	check := dbcheck.Verify(ft, db)
	ctx, cancel := context.WithCancel(context.Background())
	_, err := db.QueryContext(ctx, "SELECT 1")
	require.NoError(t, err)
	_, err = db.BeginTx(ctx, nil)
	require.NoError(t, err)
	assert.Len(t, dbcheck.Leases(db), 2)
	cancel()
	check()
	assert.Empty(t, ft.failures())
	assert.Empty(t, dbcheck.Leases(db))
}

// TestReprepare: a statement that database/sql prepares again on another connection is still one statement.
func TestReprepare(t *testing.T) {
	f := &fake{}
	db := tracked(t, f)
	stmt, err := db.Prepare("SELECT 1")
	require.NoError(t, err)
	conn, err := db.Conn(context.Background()) // the one that it is prepared on
	require.NoError(t, err)
	rows, err := stmt.Query()
	require.NoError(t, err)
	require.NoError(t, rows.Close())
	tx, err := db.Begin()
	require.NoError(t, err)
	_, err = tx.Stmt(stmt).Exec()
	require.NoError(t, err)
	require.NoError(t, tx.Commit())
	require.NoError(t, conn.Close())

	got := dbcheck.Leases(db)
	require.Len(t, got, 1)
	assert.Contains(t, got[0].Summary, "sql.Stmt from db.Prepare at hooks_test.go")
	require.NoError(t, stmt.Close())
	assert.Empty(t, dbcheck.Leases(db))
}

// TestStatementOfClosedConnection: a connection takes its statements with it.
func TestStatementOfClosedConnection(t *testing.T) {
	db := tracked(t, &fake{})
	stmt, err := db.Prepare("SELECT 1")
	require.NoError(t, err)
	assert.Len(t, dbcheck.Leases(db), 1)
	db.SetMaxIdleConns(-1)
	assert.Empty(t, dbcheck.Leases(db))
	keep(stmt)
}

// TestDriverPanics: a panic of the driver passes, and the records say what database/sql's counters say.
func TestDriverPanics(t *testing.T) {
	leaksOnPurpose(t)
	const ended = " was never given back: the call panicked"
	says := map[string]string{ // what there is of the call to tell
		"connect": "", "close": "", "stmt.close": "",
		"reset": "a connection from db.Query" + ended, "queryContext": "a connection from db.Query" + ended,
		"prepareContext": "a connection from db.Prepare" + ended, "beginTx": "a connection from db.Begin" + ended,
		"commit":     "sql.Tx from db.Begin was neither committed nor rolled back",
		"rows.close": "sql.Rows from db.Query was never closed", "isValid": "sql.Rows from db.Query was never closed",
	}
	for at, says := range says {
		t.Run(at, func(t *testing.T) {
			f := &fake{}
			db := tracked(t, f)
			require.NoError(t, errOf(at == "connect", db.Ping))
			f.setFail(func(call string) error {
				if strings.HasPrefix(call, at) {
					panic("the driver's own")
				}
				return nil
			})
			assert.PanicsWithValue(t, "the driver's own", func() { _ = useAll(db) })
			f.setFail(nil)

			held := 0
			for _, l := range dbcheck.Leases(db) {
				if l.Kind != leakcheck.SQLStmt {
					held++
					assert.Equal(t, says, regexp.MustCompile(` at hooks_test.go:\d+`).ReplaceAllString(l.Summary, ""))
				}
			}
			want := db.Stats().InUse
			if at == "connect" || at == "close" { // database/sql goes on to count a connection that is not there
				want = 0
			}
			assert.Equal(t, want, held)
		})
	}
}

// useAll does one thing of each kind.
func useAll(db *sql.DB) error {
	rows, err := db.Query("SELECT 1")
	if err != nil {
		return err
	}
	rows.Close()
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	stmt, err := db.Prepare("SELECT 1")
	if err != nil {
		return err
	}
	stmt.Close()
	conn, err := db.Conn(context.Background())
	if err != nil {
		return err
	}
	return conn.Raw(func(any) error { return driver.ErrBadConn })
}

func errOf(not bool, f func() error) error {
	if not {
		return nil
	}
	return f()
}

// TestRaw: the program gets at the driver's own connection by Raw.
func TestRaw(t *testing.T) {
	db := tracked(t, &fake{})
	conn, err := db.Conn(context.Background())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.Raw(func(c any) error {
		own, ok := c.(interface{ Raw() driver.Conn })
		require.True(t, ok)
		assert.IsType(t, &fakeConn{}, own.Raw())
		return nil
	}))
}
