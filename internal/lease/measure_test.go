package lease

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/callstack"
	"github.com/leakgate/leakgate/internal/label"
)

// watched begins a watch on this goroutine, and gives its ID.
func watched(t *testing.T, table *Table) label.ID {
	id := label.NewID()
	table.Watch(id)
	restore := label.Mark(id, t.Name())
	t.Cleanup(func() { restore(); table.Unwatch(id) })
	return id
}

// TestMeasure: what is out, and for how long, measured in two ways that must agree to the nanosecond.
func TestMeasure(t *testing.T) {
	var table Table
	id := watched(t, &table)
	p, q := table.NewPool("conn", "pool", nil), table.NewPool("conn", "not used", nil)
	before := take(p)
	m := table.Measure(id, map[uint64]int{p.ID(): 3, q.ID(): 1})
	assert.True(t, table.Measuring())
	assert.Empty(t, m.Measured())

	a, b := take(p), take(p)
	full := m.FullPools()
	require.Contains(t, full, p, "the one that was out before counts")
	assert.Len(t, full[p].Holders, 3)
	select {
	case <-m.Wake():
	default:
		assert.Fail(t, "nobody was woken")
	}
	before.Release(false)
	before.Release(false)
	assert.Empty(t, m.FullPools())
	a.Release(false)
	c := take(p)
	b.Return() // a lease that comes back by itself ends once
	b.Release(false)
	c.Release(false)
	m.End()

	got := m.Measured()
	require.Len(t, got, 1)
	r := got[0]
	assert.Same(t, p, r.Pool)
	assert.Equal(t, []int{3, 3, 0, 3}, []int{r.Size, r.Leases, r.Out, r.Peak})
	assert.Equal(t, r.Held, r.Area, "the sum of all holds is the integral of how many were out")
	assert.LessOrEqual(t, r.Longest, r.Held)
	assert.NotEmpty(t, r.LongestBy)
	assert.Nil(t, r.Moment, "nobody asks here")
	assert.False(t, table.Measuring())

	d := take(p)
	d.Release(false)
	assert.Equal(t, got, m.Measured(), "what comes after the end is not measured")
}

// TestMeasureStillOut: what is not given back counts up to the end.
func TestMeasureStillOut(t *testing.T) {
	var table Table
	id := watched(t, &table)
	p := table.NewPool("conn", "pool", nil)
	m := table.Measure(id, nil)
	a := take(p)
	m.Resize()
	m.End()
	r := m.Measured()[0]
	assert.Equal(t, []int{0, 1, 1, 1}, []int{r.Size, r.Leases, r.Out, r.Peak})
	assert.Equal(t, r.Held, r.Area)
	assert.Equal(t, r.Held, r.Longest)
	a.Release(false)
}

// TestMeasureOthers: a pool that only somebody else uses is not the watch's, and what somebody else takes counts in its peak alone.
func TestMeasureOthers(t *testing.T) {
	var table Table
	mine, other := label.NewID(), label.NewID()
	table.Watch(mine)
	table.Watch(other)
	p, q := table.NewPool("conn", "pool", func() int { return 2 }), table.NewPool("conn", "theirs", nil)
	m := table.Measure(mine, nil)
	of := func(p *Pool, id label.ID) *thing {
		h := &thing{}
		p.TakeFor(id, &h.Lease, h, 0)
		return h
	}
	all := []*thing{of(p, mine), of(p, other), of(q, other)}
	m.Resize()
	assert.Contains(t, m.FullPools(), p)
	for _, h := range all {
		h.Release(false)
	}
	m.End()
	got := m.Measured()
	require.Len(t, got, 1)
	assert.Equal(t, []int{2, 1, 2}, []int{got[0].Size, got[0].Leases, got[0].Peak})
	assert.Equal(t, got[0].Held, got[0].Area)
}

