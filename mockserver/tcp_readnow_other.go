//go:build !unix

package mockserver

import (
	"errors"
	"net"
	"os"
	"time"
)

// readNow reads what has arrived. A socket cannot be looked at without waiting here, so that it waits for a moment. It is
// ready when there was something: bytes, the end or an error of the connection.
func readNow(nc net.Conn, piece []byte) (n int, ready bool, err error) {
	const moment = 50 * time.Millisecond
	nc.SetReadDeadline(time.Now().Add(moment))
	defer nc.SetReadDeadline(time.Time{})
	n, err = nc.Read(piece)
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, false, nil
	}
	return n, true, err
}
