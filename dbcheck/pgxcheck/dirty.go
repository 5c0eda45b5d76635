package pgxcheck

import (
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/dbuse"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/sqltext"
	"github.com/leakgate/leakgate/leakcheck"
)

// maxDirty bounds how many releases of dirty connections one check keeps.
const maxDirty = 32

// listener is a check that wants to know of connections that are released dirty.
type listener struct {
	scope dbuse.Scope

	mu    sync.Mutex
	leaks []leakcheck.Leak
	seen  map[string]bool
}

// releasedDirty makes the option that fails a test for connections of the pool that were released with open rows or an
// open transaction. Nothing is held then, so that no look finds it afterwards.
func releasedDirty(p *pool) leakcheck.Option {
	return leakcheck.Follow("release", func(f leakcheck.Followed) (func() []leakcheck.Leak, error) {
		l := &listener{scope: dbuse.Scope{Test: label.ID(f.Test)}, seen: make(map[string]bool)}
		p.mu.Lock()
		p.listeners = append(p.listeners, l)
		p.mu.Unlock()
		return func() []leakcheck.Leak {
			p.mu.Lock()
			p.listeners = slices.DeleteFunc(p.listeners, func(o *listener) bool { return o == l })
			p.mu.Unlock()
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.leaks
		}, nil
	})
}

// mine says whether the check is to fail for a lease: it is its test's, or nobody's while no other test looks at the pool.
func (l *listener) mine(by label.ID, name string, alone bool) bool {
	if by == l.scope.Test {
		return true
	}
	if by == 0 {
		return alone
	}
	return label.NameOf(l.scope.Test) == name
}

// dirty looks at a connection that is given back, on the goroutine that gives it back.
func (p *pool) dirty(u *use, open *rows, begun []uintptr, c *pgx.Conn) {
	inTx := !c.IsClosed() && c.PgConn().TxStatus() != 'I'
	if open == nil && !inTx {
		return
	}
	p.mu.Lock()
	all := slices.Clone(p.listeners)
	p.mu.Unlock()
	if len(all) == 0 {
		return
	}
	by := u.Test()
	for _, l := range all {
		if l.mine(by, label.NameOf(by), len(all) == 1) {
			var pcs [lease.MaxDepth]uintptr
			n := runtime.Callers(3, pcs[:])
			l.add(dirtyLeak(u, open, begun, pcs[:n]))
		}
	}
}

func (l *listener) add(leak leakcheck.Leak) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.seen[leak.Summary] && len(l.leaks) < maxDirty {
		l.seen[leak.Summary] = true
		l.leaks = append(l.leaks, leak)
	}
}

// dirtyLeak describes a release with open rows, or else with an open transaction.
func dirtyLeak(u *use, open *rows, begun, released []uintptr) leakcheck.Leak {
	leak := leakcheck.Leak{
		Kind: leakcheck.PgxConn, Code: codeDirty,
		State: "the pool destroys the connection, and has to open another for the next who asks",
	}
	name := u.What()
	from := begun
	if open != nil {
		what := open.what()
		leak.Summary = fmt.Sprintf("%s was released with open rows: %s %s", name, what, ended(open))
		_, t := open.lends()
		leak.Hint = t.Hint + ", after defer conn.Release()"
		from = open.PCs()
		if q := sqltext.Statement(open.query); q != "" {
			leak.Holds = append(leak.Holds, "the rows of "+q)
		}
	} else {
		leak.Summary = name + " was released with an open transaction"
		if begun != nil {
			c := callOf(begun)
			leak.Summary += ": " + c.what("the one", begun)
		}
		leak.Hint = "defer tx.Rollback(ctx), after defer conn.Release()"
	}
	if from == nil {
		from = released
	}
	if site := callsite.Pick(user(released)); site.Func != "" {
		leak.Holds = append(leak.Holds, "released at "+where(site))
	}
	if u.conn.pid != 0 {
		leak.Holds = append(leak.Holds, fmt.Sprintf("server process %d", u.conn.pid))
	}
	return at(leak, from)
}

func ended(r *rows) string {
	_, t := r.lends()
	return t.End
}
