package dbcheck

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/dbpool"
	"github.com/leakgate/leakgate/internal/dbuse"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/sqltext"
	"github.com/leakgate/leakgate/leakcheck"
)

// Codes of what a budget reports. docs/codes.md explains each.
const (
	codeMaxHold   = "LK211"
	codeMaxConns  = "LK212"
	codeMinReuse  = "LK213"
	codeHighWater = "LK214"
	codeCall      = "LK215"
	codeNested    = "LK216"
)

// follow makes an option that follows one test; Main, Take and Check, which watch no single test, refuse it.
func follow(name string, begin func(scope, leakcheck.Followed) (end func() []leakcheck.Leak)) leakcheck.Option {
	return leakcheck.Follow(name, func(f leakcheck.Followed) (func() []leakcheck.Leak, error) {
		if f.T == nil {
			return nil, fmt.Errorf("dbcheck.%s judges what one test uses: give it to Verify", name)
		}
		if err := tracked(name, f); err != nil {
			return nil, err
		}
		return begin(scopeOf(f), f), nil
	})
}

// tracked refuses a budget of a check that was given a pool of which nothing can be judged: it would pass whatever is done.
func tracked(name string, f leakcheck.Followed) error {
	for _, p := range f.Probes {
		if c, ok := p.(*count); ok && c.plain {
			return fmt.Errorf("dbcheck.%s: the sql.DB of this check is not tracked, so that nothing can be judged: open it with dbcheck.Open or dbcheck.OpenDB", name)
		}
	}
	return nil
}

// onTracked is a limit that refuses such a check.
func onTracked(name string, limit leakcheck.Option) leakcheck.Option {
	return leakcheck.Join(limit, leakcheck.Follow(name, func(f leakcheck.Followed) (func() []leakcheck.Leak, error) {
		return func() []leakcheck.Leak { return nil }, tracked(name, f)
	}))
}

// maxFound bounds how many findings of one budget are kept.
const maxFound = 32

// found collects what a budget found.
type found struct {
	mu    sync.Mutex
	leaks []leakcheck.Leak
	seen  map[string]bool
	over  bool
}

// add keeps a finding, when it is the first of its key. It does nothing once the findings were taken.
func (f *found) add(key string, make func() leakcheck.Leak) (fresh bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over || f.seen[key] || len(f.leaks) >= maxFound {
		return false
	}
	if f.seen == nil {
		f.seen = map[string]bool{}
	}
	f.seen[key] = true
	f.leaks = append(f.leaks, make())
	return true
}

func (f *found) take() []leakcheck.Leak {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	return f.leaks
}

// at gives a finding the line of a stack.
func at(l leakcheck.Leak, pcs []uintptr) leakcheck.Leak { return atFrames(l, callers(pcs)) }

func atFrames(l leakcheck.Leak, stack []callsite.Frame) leakcheck.Leak {
	user := callsite.Without(callsite.User(stack), dbuse.Library)
	for _, f := range user {
		l.Stack = append(l.Stack, frame(f))
	}
	if site := callsite.Pick(user); site.Func != "" {
		l.Site = frame(site)
	}
	return l
}

// MaxHold fails a test that held a connection for longer than d, also when it was given back in the end. The entry says
// what the longest time without a call of the driver was, and between which calls at which lines: that is where the connection
// was held for nothing. Reading rows is no call that can be seen, and counts as such a time. d is above 0. While a check
// with this budget runs, each call of the driver costs a look at its stack, about 1 µs.
func MaxHold(d time.Duration) leakcheck.Option {
	if d <= 0 {
		return leakcheck.Fail(fmt.Errorf("dbcheck.MaxHold(%v): the limit must be above 0, as in MaxHold(100*time.Millisecond)", d))
	}
	return follow("MaxHold", func(s scope, _ leakcheck.Followed) func() []leakcheck.Leak {
		var f found
		remove := observers.Add(&dbuse.Observer{Scope: s.Scope, ByPlace: true, Released: func(l dbuse.Lease) { judgeHold(l, d, &f) }})
		return func() []leakcheck.Leak {
			remove()
			return f.take()
		}
	})
}

// judgeHold keeps a lease that was held for too long.
func judgeHold(u dbuse.Lease, d time.Duration, f *found) {
	held := lease.Now().Sub(u.Taken())
	if held <= d {
		return
	}
	name := u.What()
	f.add(name, func() leakcheck.Leak {
		spent := u.Spent()
		before := spent.Before
		if before == "" {
			before = "its beginning"
		}
		return at(leakcheck.Leak{
			Kind: kindOf(u.Pool()), Code: codeMaxHold,
			Summary: fmt.Sprintf("%s held its connection for longer than %v", name, d),
			State:   sqltext.Statement(spent.Statement),
			Holds: []string{
				fmt.Sprintf("the connection, for %s", round(held)),
				fmt.Sprintf("of which %s without a call of the driver, between %s and %s", round(spent.Gap), before, spent.After),
			},
			Hint: "do what takes long before the connection is taken, or after it is given back",
		}, u.PCs())
	})
}

