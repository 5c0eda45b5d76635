package dbcheck

import (
	"database/sql"
	"database/sql/driver"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
	"weak"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/dbpool"
	"github.com/leakgate/leakgate/internal/dbuse"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
)

// pool is what is tracked of one wrapped connector.
type pool struct {
	conns *lease.Pool // leases of connections
	stmts *lease.Pool // prepared statements
	known *dbpool.Pool

	lost  atomic.Int32 // statements whose first connection is closed
	texts texts

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

	gone atomic.Bool // it is being closed with all that is open on it
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
	p.known.SetStats(statsOf(weak.Make(p)))
	return p
}

// statsOf gives a function that asks the pool's sql.DB what it counts. It keeps neither alive.
func statsOf(key weak.Pointer[pool]) func() (dbpool.Stats, bool) {
	return func() (dbpool.Stats, bool) {
		p := key.Value()
		if p == nil {
			return dbpool.Stats{}, false
		}
		db := p.handle()
		if db == nil {
			return dbpool.Stats{}, false
		}
		s := db.Stats()
		return dbpool.Stats{
			Size: s.MaxOpenConnections, Waits: s.WaitCount, Waited: s.WaitDuration,
			Ended: s.MaxIdleClosed + s.MaxIdleTimeClosed + s.MaxLifetimeClosed,
		}, true
	}
}

// nameOf is what a reader calls the pool that a stack has made.
func nameOf(pcs []uintptr) string {
	site := callsite.Pick(callsite.User(callsite.Expand(pcs)))
	if site.Func == "" {
		return "the sql.DB"
	}
	return "the sql.DB opened at " + short(site)
}

// known says which sql.DB is of which pool, as far as that was told when it was made: weak.Pointer[sql.DB] to
// weak.Pointer[pool]. It keeps neither alive.
var known sync.Map

// poolMadeFor gives the pool of a sql.DB that was told; nil of any other.
func poolMadeFor(db *sql.DB) *pool {
	if p, ok := known.Load(weak.Make(db)); ok {
		return p.(weak.Pointer[pool]).Value()
	}
	return nil
}

func (p *pool) setDB(db *sql.DB) {
	key := weak.Make(db)
	if _, there := known.LoadOrStore(key, weak.Make(p)); !there {
		runtime.AddCleanup(db, func(key weak.Pointer[sql.DB]) { known.Delete(key) }, key)
	}
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
	info := &connInfo{id: lastConn.Add(1), opener: owner}
	var types []string
	for _, l := range layers(below) { // what is found further down is the driver's
		types = append(types, typeName(l))
		if ends := endsOf(l); ends != (dbpool.Ends{}) {
			info.ends = ends
		}
		if pid := serverPID(l); pid != 0 {
			info.pid = pid
		}
	}
	var pcs [lease.MaxDepth]uintptr
	n := runtime.Callers(2, pcs[:])
	info.pcs = pcs[:n:n]
	p.known.Opened(info.id, info.ends, types...)
	p.conns.Dialed(owner)
	c := &conn{below: below, pool: p, info: info, deep: new(atomic.Uint64), swept: p.faults.adopt(below)}
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
	observers.Opened(p.conns, info.seenAs())
	return c.exposed()
}

// closed forgets a connection.
func (p *pool) closed(info *connInfo) {
	p.known.Closed(info.id)
	p.seen(info)
	observers.Closed(p.conns, info.seenAs())
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

func short(f callsite.Frame) string { return dbuse.Short(f) }
