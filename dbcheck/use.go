package dbcheck

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/leakcheck"
)

// Codes of what is leased. docs/codes.md explains each.
const (
	codeTx   = "LK202"
	codeRows = "LK203"
	codeConn = "LK204"
	codeStmt = "LK205"
	codeRow  = "LK206"
)

// use is one lease of a connection: from the moment database/sql takes it for somebody until it has it back. It does not
// refer to the connection.
type use struct {
	pool *pool
	info *connInfo
	goid uint64 // the goroutine that took it; 0 when nobody asked for that

	over atomic.Bool

	mu      sync.Mutex
	op      string    // the last call of the driver
	query   string    // the last statement
	at      time.Time // when that call ended; when it began, while it runs
	running bool
	tx      int // transactions open
	rows    int // queries since the last moment when none can be open
	gap     gap // the longest time without a call of the driver

	lease.Lease // last, because it ends in a long array without pointers
}

// gap is a time in which the driver was not called.
type gap struct {
	length        time.Duration
	before, after string
}

func newUse(c *conn, reused bool) *use {
	u := &use{pool: c.pool, info: c.info}
	if observers.wantGoroutines() {
		var buf [64]byte
		u.goid = goroutine.CurrentID(buf[:])
	}
	c.pool.conns.TakeCounted(label.Owner(), &u.Lease, u, 2, reused)
	u.at = u.Taken()
	return u
}

// begin notes that the driver is called.
func (u *use) begin(op, query string) {
	now := time.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.idled(now, op)
	u.op, u.at, u.running = op, now, true
	if query != "" {
		u.query = query
	}
}

// idled notes the time without a call that ends now. u.mu is locked.
func (u *use) idled(now time.Time, next string) {
	if d := now.Sub(u.at); d > u.gap.length && !u.running {
		u.gap = gap{length: d, before: u.op, after: next}
	}
}

// done notes that the driver's call has ended.
func (u *use) done() {
	now := time.Now()
	u.mu.Lock()
	u.at, u.running = now, false
	u.mu.Unlock()
}

func (u *use) txs(n int) {
	u.mu.Lock()
	u.tx += n
	if n < 0 {
		u.rows = 0 // the end of a transaction closes its rows
	}
	u.mu.Unlock()
}

func (u *use) queried() {
	u.mu.Lock()
	u.rows++
	u.mu.Unlock()
}

// end ends the lease.
func (u *use) end() {
	if u.over.Swap(true) {
		return
	}
	u.mu.Lock()
	u.idled(time.Now(), "its return")
	u.mu.Unlock()
	u.Release(false)
}

// Now says what the lease is at this moment.
func (u *use) Now() lease.State {
	if u.over.Load() {
		return lease.Released
	}
	return lease.Held
}

// Info describes the lease.
func (u *use) Info() lease.Info {
	c := callOf(u.PCs())
	u.mu.Lock()
	defer u.mu.Unlock()
	info := lease.Info{
		Local: u.info.ends.Local, Remote: u.info.ends.Remote, Txs: u.tx, Rows: u.rows, State: statement(u.query),
	}
	var thing, end string
	info.Kind, info.Code, thing, end, info.Hint = c.leases()
	info.Summary = c.what(thing, u.PCs()) + " " + end
	info.Note = u.note()
	return info
}

// leases says what the call lends to its caller, and how that is given back.
func (c call) leases() (kind, code, thing, end, hint string) {
	switch c.method {
	case "Query", "QueryContext":
		return string(leakcheck.SQLRows), codeRows, "sql.Rows", "was never closed", "defer rows.Close()"
	case "QueryRow", "QueryRowContext":
		return string(leakcheck.SQLRows), codeRow, "sql.Row", "was never scanned",
			"row.Scan(…), which closes the row; for a statement without a result use Exec"
	case "Begin", "BeginTx":
		return string(leakcheck.SQLTx), codeTx, "sql.Tx", "was neither committed nor rolled back", "defer tx.Rollback()"
	case "Conn":
		return string(leakcheck.SQLConn), codeConn, "sql.Conn", "was never closed", "defer conn.Close()"
	case "":
		return string(leakcheck.SQLConn), codeConn, "driver.Conn", "was never closed", "defer conn.Close()"
	case "connectionOpener":
		return string(leakcheck.SQLConn), codeConn, "a connection", "was never given back", "close what it was taken for"
	}
	return string(leakcheck.SQLConn), codeConn, "a connection", "was never given back: the call has not returned",
		"give the call a context that ends"
}

// note is what changes from one look to the next. u.mu is locked.
func (u *use) note() string {
	now := time.Now()
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

// round gives a duration with as many digits as a reader wants.
func round(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Microsecond).String()
}
