package mockserver

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A connection that has ended is remembered without its buffers.
func TestClosedConnectionsKeepNoBuffers(t *testing.T) {
	for name, opts := range map[string][]Option{"HTTP/1": nil, "HTTP/2": {HTTP2()}} {
		t.Run(name, func(t *testing.T) {
			srv := New(t, opts...)
			srv.On("POST", "/").Reply(Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
			assert.Equal(t, "200 ", read(srv.Client(), "POST", srv.URL+"/", "body"))
			srv.Close() // waits for the goroutine
			require.Len(t, srv.conns, 1)
			c := srv.conns[0]
			assert.Nil(t, c.br)
			assert.Nil(t, c.buf)
			assert.Nil(t, c.whole)
			assert.Nil(t, c.h2)
			assert.Nil(t, c.streams)
		})
	}
}

// The body that a handler gets is not kept while the connection waits for the next request.
func TestIdleConnectionsKeepNoBody(t *testing.T) {
	srv := New(t)
	got := ""
	srv.On("POST", "/").Reply(Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = string(b)
	})))
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	go func() {
		io.WriteString(client, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbody")
		io.Copy(io.Discard, client)
	}()
	c := newConn(srv, 1, server)
	open, _ := c.exchange()
	assert.True(t, open)
	assert.Equal(t, "body", got)
	assert.Nil(t, c.whole)
}

// Bodies are remembered up to a number of bytes in all.
func TestOldBodiesAreForgotten(t *testing.T) {
	t.Parallel()
	s := &Server{}
	body := []byte(strings.Repeat("x", keepBytes/8))
	for i := range 10 {
		s.record(Request{Conn: i, Body: body})
	}
	s.record(Request{Conn: 10})
	for i, r := range s.Requests() {
		assert.Equal(t, i < 2, r.Truncated, i)
		assert.Equal(t, i < 2 || i == 10, len(r.Body) == 0, i)
	}
	assert.Equal(t, keepBytes, s.bodies)

	s.record(Request{Conn: 11, Body: make([]byte, keepBytes+1)})
	last := s.Requests()[11]
	assert.Len(t, last.Body, keepBytes+1, "the last one keeps its body, however long")
	assert.False(t, last.Truncated)
	s.record(Request{Conn: 12, Body: []byte("x")})
	assert.Equal(t, 1, s.bodies)

	for range 3 * keepLog { // the list itself is cut
		s.record(Request{Body: []byte("xy")})
	}
	sum := 0
	for _, r := range s.requests {
		sum += len(r.Body)
		assert.False(t, r.Truncated)
	}
	assert.Equal(t, sum, s.bodies)
}
