package agent

import (
	"testing"
	"unsafe"

	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
)

// BenchmarkFile is what a file costs that is opened and closed, beside the system calls.
func BenchmarkFile(b *testing.B) {
	watched(b)
	var fd [8]uint64
	at := unsafe.Pointer(&fd)
	b.ReportAllocs()
	for b.Loop() {
		open.opened(at, 1<<20, "file")
		open.named(at, "name")
		open.closing(at)
	}
}

// BenchmarkSocket is what a socket costs.
func BenchmarkSocket(b *testing.B) {
	watched(b)
	var fd [8]uint64
	at := unsafe.Pointer(&fd)
	b.ReportAllocs()
	for b.Loop() {
		open.opened(at, 1<<20, "tcp")
		open.closing(at)
	}
}

// watched makes what follows a watch's.
func watched(b *testing.B) {
	id := label.NewID()
	b.Cleanup(label.Mark(id, b.Name()))
	lease.Live.Watch(id)
	b.Cleanup(func() { lease.Live.Unwatch(id) })
}
