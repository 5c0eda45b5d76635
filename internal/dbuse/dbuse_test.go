package dbuse

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// named is a lease that is told from others by its identity.
type named struct {
	Lease
	goroutine uint64
}

func (n *named) Goroutine() uint64 { return n.goroutine }

// TestStillHeld: of leases that were listed before, those that were given back are dropped, also where the same goroutine has
// taken another since.
func TestStillHeld(t *testing.T) {
	var h Hub
	defer h.Add(&Observer{ByGoid: true})()
	kept, back, again, later := &named{goroutine: 1}, &named{goroutine: 1}, &named{goroutine: 2}, &named{goroutine: 2}
	for _, l := range []Lease{kept, back, again} {
		h.Leased(l)
	}
	held := h.Holders()
	h.Released(back)
	h.Released(again)
	h.Leased(later)
	h.StillHeld(held)
	assert.Equal(t, map[uint64][]Lease{1: {kept}}, held)
}
