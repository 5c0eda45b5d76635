package socket

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// Describe reads what there is to say about the socket. It is false when the socket is closed, or when its number
// belongs to another one by now: the identity is read before and after the details, so that they are never those of another.
func Describe(r Ref) (Socket, bool) {
	if id, e := identity(r.FD); e != 0 || id != r.ID {
		return Socket{}, false
	}
	s := read(r)
	if id, e := identity(r.FD); e != 0 || id != r.ID {
		return Socket{}, false
	}
	return s, true
}

func read(r Ref) Socket {
	s := Socket{Ref: r, Family: "other"}
	domain := option(r.FD, syscall.SO_DOMAIN)
	kind := option(r.FD, syscall.SO_TYPE)
	s.Listening = option(r.FD, syscall.SO_ACCEPTCONN) == 1

	var name, peer sockaddr
	hasName, hasPeer := name.local(r.FD), peer.remote(r.FD)
	if domain < 0 && hasName {
		domain = int(name.family())
	}
	switch domain {
	case syscall.AF_INET, syscall.AF_INET6:
		ip := "4"
		if domain == syscall.AF_INET6 {
			ip = "6"
		}
		switch kind {
		case syscall.SOCK_STREAM:
			s.Family, s.Stream = "tcp"+ip, true
		case syscall.SOCK_DGRAM:
			s.Family = "udp" + ip
		default:
			s.Detail = "ip" + ip
		}
		if hasName {
			s.Local = name.addrPort()
		}
		if hasPeer {
			s.Remote = peer.addrPort()
		}
		switch {
		case s.Stream && option(r.FD, syscall.SO_PROTOCOL) == protoSCTP:
			s.Family, s.Stream, s.Detail = "other", false, "sctp"+ip
		case s.Stream:
			s.State = tcpState(r.FD)
		}
	case syscall.AF_UNIX:
		s.Family, s.Stream = "unix", kind == syscall.SOCK_STREAM
		if hasName {
			s.LocalPath = name.path()
		}
		if hasPeer {
			s.RemotePath = peer.path()
		}
		if hasPeer && kind != syscall.SOCK_DGRAM {
			s.PeerPID = peerPID(r.FD)
			s.PeerHere = s.PeerPID == syscall.Getpid()
		}
	default:
		s.Detail = domainName(domain)
	}
	if s.State == "" && s.Family != "other" {
		switch {
		case s.Listening:
			s.State = "LISTEN"
		case s.Family == "unix" && s.Stream && hasPeer && peerClosed(r.FD):
			s.State = "CLOSE_WAIT"
		case hasPeer:
			s.State = "ESTABLISHED"
		case !s.Stream || s.Family == "unix":
			s.State = "UNCONNECTED"
		}
	}
	if s.State == "SYN_SENT" && !s.Remote.IsValid() {
		s.Remote = dialed(r.FD)
	}
	return s
}

const protoSCTP = 132 // IPPROTO_SCTP

// option reads a number; -1 when it cannot be read.
func option(fd, name int) int {
	var v int32
	size := uint32(4)
	if getsockopt(fd, syscall.SOL_SOCKET, name, unsafe.Pointer(&v), &size) != 0 || size != 4 {
		return -1
	}
	return int(v)
}

// tcpStates are numbered as in the kernel's include/net/tcp_states.h, from 1.
var tcpStates = [...]string{1: "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSED",
	"CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "SYN_RECV", "CLOSED"}

// tcpState reads the first field of struct tcp_info, tcpi_state. The kernel copies as many bytes as are asked for. It
// answers for a listener and for MPTCP too, which net.Listen uses.
func tcpState(fd int) string {
	var info [4]byte
	size := uint32(len(info))
	if getsockopt(fd, syscall.IPPROTO_TCP, syscall.TCP_INFO, unsafe.Pointer(&info), &size) != 0 || size == 0 {
		return ""
	}
	if int(info[0]) >= len(tcpStates) {
		return ""
	}
	return tcpStates[info[0]]
}

// peerPID reads struct ucred: pid, uid, gid.
func peerPID(fd int) int {
	var cred [3]int32
	size := uint32(unsafe.Sizeof(cred))
	if getsockopt(fd, syscall.SOL_SOCKET, syscall.SO_PEERCRED, unsafe.Pointer(&cred), &size) != 0 || cred[0] < 0 {
		return 0
	}
	return int(cred[0])
}

// peerClosed asks a unix socket, without waiting, whether its peer has closed or shut down.
func peerClosed(fd int) bool {
	const hup, rdhup = 0x10, 0x2000 // POLLHUP, POLLRDHUP: the same on all architectures that Go has
	p := struct {
		fd      int32
		events  int16
		revents int16
	}{fd: int32(fd), events: rdhup}
	var now syscall.Timespec
	n, _, e := syscall.RawSyscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	return e == 0 && n == 1 && p.revents&(hup|rdhup) != 0
}

// sockaddr is a struct sockaddr_storage and the length that the kernel gave.
type sockaddr struct {
	b [128]byte
	n uint32
}

func (a *sockaddr) local(fd int) bool {
	a.n = uint32(len(a.b))
	return getsockname(fd, unsafe.Pointer(&a.b), &a.n) == 0 && a.fits()
}

func (a *sockaddr) remote(fd int) bool {
	a.n = uint32(len(a.b))
	return getpeername(fd, unsafe.Pointer(&a.b), &a.n) == 0 && a.fits()
}

func (a *sockaddr) fits() bool { return a.n >= 2 && a.n <= uint32(len(a.b)) }

func (a *sockaddr) family() uint16 { return binary.NativeEndian.Uint16(a.b[:]) }

// addrPort reads sockaddr_in (port at 2, address at 4) or sockaddr_in6 (port at 2, address at 8, scope at 24).
func (a *sockaddr) addrPort() netip.AddrPort {
	port := binary.BigEndian.Uint16(a.b[2:])
	switch {
	case a.family() == syscall.AF_INET && a.n >= 8:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a.b[4:8])), port)
	case a.family() == syscall.AF_INET6 && a.n >= 24:
		ip := netip.AddrFrom16([16]byte(a.b[8:24])).Unmap()
		if scope := binary.NativeEndian.Uint32(a.b[24:]); scope != 0 && a.n >= 28 {
			ip = ip.WithZone(strconv.FormatUint(uint64(scope), 10)) // no effect on an IPv4 address
		}
		return netip.AddrPortFrom(ip, port)
	}
	return netip.AddrPort{}
}

// path reads sockaddr_un as unix(7) has it: nothing after the family is unnamed; a first byte of zero is abstract, and the
// name is all that follows; else it is a path that a zero byte may end.
func (a *sockaddr) path() string {
	p := a.b[2:a.n]
	if len(p) == 0 {
		return ""
	}
	if p[0] == 0 {
		return "@" + string(p[1:])
	}
	s, _, _ := strings.Cut(string(p), "\x00")
	return s
}

func domainName(domain int) string {
	switch domain {
	case syscall.AF_NETLINK:
		return "netlink"
	case syscall.AF_PACKET:
		return "packet"
	case syscall.AF_BLUETOOTH:
		return "bluetooth"
	case syscall.AF_ALG:
		return "crypto"
	case afVSOCK:
		return "vsock"
	case afXDP:
		return "xdp"
	}
	if domain < 0 {
		return ""
	}
	return "address family " + strconv.Itoa(domain)
}

const (
	afVSOCK = 40
	afXDP   = 44
)
