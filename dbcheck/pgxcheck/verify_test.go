package pgxcheck_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/dbcheck/pgxcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

// TestDefaultCheck: leakcheck.Verify alone has one entry for each leak, and none for an idle pool. The server runs before
// and after it.
func TestDefaultCheck(t *testing.T) {
	for _, c := range []struct {
		name, reason string
		do           func(t *testing.T, s *server) (after func())
	}{
		{"one-clean", "a pool that was used well and closed", func(t *testing.T, s *server) func() {
			pool, err := pgxcheck.New(background, s.dsn())
			require.NoError(t, err)
			useWell(t, pool)
			pool.Close()
			return func() {}
		}},
		{"one-rows", "rows of a pool that is closed later", func(t *testing.T, s *server) func() {
			pool, err := pgxcheck.New(background, s.dsn())
			require.NoError(t, err)
			rows, err := pool.Query(background, secret)
			require.NoError(t, err)
			return func() { rows.Close(); pool.Close() }
		}},
		{"one-pool", "a pool that was never closed, with an idle connection", func(t *testing.T, s *server) func() {
			pool, err := pgxcheck.New(background, s.dsn())
			require.NoError(t, err)
			require.NoError(t, pool.Ping(background))
			return pool.Close
		}},
		{"one-pool-unused", "one that was never used either", func(t *testing.T, s *server) func() {
			pool, err := pgxcheck.New(background, s.dsn())
			require.NoError(t, err)
			return pool.Close
		}},
		{"one-pool-plain", "one that is not tracked", func(t *testing.T, s *server) func() {
			pool, err := pgxpool.New(background, s.dsn())
			require.NoError(t, err)
			return pool.Close
		}},
		{"one-conn", "a connection without a pool", func(t *testing.T, s *server) func() {
			cfg, err := pgx.ParseConfig(s.dsn()[:len(s.dsn())-len("&pool_max_conns=4")])
			require.NoError(t, err)
			conn, err := pgx.ConnectConfig(background, pgxcheck.ConnConfig(cfg))
			require.NoError(t, err)
			_, err = conn.Query(background, secret)
			require.NoError(t, err)
			return func() { conn.Close(background) }
		}},
		{"one-conn-closed", "a connection without a pool that was closed", func(t *testing.T, s *server) func() {
			cfg, err := pgx.ParseConfig(s.dsn()[:len(s.dsn())-len("&pool_max_conns=4")])
			require.NoError(t, err)
			conn, err := pgx.ConnectConfig(background, pgxcheck.ConnConfig(cfg))
			require.NoError(t, err)
			_, err = conn.Exec(background, "UPDATE users SET name = 'x'")
			require.NoError(t, err)
			require.NoError(t, conn.Close(background))
			return func() {}
		}},
		{"one-left", "a pool that Close left to itself is told by its leak", func(t *testing.T, s *server) func() {
			pool, err := pgxcheck.New(background, s.dsn())
			require.NoError(t, err)
			rows, err := pool.Query(background, secret)
			require.NoError(t, err)
			pgxcheck.Close(&fakeT{}, pool)
			return rows.Close
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t)
			ft := &fakeT{}
			check := leakcheck.Verify(ft, leakcheck.Ignore("the server of the test", leakcheck.CreatedBy("pgxcheck_test.(*server).accept")))
			after := c.do(t, s)
			check()
			after()
			ft.logs = nil // "ignored"
			golden(t, c.name, c.reason, ft)
		})
	}
}

// TestPlainPool: a pool that is not tracked is counted, and told how to get the line.
func TestPlainPool(t *testing.T) {
	pool, err := pgxpool.New(background, newServer(t).dsn())
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	ft := &fakeT{}
	check := pgxcheck.Verify(ft, pool)
	rows, err := pool.Query(background, secret)
	require.NoError(t, err)
	check()
	rows.Close()
	golden(t, "plain", "only counted", ft)

	ft = &fakeT{}
	check = leakcheck.Verify(ft, pgxcheck.Pool(pool), leakcheck.Only(leakcheck.PgxConn))
	rows, err = pool.Query(background, secret)
	require.NoError(t, err)
	check()
	rows.Close()
	golden(t, "plain-option", "also by the option", ft)
	assert.Nil(t, pgxcheck.Leases(pool))
}

// TestOption: leakcheck.Verify with the option says what it would not without.
func TestOption(t *testing.T) {
	pool := tracked(t)
	require.NoError(t, pool.Ping(background))
	ft := &fakeT{}
	check := leakcheck.Verify(ft, pgxcheck.Pool(pool))
	conn, err := pool.Acquire(background)
	require.NoError(t, err)
	_, err = conn.Begin(background)
	require.NoError(t, err)
	conn.Release()
	check()
	golden(t, "option-dirty", "a connection that was released dirty", ft)
}

