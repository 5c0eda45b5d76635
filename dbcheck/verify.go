package dbcheck

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/leakgate/leakgate/leakcheck"
)

// Verify looks at one pool for one test, and returns the function that fails t for each connection and statement that was
// not given back:
//
//	db := dbcheck.OpenDB(connector)
//	t.Cleanup(func() { db.Close() })
//	t.Cleanup(dbcheck.Verify(t, db))
//
// Register it after what closes the pool, so that it looks before. On a wrapped pool (Wrap, OpenDB, Open) every entry names
// the line; on any other it only counts, and says how to get the line. Options are leakcheck's, and the budgets of this
// package, which are judged for this pool.
//
// Tests may share a wrapped pool, also in parallel: each answers for what it took itself. Where the pool is not wrapped, a
// lease that may be another test's is reported by the last of them, with the tests that could have taken it.
//
// While the test runs, a timer looks whether a Conn.Close waits for rows or a transaction that is still
// open. It does so for ever: the test fails at once, and says why; what ends it is go test's own timeout.
//
// A nil pool, and one that is closed already, is an error of the test.
func Verify(t leakcheck.TB, db *sql.DB, opts ...leakcheck.Option) func() {
	if isNil(t) {
		return leakcheck.Verify(nil) // says so
	}
	t.Helper()
	probes, err := probesOf("Verify", db)
	if err != nil {
		return leakcheck.Verify(t, slices.Concat(opts, []leakcheck.Option{leakcheck.Instead(), leakcheck.Fail(err)})...)
	}
	return leakcheck.Verify(t, slices.Concat([]leakcheck.Option{leakcheck.Instead(probes...), watchdog(db), endedByTest(db)}, opts)...)
}

// DB lets another check look at a pool too:
//
//	t.Cleanup(leakcheck.Verify(t, dbcheck.DB(db)))
//
// Wrapped pools are looked at by every leakcheck.Verify without it. For those it adds that budgets are judged for all that
// is done with the pool, not only for what the test and its subtests did themselves, and the watch for a Conn.Close that waits for ever; any
// other pool is counted. A nil pool, and one that is closed already, is an error.
func DB(db *sql.DB) leakcheck.Option {
	probes, err := probesOf("DB", db)
	if err != nil {
		return leakcheck.Fail(err)
	}
	return join(leakcheck.With(probes...), watchdog(db), endedByTest(db))
}

// Pool lets a check look at any pool that can say how many of its connections are out, such as one of redis or AMQP. name
// is how messages call it. held must be quick, and may be called from several goroutines at once:
//
//	leakcheck.Verify(t, dbcheck.Pool("redis", func() int { s := rdb.PoolStats(); return int(s.TotalConns - s.IdleConns) }))
//
// Only their number is known, so that an entry has no line. A nil function is an error.
func Pool(name string, held func() int) leakcheck.Option {
	if name == "" || held == nil {
		return leakcheck.Fail(fmt.Errorf("dbcheck.Pool(%q): needs a name and a function that says how many connections are out", name))
	}
	return leakcheck.With(&count{
		what:  "a connection of " + name,
		tally: held,
		state: "more of its connections are out than when the test began",
		hint:  "give it back on every path",
	})
}

// probesOf gives what is asked about a pool.
func probesOf(caller string, db *sql.DB) ([]leakcheck.Probe, error) {
	if db == nil {
		return nil, fmt.Errorf("dbcheck.%s: the sql.DB is nil: pass the pool that the code under test uses, as in dbcheck.%s(%sdb)", caller, caller, map[string]string{"Verify": "t, "}[caller])
	}
	if c, ok := connectorOf(db); ok && *c == nil {
		return nil, fmt.Errorf("dbcheck.%s: the sql.DB was never opened: make it with dbcheck.Open or dbcheck.OpenDB", caller)
	}
	if isClosed(db) {
		return nil, fmt.Errorf("dbcheck.%s: the sql.DB is closed already: call it after the pool was opened, at the beginning of the test", caller)
	}
	if p := trackedPool(db); p != nil {
		return p.probes(), nil
	}
	return []leakcheck.Probe{&count{
		what:   "a connection of the sql.DB",
		tally:  func() int { return db.Stats().InUse },
		leases: true,
		plain:  true,
		db:     uintptr(unsafe.Pointer(db)),
		state:  "more of its connections are in use than when the test began",
		hint:   "open the pool with dbcheck.Open or dbcheck.OpenDB to get the line: db := dbcheck.OpenDB(connector)",
	}}, nil
}

// trackedPool gives the pool that a wrapped sql.DB is of; nil of any other.
func trackedPool(db *sql.DB) *pool {
	if db == nil {
		return nil
	}
	p := poolMadeFor(db)
	if p == nil {
		c, ok := connectorOf(db)
		if !ok || *c == nil {
			return nil
		}
		if p = poolOf(*c); p == nil {
			return nil
		}
	}
	if old := p.handle(); old == nil || old != db && isClosed(old) { // one connector for a pool, and for the next
		p.setDB(db)
	}
	return p
}

// isClosed asks for a connection with a context that has ended: database/sql looks at both before it does anything.
func isClosed(db *sql.DB) bool {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := db.PingContext(ctx)
	return err != nil && !errors.Is(err, context.Canceled)
}

// join makes one option of several.
func join(opts ...leakcheck.Option) leakcheck.Option { return leakcheck.Join(opts...) }
