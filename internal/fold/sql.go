package fold

import (
	"fmt"
	"slices"
	"strings"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/dbpool"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/report"
)

// Codes of what tracked database leases are.
const (
	CodeConn = "LK204"
	CodeStmt = "LK205"
	CodeRow  = "LK206"

	rankLeasedDB = 15 // its line is known, so that it comes before the guesses from goroutines
	rankStmt     = 25
)

// Pool is a tracked database pool.
type Pool struct {
	dbpool.View
	New bool // it was made since the check began
}

// databaseLeases explains tracked leases of databases: each names its line, its connection, and what waits for its end.
func (f *folder) databaseLeases() {
	at := make(map[uint64]int) // entries of held leases; -1 for somebody else's
	pools := make(map[uint64]bool)
	for _, p := range f.in.Pools {
		pools[p.ID] = true
	}
	var conns, stmts []Lease
	for _, l := range f.in.Leases {
		switch {
		case !ofDatabase(l) || l.Now != lease.Held:
		case pools[l.Info.Within]:
			f.ofPools = append(f.ofPools, l)
		case l.Info.Kind == "sql-stmt" || l.Info.Within != 0:
			stmts = append(stmts, l)
		default:
			conns = append(conns, l)
		}
	}
	for _, l := range append(conns, stmts...) {
		leak := databaseLease(l)
		if i, ok := at[l.Info.Within]; ok { // the end of that one would have ended this one
			if i >= 0 {
				f.endsWith(l, i)
			}
			continue
		}
		f.servesLease(l, &leak)
		f.runs(l, &leak)
		if l.Blame.Other {
			at[l.ID] = -1
			continue
		}
		at[l.ID] = len(f.out.Leaks)
		f.add(l.Blame, leak)
	}
}

// databaseLease describes a tracked lease.
func databaseLease(l Lease) report.Leak {
	leak := report.Leak{
		Kind: l.Info.Kind, Code: l.Info.Code, Class: "tracked", Summary: l.Info.Summary, State: l.Info.State,
		Hint: l.Info.Hint, Why: l.Info.Note, Rank: rankLeasedDB,
		Keys: l.keys(),
		All:  callsite.Expand(l.PCs), Moving: l.Info.Moving, Note: l.Info.Kept,
	}
	if l.Info.Kind == "sql-stmt" {
		leak.Rank = rankStmt
	}
	leak.Stack = callsite.Without(callsite.User(callsite.From(leak.All, "database/sql.")), l.Info.Library)
	leak.Site = callsite.Pick(leak.Stack)
	if leak.Stack == nil {
		leak.Unknown = "none of your functions is left in the stack that took it"
	}
	return leak
}

// endsWith makes a lease a part of an entry whose end would have ended it too.
func (f *folder) endsWith(l Lease, entry int) {
	in := &f.out.Leaks[entry]
	in.Keys = append(in.Keys, l.keys()...)
	in.Holds = append(in.Holds, strings.TrimSuffix(l.Info.Summary, " was never closed"))
}

// poolLeases explains what the end of a pool ends: it is a part of the pool's own entry where that was never closed.
func (f *folder) poolLeases() {
	for _, l := range f.ofPools {
		if i, ok := f.poolLeaks[l.Info.Within]; ok {
			f.endsWith(l, i)
			continue
		}
		f.add(l.Blame, databaseLease(l))
	}
}

// ofDatabase says whether a lease is one of a database's.
func ofDatabase(l Lease) bool {
	return strings.HasPrefix(l.Info.Kind, "sql-") || strings.HasPrefix(l.Info.Kind, "pgx-")
}

