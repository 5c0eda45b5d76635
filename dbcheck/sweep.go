package dbcheck

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/leakcheck"
)

// Sweep finds leaks on error paths that no test takes. It runs run once to learn the calls of the driver, and then again and
// again, letting the first call fail, then the second, and so on, in each of the ways in which a driver does:
//
//	error           this call alone fails: a broken constraint, a lock that was not got
//	error for good  this call fails, and all that come after it but Rollback and Close: a disk that is full
//	ErrBadConn      the connection is gone; database/sql tries most calls again on another one
//	server gone     all connections are gone, and no other can be opened
//	cancelled       the context of the call ends at that moment
//	scan error      Rows.Next gives a row that cannot be scanned
//	panic           the code under test panics there (SweepPanics)
//
// The calls are Connect, Ping, Prepare, Exec, Query, Begin, Commit, Rollback, those of statements, each Next and
// NextResultSet of rows, and the Close of rows and statements. Every run is a subtest of its own, named after the call and the failure
// ("call 3 Commit, error"), under Verify, with a pool of its own that is closed after it.
//
//	func TestTransfer(t *testing.T) {
//		dbcheck.Sweep(t, connector, func(t *testing.T, db *sql.DB) {
//			err := store.New(db).Transfer(dbcheck.SweepContext(t), 1, 2)
//			dbcheck.SweepResult(t, err)
//		})
//	}
//
// A subtest fails when
//
//	leak             something is held when run has returned and its t.Cleanup functions have run
//	swallowed error  a call failed, was not made again, and SweepResult was told that all went well
//	hang             run has not returned after the deadline, 5 s: its line, and what it holds
//	retry storm      it calls the driver a thousand times more than without a failure
//	panic            it panics
//	failed           it fails its t by itself; what it holds then is told, but is no finding
//
// open gives a connector for each run; what one run leaves in the database is what the next one finds, unless open makes a
// new one. A connection that a run has leaked is closed after it. run does what is to be tested, and must not fail t for
// an error that it gets: with a failure injected there has to be one. It may fail t for what must hold also then, must not
// call t.Parallel, and has to make its first calls in the same order each time; from several goroutines it may call in any
// order, as long as their statements differ. Without a call of SweepResult it cannot be known what became of an
// error, and nothing is said about it. Without SweepContext a context cannot be cancelled from here: a call whose context
// could end fails with context.Canceled then, and one whose context cannot end is not cancelled at all.
//
// A failure leaves the server in a state that it may really be in: nothing that fails was sent, except that a Commit
// that fails was rolled back, a Rollback and a Close that fail were made, and with a connection all that was open on it is gone.
// Rows are wrapped in these runs, and have all that the driver's have.
//
// A root cause is printed whole once, by the first run that has it. The end of the log is a summary: the root causes, the
// test that is missing for each, and a table of the calls. One run is repeated with go test -run 'TestTransfer/call_3_Commit,_error$',
// or by a test of its own with FailCall. What leaks without any failure is reported first, and does not fail the others.
func Sweep(t *testing.T, open func() driver.Connector, run func(t *testing.T, db *sql.DB), opts ...SweepOption) {
	t.Helper()
	newSweeper(t, open, run, opts).sweep()
}

// teller is what a sweep tells a test. A test of Sweep itself has others.
type teller interface {
	Helper()
	Errorf(format string, args ...any)
	Logf(format string, args ...any)
}

type sweeper struct {
	t      *testing.T
	open   func() driver.Connector
	run    func(*testing.T, *sql.DB)
	cfg    sweepConfig
	teller func(*testing.T) teller

	calls   []driverCall // of the run without a failure
	rest    int          // calls that were left out, because they are like others
	clean   *sweepRun
	runs    []*sweepRun
	told    map[string]*sweepRun // who printed a root cause whole
	hangs   int
	stopped string // why the rest is not run
	planned int
}

func newSweeper(t *testing.T, open func() driver.Connector, run func(*testing.T, *sql.DB), opts []SweepOption) *sweeper {
	s := &sweeper{
		t: t, open: open, run: run, told: make(map[string]*sweepRun),
		cfg:    sweepConfig{deadline: defaultSweepDeadline, ends: defaultSweepEnds},
		teller: func(t *testing.T) teller { return t },
	}
	for _, o := range opts {
		if o != nil {
			o(&s.cfg)
		}
	}
	return s
}

// sweepScenario is one run to be made.
type sweepScenario struct {
	n    int // the call that fails; 0 for none
	call driverCall
	nth  int // which of its like it is
	way  way
}

const cleanName = "no failure"

// name is that of the subtest.
func (sc *sweepScenario) name() string {
	if sc.n == 0 {
		return cleanName
	}
	return fmt.Sprintf("call %d %s, %s", sc.n, sc.call.op, sc.way)
}

// what says what happens in it.
func (sc *sweepScenario) what() string {
	if sc.n == 0 {
		return "no call fails"
	}
	return fmt.Sprintf("call %d, %s, %s", sc.n, sc.call, sc.way.words())
}

func (s *sweeper) sweep() {
	s.t.Helper()
	tell := s.teller(s.t)
	if s.open == nil || s.run == nil {
		tell.Errorf("dbcheck.Sweep: needs a function that gives the connector, and one to run: dbcheck.Sweep(t, connector, func(t *testing.T, db *sql.DB) { … })")
		return
	}
	for _, err := range s.cfg.errs {
		tell.Errorf("dbcheck.%v", err)
	}
	if len(s.cfg.errs) > 0 {
		return
	}
	start := time.Now()
	if !s.learn() {
		return
	}
	chosen, err := s.choose(s.plan())
	if err != nil {
		tell.Errorf("dbcheck.%v", err)
		return
	}
	s.planned = len(chosen)
	for _, sc := range chosen {
		if !s.goesOn() {
			break
		}
		var r *sweepRun
		s.t.Run(sc.name(), func(t *testing.T) {
			t.Helper()
			r = s.newRun(t, sc)
			r.one()
		})
		if r == nil {
			continue // go test -run names others
		}
		s.runs = append(s.runs, r)
		if !r.over.Load() {
			tell.Errorf("dbcheck.Sweep: the run calls t.Parallel, so that it would run when the sweep is over; take that out")
			return
		}
	}
	s.judge(time.Since(start))
}

