package agent

import (
	"unsafe"

	"github.com/leakgate/leakgate/internal/label"
)

// findObject says where the object of the heap begins that an address is in; 0 when it is in none. The runtime keeps the
// name linkable.
//
//go:linkname findObject runtime.findObject
func findObject(p, refBase, refOff uintptr) (base uintptr, span unsafe.Pointer, index uintptr)

// once runs where a sync.Once runs its function. One that is a variable of a package, and not part of something on the heap,
// makes what is there once for all tests: what is acquired meanwhile, and by goroutines started meanwhile, is no test's.
func once(addr uintptr) (end func()) {
	defer contain()
	if base, _, _ := findObject(addr, 0, 0); base != 0 {
		return nil
	}
	return processWide()
}

// onceOfProcess runs where sync.OnceFunc, OnceValue or OnceValues runs a function that it was given before the tests began: what is
// acquired there is no test's, as with a sync.Once that is a variable of a package.
func onceOfProcess() (end func()) {
	defer contain()
	return processWide()
}

// processWide makes what the calling goroutine acquires from now on no test's, until end is called.
func processWide() (end func()) {
	if label.Owner() == 0 {
		return nil // no test's anyway
	}
	return label.Mark(label.NewID(), label.Shared)
}
