// Package dbcheck tracks database connections from the moment a sql.DB lends one to the moment it has it back, and fails
// tests that do not give one back or that use the pool badly.
//
//	func TestStore(t *testing.T) {
//		db := dbcheck.OpenDB(connector) // or dbcheck.Open("pgx", dsn)
//		t.Cleanup(func() { db.Close() })
//		t.Cleanup(dbcheck.Verify(t, db))
//		...
//	}
//
// Register Verify after what closes the pool, so that it looks before. Code that opens its own pool takes the function as a
// parameter: it has sql.Open in the program, and Open, which has the same type, in a test.
//
// # Ways in
//
//	OpenDB(c), Open(driver, dsn)   a *sql.DB whose connections are tracked
//	Wrap(c)                        a tracked driver.Connector, for sql.OpenDB
//	Verify(t, db)                  looks at one pool for one test
//	DB(db), Pool(name, held)       options that let leakcheck.Verify look at a pool too
//
// Package dbcheck/pgxcheck, a module of its own, does the same for pgxpool, and dbcheck/dbtest gives a test a real Postgres or
// MariaDB.
//
// What is tracked is seen by every leakcheck.Verify, with no further option. A pool that is not tracked is counted, by Verify
// or DB: how many connections more are in use than before, without a line.
//
// # What is reported
//
//	LK201   a sql.DB that was opened in the test and never closed (by leakcheck.Verify and Main)
//	LK202   a sql.Tx that was neither committed nor rolled back
//	LK203   sql.Rows that were not closed, and not read to the end
//	LK204   a sql.Conn that was not closed, or a connection that is out for another reason, such as a panic in the driver
//	LK205   a sql.Stmt that was not closed; it holds no lease, but is open on the server
//	LK206   a sql.Row that was not scanned
//	LK207   a Conn.Close that waits for ever, for rows or a transaction; told while it waits
//	LK208   sessions of an application that are still open on the server (by VerifySessions)
//
// A report looks like this:
//
//	leakcheck: 1 leak: sql.Rows from db.Query at store.go:41 was never closed
//
//	  LK203 sql-rows
//	    taken at    store.go:41  shop.(*Store).Names
//	                    rows, err := s.db.Query("SELECT id FROM users WHERE name = 'secret' AND id > 41")
//	    via         store_test.go:17  shop.TestNames
//	    state       SELECT id FROM users WHERE name = '…' AND id > ?
//	                held for 101ms; last thing done with it: QueryContext, 101ms ago
//	    also holds  socket tcp4 127.0.0.1:40312->127.0.0.1:5432 ESTABLISHED (fd 9)
//	    fix         defer rows.Close()
//	    see         https://github.com/leakgate/leakgate/blob/main/docs/codes.md#lk203
//
// Literals of a statement are hidden there, because they may be secrets (in the source line they stand as you wrote them).
// What the end of a transaction or connection would have closed is a part of that one's entry. So are the socket, when
// the driver's connection has a field declared as a net.Conn, and the goroutines of database/sql and of the driver.
//
// # What does not count
//
//   - Idle connections, and the driver's goroutine for each of them.
//   - Rows that were read to the end, which closes them, and what the end of a context closes within the wait. t.Context()
//     ends before the check: what it closes is told in a line of the log, because a leak of rows or of a transaction does not
//     show with it. Use context.Background() in tests, and SweepContext in a sweep.
//   - Rows and statements of a transaction that was ended.
//   - A statement that database/sql prepares again on another connection: it is still one.
//
// # Budgets
//
// MaxHold, MaxConns, MinReuse, HighWater, NoCallWhileHeld and NoNestedLease are options. Given to Verify they judge its
// pool, whoever uses it; given to leakcheck.Verify they judge what the test itself, its subtests and the checks
// that begin inside it did with wrapped pools. They need a
// wrapped pool, or one that pgxcheck tracks: with a check that was given another they are an error, and a pool that no check was
// given is not judged. Budgets of a test that failed by itself are not judged either. MaxHold names the lines on both
// sides of the longest time without a call. NoCallWhileHeld tracks http.DefaultTransport by itself (plain http).
//
// # Error paths
//
// Sweep lets the calls of the driver fail, one after the other and in every way, under Verify: most leaks sit on error paths
// that no test takes.
//
//	func TestTransfer(t *testing.T) {
//		dbcheck.Sweep(t, connector, func(t *testing.T, db *sql.DB) {
//			err := store.New(db).Transfer(dbcheck.SweepContext(t), 1, 2)
//			dbcheck.SweepResult(t, err)
//		})
//	}
//
// SweepContext is what lets it cancel the caller's context at the moment of a call, and SweepResult what lets it tell an error
// that was lost. FailCall repeats one run as a test of its own; the summary of a sweep has that test, ready to paste.
//
// # The server's side
//
// VerifySessions asks PostgreSQL, MySQL or MariaDB which sessions an application has before and after a test, Sessions
// lists them, Headroom says how many more the server takes, and Exhausted recognises its refusal by code. Capacity says whether
// all instances of a service together can exhaust the server, from the pool's limit and the server's own.
//
// # What stays the same
//
// Connector, Conn and Stmt have each optional interface exactly when the driver's have it, apart from SessionResetter and
// Validator, from which leases are told: every tracked connection has both. Where the driver has not, a transaction that only its context ended
// still costs its connection, as it does without the wrapper. Rows are the driver's own, and so is what Driver returns. Errors and panics pass as they are.
//
// One thing cannot stay the same: sql.Conn.Raw hands out the tracked connection, so that an assertion to the driver's type fails
// ("interface conversion: interface {} is struct { *dbcheck.conn; … }, not *stdlib.Conn"). It has a Raw method that gives
// the driver's own:
//
//	conn.Raw(func(c any) error {
//		for t, ok := c.(interface{ Raw() driver.Conn }); ok; t, ok = c.(interface{ Raw() driver.Conn }) {
//			c = t.Raw() // more than once where another wrapper is below
//		}
//		own := c.(*stdlib.Conn)
//		...
//	})
//
// A driver's own function that takes a *sql.Conn and looks for its connection within Raw does not find it: of the drivers
// that are tested here that is one, modernc.org/sqlite's Limit ("unexpected driverConn type"). Call it on a pool that is not wrapped.
//
// The drivers' and database/sql's own tests run through the wrapper: dbcheck/drivertests/upstream has the counts.
//
// A lease costs about half a microsecond and an allocation. On amd64 (not Windows) a stack that was seen before is recognised by its chain
// of frame pointers; elsewhere each lease captures it anew, which is one to two microseconds more.
//
// # What is not promised
//
// What is done on the driver's own connection, and with rows, is not seen. A connection that database/sql opened in the
// background, for somebody who waited, has no line until the first call is made on it; without a call it is
// counted where the sql.DB is known (Verify, DB). A Conn.Close that waits for ever cannot be woken: the test is told
// why, on standard error too, and go test's own timeout ends it. The socket of a driver that does not show its net.Conn is
// logged, not folded.
//
// The server's process is named with pgx and lib/pq; go-sql-driver/mysql reads the thread's number and forgets it (the local
// port of the socket in the report is in the HOST column of the process list). Another wrapper is looked through when it has a Raw
// method, or keeps the connection or connector in a field declared as one. A sql.Stmt whose first connection was closed is known
// by its text: where another statement of the same text may be meant, none is reported, and none is when that connection was
// closed as bad (driver.ErrBadConn).
package dbcheck
