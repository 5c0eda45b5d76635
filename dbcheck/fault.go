package dbcheck

import (
	"context"
	"database/sql/driver"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/sqltext"
)

// way is how a call of the driver fails. It is a part of the names of a sweep's subtests.
type way string

const (
	wayError   way = "error"          // this call alone
	wayForGood way = "error for good" // this call and those that come after it
	wayBad     way = "ErrBadConn"     // the connection is gone
	wayGone    way = "server gone"    // all connections are, and there is no other
	wayCancel  way = "cancelled"      // its context ends
	wayScan    way = "scan error"     // the row comes, and cannot be scanned
	wayPanic   way = "panic"          // in the code under test
)

// allWays lists the ways in the order of the table.
var allWays = []way{wayError, wayForGood, wayBad, wayGone, wayCancel, wayScan, wayPanic}

// words says what happens to the call.
func (w way) words() string {
	switch w {
	case wayForGood:
		return "and all that come after it but Rollback and Close fail with an error"
	case wayBad:
		return "fails with driver.ErrBadConn: its connection is gone"
	case wayGone:
		return "meets a server that is gone: each connection is, and no other can be opened"
	case wayCancel:
		return "fails because its context was cancelled"
	case wayScan:
		return "gives a row that cannot be scanned"
	case wayPanic:
		return "panics, as the code under test could there"
	}
	return "fails with an error"
}

// Errors that an injected failure is.
var (
	errInjected = errors.New("dbcheck.Sweep: injected failure of this driver call")
	errNoServer = errors.New("dbcheck.Sweep: injected failure: the server is gone: connection refused")
	errOver     = errors.New("dbcheck.Sweep: this run is over")
)

// How the context of a call can be cancelled.
const (
	cancelNone  = iota // it has none that can end
	cancelError        // it is not SweepContext's: the call can only say so
	cancelReal         // it is SweepContext's, or derived from it
)

// driverCall is one call of the driver.
type driverCall struct {
	op, query string
	cancel    int
	goid      uint64
	pcs       []uintptr
	end       bool // a Next that met the end of the rows
}

func (c driverCall) String() string {
	if q := sqltext.Statement(c.query); q != "" {
		return c.op + " " + q
	}
	return c.op
}

// site is the line of the program that made the call.
func (c driverCall) site() callsite.Frame { return callsite.Pick(c.stack()) }

func (c driverCall) stack() []callsite.Frame { return callers(c.pcs) }

// reports says whether an error of the call is one that its caller has to hand on. That a Rollback or a Close fails is
// customarily left aside.
func (c driverCall) reports() bool {
	switch c.op {
	case "Rollback", "Rows.Close", "Stmt.Close":
		return false
	}
	return true
}

// ways lists how the call can fail: what its caller may meet with a real driver.
func (c driverCall) ways(panics bool) []way {
	var out []way
	switch c.op {
	case "Connect":
		out = []way{wayError, wayGone}
	case "Rollback":
		out = []way{wayError, wayGone}
	case "Rows.Close", "Stmt.Close":
		return []way{wayError}
	case "Commit", "NextResultSet":
		out = []way{wayError, wayBad, wayGone}
	case "Next":
		out = []way{wayError, wayBad, wayGone}
		if !c.end {
			out = append(out, wayScan)
		}
	default:
		out = []way{wayError, wayForGood, wayBad, wayGone}
	}
	if c.cancel != cancelNone && c.op != "Rollback" {
		out = append(out, wayCancel)
	}
	if panics && (c.op == "Next" || c.op == "ExecContext") {
		// database/sql itself loses connections when a driver panics in its other calls.
		out = append(out, wayPanic)
	}
	return out
}

// faults follows the calls of the driver in one run, and lets one of them fail. Its methods may be called on nil: then
// there is no such run, and they do nothing.
type faults struct {
	at    int        // the call that fails, from 1; 0 for none
	like  driverCall // what that call is, where that is known
	nth   int        // which of its like it is, from 1; 0 when at alone decides
	way   way
	limit int // calls after which the run is ended; 0 for no limit

	ctx    context.Context // what SweepContext gives
	cancel context.CancelFunc

	mu       sync.Mutex
	calls    []driverCall // the first keptCalls
	made     int
	seen     int          // calls that are like the one that fails
	met      *driverCall  // the call that failed
	healed   bool         // its like was called again later
	down     bool         // the server is gone
	over     bool         // the run is: no call is made any more
	storm    bool         // by its own calls, of which there were too many
	runs     uint64       // the goroutine that runs the code under test
	conns    []*sweptConn // open
	refused  error        // what the driver's Connect said
	told     bool         // by SweepResult
	returned error
}

// keptCalls bounds how many calls of one run are remembered.
const keptCalls = 100_000

// newFaults makes one whose context has the values of parent. It does not end with it: testing ends t.Context before the
// t.Cleanup functions run, and the end of a context closes what it was given to, before it is looked at.
func newFaults(parent context.Context) *faults {
	f := &faults{}
	ctx, cancel := context.WithCancel(context.WithValue(context.WithoutCancel(parent), faultsKey{}, f))
	f.ctx, f.cancel = &sweepContext{Context: ctx, faults: f}, cancel
	return f
}

// sweepContext is what SweepContext gives. Code that tries again and again though its context has ended is stopped by
// database/sql before it reaches the driver, so that its tries are counted here.
type sweepContext struct {
	context.Context
	faults *faults
}

