package leakcheck

import (
	"slices"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/origin"
)

// toldOf stands for the agent of deep mode. What it counts changes at each call, unless it is frozen.
type toldOf struct {
	n      atomic.Uint64
	frozen atomic.Bool
}

func (*toldOf) Descriptor(int) (origin.Origin, bool) { return origin.Origin{}, false }
func (*toldOf) Process(int) (origin.Origin, bool)    { return origin.Origin{}, false }
func (o *toldOf) Changes() uint64 {
	if o.frozen.Load() {
		return o.n.Load()
	}
	return o.n.Add(1)
}

// TestSocketsListedAgain: in deep mode a listing is used again only as long as nothing tells of a change. A socket that was opened past all
// hooks shows in the count of descriptors, and where one was closed for it, when everything is asked again.
func TestSocketsListedAgain(t *testing.T) {
	if toldDescriptors() == 0 {
		t.Skip("the kernel does not tell how many descriptors are open")
	}
	var told toldOf
	origin.Know(&told)
	told.frozen.Store(true)
	defer told.frozen.Store(false)
	socket := func() int {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		return fd
	}
	var s socketCensus
	first, err := s.keys()
	require.NoError(t, err)

	fd := socket()
	one, err := s.keys()
	require.NoError(t, err)
	require.Len(t, one, len(first)+1)

	require.NoError(t, syscall.Close(fd))
	fd = socket()
	defer func() { syscall.Close(fd) }()
	stale, err := s.keys()
	require.NoError(t, err)
	assert.Equal(t, one, stale, "nobody has told of a change")
	s.forget()
	now, err := s.keys()
	require.NoError(t, err)
	assert.Len(t, now, len(one))
	assert.False(t, slices.Equal(one, now))

	told.n.Add(1)
	require.NoError(t, syscall.Close(fd))
	fd = socket()
	last, err := s.keys()
	require.NoError(t, err)
	assert.False(t, slices.Equal(now, last), "a change was told")
}
