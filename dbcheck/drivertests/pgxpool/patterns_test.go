// Package pgxpool_test tries pgxcheck on a real Postgres.
package pgxpool_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/dbcheck/dbtest"
	"github.com/leakgate/leakgate/dbcheck/pgxcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

// maxHold is far longer than a statement takes here, and shorter than what the pattern sleeps.
const maxHold = 300 * time.Millisecond

// pattern is a way in which public code leaks.
type pattern struct {
	name         string
	buggy, fixed func(store, context.Context) error
	code         string
	kind         leakcheck.Kind
	says         string
	noLine       bool             // only counted
	pool         bool             // only the check of the pool sees it
	process      bool             // only the check of the process sees it
	budget       leakcheck.Option // that finds it
	count        int              // 1 when not given
}

var patterns = []pattern{
	{name: "early return", buggy: store.earlyReturnBuggy, fixed: store.earlyReturnFixed, code: "LK223", kind: leakcheck.PgxRows, says: "pgx.Rows from pool.Query at store_test.go:"},
	{name: "one row read", buggy: store.oneRowBuggy, fixed: store.oneRowFixed, code: "LK223", kind: leakcheck.PgxRows, says: "pgx.Rows from pool.Query at store_test.go:"},
	{name: "panic", buggy: store.panicBuggy, fixed: store.panicFixed, code: "LK223", kind: leakcheck.PgxRows, says: "pgx.Rows from pool.Query at store_test.go:"},
	{name: "Close after the loop", buggy: store.closeAfterLoopBuggy, fixed: store.closeAfterLoopFixed, code: "LK223", kind: leakcheck.PgxRows, says: "pgx.Rows from pool.Query at store_test.go:", count: 2},
	{name: "Query for Exec", buggy: store.queryForExecBuggy, fixed: store.queryForExecFixed, code: "LK223", kind: leakcheck.PgxRows, says: "pgx.Rows from pool.Query at store_test.go:"},
	{name: "rows, cancelled", buggy: store.rowsCancelBuggy, fixed: store.rowsCancelFixed, code: "LK223", kind: leakcheck.PgxRows, says: "pgx.Rows from pool.Query at store_test.go:"},
	{name: "Row without Scan", buggy: store.rowUnscannedBuggy, fixed: store.rowUnscannedFixed, code: "LK226", kind: leakcheck.PgxRows, says: "pgx.Row from pool.QueryRow at store_test.go:"},
	{name: "Tx, error", buggy: store.txErrorBuggy, fixed: store.txErrorFixed, code: "LK222", kind: leakcheck.PgxConn, says: "pgx.Tx from pool.Begin at store_test.go:"},
	{name: "Tx, cancelled", buggy: store.txCancelBuggy, fixed: store.txCancelFixed, code: "LK222", kind: leakcheck.PgxConn, says: "pgx.Tx from pool.BeginTx at store_test.go:"},
	{name: "Acquire, error", buggy: store.acquireErrorBuggy, fixed: store.acquireErrorFixed, code: "LK224", kind: leakcheck.PgxConn, says: "pgxpool.Conn from pool.Acquire at store_test.go:"},
	{name: "batch, error", buggy: store.batchBuggy, fixed: store.batchFixed, code: "LK225", kind: leakcheck.PgxRows, says: "pgx.BatchResults from pool.SendBatch at store_test.go:"},
	{name: "CopyFrom", buggy: store.copyFromBuggy, fixed: store.copyFromFixed, code: "LK224", kind: leakcheck.PgxConn, says: "a connection from pool.CopyFrom at store_test.go:"},
	{name: "released with rows", buggy: store.dirtyRowsBuggy, fixed: store.dirtyRowsFixed, code: "LK228", kind: leakcheck.PgxConn, says: "was released with open rows: pgx.Rows from conn.Query at store_test.go:", pool: true},
	{name: "released in a Tx", buggy: store.dirtyTxBuggy, fixed: store.dirtyTxFixed, code: "LK228", kind: leakcheck.PgxConn, says: "was released with an open transaction: the one from conn.Begin at store_test.go:", pool: true},
	{name: "Hijack", buggy: store.hijackBuggy, fixed: store.hijackFixed, code: "LK229", kind: leakcheck.PgxConn, says: "pgx.Conn, hijacked from its pool, from pool.Acquire at store_test.go:"},
	{name: "AcquireAllIdle", buggy: store.allIdleBuggy, fixed: store.allIdleFixed, code: "LK224", kind: leakcheck.PgxConn, says: "a connection of the pgxpool.Pool made at patterns_test.go:", pool: true, noLine: true},
	{name: "hold and wait", buggy: store.holdAndWaitBuggy, fixed: store.holdAndWaitFixed, code: "LK216", kind: leakcheck.PgxConn, says: "held another connection of the pool: pgx.Tx from pool.Begin at store_test.go:", budget: dbcheck.NoNestedLease()},
	{name: "held for long", buggy: store.heldLongBuggy, fixed: store.heldLongFixed, code: "LK211", kind: leakcheck.PgxConn, says: "pgx.Tx from pool.Begin at store_test.go:", budget: dbcheck.MaxHold(maxHold)},
	{name: "pool per call", buggy: store.poolPerCallBuggy, fixed: store.poolPerCallFixed, code: "LK221", kind: leakcheck.Goroutine, says: "pgxpool.Pool was opened and never closed", process: true},
	{name: "connection per call", buggy: store.connPerCallBuggy, fixed: store.connPerCallFixed, code: "LK229", kind: leakcheck.PgxConn, says: "pgx.Conn from pgx.ConnectConfig at store_test.go:", process: true},
	{name: "sql.Rows over the pool", buggy: store.sqlRowsBuggy, fixed: store.sqlRowsFixed, code: "LK203", kind: leakcheck.SQLRows, says: "sql.Rows from db.QueryContext at store_test.go:"},
	{name: "sql.Tx over the pool", buggy: store.sqlTxBuggy, fixed: store.sqlTxFixed, code: "LK202", kind: leakcheck.SQLTx, says: "sql.Tx from db.BeginTx at store_test.go:"},
	{name: "sql.Conn over the pool", buggy: store.sqlConnBuggy, fixed: store.sqlConnFixed, code: "LK204", kind: leakcheck.SQLConn, says: "sql.Conn from db.Conn at store_test.go:"},
}

