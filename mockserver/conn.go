package mockserver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/leakgate/leakgate/internal/http2"
)

// ConnState says what a connection is doing, as the server sees it.
type ConnState string

// The states of a connection.
const (
	// ConnNew is a connection on which nothing has come yet.
	ConnNew ConnState = "new"
	// ConnActive is a connection with a request that is being read, waited with (Delay) or answered. A client that does
	// not read a large reply keeps it there.
	// With HTTP/2, a stream is open.
	ConnActive ConnState = "active"
	// ConnIdle is a connection whose last reply is sent completely. The client may have it in its pool, or an unclosed
	// body may hold it: the server cannot tell, until the client's CloseIdleConnections has been called.
	ConnIdle ConnState = "idle"
	// ConnClosing is a connection that the server has ended with a FIN while the client has not closed its side.
	ConnClosing ConnState = "closing"
	// ConnClosed is a connection that is closed on the server's side, and with it the server's socket.
	ConnClosed ConnState = "closed"
)

// Conn is one connection as it was when Conns was called.
type Conn struct {
	ID          int           // from 1, in the order in which they were accepted
	RemoteAddr  string        // the client's address
	Proto       string        // "HTTP/1.1" or "HTTP/2.0"; "" before it is known, which with TLS is after the handshake
	State       ConnState     // what it is doing
	Requests    int           // requests received, unreadable ones too
	LastRequest string        // method and path of the last one: "GET /session"; "" when there was none, or it was unreadable
	Streams     int           // requests of HTTP/2 that are open: with a reply that has not ended, or that the client still sends
	LastStatus  int           // status of the last reply, 0 when there was none
	LastReply   string        // the call that made the last reply: "ALB(403)"; "" when none was begun since the last request
	LastFraming Framing       // how the body of the last reply was framed; 0 when it had no line for that
	LastBody    int64         // bytes of the body of the last reply; -1 when that is not known before it is sent
	LastSent    time.Time     // when the last byte of the last reply was written; zero while it is not
	Written     int64         // bytes sent, headers included
	Opened      time.Time     // when it was accepted
	Age         time.Duration // how long it has been, or was, open
	IdleFor     time.Duration // how long it has been ConnIdle; 0 in any other state
	Err         error         // what the client did wrong so that the connection ended: in TLS, or in HTTP/2
}

// conn serves one connection, one request after the other.
type conn struct {
	srv *Server
	nc  net.Conn
	in  input
	br  *bufio.Reader
	buf []byte      // that bodies are read into; nil until the first
	h2  *http2.Conn // with HTTP/2

	streams map[uint32]openStream // with HTTP/2, under mu; some may have ended

	whole []byte // the body of the current request, where the server has handlers

	mu        sync.Mutex
	info      Conn
	stub      string    // the stub of the last request: "GET /session/{id}"
	bodiless  bool      // the last reply has no body that could hold the connection
	finishing bool      // the last piece of a reply is being written
	hijacked  bool      // a handler has taken the connection over
	wentAway  bool      // HTTP/2: no more streams are answered
	hungUp    bool      // HTTP/2: the server has ended the connection
	since     time.Time // when the state began
}

// input limits what is read for the head of a request.
type input struct {
	nc   net.Conn
	left int64
	seen []byte // how the current request begins, for messages
	over bool   // nothing more came in the middle of it
}

// keepSeen is how much of the beginning of a request is kept for messages.
const keepSeen = 100

var errHeaderTooLarge = errors.New("more than 1 MiB of headers")

func (in *input) Read(p []byte) (int, error) {
	if in.left <= 0 {
		return 0, errHeaderTooLarge
	}
	if int64(len(p)) > in.left {
		p = p[:in.left]
	}
	n, err := in.nc.Read(p)
	in.left -= int64(n)
	in.over = err != nil
	in.see(p[:n])
	return n, err
}

func (in *input) see(p []byte) {
	in.seen = append(in.seen, p[:min(len(p), keepSeen-len(in.seen))]...)
}

