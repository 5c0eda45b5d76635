package dbcheck

import (
	"fmt"
	"strings"
	"time"
	"unsafe"

	"github.com/leakgate/leakgate/internal/dbuse"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/leakcheck"
)

// NoNestedLease fails a test in which a goroutine that holds a connection of a wrapped pool asks for another one of the same
// pool. As many goroutines as the pool has connections, each with one in its hand, then wait for each other for ever.
//
// What asks and gets one is seen at once. What asks and has to wait does not reach the driver: while the test runs, a timer
// looks for that too where the sql.DB is known (Verify, DB, OpenDB, Open), every 10 ms and only when somebody has begun to wait. When it still
// waits after two seconds, the test fails at once, and says why; what ends it is its context, or go test's own timeout.
//
// Leases that were taken before the check began are not counted, so that a test may run inside a transaction of its own.
//
// A lease that one goroutine took and handed to another still counts for the first one.
func NoNestedLease() leakcheck.Option {
	return follow("NoNestedLease", func(s scope, fd leakcheck.Followed) func() []leakcheck.Leak {
		var f found
		remove := observers.Add(&dbuse.Observer{
			Scope: s.Scope, ByGoid: true,
			Leased: func(u dbuse.Lease) {
				if _, ok := u.(*use); !ok {
					return // Asked has told it
				}
				for _, outer := range observers.HeldBy(u.Goroutine()) {
					if outer.Pool() == u.Pool() {
						name := u.What()
						f.add(outer.What()+" "+name, func() leakcheck.Leak { return at(nested(name+" was taken", outer), u.PCs()) })
					}
				}
			},
			Asked: func(a *dbuse.Ask) {
				if outer, leak, ok := nestedAsk(a); ok {
					f.add(outer.What()+" "+leak.Site.String(), func() leakcheck.Leak { return leak })
				}
			},
		})
		w := newWaiters(s, &f, fd.T)
		stop := every(fd, 10*time.Millisecond, func() {
			w.look()
			w.lookAsks()
		})
		return func() []leakcheck.Leak {
			stop()
			remove()
			return f.take()
		}
	})
}

// nestedAsk gives the lease that the goroutine of somebody who asks holds of the same pool.
func nestedAsk(a *dbuse.Ask) (outer dbuse.Lease, leak leakcheck.Leak, ok bool) {
	for _, outer := range observers.HeldBy(a.Goroutine) {
		if outer.Pool() == a.Pool {
			return outer, at(nested("a connection was asked for", outer), a.PCs), true
		}
	}
	return nil, leak, false
}

func nested(what string, outer dbuse.Lease) leakcheck.Leak {
	return leakcheck.Leak{
		Kind: kindOf(outer.Pool()), Code: codeNested,
		Summary: fmt.Sprintf("%s while its goroutine held another connection of the pool: %s", what, outer.What()),
		Holds:   takenRows("the first", outer),
		State:   "with as many goroutines as the pool has connections, all of them wait for ever",
		Hint:    "give the first back before the second is taken, or use the first for both: " + queryOf(kindOf(outer.Pool())),
	}
}

func queryOf(k leakcheck.Kind) string {
	if k == leakcheck.PgxConn {
		return "tx.Query, conn.Query"
	}
	return "tx.QueryContext, conn.QueryContext"
}

// waiters looks for goroutines that wait for a connection while they hold one.
type waiters struct {
	scope scope
	found *found
	t     leakcheck.TB

	dumper goroutine.Dumper
	waits  map[*pool]int64
	since  map[uint64]time.Time // by goroutine
	said   map[*dbuse.Ask]bool
}

func newWaiters(s scope, f *found, t leakcheck.TB) *waiters {
	w := &waiters{scope: s, found: f, t: t, waits: make(map[*pool]int64), since: make(map[uint64]time.Time), said: make(map[*dbuse.Ask]bool)}
	for _, p := range uniquePools(s.pools) {
		if db := p.handle(); db != nil {
			w.waits[p] = db.Stats().WaitCount
		}
	}
	return w
}

