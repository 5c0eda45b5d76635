package dbcheck_test

import (
	"bufio"
	"context"
	"database/sql"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
)

// TestConnCloseBlocks: the test is told while Conn.Close waits for rows, and for a transaction.
func TestConnCloseBlocks(t *testing.T) {
	for _, c := range []struct {
		name, reason string
		hold         func(*testing.T, *sql.Conn) (release func() error)
	}{
		{"close-blocked-rows", "Conn.Close waits for rows: told while it waits", func(t *testing.T, c *sql.Conn) func() error {
			rows, err := c.QueryContext(context.Background(), "SELECT 1")
			require.NoError(t, err)
			return rows.Close
		}},
		{"close-blocked-tx", "Conn.Close waits for a transaction: told while it waits", func(t *testing.T, c *sql.Conn) func() error {
			tx, err := c.BeginTx(context.Background(), nil)
			require.NoError(t, err)
			return tx.Rollback
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := tracked(t, &fake{})
			ft := &fakeT{}
			check := dbcheck.Verify(ft, db)
			conn := connOf(t, db)
			release := c.hold(t, conn)
			done := make(chan error)
			go func() { done <- conn.Close() }()
			require.Eventually(t, ft.Failed, 30*time.Second, 10*time.Millisecond)
			require.NoError(t, release())
			require.NoError(t, <-done)
			check()
			golden(t, c.name, c.reason, ft)
		})
	}
}

// connOf takes a connection one call further in, so that its stack has two lines.
func connOf(t *testing.T, db *sql.DB) *sql.Conn {
	conn, err := db.Conn(context.Background())
	require.NoError(t, err)
	return conn
}

// TestConnCloseOfAnother: a Conn.Close that waits for a call that runs is not told, though another test that shares the pool
// has rows open meanwhile, and reads them slowly.
func TestConnCloseOfAnother(t *testing.T) {
	running, goOn := make(chan bool), make(chan bool)
	f := &fake{}
	f.setFail(func(call string) error {
		if strings.HasPrefix(call, "execContext") {
			close(running)
			<-goOn
		}
		return nil
	})
	db, third := tracked(t, f), tracked(t, &fake{})
	waits, reads, told := &fakeT{name: "TestWaits"}, &fakeT{name: "TestReads"}, &fakeT{name: "TestTold"}
	ctx := context.Background()
	var opened [2]func()
	as := func(do func()) (done chan bool) { // on a goroutine of its own, which gets the test's label
		done = make(chan bool)
		go func() { defer close(done); do() }()
		return done
	}
	for i, c := range []struct {
		ft *fakeT
		db *sql.DB
	}{{reads, db}, {told, third}} {
		<-as(func() {
			check := dbcheck.Verify(c.ft, c.db)
			conn, err := c.db.Conn(ctx)
			assert.NoError(t, err)
			rows, err := conn.QueryContext(ctx, "SELECT 1")
			assert.NoError(t, err)
			if c.ft == told {
				go conn.Close()
			}
			opened[i] = func() { assert.NoError(t, rows.Close()); conn.Close(); check() }
		})
	}
	closed := make(chan bool)
	var check func()
	<-as(func() {
		check = dbcheck.Verify(waits, db)
		conn, err := db.Conn(ctx)
		assert.NoError(t, err)
		ran := as(func() {
			_, err := conn.ExecContext(ctx, "UPDATE users SET n = 1")
			assert.NoError(t, err)
		})
		<-running
		go func() {
			assert.NoError(t, conn.Close())
			<-ran
			close(closed)
		}()
	})
	assert.Eventually(t, told.Failed, 30*time.Second, 10*time.Millisecond)
	<-as(func() { // and once more, so that TestWaits was looked at twice at least
		again := &fakeT{name: "TestAgain"}
		check := dbcheck.Verify(again, third)
		conn, err := third.Conn(ctx)
		assert.NoError(t, err)
		rows, err := conn.QueryContext(ctx, "SELECT 1")
		assert.NoError(t, err)
		go conn.Close()
		assert.Eventually(t, again.Failed, 30*time.Second, 10*time.Millisecond)
		assert.NoError(t, rows.Close())
		check()
	})
	assert.Empty(t, waits.failures())
	close(goOn)
	<-closed
	check()
	opened[0]()
	opened[1]()
	assert.Empty(t, waits.failures())
	assert.Empty(t, reads.failures())
}

