package mockserver

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leakgate/leakgate/leakcheck"

	"github.com/leakgate/leakgate/internal/outbound"
)

// TB is the part of a test that the server needs; *testing.T, *testing.B, *testing.F and GinkgoT() have it. When t has
// Cleanup too, the server closes itself. When t has FailNow, New uses it if there is no loopback address to listen on.
type TB = leakcheck.TB

const (
	closeWait  = 5 * time.Second       // the longest time that Close waits for the server's goroutines
	bodyWait   = 5 * time.Second       // the longest time without a byte of a request body that is still to come
	lateWait   = 15 * time.Millisecond // how much later than the last chunk ChunkedLate sends the terminator
	settleWait = time.Second           // the longest time that Conns waits for the last piece of replies
	lastPiece  = 4 << 10               // bytes
	maxHeader  = 1 << 20               // bytes of request line and headers
	keepBody   = 64 << 10              // bytes of a request body that are kept, unless KeepBodies says otherwise
	maxBody    = 64 << 20              // bytes of a request body that are read before the server gives up on it
	keepBytes  = 64 << 20              // bytes of request bodies that are remembered in all
	keepLog    = 10_000                // requests, and closed connections, that are remembered
)

// Option changes what New makes. Options of the same kind: the last one counts.
type Option func(*config)

type config struct {
	allowUnmatched bool
	allowUnused    bool
	allowBad       bool // what is no HTTP request does not fail the test; Sweep judges the client by itself
	keepBodies     int
	idleTimeout    time.Duration
	late           time.Duration
	bodyWait       time.Duration
	maxBody        int64
	tls            bool
	mutualTLS      bool
	http2          bool
	handshakeWait  time.Duration
	onRequest      func(Request) // is called with each request before it is answered, and may wait; nil for none
}

// AllowUnmatched lets the test pass when a request comes that no stub matches. The request still gets its 501 and is
// found in Requests, with an empty Stub. It lets the test pass also when a client sends what is no HTTP request, which gets
// its 400, 417, 431, 501 or 505 and is found in Requests with its Err.
func AllowUnmatched() Option {
	return func(c *config) { c.allowUnmatched = true }
}

// IdleTimeout makes the server end a connection when no request came for d after a reply, as load balancers do. A client
// that holds an unclosed body then has a socket in CLOSE_WAIT. The server goes on seeing the connection, as ConnClosing,
// until the client closes its side. A connection on which no request came yet is not ended: a busy machine may need longer
// than a short d to send the first. Zero, the default, and less mean no timeout.
func IdleTimeout(d time.Duration) Option {
	return func(c *config) { c.idleTimeout = d }
}

// KeepBodies sets how many bytes of each request body are kept for Requests, and for matchers that look at it. The
// default is 64 KiB. A longer body is marked Truncated, and no such matcher takes it. The server never reads more than
// 64 MiB of a body, and Requests remembers 64 MiB of bodies in all: the oldest requests lose theirs and become Truncated,
// the last one never does. A negative n fails the test.
func KeepBodies(n int) Option {
	return func(c *config) { c.keepBodies = n }
}

// Server is an HTTP/1.1 server on a loopback address. Make one with New. All methods may be called from several
// goroutines at once.
type Server struct {
	// URL is the base URL, http://127.0.0.1:port without a slash at the end, or https:// with TLS. Do not change it.
	URL string

	t         TB
	cfg       config
	ln        net.Listener
	tls       *tls.Config // nil without TLS
	client    *http.Client
	transport *http.Transport
	done      chan struct{} // closed when Close begins
	ended     chan struct{} // closed when, after that, the last goroutine has ended

	mu        sync.Mutex
	closed    bool
	running   int     // goroutines of this server
	stubs     []*Stub // those in use, in the order of On; only ever appended to
	added     []*Stub // those that On has added since the last request
	index     index   // of stubs
	rivals    rivals  // of stubs
	requests  []Request
	bodies    int              // bytes of the bodies in requests
	bodyless  int              // so many of requests, from the first one, have lost their bodies
	forgotten int              // requests that were in front of requests[0]
	recorded  map[exchange]int // the last request of each: its index in requests, plus forgotten at that time

	arrived chan struct{} // closed at the next request, when somebody waits for it
	conns   []*conn
	lastID  int
	missed  misses
	faults  map[string]int // how often each was played that is played a limited number of times

	dice      dice
	undrawn   atomic.Bool       // the test was failed for a Distribution that panicked
	handlers  atomic.Bool       // a stub has a Handler, which wants the whole body
	everyStub []*Stub           // by id - 1, also those that are not used
	states    map[string]string // of scenarios
}

