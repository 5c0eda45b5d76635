package outbound

import (
	"context"
	"errors"
	"net"
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

	began time.Time

	mu    sync.Mutex
	over  bool
	took  time.Duration
	err   error
	tried []netip.AddrPort
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

// End notes how the dial ended. Only the first call counts.
func (d *Dial) End(conn net.Conn, err error) {
	if err == nil && conn != nil {
		if a := conn.RemoteAddr(); a != nil {
			d.Trying(a.String())
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.over {
		d.over, d.took, d.err = true, time.Since(d.began), err
	}
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
	return outcome(d.err), d.took, true
}

func outcome(err error) string {
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case err == nil:
		return "connected"
	case errors.As(err, &dns) && dns.IsNotFound:
		return "no such host"
	case errors.Is(err, syscall.ECONNREFUSED), strings.Contains(err.Error(), "refused"): // Windows has an error of its own
		return "refused"
	case errors.Is(err, context.Canceled), strings.HasSuffix(err.Error(), "operation was canceled"):
		return "cancelled"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timed out"
	case errors.As(err, &dns):
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
