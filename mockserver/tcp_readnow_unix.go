//go:build unix

package mockserver

import (
	"io"
	"net"
	"os"
	"syscall"
)

// readNow reads what has arrived without waiting. It is ready when there was something: bytes, the end or an error of the
// connection. Otherwise err says why it could not look, and is nil when it looked and nothing was there.
func readNow(nc net.Conn, piece []byte) (n int, ready bool, err error) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return 0, false, nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, false, err
	}
	var errno error
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, errno = syscall.Read(int(fd), piece)
			if errno != syscall.EINTR {
				return true
			}
		}
	})
	switch {
	case err != nil:
		return 0, false, err
	case errno == syscall.EAGAIN:
		return 0, false, nil
	case errno != nil:
		return 0, true, os.NewSyscallError("read", errno)
	case n == 0:
		return 0, true, io.EOF
	}
	return n, true, nil
}
