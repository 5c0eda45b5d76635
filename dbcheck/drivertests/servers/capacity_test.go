package servers_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
)

// TestCapacity: what is read from a server is what the server does. The fleet that Err says fits gets all of its connections, and the
// first one that it says does not fit is refused.
func TestCapacity(t *testing.T) {
	each(t, func(t *testing.T, c client) {
		srv, limit := exhaustible(t, c)
		db := c.open(t, srv.DSN)
		db.SetMaxOpenConns(5)
		got, err := dbcheck.CapacityOf(ctx, db, limit/5)
		require.NoError(t, err)
		assert.Equal(t, limit, got.ServerMax-got.Reserved, "%+v", got)
		require.NoError(t, got.Err(), "to the last one")

		for range got.Instances { // each instance is a pool of its own
			pool := c.open(t, srv.DSN)
			pool.SetMaxOpenConns(got.PoolMax)
			for range got.PoolMax {
				for end := time.Now().Add(waitFor); ; time.Sleep(tick) { // sessions of before are still ending
					conn, err := pool.Conn(ctx)
					if err == nil {
						defer conn.Close()
						break
					}
					require.True(t, dbcheck.Exhausted(err) && time.Now().Before(end), "%v", err)
				}
			}
		}
		got.Instances++
		var e *dbcheck.CapacityError
		require.ErrorAs(t, got.Err(), &e)
		assert.Equal(t, limit, e.Room)
		_, err = c.open(t, srv.DSN).Conn(ctx)
		assert.True(t, dbcheck.Exhausted(err), "%v", err)
	})
}

// TestOtherSessions: another application's sessions are counted, also those that the user may not see, and one's own are not.
func TestOtherSessions(t *testing.T) {
	each(t, func(t *testing.T, c client) {
		srv, _ := exhaustible(t, c)
		mine := c.open(t, c.named(srv.DSN, "orders"))
		own, err := mine.Conn(ctx)
		require.NoError(t, err)
		defer own.Close()
		counts := func(want int) {
			t.Helper()
			var n int
			for end := time.Now().Add(waitFor); ; time.Sleep(tick) { // what was closed is still ending
				n, err = dbcheck.OtherSessions(ctx, mine)
				require.NoError(t, err)
				if n == want || time.Now().After(end) {
					break
				}
			}
			require.Equal(t, want, n)
		}
		counts(0)
		others := c.open(t, srv.AdminDSN)
		for range 3 {
			conn, err := others.Conn(ctx)
			require.NoError(t, err)
			defer conn.Close()
		}
		counts(3)
	})
}
