package pgxcheck

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/leakcheck"
)

// probe lists what a tracked pool has lent, or the queries that are open on its connections.
type probe struct {
	pool   *pool
	leases *lease.Pool
}

// Kind is the kind of what is listed.
func (p *probe) Kind() leakcheck.Kind { return leakcheck.Kind(p.leases.Kind()) }

// Reports lists the kinds of what is described.
func (p *probe) Reports() []leakcheck.Kind {
	if p.leases == p.pool.open {
		return []leakcheck.Kind{leakcheck.PgxRows}
	}
	return []leakcheck.Kind{leakcheck.PgxConn, leakcheck.PgxRows, leakcheck.SQLRows, leakcheck.SQLTx, leakcheck.SQLConn}
}

// Held lists the leases.
func (p *probe) Held(ids []uint64) ([]uint64, error) {
	for _, l := range p.all() {
		ids = append(ids, l.ID())
	}
	return ids, nil
}

func (p *probe) all() []*lease.Lease {
	all := lease.Live.All(func(l *lease.Lease) bool { return l.Pool() == p.leases })
	return slices.DeleteFunc(all, func(l *lease.Lease) bool { return l.Now() != lease.Held })
}

// Describe describes one.
func (p *probe) Describe(id uint64) (leakcheck.Leak, bool) {
	l := lease.Live.Get(id)
	if l == nil || l.Now() != lease.Held {
		return leakcheck.Leak{}, false
	}
	return describe(l), true
}

// LeasePool lets leakcheck explain the leases with all it knows of sockets and goroutines.
func (p *probe) LeasePool() *lease.Pool { return p.leases }

// FailUnclosed has no meaning for leases of a database, which end when nothing is held.
func (p *probe) FailUnclosed() bool { return false }

func describe(l *lease.Lease) leakcheck.Leak {
	info := l.Info()
	leak := at(leakcheck.Leak{
		Kind: leakcheck.Kind(info.Kind), Summary: info.Summary, Count: 1, State: info.State, Hint: info.Hint, Code: info.Code,
		Test: label.NameOf(l.Test()), Holds: []string{info.Note},
	}, l.PCs())
	leak.Fingerprint = callsite.Fingerprint(info.Kind, "tracked", user(l.PCs()), leak.Test)
	return leak
}

// at gives a finding the line of a stack.
func at(leak leakcheck.Leak, pcs []uintptr) leakcheck.Leak {
	own := user(pcs)
	for _, f := range own {
		leak.Stack = append(leak.Stack, frame(f))
	}
	if site := callsite.Pick(own); site.Func != "" {
		leak.Site = frame(site)
	}
	return leak
}

// user gives the frames of a stack that a reader wants to see: not pgx's either.
func user(pcs []uintptr) []callsite.Frame {
	return callsite.Without(callsite.User(callsite.Expand(pcs)), pkgPgx)
}

func frame(f callsite.Frame) leakcheck.Frame {
	return leakcheck.Frame{Function: f.Func, File: f.File, Line: f.Line, Source: callsite.Source(f)}
}

// where is "file:line  function" as in a report.
func where(f callsite.Frame) string {
	return fmt.Sprintf("%s:%d  %s", callsite.Short(f.File), f.Line, f.Func[strings.LastIndexByte(f.Func, '/')+1:])
}

// Leases describes what a tracked pool has lent and not got back, the oldest first, each with the line that took it, and
// the rows that are open on it. It is nil when there is none, and for a pool that is not tracked, or nil.
func Leases(pool *pgxpool.Pool) []leakcheck.Leak {
	if pool == nil {
		return nil
	}
	p := poolOf(pool)
	if p == nil {
		return nil
	}
	var out []leakcheck.Leak
	for _, pr := range []*probe{{p, p.conns}, {p, p.open}} {
		for _, l := range pr.all() {
			out = append(out, describe(l))
		}
	}
	return out
}

// count is a probe of connections of which only the number is known. Its IDs are the numbers up to that.
type count struct {
	name  string
	tally func() int
	state string
	hint  string
	moves func() int // how many are given back in the background now; nil when that is not known
}

// Kind is leakcheck.PgxConn.
func (c *count) Kind() leakcheck.Kind { return leakcheck.PgxConn }

// Held lists the numbers up to how many are held.
func (c *count) Held(ids []uint64) ([]uint64, error) {
	for i := range c.tally() {
		ids = append(ids, uint64(i)+1)
	}
	return ids, nil
}

// Describe says that one more is held than before.
func (c *count) Describe(uint64) (leakcheck.Leak, bool) {
	leak := leakcheck.Leak{Summary: "a connection of " + c.name + " was not given back", Code: codeConn, State: c.state, Hint: c.hint}
	if c.Moving() {
		leak.State = "the pool takes it back in the background: its AfterRelease, or the end of the connection, takes that long"
		leak.Hint = "let AfterRelease end"
	}
	return leak, true
}

// Moving says whether some of them may be about to end.
func (c *count) Moving() bool { return c.moves != nil && c.moves() > 0 }

// CountsLeases says that goroutines of database/sql do not tell more of the same.
func (c *count) CountsLeases() bool { return false }

// probes gives what is asked about a pool.
func probes(of *pgxpool.Pool) (out []leakcheck.Probe, p *pool) {
	if p = poolOf(of); p == nil {
		return []leakcheck.Probe{&count{
			name:  "the pgxpool.Pool",
			tally: func() int { return int(of.Stat().AcquiredConns()) },
			state: "more of its connections are acquired than when the test began",
			hint:  "open the pool with pgxcheck.New, or with pgxpool.NewWithConfig(ctx, pgxcheck.Config(cfg)), to get the line",
		}}, nil
	}
	return []leakcheck.Probe{&probe{p, p.conns}, &probe{p, p.open}, &count{
		name:  p.conns.Name(),
		tally: p.unaccounted,
		state: "it was acquired outside the tracer, so that its line is not known: by pool.AcquireAllIdle",
		hint:  "release every connection that pool.AcquireAllIdle gives",
		moves: inBackground,
	}}, p
}