func newConn(s *Server, id int, nc net.Conn) *conn {
	now := time.Now()
	c := &conn{srv: s, nc: nc, since: now}
	proto := "HTTP/1.1"
	if tcp, ok := nc.(*net.TCPConn); ok && s.tls != nil {
		c.nc, proto = secure(tcp, s.tls), ""
	}
	nc = c.nc
	c.in = input{nc: nc, left: math.MaxInt64}
	c.br = bufio.NewReader(&c.in)
	c.info = Conn{ID: id, RemoteAddr: nc.RemoteAddr().String(), Proto: proto, State: ConnNew, Opened: now}
	return c
}

// snapshot also says whether the end of a reply is being written, so that the client may have it already.
func (c *conn) snapshot() (info Conn, finishing bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hijacked && c.info.State != ConnClosed && closedSocket(c.nc) {
		c.enter(ConnClosed)
	}
	info = c.info
	if info.State != ConnClosed {
		info.Age = time.Since(info.Opened)
	}
	if info.State == ConnIdle {
		info.IdleFor = time.Since(c.since)
	}
	return info, c.finishing
}

func (c *conn) setState(s ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.enter(s)
}

// enter wants c.mu.
func (c *conn) enter(s ConnState) {
	if c.info.State == ConnClosed {
		return
	}
	c.info.State = s
	c.since = time.Now()
	if s == ConnClosed {
		c.info.Age = c.since.Sub(c.info.Opened)
	}
}

// serve runs until the client or the server has closed the connection. Everything that must happen is deferred: a t whose
// Errorf ends the goroutine must not leave the connection behind.
func (c *conn) serve() {
	defer c.srv.leave()
	defer c.leave()
	defer c.caught()
	if s, ok := c.nc.(*secured); ok {
		proto, ok := c.handshake(s)
		if !ok {
			return
		}
		if proto == "h2" {
			c.serveHTTP2()
			return
		}
		c.setProto("HTTP/1.1")
	}
	for c.awaitRequest() {
		open, linger := c.exchange()
		if linger {
			c.linger()
		}
		if !open {
			return
		}
	}
}

// caught is the last resort against a panic: it fails the test, and the connection ends. The goroutine is not the user's,
// so the panic would end the process, and with it all other tests. Defer it as it is, recover works in no deeper call.
func (c *conn) caught() {
	if p := recover(); p != nil {
		c.srv.report(fmt.Sprintf("mockserver: connection %d, from %s: the server panicked: %v\n%s", c.info.ID, c.info.RemoteAddr, p, debug.Stack()))
	}
}

// leave closes the connection, unless it is a handler's now.
//
// The server remembers the connection for Conns, and must not remember its buffers: a test with thousands of connections
// would keep them all. Nothing but this goroutine, and those that have ended before it, uses them.
func (c *conn) leave() {
	c.mu.Lock()
	kept := c.hijacked
	c.streams = nil // each has ended, and leads to the buffers of HTTP/2
	c.mu.Unlock()
	c.buf, c.whole, c.h2 = nil, nil, nil
	if !kept {
		c.br = nil
	}
	if !kept {
		c.nc.Close()
		c.setState(ConnClosed)
	}
}

// awaitRequest waits for the first byte of a request, without limit when it is the connection's first.
func (c *conn) awaitRequest() bool {
	if d := c.srv.cfg.idleTimeout; d > 0 && c.info.Requests > 0 {
		c.nc.SetReadDeadline(time.Now().Add(d))
	}
	for spare := c.spareLines(); ; spare-- {
		first, err := c.br.Peek(1)
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				c.setState(ConnClosing)
				c.linger()
			}
			return false
		}
		if spare == 0 || first[0] != '\r' && first[0] != '\n' {
			break
		}
		c.br.Discard(1)
	}
	c.nc.SetReadDeadline(time.Time{})
	c.setState(ConnActive)
	return true
}