// New starts a server on a free loopback port. It is closed by t.Cleanup; when t has no Cleanup method, call Close.
//
// When this machine has no loopback address to listen on, the test fails: at once if t has FailNow; otherwise New returns
// a closed server whose URL refuses connections. Without a t, which is said on standard error, the server works; there is
// no test then that it could fail.
func New(t TB, opts ...Option) *Server {
	t = orNoTest(t, "New")
	t.Helper()
	s := &Server{
		t:         t,
		cfg:       config{late: lateWait, bodyWait: bodyWait, maxBody: maxBody, keepBodies: keepBody, handshakeWait: handshakeWait},
		transport: &http.Transport{},
		done:      make(chan struct{}),
		ended:     make(chan struct{}),
	}
	for _, o := range opts {
		if o != nil {
			o(&s.cfg)
		}
	}
	if n := s.cfg.keepBodies; n < 0 {
		t.Errorf("mockserver: KeepBodies(%d): a number of bytes is 0 or more", n)
		s.cfg.keepBodies = keepBody
	}
	s.client = &http.Client{Transport: s.transport}
	s.URL = "http://"
	if s.cfg.tls {
		s.URL = "https://"
		s.tls = s.cfg.serverTLS()
		s.transport.TLSClientConfig = s.TLSClientConfig()
		s.transport.ForceAttemptHTTP2 = s.cfg.http2
	}

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		var err6 error
		if ln, err6 = net.Listen("tcp", "[::1]:0"); err6 != nil {
			s.URL += "127.0.0.1:0"
			s.closed = true
			close(s.done)
			close(s.ended)
			t.Errorf("mockserver: cannot listen on a loopback address: %v; %v", err, err6)
			if f, ok := t.(interface{ FailNow() }); ok {
				f.FailNow()
			}
			return s
		}
	}
	s.ln = ln
	s.URL += ln.Addr().String()
	s.running = 1
	go s.accept()
	if c, ok := t.(interface{ Cleanup(func()) }); ok {
		c.Cleanup(s.Close)
	}
	return s
}

// Client returns the server's own client, the same one on each call. It has no timeout and follows redirects, uses no
// proxy, and shares no connection with http.DefaultClient. Close closes its idle connections; a connection that an
// unclosed body holds stays as it is, because that is what a leak check looks for.
func (s *Server) Client() *http.Client { return s.client }

// Requests returns what was received until now, in the order in which the requests were complete. A request is in the
// list before its reply is sent. The result is a copy. Of more than 10,000 requests the oldest are forgotten. Of more than
// 64 MiB of bodies in all the oldest are forgotten too: those requests are Truncated and have no Body.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	kept := last(s.requests, keepLog)
	all := make([]Request, len(kept))
	copy(all, kept)
	s.mu.Unlock()
	for i := range all {
		all[i] = all[i].clone()
	}
	return all
}

// Conns returns the connections that the server accepted, closed ones too, oldest first. A reply that the client has read
// to its end is counted: where the end of a reply is being written at this moment, Conns waits for it, which takes some
// microseconds, and at most a second. Everything else is as it is now: a client closes its connections in the background,
// so ask again before you call one leaked. Of more than 10,000 closed connections the oldest are forgotten.
func (s *Server) Conns() []Conn {
	s.mu.Lock()
	conns := make([]*conn, len(s.conns))
	copy(conns, s.conns)
	s.mu.Unlock()

	until := time.Now().Add(settleWait)
	all := make([]Conn, len(conns))
	for i, c := range conns {
		info, finishing := c.snapshot()
		for finishing && time.Now().Before(until) {
			time.Sleep(100 * time.Microsecond)
			info, finishing = c.snapshot()
		}
		all[i] = info
	}
	return all
}

// Close stops the server: it closes the listener and every connection, interrupts replies that are delayed or blocked,
// and waits until its goroutines have ended, but not longer than 5 s. Then it fails the test for stubs that were not called
// as expected; see Expect. After it the server fails t no more, but for Calls and Wait; wrong arguments of On, Reply and the like are one line in t's log, where
// t is not over. Close may be called again,
// and by several goroutines; every call returns when the server is closed.
func (s *Server) Close() {
	s.t.Helper()
	s.transport.CloseIdleConnections()
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	open := append([]*conn(nil), s.conns...)
	s.mu.Unlock()
	if first {
		close(s.done)
		s.ln.Close()
		for _, c := range open {
			c.cut()
		}
	}

	timer := time.NewTimer(closeWait)
	defer timer.Stop()
	late := false
	select {
	case <-s.ended:
	case <-timer.C:
		late = true
	}
	// A second time: a request that was under way when this began may have left an idle connection since.
	s.transport.CloseIdleConnections()
	if !first {
		return
	}
	if note := s.missedNote(); note != "" {
		s.safely(func() { s.t.Logf("%s", note) })
	}
	if late {
		s.safely(func() { s.t.Logf("mockserver: Close: a goroutine of the server still runs after %v", closeWait) })
	}
	s.verify()
}

// accept runs until the listener is closed.
func (s *Server) accept() {
	defer s.leave()
	for {
		nc, err := s.ln.Accept()
		if err != nil {
			select {
			case <-s.done:
				return
			case <-time.After(5 * time.Millisecond): // out of descriptors, or a client that is gone already
				continue
			}
		}
		if c := s.admit(nc); c != nil {
			go c.serve()
		} else {
			nc.Close()
		}
	}
}