// servesLease takes the connection of a held lease, and the goroutines of database/sql that wait for its end.
func (f *folder) servesLease(l Lease, leak *report.Leak) {
	if l.Info.Remote.IsValid() {
		leak.Remotes = []string{l.Info.Remote.String()}
	}
	if l.Info.Local.IsValid() || l.Info.Socket != 0 {
		if c := f.takeSocket(l.Info.Socket, l.Info.Local, l.Info.Remote); c != nil {
			if leak.Remotes == nil {
				leak.Remotes = c.remotes()
			}
			leak.Holds = append(leak.Holds, c.holds()...)
			leak.Keys = append(leak.Keys, c.keys()...)
		} else if l.Info.Local.IsValid() {
			leak.Holds = append(leak.Holds, fmt.Sprintf("the connection %s → %s", l.Info.Local, l.Info.Remote))
		}
	}
	if l.Info.Path != "" {
		leak.Remotes = append(leak.Remotes, l.Info.Path)
		if c := f.takePath(l.Info.Path); c != nil {
			leak.Holds = append(leak.Holds, c.holds()...)
			leak.Keys = append(leak.Keys, c.keys()...)
		} else {
			leak.Holds = append(leak.Holds, "a connection to "+l.Info.Path)
		}
	}
	if n := f.waitsFor(l.Blame, goroutine.RolePgxWatch, l.Info.Watches, leak); n > 0 {
		leak.Holds = append(leak.Holds, plural(n, "goroutine")+" of pgx that "+map[bool]string{true: "watches", false: "watch"}[n == 1]+" the query's context")
	}
	n := f.waitsFor(l.Blame, goroutine.RoleSQLTx, l.Info.Txs, leak) + f.waitsFor(l.Blame, goroutine.RoleSQLRows, l.Info.Rows, leak)
	if n > 0 {
		leak.Holds = append(leak.Holds, plural(n, "goroutine")+" of database/sql (awaitDone)")
	}
}

// runs takes the goroutine that is in the call which the lease was taken for, and what the driver has started for it.
func (f *folder) runs(l Lease, leak *report.Leak) {
	if !l.Info.Moving || l.Info.Library == "" {
		return
	}
	for i := range f.in.Goroutines {
		g := &f.in.Goroutines[i]
		if g.taken || g.Role != goroutine.RoleUser || !slices.Contains(g.Frames, leak.Site) || !hasFunc(g, l.Info.Library) {
			continue
		}
		g.taken = true
		leak.Keys = append(leak.Keys, goroutineKey(g))
		leak.Holds = append(leak.Holds, "the goroutine that is in the call: "+g.State)
		for j := range f.in.Goroutines {
			h := &f.in.Goroutines[j]
			if !h.taken && h.Role == goroutine.RoleUser && h.CreatorID == g.ID && hasFunc(h, l.Info.Library) {
				h.taken = true
				leak.Keys = append(leak.Keys, goroutineKey(h))
			}
		}
		return
	}
}

// waitsFor takes up to most goroutines of the role. Which lease one waits for is not in its stack; how many wait is.
func (f *folder) waitsFor(b Blame, role goroutine.Role, most int, leak *report.Leak) (n int) {
	for ; n < most; n++ {
		g := f.find(func(g *Goroutine) bool { return g.Role == role && !g.Blame.Other && g.Blame.Test == b.Test })
		if g == nil {
			g = f.find(func(g *Goroutine) bool { return g.Role == role && mayServe(g.Blame, b) })
		}
		if g == nil {
			return n
		}
		g.taken = true
		leak.Keys = append(leak.Keys, goroutineKey(g))
	}
	return n
}

// mayServe says whether a goroutine may be that of a lease: it is of the same test or one around it; or of nobody known,
// while no other test runs.
func mayServe(g, lease Blame) bool {
	if g.Test == "" || lease.Test == "" {
		return len(g.Suspects) == 0
	}
	return g.Test == lease.Test || strings.HasPrefix(g.Test, lease.Test+"/") || strings.HasPrefix(lease.Test, g.Test+"/")
}