// Err counts how often it is asked for by the code under test when it has ended.
func (c *sweepContext) Err() error {
	err := c.Context.Err()
	if err != nil {
		c.faults.refuse()
	}
	return err
}

// refuse counts a call that database/sql does not make, because its context has ended.
func (f *faults) refuse() {
	f.mu.Lock()
	f.made++
	if f.limit > 0 && f.made > f.limit && !f.over {
		f.over, f.storm = true, true
	}
	over := f.over
	f.mu.Unlock()
	if over {
		f.leave()
	}
}

// leave ends the goroutine that runs the code under test: it tries again and again, and nothing else ends it. What it
// deferred is run. On any other goroutine it does nothing.
func (f *faults) leave() {
	id := goroutine.CurrentID(nil)
	f.mu.Lock()
	mine := f.runs == id
	f.mu.Unlock()
	if mine {
		runtime.Goexit()
	}
}

// faultsKey finds the faults that a context belongs to.
type faultsKey struct{}

// call counts a call of the driver and says how it fails; nil when it does not. conn is nil for Connect.
func (f *faults) call(ctx context.Context, conn *sweptConn, op, query string) error {
	w := f.judge(ctx, op, query)
	switch w {
	case "":
	case wayPanic:
		panic(errInjected)
	case wayBad:
		conn.lose()
		return driver.ErrBadConn
	case wayCancel:
		if f.cancelOf(ctx) == cancelReal {
			f.cancel()
		}
		return context.Canceled
	case wayScan: // by the rows
		return errInjected
	case wayGone:
		for _, c := range f.open() {
			c.lose()
		}
		if op == "Connect" {
			return errNoServer
		}
		return driver.ErrBadConn
	case wayOver:
		if op != "Rollback" && !strings.HasSuffix(op, ".Close") {
			f.leave()
		}
		return errOver
	default:
		return errInjected
	}
	if conn.isLost() {
		return driver.ErrBadConn
	}
	return nil
}

// wayOver is how calls fail when the run is over.
const wayOver way = "over"

// judge counts a call and says how it fails.
func (f *faults) judge(ctx context.Context, op, query string) way {
	c := driverCall{op: op, query: query, cancel: f.cancelOf(ctx), goid: goroutine.CurrentID(nil)}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return wayOver
	}
	f.made++
	if f.limit > 0 && f.made > f.limit {
		f.over, f.storm = true, true
		return wayOver
	}
	if f.at == 0 || f.met == nil {
		var pcs [48]uintptr
		c.pcs = slices.Clone(pcs[:runtime.Callers(3, pcs[:])])
	}
	if len(f.calls) < keptCalls {
		f.calls = append(f.calls, c)
	}
	if f.met != nil {
		again := c.op == f.met.op && c.query == f.met.query
		if f.met.op == "Next" {
			again = strings.HasSuffix(strings.TrimSuffix(c.op, "Context"), "Query") && c.query == f.met.query
		}
		f.healed = f.healed || again
		switch {
		case f.down && op == "Connect":
			return wayGone
		case f.way == wayForGood && op != "Connect" && op != "Rollback" && !strings.HasSuffix(op, "Close"):
			return wayForGood
		}
		return ""
	}
	if !f.isIt(c) {
		return ""
	}
	f.met = &c
	f.down = f.way == wayGone
	return f.way
}

// isIt says whether a call is the one that fails. f.mu is locked.
func (f *faults) isIt(c driverCall) bool {
	if f.at == 0 {
		return false
	}
	if f.nth == 0 {
		return f.made >= f.at && c.op == f.like.op
	}
	if c.op != f.like.op || c.query != f.like.query {
		return false
	}
	f.seen++
	return f.seen == f.nth
}

// cancelOf says how a context can be cancelled. It is nil for drivers that take none.
func (f *faults) cancelOf(ctx context.Context) int {
	switch {
	case ctx == nil || ctx.Done() == nil:
		return cancelNone
	case ctx.Value(faultsKey{}) == any(f):
		return cancelReal
	}
	return cancelError
}

// ended notes that a Next met the end of the rows.
func (f *faults) ended() {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := goroutine.CurrentID(nil)
	for i := len(f.calls) - 1; i >= 0; i-- {
		if f.calls[i].goid == id {
			f.calls[i].end = f.calls[i].op == "Next"
			return
		}
	}
}

// connect counts a Connect and gives the error that it fails with; nil when it does not.
func (f *faults) connect(ctx context.Context) error {
	if f == nil {
		return nil
	}
	return f.call(ctx, nil, "Connect", "")
}

// connected notes what the driver's own Connect said.
func (f *faults) connected(err error) {
	if f == nil || err == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refused == nil {
		f.refused = err
	}
}

// open lists the connections that are open.
func (f *faults) open() []*sweptConn {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.conns)
}

// stop lets no further call through.
func (f *faults) stop() {
	f.mu.Lock()
	f.over = true
	f.mu.Unlock()
}

// progress is how many calls were made.
func (f *faults) progress() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.made
}

// failed gives the call that failed; ok is false when none has.
func (f *faults) failed() (c driverCall, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.met == nil {
		return driverCall{}, false
	}
	return *f.met, true
}

// swallowed says whether the code under test has said by SweepResult that all went well, though a call failed whose error
// it had to hand on, and was not made again.
func (f *faults) swallowed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.met == nil || !f.told || f.returned != nil || !f.met.reports() || f.way == wayScan {
		return false // whether a row is scanned at all is not seen
	}
	return !f.healed || f.way == wayForGood || f.way == wayGone
}
