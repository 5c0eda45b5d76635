package dbcheck

import (
	"fmt"
	"strings"
	"sync"
	"time"
	"unsafe"

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
func NoNestedLease() leakcheck.Option {
	return follow("NoNestedLease", func(s scope, fd leakcheck.Followed) func() []leakcheck.Leak {
		var f found
		remove := observers.add(&observer{
			scope: s, byGoid: true,
			leased: func(u *use) {
				for _, outer := range observers.heldBy(u.goid) {
					if outer.pool == u.pool {
						name := describeUse(u)
						f.add(describeUse(outer)+" "+name, func() leakcheck.Leak { return at(nested(name+" was taken", outer), u.PCs()) })
					}
				}
			},
		})
		stop := every(fd, 10*time.Millisecond, newWaiters(s, &f, fd.T).look)
		return func() []leakcheck.Leak {
			stop()
			remove()
			return f.take()
		}
	})
}

func nested(what string, outer *use) leakcheck.Leak {
	return leakcheck.Leak{
		Kind: leakcheck.SQLConn, Code: codeNested,
		Summary: fmt.Sprintf("%s while its goroutine held another connection of the pool: %s", what, describeUse(outer)),
		State:   "with as many goroutines as the pool has connections, all of them wait for ever",
		Hint:    "give the first back before the second is taken, or use the first for both: tx.QueryContext, conn.QueryContext",
	}
}

// waiters looks for goroutines that wait for a connection while they hold one.
type waiters struct {
	scope scope
	found *found
	t     leakcheck.TB

	dumper goroutine.Dumper
	waits  map[*pool]int64
	since  map[uint64]time.Time // by goroutine
}

func newWaiters(s scope, f *found, t leakcheck.TB) *waiters {
	w := &waiters{scope: s, found: f, t: t, waits: make(map[*pool]int64), since: make(map[uint64]time.Time)}
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
	held := observers.holders()
	waiting := len(w.since) > 0
	for _, us := range held {
		p := us[0].pool
		db := p.handle()
		if db == nil {
			continue
		}
		if n := db.Stats().WaitCount; n != w.waits[p] {
			w.waits[p] = n
			waiting = true
		}
	}
	if !waiting {
		return
	}
	still := make(map[uint64]bool)
	goroutine.Scan(w.dumper.Dump(), func(h goroutine.Head) bool {
		us := held[h.ID]
		if len(us) == 0 {
			return true
		}
		g, _ := goroutine.Parse(h.Block)
		for i, fr := range g.Frames {
			if fr.Func != "database/sql.(*DB).conn" || i >= len(g.Args) || g.State != "select" {
				continue
			}
			for _, u := range us {
				db := u.pool.handle()
				if db == nil || !w.scope.coversUse(u) || goroutine.FirstPointer(g.Args[i]) != uint64(uintptr(unsafe.Pointer(db))) {
					continue
				}
				still[h.ID] = true
				leak := atFrames(nested("a connection was asked for", u), g.Frames)
				key := describeUse(u) + " waits at " + leak.Site.String()
				w.found.add(key, func() leakcheck.Leak { return leak })
				if since, ok := w.since[h.ID]; !ok {
					w.since[h.ID] = time.Now()
				} else if time.Since(since) > maxWait {
					w.since[h.ID] = time.Now().Add(time.Hour) // say it once
					w.found.say(w.t, fmt.Sprintf("%s\n  it waits at %s\n  and holds   %s\n  fix         %s",
						leak.Summary, where(leak.Site), describeUse(u), leak.Hint))
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

// say fails the test while it runs, because it may never end.
func (f *found) say(t leakcheck.TB, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return
	}
	speak(t, text)
}

func speak(t leakcheck.TB, text string) {
	t.Helper()
	text = "dbcheck: this test waits, perhaps for ever: " + strings.TrimSpace(text)
	toStderr(t.Name(), text)
	t.Errorf("%s", text)
}

// every calls look from time to time, never twice at once, until stop is called; stop waits for one that runs. In a
// testing/synctest bubble it does nothing: time there stands still while the test waits, and would run on for ever with a timer.
func every(f leakcheck.Followed, d time.Duration, look func()) (stop func()) {
	if f.Bubble || f.T == nil {
		return func() {}
	}
	var (
		mu    sync.Mutex
		over  bool
		timer *time.Timer
	)
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(d, func() {
		mu.Lock()
		defer mu.Unlock()
		if over {
			return
		}
		look()
		timer.Reset(d)
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		over = true
		timer.Stop()
	}
}