// TestClose: it does not hang where pool.Close would, and says why.
func TestClose(t *testing.T) {
	for _, c := range []struct {
		name, reason string
		failed       bool
	}{
		{"close", "a connection is out", false},
		{"close-failed", "a test that has failed is told by a log line", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			pool, err := pgxcheck.New(background, newServer(t).dsn())
			require.NoError(t, err)
			rows, err := pool.Query(background, secret)
			require.NoError(t, err)
			ft := &fakeT{}
			if c.failed {
				ft.Errorf("by itself")
			}
			pgxcheck.Close(ft, pool)
			rows.Close()
			golden(t, c.name, c.reason, ft)
		})
	}
	pool := tracked(t)
	require.NoError(t, pool.Ping(background))
	ft := &fakeT{}
	pgxcheck.Close(ft, pool)
	pgxcheck.Close(ft, pool)
	pgxcheck.Close(ft, nil)
	assert.Empty(t, ft.failures())

	plain, err := pgxpool.New(background, newServer(t).dsn())
	require.NoError(t, err)
	rows, err := plain.Query(background, secret)
	require.NoError(t, err)
	pgxcheck.Close(ft, plain)
	rows.Close()
	golden(t, "close-plain", "a pool that is not tracked", ft)
}

// TestPoolCloseBlocks: a pool.Close in the test that waits for ever is told while it waits.
func TestPoolCloseBlocks(t *testing.T) {
	pool, err := pgxcheck.New(background, newServer(t).dsn())
	require.NoError(t, err)
	ft := &fakeT{}
	check := pgxcheck.Verify(ft, pool)
	tx, err := pool.Begin(background)
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		pool.Close()
	}()
	require.Eventually(t, ft.Failed, 30*time.Second, 10*time.Millisecond)
	require.NoError(t, tx.Rollback(background))
	<-done
	check()
	golden(t, "close-blocked", "pool.Close waits for a transaction", ft)
}

// TestParallel: tests that share a pool answer each for what it took.
func TestParallel(t *testing.T) {
	pool := tracked(t)
	var wg sync.WaitGroup
	fts := make([]*fakeT, 4)
	begun, leaked := make(chan struct{}, len(fts)), make(chan struct{})
	rows := make([]pgx.Rows, len(fts))
	for i := range fts {
		fts[i] = &fakeT{name: fmt.Sprintf("TestShared%d", i)}
		wg.Add(1)
		go func() {
			defer wg.Done()
			check := pgxcheck.Verify(fts[i], pool)
			if i%2 == 0 {
				r, err := pool.Query(background, secret)
				assert.NoError(t, err)
				rows[i] = r
			} else {
				assert.NoError(t, pool.QueryRow(background, secret).Scan(new(string)))
				conn, err := pool.Acquire(background)
				assert.NoError(t, err)
				if i == 3 {
					_, err = conn.Begin(background)
					assert.NoError(t, err)
				}
				conn.Release()
			}
			begun <- struct{}{}
			<-leaked
			check()
		}()
	}
	for range fts {
		<-begun
	}
	close(leaked)
	wg.Wait()
	for _, r := range rows {
		if r != nil {
			r.Close()
		}
	}
	for i, want := range []string{"pgx.Rows from pool.Query", "", "pgx.Rows from pool.Query", "was released with an open transaction"} {
		if want == "" {
			assert.Empty(t, fts[i].failures(), i)
			continue
		}
		require.Len(t, fts[i].failures(), 1, i)
		assert.Contains(t, fts[i].failures()[0], "leakcheck: 1 leak: ", i)
		assert.Contains(t, fts[i].failures()[0], want, i)
	}
}