// learn makes the run without a failure, and says whether there is something to sweep.
func (s *sweeper) learn() bool {
	s.t.Helper()
	tell := s.teller(s.t)
	sc := &sweepScenario{}
	s.t.Run(sc.name(), func(t *testing.T) {
		t.Helper()
		s.clean = s.newRun(t, sc)
		s.clean.one()
	})
	if s.clean == nil { // go test -run names others; the calls must be known all the same
		s.clean = s.newRun(s.t, sc)
		s.clean.learn()
	}
	f := s.clean.faults
	f.mu.Lock()
	s.calls = slices.Clone(f.calls)
	refused, returned := f.refused, f.returned
	f.mu.Unlock()
	why := ""
	switch {
	case !s.clean.over.Load():
		why = "it calls t.Parallel, so that it would run when the sweep is over: take that out"
	case refused != nil:
		why = "the connector that open gives cannot connect: " + hidePasswords(refused.Error())
	case returned != nil:
		why = "it returned an error (SweepResult): " + hidePasswords(returned.Error())
	case s.clean.outcome == outFailed || s.clean.outcome == outHang || s.clean.outcome == outPanic || s.clean.outcome == outStorm:
		why = "see there: " + string(s.clean.outcome)
	case s.clean.outcome == outSkipped:
		tell.Logf("dbcheck.Sweep: the run without a failure was skipped, so that nothing was swept")
		return false
	case len(s.calls) == 0:
		tell.Errorf("dbcheck.Sweep: the run made no call of the driver: nothing was swept. Let it use the db that it is given")
		return false
	}
	if why != "" {
		tell.Errorf("dbcheck.Sweep: the run fails without any failure of the driver, so that nothing was swept: %s", why)
		return false
	}
	return true
}

// plan lists the scenarios, call by call.
func (s *sweeper) plan() (out []*sweepScenario) {
	like := func(c driverCall) string { return c.op + "\x00" + c.query }
	place := func(c driverCall) string { return like(c) + "\x00" + c.site().String() }
	of := make(map[string]int)
	for _, c := range s.calls {
		of[place(c)]++
	}
	seen, before := make(map[string]int), make(map[string]int)
	for i, c := range s.calls {
		seen[like(c)]++
		at := place(c)
		before[at]++
		if k := before[at]; k > s.cfg.ends && k <= of[at]-s.cfg.ends {
			s.rest++
			continue
		}
		for _, w := range c.ways(s.cfg.panics) {
			out = append(out, &sweepScenario{n: i + 1, call: c, nth: seen[like(c)], way: w})
		}
	}
	return out
}

// choose takes those that the options name.
func (s *sweeper) choose(all []*sweepScenario) ([]*sweepScenario, error) {
	used := make(map[string]bool)
	matches := func(patterns []string, name string) (any bool) {
		for _, p := range patterns {
			if ok, _ := path.Match(p, name); ok {
				used[p], any = true, true
			}
		}
		return any
	}
	var out []*sweepScenario
	for _, sc := range all {
		left := matches(s.cfg.without, sc.name())
		if (len(s.cfg.only) == 0 || matches(s.cfg.only, sc.name())) && !left {
			out = append(out, sc)
		}
	}
	for _, p := range slices.Concat(s.cfg.only, s.cfg.without) {
		if !used[p] {
			var names []string
			for _, sc := range all {
				names = append(names, sc.name())
			}
			const most = 8
			if len(names) > most {
				names = append(names[:most], "…")
			}
			return nil, fmt.Errorf("Sweep: no scenario matches %q; there are: %s", p, strings.Join(names, "; "))
		}
	}
	return out, nil
}

// maxHangs is how many runs may wait for their deadline in vain before the rest is not run.
const maxHangs = 5

// goesOn says whether the next scenario is to be run.
func (s *sweeper) goesOn() bool {
	switch end, ok := s.t.Deadline(); {
	case s.hangs >= maxHangs:
		s.stopped = many(s.hangs, "run") + " did not return in time"
	case len(s.runs) >= maxScenarios:
		s.stopped = fmt.Sprintf("%d are enough; choose others with SweepOnly", maxScenarios)
	case ok && time.Until(end) < 2*s.cfg.deadline+time.Second:
		s.stopped = "the test's own deadline is near (go test -timeout)"
	default:
		return true
	}
	return false
}

// connector gives a tracked connector for one run.
func (s *sweeper) connector(f *faults) driver.Connector {
	c := s.open()
	if u, ok := c.(interface{ Unwrap() driver.Connector }); ok && poolOf(c) != nil {
		c = u.Unwrap() // each run has a pool of its own
	}
	c = wrap(c, 1)
	poolOf(c).faults = f
	return c
}

// runSite is where the function run stands.
func (s *sweeper) runSite() callsite.Frame {
	pc := funcPC(s.run)
	if f := runtime.FuncForPC(pc); f != nil {
		file, line := f.FileLine(pc)
		return callsite.Frame{Func: f.Name(), File: file, Line: line}
	}
	return callsite.Frame{}
}

var _ leakcheck.TB = (*sweepT)(nil)
