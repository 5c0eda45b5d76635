package label

import (
	"net/netip"
	"sync"
)

// addrs knows the servers that a watch has to itself: whoever is connected to one belongs to the watch, though a socket
// has no label.
var addrs struct {
	sync.Mutex
	by   map[netip.AddrPort]ID
	ring ring[netip.AddrPort] // the oldest to be forgotten first
}

// Claim says that the server at the address is talked to by the watch alone. It is known until Keep others have come, so
// that what is left open can be told when the server is closed. A later claim of the same address takes its place.
func Claim(addr netip.AddrPort, id ID) {
	addrs.Lock()
	defer addrs.Unlock()
	if addrs.by == nil {
		addrs.by = make(map[netip.AddrPort]ID)
	}
	if _, known := addrs.by[addr]; !known {
		if old, full := addrs.ring.put(addr); full {
			delete(addrs.by, old)
		}
	}
	addrs.by[addr] = id
}

// Unclaim forgets a claim: somebody else may listen at the address from now on.
func Unclaim(addr netip.AddrPort) {
	addrs.Lock()
	defer addrs.Unlock()
	delete(addrs.by, addr)
}

// opening keeps a server's listener from being seen before it is claimed.
var opening sync.RWMutex

// Open runs what opens a listener, and claims its address before anybody who calls Listing first can see it.
func Open(open func() netip.AddrPort, id ID) {
	opening.Lock()
	defer opening.Unlock()
	Claim(open(), id)
}

// Listing begins a listing of sockets in which those of Open are claimed. The function that it returns ends it.
func Listing() (done func()) {
	opening.RLock()
	return opening.RUnlock
}

// ClaimedBy gives the watch that has the server at the address to itself; 0 when there is none.
func ClaimedBy(addr netip.AddrPort) ID {
	addrs.Lock()
	defer addrs.Unlock()
	return addrs.by[addr]
}

// pairs knows, by what a dump calls them, the connections of net/http's transports on which a watch has sent a request to a
// server of its own.
var pairs struct {
	sync.Mutex
	by   map[string]ID
	ring ring[string]
}

// ClaimConn says that the watch has sent the last request on the connection. It is known until Keep others have come.
func ClaimConn(pair string, id ID) {
	pairs.Lock()
	defer pairs.Unlock()
	if pairs.by == nil {
		pairs.by = make(map[string]ID)
	}
	if _, known := pairs.by[pair]; !known {
		if old, full := pairs.ring.put(pair); full {
			delete(pairs.by, old)
		}
	}
	pairs.by[pair] = id
}

// ConnClaimedBy gives the watch that has sent the last request on the connection; 0 when it is not known.
func ConnClaimedBy(pair string) ID {
	pairs.Lock()
	defer pairs.Unlock()
	return pairs.by[pair]
}
