package socket

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"syscall"
	"unsafe"
)

const limits = "only TCP and UDP sockets are seen on Windows, and each is known by its addresses alone: " +
	"one that is closed and opened again between the same two addresses counts as the same one, " +
	"and one that is bound or connected after the first listing counts as new"

var (
	iphlpapi            = syscall.NewLazyDLL("iphlpapi.dll")
	getExtendedTCPTable = iphlpapi.NewProc("GetExtendedTcpTable")
	getExtendedUDPTable = iphlpapi.NewProc("GetExtendedUdpTable")
)

// Census lists the sockets of this process. Its zero value is ready; calls must not overlap.
type Census struct {
	buf []byte
}

// List appends the process's TCP and UDP sockets to dst and returns the longer slice.
//
// It reads the machine's tables (GetExtendedTcpTable, GetExtendedUdpTable) and keeps the rows of this process.
func (c *Census) List(dst []Ref) ([]Ref, error) {
	had := len(dst)
	err := c.each(func(s Socket) { dst = append(dst, s.Ref) })
	if err != nil {
		return dst[:had], err
	}
	return dst, nil
}

// Describe looks for the socket in the same tables. It is false when it is not there any more.
func Describe(r Ref) (Socket, bool) {
	var c Census
	var found Socket
	ok := false
	err := c.each(func(s Socket) {
		if s.Ref == r {
			found, ok = s, true
		}
	})
	return found, ok && err == nil
}

// table is one table of the system; the numbers are offsets into its rows (tcpmib.h, udpmib.h, tcpestats.h).
type table struct {
	family      string
	proc        *syscall.LazyProc
	af, class   uintptr
	size        int // of a row
	ip          int // length of an address
	local       int // offsets: address, port
	localPort   int
	remote      int // -1: none
	remotePort  int
	state       int
	pid         int
	scope, peer int // offsets of the scope of the local and the remote address; -1: none
}

const (
	afINET             = 2
	afINET6            = 23
	tcpTableOwnerAll   = 5 // TCP_TABLE_OWNER_PID_ALL
	udpTableOwnerPID   = 1 // UDP_TABLE_OWNER_PID
	insufficientBuffer = 122
)

var tables = []table{
	// MIB_TCPROW_OWNER_PID: state, local address, local port, remote address, remote port, PID
	{family: "tcp4", proc: getExtendedTCPTable, af: afINET, class: tcpTableOwnerAll, size: 24, ip: 4,
		state: 0, local: 4, localPort: 8, remote: 12, remotePort: 16, pid: 20, scope: -1, peer: -1},
	// MIB_TCP6ROW_OWNER_PID: local address, scope, port, remote address, scope, port, state, PID
	{family: "tcp6", proc: getExtendedTCPTable, af: afINET6, class: tcpTableOwnerAll, size: 56, ip: 16,
		local: 0, scope: 16, localPort: 20, remote: 24, peer: 40, remotePort: 44, state: 48, pid: 52},
	// MIB_UDPROW_OWNER_PID: local address, port, PID
	{family: "udp4", proc: getExtendedUDPTable, af: afINET, class: udpTableOwnerPID, size: 12, ip: 4,
		local: 0, localPort: 4, pid: 8, remote: -1, state: -1, scope: -1, peer: -1},
	// MIB_UDP6ROW_OWNER_PID: local address, scope, port, PID
	{family: "udp6", proc: getExtendedUDPTable, af: afINET6, class: udpTableOwnerPID, size: 28, ip: 16,
		local: 0, scope: 16, localPort: 20, pid: 24, remote: -1, state: -1, peer: -1},
}

func (c *Census) each(f func(Socket)) error {
	self := uint32(syscall.Getpid())
	for _, t := range tables {
		if err := t.proc.Find(); err != nil {
			return ErrUnsupported
		}
		rows, err := c.rows(t)
		if err != nil {
			return err
		}
		for ; len(rows) >= t.size; rows = rows[t.size:] {
			if row := rows[:t.size]; number32(row, t.pid) == self {
				f(t.socket(row))
			}
		}
	}
	return nil
}

// rows reads a table, whose first number is the count of its rows. The table may grow between two calls, so the
// call is repeated with the size that it asks for.
func (c *Census) rows(t table) ([]byte, error) {
	if c.buf == nil {
		c.buf = make([]byte, 32<<10)
	}
	for range 10 {
		size := uint32(len(c.buf))
		code, _, _ := t.proc.Call(uintptr(unsafe.Pointer(&c.buf[0])), uintptr(unsafe.Pointer(&size)), 0, t.af, t.class, 0)
		switch code {
		case 0:
			n := int(number32(c.buf, 0))
			if rows := c.buf[4:]; n <= len(rows)/t.size {
				return rows[:n*t.size], nil
			}
			return nil, ErrUnsupported
		case insufficientBuffer:
			c.buf = make([]byte, 2*max(int(size), len(c.buf)))
		default:
			return nil, syscall.Errno(code)
		}
	}
	return nil, syscall.Errno(insufficientBuffer)
}

// tcpStates are numbered as in MIB_TCP_STATE, from 1.
var tcpStates = [...]string{1: "CLOSED", "LISTEN", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2",
	"CLOSE_WAIT", "CLOSING", "LAST_ACK", "TIME_WAIT", "CLOSED"}

func (t table) socket(row []byte) Socket {
	s := Socket{Ref: Ref{FD: -1}, Family: t.family, Stream: t.state >= 0}
	s.Local = t.addrPort(row, t.local, t.localPort, t.scope)
	if t.state >= 0 {
		if n := number32(row, t.state); n < uint32(len(tcpStates)) {
			s.State = tcpStates[n]
		}
		s.Listening = s.State == "LISTEN"
		if !s.Listening {
			s.Remote = t.addrPort(row, t.remote, t.remotePort, t.peer)
		}
	}
	id := uint64(0)
	for _, part := range []string{s.Family, addr(s.Local), addr(s.Remote)} {
		for i := range len(part) {
			id = mix(id, uint64(part[i]))
		}
		id = mix(id, 256)
	}
	s.ID = id
	return s
}

func (t table) addrPort(row []byte, at, port, scope int) netip.AddrPort {
	ip, _ := netip.AddrFromSlice(row[at : at+t.ip])
	ip = ip.Unmap()
	if scope >= 0 && number32(row, scope) != 0 {
		ip = ip.WithZone(strconv.FormatUint(uint64(number32(row, scope)), 10)) // no effect on an IPv4 address
	}
	return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(row[port:]))
}

func number32(b []byte, at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }

// Identity is always false here: what is listed is known by its addresses.
func Identity(int) (id uint64, ok bool) { return 0, false }
