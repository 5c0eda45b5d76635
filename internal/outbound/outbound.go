// Package outbound tells who wants to know of what leaves the process: requests, while they are sent and while they arrive
// at a server of the same process, the connections that they got, and dials. And it reads the patterns that say where it may go.
//
// It uses the standard library alone.
package outbound

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
)

// Call is one request.
type Call struct {
	What    string // "GET /charge", without values that may be secrets
	Address string // host and port that it is sent to; "" when it has arrived
	Arrived bool   // it is told by the server's side, on a goroutine of the server; else on the goroutine that sends it
}

// Conn is the connection that a request got.
type Conn struct {
	Address string // host and port that the request is sent to, as in its Call
	Remote  netip.AddrPort
}

// Lookup is a look-up of a host's addresses that was no part of a dial.
type Lookup struct {
	Host      string
	Addresses []netip.Addr
}

// Hub hands what happens to those who listen. Its zero value is ready.
type Hub[E any] struct {
	mu        sync.Mutex
	listeners atomic.Pointer[[]*func(E)]
}

// The hubs of this process. There is one of each, because whoever sends need not know who listens.
var (
	Calls   Hub[Call]
	Conns   Hub[Conn]
	Dials   Hub[*Dial]  // told when a dial begins, on the goroutine that dials
	Lookups Hub[Lookup] // told on the goroutine that looks up; only deep mode knows of them
)

// Active says whether anybody listens. When nobody does, there is no need to make what would be told.
func (h *Hub[E]) Active() bool { return h.listeners.Load() != nil }

// Listen calls f with everything from now on, on the goroutine that tells it, until stop is called. f must not block.
func (h *Hub[E]) Listen(f func(E)) (stop func()) {
	p := &f
	h.change(func(all []*func(E)) []*func(E) { return append(all, p) })
	return func() {
		h.change(func(all []*func(E)) []*func(E) {
			return slices.DeleteFunc(all, func(q *func(E)) bool { return q == p })
		})
	}
}

func (h *Hub[E]) change(f func([]*func(E)) []*func(E)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []*func(E)
	if old := h.listeners.Load(); old != nil {
		all = slices.Clone(*old)
	}
	if all = f(all); len(all) == 0 {
		h.listeners.Store(nil)
		return
	}
	h.listeners.Store(&all)
}

// Tell hands it to all who listen.
func (h *Hub[E]) Tell(e E) {
	all := h.listeners.Load()
	if all == nil {
		return
	}
	for _, f := range *all {
		(*f)(e)
	}
}