// maxWait is how long a goroutine waits before the test is told at once.
const maxWait = 2 * time.Second

func (w *waiters) look() {
	held := observers.Holders()
	waiting := len(w.since) > 0
	for _, ls := range held {
		for _, l := range ls { // it may hold connections of several pools
			u, ok := l.(*use) // of a pool of database/sql: others tell who asks
			if !ok {
				continue
			}
			db := u.pool.handle()
			if db == nil {
				continue
			}
			if n := db.Stats().WaitCount; n != w.waits[u.pool] {
				w.waits[u.pool] = n
				waiting = true
			}
		}
	}
	if !waiting {
		return
	}
	still := make(map[uint64]bool)
	dump := w.dumper.Dump()
	observers.StillHeld(held)
	goroutine.Scan(dump, func(h goroutine.Head) bool {
		ls := held[h.ID]
		if len(ls) == 0 {
			return true
		}
		g, _ := goroutine.Parse(h.Block)
		for i, fr := range g.Frames {
			if fr.Func != "database/sql.(*DB).conn" || i >= len(g.Args) || g.State != "select" {
				continue
			}
			for _, l := range ls {
				u, ok := l.(*use)
				if !ok {
					continue
				}
				db := u.pool.handle()
				if db == nil || !w.scope.CoversLease(u) || goroutine.FirstPointer(g.Args[i]) != uint64(uintptr(unsafe.Pointer(db))) {
					continue
				}
				still[h.ID] = true
				leak := atFrames(nested("a connection was asked for", u), g.Frames)
				key := u.What() + " waits at " + leak.Site.String()
				w.found.add(key, func() leakcheck.Leak { return leak })
				if since, ok := w.since[h.ID]; !ok {
					w.since[h.ID] = time.Now()
				} else if time.Since(since) > maxWait {
					w.since[h.ID] = time.Now().Add(time.Hour) // say it once
					w.found.say(w.t, selfDeadlock(leak, u))
				}
				break
			}
		}
		return true
	})
	for id := range w.since {
		if !still[id] {
			delete(w.since, id)
		}
	}
}

// lookAsks looks at those who wait for a pool that tells so.
func (w *waiters) lookAsks() {
	for _, a := range observers.Asks() {
		if !w.scope.Covers(a.Pool, a.Test) || w.said[a] || time.Since(a.Since) <= maxWait {
			continue
		}
		if outer, leak, ok := nestedAsk(a); ok {
			w.said[a] = true
			w.found.say(w.t, selfDeadlock(leak, outer))
		}
	}
}

// selfDeadlock words a wait: where the goroutine waits, and where it took what it holds.
func selfDeadlock(leak leakcheck.Leak, outer dbuse.Lease) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)\n", leak.Summary, codeNested)
	fmt.Fprintf(&b, "  waits at    %s\n", where(leak.Site))
	if leak.Site.Source != "" {
		fmt.Fprintf(&b, "                  %s\n", leak.Site.Source)
	}
	fmt.Fprintf(&b, "  holds       %s\n", outer.What())
	b.WriteString(takenAt(outer.PCs()))
	fmt.Fprintf(&b, "  fix         %s", leak.Hint)
	return b.String()
}

// say fails the test while it runs, because it may never end.
func (f *found) say(t leakcheck.TB, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return
	}
	speak(t, text)
}

// waitsText begins what is said while a test waits.
const waitsText = "dbcheck: this test waits, perhaps for ever: "

func speak(t leakcheck.TB, text string) {
	t.Helper()
	text = waitsText + strings.TrimSpace(text)
	toStderr(t.Name(), text)
	t.Errorf("%s", text)
}

// every calls look from time to time, never twice at once, until stop is called; stop waits for one that runs. In a
// testing/synctest bubble it does nothing: time there stands still while the test waits, and would run on for ever with a timer.
func every(f leakcheck.Followed, d time.Duration, look func()) (stop func()) {
	if f.Bubble || f.T == nil {
		return func() {}
	}
	return dbuse.Every(d, look)
}
