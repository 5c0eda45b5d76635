package fold

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/dbpool"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/lease"
)

func sqlGoroutine(id uint64, role goroutine.Role, fn string, db uint64, b Blame) Goroutine {
	return Goroutine{Role: role, Blame: b, Goroutine: goroutine.Goroutine{
		ID: id, State: "select", Frames: []callsite.Frame{{Func: "database/sql." + fn}}, Args: []string{fmt.Sprintf("%#x, {0x1?, 0x2?}", db)},
	}}
}

func opener(id, db uint64, b Blame) Goroutine {
	return sqlGoroutine(id, goroutine.RoleSQLOpener, "(*DB).connectionOpener", db, b)
}

func txWaiter(id uint64, b Blame) Goroutine {
	return sqlGoroutine(id, goroutine.RoleSQLTx, "(*Tx).awaitDone", 0, b)
}

func dbLease(id uint64, b Blame, info lease.Info) Lease {
	if info.Code == "" {
		info.Code = "LK202"
	}
	if info.Kind == "" {
		info.Kind = "sql-tx"
	}
	return Lease{ID: id, Blame: b, Now: lease.Held, Info: info}
}

// TestFoldDatabases: what a lease or a pool explains is no entry of its own, and nothing takes what is not its own.
func TestFoldDatabases(t *testing.T) {
	a, b, other := Blame{Test: "TestA"}, Blame{Test: "TestB"}, Blame{Other: true}
	driver := func(id uint64, by string) Goroutine {
		g := userGoroutine(id, "select", a, "example.com/driver.(*conn).watch")
		g.CreatedBy = callsite.Frame{Func: by, File: "/go/pkg/mod/example.com/driver@v1/x.go", Line: 1}
		return g
	}
	conns := []dbpool.Ends{{Local: addr(1), Remote: addr(5432)}, {Local: addr(2), Remote: addr(5432)}}
	old := Pool{View: dbpool.View{ID: 1, DB: 0x10, Driver: "example.com/driver", Conns: conns}}
	fresh := Pool{New: true, View: dbpool.View{ID: 9, DB: 0x20, Driver: "example.com/driver", Conns: conns}}
	wrapped := Pool{New: true, View: dbpool.View{ID: 9, Conns: conns}}

	for _, c := range []struct {
		name string
		in   Input
		want []string
	}{
		{"a lease takes its connection and its goroutine", Input{
			Leases:     []Lease{dbLease(1, a, lease.Info{Txs: 1, Local: addr(1), Remote: addr(5432)})},
			Goroutines: []Goroutine{txWaiter(1, a)}, Sockets: []Socket{tcp(1, 5432, "ESTABLISHED", a)},
		}, []string{"LK202 TestA ×1 of 3"}},
		{"and no more of them than it has", Input{
			Leases:     []Lease{dbLease(1, a, lease.Info{Txs: 1})},
			Goroutines: []Goroutine{txWaiter(1, a), txWaiter(2, a)},
		}, []string{"LK202 TestA ×1 of 2", "LK202 TestA ×1 of 1"}},
		{"one's own come first", Input{
			Leases:     []Lease{dbLease(1, b, lease.Info{Txs: 1})},
			Goroutines: []Goroutine{txWaiter(1, other), txWaiter(2, b)},
		}, []string{"LK202 TestB ×1 of 2"}},
		{"those of another test are not taken", Input{
			Leases:     []Lease{dbLease(1, b, lease.Info{Txs: 1})},
			Goroutines: []Goroutine{txWaiter(1, a)},
		}, []string{"LK202 TestB ×1 of 1", "LK202 TestA ×1 of 1"}},
		{"nor those that carry another test's label, where goroutines are only looked at to explain", Input{
			Leases:     []Lease{dbLease(1, b, lease.Info{Txs: 1})},
			Goroutines: []Goroutine{txWaiter(1, Blame{Other: true, Test: "TestA"})},
		}, []string{"LK202 TestB ×1 of 1"}},
		{"nor what may be another test's", Input{
			Leases:     []Lease{dbLease(1, b, lease.Info{Txs: 1})},
			Goroutines: []Goroutine{txWaiter(1, Blame{Other: true, Suspects: []string{"TestA", "TestB"}})},
		}, []string{"LK202 TestB ×1 of 1"}},
		{"what nobody else can have made is taken", Input{
			Leases:     []Lease{dbLease(1, b, lease.Info{Txs: 1})},
			Goroutines: []Goroutine{txWaiter(1, other)},
		}, []string{"LK202 TestB ×1 of 2"}},
		{"and what carries the label of the test around it", Input{
			Leases:     []Lease{dbLease(1, Blame{Test: "TestB/sub"}, lease.Info{Txs: 1})},
			Goroutines: []Goroutine{txWaiter(1, Blame{Other: true, Test: "TestB"})},
		}, []string{"LK202 TestB/sub ×1 of 2"}},
		{"somebody else's lease takes its own", Input{
			Leases:     []Lease{dbLease(1, other, lease.Info{Txs: 1, Local: addr(1), Remote: addr(5432)})},
			Goroutines: []Goroutine{txWaiter(1, other)}, Sockets: []Socket{tcp(1, 5432, "ESTABLISHED", a)},
		}, nil},
		{"a statement of a held lease", Input{Leases: []Lease{
			dbLease(1, a, lease.Info{Kind: "sql-stmt", Code: "LK205", Within: 2}), dbLease(2, a, lease.Info{}),
		}}, []string{"LK202 TestA ×1 of 2"}},
		{"a statement of a lease that is over", Input{Leases: []Lease{
			dbLease(1, a, lease.Info{Kind: "sql-stmt", Code: "LK205", Within: 3}), dbLease(2, a, lease.Info{}),
		}}, []string{"LK202 TestA ×1 of 1", "LK205 TestA ×1 of 1"}},
		{"a statement that a library may keep", Input{Leases: []Lease{
			dbLease(1, a, lease.Info{Kind: "sql-stmt", Code: "LK205", Kept: true}),
		}}, []string{"LK205 TestA ×1 of 1 note"}},
		{"idle connections of an old pool", Input{
			Pools: []Pool{old}, Goroutines: []Goroutine{driver(1, "example.com/driver.start")},
			Sockets: []Socket{tcp(1, 5432, "ESTABLISHED", a), tcp(2, 5432, "ESTABLISHED", a)},
		}, nil},
		{"a new pool that is open", Input{
			Pools: []Pool{fresh}, Goroutines: []Goroutine{opener(1, 0x20, a), driver(2, "example.com/driver.start")},
			Sockets: []Socket{tcp(1, 5432, "ESTABLISHED", a), tcp(2, 5432, "ESTABLISHED", a)},
		}, []string{"LK201 TestA ×1 of 4"}},
		{"a new pool that is open, and a statement of it", Input{
			Pools: []Pool{fresh}, Goroutines: []Goroutine{opener(1, 0x20, a)},
			Leases: []Lease{dbLease(7, a, lease.Info{Kind: "sql-stmt", Code: "LK205", Within: fresh.ID})},
		}, []string{"LK201 TestA ×1 of 2"}},
		{"a statement of an older pool", Input{
			Pools: []Pool{old}, Leases: []Lease{dbLease(7, a, lease.Info{Kind: "sql-stmt", Code: "LK205", Within: old.ID})},
		}, []string{"LK205 TestA ×1 of 1"}},
		{"the opener of another pool", Input{
			Pools: []Pool{old}, Goroutines: []Goroutine{opener(1, 0x30, a)},
		}, []string{"LK201 TestA ×1 of 1"}},
		{"a wrapped pool whose sql.DB is not known", Input{
			Pools: []Pool{wrapped}, Goroutines: []Goroutine{opener(1, 0x30, a)}, Sockets: []Socket{tcp(1, 5432, "ESTABLISHED", a)},
		}, []string{"LK201 TestA ×1 of 2"}},
		{"a socket that is no pool's", Input{
			Pools: []Pool{old}, Sockets: []Socket{tcp(3, 5432, "ESTABLISHED", a)},
		}, []string{"LK301 TestA ×1 of 1"}},
		{"more goroutines of a driver than its connections can have", Input{
			Pools: []Pool{{View: dbpool.View{ID: 1, Driver: "example.com/driver", Conns: conns[:1]}}},
			Goroutines: []Goroutine{
				driver(1, "example.com/driver.start"), driver(2, "example.com/driver/sub.start"), driver(3, "example.com/driver.start"),
			},
		}, []string{"LK102 TestA ×1 of 1"}},
		{"another driver's goroutine", Input{
			Pools: []Pool{old}, Goroutines: []Goroutine{driver(1, "example.com/drivers.start")},
		}, []string{"LK102 TestA ×1 of 1"}},
		{"a driver's goroutine after its pool was closed", Input{
			Pools:      []Pool{{View: dbpool.View{ID: 1, Driver: "example.com/driver"}}},
			Goroutines: []Goroutine{driver(1, "example.com/driver.start")},
		}, []string{"LK102 TestA ×1 of 1"}},
	} {
		assert.Equal(t, c.want, entries(Fold(c.in)), c.name)
	}
}

// TestOpenerOfPool: a pool names the line of its own opener, and of no other.
func TestOpenerOfPool(t *testing.T) {
	a := Blame{Test: "TestA"}
	var pcs [8]uintptr
	mine := pcs[:runtime.Callers(1, pcs[:])]
	pool := Pool{New: true, View: dbpool.View{ID: 9, DB: 0x20, PCs: mine}}
	own := Fold(Input{Pools: []Pool{pool}, Goroutines: []Goroutine{opener(1, 0x20, a)}}).Leaks
	assert.NotEmpty(t, own[0].Stack)
	assert.Empty(t, own[0].Unknown)
	strange := Fold(Input{Pools: []Pool{pool}, Goroutines: []Goroutine{opener(1, 0x30, a)}}).Leaks
	assert.Empty(t, strange[0].Stack)
	assert.NotEmpty(t, strange[0].Unknown)
	pool.DB, pool.Gone, pool.Conns = 0, true, []dbpool.Ends{{}}
	gone := Fold(Input{Pools: []Pool{pool}, Goroutines: []Goroutine{opener(1, 0x30, a)}}).Leaks
	assert.Empty(t, gone[0].Stack)
}
