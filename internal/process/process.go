// Package process lists the child processes that this process has started and not waited for.
//
// A child that runs on after its test is a leak, and so is one that has exited and was never waited for: the kernel keeps
// its entry (on Linux as a zombie) until the parent waits or ends. Listing never waits for a child itself, so that the code under test
// still can.
package process

import (
	"errors"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Ref names one child.
type Ref struct {
	// ID is made of the PID and the time the child was started, so that a PID that is used again has another ID.
	ID  uint64
	PID int
}

// Child is what can be said about a child process.
type Child struct {
	Ref

	// Name is the base name of the executable. Arguments are left out because they may hold secrets.
	Name string
	// Args is the number of arguments after the name; -1 when it is not known (always so once the child has exited).
	Args int
	// Exited: the child has ended and nobody has waited for it.
	Exited bool
	// State in a word: "running", "sleeping", "waiting for a disk", "stopped", "traced", "exited", "idle"; "" when not known.
	State string
	// Age is the time since the child was started, to 10 ms; 0 when it is not known.
	Age time.Duration
}

// String is the child in one line: "process 4711 sleep (1 argument), sleeping, started 1.2s ago".
func (c Child) String() string {
	var b strings.Builder
	b.WriteString("process " + strconv.Itoa(c.PID))
	if c.Name != "" {
		b.WriteString(" " + c.Name)
	}
	switch {
	case c.Args == 1:
		b.WriteString(" (1 argument)")
	case c.Args > 1:
		b.WriteString(" (" + strconv.Itoa(c.Args) + " arguments)")
	}
	switch {
	case c.Exited:
		b.WriteString(", exited and not waited for")
	case c.State != "":
		b.WriteString(", " + c.State)
	}
	if c.Age > 0 {
		b.WriteString(", started " + c.Age.String() + " ago")
	}
	return b.String()
}

// ErrUnsupported is what List returns where children cannot be listed. It is an errors.ErrUnsupported too.
var ErrUnsupported error = unsupported{}

type unsupported struct{}

func (unsupported) Error() string {
	if runtime.GOOS == "linux" {
		return "child processes cannot be listed because /proc cannot be read: a child that was never waited for is not seen"
	}
	return "child processes cannot be listed on " + runtime.GOOS + ": a child that was never waited for is not seen"
}

func (unsupported) Is(target error) bool { return target == errors.ErrUnsupported }

// mix joins two numbers to one that looks random (the finalizer of splitmix64, by Steele, Lea and Flood).
func mix(a, b uint64) uint64 {
	x := a*0x9e3779b97f4a7c15 ^ b
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
