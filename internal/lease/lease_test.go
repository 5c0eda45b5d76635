package lease

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/label"
)

// thing is something lent out.
type thing struct {
	Lease
	state atomic.Uint32
}

func (h *thing) Now() State { return State(h.state.Load()) }

func (h *thing) Info() Info { return Info{Kind: "thing", Summary: "a thing"} }

func take(p *Pool) *thing {
	h := &thing{}
	p.Take(&h.Lease, h, 0)
	return h
}

func ids(ls []*Lease) (out []uint64) {
	for _, l := range ls {
		out = append(out, l.ID())
	}
	return out
}

func TestTable(t *testing.T) {
	var table Table
	table.Watch(1)
	p := table.NewPool("conn", "pool", func() int { return 7 })
	q := table.NewPool("conn", "other", nil)
	assert.Equal(t, []any{"conn", "pool", 7, 0}, []any{p.Kind(), p.Name(), p.Size(), q.Size()})
	assert.NotEqual(t, p.ID(), q.ID())

	base := table.LastID()
	a, b, c := take(p), take(q), take(p)
	assert.Equal(t, []uint64{base + 1, base + 2, base + 3}, ids(table.All(nil)), "the oldest first")
	assert.Equal(t, []uint64{a.ID(), c.ID()}, ids(table.All(func(l *Lease) bool { return l.Pool() == p })))
	assert.Same(t, &b.Lease, table.Get(b.ID()))
	assert.Nil(t, table.Get(base))
	assert.Equal(t, 3, table.Len())
	assert.Equal(t, "a thing", table.Get(a.ID()).Info().Summary)
	assert.Equal(t, Held, a.Lease.Now())
	assert.GreaterOrEqual(t, Now().Sub(a.Taken()), time.Duration(0))

	b.Release(false) // the middle of the list
	assert.Equal(t, []uint64{a.ID(), c.ID()}, ids(table.All(nil)))
	a.Release(false) // its first
	c.Release(false) // its last
	assert.Empty(t, table.All(nil))
	c.Release(false)
	assert.Equal(t, 0, table.Len(), "the second time does nothing")
	assert.Nil(t, table.Get(c.ID()))

	d := take(p)
	assert.Equal(t, []uint64{d.ID()}, ids(table.All(nil)), "an empty list can be used again")
	d.Release(false)
}

// TestGet: each lease is found, however many there are and whatever was released meanwhile, and none that is released.
func TestGet(t *testing.T) {
	table := &Table{}
	p := table.NewPool("thing", "a pool", nil)
	var live, gone []*thing
	check := func() {
		t.Helper()
		for _, h := range live {
			require.Same(t, &h.Lease, table.Get(h.ID()))
		}
		for _, h := range gone {
			require.Nil(t, table.Get(h.ID()))
		}
		assert.Nil(t, table.Get(0))
		assert.Nil(t, table.Get(p.ID()))
		assert.Nil(t, table.Get(table.LastID()+1))
	}
	for range 4 {
		for range 3 * near {
			live = append(live, take(p))
		}
		check()
		var rest []*thing
		for i, h := range live {
			if i%3 == 0 {
				h.Release(false)
				gone = append(gone, h)
				continue
			}
			rest = append(rest, h)
		}
		live = rest
		check()
	}
	for _, h := range live {
		h.Release(false)
	}
	gone, live = append(gone, live...), nil
	check()
	assert.Nil(t, table.byID, "nothing is kept of what is released")
	live = append(live, take(p))
	check()
}

func TestNotTaken(t *testing.T) {
	var l Lease
	l.Return()
	l.Release(true)
	l.Cover(&Lease{})
	assert.Nil(t, l.Pool())
}

