// Package socket lists the sockets that this process has open.
//
// It works in two steps, as a census does. List gives the identity of every open socket and nothing else, so that it
// can run before and after each test. Describe reads the details of one of them, for the few that are new.
//
// On Linux it uses package syscall alone and the identity is the socket cookie (SO_COOKIE, Linux 4.12), which the
// kernel gives to one socket only until the next boot. A descriptor number that was closed and given to another socket
// in between is therefore seen for what it is. Elsewhere the identity is made of what can be read, see Limits.
//
// Listing only reads. It never duplicates a descriptor, never wraps one in an os.File, and never changes an option.
package socket

import (
	"errors"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
)

// Ref names one open descriptor of a socket.
type Ref struct {
	// ID is the socket's own identity. Two descriptors of one socket (net.TCPConn.File, dup) share it.
	ID uint64
	// FD is the descriptor's number; -1 where the system does not tell.
	FD int
}

// Key is one number for the descriptor and the socket together: the two descriptors of a duplicated socket share the
// ID and differ in the Key.
func (r Ref) Key() uint64 { return mix(r.ID, uint64(int64(r.FD))) }

// Socket is what can be said about an open socket.
type Socket struct {
	Ref

	Family string // "tcp4", "tcp6", "udp4", "udp6", "unix" or "other"
	Detail string // what it is when Family is "other": "netlink", "packet", "ip4", ...; else ""
	Stream bool   // a byte stream: TCP, MPTCP, unix stream

	// State is the name of the state as netstat has it: ESTABLISHED, CLOSE_WAIT, SYN_SENT, FIN_WAIT2, LISTEN, CLOSED ...
	// UDP and unix sockets have no such machine: they are LISTEN, ESTABLISHED (there is a peer), CLOSE_WAIT (unix
	// stream: the peer has closed or will send no more) or UNCONNECTED. It is "" when it is not known.
	State     string
	Listening bool

	Local  netip.AddrPort // the zero AddrPort when there is none; an IPv4 address in IPv6 form is shown as IPv4
	Remote netip.AddrPort // the same

	LocalPath  string // unix: the path; "@name" when abstract; "" when unnamed
	RemotePath string // unix: the same for the peer

	// PeerPID is the process that made the other end of a unix stream or socketpair (SO_PEERCRED): the one that called
	// connect, listen or socketpair, even if it has passed the descriptor on since. It is 0 when it is not known.
	PeerPID int
	// PeerHere says that PeerPID is this process. The peer of an IP socket has no PID: see Pairs.
	PeerHere bool
}

// Pairs reports whether s and o are the two ends of one IP connection, so that a client and a server in one process
// can be shown as one leak.
func (s Socket) Pairs(o Socket) bool {
	return s.Family == o.Family && s.Stream == o.Stream && s.Local.IsValid() && s.Remote.IsValid() &&
		s.Local == o.Remote && s.Remote == o.Local && s.ID != o.ID
}

// String is the socket in one line: "tcp4 127.0.0.1:53122->127.0.0.1:8080 ESTABLISHED (fd 7)".
func (s Socket) String() string {
	var b strings.Builder
	b.WriteString(s.Family)
	if s.Detail != "" {
		b.WriteString(" (" + s.Detail + ")")
	}
	local, remote := addr(s.Local), addr(s.Remote)
	if s.Family == "unix" {
		local, remote = path(s.LocalPath), path(s.RemotePath)
		if local == "unnamed" && remote == "unnamed" {
			local, remote = "", ""
			if s.PeerPID != 0 {
				local = "unnamed pair"
			}
		}
		if s.State == "LISTEN" || s.State == "UNCONNECTED" {
			remote = ""
		}
	}
	if local != "" || remote != "" {
		if local == "" {
			local = "?"
		}
		b.WriteString(" " + local)
	}
	if remote != "" {
		b.WriteString("->" + remote)
	}
	if s.State != "" {
		b.WriteString(" " + s.State)
	}
	switch {
	case s.PeerHere:
		b.WriteString(", peer made by this process")
	case s.PeerPID != 0:
		b.WriteString(", peer made by process " + strconv.Itoa(s.PeerPID))
	}
	if s.FD >= 0 {
		b.WriteString(" (fd " + strconv.Itoa(s.FD) + ")")
	}
	return b.String()
}

func addr(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func path(p string) string {
	if p == "" {
		return "unnamed"
	}
	return p
}

// ErrUnsupported is what List returns where the own sockets cannot be listed. It is an errors.ErrUnsupported too.
var ErrUnsupported error = unsupported{}

type unsupported struct{}

func (unsupported) Error() string {
	return "open sockets cannot be listed on " + runtime.GOOS + ": leaked connections and listeners are seen only through their goroutines"
}

// Limits says in a sentence what the census does not see on this system; "" when it sees all sockets and identifies
// them for certain.
func Limits() string { return limits }

// mix joins two numbers to one that looks random (the finalizer of splitmix64, by Steele, Lea and Flood).
func mix(a, b uint64) uint64 {
	x := a*0x9e3779b97f4a7c15 ^ b
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

func (unsupported) Is(target error) bool { return target == errors.ErrUnsupported }
