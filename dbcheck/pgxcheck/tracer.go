package pgxcheck

import (
	"context"
	"net"
	"net/netip"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
	"weak"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/leakgate/leakgate/internal/dbpool"
	"github.com/leakgate/leakgate/internal/dbuse"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
)

// tracer hears from pgx and pgxpool what is done with the connections of one config. It refers to no connection and no
// pool in a way that keeps them alive.
type tracer struct {
	pcs    []uintptr   // stack that made it
	single *lease.Pool // connections that no pool has opened
	rows   *lease.Pool // rows of those

	mu    sync.Mutex
	conns map[weak.Pointer[pgx.Conn]]*conn
	pools []*pool // one, unless two pools were made of the same config
}

func newTracer(pcs []uintptr) *tracer {
	t := &tracer{pcs: pcs, conns: make(map[weak.Pointer[pgx.Conn]]*conn)}
	name := nameOf("pgx connections with the config", pcs)
	t.single = lease.Live.NewPool("pgx-single", name, nil)
	t.rows = lease.Live.NewPool("pgx-rows", name, nil)
	t.pools = []*pool{newPool(t)} // which pool it is of, is known when one lends something
	return t
}

// pool gives what is tracked of a pool of this config.
func (t *tracer) pool(of *pgxpool.Pool) *pool {
	key := weak.Make(of)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.pools {
		if p.is(key) {
			return p
		}
	}
	p := newPool(t)
	p.is(key)
	t.pools = append(t.pools, p)
	return p
}

// conn is what is known of a connection. It does not refer to it.
type conn struct {
	id     uint64
	ends   dbpool.Ends
	pid    uint32
	addr   uintptr         // of the *pgconn.PgConn, to find it in a dump; it keeps nothing alive
	done   <-chan struct{} // closed when the connection is
	opener label.ID
	asked  []uintptr // stack that asked for it, when a budget wanted to know

	mu     sync.Mutex
	pool   *pool     // that opened it; nil for none
	use    *use      // what it is lent for; nil while it is idle
	rows   *rows     // a query or batch that was not ended
	begun  []uintptr // stack that began its transaction
	served bool      // it was lent before
}

var lastConn atomic.Uint64

func (c *conn) closed() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// of gives what is known of a connection; nil when it was opened with another tracer.
func (t *tracer) of(c *pgx.Conn) *conn {
	if c == nil {
		return nil
	}
	key := weak.Make(c)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.conns[key]
}

// purge forgets connections that are closed.
func (t *tracer) purge() {
	var gone []*conn
	t.mu.Lock()
	for key, c := range t.conns {
		if c.closed() || key.Value() == nil {
			delete(t.conns, key)
			gone = append(gone, c)
		}
	}
	t.mu.Unlock()
	for _, c := range gone {
		c.mu.Lock()
		p := c.pool
		c.mu.Unlock()
		if p != nil {
			p.known.Closed(c.id)
			dbuse.Observers.Closed(p.conns, c.seenAs())
		}
	}
}

func (c *conn) seenAs() dbuse.Conn { return dbuse.Conn{ID: c.id, Opener: c.opener, PCs: c.asked} }

// askKey finds in a context who asked for a connection. puddle, which opens connections on goroutines of its own, hands
// the values of the context on.
type askKey struct{ *tracer }

// ask is somebody who waits for a connection.
type ask struct {
	dbuse.Ask
	pool *pool
	load *lease.Ask // nil when nobody measures
}

// TraceConnectStart is called before a connection is opened.
func (t *tracer) TraceConnectStart(ctx context.Context, _ pgx.TraceConnectStartData) context.Context {
	t.purge()
	return ctx
}

// TraceConnectEnd is called when it is open.
func (t *tracer) TraceConnectEnd(ctx context.Context, data pgx.TraceConnectEndData) {
	if data.Err != nil || data.Conn == nil {
		return
	}
	var pcs [lease.MaxDepth]uintptr
	by := openedBy(pcs[:runtime.Callers(2, pcs[:])])
	pc := data.Conn.PgConn()
	c := &conn{id: lastConn.Add(1), ends: endsOf(pc.Conn()), pid: pc.PID(), addr: uintptr(unsafe.Pointer(pc)), done: pc.CleanupDone(), opener: label.Owner()}
	switch by {
	case byPool:
		if a, ok := ctx.Value(askKey{t}).(*ask); ok {
			c.pool, c.asked = a.pool, a.PCs
		} else {
			t.mu.Lock()
			c.pool = t.pools[len(t.pools)-1]
			t.mu.Unlock()
		}
		c.pool.known.Opened(c.id, c.ends, "github.com/jackc/pgx/v5.Conn")
		c.pool.conns.Dialed(c.opener)
	case byProgram:
		u := &use{conn: c, single: true}
		c.use = u
		t.single.TakeFor(c.opener, &u.Lease, u, 1)
	case bySQL: // a sql.DB keeps it
	}
	t.mu.Lock()
	t.conns[weak.Make(data.Conn)] = c
	t.mu.Unlock()
	if c.pool != nil {
		dbuse.Observers.Opened(c.pool.conns, c.seenAs())
	}
}