// linger ends the server's half of the connection and waits for the client to close the other. A client that holds an
// unread body is in CLOSE_WAIT meanwhile. What it still sends is dropped, so that it can read the reply: to close a socket
// with unread data resets the connection.
func (c *conn) linger() {
	c.lingerOn(c.nc, c.br)
}

// lingerOn is linger for what is read from in.
func (c *conn) lingerOn(nc net.Conn, in io.Reader) {
	half, ok := nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	nc.SetReadDeadline(time.Time{})
	io.Copy(io.Discard, in)
}

// cut closes the connection at once. With TLS nothing is said to the client, because that can block.
func (c *conn) cut() {
	if s, ok := c.nc.(*secured); ok {
		s.tcp.Close()
		return
	}
	c.nc.Close()
}

func (c *conn) setProto(proto string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.info.Proto = proto
}

func (c *conn) setErr(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.info.Err = err
}

func (c *conn) addWritten(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.info.Written += int64(n)
}

// exchange reads one request and answers it. open says that another request may follow; linger that the server has
// ended the connection after a complete reply.
func (c *conn) exchange() (open, linger bool) {
	defer func() { c.whole = nil }() // up to 64 MiB, which an idle connection must not keep
	c.in.left, c.in.seen, c.in.over = maxHeader, c.in.seen[:0], false
	here, _ := c.br.Peek(c.br.Buffered())
	c.in.see(here)
	req, err := http.ReadRequest(c.br)
	tooLarge := c.in.left <= 0
	c.in.left = math.MaxInt64
	if err != nil {
		code := 400
		if tooLarge {
			code, err = 431, errHeaderTooLarge
		} else if unknownCoding(err) {
			code = 501
		}
		return c.refuse(Request{}, code, err)
	}

	rec := newRequest(req, c.info.ID)
	switch {
	case req.ProtoMajor != 1:
		return c.refuse(rec, 505, fmt.Errorf("%s: the server speaks HTTP/1.1", req.Proto))
	case req.Host == "" && req.ProtoMinor > 0:
		return c.refuse(rec, 400, errors.New("no Host header"))
	}
	if err := illegalHeader(req); err != nil {
		return c.refuse(rec, 400, err)
	}
	if e := req.Header.Get("Expect"); e != "" && !strings.EqualFold(e, "100-continue") {
		return c.refuse(rec, 417, fmt.Errorf("Expect: %q: the server knows 100-continue alone", e))
	}
	if req.ProtoMinor > 0 && req.ContentLength != 0 && strings.EqualFold(req.Header.Get("Expect"), "100-continue") {
		if !c.write([]byte("HTTP/1.1 100 Continue\r\n\r\n")) {
			return false, false
		}
	}
	whole, err := c.readBody(req, &rec)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return c.refuse(rec, 408, errBodyStopped(c.srv.cfg.bodyWait))
	}
	if err != nil {
		return c.refuse(rec, 400, fmt.Errorf("reading the body: %w", err))
	}

	reply, stub, fail := c.srv.answer(&rec, req.URL.EscapedPath())
	rec.Status = reply.code
	if _, ok := reply.fault().(silentFault); ok || reply.isHandler() && !reply.recorded() {
		rec.Status = 0 // no status is sent, or the handler will choose it
	}
	c.begin(rec)
	c.srv.received(rec, fail)
	if d := c.srv.delay(reply); d > 0 && !c.pause(d) {
		return false, false
	}
	to := call{method: req.Method, http10: req.ProtoMinor == 0, close: req.Close || !whole}
	if reply.extra == nil {
		return c.send(reply, to)
	}
	to.gzip = acceptsGzip(req.Header)
	what := describe(rec, stub)
	reply, live, msg := c.srv.prepare(reply, req, rec, c.whole, stub, what)
	if msg != "" {
		c.srv.report(msg)
	}
	if _, silent := reply.fault().(silentFault); !live && !silent && reply.code != rec.Status {
		c.setStatus(reply.code)
	}
	if live {
		return c.handle(reply, req, rec, to, what)
	}
	return c.play(reply, to, what)
}