// TestAsk: who waits is known where the pool tells, and so is the moment at which all were out while somebody did.
func TestAsk(t *testing.T) {
	var table Table
	id := watched(t, &table)
	p := table.NewPool("conn", "pool", func() int { return 2 })
	p.CountsByAsk()
	assert.Nil(t, p.Ask(id, "a:80", 0), "nobody measures")
	m := table.Measure(id, nil)
	ask := func(host string) *Ask { return p.Ask(id, host, 0) }

	first, second := ask("a:80"), ask("a:80")
	first.Got(Line{})
	first.Got(Line{})
	elsewhere := ask("b:80")
	elsewhere.Got(Line{})
	assert.Nil(t, m.by[place{p, "a:80"}].moment, "the other host has connections of its own")
	second.Got(Line{})
	assert.Nil(t, m.by[place{p, "a:80"}].moment, "all are out, and nobody waits")
	third, fourth := ask("a:80"), ask("a:80")
	moment := m.by[place{p, "a:80"}].moment
	require.NotNil(t, moment)
	assert.Equal(t, []int{2, 1, 2}, []int{moment.Out, moment.Waiting, len(moment.Holders)})
	fourth.End() // gave up
	h := &thing{}
	first.Lend(&h.Lease)
	p.Take(&h.Lease, h, 0)
	h.Release(false)
	third.Got(Line{})
	for _, a := range []*Ask{second, third, elsewhere, first} {
		a.End()
		a.End()
	}
	m.End()

	got := m.Measured()
	require.Len(t, got, 2)
	assert.Equal(t, []any{"a:80", 2, 3, 2, 2, 0}, []any{got[0].Host, got[0].Size, got[0].Leases, got[0].Peak, got[0].Waits, got[0].Out})
	assert.Equal(t, []any{"b:80", 2, 1, 1, 0, 0}, []any{got[1].Host, got[1].Size, got[1].Leases, got[1].Peak, got[1].Waits, got[1].Out})
	for _, r := range got {
		assert.Equal(t, r.Held, r.Area)
	}

	var none *Ask
	none.Got(Line{})
	none.Answered()
	none.End()
	none.Lend(nil)
}

// TestAskHandedOn: a connection that is handed on before it is told that it is back is never out twice.
func TestAskHandedOn(t *testing.T) {
	var table Table
	id := watched(t, &table)
	p := table.NewPool("conn", "pool", func() int { return 1 })
	p.CountsByAsk()
	m := table.Measure(id, nil)
	on := Line{netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("127.0.0.1:2")}
	a, b := p.Ask(id, "", 0), p.Ask(id, "", 0)
	a.Got(on)
	b.Got(on)
	a.End()
	assert.Equal(t, 1, m.by[place{p, ""}].out)
	b.End()
	m.End()
	r := m.Measured()[0]
	assert.Equal(t, []int{2, 1, 0, 1}, []int{r.Leases, r.Peak, r.Out, r.Waits})
	assert.Equal(t, r.Held, r.Area)
}

// TestAskThenTake: where the pool tells who waits, and lends by Take (pgxpool).
func TestAskThenTake(t *testing.T) {
	var table Table
	id := watched(t, &table)
	p := table.NewPool("conn", "pool", func() int { return 1 })
	m := table.Measure(id, nil)
	a, b := p.Ask(id, "", 0), p.Ask(id, "", 0)
	a.Answered()
	h := take(p)
	g := m.by[place{pool: p}]
	require.NotNil(t, g.moment, "all out with one who waits")
	assert.Equal(t, []int{1, 1, 1}, []int{g.moment.Out, g.moment.Waiting, len(g.moment.Holders)})
	h.Release(false)
	b.Answered()
	b.Answered()
	take(p).Release(false)
	m.End()
	r := m.Measured()[0]
	assert.Equal(t, []int{1, 2, 1, 1}, []int{r.Size, r.Leases, r.Peak, r.Waits})
	assert.Equal(t, r.Held, r.Area)
}

// TestMeasureAllocates: a lease costs nothing more while somebody measures.
func TestMeasureAllocates(t *testing.T) {
	var table Table
	id := watched(t, &table)
	p := table.NewPool("conn", "pool", nil)
	h := take(p)
	m := table.Measure(id, nil)
	defer m.End()
	h.Release(false)
	things := make([]thing, 101) // AllocsPerRun runs once more
	i := 0
	one := func() {
		p.TakeFor(id, &things[i].Lease, &things[i], 0)
		things[i].Release(false)
		i++
	}
	assert.Zero(t, testing.AllocsPerRun(100, one))
}

// BenchmarkLease is a lease that is taken and given back, while nobody measures and while somebody does.
func BenchmarkLease(b *testing.B) {
	for _, measured := range []bool{false, true} {
		name := map[bool]string{false: "plain", true: "measured"}[measured]
		b.Run(name, func(b *testing.B) {
			var table Table
			id := label.NewID()
			table.Watch(id)
			p := table.NewPool("conn", "pool", nil)
			if measured {
				defer table.Measure(id, map[uint64]int{p.ID(): 10}).End()
			}
			b.ReportAllocs()
			for b.Loop() {
				h := &thing{}
				p.TakeFor(id, &h.Lease, h, 0)
				h.Release(false)
			}
		})
	}
}

// TestMeasureLongest: the longest hold, and who took it, whenever it ended.
func TestMeasureLongest(t *testing.T) {
	a, b, c := callstack.Capture(0), callstack.Capture(0), callstack.Capture(0)
	var g gauge
	g.spent(0, a)
	assert.Same(t, a, g.longestBy, "a hold too short for the clock is one")
	g.spent(5, b)
	g.spent(3, c)
	assert.EqualValues(t, 8, g.held)
	assert.EqualValues(t, 5, g.longest)
	assert.Same(t, b, g.longestBy)
}
