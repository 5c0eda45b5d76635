package lease

import (
	"net/netip"
	"time"

	"github.com/leakgate/leakgate/internal/callstack"
	"github.com/leakgate/leakgate/internal/label"
)

// Measure measures the pools that one watch uses, for as long as a load runs: how many connections are out, for how long
// each, who waits for one, and who held what when a pool had no more. While nobody measures, a lease pays for one look at
// an empty list.
//
// Everything in it is guarded by table.mu.
type Measure struct {
	table  *Table
	test   label.ID
	began  Moment
	lastID uint64
	sizes  map[uint64]int // of pools, by ID, that cannot be asked on the fast path
	by     map[place]*gauge
	list   []*gauge // in the order of their first use
	wake   chan struct{}
	over   bool
}

// place is what has a limit of its own: a pool, or what an http transport keeps for one host.
type place struct {
	pool *Pool
	host string
}

// sizeUnknown is the size of a pool that was not asked yet.
const sizeUnknown = -1

// gauge is what is measured at one place.
type gauge struct {
	place
	size int

	mine, out, peak int // connections out: the watch's own; anybody's, of a pool that counts by Ask; the most at once
	last            Moment
	area            time.Duration // integral of mine over time, up to last
	leases          int           // that the watch took
	held            time.Duration // sum over those of them that are over
	longest         time.Duration
	longestBy       *callstack.Stack

	waiting int // who asks now
	waits   int // who had to wait, and has an answer
	waited  time.Duration
	full    bool
	fulls   uint64 // how often it became full
	since   Moment // of full
	fullFor time.Duration
	outs    map[*Ask]bool
	lines   map[Line]*Ask // who has the connection; of those that are known
	moment  *Exhaustion
}

// Holding is one connection that was out.
type Holding struct {
	PCs  []uintptr // stack that took it
	Held time.Duration
}

// Exhaustion is the first moment at which a pool had all of its connections out while somebody waited for one.
type Exhaustion struct {
	Out     int
	Waiting int
	Holders []Holding
}

// Measured is what was measured at one place.
type Measured struct {
	Pool      *Pool
	Host      string // of a pool whose limit is for each host; "" for others
	Size      int    // most connections that may be out at once; 0 for no limit, or not known
	Leases    int    // taken by the watch
	Out       int    // of those, still out
	Peak      int    // most connections out at one moment, whoever took them
	Held      time.Duration
	Longest   time.Duration
	LongestBy []uintptr     // stack that took the one held longest
	Area      time.Duration // integral over time of how many the watch had out
	FullFor   time.Duration // for how long all were out
	Waits     int           // of pools that count by Ask
	Waited    time.Duration
	Moment    *Exhaustion // nil when it was not seen
}

// Measure begins to measure what the watch test, and watches inside of it, use. sizes are those of pools that are known, by
// ID; others are asked by Resize. Every call needs one End.
func (t *Table) Measure(test label.ID, sizes map[uint64]int) *Measure {
	m := &Measure{table: t, test: test, sizes: sizes, by: make(map[place]*gauge), wake: make(chan struct{}, 1)}
	t.mu.Lock()
	defer t.mu.Unlock()
	m.began, m.lastID = Now(), t.IDs().Load()
	t.measures = append(t.measures[:len(t.measures):len(t.measures)], m)
	t.measuring.Add(1)
	return m
}

// End ends the measuring. What was measured can be read afterwards.
func (m *Measure) End() {
	t := m.table
	t.mu.Lock()
	defer t.mu.Unlock()
	now := Now()
	for i, o := range t.measures {
		if o == m {
			t.measures = append(t.measures[:i:i], t.measures[i+1:]...)
			t.measuring.Add(-1)
		}
	}
	m.over = true
	for _, g := range m.list {
		g.pass(now)
		g.rest(m, now)
		if g.full {
			g.fullFor += now.Sub(g.since)
		}
	}
}

// Measuring says whether anybody measures.
func (t *Table) Measuring() bool { return t.measuring.Load() > 0 }

// Wake says that a pool whose waits cannot be seen here is full, or that the size of one has to be asked.
func (m *Measure) Wake() <-chan struct{} { return m.wake }

// Resize asks pools for their size that were not asked yet. It calls into the pools.
func (m *Measure) Resize() {
	t := m.table
	t.mu.Lock()
	var ask []*gauge
	for _, g := range m.list {
		if g.size == sizeUnknown {
			ask = append(ask, g)
		}
	}
	t.mu.Unlock()
	for _, g := range ask {
		n := g.pool.Size()
		t.mu.Lock()
		g.size = n
		g.look(m, Now())
		t.mu.Unlock()
	}
}

// FullPools lists the pools that are full now, that do not count by Ask, and of which no moment of exhaustion is known, with
// what each has out.
func (m *Measure) FullPools() map[*Pool]*Exhaustion {
	t := m.table
	t.mu.Lock()
	defer t.mu.Unlock()
	var out map[*Pool]*Exhaustion
	for _, g := range m.list {
		if !g.full || g.moment != nil || g.pool.asks {
			continue
		}
		if out == nil {
			out = make(map[*Pool]*Exhaustion)
		}
		out[g.pool] = g.exhaustion(Now())
	}
	return out
}

