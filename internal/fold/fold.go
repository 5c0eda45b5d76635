// Package fold turns a list of what is held into a list of root causes: one leak, one entry.
//
// A body that was not closed also holds a socket, two goroutines and, when the server runs in this process, the
// server's socket and goroutine. Fold starts from the surest evidence (a tracked lease) and lets each root cause take
// what it explains; what nobody explains becomes a root cause of its own.
//
// It uses the standard library alone and knows nothing of tests.
package fold

import (
	"slices"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/process"
	"github.com/leakgate/leakgate/internal/report"
	"github.com/leakgate/leakgate/internal/roundtrip"
	"github.com/leakgate/leakgate/internal/socket"
)

// Blame says whose a resource is.
type Blame struct {
	Test     string   // the test, when it is known
	Suspects []string // the tests that could have made it, when it is not
	Other    bool     // somebody else's: it may explain resources, and is not reported
	Sure     bool     // of a socket, Test follows from whom it leads to; of a goroutine, from who last used its connection
}

// Goroutine is a goroutine that is new, or an older one whose connection was leased since.
type Goroutine struct {
	goroutine.Goroutine
	Role   goroutine.Role
	Blame  Blame
	Proved bool // the runtime proved that nothing can wake it
	Older  bool // it was there before; its connection is leased only now

	taken bool
}

// Lease is a tracked lease.
type Lease struct {
	ID    uint64
	PCs   []uintptr
	Info  lease.Info
	Now   lease.State
	Blame Blame
	Fail  bool // never closed is a leak, also when nothing is held

	Twin uint64 // ID of the same lease in the agent of deep mode; 0 when there is none
	Deep bool   // that agent tracks it, and nobody else does
}

// keys are what an entry of the lease is known by.
func (l Lease) keys() []report.Key {
	keys := []report.Key{{List: "lease", ID: l.ID}}
	if l.Twin != 0 {
		keys = append(keys, report.Key{List: "lease", ID: l.Twin})
	}
	return keys
}

// Socket is a socket that is new.
type Socket struct {
	socket.Socket
	Blame   Blame
	Dropped bool      // the garbage collector closed it when it was asked to run: nothing referred to it
	PCs     []uintptr // stack that opened it; nil when it is not known
	Role    string    // what was done there: "accepted at"; "" for opening it
	From    []uintptr // of one that was accepted, the stack that opened the listener; nil when it is not known
	Lease   uint64    // its lease, which is the same leak; 0 when there is none
}

// Child is a child process that is new.
type Child struct {
	process.Child
	ID    uint64
	Blame Blame
	PCs   []uintptr // stack that started it; nil when it is not known
}

// Input is everything that is new.
type Input struct {
	Leases     []Lease
	Goroutines []Goroutine
	Sockets    []Socket
	Children   []Child
	// ConnOf gives the ends of the connection that a goroutine reads, when that is known; it may be nil.
	ConnOf     func(goroutine uint64) (roundtrip.Conn, bool)
	PoolOfDial func(goroutine uint64) (pool uint64) // of the tracked transport that a goroutine has dialled for; 0 when not known; may be nil
	// SQLOpen says whether the process has a database/sql pool open that was there before; it may be nil.
	SQLOpen func() bool
	// Pools are the database pools that are tracked.
	Pools []Pool
	// Pooled asks for Output.Pooled.
	Pooled bool
	// Openers is how many database/sql pools are known and explain a connectionOpener each.
	Openers int
}

// Output is what Fold found.
type Output struct {
	Leaks []report.Leak
	Idle  int // idle pooled connections that are new: not a leak
	// Pooled are idle connections of HTTP clients, by test and server, when they were asked for; Count is the least number of
	// transports that they can be of. More than one transport keeps is not in Leaks then.
	Pooled []report.Leak
	// Guessed says that a connection was taken for that of a goroutine which may be about to end: one that is not blocked, or
	// somebody else's, where the connection is known to be the test's own. Another look may tell.
	Guessed bool
}

type folder struct {
	in    Input
	conns []*conn          // connections made of the sockets
	known map[uint64]*conn // by the goroutine that reads them
	pools map[*conn]uint64 // the pool of a known connection's transport
	out   Output

	pipes     []Lease        // ends of pipes that os/exec has opened for a child
	ofPools   []Lease        // what the end of a database pool ends
	poolLeaks map[uint64]int // entries of database pools, by their IDs
}

// Fold explains the input, which it leaves as it is. The leaks are not grouped or sorted yet: see report.Finish.
func Fold(in Input) Output {
	in.Goroutines = slices.Clone(in.Goroutines) // they are marked as taken
	f := &folder{in: in}
	f.connect()
	f.leases()
	f.databaseLeases()
	f.fileLeases()
	f.databasePools()
	f.poolLeases()
	f.reserve()
	f.untracked()
	f.streams()
	f.servers()
	f.idle()
	f.serverConns()
	f.databases()
	f.pgxPools()
	f.children()
	f.goroutines()
	f.sockets()
	return f.out
}

func (f *folder) add(b Blame, l report.Leak) {
	if b.Other {
		return
	}
	l.Test, l.Suspects = b.Test, b.Suspects
	f.out.Leaks = append(f.out.Leaks, l)
}

// each calls do with every goroutine of the role that nobody has taken.
func (f *folder) each(role goroutine.Role, do func(*Goroutine)) {
	for i := range f.in.Goroutines {
		if g := &f.in.Goroutines[i]; !g.taken && g.Role == role {
			do(g)
		}
	}
}

// find gives the first goroutine that nobody has taken and that matches.
func (f *folder) find(match func(*Goroutine) bool) *Goroutine {
	for i := range f.in.Goroutines {
		if g := &f.in.Goroutines[i]; !g.taken && match(g) {
			return g
		}
	}
	return nil
}

func goroutineKey(g *Goroutine) report.Key {
	id := g.ID
	if g.Older {
		id |= LeasedBit
	}
	return report.Key{List: "goroutine", ID: id}
}

// LeasedBit marks, in the ID of a goroutine that was there before, that its connection is leased.
const LeasedBit = 1 << 63

func user(g *Goroutine) []callsite.Frame { return callsite.User(g.Frames) }
