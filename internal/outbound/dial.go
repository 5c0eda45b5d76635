package outbound

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Dial is one dial, from its beginning on. Its methods may be called from several goroutines at once.
type Dial struct {
	Network, Address string
	Goroutine        uint64 // that dials

	// What deep mode knows besides. A dial that has Lookup set is a look-up of the addresses of the host that Address is, which
	// failed, so that nothing was dialled. PCs is the stack of one that is told later than it was made, as runtime.Callers gives it.
	Lookup bool
	PCs    []uintptr

	began time.Time

	mu    sync.Mutex
	over  bool
	took  time.Duration
	end   End
	tried []netip.AddrPort
}

// End is how a dial ended.
type End struct {
	Local, Remote string // addresses of the connection; "" where there is none, or none that is known
	Err           error
	NoName        bool // Err says that the name could not be looked up
	NoHost        bool // and that there is none of that name
}

// Begin makes a dial that begins now.
func Begin(network, address string, goroutine uint64) *Dial {
	return &Dial{Network: network, Address: address, Goroutine: goroutine, began: time.Now()}
}

// Trying notes an address that the dial's name was resolved to. What is no IP address with a port is left out.
func (d *Dial) Trying(address string) {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return
	}
	d.note(a)
}

func (d *Dial) note(a netip.AddrPort) {
	a = Plain(a)
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Contains(d.tried, a) {
		d.tried = append(d.tried, a)
	}
}

// Ended notes how the dial ended. Only the first call counts.
func (d *Dial) Ended(end End) {
	if end.Err == nil {
		d.Trying(end.Remote)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.over {
		d.over, d.took, d.end = true, time.Since(d.began), end
	}
}

// stayed gives where the dial has led to, if that is an address of this machine: both ends of the connection have the same one.
func (d *Dial) stayed() (remote netip.AddrPort, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	local, err := netip.ParseAddrPort(d.end.Local)
	remote, err2 := netip.ParseAddrPort(d.end.Remote)
	return remote, err == nil && err2 == nil && Plain(local).Addr() == Plain(remote).Addr()
}

// Tried lists the addresses that it has tried so far.
func (d *Dial) Tried() []netip.AddrPort {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.tried)
}

// Outcome says how the dial ended, in a word or two, and how long it took; of one that has not ended, how long it has taken
// until now.
func (d *Dial) Outcome() (how string, took time.Duration, over bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.over {
		return "no answer yet", time.Since(d.began), false
	}
	return d.end.outcome(), d.took, true
}

func (e End) outcome() string {
	var timeout interface{ Timeout() bool }
	err := e.Err
	switch {
	case err == nil:
		return "connected"
	case e.NoHost:
		return "no such host"
	case errors.Is(err, syscall.ECONNREFUSED), strings.Contains(err.Error(), "refused"): // Windows has an error of its own
		return "refused"
	case errors.Is(err, context.Canceled), strings.HasSuffix(err.Error(), "operation was canceled"):
		return "cancelled"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timed out"
	case e.NoName:
		return "the name could not be looked up"
	case strings.Contains(err.Error(), "unreachable"), strings.Contains(err.Error(), "no route to host"):
		return "unreachable"
	case errors.Is(err, syscall.ENOENT):
		return "no such file"
	}
	return "failed"
}

// Plain writes an IPv4 address that is in IPv6 form as IPv4, and leaves out the zone.
func Plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}
