//go:build darwin || freebsd || openbsd || netbsd

package socket

import (
	"net/netip"
	"strconv"
	"syscall"
)

const limits = "a socket is known by its number and addresses alone, because this system gives it no identity of its own: " +
	"one that is closed and opened again between the same two addresses counts as the same one, " +
	"and one that is connected after the first listing counts as new"

// Census lists the sockets of this process. Its zero value is ready; calls must not overlap.
type Census struct{}

// scanMax bounds the listing where the limit of descriptors is very high or infinite.
const scanMax = 1 << 16

// List appends all sockets that the process has open to dst, in the order of their numbers, and returns the longer slice.
// It asks every number up to the limit that is in force; descriptors above 65536 are not seen.
func (*Census) List(dst []Ref) ([]Ref, error) {
	end := scanMax
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err == nil && uint64(r.Cur) < scanMax {
		end = int(r.Cur)
	}
	for fd := range end {
		if s, ok := read(fd); ok {
			dst = append(dst, s.Ref)
		}
	}
	return dst, nil
}

// Describe reads what there is to say about the socket. It is false when the socket is closed, or when its number
// belongs to one with other addresses by now.
func Describe(r Ref) (Socket, bool) {
	s, ok := read(r.FD)
	if !ok || s.Ref != r {
		return Socket{}, false
	}
	if s.Stream && (s.Family == "tcp4" || s.Family == "tcp6") {
		s.State = tcpState(r.FD)
	}
	if s.State == "" {
		switch {
		case s.Listening:
			s.State = "LISTEN"
		case s.Remote.IsValid() || s.RemotePath != "":
			s.State = "ESTABLISHED"
		}
	}
	if again, ok := read(r.FD); !ok || again.Ref != r {
		return Socket{}, false
	}
	return s, true
}

// Identity gives the ID of the socket with this descriptor number, as in Ref; ok is false when it is none.
func Identity(fd int) (id uint64, ok bool) {
	s, ok := read(fd)
	return s.ID, ok
}

// read gives what the identity is made of.
func read(fd int) (Socket, bool) {
	var st syscall.Stat_t
	if syscall.Fstat(fd, &st) != nil || st.Mode&syscall.S_IFMT != syscall.S_IFSOCK {
		return Socket{}, false
	}
	s := Socket{Ref: Ref{FD: fd}, Family: "other"}
	kind, _ := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE)
	listening, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
	s.Listening = err == nil && listening != 0 // systems answer 1 or the option's own number
	name, err := syscall.Getsockname(fd)
	if err == nil {
		switch a := name.(type) {
		case *syscall.SockaddrInet4:
			s.Family = ipFamily(kind, "4")
		case *syscall.SockaddrInet6:
			s.Family = ipFamily(kind, "6")
		case *syscall.SockaddrUnix:
			s.Family, s.LocalPath = "unix", a.Name
		}
		s.Local = addrPort(name)
	}
	s.Stream = kind == syscall.SOCK_STREAM
	if peer, err := syscall.Getpeername(fd); err == nil {
		s.Remote = addrPort(peer)
		if a, ok := peer.(*syscall.SockaddrUnix); ok {
			s.RemotePath = a.Name
		}
	}
	id := mix(uint64(fd), uint64(kind))
	for _, part := range []string{s.Family, addr(s.Local), addr(s.Remote), s.LocalPath, s.RemotePath} {
		for i := range len(part) {
			id = mix(id, uint64(part[i]))
		}
		id = mix(id, 256)
	}
	s.ID = mix(id, uint64(st.Ino)) // 0 where the system numbers no sockets
	return s, true
}

func ipFamily(kind int, version string) string {
	switch kind {
	case syscall.SOCK_STREAM:
		return "tcp" + version
	case syscall.SOCK_DGRAM:
		return "udp" + version
	}
	return "other"
}

func addrPort(sa syscall.Sockaddr) netip.AddrPort {
	switch a := sa.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *syscall.SockaddrInet6:
		ip := netip.AddrFrom16(a.Addr).Unmap()
		if a.ZoneId != 0 {
			ip = ip.WithZone(strconv.FormatUint(uint64(a.ZoneId), 10)) // no effect on an IPv4 address
		}
		return netip.AddrPortFrom(ip, uint16(a.Port))
	}
	return netip.AddrPort{}
}

// tcpStates are numbered as in netinet/tcp_fsm.h, from 0, the same on all of these systems.
var tcpStates = [...]string{"CLOSED", "LISTEN", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT1", "CLOSING",
	"LAST_ACK", "FIN_WAIT2", "TIME_WAIT"}

// tcpState reads the first byte of struct tcp_connection_info (darwin) or tcp_info (the others), which is the state in all
// of them. It is "" where the system gives the structure whole or not at all.
func tcpState(fd int) string {
	state, err := syscall.GetsockoptByte(fd, syscall.IPPROTO_TCP, tcpInfo)
	if err != nil || int(state) >= len(tcpStates) {
		return ""
	}
	return tcpStates[state]
}
