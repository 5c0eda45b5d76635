package fold

import (
	"strings"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/report"
)

// CodePgxPool is the code of a pgxpool.Pool that was not closed.
const CodePgxPool = "LK221"

const (
	pgxModule    = "github.com/jackc/pgx/v5"
	pgxPoolOpen  = "pgxpool.Pool was opened and never closed"
	pgxPoolState = "its backgroundHealthCheck looks after its connections"
	pgxPoolHint  = "defer pool.Close()"
)

// pgxPools finds pgx pools that nobody has registered, by the goroutine that each has.
func (f *folder) pgxPools() {
	f.each(goroutine.RolePgxPool, func(g *Goroutine) {
		g.taken = true
		f.add(g.Blame, report.Leak{
			Kind: "goroutine", Code: CodePgxPool, Class: "pgxpool.Pool", Rank: rankDatabase,
			Summary: pgxPoolOpen,
			State:   pgxPoolState,
			Hint:    pgxPoolHint,
			Unknown: "pgxpool starts the goroutine itself, so that the caller of pgxpool.New is not in the dump; pgxcheck.New and pgxcheck.Config tell it",
			Keys:    []report.Key{goroutineKey(g)},
			All:     g.Frames, CreatedBy: g.CreatedBy.Func,
		})
	})
	f.each(goroutine.RolePgxWatch, func(g *Goroutine) { // it ends with the query of a connection that nobody tracks
		g.taken = true
		f.add(g.Blame, report.Leak{
			Kind: "pgx-rows", Code: "LK223", Class: "pgx watch", Rank: rankDatabase,
			Summary: "pgx.Rows was never closed",
			State:   "pgx watches the context of its query",
			Hint:    "defer rows.Close()",
			Unknown: "pgx starts the goroutine itself, so that the caller of Query is not in the dump; pgxcheck.New, Config and ConnConfig tell it",
			Keys:    []report.Key{goroutineKey(g)},
			All:     g.Frames, CreatedBy: g.CreatedBy.Func,
		})
	})
}

// takeCloser takes a goroutine of this module that waits in Close of a pgx pool: what it waits for is reported.
func (f *folder) takeCloser(pool uintptr) bool {
	g := f.find(func(g *Goroutine) bool {
		return pool != 0 && g.Role == goroutine.RoleUser && strings.HasPrefix(g.CreatedBy.Func, callsite.Module+"/dbcheck/pgxcheck.") &&
			hasFunc(g, pgxModule+"/pgxpool.(*Pool).Close")
	})
	if g == nil {
		return false
	}
	g.taken = true
	return true
}
