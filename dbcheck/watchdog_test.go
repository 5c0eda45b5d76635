package dbcheck_test

import (
	"context"
	"database/sql"
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
			conn, err := db.Conn(context.Background())
			require.NoError(t, err)
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
