package outbound

import (
	"net/netip"
	"sync"
)

// Listeners are the addresses at which this process listens, or has listened. Its zero value is ready.
type Listeners struct {
	mu    sync.Mutex
	at    map[netip.AddrPort]bool
	paths map[string]bool // of unix sockets
}

// Own are this process's, as far as somebody adds them: deep mode does.
var Own Listeners

// Add notes an address, as package net writes it.
func (l *Listeners) Add(network, address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at == nil {
		l.at, l.paths = make(map[netip.AddrPort]bool), make(map[string]bool)
	}
	switch t := TargetOf(network, address); {
	case t.Path != "":
		l.paths[t.Path] = true
	case t.Addr.IsValid():
		l.at[t.Addr] = true
	}
}

// Has says whether the target is one of them. A listener without an address takes what comes to any of the machine's own, of which
// those of the loopback interface are known; for the others see HasHere.
func (l *Listeners) Has(t Target) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch a := t.Addr.Addr(); {
	case t.Path != "":
		return l.paths[t.Path]
	case t.Addr.IsValid():
		return l.at[t.Addr] || (a.IsLoopback() || a.IsUnspecified()) && l.anyAddress(t.Port)
	case t.Host == "localhost":
		return l.at[netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), t.Port)] ||
			l.at[netip.AddrPortFrom(netip.IPv6Loopback(), t.Port)] || l.anyAddress(t.Port)
	}
	return false
}

// HasHere says whether a dial connected to one of them that has no address, over an address of this machine.
func (l *Listeners) HasHere(d *Dial) bool {
	remote, ok := d.stayed()
	l.mu.Lock()
	defer l.mu.Unlock()
	return ok && l.anyAddress(remote.Port())
}

func (l *Listeners) anyAddress(port uint16) bool {
	return l.at[netip.AddrPortFrom(netip.IPv4Unspecified(), port)] || l.at[netip.AddrPortFrom(netip.IPv6Unspecified(), port)]
}