// readBody reads the whole body and keeps its beginning. whole is false when there is more of it than the server reads.
func (c *conn) readBody(req *http.Request, rec *Request) (whole bool, err error) {
	c.whole = nil
	if req.Body == http.NoBody {
		return true, nil
	}
	if c.buf == nil {
		c.buf = make([]byte, bodyBuffer)
	}
	defer c.nc.SetReadDeadline(time.Time{})
	c.whole, whole, err = c.srv.takeBody(armed{c, req.Body}, rec, c.buf)
	return whole, err
}

// armed reads a body, and waits for each part of it no longer than bodyWait.
type armed struct {
	c    *conn
	body io.Reader
}

func (a armed) Read(p []byte) (int, error) {
	a.c.nc.SetReadDeadline(time.Now().Add(a.c.srv.cfg.bodyWait))
	return a.body.Read(p)
}

const bodyBuffer = 32 << 10

// takeBody reads a whole body through buf and keeps its beginning in rec, and all of it in all where the server has
// handlers. whole is false when there is more of it than the server reads.
func (s *Server) takeBody(body io.Reader, rec *Request, buf []byte) (all []byte, whole bool, err error) {
	wanted := s.handlers.Load()
	for total := int64(0); total <= s.cfg.maxBody; {
		n, err := body.Read(buf)
		total += int64(n)
		keep := min(n, s.cfg.keepBodies-len(rec.Body))
		rec.Body = append(rec.Body, buf[:keep]...)
		rec.Truncated = rec.Truncated || keep < n
		if wanted {
			all = append(all, buf[:n]...)
		}
		rec.size = int(total)
		if err == io.EOF {
			return all, true, nil
		}
		if err != nil {
			return all, false, err
		}
	}
	rec.Truncated, rec.size = true, -1
	return all, false, nil
}

// refuse records a request that could not be read, answers it and ends the connection.
func (c *conn) refuse(rec Request, code int, err error) (open, linger bool) {
	if c.srv.isClosed() {
		return false, false
	}
	rec.Conn, rec.Err, rec.Status = c.info.ID, err, code
	if rec.Time.IsZero() {
		rec.Time = time.Now()
	}
	c.begin(rec)
	if msg := c.noRequest(code, err); msg != "" {
		c.srv.report(msg)
	}
	return c.send(cannotRead(code, err), call{method: rec.Method, close: true})
}

// spareLines is how many bytes of empty lines may stand before the next request: some clients send one behind the body of
// a POST that its length does not count.
func (c *conn) spareLines() int {
	if strings.HasPrefix(c.info.LastRequest, "POST ") {
		return 4
	}
	return 0
}

func cannotRead(code int, err error) Reply {
	return Text(code, "mockserver: cannot read this request: "+err.Error()+"\n")
}

func errBodyStopped(wait time.Duration) error {
	return fmt.Errorf("nothing came for %v in the middle of the body", wait)
}

// begin records a request before its reply is sent, so that a client that has the reply finds it recorded.
func (c *conn) begin(rec Request) {
	c.mu.Lock()
	c.info.Requests++
	c.info.LastRequest = ""
	if rec.Method != "" {
		c.info.LastRequest = rec.Method + " " + rec.Path
	}
	c.info.LastStatus = rec.Status
	c.info.LastReply, c.info.LastFraming, c.info.LastBody, c.info.LastSent = "", 0, 0, time.Time{}
	c.stub, c.bodiless = rec.Stub, false
	c.mu.Unlock()
	c.srv.record(rec)
}

// watcher reads ahead on a connection while nothing else reads from it, so that a client that gave up does not look like
// one that still holds its connection.
type watcher struct {
	c     *conn
	gone  chan struct{} // closed when the client has closed or ended its side, or the server is closed
	ended chan struct{}
}

