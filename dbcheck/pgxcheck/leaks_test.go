package pgxcheck_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck/pgxcheck"
)

const secret = "SELECT name FROM users WHERE name = 'secret' AND id > 41"

// leak is something that is not given back; it gives what gives it back after the check.
type leak func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) (after func())

var leaks = []struct {
	name, reason string
	do           leak
}{
	{"acquire", "a connection that was never released", func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) func() {
		conn, err := pool.Acquire(ctx)
		require.NoError(t, err)
		return conn.Release
	}},
	{"acquire-used", "the last thing done with it is told", func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) func() {
		conn, err := pool.Acquire(ctx)
		require.NoError(t, err)
		_, err = conn.Exec(ctx, "UPDATE users SET name = 'secret'")
		require.NoError(t, err)
		return conn.Release
	}},
	{"query", "rows that were never closed", func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) func() {
		rows, err := pool.Query(ctx, secret)
		require.NoError(t, err)
		return rows.Close
	}},
	{"query-early-return", "one row read, and no Close", func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) func() {
		rows, err := pool.Query(ctx, "SELECT name FROM users")
		require.NoError(t, err)
		require.True(t, rows.Next())
		return rows.Close
	}},
	{"query-cancelled", "the end of the context gives nothing back", func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) func() {
		ctx, cancel := context.WithCancel(ctx)
		rows, err := pool.Query(ctx, "SELECT name FROM users")
		require.NoError(t, err)
		cancel()
		return rows.Close
	}},
	{"query-row", "a row that was never scanned", func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) func() {
		row := pool.QueryRow(ctx, "SELECT name FROM users")
		return func() { _ = row.Scan(new(string)) }
	}},
	{"begin", "a transaction that was not ended", func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) func() {
		tx, err := pool.Begin(ctx)
		require.NoError(t, err)
		return func() { _ = tx.Rollback(ctx) }
	}},
	{"begin-rows", "rows of a transaction are a part of it", func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) func() {
		tx, err := pool.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
		require.NoError(t, err)
		rows, err := tx.Query(ctx, "SELECT name FROM users")
		require.NoError(t, err)
		return func() { rows.Close(); _ = tx.Rollback(ctx) }
	}},
	{"batch", "results of a batch that were never closed", func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) func() {
		b := &pgx.Batch{}
		b.Queue("SELECT name FROM users")
		results := pool.SendBatch(ctx, b)
		return func() { results.Close() }
	}},
	{"acquire-rows", "rows on a connection that was not released either", func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) func() {
		conn, err := pool.Acquire(ctx)
		require.NoError(t, err)
		rows, err := conn.Query(ctx, "SELECT name FROM users")
		require.NoError(t, err)
		return func() { rows.Close(); conn.Release() }
	}},
	{"acquire-tx", "a transaction on a connection that was not released either", func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) func() {
		conn, err := pool.Acquire(ctx)
		require.NoError(t, err)
		tx, err := conn.Begin(ctx)
		require.NoError(t, err)
		return func() { _ = tx.Rollback(ctx); conn.Release() }
	}},
	{"dirty-rows", "the pool destroys a connection that is released with rows open", func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) func() {
		conn, err := pool.Acquire(ctx)
		require.NoError(t, err)
		_, err = conn.Query(ctx, secret)
		require.NoError(t, err)
		conn.Release()
		return func() {}
	}},
	{"dirty-batch", "or with results of a batch", func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) func() {
		conn, err := pool.Acquire(ctx)
		require.NoError(t, err)
		b := &pgx.Batch{}
		b.Queue("SELECT name FROM users")
		conn.SendBatch(ctx, b)
		conn.Release()
		return func() {}
	}},
	{"dirty-tx", "or with a transaction", func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) func() {
		conn, err := pool.Acquire(ctx)
		require.NoError(t, err)
		_, err = conn.Begin(ctx)
		require.NoError(t, err)
		conn.Release()
		return func() {}
	}},
	{"hijack", "a hijacked connection that was never closed is no lease any more, but open", func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) func() {
		conn, err := pool.Acquire(ctx)
		require.NoError(t, err)
		own := conn.Hijack()
		return func() { own.Close(ctx) }
	}},
	{"hijack-closed", "one that was closed is nothing", func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) func() {
		conn, err := pool.Acquire(ctx)
		require.NoError(t, err)
		require.NoError(t, conn.Hijack().Close(ctx))
		return func() {}
	}},
	{"acquire-all-idle", "what is acquired outside the tracer is counted", func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) func() {
		require.NoError(t, pool.Ping(ctx))
		conns := pool.AcquireAllIdle(ctx)
		require.Len(t, conns, 1)
		return conns[0].Release
	}},
	{"acquire-all-idle-released", "and is nothing when it was released", func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) func() {
		require.NoError(t, pool.Ping(ctx))
		for _, c := range pool.AcquireAllIdle(ctx) {
			c.Release()
		}
		return func() {}
	}},
	{"sql-rows", "rows of a sql.DB over the pool", func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) func() {
		rows, err := sqlDB(t, pool).QueryContext(ctx, secret)
		require.NoError(t, err)
		return func() { rows.Close() }
	}},
	{"sql-tx", "a transaction of a sql.DB over the pool", func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) func() {
		tx, err := sqlDB(t, pool).Begin()
		require.NoError(t, err)
		return func() { _ = tx.Rollback() }
	}},
	{"sql-conn", "a connection of a sql.DB over the pool", func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) func() {
		conn, err := sqlDB(t, pool).Conn(ctx)
		require.NoError(t, err)
		return func() { conn.Close() }
	}},
	{"sql-row", "a row of a sql.DB over the pool", func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) func() {
		row := sqlDB(t, pool).QueryRow("SELECT name FROM users")
		return func() { _ = row.Scan(new(string)) }
	}},
	{"copy-from", "a CopyFrom that was never given its rows", func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) func() {
		in, next, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			_, _ = pool.CopyFrom(ctx, pgx.Identifier{"users"}, []string{"name"}, pgx.CopyFromFunc(func() ([]any, error) {
				close(in)
				<-next
				return nil, nil
			}))
		}()
		<-in
		return func() { close(next); <-done }
	}},
	{"acquire-func", "a function that has not returned", func(t *testing.T, ctx context.Context, pool *pgxpool.Pool) func() {
		in, out, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			_ = pool.AcquireFunc(ctx, func(*pgxpool.Conn) error {
				close(in)
				<-out
				return nil
			})
		}()
		<-in
		return func() { close(out); <-done }
	}},
}

