// Package hook is where the standard library's acquire and release points tell the agent of deep mode what happens.
//
// The overlay puts it into the standard library as internal/leakgate/deep/hook, below internal/poll, so that it imports
// nothing that package could not. While no agent is installed, every function does nothing.
package hook

import "sync/atomic"

// Agent is who wants to know. Its functions must not be nil, must not panic, and are called on the goroutine on which it
// happens.
type Agent struct {
	Tests
	Onces
	Descriptors
	Processes
	HTTP
	SQL

	// Goroutine gives the ID of the calling goroutine.
	Goroutine func() uint64
}

// Lease is something that was lent out.
type Lease interface {
	// Read says that n bytes more of a body were read.
	Read(n int)
	// Returned says that the pool has its connection back though the code has closed nothing: with a nil error or io.EOF
	// because all was read, else because reading failed.
	Returned(err error)
	// Released says that the code has given it back.
	Released()
	// Dropped says that nothing refers any more to what the code was given, so that nobody can give it back. kind is the kind
	// of that: of a lease of a connection there are several.
	Dropped(kind string)
}

var agent atomic.Pointer[Agent]

// Install begins to tell a. There is one agent in a process.
func Install(a *Agent) { agent.Store(a) }

// Watched says whether there is an agent, so that nobody need gather what nobody wants to know.
func Watched() bool { return agent.Load() != nil }

// Goroutine gives the ID of the calling goroutine; 0 when nobody wants to know.
func Goroutine() uint64 {
	if a := agent.Load(); a != nil {
		return a.Goroutine()
	}
	return 0
}
