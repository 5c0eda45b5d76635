package socket

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
	"syscall"
)

// dialed finds where a socket in SYN_SENT dials. getpeername(2) does not tell (ENOTCONN until the handshake is done), but
// /proc/self/net/tcp and tcp6 do, by the socket's inode. That takes milliseconds, as it lists the sockets of the whole
// machine, and is done for a hanging dial alone.
func dialed(fd int) netip.AddrPort {
	var st syscall.Stat_t
	if syscall.Fstat(fd, &st) != nil {
		return netip.AddrPort{}
	}
	ino := strconv.AppendUint(nil, uint64(st.Ino), 10)
	for _, file := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		if a := dialedIn(file, ino); a.IsValid() {
			return a
		}
	}
	return netip.AddrPort{}
}

func dialedIn(file string, ino []byte) netip.AddrPort {
	f, err := syscall.Open(file, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return netip.AddrPort{}
	}
	defer syscall.Close(f)
	buf := make([]byte, 0, 64<<10)
	for {
		if len(buf) == cap(buf) {
			return netip.AddrPort{} // a line of 64 KiB: not the file it should be
		}
		n, err := syscall.Read(f, buf[len(buf):cap(buf)])
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return netip.AddrPort{}
		}
		buf = buf[:len(buf)+n]
		for {
			end := bytes.IndexByte(buf, '\n')
			if end < 0 {
				break
			}
			// sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode ...
			if w := bytes.Fields(buf[:end]); len(w) > 9 && bytes.Equal(w[9], ino) {
				return hexAddr(w[2])
			}
			buf = append(buf[:0], buf[end+1:]...)
		}
	}
}

// hexAddr reads "0100007F:1F90": the address in 32-bit words of the machine's own byte order, and the port.
func hexAddr(word []byte) netip.AddrPort {
	host, port, ok := bytes.Cut(word, []byte(":"))
	if !ok {
		return netip.AddrPort{}
	}
	n, err := strconv.ParseUint(string(port), 16, 16)
	if err != nil {
		return netip.AddrPort{}
	}
	raw, err := hex.DecodeString(string(host))
	if err != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.AddrPort{}
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	ip, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(ip.Unmap(), uint16(n))
}
