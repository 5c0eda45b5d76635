package label

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestShare: with another copy's tables, IDs go on from the higher of the two, and what that one knows is known here.
func TestShare(t *testing.T) {
	id := NewID()
	Mark(id, "TestShare")()
	var ids atomic.Uint64
	ids.Store(uint64(id) + 100)
	var marked []uint64
	defer shared.Store(shared.Load())
	Share(Tables{
		IDs:    &ids,
		Mark:   func(id uint64, name string) func() { marked = append(marked, id); return func() {} },
		Owner:  func() uint64 { return 5 },
		Name:   func(id uint64) string { return map[uint64]string{5: "five"}[id] },
		Parent: func(id uint64) uint64 { return id - 1 },
	})
	assert.Equal(t, id+101, NewID())
	Mark(9, "nine")()
	assert.Equal(t, []uint64{9}, marked)
	assert.Equal(t, ID(5), Owner())
	assert.Equal(t, "five", NameOf(5))
	assert.Equal(t, ID(4), Parent(5))
	assert.True(t, Within(5, 3))

	var low atomic.Uint64
	Share(Tables{IDs: &low})
	assert.Greater(t, NewID(), id, "no ID of this copy is given again")
}

// TestOwn: the tables that this copy gives away are its own.
func TestOwn(t *testing.T) {
	own := Own()
	id := own.IDs.Add(1)
	restore := own.Mark(id, "TestOwn")
	assert.Equal(t, "TestOwn", NameOf(ID(id)))
	assert.Equal(t, "TestOwn", own.Name(id))
	if Supported {
		assert.Equal(t, ID(id), Owner())
		assert.Equal(t, id, own.Owner())
		inner := NewID()
		Mark(inner, "TestOwn/inner")()
		assert.Equal(t, id, own.Parent(uint64(inner)))
	}
	restore()
}