// MaxConns fails a test that had more than n connections open at one moment, idle ones included. Given to Verify it counts
// those of its pool; given to leakcheck.Verify those that the test and its subtests opened in all wrapped pools together, so that a pool for each call is
// found too. n is at least 1.
func MaxConns(n int) leakcheck.Option {
	if n < 1 {
		return leakcheck.Fail(fmt.Errorf("dbcheck.MaxConns(%d): the limit must be at least 1", n))
	}
	return follow("MaxConns", func(s scope, _ leakcheck.Followed) func() []leakcheck.Leak {
		var (
			mu        sync.Mutex
			open      = make(map[opened]bool)
			base      int // there before
			peak, all int
			last      []uintptr
			kind      = leakcheck.SQLConn
		)
		for _, p := range dbpool.All() {
			if slices.ContainsFunc(s.Pools, func(l *lease.Pool) bool { return l.ID() == p.ID }) {
				base += len(p.Conns)
			}
		}
		peak = base
		before := base
		remove := observers.Add(&dbuse.Observer{
			Scope: s.Scope,
			Opened: func(p *lease.Pool, c dbuse.Conn) {
				mu.Lock()
				defer mu.Unlock()
				kind = kindOf(p)
				open[opened{p, c.ID}] = true
				all++
				if now := base + len(open); now > peak {
					peak, last = now, c.PCs
				}
			},
			Closed: func(p *lease.Pool, c dbuse.Conn) {
				mu.Lock()
				defer mu.Unlock()
				if of := (opened{p, c.ID}); open[of] {
					delete(open, of)
				} else {
					base = max(0, base-1)
				}
			},
		})
		return func() []leakcheck.Leak {
			remove()
			mu.Lock()
			defer mu.Unlock()
			if peak <= n {
				return nil
			}
			state := fmt.Sprintf("%d opened in all", all)
			if before > 0 {
				state = fmt.Sprintf("%d opened in the test; %d open before it", all, before)
			}
			return []leakcheck.Leak{at(leakcheck.Leak{
				Kind: kind, Code: codeMaxConns, Example: true,
				Summary: fmt.Sprintf("%d database connections were open at once, and the budget is %d", peak, n),
				State:   state,
				Hint:    oneOf(kind) + " for all calls, give connections back before the next one is taken, or limit the pool: " + limitOf(kind),
			}, last)}
		}
	})
}

// opened names a connection: pools number theirs each for itself.
type opened struct {
	pool *lease.Pool
	id   uint64
}

// kindOf is the kind of connection that a pool lends.
func kindOf(p *lease.Pool) leakcheck.Kind { return leakcheck.Kind(p.Kind()) }

// lends says whether a pool of this kind lends connections to a database.
func lends(k leakcheck.Kind) bool { return k == leakcheck.SQLConn || k == leakcheck.PgxConn }

func oneOf(k leakcheck.Kind) string {
	if k == leakcheck.PgxConn {
		return "use one pgxpool.Pool"
	}
	return "use one sql.DB"
}

// limitOf says how a pool is given a limit.
func limitOf(k leakcheck.Kind) string {
	if k == leakcheck.PgxConn {
		return "cfg.MaxConns, or pool_max_conns in the connection string"
	}
	return "db.SetMaxOpenConns(n)"
}

// idleOf says how a pool is made to keep its connections.
func idleOf(k leakcheck.Kind) string {
	if k == leakcheck.PgxConn {
		return "use one pool for all calls, and give connections back with their rows closed and their transaction ended"
	}
	return "keep as many idle connections as are used at once: db.SetMaxIdleConns (2 without it)"
}

func uniquePools(pools []*pool) (out []*pool) {
	seen := make(map[*pool]bool)
	for _, p := range pools {
		if !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	return out
}

// MinReuse fails a test in which less than this share of a wrapped pool's leases found an open connection: a pool in name
// only. share is above 0 and at most 1. The first lease can find none, so that it does not count; with one there is nothing
// to judge.
func MinReuse(share float64) leakcheck.Option {
	if !(share > 0 && share <= 1) {
		return leakcheck.Fail(fmt.Errorf("dbcheck.MinReuse(%v): the share must be above 0 and at most 1, as in MinReuse(0.9)", share))
	}
	return onTracked("MinReuse", leakcheck.Limit("MinReuse", func(u leakcheck.Usage) (leakcheck.Leak, bool) {
		if !lends(u.Kind) || u.Requests < 2 {
			return leakcheck.Leak{}, false
		}
		got := float64(u.Reused) / float64(u.Requests-1)
		return leakcheck.Leak{
			Kind: u.Kind, Code: codeMinReuse,
			Summary: fmt.Sprintf("%s reused a connection for %.0f%% of its leases, and the budget is %.0f%%", u.Pool, got*100, share*100),
			State:   uses(u) + "; the first does not count",
			Hint:    idleOf(u.Kind),
		}, got < share
	}))
}

// HighWater is leakcheck.HighWater for pools of connections to a database: it fails a test that had more than this share of a
// wrapped pool's connections out at one moment. HighWater(0.75) leaves a quarter of db.SetMaxOpenConns as a reserve. share is
// above 0 and at most 1. A pool without a limit fails it too, because there is nothing to take a share of.
func HighWater(share float64) leakcheck.Option {
	if !(share > 0 && share <= 1) {
		return leakcheck.Fail(fmt.Errorf("dbcheck.HighWater(%v): the share must be above 0 and at most 1, as in HighWater(0.75)", share))
	}
	unlimited := leakcheck.Limit("HighWater", func(u leakcheck.Usage) (leakcheck.Leak, bool) {
		return leakcheck.Leak{
			Kind: u.Kind, Code: codeHighWater,
			Summary: fmt.Sprintf("%s has no limit, so that no share of it can be kept", u.Pool),
			State:   uses(u),
			Hint:    limitOf(u.Kind),
		}, lends(u.Kind) && u.PeakLeased > 0 && u.Size == 0
	})
	return onTracked("HighWater", leakcheck.Join(leakcheck.HighWater(share, leakcheck.SQLConn, leakcheck.PgxConn), unlimited))
}

func uses(u leakcheck.Usage) string {
	return many(u.Requests, "lease") + ", " + many(u.Dialed, "connection") + " opened"
}

func many(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
