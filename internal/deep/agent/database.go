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
	test  label.ID // the watch that it was opened under
}

func newDatabase(db unsafe.Pointer, pcs []uintptr) *database {
	d := &database{pool: lease.Live.NewPool("sql-conn", "sql.DB", nil), test: label.Owner()}
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
	d := databases.by[uintptr(db)]
	delete(databases.by, uintptr(db))
	databases.Unlock()
	if d != nil {
		endStatements(func(s *statement) bool { return s.db == d })
	}
}

// databaseAt gives the pool with an address; nil when it is closed, or OpenDB did not make it.
func databaseAt(db unsafe.Pointer) *database {
	databases.Lock()
	defer databases.Unlock()
	return databases.by[uintptr(db)]
}

// others is the pool of what is leased of a sql.DB that is closed, or that OpenDB did not make.
var others = sync.OnceValue(func() *lease.Pool { return lease.Live.NewPool("sql-conn", "sql.DB", nil) })

// use is one lease of a connection.
type use struct {
	over atomic.Bool
	gone struct{ rows, conn atomic.Bool } // nothing refers any more to the sql.Rows or the sql.Conn
	db   uintptr                          // address of the *sql.DB
	lease.Lease
}

// leased runs where a *sql.DB lends a connection, a driver.Conn.
func leased(db unsafe.Pointer, conn any) hook.Lease {
	defer contain()
	u := &use{db: uintptr(db)}
	pool := others
	if d := databaseAt(db); d != nil {
		pool = func() *lease.Pool { return d.pool }
	}
	pool().TakeFor(label.Owner(), &u.Lease, u, 2)
	if c, ok := conn.(interface{ LeakgateLeased(id uint64, db uintptr) }); ok {
		c.LeakgateLeased(u.ID(), u.db)
	}
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

// Dropped notes that nothing refers any more to the rows or the connection.
func (u *use) Dropped(kind string) {
	switch kind {
	case "sql-rows":
		u.gone.rows.Store(true)
	case "sql-conn":
		u.gone.conn.Store(true)
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
		Note: "held for " + dbuse.Round(lease.Now().Sub(u.Taken())), Provable: true,
	}
	if t.Kind == "sql-rows" && u.gone.rows.Load() || t.Kind == "sql-conn" && u.gone.conn.Load() {
		info.State = proved
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
