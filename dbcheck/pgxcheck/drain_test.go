package pgxcheck_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck/pgxcheck"
)

// TestCloseDrains: a Close that waits for a query to end is as it should be, also on a pool that is not tracked; it is said
// to wait for ever only when what is left has no call running.
func TestCloseDrains(t *testing.T) {
	for _, c := range []struct {
		name string
		leak bool // rows are forgotten besides
		open func(s *server) (*pgxpool.Pool, error)
	}{
		{"tracked", false, func(s *server) (*pgxpool.Pool, error) { return pgxcheck.New(background, s.dsn()) }},
		{"plain", false, func(s *server) (*pgxpool.Pool, error) { return pgxpool.New(background, s.dsn()) }},
		{"rows are forgotten too", true, func(s *server) (*pgxpool.Pool, error) { return pgxcheck.New(background, s.dsn()) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t)
			pool, err := c.open(s)
			require.NoError(t, err)
			giveBack := func() {}
			if c.leak {
				rows, err := pool.Query(background, secret)
				require.NoError(t, err)
				giveBack = rows.Close
				require.True(t, pgxcheck.Stuck(pool))
			}
			queried := make(chan error)
			go func() {
				_, err := pool.Exec(background, "SELECT 'wait'")
				queried <- err
			}()
			<-s.waiting
			require.Eventually(t, func() bool { return !pgxcheck.Stuck(pool) }, 30*time.Second, time.Millisecond)

			ft, closed := &fakeT{}, make(chan struct{})
			go func() {
				defer close(closed)
				if c.leak {
					pgxcheck.Close(ft, pool)
					return
				}
				pgxcheck.CloseWithin(ft, pool, 0) // which says at the first look what it would after a second
			}()
			require.Eventually(t, func() bool { return pgxcheck.Closing(pool) }, 30*time.Second, time.Millisecond)
			for range 20 {
				assert.False(t, pgxcheck.Stuck(pool))
			}
			assert.Empty(t, ft.failures())
			s.answer <- struct{}{}
			require.NoError(t, <-queried)
			<-closed
			giveBack()
			if c.leak {
				golden(t, "close-drained", "it waited for the query, and says what is left", ft)
			}
		})
	}
}