// Exhausted notes the moment at which a pool that does not count by Ask was found with all out and somebody waiting.
func (m *Measure) Exhausted(p *Pool, e *Exhaustion) {
	t := m.table
	t.mu.Lock()
	defer t.mu.Unlock()
	if g := m.by[place{pool: p}]; g != nil && g.moment == nil {
		g.moment = e
	}
}

// Measured lists what was measured at each place that the watch used.
func (m *Measure) Measured() []Measured {
	t := m.table
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]Measured, 0, len(m.list))
	for _, g := range m.list {
		if g.leases == 0 && g.waits == 0 {
			continue // somebody else's
		}
		out = append(out, Measured{
			Pool: g.pool, Host: g.host, Size: max(g.size, 0), Leases: g.leases, Out: g.mine, Peak: g.peak, Held: g.held,
			Longest: g.longest, LongestBy: g.longestBy.PCs(), Area: g.area, FullFor: g.fullFor, Waits: g.waits, Waited: g.waited, Moment: g.moment,
		})
	}
	return out
}

// at gives the gauge of a place. The table is locked.
func (m *Measure) at(k place, size int, now Moment) *gauge {
	g := m.by[k]
	if g == nil {
		g = &gauge{place: k, size: size, last: now}
		if n, ok := m.sizes[k.pool.id]; ok {
			g.size = n
		}
		if k.pool.asks {
			g.outs, g.lines = make(map[*Ask]bool), make(map[Line]*Ask)
		}
		m.by[k] = g
		m.list = append(m.list, g)
		if g.size == sizeUnknown {
			m.ring()
		}
	}
	return g
}

// ring wakes who looks at what cannot be seen here. It never blocks.
func (m *Measure) ring() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// pass lets time pass. The table is locked.
func (g *gauge) pass(now Moment) {
	g.area += now.Sub(g.last) * time.Duration(g.mine)
	g.last = now
}

// isOut is how many connections are out, whoever took them. The table is locked.
func (g *gauge) isOut() int {
	if g.pool.asks {
		return g.out
	}
	return g.pool.total.leased
}

// look notes whether the pool is full, and whether somebody waits then. The table is locked.
func (g *gauge) look(m *Measure, now Moment) {
	n := g.isOut()
	g.peak = max(g.peak, n)
	full := g.size > 0 && n >= g.size
	switch {
	case full && !g.full:
		g.fulls++
		g.since = now
	case !full && g.full:
		g.fullFor += now.Sub(g.since)
	}
	g.full = full
	if !full || g.moment != nil {
		return
	}
	if g.waiting > 0 {
		g.moment = g.exhaustion(now)
	} else if !g.pool.asks {
		m.ring()
	}
}

// exhaustion gives who holds what now. The table is locked.
func (g *gauge) exhaustion(now Moment) *Exhaustion {
	e := &Exhaustion{Out: g.isOut(), Waiting: g.waiting}
	for a := range g.outs {
		e.Holders = append(e.Holders, Holding{PCs: a.stack.PCs(), Held: now.Sub(a.taken)})
	}
	if !g.pool.asks {
		for l := g.pool.table.first; l != nil; l = l.next {
			if !l.back && l.pool.Load() == g.pool {
				e.Holders = append(e.Holders, Holding{PCs: l.stack.PCs(), Held: now.Sub(l.taken)})
			}
		}
	}
	return e
}

// began notes a connection that is out from now on.
func (g *gauge) begins(m *Measure, now Moment, mine bool) {
	if mine {
		g.pass(now)
		g.mine++
		g.leases++
	}
	g.look(m, now)
}

// ends notes one that is back.
func (g *gauge) ends(m *Measure, now, taken Moment, by *callstack.Stack, mine bool) {
	if mine {
		g.pass(now)
		g.mine--
		g.spent(now.Sub(taken), by)
	}
	g.look(m, now)
}

func (g *gauge) spent(d time.Duration, by *callstack.Stack) {
	g.held += d
	if d > g.longest || g.longestBy == nil {
		g.longest, g.longestBy = d, by
	}
}

// rest adds what those have spent that are still out. The table is locked.
func (g *gauge) rest(m *Measure, now Moment) {
	if g.mine == 0 {
		return
	}
	for a := range g.outs {
		if m.owns(a.test) {
			g.spent(now.Sub(a.taken), a.stack)
		}
	}
	if g.pool.asks {
		return
	}
	for l := m.table.first; l != nil; l = l.next {
		if !l.back && l.pool.Load() == g.pool && m.measures(l) {
			g.spent(now.Sub(l.taken), l.stack)
		}
	}
}

func (m *Measure) owns(id label.ID) bool { return label.Within(id, m.test) }