// TestSite: skip counts from Take's caller, also through TakeFor.
func TestSite(t *testing.T) {
	var table Table
	p := table.NewPool("conn", "pool", nil)
	top := func(l *Lease) string {
		f, _ := runtime.CallersFrames(l.PCs()).Next()
		return f.Function[strings.LastIndexByte(f.Function, '.')+1:]
	}
	assert.Equal(t, "take", top(&take(p).Lease))
	h := &thing{}
	p.Take(&h.Lease, h, 0)
	assert.Equal(t, "TestSite", top(&h.Lease))
	h = &thing{}
	p.TakeFor(0, &h.Lease, h, 0)
	assert.Equal(t, "TestSite", top(&h.Lease))
	h = &thing{}
	func() { p.Take(&h.Lease, h, 1) }()
	assert.Equal(t, "TestSite", top(&h.Lease))

	var deep func(n int)
	deep = func(n int) {
		if n == 0 {
			h = take(p)
			return
		}
		deep(n - 1)
	}
	deep(2 * MaxDepth)
	assert.Len(t, h.PCs(), MaxDepth)
}

func TestReturn(t *testing.T) {
	var table Table
	table.Watch(1)
	p := table.NewPool("conn", "pool", nil)
	a := take(p)
	a.state.Store(uint32(Unclosed))
	a.Return()
	a.Return()
	assert.Equal(t, 0, p.Usage().Leased, "it counts once")
	assert.Equal(t, 1, table.Len(), "it was not closed, and somebody watches")
	a.Release(true)
	a.Release(true)
	assert.Equal(t, 1, p.Usage().ClosedEarly, "whoever closes says whether it was early, and it counts once")
	assert.Equal(t, 0, p.Usage().Leased)
	assert.Equal(t, 0, table.Len())

	b, c := take(p), take(p)
	b.state.Store(uint32(Unclosed))
	b.Return()
	table.Unwatch(1)
	assert.Equal(t, []uint64{c.ID()}, ids(table.All(nil)), "what holds nothing is forgotten with the last watch, what is held is not")
	c.state.Store(uint32(Unclosed))
	c.Return()
	assert.Equal(t, 0, table.Len(), "nobody watches")
}

// TestSweep: leases whose end makes no event do not pile up while nobody watches.
func TestSweep(t *testing.T) {
	var table Table
	p := table.NewPool("conn", "pool", nil)
	held := take(p)
	for range 20 * firstSweep {
		take(p).state.Store(uint32(Unclosed))
	}
	assert.LessOrEqual(t, table.Len(), 4*firstSweep)
	assert.Same(t, &held.Lease, table.All(nil)[0])

	table.Watch(1)
	n := table.Len()
	for range 20 * firstSweep {
		take(p).state.Store(uint32(Unclosed))
	}
	assert.Equal(t, n+20*firstSweep, table.Len(), "a watch may want to see them")
	table.Unwatch(1)
	assert.Equal(t, 1, table.Len())
	assert.Equal(t, 1, p.Usage().Leased)
}

func TestCover(t *testing.T) {
	var table Table
	table.Watch(1)
	outer, inner := table.NewPool("conn", "outer", nil), table.NewPool("conn", "inner", nil)
	i, o := take(inner), take(outer)
	o.Cover(&i.Lease)
	o.Cover(&o.Lease)
	assert.Equal(t, []uint64{o.ID()}, ids(table.All(nil)))
	assert.Equal(t, 1, inner.Usage().Leased, "it is counted all the same")
	o.Release(false)
	assert.Equal(t, []uint64{i.ID()}, ids(table.All(nil)), "whoever stands between has not closed it")
	i.Release(false)
	assert.Equal(t, 0, table.Len())
	o.Cover(&i.Lease)
	assert.Empty(t, table.All(nil))
}

