package leakcheck

import (
	"strings"
	"time"

	"github.com/leakgate/leakgate/internal/dbpool"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
)

// How often it is looked whether somebody waits while a pool of database/sql is full.
const (
	firstLook = time.Millisecond
	lastLook  = 20 * time.Millisecond
	noLook    = time.Hour
	dumpShare = 100 // a dump may take one part of this of the time
)

// firstDump is the time from the beginning of a load to its first dump at least. Tests of this package have more.
var firstDump time.Duration

// poolWatch measures the pools while a load runs, and looks for the moment at which one is exhausted.
type poolWatch struct {
	m      *lease.Measure
	before map[uint64]dbpool.Stats
	seen   map[*lease.Pool]*lease.Exhaustion // the last time that the pool was found full
	dumper goroutine.Dumper
	pause  time.Duration
	rest   time.Time // no dump before
}

func watchPools(test TestID) *poolWatch {
	w := &poolWatch{before: dbpool.AllStats(), seen: make(map[*lease.Pool]*lease.Exhaustion), pause: firstLook, rest: time.Now().Add(firstDump)}
	sizes := make(map[uint64]int, len(w.before))
	for id, s := range w.before {
		sizes[id] = s.Size
	}
	w.m = lease.Live.Measure(label.ID(test), sizes)
	return w
}

// woken says that there is something to look at.
func (w *poolWatch) woken() <-chan struct{} { return w.m.Wake() }

// look looks whether somebody waits for a connection of a pool that is full, and says when to look again. That a pool is
// full is known at once; who waits for one of database/sql is only seen in a dump, which is taken when the pool's own count
// of waits has grown. Where the pool was full before the dump, or still is after it, and the dump shows somebody who
// waits, then at one moment both were so: as long as somebody waits, what is given back is handed on.
func (w *poolWatch) look() time.Duration {
	w.m.Resize()
	full := w.m.FullPools()
	if len(full) == 0 {
		w.pause = firstLook
		return noLook
	}
	stats := dbpool.AllStats()
	waited := false
	for p, e := range full {
		w.seen[p] = e
		waited = waited || stats[p.ID()].Waits > w.before[p.ID()].Waits
	}
	now := time.Now()
	if waited && !now.Before(w.rest) {
		n := w.waiters(full)
		for p, e := range w.m.FullPools() {
			if full[p] == nil {
				full[p] = e
			}
		}
		for p, e := range full {
			if e.Waiting = n[p.ID()]; e.Waiting > 0 {
				w.m.Exhausted(p, e)
				if onExhausted != nil {
					onExhausted()
				}
			}
		}
		w.rest = now.Add(dumpShare * time.Since(now))
	}
	d := w.pause
	w.pause = min(2*w.pause, lastLook)
	return max(d, time.Until(w.rest))
}

// onExhausted is set by tests of this package; nil otherwise.
var onExhausted func()

// waiters counts the goroutines that wait for a connection of a sql.DB, by the ID of its pool. Where the dump does not
// show of which, and one alone is full, it is that one.
func (w *poolWatch) waiters(full map[*lease.Pool]*lease.Exhaustion) map[uint64]int {
	byDB := make(map[uint64]uint64)
	for _, v := range dbpool.All() {
		if v.DB != 0 {
			byDB[uint64(v.DB)] = v.ID
		}
	}
	var only uint64
	if len(full) == 1 {
		for p := range full {
			only = p.ID()
		}
	}
	n := make(map[uint64]int)
	goroutine.Scan(w.dumper.Dump(), func(h goroutine.Head) bool {
		if string(h.State) != "select" {
			return true
		}
		g, _ := goroutine.Parse(h.Block)
		if len(g.Frames) == 0 || g.Frames[0].Func != "database/sql.(*DB).conn" {
			return true
		}
		id := only
		if len(g.Args) > 0 && !strings.Contains(g.Args[0], "?") {
			if db := goroutine.FirstPointer(g.Args[0]); db != 0 {
				id = byDB[db]
			}
		}
		n[id]++
		return true
	})
	return n
}

// end ends the measuring and gives the load what was measured.
func (w *poolWatch) end(load *Load) {
	w.m.Resize()
	w.m.End()
	after := dbpool.AllStats()
	for _, m := range w.m.Measured() {
		if k := Kind(m.Pool.Kind()); k == SQLStmt || k == PgxRows {
			continue // no connections, but what is open on them
		}
		id := m.Pool.ID()
		if s, ok := after[id]; ok {
			b := w.before[id]
			m.Waits, m.Waited = int(s.Waits-b.Waits), s.Waited-b.Waited
			// A wait with nothing closed and all out is one of a pool that is used up; where the pool itself closes
			// connections, it may be for one that is about to be gone.
			if m.Moment == nil && m.Waits > 0 && m.Size > 0 && m.Peak >= m.Size && s.Ended == b.Ended {
				if m.Moment = w.seen[m.Pool]; m.Moment == nil {
					m.Moment = &lease.Exhaustion{Out: m.Peak}
				}
			}
		}
		load.Pools = append(load.Pools, poolLoad(m, load.Took))
	}
}
