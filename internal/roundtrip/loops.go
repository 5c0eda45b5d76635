package roundtrip

import (
	"net/netip"
	"sync"
)

// maxLoops bounds the table; past it the oldest knowledge is dropped and a report says less.
const maxLoops = 4096

// loopTable remembers which goroutine reads a connection, by the connection's two addresses, so that a report can say
// that the goroutine and the leased response are one leak. An entry that is out of date does no harm: the goroutine
// with that ID is gone, and IDs are not used again.
type loopTable struct {
	mu  sync.Mutex
	ids map[[2]netip.AddrPort]uint64
}

var loops loopTable

func (t *loopTable) put(local, remote netip.AddrPort, id uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ids == nil || len(t.ids) >= maxLoops {
		t.ids = make(map[[2]netip.AddrPort]uint64)
	}
	t.ids[[2]netip.AddrPort{local, remote}] = id
}

func (t *loopTable) get(local, remote netip.AddrPort) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ids[[2]netip.AddrPort{local, remote}]
}
