package dbcheck

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leakgate/leakgate/internal/dbuse"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/sqltext"
)

// Codes of what is leased, apart from those of package dbuse. docs/codes.md explains each.
const (
	codeConn = dbuse.CodeConn
	codeStmt = "LK205"
)

// use is one lease of a connection: from the moment database/sql takes it for somebody until it has it back. It does not
// refer to the connection.
type use struct {
	pool *pool
	info *connInfo
	deep *atomic.Uint64
	goid uint64 // the goroutine that took it; 0 when nobody asked for that

	over atomic.Bool

	mu      sync.Mutex
	op      string       // the last call of the driver
	query   string       // the last statement
	at      lease.Moment // when that call ended; when it began, while it runs; 0 before the first
	running bool
	tx      int     // transactions open
	rows    int     // queries since the last moment when none can be open
	waits   int     // of these, those whose rows have a goroutine of database/sql that waits for the end of a context
	gap     gap     // the longest time without a call of the driver
	places  *places // where its calls were; nil when nobody wants to know

	lease.Lease
}

func newUse(c *conn, reused bool) *use {
	u := &use{pool: c.pool, info: c.info, deep: c.deep}
	if observers.WantGoroutines() {
		u.goid = goroutine.CurrentID(nil)
	}
	if observers.WantPlaces() {
		u.places = spare.Get().(*places)
	}
	c.pool.conns.TakeCounted(label.Owner(), &u.Lease, u, 2, reused) // from here on others may look at it
	return u
}

// begin notes that the driver is called.
func (u *use) begin(op, query string) {
	now := lease.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.idled(now, op)
	u.op, u.at, u.running = op, now, true
	if query != "" {
		u.query = query
	}
}

// done notes that the driver's call has ended.
func (u *use) done() {
	now := lease.Now()
	u.mu.Lock()
	u.at, u.running = now, false
	u.mu.Unlock()
}

// resets notes that the driver's ResetSession begins, or is over. It is no call of the program's, so that nothing is left of it
// when it is over.
func (u *use) resets(running bool) {
	now := lease.Now()
	u.mu.Lock()
	u.op, u.at, u.running = "", now, running
	if running {
		u.op = "ResetSession"
	}
	u.mu.Unlock()
}

func (u *use) txs(n int) {
	u.mu.Lock()
	u.tx += n
	if n < 0 {
		u.rows, u.waits = 0, 0 // the end of a transaction closes its rows
	}
	u.mu.Unlock()
}

// queried notes a query. cancellable says whether its context can end, or may be able to.
func (u *use) queried(cancellable bool) {
	u.mu.Lock()
	u.rows++
	if cancellable || u.tx > 0 { // in a transaction it waits for that one's context
		u.waits++
	}
	u.mu.Unlock()
}

// end ends the lease. Those who observe are told first: a check that finds nothing held any more knows then that it was told
// of everything.
func (u *use) end() {
	if observers.Active() { // nobody else asks for the gap of a lease that is over
		now := lease.Now()
		u.mu.Lock()
		u.idled(now, "its return")
		u.mu.Unlock()
		observers.Released(u)
	}
	u.over.Store(true)
	u.Release(false)
}

// Now says what the lease is at this moment.
func (u *use) Now() lease.State {
	if u.over.Load() {
		return lease.Released
	}
	return lease.Held
}

// Twin is the ID of the lease that the agent of deep mode has of the same connection: one that is lent again has no other lease
// by then.
func (u *use) Twin() uint64 { return u.deep.Load() }

// Info describes the lease.
func (u *use) Info() lease.Info {
	c := dbuse.CallOf(u.PCs())
	u.mu.Lock()
	defer u.mu.Unlock()
	info := lease.Info{
		Local: u.info.ends.Local, Remote: u.info.ends.Remote, Socket: u.info.ends.Socket, Txs: u.tx, Rows: u.waits, State: sqltext.Statement(u.query),
	}
	t := c.Lends()
	if u.broken(c) {
		t = dbuse.Thing{Name: "a connection", Kind: "sql-conn", Code: codeConn,
			End:  "was never given back: the call panicked",
			Hint: "mend what panicked, in the driver or in a Value method: database/sql does not give the connection back then"}
	}
	if u.running && (u.op == "Commit" || u.op == "Rollback") {
		t.End = "is not over: its " + u.op + " has not returned"
		t.Hint = "where the server does not answer: a timeout of the driver's for each call (in its data source name)"
	}
	info.Kind, info.Code, info.Hint = t.Kind, t.Code, t.Hint
	info.Summary = c.What(t.Name, u.PCs()) + " " + t.End
	info.Note = u.note()
	return info
}

// broken says whether the call that took the lease is over without having lent anything: a panic has ended it. u.mu is locked.
func (u *use) broken(c dbuse.Call) bool {
	if u.running {
		return false
	}
	switch c.Method {
	case "Query", "QueryContext", "QueryRow", "QueryRowContext":
		return u.rows == 0
	case "Begin", "BeginTx":
		return u.op == "" || u.tx == 0 && (u.op == "Begin" || u.op == "BeginTx")
	case "Conn", "", "connectionOpener":
		return false
	}
	return true
}

// note is what changes from one look to the next. u.mu is locked.
func (u *use) note() string {
	now := lease.Now()
	s := "held for " + round(now.Sub(u.Taken()))
	switch {
	case u.running:
		s += fmt.Sprintf("; %s runs for %s", u.op, round(now.Sub(u.at)))
	case u.op != "":
		s += fmt.Sprintf("; last thing done with it: %s, %s ago", u.op, round(now.Sub(u.at)))
	default:
		s += "; nothing was done with it"
	}
	if u.tx > 0 {
		s += "; a transaction is open on it"
	}
	if u.info.pid != 0 {
		s += "; server process " + itoa(u.info.pid)
	}
	return s
}

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }

func round(d time.Duration) string { return dbuse.Round(d) }
