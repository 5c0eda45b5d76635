package lease

import (
	"cmp"
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
	Early       [][]uintptr // stacks that took the leases that were closed early, the last 16
}

type tally struct {
	requests, leased, peak, dialed, reused, early int
	sites                                         [][]uintptr // of early close i at i modulo maxEarly
	outer                                         *tally      // of the watch around this one, which counts the same; nil when there is none
}

func (y *tally) closedEarly(site []uintptr) {
	if len(y.sites) < maxEarly {
		y.sites = append(y.sites, site)
	} else {
		y.sites[y.early%maxEarly] = site
	}
	y.early++
}

// since gives what was counted after before, all of it for the zero tally. The peak is the tally's own.
func (y *tally) since(before tally, p *Pool) Usage {
	u := Usage{
		Pool: p, Requests: y.requests - before.requests, Leased: y.leased, Peak: y.peak, Dialed: y.dialed - before.dialed,
		Reused: y.reused - before.reused, ClosedEarly: y.early - before.early,
	}
	for i := max(before.early, y.early-maxEarly); i < y.early; i++ {
		u.Early = append(u.Early, y.sites[i%maxEarly])
	}
	return u
}

// peak is how many leases were out after a Take: the one of that number since the pool was made.
type peak struct {
	taken  uint64
	leased int
}

// leased counts a lease that is out from now on. p.peaks keeps those moments that no later one has reached, so that the
// most leases out since any moment can be told afterwards: it is never longer than the highest peak. The table is locked.
func (p *Pool) leased() {
	p.taken++
	p.total.leased++
	p.total.peak = max(p.total.peak, p.total.leased)
	for len(p.peaks) > 0 && p.peaks[len(p.peaks)-1].leased <= p.total.leased {
		p.peaks = p.peaks[:len(p.peaks)-1]
	}
	p.peaks = append(p.peaks, peak{p.taken, p.total.leased})
}

// Usage is what was used of the pool since it was made.
func (p *Pool) Usage() Usage {
	p.table.mu.Lock()
	defer p.table.mu.Unlock()
	return p.total.since(tally{}, p)
}

// Meter counts what is used of one pool from a moment on, whoever uses it. It costs nothing until it is read.
type Meter struct {
	pool   *Pool
	before tally
	taken  uint64
}

// Meter begins to count.
func (p *Pool) Meter() *Meter {
	p.table.mu.Lock()
	defer p.table.mu.Unlock()
	before := p.total
	before.sites = nil
	return &Meter{pool: p, before: before, taken: p.taken}
}

// Usage is what was used since the Meter was made. Leases that were out already count in Leased and Peak.
func (m *Meter) Usage() Usage {
	p := m.pool
	p.table.mu.Lock()
	defer p.table.mu.Unlock()
	u := p.total.since(m.before, p)
	u.Peak = m.before.leased
	for _, k := range p.peaks {
		if k.taken > m.taken {
			u.Peak = max(u.Peak, k.leased)
			break
		}
	}
	return u
}

type watch struct {
	use   map[*Pool]*tally
	outer *watch // that this one began inside of; nil when there is none
}

// Watch begins to count what the watch id uses, watches inside of it (label.Parent) included. Every call needs one Unwatch.
func (t *Table) Watch(id label.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.watch == nil {
		t.watch = make(map[label.ID]*watch)
	}
	if t.watch[id] == nil {
		t.watch[id] = &watch{use: make(map[*Pool]*tally), outer: t.innermost(label.Parent(id))}
	}
	t.watching.Add(1)
}

// Unwatch ends Watch. When nobody watches any more, leases that hold nothing (Unclosed) are forgotten.
func (t *Table) Unwatch(id label.ID) {
	t.mu.Lock()
	delete(t.watch, id)
	t.mu.Unlock()
	if t.watching.Add(-1) == 0 {
		t.sweep()
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
		out = append(out, y.since(tally{}, p))
	}
	slices.SortFunc(out, func(a, b Usage) int { return cmp.Compare(a.Pool.id, b.Pool.id) })
	return out
}

// Out counts the leases that are out now, by pool; nil when there are none.
func (t *Table) Out() map[*Pool]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out map[*Pool]int
	for l := t.first; l != nil; l = l.next {
		if l.back {
			continue
		}
		if out == nil {
			out = make(map[*Pool]int)
		}
		out[l.pool.Load()]++
	}
	return out
}

// innermost gives the watch id, or when it has ended the next around it that has not; nil when there is none. The table is
// locked.
func (t *Table) innermost(id label.ID) *watch {
	for ; id != 0 && len(t.watch) > 0; id = label.Parent(id) {
		if w := t.watch[id]; w != nil {
			return w
		}
	}
	return nil
}

// tally gives what the watch has used of the pool; nil when neither it nor one around it counts. The table is locked.
func (t *Table) tally(p *Pool, id label.ID) *tally { return t.innermost(id).tally(p) }

func (w *watch) tally(p *Pool) *tally {
	if w == nil {
		return nil
	}
	y := w.use[p]
	if y == nil {
		y = &tally{outer: w.outer.tally(p)}
		w.use[p] = y
	}
	return y
}

// Request counts one request that the watch sent.
func (p *Pool) Request(id label.ID) {
	p.table.mu.Lock()
	p.total.requests++
	for y := p.table.tally(p, id); y != nil; y = y.outer {
		y.requests++
	}
	p.table.mu.Unlock()
}

// Dialed counts a connection that was opened for a request.
func (p *Pool) Dialed(id label.ID) {
	p.table.mu.Lock()
	p.total.dialed++
	for y := p.table.tally(p, id); y != nil; y = y.outer {
		y.dialed++
	}
	p.table.mu.Unlock()
}

// Reused counts a request on a connection that had served another before.
func (p *Pool) Reused(id label.ID) {
	p.table.mu.Lock()
	p.total.reused++
	for y := p.table.tally(p, id); y != nil; y = y.outer {
		y.reused++
	}
	p.table.mu.Unlock()
}
