//go:build !leakgate_deep

package leakcheck

import (
	"cmp"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/leakgate/leakgate/internal/dbuse"
	"github.com/leakgate/leakgate/internal/outbound"
	"github.com/leakgate/leakgate/internal/socket"
)

// hostSockets is what was seen of this process's sockets while somebody wants to know where they lead.
var hostSockets socketLog

// How it looks.
const (
	socketsEvery = 10 * time.Millisecond
	maxSockets   = 1 << 13 // then those that are closed and that nobody may want to know of are forgotten
)

// socketLog looks at the sockets from time to time, and remembers where each led.
type socketLog struct {
	mu        sync.Mutex
	users     int
	stop      func() // ends the looks; nil when there are none
	at        uint64 // number of the last look
	seen      map[uint64]*seenSocket
	listeners map[netip.AddrPort]bool // where this process listens, or has listened
	paths     map[string]bool         // the same of unix sockets
	remotes   map[netip.AddrPort]bool // where any of its sockets led
	err       error                   // of the last look
}

// seenSocket is one socket.
type seenSocket struct {
	socket.Socket
	first, last uint64 // looks
	answered    bool   // by a policy: a test's, not Main's, was there when it was first seen
	once, gone  bool   // of what since gives: it was seen once, and is not there any more, so that it says nothing by itself
}

// use begins to look. The first look is made at once. In a synctest bubble no timer is started.
func (l *socketLog) use(bubble bool) (at uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users++; l.users == 1 {
		l.seen = make(map[uint64]*seenSocket)
		l.listeners, l.paths, l.remotes = make(map[netip.AddrPort]bool), make(map[string]bool), make(map[netip.AddrPort]bool)
	}
	if l.stop == nil && !bubble {
		l.stop = dbuse.Every(socketsEvery, l.look)
	}
	l.lookLocked()
	return l.at, l.err
}

// leave is use's end.
func (l *socketLog) leave() {
	l.mu.Lock()
	var stop func()
	if l.users--; l.users == 0 {
		stop, l.stop = l.stop, nil
		l.seen, l.listeners, l.paths, l.remotes = nil, nil, nil, nil
	}
	l.mu.Unlock()
	if stop != nil {
		stop() // it waits for a look, which needs the lock
	}
}

func (l *socketLog) look() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lookLocked()
}

func (l *socketLog) lookLocked() {
	if l.users == 0 {
		return
	}
	l.at++
	var refs []socket.Ref
	l.err = sockets.list(func(all []socket.Ref) { refs = slices.Clone(all) })
	answered := policies.anyTest()
	for _, r := range refs {
		s := l.seen[r.Key()]
		if s == nil {
			s = &seenSocket{first: l.at, answered: answered}
			l.seen[r.Key()] = s
		} else if s.leads() || s.Listening {
			s.last = l.at
			continue
		}
		if now, ok := socket.Describe(r); ok {
			s.Socket, s.last = now, l.at
			l.learn(s)
		}
	}
	if len(l.seen) > maxSockets {
		maps.DeleteFunc(l.seen, func(_ uint64, s *seenSocket) bool { return s.last < l.at && s.answered })
	}
}

// learn notes what a socket says of addresses.
func (l *socketLog) learn(s *seenSocket) {
	switch {
	case s.Listening && s.Family == "unix":
		l.paths[s.LocalPath] = true
	case s.Listening:
		l.listeners[outbound.Plain(s.Local)] = true
	case s.Remote.IsValid():
		l.remotes[outbound.Plain(s.Remote)] = true
	}
}

// leads says whether the socket has a peer that has an address.
func (s *seenSocket) leads() bool { return s.Remote.IsValid() || s.RemotePath != "" }

// listens says whether this process listens at the target.
func (l *socketLog) listens(t outbound.Target) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users == 0 {
		return false
	}
	if !l.listensLocked(t) {
		l.lookLocked()
	}
	return l.listensLocked(t)
}

func (l *socketLog) listensLocked(t outbound.Target) bool {
	switch {
	case t.Path != "":
		return l.paths[t.Path]
	case t.Addr.IsValid():
		return l.listensAt(t.Addr)
	case t.Host == "localhost":
		return l.listensAt(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), t.Port)) ||
			l.listensAt(netip.AddrPortFrom(netip.IPv6Loopback(), t.Port))
	}
	return false
}

// listensAt: a listener without an address takes what comes to any of the machine's own.
func (l *socketLog) listensAt(a netip.AddrPort) bool {
	if l.listeners[a] {
		return true
	}
	any4, any6 := netip.AddrPortFrom(netip.IPv4Unspecified(), a.Port()), netip.AddrPortFrom(netip.IPv6Unspecified(), a.Port())
	return (l.listeners[any4] || l.listeners[any6]) && (a.Addr().IsLoopback() || a.Addr().IsUnspecified() || ownAddress(a.Addr()))
}

// ownAddress says whether it is an address of this machine.
func ownAddress(a netip.Addr) bool {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, one := range all {
		if p, err := netip.ParsePrefix(one.String()); err == nil && p.Addr().Unmap().WithZone("") == a {
			return true
		}
	}
	return false
}

// since looks once more, and gives the sockets that were first seen after that look and that lead out of this process, oldest
// first.
func (l *socketLog) since(at uint64) (out []seenSocket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lookLocked()
	for _, s := range l.seen {
		if s.first <= at || !l.isOutbound(s) {
			continue
		}
		one := *s
		one.once = l.unsure(s)
		one.gone = one.once && s.last < l.at
		if now, ok := socket.Describe(s.Ref); ok && (now.Remote.IsValid() || now.RemotePath != "") {
			one.Socket = now
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b seenSocket) int {
		return cmp.Or(cmp.Compare(a.first, b.first), a.Local.Compare(b.Local), cmp.Compare(a.Key(), b.Key()))
	})
	return out
}

// isOutbound says whether this process has dialled the peer. A connection that it has accepted has the address of a listener,
// or one that another of its sockets leads to.
//
// Within this machine, the end of a connection that was accepted from a listener which no look has met may be seen for a moment
// when the other end is closed already: see unsure.
func (l *socketLog) isOutbound(s *seenSocket) bool {
	if s.Family == "unix" {
		return s.RemotePath != "" && s.RemotePath != s.LocalPath
	}
	remote, local := outbound.Plain(s.Remote), outbound.Plain(s.Local)
	switch {
	case !remote.IsValid() || s.Listening:
		return false
	case remote.Port() == portDNS || !s.Stream && remote.Port() == portSort:
		return false
	case s.State == "SYN_SENT":
		return true
	case !s.Stream:
		return true
	case l.listensAt(local):
		return false
	case l.remotes[local]:
		return l.listensAt(remote) // both ends are here; without the listener it is not known which of them dialled
	}
	return true
}

// unsure says whether the socket was seen in one look alone, within this machine, and not while it was dialled. When it is gone
// it says nothing by itself.
func (l *socketLog) unsure(s *seenSocket) bool {
	return s.first == s.last && s.Stream && s.State != "SYN_SENT" && s.Remote.Addr().IsLoopback() && s.Family != "unix"
}

const (
	portDNS  = 53 // look-ups of names
	portSort = 9  // package net connects UDP sockets to it, and sends nothing, to find out which of a name's addresses is best
)
