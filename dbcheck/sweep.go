package dbcheck

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"testing"

	"github.com/leakgate/leakgate/leakcheck"
)

// SweepOption changes what Sweep does.
type SweepOption func(*sweeper)

// SweepPanics lets Rows.Next panic too, in one run for each. The panic goes through the code under test, as one of its own would in the body
// of the loop, and is recovered by Sweep.
func SweepPanics() SweepOption { return func(s *sweeper) { s.panics = true } }

// maxCalls bounds how many calls of the driver Sweep lets fail.
const maxCalls = 1000

// Sweep finds leaks on error paths that no test takes. It runs run once to count the calls of the driver, and then again and
// again, letting the first call fail, then the second, and so on, in each of the ways in which a driver does:
//
//	error        any other error, such as a broken constraint
//	ErrBadConn   the connection is gone; database/sql tries most calls again on another one
//	cancelled    the context ended at that moment
//	scan error   Rows.Next gives a row that cannot be scanned
//
// The calls are Connect, Ping, Prepare, Exec, Query, Begin, Commit, Rollback, those of statements, and each Next of rows. Every run is
// a subtest of its own, named after the call and the failure ("call 3 Commit, error"), under Verify, with a pool of its own that is closed after it.
//
// open gives a connector for each run; what one run leaves in the database is what the next one finds, unless open makes a
// new one. run does what is to be tested, and must not fail t for an error that it gets: with a failure injected there
// has to be one. It may fail t for what must hold also then. It must call the driver in the same order each
// time. A run that does not meet the failure it was started for ends the sweep of that call.
//
//	dbcheck.Sweep(t, connector, func(t *testing.T, db *sql.DB) { _ = store.New(db).Transfer(ctx, 1, 2) })
func Sweep(t *testing.T, open func() driver.Connector, run func(t *testing.T, db *sql.DB), opts ...SweepOption) {
	t.Helper()
	if open == nil || run == nil {
		t.Errorf("dbcheck.Sweep: needs a function that gives the connector, and one to run")
		return
	}
	s := &sweeper{open: open, run: run}
	for _, o := range opts {
		if o != nil {
			o(s)
		}
	}
	s.sweep(func(name string, do func(*testing.T, leakcheck.TB)) {
		t.Run(name, func(t *testing.T) { do(t, t) })
	}, t)
}

type sweeper struct {
	open   func() driver.Connector
	run    func(*testing.T, *sql.DB)
	panics bool
}

// sweep does all runs, each by subtest.
func (s *sweeper) sweep(subtest func(name string, do func(*testing.T, leakcheck.TB)), t leakcheck.TB) {
	t.Helper()
	var calls []driverCall
	subtest("no failure", func(t *testing.T, tb leakcheck.TB) { calls = s.once(t, tb, &faults{}) })
	if len(calls) == 0 {
		t.Errorf("dbcheck.Sweep: the run made no call of the driver: nothing was swept. Let it use the db that it is given")
		return
	}
	for n := 1; n <= len(calls) && n <= maxCalls; n++ {
		for _, w := range waysOf(calls[n-1].op, s.panics) {
			subtest(fmt.Sprintf("call %d %s, %s", n, calls[n-1], w), func(t *testing.T, tb leakcheck.TB) {
				if got := s.once(t, tb, &faults{at: n, way: w}); len(got) < n {
					tb.Logf("dbcheck.Sweep: the run made only %d calls of the driver this time, so that call %d did not fail", len(got), n)
				}
			})
		}
	}
	if len(calls) > maxCalls {
		t.Logf("dbcheck.Sweep: the run made %d calls of the driver; the first %d were swept", len(calls), maxCalls)
	}
}

// once does one run under Verify.
func (s *sweeper) once(t *testing.T, tb leakcheck.TB, f *faults) (calls []driverCall) {
	t.Helper()
	c := wrap(s.open(), 0)
	p := poolOf(c)
	p.faults = f
	db := sql.OpenDB(c)
	p.setDB(db)
	defer db.Close()
	check := Verify(tb, db)
	defer check()
	if f.way == wayPanic {
		defer func() {
			if r := recover(); r != nil && r != error(errInjected) {
				panic(r)
			}
		}()
	}
	defer func() { calls = f.seen() }()
	s.run(t, db)
	return nil
}