type opener int

const (
	byProgram opener = iota
	byPool
	bySQL
)

// openedBy says who opens a connection with this stack.
func openedBy(pcs []uintptr) opener {
	it := runtime.CallersFrames(pcs)
	for {
		f, more := it.Next()
		switch {
		case strings.HasPrefix(f.Function, pkgPool+"."):
			return byPool
		case strings.HasPrefix(f.Function, "database/sql."):
			return bySQL
		case !more:
			return byProgram
		}
	}
}

// endsOf gives the ends of the connection to the server.
func endsOf(c net.Conn) (e dbpool.Ends) {
	if c == nil {
		return e
	}
	switch remote := c.RemoteAddr().(type) {
	case *net.TCPAddr:
		if local, ok := c.LocalAddr().(*net.TCPAddr); ok {
			return dbpool.Ends{Local: addrPort(local), Remote: addrPort(remote)}
		}
	case *net.UnixAddr:
		return dbpool.Ends{Path: remote.Name}
	}
	return e
}

func addrPort(a *net.TCPAddr) netip.AddrPort {
	p := a.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// TraceAcquireStart is called when somebody asks the pool for a connection.
func (t *tracer) TraceAcquireStart(ctx context.Context, of *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	if !dbuse.Observers.Active() && !lease.Live.Measuring() {
		return ctx
	}
	p := t.pool(of)
	a := &ask{pool: p, load: p.conns.Ask(label.Owner(), "", 1), Ask: dbuse.Ask{Pool: p.conns, Test: label.Owner(), Since: time.Now()}}
	var pcs [lease.MaxDepth]uintptr
	n := runtime.Callers(2, pcs[:])
	a.PCs = pcs[:n:n]
	if dbuse.Observers.WantGoroutines() {
		a.Goroutine = self()
		dbuse.Observers.Asked(&a.Ask)
	}
	return context.WithValue(ctx, askKey{t}, a)
}

func self() uint64 {
	var buf [64]byte
	return goroutine.CurrentID(buf[:])
}

// TraceAcquireEnd is called when the pool has lent one, or none.
func (t *tracer) TraceAcquireEnd(ctx context.Context, of *pgxpool.Pool, data pgxpool.TraceAcquireEndData) {
	if a, ok := ctx.Value(askKey{t}).(*ask); ok {
		dbuse.Observers.Answered(&a.Ask)
		a.load.Answered()
	}
	c := t.of(data.Conn)
	if data.Err != nil || c == nil {
		return
	}
	p := t.pool(of)
	u := &use{conn: c, of: p}
	if dbuse.Observers.WantGoroutines() {
		u.goid = self()
	}
	c.mu.Lock()
	c.pool, c.use, c.rows, c.begun = p, u, nil, nil
	reused := c.served
	c.served = true
	c.mu.Unlock()
	p.conns.TakeCounted(label.Owner(), &u.Lease, u, 1, reused)
	u.mu.Lock()
	u.at = u.Taken()
	u.mu.Unlock()
	p.add(u)
	dbuse.Observers.Leased(u)
}

// TraceRelease is called when a connection is given back, before the pool looks at it.
func (t *tracer) TraceRelease(of *pgxpool.Pool, data pgxpool.TraceReleaseData) {
	c := t.of(data.Conn)
	if c == nil {
		return
	}
	c.mu.Lock()
	u, open, begun := c.use, c.rows, c.begun
	c.use, c.rows, c.begun = nil, nil, nil
	c.mu.Unlock()
	if u == nil {
		return // taken by AcquireAllIdle, which is not traced
	}
	p := t.pool(of)
	p.dirty(u, open, begun, data.Conn)
	if open != nil {
		open.end()
	}
	p.remove(u)
	u.end()
	dbuse.Observers.Released(u)
}

// TraceQueryStart is called before a query is sent, by Query, QueryRow and Exec.
func (t *tracer) TraceQueryStart(ctx context.Context, pc *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	t.begin(pc, "a query"+word(data.SQL), data.SQL, false)
	return ctx
}

// TraceQueryEnd is called when its rows are closed.
func (t *tracer) TraceQueryEnd(_ context.Context, pc *pgx.Conn, _ pgx.TraceQueryEndData) {
	t.ended(pc, false)
}

// TraceBatchStart is called before a batch is sent.
func (t *tracer) TraceBatchStart(ctx context.Context, pc *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	query := ""
	if data.Batch != nil && len(data.Batch.QueuedQueries) > 0 {
		query = data.Batch.QueuedQueries[0].SQL
	}
	t.begin(pc, "a batch", query, true)
	return ctx
}

// TraceBatchQuery is called when the result of one of its queries was read.
func (t *tracer) TraceBatchQuery(_ context.Context, pc *pgx.Conn, data pgx.TraceBatchQueryData) {
	if c := t.of(pc); c != nil {
		c.touch("a query of a batch", data.SQL, false)
	}
}

// TraceBatchEnd is called when its results are closed.
func (t *tracer) TraceBatchEnd(_ context.Context, pc *pgx.Conn, _ pgx.TraceBatchEndData) {
	t.ended(pc, true)
}

// TraceCopyFromStart is called before rows are copied to the server.
func (t *tracer) TraceCopyFromStart(ctx context.Context, pc *pgx.Conn, data pgx.TraceCopyFromStartData) context.Context {
	if c := t.of(pc); c != nil {
		c.touch("a CopyFrom", "copy "+strings.Join(data.TableName, ".")+" from stdin", true)
	}
	return ctx
}

// TraceCopyFromEnd is called when they are there.
func (t *tracer) TraceCopyFromEnd(_ context.Context, pc *pgx.Conn, _ pgx.TraceCopyFromEndData) {
	if c := t.of(pc); c != nil {
		c.touch("a CopyFrom", "", false)
	}
}

// TracePrepareStart is called before a statement is prepared.
func (t *tracer) TracePrepareStart(ctx context.Context, pc *pgx.Conn, data pgx.TracePrepareStartData) context.Context {
	if c := t.of(pc); c != nil {
		c.prepare(data.SQL, true)
	}
	return ctx
}

// TracePrepareEnd is called when it is prepared.
func (t *tracer) TracePrepareEnd(_ context.Context, pc *pgx.Conn, _ pgx.TracePrepareEndData) {
	if c := t.of(pc); c != nil {
		c.prepare("", false)
	}
}

// begin notes a query or batch. On a connection that is not busy, what was noted before has ended without a trace: some
// versions of pgx do that on errors.
func (t *tracer) begin(pc *pgx.Conn, op, query string, batch bool) {
	c := t.of(pc)
	if c == nil {
		return
	}
	c.touch(op, query, true)
	if pc.IsClosed() || pc.PgConn().IsBusy() {
		return // pgx refuses it, and its end is traced; what is open on the connection stays
	}
	c.mu.Lock()
	u, before, p := c.use, c.rows, c.pool
	c.mu.Unlock()
	if before != nil {
		before.end()
	}
	r := &rows{conn: c, use: u, batch: batch, query: query}
	leases := t.rows
	owner := label.Owner()
	if p != nil {
		leases = p.open
	}
	leases.TakeFor(owner, &r.Lease, r, 2)
	if u != nil {
		u.mu.Lock()
		if u.first == nil {
			u.first = r
		}
		u.mu.Unlock()
	}
	c.mu.Lock()
	c.rows = r
	if begins(query) {
		c.begun = r.PCs()
	}
	c.mu.Unlock()
}

// ended notes the end of a query or batch.
func (t *tracer) ended(pc *pgx.Conn, batch bool) {
	c := t.of(pc)
	if c == nil {
		return
	}
	c.touch("", "", false)
	c.mu.Lock()
	r := c.rows
	if r != nil && (r.batch != batch || !pc.IsClosed() && pc.PgConn().IsBusy()) {
		r = nil // of another, which was refused because this one is open
	}
	if r != nil {
		c.rows = nil
	}
	if c.begun != nil && !pc.IsClosed() && !pc.PgConn().IsBusy() && pc.PgConn().TxStatus() == 'I' {
		c.begun = nil
	}
	c.mu.Unlock()
	if r != nil {
		r.end()
	}
}

// touch notes that something is done with a connection.
func (c *conn) touch(op, query string, running bool) {
	c.mu.Lock()
	u := c.use
	c.mu.Unlock()
	if u != nil {
		u.touch(op, query, running)
	}
}

// prepare notes that a statement is prepared, which a query, a batch or a CopyFrom may do for itself.
func (c *conn) prepare(query string, running bool) {
	c.mu.Lock()
	u := c.use
	c.mu.Unlock()
	if u == nil {
		return
	}
	u.mu.Lock()
	within := u.running && u.op != opPrepare
	u.mu.Unlock()
	if !within {
		u.touch(opPrepare, query, running)
	}
}

const opPrepare = "a Prepare"

// word gives the first word of a statement for a report: " (select)", or "" when it is none.
func word(query string) string {
	w, _, _ := strings.Cut(strings.TrimSpace(query[:min(len(query), 32)]), " ")
	w = strings.ToLower(strings.TrimSuffix(w, ";"))
	if w == "" || len(w) > 10 || strings.Trim(w, "abcdefghijklmnopqrstuvwxyz") != "" {
		return ""
	}
	return " (" + w + ")"
}

// begins says whether a statement begins a transaction.
func begins(query string) bool {
	word, _, _ := strings.Cut(strings.TrimSpace(query[:min(len(query), 32)]), " ")
	return strings.EqualFold(strings.TrimSuffix(word, ";"), "begin") || strings.EqualFold(word, "start")
}

func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan, reflect.Interface:
		return r.IsNil()
	}
	return false
}
