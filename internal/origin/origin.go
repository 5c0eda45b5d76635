// Package origin knows who opened what the kernel lists: descriptors and child processes. The kernel itself does not, so
// that it is known only where somebody tells: in deep mode, the hooks in the standard library do.
//
// It uses the standard library alone.
package origin

import (
	"sync/atomic"

	"github.com/leakgate/leakgate/internal/label"
)

// Origin is where something was opened. Its zero value means "not known".
type Origin struct {
	PCs  []uintptr // the stack, innermost first; must not be changed
	Test label.ID  // the watch that it was opened under; 0 when not known
	Role string    // what was done there: "accepted at"; "" for opening it
	From []uintptr // of a connection that was accepted, the stack that opened the listener; nil when not known

	// Lease is the lease of a descriptor, which tells of it when the garbage collector has closed it; 0 when there is none.
	Lease uint64
}

// Source is who knows.
type Source interface {
	// Descriptor gives the origin of an open descriptor.
	Descriptor(fd int) (Origin, bool)
	// Process gives the origin of a child process.
	Process(pid int) (Origin, bool)
	// Changes counts the descriptors that were opened and closed, as far as it is told.
	Changes() uint64
}

var source atomic.Pointer[Source]

// Know makes s the one that is asked. There is one in a process.
func Know(s Source) { source.Store(&s) }

// Descriptor gives the origin of an open descriptor; ok is false when nobody knows.
func Descriptor(fd int) (o Origin, ok bool) {
	if s := source.Load(); s != nil && fd >= 0 {
		return (*s).Descriptor(fd)
	}
	return Origin{}, false
}

// Process gives the origin of a child process; ok is false when nobody knows.
func Process(pid int) (o Origin, ok bool) {
	if s := source.Load(); s != nil {
		return (*s).Process(pid)
	}
	return Origin{}, false
}

// Changes counts the descriptors that were opened and closed; ok is false when nobody knows.
func Changes() (n uint64, ok bool) {
	if s := source.Load(); s != nil {
		return (*s).Changes(), true
	}
	return 0, false
}
