package goroutine

import (
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestCurrentID: the id is the one that a dump of the goroutine says, on every goroutine, also on one whose record had
// another goroutine's before.
func TestCurrentID(t *testing.T) {
	if readsCurrent {
		assert.NotZero(t, idAt, "where the id is was not found, so that each one costs a dump")
	} else {
		assert.Zero(t, idAt)
	}
	assert.Equal(t, dumpedID(nil), CurrentID(nil))
	var mu sync.Mutex
	seen := make(map[uint64]bool)
	for range 20 {
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				id := CurrentID(nil)
				runtime.Gosched()
				if want := dumpedID(nil); id != want || id == 0 {
					t.Errorf("got %d, want %d", id, want)
				}
				mu.Lock()
				defer mu.Unlock()
				if seen[id] {
					t.Errorf("%d for two goroutines", id)
				}
				seen[id] = true
			})
		}
		wg.Wait()
	}
}

// TestCurrentIDByDump: where the place is not found, the dump says it.
func TestCurrentIDByDump(t *testing.T) {
	defer func(at uintptr) { idAt = at }(idAt)
	idAt = 0
	assert.Equal(t, dumpedID(nil), CurrentID(make([]byte, 64)))
}

func BenchmarkCurrentID(b *testing.B) {
	var buf [64]byte
	for b.Loop() {
		CurrentID(buf[:])
	}
}
