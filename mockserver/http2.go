package mockserver

import (
	"errors"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/leakgate/leakgate/internal/http2"
)

// maxStreams is how many requests a client may have under way on one connection of HTTP/2.
const maxStreams = 250

// HTTP2 is TLS with HTTP/2 offered, and HTTP/1.1 for clients that do not speak it. Client speaks HTTP/2 then.
//
// HTTP/2 hides the usual leak. A reply that has been sent to its end holds nothing on the connection, so a client that
// forgets to close a small body gives nothing back and holds nothing either, and no test sees it. What still shows: a
// reply that does not end (Stream, StallAfter, NoLength), and a body that is larger than what the client takes unread,
// 4 MiB with net/http. Each holds one of the 250 streams of the connection until the client closes the body. So use it
// for what is about HTTP/2, and leave it out where a test looks for unclosed bodies.
//
// Stubs, replies, Requests and Conns are the same as over HTTP/1.1. Names of headers are sent in lower case; Connection,
// Keep-Alive, Proxy-Connection, Transfer-Encoding, Upgrade, Reason and the version in a status line do not exist. Chunked
// and UntilClose send no length; after UntilClose, and where a reply asks to close the connection, the client is told with
// GOAWAY that its next request needs another one. Each fault says what it does over HTTP/2.
//
// What a client does against the protocol ends the stream or the connection with the code of RFC 9113, is recorded with
// its Err, and does not fail the test.
func HTTP2() Option {
	return func(c *config) { c.tls, c.http2 = true, true }
}

// serveHTTP2 runs until the connection has ended.
func (c *conn) serveHTTP2() {
	c.setProto("HTTP/2.0")
	c.h2 = http2.New(counted{c.nc, c}, http2.Config{
		Handle:     c.serveStream,
		Malformed:  c.malformed,
		Open:       c.opened,
		Ending:     c.ending,
		MaxStreams: maxStreams,
		MaxHeader:  maxHeader,
	})
	err := c.h2.Serve(c.br)
	var mistake http2.ConnError
	switch {
	case errors.As(err, &mistake):
		c.setErr(err)
		c.begin(Request{Proto: "HTTP/2.0", Conn: c.info.ID, Time: time.Now(), Err: err})
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.mu.Lock()
		told := c.hungUp || c.wentAway
		c.mu.Unlock()
		if !told { // IdleTimeout
			c.h2.GoAway(c.h2.LastStream(), http2.NoError, "")
		}
	default:
		return
	}
	c.setState(ConnClosing)
	c.linger()
}

// opened is called when the number of open streams has changed.
func (c *conn) opened(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.info.Streams
	c.info.Streams = n
	switch {
	case c.hungUp:
		return
	case n == 0:
		c.enter(ConnIdle)
	case was == 0:
		c.enter(ConnActive)
	}
	var until time.Time
	switch d := c.srv.cfg.idleTimeout; {
	case n == 0 && c.wentAway:
		until = time.Unix(1, 0)
	case n == 0 && d > 0:
		until = time.Now().Add(d)
	}
	c.nc.SetReadDeadline(until)
}

// ending is called when the end of a reply is about to be written.
func (c *conn) ending() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.info.LastSent = time.Now()
}

// hangUp ends the connection with a FIN, and every stream of it.
func (c *conn) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hungUp = true
	c.enter(ConnClosing)
	c.nc.SetReadDeadline(time.Unix(1, 0)) // ends Serve
}

// goAway tells the client that streams above last are not answered. The connection ends when the others have.
func (c *conn) goAway(last uint32) error {
	c.mu.Lock()
	c.wentAway = true
	c.mu.Unlock()
	return c.h2.GoAway(last, http2.NoError, "")
}

// malformed records a request that is none. It was answered with RST_STREAM.
func (c *conn) malformed(fields []http2.Field, err error) {
	rec := Request{Proto: "HTTP/2.0", Conn: c.info.ID, Time: time.Now(), Err: err}
	for _, f := range fields {
		switch f.Name {
		case ":method":
			rec.Method = f.Value
		case ":path":
			rec.Path, _, _ = strings.Cut(f.Value, "?")
			rec.Target = f.Value
		}
	}
	c.begin(rec)
}

// openStream is a stream and what came on it and goes out.
type openStream struct {
	s                    *http2.Stream
	request, stub, reply string
	status               int
	framing              Framing
	body                 int64
}

// started notes the request of a stream, and forgets those that have ended.
func (c *conn) started(s *http2.Stream, rec Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, old := range c.streams {
		if streamEnded(old.s) {
			delete(c.streams, id)
		}
	}
	if c.streams == nil {
		c.streams = map[uint32]openStream{}
	}
	c.streams[s.ID()] = openStream{s: s, request: rec.Method + " " + rec.Path, stub: rec.Stub, status: rec.Status}
}

// replied notes the reply of a stream.
func (c *conn) replied(s *http2.Stream, r Reply, sh shape) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o, ok := c.streams[s.ID()]; ok {
		o.reply, o.framing, o.body = r.String(), sh.framing, int64(len(sh.body))
		c.streams[s.ID()] = o
	}
}

// openStreams lists the streams that have not ended, in the order of their numbers. It wants mu.
func (c *conn) openStreams() []openStream {
	var open []openStream
	for _, id := range slices.Sorted(maps.Keys(c.streams)) {
		if o := c.streams[id]; !streamEnded(o.s) {
			open = append(open, o)
		}
	}
	return open
}

func streamEnded(s *http2.Stream) bool {
	select {
	case <-s.Done():
		return true
	default:
		return false
	}
}

// counted counts what is written. It counts before, so that a client which has read a reply finds it counted.
type counted struct {
	net.Conn
	c *conn
}

func (w counted) Write(p []byte) (int, error) {
	w.c.addWritten(len(p))
	n, err := w.Conn.Write(p)
	w.c.addWritten(n - len(p))
	return n, err
}
