// Package leakdir says where a process writes each leak that it finds, for who runs the tests: leakgate test -json makes lines
// of the stream of them.
package leakdir

import "sync/atomic"

var dir atomic.Pointer[string]

// Set names the folder. It is to be called before the first test begins.
func Set(name string) { dir.Store(&name) }

// Dir gives it; "" when nobody wants to know.
func Dir() string {
	if d := dir.Load(); d != nil {
		return *d
	}
	return ""
}
