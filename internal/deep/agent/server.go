package agent

import (
	"unsafe"

	"github.com/leakgate/leakgate/internal/callstack"
	"github.com/leakgate/leakgate/internal/label"
)

// How a connection came to be, as a report says it.
const (
	roleAccepted = "accepted at"
	roleHijacked = "hijacked at"
)

// accepted runs in net.(*netFD).accept, when internal/poll knows the connection. Where a server of the standard library has
// accepted it on a goroutine of its own, the line that opened the listener is the only one of the user's.
func (o *descriptors) accepted(listener, conn unsafe.Pointer) {
	defer contain()
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.by[uintptr(conn)]
	if c == nil {
		return
	}
	c.role = roleAccepted
	if l := o.by[uintptr(listener)]; l != nil {
		c.from = l.stack
	}
}

// hijacked runs where a handler has taken a connection from its server: it is the handler's to close from then on.
func (o *descriptors) hijacked(num int) {
	defer contain()
	o.mu.Lock()
	c := o.byNum[num]
	o.mu.Unlock()
	if c == nil {
		return
	}
	h := &descriptor{num: num, at: c.at, network: c.network, role: roleHijacked, from: c.from, test: label.Owner(), stack: callstack.Capture(2)}
	if h.test == 0 {
		h.test = c.test
	}
	sockets.TakeAt(h.test, &h.Lease, h, h.stack)
	o.mu.Lock()
	still := o.by[c.at] == c
	if still {
		o.by[c.at], o.byNum[num] = h, h
	}
	o.mu.Unlock()
	if !still { // it was closed meanwhile
		c = h
	}
	c.Release(false)
}