// databasePools explains what belongs to pools: their idle connections and the goroutines of database/sql and the driver. A
// pool that was made since the check began and still has its opener was never closed.
func (f *folder) databasePools() {
	f.poolLeaks = make(map[uint64]int)
	openers := make([]*Goroutine, len(f.in.Pools))
	for i, p := range f.in.Pools {
		if p.DB != 0 {
			openers[i] = f.openerOf(p.Pgx, func(g *Goroutine) bool { return argument(g) == uint64(p.DB) })
		}
	}
	for i, p := range f.in.Pools {
		// Wrapped, and given to sql.OpenDB by the program: which opener is its own is not known. That it is open is.
		if p.DB == 0 && !p.Gone && p.New && len(p.Conns) > 0 {
			openers[i] = f.openerOf(p.Pgx, func(*Goroutine) bool { return true })
		}
	}
	for i, p := range slices.Backward(f.in.Pools) { // an older pool of the same driver must not take what a new one started
		opener := openers[i]
		leak := report.Leak{
			Kind: "goroutine", Code: CodeOpener, Class: "sql.DB", Rank: rankDatabase,
			Summary: "sql.DB was opened and never closed",
			State:   "its connectionOpener waits for work",
			Hint:    "defer db.Close()",
			Role:    "opened at",
			All:     callsite.Expand(p.PCs),
		}
		if p.Pgx {
			leak.Code, leak.Class = CodePgxPool, "pgxpool.Pool"
			leak.Summary, leak.State, leak.Hint = pgxPoolOpen, pgxPoolState, pgxPoolHint
			for f.takeCloser(p.DB) {
			}
		}
		idle, helpers := 0, 0
		for _, e := range p.Conns {
			c := f.takeSocket(e.Socket, e.Local, e.Remote)
			if c == nil {
				c = f.takePath(e.Path)
			}
			if c != nil {
				f.out.Idle++
				idle++
				leak.Keys = append(leak.Keys, c.keys()...)
				leak.Holds = append(leak.Holds, c.holds()...)
			}
		}
		for most := 2 * len(p.Conns); helpers < most; helpers++ {
			g := f.find(func(g *Goroutine) bool { return g.Role == goroutine.RoleUser && startedBy(g, p.View) })
			if g == nil {
				break
			}
			g.taken = true
			leak.Keys = append(leak.Keys, goroutineKey(g))
		}
		if opener == nil {
			continue
		}
		leak.Stack = callsite.User(leak.All)
		if p.Pgx {
			leak.Stack = callsite.Without(leak.Stack, pgxModule)
		}
		if leak.Site = callsite.Pick(leak.Stack); leak.Stack == nil {
			leak.Unknown = "none of your functions is in the stack that opened it"
		}
		if helpers > 0 {
			leak.Holds = append(leak.Holds, plural(helpers, "goroutine")+" of the driver")
		}
		leak.Keys = append([]report.Key{goroutineKey(opener)}, leak.Keys...)
		leak.CreatedBy = opener.CreatedBy.Func
		if !opener.Blame.Other {
			f.poolLeaks[p.ID] = len(f.out.Leaks)
		}
		f.add(opener.Blame, leak)
	}
}

// openerOf takes the goroutine that shows that a pool is open.
func (f *folder) openerOf(pgx bool, match func(*Goroutine) bool) *Goroutine {
	role := goroutine.RoleSQLOpener
	if pgx {
		role = goroutine.RolePgxPool
	}
	g := f.find(func(g *Goroutine) bool { return g.Role == role && match(g) })
	if g != nil {
		g.taken = true
	}
	return g
}

// argument is the pool that a goroutine of database/sql or pgxpool works for, 0 when the dump does not show it.
func argument(g *Goroutine) uint64 {
	for i := len(g.Frames) - 1; i >= 0; i-- {
		if fn := g.Frames[i].Func; i >= len(g.Args) || !strings.HasPrefix(fn, "database/sql.") && !strings.HasPrefix(fn, pgxModule+"/pgxpool.(*Pool).") {
			continue
		}
		return goroutine.FirstPointer(g.Args[i])
	}
	return 0
}

// startedBy says whether the driver of a pool started the goroutine: a method of one of its types, or a function of its
// module when that is a dependency. In the module under test a function of the same package may be anybody's.
func startedBy(g *Goroutine, p dbpool.View) bool {
	by := g.CreatedBy
	if by.Func == "" {
		return false
	}
	for _, typ := range p.Types {
		if strings.HasPrefix(by.Func, typ+".") {
			return true
		}
	}
	pkg := by.Package()
	if p.Pgx && strings.HasPrefix(pkg, "github.com/jackc/puddle/") {
		return true // which keeps its connections
	}
	return p.Driver != "" && callsite.IsDependency(by) && (pkg == p.Driver || strings.HasPrefix(pkg, p.Driver+"/"))
}
