package mockserver

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/leakcheck"
)

// Codes of what the server finds. docs/codes.md explains each.
const (
	codeHeld    = "LK021"
	codeSuspect = "LK022"
)

const (
	heldWait     = time.Second            // the longest time that Held waits
	heldStable   = 250 * time.Millisecond // what has not changed for so long stays
	heldLooks    = 10                     // and was looked at so often: a busy machine looks less often
	suspectAfter = 100 * time.Millisecond // how long a connection must have been free before not to use it is suspicious
)

// Held says which connections the client still holds: it closes c's idle connections and lists those that stay open, one entry for
// each, oldest first:
//
//	conn 3: GET /session/42 403 ALB(403) 118 B, sent 212 ms ago, the client still holds it
//
// What holds them is a response body that nobody has closed or read to its end. Call it when the code under test has returned, and
// before the server is closed. It returns nil at once when nothing is open; else it waits until nothing has changed for
// 250 ms, because a client closes in the background, but not longer than 1 s. Where the request went through a tracked transport
// (httpcheck, or http.DefaultTransport under leakcheck.Verify), the entry has the line that sent it.
//
// The server does not know whose a connection is. A connection of another client counts too when it is idle and
// its last reply had a body, so close those of the others before; the idle ones of srv.Client() are closed as well. Not counted are
// connections on which no request came, which a client dials ahead, and those whose last reply had no body, which no
// response can hold.
//
// Over HTTP/2 there is an entry for each stream that is open, "conn 3, stream 5: ...". A reply that was sent to its end
// holds nothing there, closed or not, and is not listed.
//
// A nil c is srv.Client(). When c's transport has no CloseIdleConnections method, as a RoundTripper that wraps another
// may not, its idle connections cannot be told from held ones: then the test fails and the result is nil.
func (s *Server) Held(c *http.Client) []leakcheck.Leak {
	s.t.Helper()
	return s.heldBy(c, heldStable)
}

func (s *Server) heldBy(c *http.Client, stable time.Duration) []leakcheck.Leak {
	s.t.Helper()
	if c == nil {
		c = s.client
	}
	transport := c.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	pool, ok := transport.(interface{ CloseIdleConnections() })
	if !ok {
		s.errorf("mockserver: Held: the client's transport, a %T, has no CloseIdleConnections method, so that connections it keeps cannot be told from held ones\n"+
			"\tadd one that calls the method of the transport below it", transport)
		return nil
	}

	began := time.Now()
	changed, before := began, ""
	pause := time.Millisecond
	for looks := 1; ; looks++ {
		pool.CloseIdleConnections()
		s.transport.CloseIdleConnections()
		held := s.held()
		if len(held) == 0 {
			return nil
		}
		now := time.Now()
		if what := signature(held); what != before {
			changed, before = now, what
		}
		if now.Sub(began) >= heldWait || looks >= heldLooks && now.Sub(changed) >= stable {
			leaks := make([]leakcheck.Leak, len(held))
			for i, h := range held {
				leaks[i] = h.leak(s.t.Name(), now)
			}
			return leaks
		}
		time.Sleep(pause)
		pause = min(2*pause, 25*time.Millisecond)
	}
}

// Suspects says which connections a client seems to hold, as far as the server sees without access to the client. An
// entry is a suspicion and says so. There are two:
//
//	suspected: conn 1: GET /session 403 ALB(403) 118 B, sent 212 ms ago; 150 ms after it a client dialled conn 2, which it does not while it can use conn 1 again
//	suspected: conn 1: GET /session 403 ALB(403) 118 B, sent 212 ms ago; the server has ended it since, and the client has not closed its side
//
// The first needs a later connection that was dialled 100 ms or longer after the reply was sent, and on which a request
// came; the second 100 ms since the reply. A connection that got another request since is not suspected, nor is one whose last
// reply had no body.
//
// It is wrong where two clients, or two transports of one client, ask the same server; where a client closes a body late
// and asks again meanwhile; and where the dial was for a request that then found another connection. DisableKeepAlives by
// itself is not suspicious, because then the server ends each connection, and the client closes it when it has the
// response. It misses a client that asks only once. Held knows for certain.
func (s *Server) Suspects() []leakcheck.Leak {
	held := s.held()
	var used []Conn // connections on which a request came
	for _, c := range s.Conns() {
		if c.Requests > 0 {
			used = append(used, c)
		}
	}
	now := time.Now()
	var leaks []leakcheck.Leak
	for _, h := range held {
		if h.LastSent.IsZero() {
			continue
		}
		why := ""
		switch {
		case h.State == ConnClosing && now.Sub(h.LastSent) >= suspectAfter:
			why = "the server has ended it since, and the client has not closed its side"
		case h.State == ConnIdle:
			for _, u := range used {
				if after := u.Opened.Sub(h.LastSent); after >= suspectAfter {
					why = fmt.Sprintf("%d ms after it a client dialled conn %d, which it does not while it can use conn %d again",
						after.Milliseconds(), u.ID, h.ID)
					break
				}
			}
		}
		if why == "" {
			continue
		}
		leak := h.leak(s.t.Name(), now)
		leak.Code = codeSuspect
		leak.Summary = fmt.Sprintf("suspected: %s; %s", h.what(now), why)
		leak.Fingerprint = h.fingerprint(leak.Kind, "suspected", s.t.Name())
		leak.Hint = "srv.Held(client) says for certain whether the client holds it"
		leaks = append(leaks, leak)
	}
	return leaks
}

// heldConn is a connection that a client may hold.
type heldConn struct {
	Conn
	stub   string
	stream uint32 // of HTTP/2; the fields of the last request and reply are those of this stream
}