// admit counts a connection in, or returns nil when the server is closed.
func (s *Server) admit(nc net.Conn) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.running++
	s.lastID++
	if len(s.conns) >= 2*keepLog {
		s.conns = forgetClosed(s.conns, len(s.conns)-keepLog)
	}
	c := newConn(s, s.lastID, nc)
	s.conns = append(s.conns, c)
	return c
}

// leave counts a goroutine out.
func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	if s.running == 0 { // the accept loop is one of them, so this is after Close
		close(s.ended)
	}
}

func (s *Server) record(r Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.requests) - keepLog; n >= keepLog {
		s.forget(n)
	}
	if s.recorded == nil {
		s.recorded = map[exchange]int{}
	}
	s.recorded[exchange{r.Conn, r.Stream}] = s.forgotten + len(s.requests)
	s.requests = append(s.requests, r)
	s.bodies += len(r.Body)
	for s.bodies > keepBytes && s.bodyless < len(s.requests)-1 {
		s.forgetBodies(s.bodyless + 1)
	}
	if r.stub > 0 {
		s.everyStub[r.stub-1].recorded++
	}
	if s.arrived != nil {
		close(s.arrived)
		s.arrived = nil
	}
}

// forgetBodies takes the bodies from the first n requests. It wants s.mu.
func (s *Server) forgetBodies(n int) {
	for ; s.bodyless < n; s.bodyless++ {
		r := &s.requests[s.bodyless]
		s.bodies -= len(r.Body)
		r.Truncated = r.Truncated || len(r.Body) > 0
		r.Body = nil
	}
}

// exchange is where a request came: the connection, and the stream, 0 in HTTP/1.
type exchange struct{ conn, stream int }

// forget drops the oldest n requests.
func (s *Server) forget(n int) {
	for i, r := range s.requests[:n] {
		if e := (exchange{r.Conn, r.Stream}); s.recorded[e] == s.forgotten+i {
			delete(s.recorded, e)
		}
	}
	s.forgetBodies(n)
	s.bodyless -= n
	s.forgotten += n
	s.requests = append([]Request(nil), s.requests[n:]...)
}

// received tells whoever wants to know of a request that was recorded, and the test what is wrong with it.
func (s *Server) received(r Request, fail []string) {
	if outbound.Calls.Active() {
		outbound.Calls.Tell(outbound.Call{What: r.Method + " " + r.Path, Arrived: true})
	}
	if f := s.cfg.onRequest; f != nil {
		f(r)
	}
	for _, msg := range fail {
		s.report(msg)
	}
}

// recordStatus gives the last request of a connection, or of a stream of it, its status.
func (s *Server) recordStatus(conn, stream, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n, ok := s.recorded[exchange{conn, stream}]; ok {
		s.requests[n-s.forgotten].Status = code
	}
}

func (s *Server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// errorf reports to the test from the caller's goroutine. After Close it fails nothing any more; a t that can still take a
// line, which one that is over cannot, gets one in its log.
func (s *Server) errorf(format string, args ...any) {
	s.t.Helper()
	if s.isClosed() {
		s.safely(func() {
			s.t.Helper()
			s.t.Logf("%s\n\tthe server is closed already, so this fails nothing", fmt.Sprintf(format, args...))
		})
		return
	}
	s.t.Errorf(format, args...)
}

// report is errorf for the server's goroutines. Close waits for them, so t is alive as long as this runs.
func (s *Server) report(msg string) {
	if !s.isClosed() {
		s.safely(func() { s.t.Errorf("%s", msg) })
	}
}

// safely calls into t. Where t has no Cleanup the test may have ended, and then testing panics; Ginkgo panics at each
// failure. Neither may take the process down from a goroutine that the user did not start.
func (s *Server) safely(call func()) {
	s.t.Helper()
	defer func() { _ = recover() }()
	call()
}

func last[T any](s []T, n int) []T {
	if len(s) > n {
		return s[len(s)-n:]
	}
	return s
}

// forgetClosed drops at most n closed connections, oldest first.
func forgetClosed(conns []*conn, n int) []*conn {
	kept := make([]*conn, 0, len(conns))
	for _, c := range conns {
		if info, _ := c.snapshot(); n > 0 && info.State == ConnClosed {
			n--
			continue
		}
		kept = append(kept, c)
	}
	return kept
}

// caller gives the file name and line of the function that called the exported function that called this.
func caller() (file string, line int) { return callerAt(3) }

// callerAt is caller from deeper down: 1 is the function that calls this, 2 its caller.
func callerAt(skip int) (file string, line int) {
	_, file, line, ok := runtime.Caller(skip)
	if !ok {
		return "?", 0
	}
	for i := len(file) - 1; i >= 0; i-- {
		if file[i] == '/' {
			return file[i+1:], line
		}
	}
	return file, line
}
