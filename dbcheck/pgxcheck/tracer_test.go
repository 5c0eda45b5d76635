package pgxcheck_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/dbcheck/pgxcheck"
	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

// counter is a tracer that a program has already.
type counter struct{ queries, acquired, released atomic.Int64 }

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.queries.Add(1)
	return ctx
}
func (c *counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (c *counter) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	c.acquired.Add(1)
	return ctx
}
func (c *counter) TraceAcquireEnd(context.Context, *pgxpool.Pool, pgxpool.TraceAcquireEndData) {}
func (c *counter) TraceRelease(*pgxpool.Pool, pgxpool.TraceReleaseData)                        { c.released.Add(1) }

// TestTracerKept: a tracer that is there goes on to be called, and the config that was given is left as it is.
func TestTracerKept(t *testing.T) {
	cfg, err := pgxpool.ParseConfig(newServer(t).dsn())
	require.NoError(t, err)
	own := &counter{}
	cfg.ConnConfig.Tracer = own
	pool, err := pgxpool.NewWithConfig(background, pgxcheck.Config(pgxcheck.Config(cfg)))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	assert.Same(t, own, cfg.ConnConfig.Tracer)

	ft := &fakeT{}
	check := pgxcheck.Verify(ft, pool)
	rows, err := pool.Query(background, secret)
	require.NoError(t, err)
	assert.Len(t, pgxcheck.Leases(pool), 1)
	check()
	rows.Close()
	require.Len(t, ft.failures(), 1)
	assert.Contains(t, ft.failures()[0], "leakcheck: 1 leak: pgx.Rows from pool.Query at tracer_test.go:")
	assert.Equal(t, []int64{1, 1, 1}, []int64{own.queries.Load(), own.acquired.Load(), own.released.Load()})
	assert.Empty(t, pgxcheck.Leases(pool))
}

// TestTwoPools: two pools of one config are told apart.
func TestTwoPools(t *testing.T) {
	cfg, err := pgxpool.ParseConfig(newServer(t).dsn())
	require.NoError(t, err)
	cfg = pgxcheck.Config(cfg)
	var pools [2]*pgxpool.Pool
	for i := range pools {
		pools[i], err = pgxpool.NewWithConfig(background, cfg)
		require.NoError(t, err)
		t.Cleanup(pools[i].Close)
	}
	a, b := &fakeT{}, &fakeT{}
	checkA, checkB := pgxcheck.Verify(a, pools[0]), pgxcheck.Verify(b, pools[1])
	conn, err := pools[1].Acquire(background)
	require.NoError(t, err)
	checkB()
	checkA()
	conn.Release()
	assert.Empty(t, a.failures())
	assert.Len(t, b.failures(), 1)
}

// TestMinConns: connections that the pool opens by itself are its own, and idle.
func TestMinConns(t *testing.T) {
	s := newServer(t)
	ft := &fakeT{}
	check := leakcheck.Verify(ft, leakcheck.Ignore("the server of the test", leakcheck.CreatedBy("pgxcheck_test.(*server).accept")))
	pool, err := pgxcheck.New(background, s.dsn()+"&pool_min_conns=3")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return pool.Stat().IdleConns() == 3 }, 10*time.Second, time.Millisecond)
	check()
	pool.Close()
	require.Len(t, ft.failures(), 1)
	assert.Contains(t, ft.failures()[0], "leakcheck: 1 leak: pgxpool.Pool was opened and never closed\n")
}

// TestCallWhileHeld: NoCallWhileHeld sees a pgx transaction.
func TestCallWhileHeld(t *testing.T) {
	srv := mockserver.New(t)
	srv.On("GET", "/rate").Reply(mockserver.Status(204))
	client := &http.Client{Transport: httpcheck.Wrap(http.DefaultTransport)}
	call := func() {
		res, err := client.Get(srv.URL + "/rate")
		require.NoError(t, err)
		res.Body.Close()
	}
	pool := tracked(t)
	ft := &fakeT{}
	check := pgxcheck.Verify(ft, pool, dbcheck.NoCallWhileHeld())
	require.NoError(t, pgx.BeginFunc(background, pool, func(pgx.Tx) error {
		call()
		return nil
	}))
	check()
	golden(t, "budget-call", "a request inside a transaction", ft)

	ft = &fakeT{}
	check = pgxcheck.Verify(ft, pool, dbcheck.NoCallWhileHeld())
	require.NoError(t, pool.Ping(background))
	call()
	check()
	assert.Empty(t, ft.failures())
}

// TestSelfDeadlock: one that waits for a connection while it holds the last one is told while it waits.
func TestSelfDeadlock(t *testing.T) {
	cfg, err := pgxpool.ParseConfig(newServer(t).dsn())
	require.NoError(t, err)
	cfg.MaxConns = 1
	pool, err := pgxcheck.NewWithConfig(background, cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	ft := &fakeT{}
	check := pgxcheck.Verify(ft, pool, dbcheck.NoNestedLease())
	ctx, cancel := context.WithCancel(background)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = pgx.BeginFunc(background, pool, func(pgx.Tx) error {
			return pool.QueryRow(ctx, secret).Scan(new(string))
		})
	}()
	require.Eventually(t, ft.Failed, 30*time.Second, 10*time.Millisecond)
	cancel()
	<-done
	check()
	require.NotEmpty(t, ft.failures())
	ft.errors = ft.errors[:1] // the entry at the end is TestBudgets'
	golden(t, "waits", "told while it waits, with the program's lines and not pgx's", ft)
}

// TestNothingKept: the tracer keeps neither connections nor leases of what is over.
func TestNothingKept(t *testing.T) {
	pool := tracked(t)
	for range 20 {
		conn, err := pool.Acquire(background)
		require.NoError(t, err)
		require.NoError(t, conn.Hijack().Close(background))
	}
	assert.Empty(t, pgxcheck.Leases(pool))
	ft := &fakeT{}
	check := pgxcheck.Verify(ft, pool)
	check()
	assert.Empty(t, ft.failures())
}