// measures says whether the lease began while it was measured, and is the watch's.
func (m *Measure) measures(l *Lease) bool { return l.id > m.lastID && m.owns(l.test) }

// measureTake is told of a lease that begins. The table is locked.
func (t *Table) measureTake(p *Pool, l *Lease) {
	if p.asks {
		return
	}
	for _, m := range t.measures {
		m.at(place{pool: p}, sizeUnknown, l.taken).begins(m, l.taken, m.measures(l))
	}
}

// measureBack is told of a lease that ends. The table is locked.
func (t *Table) measureBack(p *Pool, l *Lease) {
	now := Now()
	if a := l.ask; a != nil {
		a.end(now)
		return
	}
	if p.asks {
		return
	}
	for _, m := range t.measures {
		if g := m.by[place{pool: p}]; g != nil {
			g.ends(m, now, l.taken, l.stack, m.measures(l))
		}
	}
}

// Line is a connection that one at a time has, as its two ends name it. The zero Line is one that is not known.
type Line [2]netip.AddrPort

// Ask is somebody who asks a pool for a connection. Its methods do nothing for a nil one.
type Ask struct {
	pool  *Pool
	test  label.ID
	stack *callstack.Stack
	since Moment
	taken Moment
	state askState
	line  Line
	parts []part
}

type askState int

const (
	asking askState = iota
	answered
	isOut
	over
)

// part is what an Ask is to one who measures.
type part struct {
	m     *Measure
	g     *gauge
	fulls uint64 // how often the pool had become full before
	full  bool   // it was when the Ask began
}

// CountsByAsk makes the pool one whose connections are out from Ask.Got to the end of the lease, or Ask.End, and not from
// Take: http transports hand a connection to a request long before there is a response to lend. It must be called before
// the pool is used.
func (p *Pool) CountsByAsk() { p.asks = true }

// Ask notes that somebody asks for a connection; host is "" where the pool's limit is on all of it. It gives nil when nobody
// measures. It asks the pool for its size and must not be called under a lock of the pool. skip is as for Take.
func (p *Pool) Ask(id label.ID, host string, skip int) *Ask {
	t := p.table
	if !t.Measuring() {
		return nil
	}
	size := p.Size()
	a := &Ask{pool: p, test: id}
	if p.asks {
		a.stack = callstack.Capture(skip + 1)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	a.since = Now()
	for _, m := range t.measures {
		g := m.at(place{p, host}, size, a.since)
		g.size = size
		a.parts = append(a.parts, part{m, g, g.fulls, g.full})
		g.waiting++
		g.look(m, a.since)
	}
	return a
}

// Answered says that who asked waits no longer: there is a connection, which Take tells of, or there is none.
func (a *Ask) Answered() {
	if a == nil {
		return
	}
	a.pool.table.mu.Lock()
	defer a.pool.table.mu.Unlock()
	a.answer(Now())
}

// Got says that who asked has a connection, which is out from now on. Once is enough. Whoever had the same line before has it no more: a
// pool may hand a connection on before it tells that it is back.
func (a *Ask) Got(on Line) {
	if a == nil {
		return
	}
	a.pool.table.mu.Lock()
	defer a.pool.table.mu.Unlock()
	if a.state != asking {
		return
	}
	a.taken = Now()
	if on != (Line{}) {
		for _, p := range a.parts {
			if before := p.g.lines[on]; before != nil {
				before.end(a.taken)
			}
		}
	}
	a.answer(a.taken)
	a.state, a.line = isOut, on
	for _, p := range a.parts {
		if !p.m.over {
			p.g.out++
			p.g.outs[a] = true
			if on != (Line{}) {
				p.g.lines[on] = a
			}
			p.g.begins(p.m, a.taken, p.m.owns(a.test))
		}
	}
}

// End says that who asked has nothing of the pool any more.
func (a *Ask) End() {
	if a == nil {
		return
	}
	a.pool.table.mu.Lock()
	defer a.pool.table.mu.Unlock()
	a.end(Now())
}

// Lend says that the connection is out for as long as the lease, which must not have been taken yet.
func (a *Ask) Lend(l *Lease) {
	if a != nil {
		l.ask = a
	}
}

// answer ends the waiting. The table is locked.
func (a *Ask) answer(now Moment) {
	if a.state != asking {
		return
	}
	a.state = answered
	for _, p := range a.parts {
		p.g.waiting--
		if !p.m.over && (p.full || p.g.fulls > p.fulls) && p.m.owns(a.test) {
			p.g.waits++
			p.g.waited += now.Sub(a.since)
		}
	}
}

// end gives the connection back. The table is locked.
func (a *Ask) end(now Moment) {
	a.answer(now)
	if a.state == isOut {
		for _, p := range a.parts {
			if !p.m.over && p.g.outs[a] {
				p.g.out--
				delete(p.g.outs, a)
				if p.g.lines[a.line] == a {
					delete(p.g.lines, a.line)
				}
				p.g.ends(p.m, now, a.taken, a.stack, p.m.owns(a.test))
			}
		}
	}
	a.state = over
}
