package matrix

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var socketScenarios = []scenario{
	{
		name: "tcp-dial", setup: echoServer("tcp", ""), leak: dial("tcp", keepConn), clean: dial("tcp", closeConn),
		want: want{code: "LK301", kind: "socket", has: []string{"tcp4 connection within this process was never closed", "defer conn.Close()"}},
	},
	{
		name: "tcp-dial-elsewhere", setup: peerOfParent, leak: dial("tcp", keepConn), clean: dial("tcp", closeConn),
		want: want{code: "LK301", kind: "socket", has: []string{"tcp4 connection to 127.0.0.1:", "ESTABLISHED"}},
	},
	{
		name: "tcp-dial-goroutine-per-connection", setup: echoServerPerConn, leak: dial("tcp", keepConn), clean: dial("tcp", closeConn),
		want: want{code: "LK102", kind: "goroutine", mark: "per-connection", nobody: true, has: []string{"socket tcp4"}},
	},
	{
		name: "tcp-listener", leak: listen("tcp", "127.0.0.1:0", false), clean: listen("tcp", "127.0.0.1:0", true),
		want: want{code: "LK302", kind: "socket", has: []string{"tcp4 listener was never closed", "defer l.Close()"}},
	},
	{
		name: "unix-listener", leak: listen("unix", "", false), clean: listen("unix", "", true), linux: true,
		want: want{code: "LK302", kind: "socket", has: []string{"unix listener was never closed"}},
	},
	{
		name: "unix-dial", setup: echoServer("unix", "s"), leak: dial("unix", keepConn), clean: dial("unix", closeConn), linux: true,
		want: want{code: "LK301", kind: "socket", has: []string{"unix connection within this process was never closed"}},
	},
	{
		name: "udp", leak: packet(false), clean: packet(true),
		want: want{code: "LK301", kind: "socket", has: []string{"udp4 socket was never closed"}},
	},
	{
		name: "tcp-close-wait", setup: hangUp, leak: dial("tcp", keepAfterEOF), clean: dial("tcp", closeAfterEOF), linux: true,
		want: want{code: "LK301", kind: "socket", has: []string{"CLOSE_WAIT: the peer has closed and this side has not"}},
	},
	{
		name: "tcp-dropped", setup: echoServer("tcp", ""), leak: dial("tcp", dropConn), clean: dial("tcp", closeConn), linux: true,
		want: want{code: "LK301", kind: "socket", has: []string{"proved unreachable: the garbage collector closed it"}},
	},
	{
		name: "tcp-accept-loop", leak: acceptLoop, clean: acceptLoopEnds,
		want: want{code: "LK102", kind: "goroutine", mark: "accept-loop", has: []string{"tcp4 127.0.0.1:", "LISTEN"}},
	},
	{
		name: "tcp-dial-http-server", setup: server(answer(200)), leak: dialHTTP(keepRequest), clean: dialHTTP(closeRequest),
		want: want{code: "LK301", kind: "socket", has: []string{"tcp4 connection within this process was never closed"}},
	},
	{
		name: "tls-read-loop", setup: tlsServer(answer(200), false), leak: tlsReadLoop, clean: tlsReadLoopEnds,
		want: want{code: "LK102", kind: "goroutine", mark: "tls-read-loop", has: []string{"socket tcp4"}},
	},
	{
		name: "tcp-read-loop", setup: echoServer("tcp", ""), leak: readLoop, clean: readLoopEnds,
		want: want{code: "LK102", kind: "goroutine", mark: "read-loop", has: []string{"socket tcp4", "IO wait"}},
	},
}

func address(network, addr string) string {
	if network != "unix" {
		return "127.0.0.1:0"
	}
	dir, err := os.MkdirTemp("", "m") // a unix path must be short
	if err != nil {
		panic(err)
	}
	return filepath.Join(dir, addr)
}

// listener was there before the test; loop runs on a goroutine that was too.
func listener(network, addr string, loop func(net.Listener)) *peer {
	l, err := net.Listen(network, address(network, addr))
	if err != nil {
		panic(err)
	}
	if u, ok := l.(*net.UnixListener); ok { // the path is not needed once the test has dialled it, see dial
		u.SetUnlinkOnClose(true)
	}
	go loop(l)
	return &peer{addr: l.Addr().String()}
}

// echoServer serves one connection at a time, on a goroutine that was there before the test.
func echoServer(network, addr string) func() *peer {
	return func() *peer {
		return listener(network, addr, func(l net.Listener) {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}
		})
	}
}

func echoServerPerConn() *peer {
	return listener("tcp", "", func(l net.Listener) {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // LEAK per-connection
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}()
		}
	})
}

// hangUp closes every connection at once.
func hangUp() *peer {
	return listener("tcp", "", func(l net.Listener) {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	})
}

