// Package hook is where the standard library's acquire and release points tell the agent of deep mode what happens.
//
// The overlay puts it into the standard library as internal/leakgate/deep/hook, below internal/poll, so that it imports
// nothing that package could not. While no agent is installed, every function does nothing.
package hook

import (
	"sync/atomic"
	"unsafe"
)

// Agent is who wants to know. Its functions must not be nil, must not panic, and are called on the goroutine on which it
// happens.
type Agent struct {
	// Test is told of each test and subtest, a *testing.T, before its function runs.
	Test func(t any)
	// Main runs the tests of a *testing.M with run, and gives the exit code.
	Main func(m any, run func() int) int

	// Once is told of each sync.Once whose function is about to run, by its address; what it gives, if anything, is called
	// when that is over.
	Once func(addr uintptr) (end func())

	// Opened is told of each descriptor that internal/poll takes over: its *poll.FD, its number and what it is, as
	// internal/poll calls it. Named adds a file's name, and Closing comes before the descriptor is closed.
	Opened  func(fd unsafe.Pointer, sysfd uintptr, network string)
	Named   func(fd unsafe.Pointer, name string)
	Closing func(fd unsafe.Pointer)

	// Started is told of each child process.
	Started func(pid int)

	// Goroutine gives the ID of the calling goroutine.
	Goroutine func() uint64
	// Responded is told of each response of net/http with a body that has to be closed.
	Responded func(r Response) Lease

	// Leased is told of each connection that a *sql.DB lends. DBOpened and DBClosed are told of the pools themselves.
	Leased   func(db unsafe.Pointer) Lease
	DBOpened func(db unsafe.Pointer)
	DBClosed func(db unsafe.Pointer)
}

// Response is what a report needs to know of a response.
type Response struct {
	Method, Path, RawPath, Query string
	Status                       int
	Proto, Server                string
	Length                       int64
	Local, Remote                string       // addresses of its TCP connection; "" when it has none
	Loop                         uint64       // goroutine that reads the connection; 0 when not known
	Context                      func() error // the Err method of the request's context
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
}

var agent atomic.Pointer[Agent]

// Install begins to tell a. There is one agent in a process.
func Install(a *Agent) { agent.Store(a) }

// Test tells of a test that begins.
func Test(t any) {
	if a := agent.Load(); a != nil {
		a.Test(t)
	}
}

// Main runs the tests.
func Main(m any, run func() int) int {
	if a := agent.Load(); a != nil {
		return a.Main(m, run)
	}
	return run()
}

// Once tells of a sync.Once.
func Once(addr uintptr) (end func()) {
	if a := agent.Load(); a != nil {
		return a.Once(addr)
	}
	return nil
}

// Opened tells of a descriptor.
func Opened(fd unsafe.Pointer, sysfd uintptr, network string) {
	if a := agent.Load(); a != nil {
		a.Opened(fd, sysfd, network)
	}
}

// Named tells the name of a file.
func Named(fd unsafe.Pointer, name string) {
	if a := agent.Load(); a != nil {
		a.Named(fd, name)
	}
}

// Closing tells that a descriptor is about to be closed.
func Closing(fd unsafe.Pointer) {
	if a := agent.Load(); a != nil {
		a.Closing(fd)
	}
}

// Started tells of a child process.
func Started(pid int) {
	if a := agent.Load(); a != nil {
		a.Started(pid)
	}
}

// Goroutine gives the ID of the calling goroutine; 0 when nobody wants to know.
func Goroutine() uint64 {
	if a := agent.Load(); a != nil {
		return a.Goroutine()
	}
	return 0
}

// Watched says whether there is an agent, so that nobody need gather what nobody wants to know.
func Watched() bool { return agent.Load() != nil }

// Responded tells of a response; nil when nobody wants to know.
func Responded(r Response) Lease {
	if a := agent.Load(); a != nil {
		return a.Responded(r)
	}
	return nil
}

// Leased tells of a connection that a *sql.DB lends; nil when nobody wants to know.
func Leased(db unsafe.Pointer) Lease {
	if a := agent.Load(); a != nil {
		return a.Leased(db)
	}
	return nil
}

// DBOpened tells of a new *sql.DB.
func DBOpened(db unsafe.Pointer) {
	if a := agent.Load(); a != nil {
		a.DBOpened(db)
	}
}

// DBClosed tells of the end of a *sql.DB.
func DBClosed(db unsafe.Pointer) {
	if a := agent.Load(); a != nil {
		a.DBClosed(db)
	}
}
