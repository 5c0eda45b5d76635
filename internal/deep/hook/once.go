package hook

import "sync/atomic"

// Onces is told of what is done once for the life of a process.
type Onces struct {
	// Once is told of each sync.Once whose function is about to run, by its address; what it gives, if anything, is called
	// when that is over.
	Once func(addr uintptr) (end func())
	// OnceOfProcess is told of each function that runs once and was made to before the tests began, as Once is.
	OnceOfProcess func() (end func())
}

// Once tells of a sync.Once.
func Once(addr uintptr) (end func()) {
	if a := agent.Load(); a != nil {
		return a.Once(addr)
	}
	return nil
}

// OnceOfProcess tells of a function that runs once, and was made to before the tests began.
func OnceOfProcess() (end func()) {
	if a := agent.Load(); a != nil {
		return a.OnceOfProcess()
	}
	return nil
}

var testsBegan atomic.Bool

// TestsBegin says that from now on what is made may be a test's.
func TestsBegin() {
	if !testsBegan.Load() {
		testsBegan.Store(true)
	}
}

// BeforeTests says that no test has begun, so that what is made now is no test's. It needs no agent: packages are initialised before
// there is one.
func BeforeTests() bool { return !testsBegan.Load() }
