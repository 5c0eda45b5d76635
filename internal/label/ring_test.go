package label

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestRing: what is put in goes out in the same order, when Keep others have come.
func TestRing(t *testing.T) {
	var r ring[int]
	for i := range 2*Keep + 5 {
		old, full := r.put(i)
		if assert.Equal(t, i >= Keep, full) && full {
			assert.Equal(t, i-Keep, old)
		}
	}
	assert.Len(t, r.all, Keep)
}