func peerOfParent() *peer { return &peer{addr: os.Getenv(envPeer)[len("http://"):]} }

// dial makes a scenario: a connection to the peer, and what is done with it.
func dial(network string, then func(*testing.T, net.Conn)) func(*testing.T, *peer) {
	return func(t *testing.T, p *peer) {
		c, err := net.Dial(network, p.addr) // TAKEN dial
		require.NoError(t, err)
		if network == "unix" {
			_ = os.RemoveAll(filepath.Dir(p.addr))
		}
		then(t, c)
	}
}

// dialHTTP talks to an HTTP server without net/http, which then keeps the connection for the next request.
func dialHTTP(then func(*testing.T, net.Conn)) func(*testing.T, *peer) {
	return func(t *testing.T, p *peer) {
		c, err := net.Dial("tcp", p.url[len("http://"):]) // TAKEN dial-http
		require.NoError(t, err)
		then(t, c)
	}
}

func keepRequest(t *testing.T, c net.Conn)  { request(t, c); keep(c) }
func closeRequest(t *testing.T, c net.Conn) { request(t, c); assert.NoError(t, c.Close()) }

func request(t *testing.T, c net.Conn) {
	_, err := io.WriteString(c, "HEAD / HTTP/1.1\r\nHost: test\r\n\r\n")
	require.NoError(t, err)
	_, err = http.ReadResponse(bufio.NewReader(c), &http.Request{Method: http.MethodHead})
	require.NoError(t, err)
}

func keepConn(t *testing.T, c net.Conn)  { talk(t, c); keep(c) }
func closeConn(t *testing.T, c net.Conn) { talk(t, c); assert.NoError(t, c.Close()) }
func dropConn(t *testing.T, c net.Conn)  { talk(t, c) }

// talk is over when the server has accepted the connection.
func talk(t *testing.T, c net.Conn) {
	if c.RemoteAddr().String() == parentAddr() {
		return
	}
	_, err := io.WriteString(c, "hello")
	require.NoError(t, err)
	_, err = io.ReadFull(c, make([]byte, len("hello")))
	require.NoError(t, err)
}

func parentAddr() string {
	if os.Getenv(envPeer) == "" {
		return ""
	}
	return peerOfParent().addr
}

func waitEOF(t *testing.T, c net.Conn) {
	_, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

func keepAfterEOF(t *testing.T, c net.Conn)  { waitEOF(t, c); keep(c) }
func closeAfterEOF(t *testing.T, c net.Conn) { waitEOF(t, c); assert.NoError(t, c.Close()) }

func listen(network, addr string, closeIt bool) func(*testing.T, *peer) {
	return func(t *testing.T, _ *peer) {
		if network == "unix" {
			addr = filepath.Join(t.TempDir(), "s")
		}
		l, err := net.Listen(network, addr) // TAKEN listen
		require.NoError(t, err)
		keep(l)
		if closeIt {
			assert.NoError(t, l.Close())
		}
	}
}

func packet(closeIt bool) func(*testing.T, *peer) {
	return func(t *testing.T, _ *peer) {
		c, err := net.ListenPacket("udp", "127.0.0.1:0") // TAKEN packet
		require.NoError(t, err)
		keep(c)
		if closeIt {
			assert.NoError(t, c.Close())
		}
	}
}

func accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_ = c.Close()
	}
}

func acceptLoop(t *testing.T, _ *peer) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go accept(l) // LEAK accept-loop
}

func acceptLoopEnds(t *testing.T, _ *peer) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	go accept(l)
}

func readLoop(t *testing.T, p *peer) {
	c, err := net.Dial("tcp", p.addr)
	require.NoError(t, err)
	talk(t, c)
	go func() { // LEAK read-loop
		_, _ = io.Copy(io.Discard, c)
	}()
}

func tlsDial(t *testing.T, p *peer) *tls.Conn {
	config := p.client.Transport.(*http.Transport).TLSClientConfig
	c, err := tls.Dial("tcp", p.url[len("https://"):], config)
	require.NoError(t, err)
	return c
}

func tlsReadLoop(t *testing.T, p *peer) {
	c := tlsDial(t, p)
	go func() { // LEAK tls-read-loop
		_, _ = io.Copy(io.Discard, c)
	}()
}

func tlsReadLoopEnds(t *testing.T, p *peer) {
	c := tlsDial(t, p)
	defer c.Close()
	go func() { _, _ = io.Copy(io.Discard, c) }()
}

func readLoopEnds(t *testing.T, p *peer) {
	c, err := net.Dial("tcp", p.addr)
	require.NoError(t, err)
	defer c.Close()
	talk(t, c)
	go func() { _, _ = io.Copy(io.Discard, c) }()
}
