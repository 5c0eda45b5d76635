package mockserver

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzConn gives a connection any bytes and then the end. It must end too, and answer in HTTP alone.
func FuzzConn(f *testing.F) {
	for _, s := range []string{
		"", "\r\n", "GET", get("/"), get("/a/b?c") + get("/x"), "HEAD / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" + get("/"),
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nabc",
		"POST /late HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n" + get("/late"),
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		get("/slow") + get("/slow"), "GET //a/../%2f%zz HTTP/1.1\r\nHost: x\r\n\r\n", get("/bad"),
	} {
		f.Add([]byte(s))
	}
	ft := &bareT{}
	srv := New(ft, withLate(time.Microsecond), AllowUnmatched())
	f.Cleanup(srv.Close)
	srv.On("", "/{$}").Reply(Status(403))
	srv.On("", "/late").Reply(Text(200, "late").Framing(ChunkedLate))
	srv.On("", "/slow").Reply(Status(204).Delay(time.Microsecond))
	srv.On("", "/bad").Reply(Status(99))

	f.Fuzz(func(t *testing.T, in []byte) {
		nc := &fakeConn{in: bytes.NewReader(in)}
		c := srv.admit(nc)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			c.serve()
		}()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Fatalf("the connection still runs")
		}
		info, _ := c.snapshot()
		require.Equal(t, ConnClosed, info.State)
		require.True(t, nc.closed)
		require.EqualValues(t, nc.out.Len(), info.Written)
		if out := nc.out.String(); out != "" {
			require.Regexp(t, `^HTTP/1\.1 \d{3} `, out)
			require.Positive(t, info.Requests+bytes.Count(nc.out.Bytes(), []byte("100 Continue")))
		}
	})
}

// fakeConn is a client that has sent all it will send.
type fakeConn struct {
	net.Conn // nil: no other method may be called
	in       *bytes.Reader
	out      bytes.Buffer
	closed   bool
}

func (c *fakeConn) Read(p []byte) (int, error)      { return c.in.Read(p) }
func (c *fakeConn) Write(p []byte) (int, error)     { return c.out.Write(p) }
func (c *fakeConn) Close() error                    { c.closed = true; return nil }
func (c *fakeConn) CloseWrite() error               { return nil }
func (c *fakeConn) SetReadDeadline(time.Time) error { return nil }
func (c *fakeConn) RemoteAddr() net.Addr            { return &net.TCPAddr{} }
