package dbcheck

import (
	"context"
	"database/sql/driver"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/leakgate/leakgate/leakcheck"
)

// SweepContext gives the context to use in a run of Sweep, so that the sweep can cancel it at the moment when a call of the driver is
// made with it, or with one that is derived from it. It has the values of t.Context, and ends when the run was checked: t.Context
// ends before that, and what it was given to is closed by then, whether the code under test does so or not. t may be
// that of a subtest of the run. In a test that FailCall was called in, it is the same; in any other it is t.Context
// itself, or context.Background when t has none.
func SweepContext(t leakcheck.TB) context.Context {
	if isNil(t) {
		return context.Background()
	}
	if f := faultsOf(t.Name()); f != nil {
		return f.ctx
	}
	if c, ok := t.(interface{ Context() context.Context }); ok {
		return c.Context()
	}
	return context.Background()
}

// SweepResult tells Sweep what the code under test returned in a run, as its last act:
//
//	dbcheck.SweepResult(t, store.Transfer(dbcheck.SweepContext(t), 1, 2))
//
// A nil error in a run in which a call failed, and was not made again, fails the run: the error was swallowed. An error of Rollback, and of the Close of rows
// and statements, may be; whether a row that cannot be scanned was scanned at all is not seen. Called more than once in a run, the first error counts. In a test that FailCall was called
// in, it is the same; in any other it does nothing.
func SweepResult(t leakcheck.TB, err error) {
	if isNil(t) {
		return
	}
	f := faultsOf(t.Name())
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = true
	if f.returned == nil {
		f.returned = err
	}
}

// FailCall gives a tracked connector of c that lets one call of the driver fail as in one run of Sweep, for a test of its
// own. scenario is the name of that run. Where connector is the func() driver.Connector that Sweep was given, and db is a *sql.DB:
//
//	db := dbcheck.OpenDB(dbcheck.FailCall(t, connector(), "call 3 Commit, error"))
//	t.Cleanup(func() { db.Close() })
//	t.Cleanup(dbcheck.Verify(t, db))
//
// The number counts the calls of this connector; where that call is another one by now, the next of that name fails. When t
// ends and none was made, t fails, and so it does when SweepResult was told that all went well, and the error was
// swallowed. A scenario that is none fails t at once.
func FailCall(t leakcheck.TB, c driver.Connector, scenario string) driver.Connector {
	if isNil(t) {
		leakcheck.Verify(nil) // says so
		return Wrap(c)
	}
	t.Helper()
	n, call, w, err := parseScenario(scenario)
	if err != nil {
		t.Errorf("dbcheck.FailCall: %v", err)
		return Wrap(c)
	}
	if u, ok := c.(interface{ Unwrap() driver.Connector }); ok && poolOf(c) != nil {
		c = u.Unwrap()
	}
	parent := context.Background()
	if p, ok := t.(interface{ Context() context.Context }); ok {
		parent = p.Context()
	}
	f := newFaults(parent)
	f.at, f.like, f.way = n, driverCall{op: call}, w
	forget := remember(t.Name(), f)
	out := wrap(c, 1)
	poolOf(out).faults = f
	if cl, ok := t.(interface{ Cleanup(func()) }); ok {
		cl.Cleanup(func() {
			t.Helper()
			forget()
			f.cancel()
			_, met := f.failed()
			switch {
			case t.Failed():
			case !met:
				t.Errorf("dbcheck.FailCall: %q: the test made %s of the driver, and none from %d on was %s, so that nothing failed; see with Sweep how the call is named now",
					scenario, many(f.progress(), "call"), n, call)
			case f.swallowed():
				t.Errorf("dbcheck.FailCall: %q: the error is lost: SweepResult was told that all went well", scenario)
			}
		})
	}
	return out
}

var scenarioName = regexp.MustCompile(`^call (\d+) ([A-Za-z.]+), (.+)$`)

// sweptCalls are the names that a call may have.
var sweptCalls = []string{
	"Connect", "Ping", "Prepare", "PrepareContext", "ExecContext", "QueryContext", "Begin", "BeginTx", "Commit", "Rollback", "stmt.Exec",
	"stmt.Query", "stmt.ExecContext", "stmt.QueryContext", "Next", "NextResultSet", "Rows.Close", "Stmt.Close",
}

// parseScenario reads the name of a run.
func parseScenario(s string) (n int, call string, w way, err error) {
	m := scenarioName.FindStringSubmatch(s)
	if m == nil {
		return 0, "", "", fmt.Errorf("%q is no scenario: write it as Sweep names it, as in \"call 3 Commit, error\"", s)
	}
	if n, err = strconv.Atoi(m[1]); err != nil || n < 1 {
		return 0, "", "", fmt.Errorf("%q: calls are numbered from 1, as in \"call 3 Commit, error\"", s)
	}
	if call = m[2]; !slices.Contains(sweptCalls, call) {
		return 0, "", "", fmt.Errorf("%q: no call is named %s: there are %v", s, call, sweptCalls)
	}
	if w = way(m[3]); !slices.Contains(allWays, w) {
		return 0, "", "", fmt.Errorf("%q: no call fails in the way %q: there are %q", s, m[3], allWays)
	}
	all := (driverCall{op: call, cancel: cancelError}).ways(true)
	if !slices.Contains(all, w) {
		return 0, "", "", fmt.Errorf("%q: %s cannot fail in the way %q: there are %q", s, call, w, all)
	}
	return n, call, w, nil
}
