// Package dbpool knows the database pools that are tracked: where each was made, which connections it has open, and how
// to tell its goroutines from others. So whatever belongs to a pool can be explained by it.
//
// It keeps no pool alive, and uses the standard library alone.
package dbpool

import (
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
	"weak"
)

// Ends are the two ends of a connection, as far as the driver's connection shows them.
type Ends struct {
	Local, Remote netip.AddrPort // not valid for a unix socket
	Path          string         // of the unix socket that it leads to; "" for none
	Socket        uint64         // identity of this end, as in socket.Ref; 0 when it is not known
}

// Pool is one tracked pool.
type Pool struct {
	id  uint64
	pgx bool
	pcs []uintptr

	mu     sync.Mutex
	db     func() uintptr
	addr   uintptr
	stats  func() (Stats, bool)
	types  []string
	driver string
	conns  map[uint64]Ends
}

// Stats is what a pool counts by itself.
type Stats struct {
	Size   int           // most connections that it opens; 0 for no limit
	Waits  int64         // how often somebody had to wait for a connection, since the pool was made
	Waited time.Duration // in all, of those waits that are over
	Ended  int64         // connections that it closed because of its limits on idle ones and on their age
}

// View is what is known of a pool at one moment.
type View struct {
	ID     uint64    // from the same numbers as leases, so that a higher one is newer
	Pgx    bool      // a pgxpool.Pool, not a sql.DB
	DB     uintptr   // address of the pool; 0 when it is not known, or gone
	Seen   uintptr   // address of the sql.DB that a connection of it was lent by, where deep mode has seen that; another may have it by now
	Gone   bool      // the pool was known and is gone
	PCs    []uintptr // stack that made the pool
	Driver string    // import path of the driver, without what follows the module in it; "" when there was no connection
	Types  []string  // types of the driver, as functions are named after them: "example.com/driver.(*conn)"
	Conns  []Ends    // connections that are open
}

var registry struct {
	sync.Mutex
	pools []weak.Pointer[Pool]
}

// New registers the pool of a sql.DB for as long as it is referred to.
func New(id uint64, pcs []uintptr) *Pool { return register(&Pool{id: id, pcs: pcs}) }

// NewPgx is New for a pgxpool.Pool.
func NewPgx(id uint64, pcs []uintptr) *Pool { return register(&Pool{id: id, pcs: pcs, pgx: true}) }

func register(p *Pool) *Pool {
	p.conns = make(map[uint64]Ends)
	key := weak.Make(p)
	registry.Lock()
	registry.pools = append(registry.pools, key)
	registry.Unlock()
	runtime.AddCleanup(p, func(key weak.Pointer[Pool]) {
		registry.Lock()
		defer registry.Unlock()
		registry.pools = slices.DeleteFunc(registry.pools, func(k weak.Pointer[Pool]) bool { return k == key })
	}, key)
	return p
}

// All lists the pools, the oldest first.
func All() []View {
	registry.Lock()
	pools := slices.Clone(registry.pools)
	registry.Unlock()
	out := make([]View, 0, len(pools))
	for _, k := range pools {
		if p := k.Value(); p != nil {
			out = append(out, p.View())
		}
	}
	return out
}

// View is what is known of the pool now.
func (p *Pool) View() View {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := View{ID: p.id, Pgx: p.pgx, PCs: p.pcs, Driver: p.driver, Types: p.types, Seen: p.addr}
	if p.db != nil {
		v.DB = p.db()
		v.Gone = v.DB == 0
	}
	for _, e := range p.conns {
		v.Conns = append(v.Conns, e)
	}
	return v
}

// SetDB notes the sql.DB or pgxpool.Pool that the pool is of, as a function that gives its address and 0 when it is gone: another one may
// have the address then.
func (p *Pool) SetDB(db func() uintptr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.db = db
}

// SetSeen notes the address of the sql.DB that lends the pool's connections.
func (p *Pool) SetSeen(addr uintptr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.addr = addr
}

// SetStats gives the pool a way to be asked what it counts; it says false when the pool is not known, or gone.
func (p *Pool) SetStats(stats func() (Stats, bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats = stats
}

// AllStats asks the pools that can be asked, by the ID of each. It must not be called under a lock of a pool.
func AllStats() map[uint64]Stats {
	registry.Lock()
	pools := slices.Clone(registry.pools)
	registry.Unlock()
	out := make(map[uint64]Stats)
	for _, k := range pools {
		p := k.Value()
		if p == nil {
			continue
		}
		p.mu.Lock()
		stats := p.stats
		p.mu.Unlock()
		if stats == nil {
			continue
		}
		if s, ok := stats(); ok {
			out[p.id] = s
		}
	}
	return out
}

// Opened notes a connection. types are those of the driver's connection and of what wraps it, the driver's last, as reflect
// prints them with their import paths, without the star: "example.com/driver.conn".
func (p *Pool) Opened(id uint64, e Ends, types ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[id] = e
	for _, typ := range types {
		dot := strings.LastIndexByte(typ, '.')
		if dot <= 0 {
			continue // a type without a name
		}
		pkg, name := typ[:dot], typ[dot+1:]
		p.driver = moduleOf(pkg)
		if ptr := pkg + ".(*" + name + ")"; !slices.Contains(p.types, ptr) {
			p.types = append(p.types, ptr, typ)
		}
	}
}

// Closed notes the end of a connection.
func (p *Pool) Closed(id uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, id)
}

// Open is how many connections are open.
func (p *Pool) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

// moduleOf guesses which part of an import path the packages of one driver share.
func moduleOf(pkg string) string {
	parts := strings.Split(pkg, "/")
	n := 2
	switch parts[0] {
	case "github.com", "gitlab.com", "bitbucket.org":
		n = 3
	}
	return strings.Join(parts[:min(n, len(parts))], "/")
}
