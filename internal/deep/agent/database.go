package agent

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/leakgate/leakgate/internal/callstack"
	"github.com/leakgate/leakgate/internal/dbpool"
	"github.com/leakgate/leakgate/internal/dbuse"
	"github.com/leakgate/leakgate/internal/deep/hook"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
)

// databases are the pools that are open, by their addresses as numbers. An open sql.DB is never collected, because its own
// goroutine refers to it.
var databases struct {
	sync.Mutex
	by map[uintptr]*database
}

// database is one sql.DB.
type database struct {
	pool  *lease.Pool
	known *dbpool.Pool
}

func newDatabase(db unsafe.Pointer, pcs []uintptr) *database {
	d := &database{pool: lease.Live.NewPool("sql-conn", "sql.DB", nil)}
	d.known = dbpool.New(d.pool.ID(), pcs)
	addr := uintptr(db)
	d.known.SetDB(func() uintptr { return addr })
	return d
}

// dbOpened runs in sql.OpenDB.
func dbOpened(db unsafe.Pointer) {
	defer contain()
	d := newDatabase(db, callstack.Capture(2).PCs())
	databases.Lock()
	defer databases.Unlock()
	if databases.by == nil {
		databases.by = make(map[uintptr]*database)
	}
	databases.by[uintptr(db)] = d
}

// dbClosed runs at the beginning of (*sql.DB).Close.
func dbClosed(db unsafe.Pointer) {
	defer contain()
	databases.Lock()
	defer databases.Unlock()
	delete(databases.by, uintptr(db))
}

// others is the pool of what is leased of a sql.DB that is closed, or that OpenDB did not make.
var others = sync.OnceValue(func() *lease.Pool { return lease.Live.NewPool("sql-conn", "sql.DB", nil) })

// use is one lease of a connection.
type use struct {
	over atomic.Bool
	lease.Lease
}

// leased runs where a *sql.DB lends a connection.
func leased(db unsafe.Pointer) hook.Lease {
	defer contain()
	databases.Lock()
	d := databases.by[uintptr(db)]
	databases.Unlock()
	u := &use{}
	pool := others
	if d != nil {
		pool = func() *lease.Pool { return d.pool }
	}
	pool().TakeFor(label.Owner(), &u.Lease, u, 2)
	return u
}

// Read does nothing: a connection is not read.
func (u *use) Read(int) {}

// Returned does nothing: a connection comes back by being given back.
func (u *use) Returned(error) {}

// Released notes that the pool has its connection back.
func (u *use) Released() {
	defer contain()
	if !u.over.Swap(true) {
		u.Release(false)
	}
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
	c := dbuse.CallOf(u.PCs())
	t := c.Lends()
	info := lease.Info{
		Kind: t.Kind, Code: t.Code, Hint: t.Hint, Summary: c.What(t.Name, u.PCs()) + " " + t.End,
		Note: "held for " + dbuse.Round(lease.Now().Sub(u.Taken())),
	}
	switch t.Kind {
	case "sql-tx":
		info.Txs, info.Rows = 1, maxRows
	case "sql-rows":
		info.Rows = 1
	}
	return info
}

// maxRows is how many goroutines that wait for the end of rows a transaction explains.
const maxRows = 8