// TestBudgets: those of dbcheck judge a pgx pool.
func TestBudgets(t *testing.T) {
	for _, c := range []struct {
		name, reason string
		budget       leakcheck.Option
		do           func(t *testing.T, pool *pgxpool.Pool)
	}{
		{"max-hold", "a transaction that was idle for long", dbcheck.MaxHold(20 * time.Millisecond), func(t *testing.T, pool *pgxpool.Pool) {
			tx, err := pool.Begin(background)
			require.NoError(t, err)
			time.Sleep(40 * time.Millisecond)
			require.NoError(t, tx.Commit(background))
		}},
		{"max-hold-rows", "rows that were read slowly", dbcheck.MaxHold(20 * time.Millisecond), func(t *testing.T, pool *pgxpool.Pool) {
			rows, err := pool.Query(background, secret)
			require.NoError(t, err)
			time.Sleep(40 * time.Millisecond)
			rows.Close()
			require.NoError(t, rows.Err())
		}},
		{"max-hold-return", "a connection that nothing more was done with", dbcheck.MaxHold(20 * time.Millisecond), func(t *testing.T, pool *pgxpool.Pool) {
			began := time.Now()
			conn, err := pool.Acquire(background)
			require.NoError(t, err)
			defer conn.Release()
			_, err = conn.Exec(background, "DELETE FROM users")
			require.NoError(t, err)
			time.Sleep(40*time.Millisecond + time.Since(began)) // the longest gap, however slow the machine is
		}},
		{"max-hold-kept", "a short one", dbcheck.MaxHold(time.Minute), func(t *testing.T, pool *pgxpool.Pool) { require.NoError(t, pool.Ping(background)) }},
		{"max-conns", "three connections at once", dbcheck.MaxConns(2), func(t *testing.T, pool *pgxpool.Pool) {
			for range 3 {
				conn, err := pool.Acquire(background)
				require.NoError(t, err)
				defer conn.Release()
			}
		}},
		{"max-conns-kept", "one after the other", dbcheck.MaxConns(2), func(t *testing.T, pool *pgxpool.Pool) {
			for range 3 {
				require.NoError(t, pool.Ping(background))
			}
		}},
		{"max-conns-replaced", "one takes the place of another", dbcheck.MaxConns(1), func(t *testing.T, pool *pgxpool.Pool) {
			for range 3 {
				conn, err := pool.Acquire(background)
				require.NoError(t, err)
				require.NoError(t, conn.Conn().Close(background))
				conn.Release()
			}
		}},
		{"min-reuse", "each connection is destroyed", dbcheck.MinReuse(0.5), func(t *testing.T, pool *pgxpool.Pool) {
			for range 3 {
				conn, err := pool.Acquire(background)
				require.NoError(t, err)
				conn.Conn().Close(background)
				conn.Release()
			}
		}},
		{"min-reuse-kept", "one serves all", dbcheck.MinReuse(0.9), func(t *testing.T, pool *pgxpool.Pool) {
			for range 3 {
				require.NoError(t, pool.Ping(background))
			}
		}},
		{"high-water", "four of four", dbcheck.HighWater(0.75), func(t *testing.T, pool *pgxpool.Pool) {
			for range 4 {
				conn, err := pool.Acquire(background)
				require.NoError(t, err)
				defer conn.Release()
			}
		}},
		{"high-water-kept", "three of four", dbcheck.HighWater(0.75), func(t *testing.T, pool *pgxpool.Pool) {
			for range 3 {
				conn, err := pool.Acquire(background)
				require.NoError(t, err)
				defer conn.Release()
			}
		}},
		{"nested", "a query on the pool inside a transaction", dbcheck.NoNestedLease(), func(t *testing.T, pool *pgxpool.Pool) {
			require.NoError(t, pgx.BeginFunc(background, pool, func(pgx.Tx) error {
				return pool.QueryRow(background, secret).Scan(new(string))
			}))
		}},
		{"nested-waits", "one that has to wait", dbcheck.NoNestedLease(), func(t *testing.T, pool *pgxpool.Pool) {
			held := make(chan *pgxpool.Conn)
			for range 3 { // by others
				go func() {
					conn, err := pool.Acquire(background)
					assert.NoError(t, err)
					held <- conn
				}()
				conn := <-held
				defer conn.Release()
			}
			conn, err := pool.Acquire(background)
			require.NoError(t, err)
			defer conn.Release()
			ctx, cancel := context.WithTimeout(background, 50*time.Millisecond)
			defer cancel()
			_, err = pool.Acquire(ctx)
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}},
		{"nested-kept", "in the transaction itself", dbcheck.NoNestedLease(), func(t *testing.T, pool *pgxpool.Pool) {
			require.NoError(t, pgx.BeginFunc(background, pool, func(tx pgx.Tx) error {
				return tx.QueryRow(background, secret).Scan(new(string))
			}))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			pool := tracked(t)
			ft := &fakeT{}
			check := pgxcheck.Verify(ft, pool, c.budget)
			c.do(t, pool)
			check()
			golden(t, "budget-"+c.name, c.reason, ft)
		})
	}
}

// TestRefused: wrong arguments are said where the test runs.
func TestRefused(t *testing.T) {
	closed := tracked(t)
	closed.Close()
	for _, c := range []struct {
		name, reason string
		check        func(t *fakeT)
	}{
		{"refuse-nil", "no pool", func(t *fakeT) { pgxcheck.Verify(t, nil)() }},
		{"refuse-closed", "a pool that is closed", func(t *fakeT) { pgxcheck.Verify(t, closed)() }},
		{"refuse-option-nil", "no pool for the option", func(t *fakeT) { leakcheck.Verify(t, pgxcheck.Pool(nil))() }},
	} {
		ft := &fakeT{}
		c.check(ft)
		golden(t, c.name, c.reason, ft)
	}
	_, err := pgxcheck.NewWithConfig(background, nil)
	assert.EqualError(t, err, "pgxcheck.NewWithConfig: the config is empty: make it with pgxpool.ParseConfig(connString)")
	_, err = pgxcheck.NewWithConfig(background, &pgxpool.Config{ConnConfig: &pgx.ConnConfig{}})
	assert.Error(t, err)
	_, err = pgxcheck.New(background, "postgres://app:secretpw@host:notaport/db")
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "secretpw")
	assert.Nil(t, pgxcheck.Config(nil))
	assert.Nil(t, pgxcheck.ConnConfig(nil))
	assert.Nil(t, pgxcheck.Leases(nil))
}
