package hook

import "unsafe"

// Descriptors is told of descriptors.
type Descriptors struct {
	// Opened is told of each descriptor that internal/poll takes over: its *poll.FD, its number and what it is, as
	// internal/poll calls it. Named adds a file's name, and Closing comes before the descriptor is closed.
	Opened func(fd unsafe.Pointer, sysfd uintptr, network string)
	// Connected says that the calling goroutine is the one that had a connection dialled, which another has opened.
	Named     func(fd unsafe.Pointer, name string)
	Connected func(fd unsafe.Pointer)
	Closing   func(fd unsafe.Pointer)
	// Accepted is told of a connection and the listener that it was accepted from, each a *poll.FD. Hijacked is told of the
	// descriptor of a connection that a server has handed to its handler.
	Accepted func(listener, conn unsafe.Pointer)
	Hijacked func(num int)
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

// Connected tells who had a connection dialled.
func Connected(fd unsafe.Pointer) {
	if a := agent.Load(); a != nil {
		a.Connected(fd)
	}
}

// Closing tells that a descriptor is about to be closed.
func Closing(fd unsafe.Pointer) {
	if a := agent.Load(); a != nil {
		a.Closing(fd)
	}
}

// Accepted tells of a connection that was accepted.
func Accepted(listener, conn unsafe.Pointer) {
	if a := agent.Load(); a != nil {
		a.Accepted(listener, conn)
	}
}

// Hijacked tells of a connection that a handler has taken from its server.
func Hijacked(num int) {
	if a := agent.Load(); a != nil {
		a.Hijacked(num)
	}
}