// held lists the connections that a response can hold, if they are not idle. net/http has a connection back before the caller
// sees a response without a body.
func (s *Server) held() []heldConn {
	var out []heldConn
	more := s.unsaid()
	for _, c := range s.Conns() {
		switch m := more[c.ID]; {
		case c.Proto == "HTTP/2.0":
			for _, o := range m.streams {
				h := heldConn{c, o.stub, o.s.ID()}
				h.LastRequest, h.LastStatus = o.request, o.status
				h.LastReply, h.LastFraming, h.LastBody, h.LastSent = o.reply, o.framing, o.body, time.Time{}
				out = append(out, h)
			}
		case c.State == ConnActive, (c.State == ConnIdle || c.State == ConnClosing) && !m.bodiless:
			out = append(out, heldConn{c, m.stub, 0})
		}
	}
	return out
}

// unsaid is what Conn does not say of a connection.
type unsaid struct {
	stub     string
	bodiless bool
	streams  []openStream
}

func (s *Server) unsaid() map[int]unsaid {
	s.mu.Lock()
	conns := append([]*conn(nil), s.conns...)
	s.mu.Unlock()
	more := make(map[int]unsaid, len(conns))
	for _, c := range conns {
		c.mu.Lock()
		more[c.info.ID] = unsaid{c.stub, c.bodiless, c.openStreams()}
		c.mu.Unlock()
	}
	return more
}

func signature(held []heldConn) string {
	var b strings.Builder
	for _, h := range held {
		fmt.Fprintln(&b, h.ID, h.stream, h.State, h.Requests, h.LastSent)
	}
	return b.String()
}

// what says which connection it is, and what was sent on it.
func (h heldConn) what(now time.Time) string {
	request, name := h.LastRequest, fmt.Sprintf("conn %d", h.ID)
	if h.stream != 0 {
		name += fmt.Sprintf(", stream %d", h.stream)
	}
	if request == "" {
		request = "a request that could not be read"
	}
	switch {
	case h.Requests == 0:
		return name + ": a request that has not come to its end"
	case h.LastReply == "":
		return fmt.Sprintf("%s: %s, not answered yet", name, request)
	case h.LastSent.IsZero():
		return fmt.Sprintf("%s: %s %d %s %d B, not sent to its end", name, request, h.LastStatus, h.LastReply, h.LastBody)
	case h.State == ConnActive:
		return fmt.Sprintf("%s: a request that has not come to its end, after %s", name, request)
	}
	return fmt.Sprintf("%s: %s %d %s %d B, sent %d ms ago", name, request, h.LastStatus, h.LastReply, h.LastBody, now.Sub(h.LastSent).Milliseconds())
}

func (h heldConn) leak(test string, now time.Time) leakcheck.Leak {
	leak := leakcheck.Leak{
		Kind: leakcheck.HTTPResponse, Test: test, Count: 1, Code: codeHeld,
		Summary: h.what(now) + ", the client still holds it",
		Holds:   []string{fmt.Sprintf("the connection %s → the server", h.RemoteAddr)},
		Hint:    "defer resp.Body.Close(); to get the line of the request: t.Cleanup(httpcheck.Verify(t, client))",
	}
	switch h.State {
	case ConnActive:
		leak.State = "the server sends, or waits for, the rest"
		if h.LastReply == "" || !h.LastSent.IsZero() {
			leak.Kind = leakcheck.HTTPConn
			leak.Hint = "wait for the request, or cancel it, before you ask"
		}
	case ConnIdle:
		leak.State = fmt.Sprintf("open on both sides; the body is framed by %s", framedBy(h.LastFraming))
	case ConnClosing:
		leak.State = fmt.Sprintf("the server has ended it, and the client is in CLOSE_WAIT; the body is framed by %s", framedBy(h.LastFraming))
	}
	if h.stream != 0 {
		leak.Holds = []string{fmt.Sprintf("a stream of the connection %s → the server, and the connection", h.RemoteAddr)}
	}
	leak.Fingerprint = h.fingerprint(leak.Kind, "held", test)
	if l := h.lease(); l != nil {
		user := callsite.User(callsite.Expand(l.PCs()))
		for _, f := range user {
			leak.Stack = append(leak.Stack, leakFrame(f))
		}
		if site := callsite.Pick(user); site.Func != "" {
			leak.Site, leak.Hint = leakFrame(site), "defer resp.Body.Close()"
		}
	}
	return leak
}

func framedBy(f Framing) string {
	if f == 0 || f == noLength {
		return "nothing"
	}
	return f.String()
}

// fingerprint has the stub in place of the path, which may have an ID in it.
func (h heldConn) fingerprint(kind leakcheck.Kind, class, test string) string {
	stub, reply := h.stub, h.LastReply
	if stub == "" {
		stub = "no stub"
	}
	return callsite.Fingerprint(string(kind), strings.TrimSpace(class+" "+stub+" "+reply), nil, test)
}

// lease finds the response that a tracked transport has lent out on this connection.
func (h heldConn) lease() *lease.Lease {
	client, err := netip.ParseAddrPort(h.RemoteAddr)
	if err != nil {
		return nil
	}
	for _, l := range lease.Live.All(nil) {
		info := l.Info()
		if h.stream != 0 && !strings.Contains(info.Summary, " "+h.LastRequest+" ") {
			continue // another stream's
		}
		local := info.Local
		if l.Now() == lease.Held && local.Port() == client.Port() && local.Addr().Unmap() == client.Addr().Unmap() {
			return l
		}
	}
	return nil
}

func leakFrame(f callsite.Frame) leakcheck.Frame {
	return leakcheck.Frame{Function: f.Func, File: f.File, Line: f.Line, Source: callsite.Source(f)}
}
