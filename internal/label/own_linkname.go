//go:build go1.25 && !go1.28

package label

import "unsafe"

// Supported says that a goroutine's own labels can be read here.
const Supported = true

// The runtime keeps these two names linkable for tools like this one and promises their signatures
// (runtime/proflabel.go, golang.org/issue/67401). The pointer is only compared and put back, never read through.

//go:linkname get runtime/pprof.runtime_getProfLabel
func get() unsafe.Pointer

//go:linkname set runtime/pprof.runtime_setProfLabel
func set(unsafe.Pointer)
