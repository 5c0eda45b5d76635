// Package outbound tells who wants to know of requests that leave the process, while they are sent and while they arrive
// at a server of the same process.
//
// It uses the standard library alone.
package outbound

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Call is one request.
type Call struct {
	What    string // "GET /charge", without values that may be secrets
	Arrived bool   // it is told by the server's side, on a goroutine of the server; else on the goroutine that sends it
}

// Hub hands calls to those who listen. Its zero value is ready.
type Hub struct {
	mu        sync.Mutex
	listeners atomic.Pointer[[]*func(Call)]
}

// Calls is the hub of this process. There is one, because whoever sends need not know who listens.
var Calls Hub

// Active says whether anybody listens. When nobody does, there is no need to make a Call.
func (h *Hub) Active() bool { return h.listeners.Load() != nil }

// Listen calls f with every call from now on, on the goroutine that tells it, until stop is called. f must not block.
func (h *Hub) Listen(f func(Call)) (stop func()) {
	p := &f
	h.change(func(all []*func(Call)) []*func(Call) { return append(all, p) })
	return func() {
		h.change(func(all []*func(Call)) []*func(Call) {
			return slices.DeleteFunc(all, func(q *func(Call)) bool { return q == p })
		})
	}
}

func (h *Hub) change(f func([]*func(Call)) []*func(Call)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []*func(Call)
	if old := h.listeners.Load(); old != nil {
		all = slices.Clone(*old)
	}
	if all = f(all); len(all) == 0 {
		h.listeners.Store(nil)
		return
	}
	h.listeners.Store(&all)
}

// Tell hands a call to all who listen.
func (h *Hub) Tell(c Call) {
	all := h.listeners.Load()
	if all == nil {
		return
	}
	for _, f := range *all {
		(*f)(c)
	}
}