// fakeT is a test that records.
type fakeT struct {
	name string

	mu           sync.Mutex
	errors, logs []string
}

func (t *fakeT) Helper()      {}
func (t *fakeT) Name() string { return t.name }

func (t *fakeT) Failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.errors) > 0
}

func (t *fakeT) Errorf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errors = append(t.errors, fmt.Sprintf(format, args...))
}

func (t *fakeT) Logf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.logs = append(t.logs, fmt.Sprintf(format, args...))
}

// open makes a tracked pool on a database with a table.
func open(t *testing.T, dsn string) *pgxpool.Pool {
	pool, err := pgxcheck.New(context.Background(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { pgxcheck.Close(t, pool) })
	_, err = pool.Exec(context.Background(), "CREATE TABLE IF NOT EXISTS users (id serial PRIMARY KEY, name text)")
	require.NoError(t, err)
	_, err = pool.Exec(context.Background(), "INSERT INTO users (name) VALUES ('a'), ('b'), ('c')")
	require.NoError(t, err)
	return pool
}

// TestPatterns: each is found with the right line and kind, by the check of the pool and by that of the process, as one
// entry; and its mended form is silent.
func TestPatterns(t *testing.T) {
	srv := dbtest.Postgres(t)
	pool := open(t, srv.DSN)
	for _, p := range patterns {
		for _, way := range []string{"pool", "process"} {
			if way == "pool" && p.process {
				continue
			}
			t.Run(p.name+"/"+way, func(t *testing.T) {
				var free []func()
				s := store{pool: pool, dsn: srv.DSN, free: &free}
				for _, buggy := range []bool{true, false} {
					ft := &fakeT{name: t.Name()}
					var opts []leakcheck.Option
					if p.budget != nil {
						opts = append(opts, p.budget)
					}
					var check func()
					switch {
					case way == "pool":
						check = pgxcheck.Verify(ft, pool, opts...)
					case p.pool:
						check = leakcheck.Verify(ft, append(opts, pgxcheck.Pool(pool))...)
					default:
						check = leakcheck.Verify(ft, opts...)
					}
					do := p.fixed
					if buggy {
						do = p.buggy
					}
					_ = do(s, context.Background())
					check()
					for _, f := range free {
						f()
					}
					free = nil
					if !buggy {
						assert.Empty(t, ft.errors, "mended")
						continue
					}
					require.Len(t, ft.errors, 1)
					p.assert(t, ft.errors[0])
				}
			})
		}
	}
}

func (p pattern) assert(t *testing.T, text string) {
	t.Helper()
	n := max(p.count, 1)
	first := fmt.Sprintf("leakcheck: %d leak", n)
	assert.True(t, strings.HasPrefix(text, first), text)
	assert.Equal(t, 1, strings.Count(text, "\n  LK"), "one entry: %s", text)
	assert.Contains(t, text, fmt.Sprintf("\n  %s %s", p.code, p.kind))
	assert.Contains(t, text, p.says)
	assert.NotContains(t, text, "secret'", "a literal")
	if !p.noLine {
		assert.Contains(t, text, "// the line\n")
	}
}

// TestClosedPool: a pool that was used in every way and closed leaves nothing.
func TestClosedPool(t *testing.T) {
	srv := dbtest.Postgres(t)
	open(t, srv.DSN)
	ft := &fakeT{name: t.Name()}
	check := leakcheck.Verify(ft)
	pool, err := pgxcheck.New(context.Background(), srv.DSN)
	require.NoError(t, err)
	var free []func()
	for _, p := range patterns {
		if p.process {
			continue
		}
		_ = p.fixed(store{pool: pool, dsn: srv.DSN, free: &free}, context.Background())
	}
	pool.Close()
	check()
	assert.Empty(t, ft.errors)
	assert.Empty(t, free)
}

// TestAsynchronousRelease: what AfterRelease gives back in the background is waited for.
func TestAsynchronousRelease(t *testing.T) {
	srv := dbtest.Postgres(t)
	cfg, err := pgxpool.ParseConfig(srv.DSN)
	require.NoError(t, err)
	cfg.AfterRelease = afterRelease
	pool, err := pgxpool.NewWithConfig(context.Background(), pgxcheck.Config(cfg))
	require.NoError(t, err)
	t.Cleanup(func() { pgxcheck.Close(t, pool) })
	for range 10 {
		ft := &fakeT{name: t.Name()}
		check := pgxcheck.Verify(ft, pool)
		for range 3 {
			var n int
			require.NoError(t, pool.QueryRow(context.Background(), "SELECT 1").Scan(&n))
		}
		check()
		assert.Empty(t, ft.errors)
	}
}
