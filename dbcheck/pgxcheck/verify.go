package pgxcheck

import (
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/leakgate/leakgate/leakcheck"
)

// Verify looks at one pool for one test, and returns the function that fails t for each connection, transaction, rows and
// batch that was not given back, and for each connection that was given back with rows or a transaction open:
//
//	pool, err := pgxcheck.New(ctx, dsn)
//	t.Cleanup(func() { pgxcheck.Close(t, pool) })
//	t.Cleanup(pgxcheck.Verify(t, pool))
//
// Register it after what closes the pool, so that it looks before. On a tracked pool (New, NewWithConfig, Config) every
// entry names the line; any other is only counted. Options are leakcheck's, and the budgets of package dbcheck, which are
// judged for this pool and need it to be tracked.
//
// Tests may share a tracked pool, also in parallel: each answers for what it took itself. Where the pool is not tracked, a
// connection that may be another test's is reported by the last of them, with the tests that could have taken it.
//
// While the test runs, a timer looks whether a Close of the pool waits for connections that are out with no call running on any
// of them: one that waits for a query to end is as it should be. It would wait for ever: the test fails at once, and says why; what ends it is go test's own timeout. After the test it goes on to look while something
// is out, and says it on standard error.
//
// A nil pool, and one that is closed already, is an error of the test.
func Verify(t leakcheck.TB, pool *pgxpool.Pool, opts ...leakcheck.Option) func() {
	if isNil(t) {
		return leakcheck.Verify(nil) // says so
	}
	t.Helper()
	if err := usable("Verify", "t, ", pool); err != nil {
		return leakcheck.Verify(t, slices.Concat(opts, []leakcheck.Option{leakcheck.Instead(), leakcheck.Fail(err)})...)
	}
	probes, p := probes(pool)
	return leakcheck.Verify(t, slices.Concat([]leakcheck.Option{leakcheck.Instead(probes...), follow(pool, p)}, opts)...)
}

// Pool lets another check look at a pool too:
//
//	t.Cleanup(leakcheck.Verify(t, pgxcheck.Pool(pool)))
//
// What a tracked pool has lent is seen by every leakcheck.Verify without it. It adds connections that were released with
// rows or a transaction open, those that were acquired outside the tracer, the watch for a Close that waits for ever, and that
// budgets are judged for all that is done with the pool. Any other pool is counted. A nil pool, and one that is closed already,
// is an error.
func Pool(pool *pgxpool.Pool) leakcheck.Option {
	if err := usable("Pool", "", pool); err != nil {
		return leakcheck.Fail(err)
	}
	probes, p := probes(pool)
	return leakcheck.Join(leakcheck.With(probes...), follow(pool, p))
}

// follow watches a pool while a test runs.
func follow(of *pgxpool.Pool, p *pool) leakcheck.Option {
	if p == nil {
		return watchClose(of, nil)
	}
	return leakcheck.Join(releasedDirty(p), watchClose(of, p))
}

// usable says what is wrong with a pool.
func usable(caller, before string, pool *pgxpool.Pool) error {
	if pool == nil {
		return fmt.Errorf("pgxcheck.%s: the pool is nil: pass the one that the code under test uses, as in pgxcheck.%s(%spool)", caller, caller, before)
	}
	if isClosed(pool) {
		return fmt.Errorf("pgxcheck.%s: the pool is closed already: call it after the pool was opened, at the beginning of the test", caller)
	}
	return nil
}
