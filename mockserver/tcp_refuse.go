package mockserver

import (
	"fmt"
	"net"
)

// Refuse gives an address at which nothing listens, "127.0.0.1:port", and nothing will for as long as the test runs: a
// dial gets ECONNREFUSED. The port is held until t.Cleanup; when t has no Cleanup method, until the process ends.
//
//	err := start("amqp://" + mockserver.Refuse(t))
//
// On Linux the port is held by a socket that is bound and does not listen, so that nobody else can have it. A dial to such
// a socket hangs on macOS. Elsewhere the port is therefore held by a connection between two sockets of this process: the
// system gives it to nobody who asks for any free port, but a program that asks for this very port may get it. On
// Windows a dial that is refused takes about 2 s, because the system tries again.
//
// When the port cannot be held, the test fails: at once if t has FailNow; otherwise Refuse returns "127.0.0.1:0", to which no
// dial succeeds.
func Refuse(t TB) string {
	t = orNoTest(t, "Refuse")
	t.Helper()
	addr, free, err := holdRefusing()
	if err != nil {
		t.Errorf("mockserver: Refuse: %v", err)
		failNow(t)
		return "127.0.0.1:0"
	}
	if c, ok := t.(interface{ Cleanup(func()) }); ok {
		c.Cleanup(free)
	}
	return addr
}

// holdByConnection holds a port by a connection that came in there, after its listener is gone.
func holdByConnection() (addr string, free func(), err error) {
	ln, err := listenLoopback()
	if err != nil {
		return "", nil, err
	}
	defer ln.Close()
	client, err := net.DialTimeout("tcp", ln.Addr().String(), fenceWait)
	if err != nil {
		return "", nil, fmt.Errorf("cannot hold a port: %w", err)
	}
	for {
		server, err := ln.Accept()
		if err != nil {
			reset(client)
			return "", nil, fmt.Errorf("cannot hold a port: %w", err)
		}
		if server.RemoteAddr().String() != client.LocalAddr().String() {
			reset(server) // somebody else's
			continue
		}
		return ln.Addr().String(), func() {
			reset(server)
			reset(client)
		}, nil
	}
}
