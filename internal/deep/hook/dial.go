package hook

import (
	"runtime"
	"sync/atomic"
)

// Network is told of what package net dials.
type Network struct {
	// Dialling is told of each dial that begins: the network and the address that were asked for, the port as a number. What it
	// gives, which may be nil, is told how that goes on.
	Dialling func(network, address string) Dial
	// LookedUp is told of each look-up of a host's addresses that is not a part of a dial, when it is over.
	LookedUp func(l Lookup)
	// Listening is told of each address at which this process listens.
	Listening func(network, address string)
}

// Dial is one dial. Its methods may be called from several goroutines at once.
type Dial interface {
	// Trying says that an address is tried.
	Trying(address string)
	// Ended says how it ended. Only the first call counts.
	Ended(end DialEnd)
}

// DialEnd is how a dial ended.
type DialEnd struct {
	Local, Remote string // addresses of the connection; "" where there is none
	Err           error
	NoName        bool // Err says that the name could not be looked up
	NoHost        bool // and that there is none of that name
}

// Lookup is a look-up of a host's addresses.
type Lookup struct {
	Host      string
	Addresses []string
	DialEnd   // of which Err, NoName and NoHost are set
}

// Early is what was told before there was anybody to tell: init functions and package-level variables may dial before the agent is
// there, and TestMain before it knows of the tests. It goes on being told how its dial goes on, and tells it to who asked for that.
type Early struct {
	Network, Address string // what was dialled, or where this process listens
	Listening        bool
	LookedUp         *Lookup // nil when it is no look-up
	PCs              []uintptr

	next  *Early
	tried atomic.Pointer[triedAddress]
	end   atomic.Pointer[DialEnd]
	to    atomic.Pointer[Dial]
}

type triedAddress struct {
	address string
	next    *triedAddress
}

// maxEarly bounds what is kept of what happens before there is anybody to tell.
const maxEarly = 512

var (
	network atomic.Pointer[Network] // nil as long as nobody has said whether to tell
	nobody  Network                 // when it is known that nobody wants to know

	early     atomic.Pointer[Early] // the last one
	noMore    Early                 // in place of the last one, when nothing is kept any more
	keptEarly atomic.Int32
)

// WatchNetwork begins to tell n, and gives what happened before, oldest first. There is one in a process. A nil n says that nobody
// wants to know.
func WatchNetwork(n *Network) []*Early {
	if n == nil {
		n = &nobody
	}
	network.Store(n)
	var out []*Early
	for e := early.Swap(&noMore); e != nil && e != &noMore; e = e.next {
		out = append(out, e)
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// Networked says whether anybody wants to know of dials, or may yet.
func Networked() bool { return network.Load() != &nobody }

// Dialling tells of a dial that begins; nil when nobody wants to know of it.
func Dialling(onNetwork, address string) Dial {
	n, kept := watcher(func() *Early { return &Early{Network: onNetwork, Address: address} })
	switch {
	case kept != nil:
		return kept
	case n != nil:
		return n.Dialling(onNetwork, address)
	}
	return nil
}

// LookedUp tells of a look-up of a host's addresses that is over.
func LookedUp(l Lookup) {
	if n, _ := watcher(func() *Early { return &Early{LookedUp: &l} }); n != nil {
		n.LookedUp(l)
	}
}

// Listening tells of an address at which this process listens.
func Listening(onNetwork, address string) {
	if n, _ := watcher(func() *Early { return &Early{Network: onNetwork, Address: address, Listening: true} }); n != nil {
		n.Listening(onNetwork, address)
	}
}

// watcher gives who wants to know; as long as that is not known, it keeps what happened, if there is room. Both are nil when nobody
// wants to know.
func watcher(what func() *Early) (n *Network, kept *Early) {
	n = network.Load()
	if n == nil {
		if e := what(); keptEarly.Add(1) <= maxEarly {
			var pcs [64]uintptr
			e.PCs = append(e.PCs, pcs[:runtime.Callers(3, pcs[:])]...)
			for {
				last := early.Load()
				if last == &noMore {
					break
				}
				if e.next = last; early.CompareAndSwap(last, e) {
					return nil, e
				}
			}
		}
		n = network.Load()
	}
	if n == &nobody {
		return nil, nil
	}
	return n, nil
}

// Trying notes an address that is tried.
func (e *Early) Trying(address string) {
	t := &triedAddress{address: address}
	for {
		t.next = e.tried.Load()
		if e.tried.CompareAndSwap(t.next, t) {
			break
		}
	}
	if to := e.to.Load(); to != nil {
		(*to).Trying(address)
	}
}

// Ended notes how the dial ended.
func (e *Early) Ended(end DialEnd) {
	e.end.CompareAndSwap(nil, &end)
	if to := e.to.Load(); to != nil {
		(*to).Ended(end)
	}
}

// Tell tells d how the dial has gone on, and goes on. What happens meanwhile may be told twice.
func (e *Early) Tell(d Dial) {
	e.to.Store(&d)
	var addresses []string
	for t := e.tried.Load(); t != nil; t = t.next {
		addresses = append(addresses, t.address)
	}
	for i := len(addresses) - 1; i >= 0; i-- {
		d.Trying(addresses[i])
	}
	if end := e.end.Load(); end != nil {
		d.Ended(*end)
	}
}
