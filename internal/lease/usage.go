package lease

import (
	"slices"

	"github.com/leakgate/leakgate/internal/label"
)

// maxEarly bounds how many early closes are kept with their call site, for each pool and watch.
const maxEarly = 16

// Usage is what was used of one pool, in all or by one watch.
type Usage struct {
	Pool        *Pool
	Requests    int         // requests sent, with or without a lease
	Leased      int         // leases out now
	Peak        int         // most leases out at one moment
	Dialed      int         // connections opened for a request
	Reused      int         // requests on a connection that had served another before
	ClosedEarly int         // bodies closed before EOF
	Early       [][]uintptr // stacks that took the leases that were closed early, at most 16
}

type tally struct {
	requests, leased, peak, dialed, reused, early int
	sites                                         [][]uintptr
}

func (y *tally) usage(p *Pool) Usage {
	return Usage{Pool: p, Requests: y.requests, Leased: y.leased, Peak: y.peak, Dialed: y.dialed,
		Reused: y.reused, ClosedEarly: y.early, Early: slices.Clone(y.sites)}
}

type watch struct {
	use map[*Pool]*tally
}

// Watch begins to count what the watch id uses. Every call needs one Unwatch.
func (t *Table) Watch(id label.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.watch == nil {
		t.watch = make(map[label.ID]*watch)
	}
	if t.watch[id] == nil {
		t.watch[id] = &watch{use: make(map[*Pool]*tally)}
	}
	t.watching.Add(1)
}

// Unwatch ends Watch. When nobody watches any more, leases that hold nothing (Unclosed) are forgotten.
func (t *Table) Unwatch(id label.ID) {
	t.mu.Lock()
	delete(t.watch, id)
	t.mu.Unlock()
	if t.watching.Add(-1) > 0 {
		return
	}
	for _, l := range t.All(nil) { // Now may lock the table itself
		if l.Now() != Held {
			l.forget()
		}
	}
}

// Used lists what the watch used, one entry for each pool, in the order in which the pools were made.
func (t *Table) Used(id label.ID) []Usage {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.watch[id]
	if w == nil {
		return nil
	}
	out := make([]Usage, 0, len(w.use))
	for p, y := range w.use {
		out = append(out, y.usage(p))
	}
	slices.SortFunc(out, func(a, b Usage) int { return int(a.Pool.id) - int(b.Pool.id) })
	return out
}

// Usage is what was used of the pool since it was made.
func (p *Pool) Usage() Usage {
	p.table.mu.Lock()
	defer p.table.mu.Unlock()
	return p.total.usage(p)
}

// each calls f with every tally that an event of the pool under the watch counts in. t.mu is held.
func (t *Table) each(p *Pool, id label.ID, f func(*tally)) {
	f(&p.total)
	if id == 0 {
		return
	}
	if w := t.watch[id]; w != nil {
		y := w.use[p]
		if y == nil {
			y = new(tally)
			w.use[p] = y
		}
		f(y)
	}
}

// Request counts one request that the watch sent.
func (p *Pool) Request(id label.ID) { p.count(id, func(y *tally) { y.requests++ }) }

// Dialed counts a connection that was opened for a request.
func (p *Pool) Dialed(id label.ID) { p.count(id, func(y *tally) { y.dialed++ }) }

// Reused counts a request on a connection that had served another before.
func (p *Pool) Reused(id label.ID) { p.count(id, func(y *tally) { y.reused++ }) }

// ClosedEarly counts a lease that was closed before its end, and keeps where it was taken.
func (p *Pool) ClosedEarly(l *Lease) {
	p.count(l.test, func(y *tally) {
		y.early++
		if len(y.sites) < maxEarly {
			y.sites = append(y.sites, slices.Clone(l.PCs()))
		}
	})
}

func (p *Pool) count(id label.ID, f func(*tally)) {
	p.table.mu.Lock()
	p.table.each(p, id, f)
	p.table.mu.Unlock()
}

// ResetPeak begins a new count of the most leases out at one moment, for the pool as a whole.
func (p *Pool) ResetPeak() {
	p.table.mu.Lock()
	p.total.peak = p.total.leased
	p.table.mu.Unlock()
}
