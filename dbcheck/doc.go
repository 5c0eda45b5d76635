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
// Register Verify after what closes the pool, so that it looks before.
//
// # Ways in
//
//	OpenDB(c), Open(driver, dsn)   a *sql.DB whose connections are tracked
//	Wrap(c)                        a tracked driver.Connector, for sql.OpenDB
//	Verify(t, db)                  looks at one pool for one test
//	DB(db), Pool(name, held)       options that let leakcheck.Verify look at a pool too
//
// What is tracked is seen by every leakcheck.Verify, with no further option. A pool that is not tracked is counted, by Verify
// or DB: how many connections more are in use than before, without a line.
//
// # What is reported
//
//	LK201   a sql.DB that was opened in the test and never closed (by leakcheck.Verify and Main)
//	LK202   a sql.Tx that was neither committed nor rolled back
//	LK203   sql.Rows that were not closed, and not read to the end
//	LK204   a sql.Conn that was not closed, or a connection that is out for another reason
//	LK205   a sql.Stmt that was not closed; it holds no lease, but is open on the server
//	LK206   a sql.Row that was not scanned
//	LK207   a Conn.Close that waits for ever, for rows or a transaction; told while it waits
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
//   - Rows that were read to the end, which closes them, and what the end of a context closes within the wait.
//   - Rows and statements of a transaction that was ended.
//   - A statement that database/sql prepares again on another connection: it is still one.
//
// # Budgets
//
// MaxHold, MaxConns, MinReuse, HighWater, NoCallWhileHeld and NoNestedLease are options. Given to Verify they judge its
// pool, whoever uses it; given to leakcheck.Verify they judge what the test itself did with wrapped pools. They need a
// wrapped pool, and budgets of a test that failed by itself are not judged.
//
// # Error paths
//
// Sweep lets the calls of the driver fail, one after the other and in every way, under Verify: most leaks sit on error paths
// that no test takes.
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
//		if t, ok := c.(interface{ Raw() driver.Conn }); ok {
//			c = t.Raw()
//		}
//		own := c.(*stdlib.Conn)
//		...
//	})
//
// # What is not promised
//
// What is done on the driver's own connection, and with rows, is not seen. A connection that database/sql opened in the
// background, for somebody who waited, has no line until the first call is made on it; without a call it is
// counted where the sql.DB is known (Verify, DB). A Conn.Close that waits for ever cannot be woken: the test is told
// why, on standard error too, and go test's own timeout ends it. The socket of a driver that does not show its net.Conn is
// logged, not folded.
package dbcheck
