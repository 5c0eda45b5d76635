package lease

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/leakgate/leakgate/internal/label"
)

type twin struct{ Lease }

func (*twin) Now() State     { return Held }
func (*twin) Info() Info     { return Info{Kind: "twin"} }
func (t *twin) Twin() uint64 { return 77 }

// TestShareIDs: two tables that count as one give no ID twice, and what was taken later has a higher one.
func TestShareIDs(t *testing.T) {
	var here, there Table
	p, q := here.NewPool("sql-conn", "here", nil), there.NewPool("sql-conn", "there", nil)
	var l [5]twin
	p.Take(&l[0].Lease, &l[0], 0)
	here.ShareIDs(there.IDs())
	q.Take(&l[1].Lease, &l[1], 0)
	before := here.LastID()
	p.Take(&l[2].Lease, &l[2], 0)
	q.Take(&l[3].Lease, &l[3], 0)
	assert.Equal(t, there.LastID(), here.LastID())
	assert.Less(t, before, l[2].ID())
	assert.Less(t, l[2].ID(), l[3].ID())
	assert.NotContains(t, []uint64{l[0].ID(), p.ID()}, l[1].ID())
	assert.Same(t, &l[2].Lease, here.Get(l[2].ID()))
	var own atomic.Uint64
	own.Store(1 << 40)
	here.ShareIDs(&own)
	p.Take(&l[4].Lease, &l[4], 0)
	assert.Greater(t, l[4].ID(), uint64(1)<<40)
	for i := range l {
		l[i].Release(false)
	}
}

// TestDescribe: a lease of another table is described as it is there, and is in none here.
func TestDescribe(t *testing.T) {
	var of Table
	pool := of.NewPool("http-conn", "there", nil)
	x := &twin{}
	pool.TakeFor(3, &x.Lease, x, 0)
	defer x.Release(false)
	before := Live.Len()
	l := Elsewhere("http-conn").Describe(x.ID(), label.ID(3), x.PCs(), x)
	assert.Equal(t, "http-conn", l.Pool().Kind())
	assert.Equal(t, x.ID(), l.ID())
	assert.Equal(t, x.PCs(), l.PCs())
	assert.Equal(t, label.ID(3), l.Test())
	assert.Equal(t, Held, l.Now())
	assert.Equal(t, "twin", l.Info().Kind)
	assert.Equal(t, uint64(77), TwinOf(l))
	assert.Equal(t, before, Live.Len())
}
