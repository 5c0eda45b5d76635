package label

import "sync/atomic"

// Tables are what another copy of this package knows, as functions of types that both copies have. A test binary of deep mode
// has two: the agent's, in the standard library, and the one that the code under test requires. Each would give IDs from 1 on,
// and know the labels that it has put on a goroutine and no others.
type Tables struct {
	IDs    *atomic.Uint64 // the last ID given
	Mark   func(id uint64, name string) (restore func())
	Owner  func() uint64
	Name   func(id uint64) string
	Parent func(id uint64) uint64
}

var shared atomic.Pointer[Tables]

// Own gives this copy's own tables.
func Own() Tables {
	return Tables{
		IDs:    &last,
		Mark:   func(id uint64, name string) func() { return Mark(ID(id), name) },
		Owner:  func() uint64 { return uint64(Owner()) },
		Name:   func(id uint64) string { return NameOf(ID(id)) },
		Parent: func(id uint64) uint64 { return uint64(Parent(ID(id))) },
	}
}

// Share makes this copy use another one's tables from now on. It is called before the first watch begins.
func Share(t Tables) {
	Raise(t.IDs, last.Load())
	shared.Store(&t)
}

// Raise makes a counter that two copies share be at least as high as each has counted.
func Raise(counter *atomic.Uint64, least uint64) {
	for n := counter.Load(); n < least && !counter.CompareAndSwap(n, least); n = counter.Load() {
	}
}
