package dbcheck

import (
	"cmp"
	"database/sql"
	"fmt"
	"slices"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/leakcheck"
)

// probe lists the leases of a tracked pool, or its statements.
type probe struct {
	pool   *pool
	leases *lease.Pool
}

// probes gives what is asked about a wrapped pool.
func (p *pool) probes() []leakcheck.Probe {
	return []leakcheck.Probe{&probe{p, p.conns}, &probe{p, p.stmts}, &count{
		what:   "a connection of " + p.conns.Name(),
		tally:  func() int { return p.unaccounted() },
		leases: true,
		state:  "database/sql's background opener opened it for somebody who waited, and nothing was done with it since",
		hint:   "close what db.Conn gives, on every path",
	}}
}

// unaccounted is how many connections are out that no lease is known of: handed over by the background opener, and not
// used since. Those that are idle are not out.
func (p *pool) unaccounted() int {
	n := p.unseen()
	if n == 0 {
		return 0
	}
	db := p.handle()
	if db == nil {
		return 0
	}
	leased := len(lease.Live.All(func(l *lease.Lease) bool { return l.Pool() == p.conns }))
	return max(0, min(n, db.Stats().InUse-leased))
}

// Kind is the kind of what is listed.
func (p *probe) Kind() leakcheck.Kind { return leakcheck.Kind(p.leases.Kind()) }

// Reports lists the kinds of what is described.
func (p *probe) Reports() []leakcheck.Kind {
	if p.leases == p.pool.stmts {
		return []leakcheck.Kind{leakcheck.SQLStmt}
	}
	return []leakcheck.Kind{leakcheck.SQLRows, leakcheck.SQLTx, leakcheck.SQLConn}
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
	all = slices.DeleteFunc(all, func(l *lease.Lease) bool { return l.Now() != lease.Held })
	slices.SortFunc(all, func(a, b *lease.Lease) int { return cmp.Compare(a.ID(), b.ID()) })
	return all
}

// Describe describes one.
func (p *probe) Describe(id uint64) (leakcheck.Leak, bool) {
	l := lease.Live.Get(id)
	if l == nil || l.Now() == lease.Released {
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
	leak := leakcheck.Leak{
		Kind: leakcheck.Kind(info.Kind), Summary: info.Summary, Count: 1, State: info.State, Hint: info.Hint, Code: info.Code,
		Test: label.NameOf(l.Test()),
	}
	if info.Note != "" {
		leak.Holds = append(leak.Holds, info.Note)
	}
	if info.Local.IsValid() {
		leak.Holds = append(leak.Holds, fmt.Sprintf("connection %s → %s", info.Local, info.Remote))
	}
	user := callers(l.PCs())
	for _, f := range user {
		leak.Stack = append(leak.Stack, frame(f))
	}
	if site := callsite.Pick(user); site.Func != "" {
		leak.Site = frame(site)
	}
	leak.Fingerprint = callsite.Fingerprint(info.Kind, "tracked", user, leak.Test)
	return leak
}

// callers gives the user's frames of a stack that reached the driver through database/sql: not those of a wrapper between the two.
func callers(pcs []uintptr) []callsite.Frame {
	return callsite.User(callsite.From(callsite.Expand(pcs), "database/sql."))
}

func frame(f callsite.Frame) leakcheck.Frame {
	return leakcheck.Frame{Function: f.Func, File: f.File, Line: f.Line, Source: callsite.Source(f)}
}

// Leases describes what is leased from a wrapped pool now and which statements are prepared on it, the oldest first, each
// with the line that took it. It is nil when there is none, and for a pool that is not wrapped.
func Leases(db *sql.DB) []leakcheck.Leak {
	p := trackedPool(db)
	if p == nil {
		return nil
	}
	var out []leakcheck.Leak
	for _, pr := range []*probe{{p, p.conns}, {p, p.stmts}} {
		for _, l := range pr.all() {
			out = append(out, describe(l))
		}
	}
	return out
}
