package origin

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

type fake struct{}

func (fake) Descriptor(fd int) (Origin, bool) { return Origin{Test: 7}, fd == 3 }
func (fake) Changes() uint64                  { return 9 }
func (fake) Process(pid int) (Origin, bool)   { return Origin{Test: 8}, pid == 4 }

// TestOrigin: nobody knows until somebody says that he does.
func TestOrigin(t *testing.T) {
	_, ok := Descriptor(3)
	assert.False(t, ok)
	_, ok = Process(4)
	assert.False(t, ok)
	_, ok = Changes()
	assert.False(t, ok)

	Know(fake{})
	defer source.Store(nil)
	o, ok := Descriptor(3)
	assert.True(t, ok)
	assert.EqualValues(t, 7, o.Test)
	o, ok = Process(4)
	assert.True(t, ok)
	assert.EqualValues(t, 8, o.Test)
	n, ok := Changes()
	assert.True(t, ok)
	assert.EqualValues(t, 9, n)
	_, ok = Descriptor(-1)
	assert.False(t, ok)
}
