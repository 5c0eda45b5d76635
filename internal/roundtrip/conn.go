package roundtrip

import (
	"net"
	"net/netip"
	"sync"
	"syscall"
	"weak"

	"github.com/leakgate/leakgate/internal/goroutine"
)

// connOf is what is known of the connection below a response.
type connOf struct {
	local, remote netip.AddrPort // not valid when it is no TCP connection
	loop          uint64         // the goroutine that reads it; 0 when not known
	pool          uint64         // the pool of the transport that opened it
	tcp           weak.Pointer[net.TCPConn]
	isTCP         bool
}

// gone says that the connection is certainly closed on this side, or collected. It does not touch the connection.
func (c connOf) gone() bool {
	if !c.isTCP {
		return false
	}
	tcp := c.tcp.Value()
	if tcp == nil {
		return true
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false
	}
	return raw.Control(func(uintptr) {}) != nil
}

// maxConns bounds the table; past it the oldest knowledge is dropped and a report says less.
const maxConns = 4096

// connTable remembers connections by their two addresses, for the requests that find them open. An entry that is out of
// date does no harm: a connection that is opened replaces it.
type connTable struct {
	mu sync.Mutex
	by map[[2]netip.AddrPort]connOf
}

var conns connTable

// got gives what is known of a connection that a request got.
func (t *connTable) got(nc net.Conn, reused bool, pool uint64) connOf {
	if nc == nil {
		return connOf{}
	}
	c := connOf{local: addrPort(nc.LocalAddr()), remote: addrPort(nc.RemoteAddr()), pool: pool}
	if !c.local.IsValid() || !c.remote.IsValid() {
		return c
	}
	key := [2]netip.AddrPort{c.local, c.remote}
	t.mu.Lock()
	defer t.mu.Unlock()
	if known, ok := t.by[key]; ok && reused {
		return known
	}
	if tcp := tcpOf(nc); tcp != nil {
		c.tcp, c.isTCP = weak.Make(tcp), true
	}
	if t.by == nil || len(t.by) >= maxConns {
		t.by = make(map[[2]netip.AddrPort]connOf)
	}
	t.by[key] = c
	return c
}

// learn adds which goroutine reads the connection.
func (t *connTable) learn(c connOf) {
	if !c.local.IsValid() || !c.remote.IsValid() {
		return
	}
	key := [2]netip.AddrPort{c.local, c.remote}
	t.mu.Lock()
	defer t.mu.Unlock()
	if known, ok := t.by[key]; ok && known.tcp == c.tcp {
		t.by[key] = c
	}
}

// Conn is a tracked connection.
type Conn struct {
	Local, Remote netip.AddrPort
	Pool          uint64 // ID of the pool of the transport that opened it
}

// ConnOf gives the tracked connection that a goroutine of net/http reads; ok is false when it is not known.
func ConnOf(goroutine uint64) (Conn, bool) {
	conns.mu.Lock()
	defer conns.mu.Unlock()
	for _, c := range conns.by {
		if c.loop == goroutine && goroutine != 0 {
			return Conn{Local: c.local, Remote: c.remote, Pool: c.pool}, true
		}
	}
	return Conn{}, false
}

// dialers says which transport's pool a goroutine has dialled for last, while somebody measures a load.
var dialers struct {
	sync.Mutex
	by map[uint64]uint64
}

// dialed runs on the goroutine that dials, as a rule that of net/http which starts the connection's own goroutines then. A connection that no
// request has used yet is known by it.
func (r *response) dialed(_, _ string, err error) {
	if err != nil {
		return
	}
	var buf [64]byte
	self := goroutine.CurrentID(buf[:])
	dialers.Lock()
	defer dialers.Unlock()
	if dialers.by == nil || len(dialers.by) >= maxConns {
		dialers.by = make(map[uint64]uint64)
	}
	dialers.by[self] = r.tracker.pool.ID()
}

// PoolOfDial gives the pool of the tracked transport that the goroutine has dialled for while a load was measured; 0 when it is not
// known.
func PoolOfDial(goroutine uint64) uint64 {
	dialers.Lock()
	defer dialers.Unlock()
	return dialers.by[goroutine]
}

// tcpOf finds the TCP connection below, as far as it is shown: TLS shows it.
func tcpOf(nc net.Conn) *net.TCPConn {
	for range 4 {
		switch c := nc.(type) {
		case *net.TCPConn:
			return c
		case interface{ NetConn() net.Conn }:
			nc = c.NetConn()
		default:
			return nil
		}
	}
	return nil
}

var _ syscall.Conn = (*net.TCPConn)(nil)

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok && t != nil {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
