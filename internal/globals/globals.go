// Package globals knows what package-level variables hold: what they reach is kept for the life of the process, and is not the
// leak of the test that happened to be the first to use it. A program cannot ask the runtime for that, so that it is known only where
// somebody tells: in deep mode, a walk through the heap does.
//
// It uses the standard library alone.
package globals

import (
	"slices"
	"sync/atomic"
)

// Question names what is asked for.
type Question struct {
	Leases     []uint64 // those of descriptors
	Goroutines []uint64 // IDs
	Processes  []int    // their numbers
}

// Answer is what was found, in the question's order.
type Answer struct {
	Leases     []Descriptor
	Goroutines []Goroutine
	Processes  []Descriptor // those that nobody knows of are not held
	Unknown    string       // why nothing could be found out, as a part of a sentence; "" when it could
}

// Descriptor is what was found of a descriptor.
type Descriptor struct {
	Held     bool    // a package-level variable reaches what stands for it
	Variable uintptr // which one: the address of it, or of a part of it
	Used     Mark
}

// Goroutine is what was found of a goroutine.
type Goroutine struct {
	Held bool // package-level variables reach all that it waits for, or what it works on
	// Waits says that it waits in a descriptor, and WaitsIn is the lease of it, 0 when that is not known. Held says nothing then.
	Waits    bool
	WaitsIn  uint64
	Variable uintptr // as of a Descriptor
	Used     Mark
}

// Mark changes when something is used: two that are equal say that it was not used in between. 0 says that this is not known.
type Mark uint64

// Source is who knows.
type Source interface{ Ask(Question) Answer }

var source atomic.Pointer[Source]

// Know makes s the one that is asked. There is one in a process.
func Know(s Source) { source.Store(&s) }

// Known says whether there is somebody to ask.
func Known() bool { return source.Load() != nil }

// own are variables that are not the program's.
var own []uintptr

// Own names a package-level variable, by its address and size, that leads to what tests hold and is not the program's. It is called
// while packages are initialised.
func Own(addr, size uintptr) { own = append(own, addr, addr+size) }

// OwnVariables gives where each of them begins and ends.
func OwnVariables() []uintptr { return slices.Clone(own) }

// Ask asks. It stops the world for a moment, so that it is only asked what would be a leak otherwise.
func Ask(q Question) Answer {
	if s := source.Load(); s != nil {
		return (*s).Ask(q)
	}
	return Answer{Unknown: "nobody knows"}
}