// TestLookWhileTaken: it may be looked at the moment when a connection is taken (with -race).
func TestLookWhileTaken(t *testing.T) {
	db := tracked(t, &fake{})
	done := make(chan bool)
	go func() {
		defer close(done)
		for range 2000 {
			conn, err := db.Conn(context.Background())
			if assert.NoError(t, err) {
				conn.Close()
			}
		}
	}()
	for {
		select {
		case <-done:
			return
		default:
			dbcheck.LookForClosers(t, db)
		}
	}
}

// TestSelfDeadlock: the test is told while a goroutine waits for itself.
func TestSelfDeadlock(t *testing.T) {
	t.Parallel()
	db := tracked(t, &fake{})
	db.SetMaxOpenConns(1)
	ft := &fakeT{}
	check := dbcheck.Verify(ft, db, dbcheck.NoNestedLease())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		tx, err := db.Begin()
		if err != nil {
			done <- err
			return
		}
		_, err = db.ExecContext(ctx, "UPDATE users SET n = 1") // on the pool, not on the transaction
		_ = tx.Rollback()
		done <- err
	}()
	require.Eventually(t, ft.Failed, 30*time.Second, 10*time.Millisecond)
	cancel()
	assert.ErrorIs(t, <-done, context.Canceled)
	check()
	golden(t, "self-deadlock", "a goroutine that waits for itself: told while it waits", ft)
}

// TestSelfDeadlockOfTwo: the same, when the goroutine has taken a connection of another pool before.
func TestSelfDeadlockOfTwo(t *testing.T) {
	first, db := tracked(t, &fake{}), tracked(t, &fake{})
	db.SetMaxOpenConns(1)
	ft := &fakeT{}
	check := dbcheck.Verify(ft, db, dbcheck.NoNestedLease())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		other, err := first.Begin()
		if err != nil {
			done <- err
			return
		}
		tx, err := db.Begin()
		if err != nil {
			done <- err
			return
		}
		_, err = db.ExecContext(ctx, "UPDATE users SET n = 1")
		_ = tx.Rollback()
		_ = other.Rollback()
		done <- err
	}()
	assert.Eventually(t, ft.Failed, 10*time.Second, 10*time.Millisecond)
	cancel()
	assert.ErrorIs(t, <-done, context.Canceled)
	check()
	assert.Contains(t, strings.Join(ft.failures(), "\n"), "a connection was asked for while its goroutine held another connection of the pool: sql.Tx from db.Begin at watchdog_test.go:")
}

// TestStandardError: what is told while a test waits is on standard error too, because what t is told is lost when the test
// never ends.
func TestStandardError(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHangs$", "-test.count=1", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), "DBCHECK_HANGS=1")
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var parts []string
	for in := bufio.NewScanner(stderr); in.Scan(); {
		line, begins := strings.CutPrefix(in.Text(), "TestHangs: ")
		if begins {
			parts = append(parts, "")
		}
		if len(parts) > 0 {
			parts[len(parts)-1] += line + "\n"
		}
		if len(parts) == 2 && strings.HasPrefix(line, "  fix ") {
			break // it would wait for ever
		}
	}
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	slices.Sort(parts) // which of them is told first is not sure
	golden(t, "stderr", "both waits, as a test that never ends says them", &fakeT{errors: parts})
}

// TestHangs is run by TestStandardError.
func TestHangs(t *testing.T) {
	if os.Getenv("DBCHECK_HANGS") == "" {
		t.Skip("run by TestStandardError")
	}
	one, two := dbcheck.OpenDB((&fake{}).connector()), dbcheck.OpenDB((&fake{}).connector())
	one.SetMaxOpenConns(1)
	t.Cleanup(dbcheck.Verify(t, one, dbcheck.NoNestedLease()))
	t.Cleanup(dbcheck.Verify(t, two))
	go func() {
		conn, err := two.Conn(context.Background())
		assert.NoError(t, err)
		_, err = conn.QueryContext(context.Background(), "SELECT 1")
		assert.NoError(t, err)
		_ = conn.Close() // waits for the rows
	}()
	_, err := one.Begin()
	require.NoError(t, err)
	_, _ = one.Exec("UPDATE users SET n = 1") // waits for the transaction
}

// TestBubble: in a synctest bubble no timer runs, so that time there can stand still.
func TestBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := dbcheck.OpenDB((&fake{}).connector())
		ft := &fakeT{}
		check := dbcheck.Verify(ft, db, dbcheck.NoNestedLease(), dbcheck.MaxHold(time.Second))
		tx, err := db.Begin()
		require.NoError(t, err)
		time.Sleep(10_000 * time.Hour) // with a timer every 10 ms this would take an hour
		require.NoError(t, tx.Commit())
		check()
		assert.Contains(t, ft.failures()[0], "held its connection for longer than 1s")
		require.NoError(t, db.Close())
	})
}