func sqlDB(t testing.TB, pool *pgxpool.Pool) *sql.DB {
	db := stdlib.OpenDBFromPool(pool)
	t.Cleanup(func() { db.Close() })
	return db
}

// TestLeaks: what Verify says of each leak.
func TestLeaks(t *testing.T) {
	for _, c := range leaks {
		t.Run(c.name, func(t *testing.T) {
			pool := tracked(t)
			ft := &fakeT{}
			check := pgxcheck.Verify(ft, pool)
			after := c.do(t, background, pool)
			check()
			after()
			golden(t, c.name, c.reason, ft)
		})
	}
}

// TestClean: what is given back is nothing, on a new pool and on one that is used again.
func TestClean(t *testing.T) {
	pool := tracked(t)
	for range 2 {
		ft := &fakeT{}
		check := pgxcheck.Verify(ft, pool)
		useWell(t, pool)
		check()
		require.Empty(t, ft.failures())
	}
}

// useWell does everything that can be leaked, and gives it back.
func useWell(t *testing.T, pool *pgxpool.Pool) {
	ctx := background
	rows, err := pool.Query(ctx, secret)
	require.NoError(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c"}, names)
	rows, err = pool.Query(ctx, secret)
	require.NoError(t, err)
	for rows.Next() {
	}
	require.NoError(t, pool.QueryRow(ctx, secret).Scan(new(string)))
	require.NoError(t, pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, secret)
		require.NoError(t, err)
		rows.Close()
		_, err = tx.Exec(ctx, "UPDATE users SET name = 'secret'")
		return err
	}))
	require.NoError(t, pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error { return c.Ping(ctx) }))
	b := &pgx.Batch{}
	b.Queue("SELECT name FROM users")
	b.Queue("SELECT name FROM users")
	require.NoError(t, pool.SendBatch(ctx, b).Close())
	_, err = pool.CopyFrom(ctx, pgx.Identifier{"users"}, []string{"name"}, pgx.CopyFromRows([][]any{{"x"}}))
	require.NoError(t, err)
	_, err = pool.Exec(ctx, "fail")
	require.Error(t, err)
	_, err = pool.Query(ctx, "SELECT fail")
	require.Error(t, err)
	tx, err := pool.Begin(ctx)
	require.NoError(t, err)
	_, err = tx.Exec(ctx, "fail")
	require.Error(t, err)
	require.NoError(t, tx.Rollback(ctx))
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = pool.Acquire(cancelled)
	require.Error(t, err)
}
