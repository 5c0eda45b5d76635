//go:build !go1.25 || go1.28

package label

import "unsafe"

// Supported says that a goroutine's own labels can be read here.
const Supported = false

func get() unsafe.Pointer { return nil }

func set(unsafe.Pointer) {}