// watch calls gone, from a goroutine of its own, when the client is.
func (c *conn) watch(gone func()) *watcher {
	w := &watcher{c: c, gone: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		for {
			_, err := c.br.Peek(c.br.Buffered() + 1)
			switch {
			case err == nil: // the next request is here already
			case errors.Is(err, bufio.ErrBufferFull), errors.Is(err, os.ErrDeadlineExceeded):
				return
			default:
				close(w.gone)
				gone()
				return
			}
		}
	}()
	return w
}

// stop ends the watch and says whether the client is still there.
func (w *watcher) stop() bool {
	w.c.nc.SetReadDeadline(time.Unix(1, 0)) // ends the Peek
	<-w.ended
	w.c.nc.SetReadDeadline(time.Time{})
	select {
	case <-w.gone:
		return false
	default:
		return true
	}
}

// pause waits for d. It returns false when there is nobody left to answer: the server closes, or the client is gone.
func (c *conn) pause(d time.Duration) bool {
	w := c.watch(func() {})
	timer := time.NewTimer(d)
	defer timer.Stop()
	over := false
	select {
	case <-timer.C:
		over = true
	case <-c.srv.done:
	case <-w.gone:
	}
	return w.stop() && over
}

// send writes a reply without extras. What it writes last is at most lastPiece long, so that only a client which does not
// read can hold it up there: Conns waits for that piece.
func (c *conn) send(r Reply, to call) (open, linger bool) {
	sh := r.plan(to)
	c.note(r, sh)
	out := r.encode(sh, time.Now())
	first, last := out.first, out.late
	if len(last) == 0 {
		n := max(0, len(first)-lastPiece)
		first, last = first[:n], first[n:]
	}
	if !c.write(first) || len(out.late) > 0 && !c.waitLate() {
		return false, false
	}
	state := ConnIdle
	if out.close {
		state = ConnClosing
	}
	ok := c.writeLast(last, state)
	return ok && !out.close, ok && out.close
}

// writeLast writes the end of a reply and enters the state that follows, or returns false when the client is gone.
func (c *conn) writeLast(b []byte, next ConnState) bool {
	c.setFinishing(true)
	n, err := 0, error(nil)
	if len(b) > 0 {
		n, err = c.nc.Write(b)
	}
	if next == ConnClosed {
		c.nc.Close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.info.Written += int64(n)
	c.finishing = false
	if err == nil {
		c.info.LastSent = time.Now()
		c.enter(next)
	}
	return err == nil
}

func (c *conn) setFinishing(is bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finishing = is
}

// note writes down which reply the connection gets.
func (c *conn) note(r Reply, sh shape) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.info.LastReply, c.info.LastFraming, c.info.LastBody = r.String(), sh.framing, int64(len(sh.body))
	c.bodiless = sh.head || sh.framing == 0 || sh.framing == Empty || sh.framing == ContentLength && sh.length == 0
	if r.fault() != nil {
		c.bodiless = false // who knows
	}
}

// waitLate waits until the terminator of a ChunkedLate body is due, or returns false when the server closes.
func (c *conn) waitLate() bool {
	timer := time.NewTimer(c.srv.cfg.late)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.srv.done:
		return false
	}
}

func (c *conn) write(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	n, err := c.nc.Write(b)
	c.mu.Lock()
	c.info.Written += int64(n)
	c.mu.Unlock()
	return err == nil
}

// setStatus notes the status of a reply that was not known when the request was recorded.
func (c *conn) setStatus(code int) {
	c.mu.Lock()
	c.info.LastStatus = code
	c.mu.Unlock()
	c.srv.recordStatus(c.info.ID, 0, code)
}

// setStreamStatus is setStatus for HTTP/2.
func (c *conn) setStreamStatus(stream, code int) {
	c.mu.Lock()
	c.info.LastStatus = code
	c.mu.Unlock()
	c.srv.recordStatus(c.info.ID, stream, code)
}

// closedSocket says whether somebody else has closed a connection.
func closedSocket(nc net.Conn) bool {
	if under, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = under.NetConn()
	}
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	return err != nil || raw.Control(func(uintptr) {}) != nil
}
