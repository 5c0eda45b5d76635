package leakcheck_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/leakgate/leakgate/leakcheck"
)

// TestSettleSlowLooks: on a busy machine a look takes long, and the time of a wait is over after one or two. What needs a
// few turns of the processor to end is waited for all the same.
func TestSettleSlowLooks(t *testing.T) {
	for _, c := range []struct {
		name string
		last int           // look, at which nothing is held any more
		next int           // look, from which on something else is held
		from int           // look, from which on they are slow
		look time.Duration // that slow
	}{
		{"none changes", 5, 0, 1, 60 * time.Millisecond},
		{"the fifth changes", 7, 5, 6, 120 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			rec := &recorder{name: t.Name()}
			held := []uint64{}
			looks := 0
			slow := &probe{"worker", func() ([]uint64, error) {
				if len(held) == 0 {
					return nil, nil
				}
				switch looks++; looks {
				case c.last:
					return nil, nil
				case c.next:
					held[0]++
				}
				if looks >= c.from {
					time.Sleep(c.look)
				}
				return held, nil
			}, func(uint64) (leakcheck.Leak, bool) { return leakcheck.Leak{Summary: "worker was not returned"}, true }}
			done := leakcheck.Verify(rec, leakcheck.Instead(slow))
			held = append(held, 1)
			done()
			assert.Equal(t, c.last, looks)
			assert.Empty(t, rec.errors())
		})
	}
}