func TestUsage(t *testing.T) {
	var table Table
	p, q := table.NewPool("conn", "pool", nil), table.NewPool("conn", "other", nil)
	id, other := label.NewID(), label.NewID()
	table.Watch(id)
	defer table.Unwatch(id)
	assert.True(t, table.Watching())
	assert.Empty(t, table.Used(id))
	assert.Nil(t, table.Used(other))

	takeFor := func(p *Pool, id label.ID) *thing {
		h := &thing{}
		p.TakeFor(id, &h.Lease, h, 0)
		assert.Equal(t, id, h.Test())
		return h
	}
	q.Request(id)
	p.Request(id)
	p.Request(other)
	p.Request(0)
	p.Dialed(id)
	p.Dialed(0)
	p.Reused(id)
	p.Reused(other)
	a, b, c := takeFor(p, id), takeFor(p, id), takeFor(p, other)
	a.Release(true)
	c.Release(true)
	b.Release(false)
	d := takeFor(p, id)

	got := table.Used(id)
	require.Len(t, got, 2)
	assert.Same(t, p, got[0].Pool, "in the order in which the pools were made")
	assert.Equal(t, Usage{Pool: p, Requests: 1, Leased: 1, Peak: 2, Dialed: 1, Reused: 1, ClosedEarly: 1, Early: [][]uintptr{a.PCs()}}, got[0])
	assert.Equal(t, Usage{Pool: q, Requests: 1}, got[1])
	assert.Equal(t, Usage{Pool: p, Requests: 3, Leased: 1, Peak: 3, Dialed: 2, Reused: 2, ClosedEarly: 2, Early: [][]uintptr{a.PCs(), c.PCs()}}, p.Usage())

	table.Watch(other)
	table.Unwatch(id)
	assert.Nil(t, table.Used(id))
	d.Release(false)
	assert.Equal(t, 0, p.Usage().Leased, "a lease may outlive its watch")
	table.Watch(id)
	table.Unwatch(other)
}

// TestOwner: Take counts for the watch that the goroutine is marked with.
func TestOwner(t *testing.T) {
	if !label.Supported {
		t.Skip("this Go version does not let a goroutine's labels be read")
	}
	var table Table
	p := table.NewPool("conn", "pool", nil)
	id := label.NewID()
	table.Watch(id)
	defer table.Unwatch(id)
	defer label.Mark(id, "TestX")()
	done := make(chan *thing)
	go func() { done <- take(p) }()
	assert.Equal(t, id, (<-done).Test())
	assert.Equal(t, 1, table.Used(id)[0].Leased)
}

func TestMeter(t *testing.T) {
	var table Table
	p := table.NewPool("conn", "pool", nil)
	n := func(k int) (out []*thing) {
		for range k {
			p.Request(0)
			p.Dialed(0)
			p.Reused(0)
			out = append(out, take(p))
		}
		return out
	}
	release := func(hs []*thing) {
		for _, h := range hs {
			h.Release(true)
		}
	}
	release(n(3))
	first := p.Meter()
	open := n(1)
	release(n(4)) // 5 out
	second := p.Meter()
	assert.Equal(t, Usage{Pool: p, Leased: 1, Peak: 1}, second.Usage(), "what is out already counts")
	release(n(2)) // 3 out
	third := p.Meter()
	release(open)
	assert.Equal(t, Usage{Pool: p, Requests: 7, Peak: 5, Dialed: 7, Reused: 7, ClosedEarly: 7, Early: p.Usage().Early[3:]}, first.Usage())
	u := second.Usage()
	assert.Equal(t, []int{2, 3, 3}, []int{u.Requests, u.Peak, u.ClosedEarly}, "a meter begun later does not see the 5, and one begun in between does not reset it")
	assert.Len(t, u.Early, 3)
	assert.Equal(t, 1, third.Usage().Peak)
	release(n(2))
	assert.Equal(t, 2, third.Usage().Peak)
	assert.Equal(t, 5, p.Usage().Peak)
}

// TestMeterPeaks compares with a count that is kept from the beginning.
func TestMeterPeaks(t *testing.T) {
	var table Table
	p := table.NewPool("conn", "pool", nil)
	type pair struct {
		m    *Meter
		peak int
	}
	var meters []*pair
	var open []*thing
	seed := uint32(1)
	for range 3000 {
		seed = seed*1664525 + 1013904223
		switch r := seed >> 24; {
		case r < 120:
			open = append(open, take(p))
			for _, m := range meters {
				m.peak = max(m.peak, len(open))
			}
		case r < 240 && len(open) > 0:
			open[0].Release(false)
			open = open[1:]
		default:
			meters = append(meters, &pair{p.Meter(), len(open)})
		}
	}
	require.Greater(t, len(meters), 50)
	for i, m := range meters {
		require.Equal(t, m.peak, m.m.Usage().Peak, "meter %d", i)
	}
	assert.LessOrEqual(t, len(p.peaks), p.Usage().Peak)
}

