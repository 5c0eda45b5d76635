// Package pgxcheck tracks the connections of a pgxpool.Pool from the moment it lends one to the moment it has it back, and
// fails tests that do not give one back.
//
//	func TestStore(t *testing.T) {
//		pool, err := pgxcheck.New(ctx, dsn) // or pgxpool.NewWithConfig(ctx, pgxcheck.Config(cfg))
//		...
//		t.Cleanup(func() { pgxcheck.Close(t, pool) })
//		t.Cleanup(pgxcheck.Verify(t, pool))
//		...
//	}
//
// Register Verify after what closes the pool, so that it looks before. pool.Close waits for ever when a connection was not
// given back; Close of this package does not.
//
// # Ways in
//
//	New, NewWithConfig    a pool whose connections are tracked
//	Config(cfg)           a config that makes such a pool; a tracer that it has goes on to be called
//	ConnConfig(cfg)       the same for connections without a pool: pgx.ConnectConfig
//	Verify(t, pool)       looks at one pool for one test
//	Pool(pool)            an option that lets leakcheck.Verify look at a pool too
//	Close(t, pool)        closes a pool, and says what it would wait for
//	Leases(pool)          what is out now
//
// What a tracked pool has lent is seen by every leakcheck.Verify and by leakcheck.Main, with no option. A pool that is not
// tracked is counted, by Verify or Pool, from its Stat.
//
// # What is reported
//
//	LK221   a pgxpool.Pool that was opened in the test and never closed (by leakcheck.Verify and Main)
//	LK222   a pgx.Tx that was neither committed nor rolled back
//	LK223   pgx.Rows that were not closed, and not read to the end
//	LK224   a pgxpool.Conn that was not released, or a connection that is out for another reason
//	LK225   pgx.BatchResults that were not closed
//	LK226   a pgx.Row that was not scanned
//	LK227   a pool.Close that waits for ever for one of these; told while it waits
//	LK228   a pgxpool.Conn that was released with rows or a transaction open: the pool destroys the connection
//	LK229   a pgx.Conn that was opened without a pool, or hijacked from one, and never closed
//
// The end of a context gives nothing back here, unlike in database/sql: rows and transactions stay out until they are
// closed.
//
// A sql.DB over a tracked pool (stdlib.OpenDBFromPool) needs nothing more: its sql.Rows, sql.Tx and sql.Conn are leases of
// the pool, and are reported with the codes of package dbcheck (LK202 to LK206). A sql.Stmt holds no lease and is not seen.
//
// The budgets of package dbcheck (MaxHold, MaxConns, MinReuse, HighWater, NoCallWhileHeld, NoNestedLease) judge tracked pools
// too.
//
// # What does not count
//
//   - Idle connections, and the goroutines of pgxpool and puddle that look after them.
//   - Rows that were read to the end, which closes them.
//   - What AfterRelease, which runs in the background, gives back within the wait.
//   - A hijacked connection that was closed.
//
// # What is not promised
//
// AcquireAllIdle and Hijack are not traced: what AcquireAllIdle gave and nobody released is counted, without a line, and a
// hijacked connection is told from the pool's Stat, for which one of several it may be a guess; the entry says so then. Nested
// transactions (savepoints) are a part of theirs. A connection of pgx.Connect, which takes no config, and what a pool made by
// the code under test without Config lends, are seen only as what they leave behind: a socket, a goroutine.
package pgxcheck
