package dbcheck

import (
	"database/sql"
	"database/sql/driver"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"
	"weak"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/dbpool"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
)

// pool is what is tracked of one wrapped connector.
type pool struct {
	conns *lease.Pool // leases of connections
	stmts *lease.Pool // prepared statements
	known *dbpool.Pool

	faults *faults // of one run of Sweep; nil otherwise

	mu          sync.Mutex
	db          weak.Pointer[sql.DB]
	provisional map[*connInfo]bool // opened in the background, and not seen in use yet
}

// connInfo is what is known of one connection. It does not refer to the connection.
type connInfo struct {
	id     uint64
	ends   dbpool.Ends
	pid    uint64
	opener label.ID
	pcs    []uintptr // stack that opened it
}

var lastConn atomic.Uint64

func newPool(skip int) *pool {
	var pcs [lease.MaxDepth]uintptr
	n := runtime.Callers(skip+2, pcs[:])
	p := &pool{provisional: make(map[*connInfo]bool)}
	size := func(p weak.Pointer[pool]) func() int {
		return func() int {
			if p := p.Value(); p != nil {
				return p.limit()
			}
			return 0
		}
	}(weak.Make(p))
	name := nameOf(pcs[:n])
	p.conns = lease.Live.NewPool("sql-conn", name, size)
	p.stmts = lease.Live.NewPool("sql-stmt", name, nil)
	p.known = dbpool.New(p.conns.ID(), pcs[:n:n])
	return p
}

// nameOf is what a reader calls the pool that a stack has made.
func nameOf(pcs []uintptr) string {
	site := callsite.Pick(callsite.User(callsite.Expand(pcs)))
	if site.Func == "" {
		return "the sql.DB"
	}
	return "the sql.DB opened at " + short(site)
}

func (p *pool) setDB(db *sql.DB) {
	key := weak.Make(db)
	p.mu.Lock()
	p.db = key
	p.mu.Unlock()
	p.known.SetDB(func() uintptr { return uintptr(unsafe.Pointer(key.Value())) })
}

// handle gives the sql.DB; nil when it is not known, or gone.
func (p *pool) handle() *sql.DB {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.db.Value()
}

// limit is the most connections that the pool opens; 0 when there is no limit or it is not known.
func (p *pool) limit() int {
	if db := p.handle(); db != nil {
		return db.Stats().MaxOpenConnections
	}
	return 0
}

// opened makes a tracked connection of one that the driver has opened.
func (p *pool) opened(below driver.Conn) driver.Conn {
	owner := label.Owner()
	info := &connInfo{id: lastConn.Add(1), ends: endsOf(below), pid: serverPID(below), opener: owner}
	var pcs [lease.MaxDepth]uintptr
	n := runtime.Callers(2, pcs[:])
	info.pcs = pcs[:n:n]
	p.known.Opened(info.id, info.ends, typeName(below))
	p.conns.Dialed(owner)
	c := &conn{below: below, pool: p, info: info}
	c.keepsConn()
	if byOpener(info.pcs) {
		// Whoever waits for it gets it without a further call of the driver: the first one says who that is. It may also
		// become idle, when nobody waits any more.
		p.mu.Lock()
		p.provisional[info] = true
		p.mu.Unlock()
	} else {
		c.take(false)
	}
	observers.opened(p, info)
	return c.exposed()
}

// closed forgets a connection.
func (p *pool) closed(info *connInfo) {
	p.known.Closed(info.id)
	p.seen(info)
	observers.closed(p, info)
}

// seen says that a connection is provisional no longer.
func (p *pool) seen(info *connInfo) {
	p.mu.Lock()
	delete(p.provisional, info)
	p.mu.Unlock()
}

// unseen is how many connections were opened in the background and are out, or idle, without a call since.
func (p *pool) unseen() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.provisional)
}

// byOpener says whether the stack is that of database/sql's background opener.
func byOpener(pcs []uintptr) bool {
	it := runtime.CallersFrames(pcs)
	for {
		f, more := it.Next()
		if f.Function == "database/sql.(*DB).connectionOpener" {
			return true
		}
		if !more {
			return false
		}
	}
}

// typeName is the type of a driver's connection with its import path, without the star.
func typeName(c driver.Conn) string {
	t := reflect.TypeOf(c)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath() + "." + t.Name()
}

// short is the position of a frame for a sentence: the file without its folder, and the line.
func short(f callsite.Frame) string {
	pos := f.Position()
	return pos[strings.LastIndexAny(pos, `/\`)+1:]
}