// takeBelow takes a lease with so many frames above it that no other one has.
func takeBelow(n int, p *Pool) *thing {
	if n == 0 {
		return take(p)
	}
	return takeBelow(n-1, p)
}

// TestEarlySites: the last 16 are kept.
func TestEarlySites(t *testing.T) {
	var table Table
	p := table.NewPool("conn", "pool", nil)
	var all [][]uintptr
	var m *Meter
	for i := range 40 {
		if i == 35 {
			m = p.Meter()
		}
		h := takeBelow(i, p)
		all = append(all, h.PCs())
		h.Release(true)
	}
	assert.Equal(t, all[24:], p.Usage().Early)
	assert.Equal(t, all[35:], m.Usage().Early)
	assert.Equal(t, 40, p.Usage().ClosedEarly)
}

func TestConcurrently(t *testing.T) {
	var table Table
	p := table.NewPool("conn", "pool", nil)
	id := label.NewID()
	table.Watch(id)
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	wg.Go(func() {
		for ctx.Err() == nil {
			for _, l := range table.All(nil) {
				_, _, _ = l.PCs(), l.Now(), l.Pool()
			}
			table.Used(id)
			p.Usage()
			runtime.Gosched()
		}
	})
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for i := range 200 {
				p.Request(id)
				h := &thing{}
				var back sync.WaitGroup
				back.Go(h.Return) // may come before Take
				p.TakeFor(id, &h.Lease, h, 0)
				back.Wait()
				if i%2 == 0 {
					h.Return()
				}
				h.Release(false)
			}
		})
	}
	workers.Wait()
	stop()
	wg.Wait()
	assert.Equal(t, 0, table.Len())
	u := table.Used(id)[0]
	assert.Equal(t, []int{3200, 0}, []int{u.Requests, u.Leased})
	assert.Equal(t, 0, p.Usage().Leased)
	table.Unwatch(id)
	assert.False(t, table.Watching())
}

// TestEnclosing: what a watch uses counts for those that it began inside of too, also after its end, and for no other.
func TestEnclosing(t *testing.T) {
	if !label.Supported {
		t.Skip("this Go version does not let a goroutine's labels be read")
	}
	var table Table
	p := table.NewPool("conn", "pool", nil)
	outer, between, inner, sibling := label.NewID(), label.NewID(), label.NewID(), label.NewID()
	defer label.Mark(outer, "TestX")()
	defer label.Mark(between, "TestX")() // it does not count
	label.Mark(inner, "TestX/a")()
	label.Mark(sibling, "TestX/b")()
	for _, id := range []label.ID{outer, inner, sibling} {
		table.Watch(id)
	}
	use := func(id label.ID) *thing {
		h := &thing{}
		p.Request(id)
		p.Dialed(id)
		p.Reused(id)
		p.TakeFor(id, &h.Lease, h, 0)
		return h
	}
	a, b := use(inner), use(sibling)
	one := Usage{Pool: p, Requests: 1, Leased: 1, Peak: 1, Dialed: 1, Reused: 1}
	assert.Equal(t, []Usage{one}, table.Used(inner))
	assert.Equal(t, []Usage{one}, table.Used(sibling))
	assert.Equal(t, []Usage{{Pool: p, Requests: 2, Leased: 2, Peak: 2, Dialed: 2, Reused: 2}}, table.Used(outer))
	table.Unwatch(inner)
	c := use(inner)
	for _, h := range []*thing{a, b, c} {
		h.Release(true)
	}
	got := table.Used(outer)
	require.Len(t, got, 1)
	assert.Equal(t, Usage{Pool: p, Requests: 3, Peak: 3, Dialed: 3, Reused: 3, ClosedEarly: 3, Early: [][]uintptr{a.PCs(), b.PCs(), c.PCs()}}, got[0])
	table.Unwatch(outer)
	table.Unwatch(sibling)
}
