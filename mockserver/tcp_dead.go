package mockserver

// BlackHole is a peer that hangs: the kernel takes the connection, and then nothing ever comes. It reads the first 64 KiB
// of what a client sends, for Conns, and nothing more, so that a client which goes on sending blocks when the buffers of
// the system are full. A broker or a database whose process hangs looks like this: the dial succeeds, and the handshake
// waits for ever unless the client has a timeout for it. For a dial that hangs see DropSYN.
//
// It notices that a client has closed as long as no more than 64 KiB came.
func BlackHole(t TB) *TCP {
	t = orNoTest(t, "BlackHole")
	t.Helper()
	return newTCP(t, "BlackHole", []Step{{text: "BlackHole", last: true, play: (*tcpConn).swallow}})
}

// HangUp is a peer that ends each connection at once: the dial succeeds, and the first read gives io.EOF. As after Close,
// what the client sends is read and dropped, so that the read never gives a reset instead, and a client that does not
// close its side stays connected (ConnClosing; its own state is CLOSE_WAIT).
func HangUp(t TB) *TCP {
	t = orNoTest(t, "HangUp")
	t.Helper()
	return newTCP(t, "HangUp", []Step{Close()})
}

// HangUpReset is a peer that resets each connection at once. The client sees ECONNRESET at its first read or write (EPIPE at
// a second write), or at the dial already, when the reset is faster than the dialler.
func HangUpReset(t TB) *TCP {
	t = orNoTest(t, "HangUpReset")
	t.Helper()
	return newTCP(t, "HangUpReset", []Step{Reset()})
}
