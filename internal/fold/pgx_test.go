package fold

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/dbpool"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/socket"
)

func pgxGoroutine(id uint64, role goroutine.Role, frames ...string) Goroutine {
	g := Goroutine{Role: role}
	g.ID, g.State = id, "select"
	for _, fn := range frames {
		name, args := fn, ""
		if i := len(fn) - len("(0x10)"); i > 0 && fn[i:] == "(0x10)" {
			name, args = fn[:i], "0x10"
		}
		g.Frames = append(g.Frames, callsite.Frame{Func: name, File: "/go/pkg/mod/x@v1/x.go", Line: 1})
		g.Args = append(g.Args, args)
	}
	return g
}

// TestPgxPool: a pool's health check is explained by the pool, and tells one that was never closed.
func TestPgxPool(t *testing.T) {
	health := pgxGoroutine(7, goroutine.RolePgxPool, pgxModule+"/pgxpool.(*Pool).backgroundHealthCheck(0x10)", pgxModule+"/pgxpool.NewWithConfig.func3")
	conn := dbpool.Ends{Local: netip.MustParseAddrPort("127.0.0.1:1"), Remote: netip.MustParseAddrPort("127.0.0.1:5432")}
	idle := Socket{Socket: socket.Socket{Stream: true, Family: "tcp4", Local: conn.Local, Remote: conn.Remote, State: "ESTABLISHED"}}

	out := Fold(Input{Goroutines: []Goroutine{health}})
	require.Len(t, out.Leaks, 1, "nobody has registered it")
	assert.Equal(t, []string{"LK221", "pgxpool.Pool was opened and never closed"}, []string{out.Leaks[0].Code, out.Leaks[0].Summary})
	assert.NotEmpty(t, out.Leaks[0].Unknown)

	view := dbpool.View{ID: 9, Pgx: true, DB: 0x10, Driver: "github.com/jackc/pgx", Conns: []dbpool.Ends{conn}}
	out = Fold(Input{Goroutines: []Goroutine{health}, Sockets: []Socket{idle}, Pools: []Pool{{View: view, New: true}}})
	require.Len(t, out.Leaks, 1, "its socket is a part of it")
	assert.Equal(t, 1, out.Idle)

	out = Fold(Input{Sockets: []Socket{idle}, Pools: []Pool{{View: view}}})
	assert.Empty(t, out.Leaks, "an idle connection of a pool that was there before")

	helper := pgxGoroutine(11, goroutine.RoleUser, "github.com/jackc/puddle/v2.(*Pool[...]).initResourceValue.func1")
	helper.CreatedBy = callsite.Frame{Func: "github.com/jackc/puddle/v2.(*Pool[...]).initResourceValue", File: "/go/pkg/mod/github.com/jackc/puddle/v2@v2.2.2/pool.go", Line: 1}
	out = Fold(Input{Goroutines: []Goroutine{health, helper}, Pools: []Pool{{View: view, New: true}}})
	require.Len(t, out.Leaks, 1, "puddle opens its connections for it")
	assert.Contains(t, out.Leaks[0].Holds, "1 goroutine of the driver")

	view.DB = 0x20
	out = Fold(Input{Goroutines: []Goroutine{health}, Pools: []Pool{{View: view, New: true}}})
	require.Len(t, out.Leaks, 1, "the health check of another pool")
	assert.NotEmpty(t, out.Leaks[0].Unknown)
}

// TestPgxLease: a lease takes its socket, also one of unix, the watch of its query, and rows that belong to it.
func TestPgxLease(t *testing.T) {
	const path = "/run/postgresql/.s.PGSQL.5432"
	watch := pgxGoroutine(8, goroutine.RolePgxWatch, pgxModule+"/pgconn/ctxwatch.(*ContextWatcher).Watch.func1")
	unix := Socket{Socket: socket.Socket{Stream: true, Family: "unix", RemotePath: path, State: "ESTABLISHED"}}
	conn := Lease{ID: 3, Now: lease.Held, Info: lease.Info{Kind: "pgx-conn", Code: "LK224", Summary: "a connection", Path: path, Watches: 1, Library: pgxModule}}
	rows := Lease{ID: 4, Now: lease.Held, Info: lease.Info{Kind: "pgx-rows", Code: "LK223", Summary: "pgx.Rows was never closed", Path: path, Within: 3, Library: pgxModule}}

	out := Fold(Input{Leases: []Lease{rows, conn}, Goroutines: []Goroutine{watch}, Sockets: []Socket{unix}})
	require.Len(t, out.Leaks, 1)
	assert.Equal(t, "LK224", out.Leaks[0].Code)
	assert.Contains(t, out.Leaks[0].Holds, "pgx.Rows")
	assert.Contains(t, out.Leaks[0].Holds, "1 goroutine of pgx that watches the query's context")

	out = Fold(Input{Leases: []Lease{rows}})
	require.Len(t, out.Leaks, 1, "of a connection that was taken before")
	assert.Equal(t, "LK223", out.Leaks[0].Code)

	out = Fold(Input{Goroutines: []Goroutine{watch}})
	require.Len(t, out.Leaks, 1, "of a connection that nobody tracks")
	assert.Equal(t, "pgx.Rows was never closed", out.Leaks[0].Summary)

	busy := pgxGoroutine(9, goroutine.RoleUser, pgxModule+"/pgconn.(*PgConn).CopyFrom", pgxModule+"/pgxpool.(*Pool).CopyFrom", "example.com/app.Copy")
	helper := pgxGoroutine(10, goroutine.RoleUser, pgxModule+"/pgconn.(*PgConn).CopyFrom.func1")
	helper.CreatorID = 9
	conn.Info.Moving, conn.Info.Watches = true, 0
	leak := Fold(Input{Leases: []Lease{conn}, Goroutines: []Goroutine{busy, helper}})
	assert.Len(t, leak.Leaks, 3, "its line is not in the lease")
}
