package mockserver

import (
	"fmt"
	"net"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/leakgate/leakgate/internal/http2"
)

// streamWire is one stream of HTTP/2 while a reply is played on it, as Wire is for HTTP/1. After the first thing that ends
// the stream or the connection, the rest does nothing.
type streamWire struct {
	c     *conn
	s     *http2.Stream
	to    call
	what  string // the request and its stub, for messages
	reply Reply
	v     view

	at    int // bytes of the body that are sent, of the current round when it is endless
	piece int // index of the piece that at is in
	left  int // bytes of it to come, 0 before it begins
	begun bool
	over  bool
}

// play sends a reply.
func (w *streamWire) play(r Reply) {
	f := r.fault()
	defer func() {
		if p := recover(); p != nil {
			w.resetStream(http2.InternalError)
			w.c.srv.report(fmt.Sprintf("mockserver: request %s: the fault %s panicked: %v\n%s", w.what, f, p, debug.Stack()))
		}
	}()
	w.use(r)
	for _, h := range w.v.early {
		w.early(h)
	}
	switch f := f.(type) {
	case nil:
		w.send()
	case streamFault:
		f.playStream(w)
	default:
		w.refuse(f)
	}
}

func (w *streamWire) use(r Reply) {
	w.reply, w.v = r, r.view(w.to, time.Now())
	sh := r.plan(w.to)
	w.c.note(r, sh)
	w.c.replied(w.s, r, sh)
	w.at, w.piece, w.left = 0, 0, 0
}

// gone notes what a call on the stream says.
func (w *streamWire) gone(err error) {
	if err != nil {
		w.over = true
	}
}

// send sends the whole reply.
func (w *streamWire) send() {
	if w.reply.close || w.reply.framing == UntilClose {
		w.c.goAway(w.s.ID())
	}
	if w.headIsAll() {
		w.headers(w.status(), true)
		return
	}
	w.head()
	w.body(-1)
	w.finish()
}

// headIsAll: the client can see in the head that there is no body.
func (w *streamWire) headIsAll() bool {
	if w.to.method == "HEAD" || w.reply.code == 204 || w.reply.code == 304 {
		return true
	}
	_, sized := w.contentLength()
	return len(w.v.body) == 0 && sized && len(w.v.trailers) == 0
}

func (w *streamWire) contentLength() (int, bool) {
	for _, f := range w.v.header {
		if strings.EqualFold(f.name, "Content-Length") {
			n, err := strconv.Atoi(f.value)
			return n, err == nil
		}
	}
	return 0, false
}

func (w *streamWire) status() string { return strconv.Itoa(w.v.code) }

// head sends HEADERS.
func (w *streamWire) head() { w.headers(w.status(), false) }

func (w *streamWire) headers(status string, end bool, more ...field) {
	if !w.over {
		w.gone(w.s.WriteHeaders(append([]http2.Field{{Name: ":status", Value: status}}, streamFields(append(more, w.v.header...))...), end))
		w.over = w.over || end
	}
}

// streamFields gives header lines as HTTP/2 sends them.
func streamFields(fields []field) []http2.Field {
	all := make([]http2.Field, 0, len(fields))
	for _, f := range fields {
		switch name := strings.ToLower(f.name); name {
		case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		default:
			all = append(all, http2.Field{Name: name, Value: strings.TrimSpace(f.value)})
		}
	}
	return all
}

// early sends a 1xx.
func (w *streamWire) early(h hint) {
	if !w.over {
		w.gone(w.s.WriteHeaders(append([]http2.Field{{Name: ":status", Value: strconv.Itoa(h.code)}}, streamFields(h.fields)...), false))
	}
}

// body sends the next n bytes of the body, or all that are left when n is below 0, in the pieces of Trickle and Stream.
func (w *streamWire) body(n int) {
	for !w.over && n != 0 && len(w.v.body) > 0 {
		if w.at == len(w.v.body) {
			if !w.v.endless {
				return
			}
			w.at, w.piece = 0, 0
		}
		if w.left == 0 {
			w.left = len(w.v.body)
			if w.v.pieces != nil {
				w.left = w.v.pieces[w.piece]
				if w.begun {
					w.wait(w.v.every)
				}
			}
			w.begun = true
		}
		m := w.left
		if n > 0 {
			m = min(m, n)
			n -= m
		}
		// The last frame of the body ends the stream, where nothing else is to come.
		end := w.at+m == len(w.v.body) && n < 0 && !w.v.late && !w.v.never && !w.v.endless && len(w.v.trailers) == 0
		w.data(w.v.body[w.at:w.at+m], end)
		w.at += m
		if w.left -= m; w.left == 0 {
			w.piece++
		}
	}
}

// data sends DATA frames, as many as it takes.
func (w *streamWire) data(p []byte, end bool) {
	if !w.over {
		_, err := w.s.Write(p, end)
		w.gone(err)
		w.over = w.over || end
	}
}

// finish ends the stream, with trailers where the reply has them.
func (w *streamWire) finish() {
	switch {
	case w.v.never:
		w.stall()
		return
	case w.v.late:
		w.wait(w.c.srv.cfg.late)
	}
	if w.over {
		return
	}
	if len(w.v.trailers) > 0 {
		w.gone(w.s.WriteHeaders(streamFields(w.v.trailers), true))
		w.over = true
		return
	}
	w.data(nil, true)
}

// wait waits for d, and less when the stream ends.
func (w *streamWire) wait(d time.Duration) {
	if !w.over && d > 0 && !w.pause(d) {
		w.over = true
	}
}

// pause waits for d. It returns false when nobody is left to answer.
func (w *streamWire) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.s.Done():
	case <-w.c.srv.done:
	}
	return false
}

// stall leaves the stream open until the client resets it, or the connection ends. No goroutine waits for that.
func (w *streamWire) stall() { w.over = true }

// resetStream sends RST_STREAM.
func (w *streamWire) resetStream(code http2.ErrCode) {
	if !w.over {
		w.s.Reset(code)
		w.over = true
	}
}

// goAway sends GOAWAY that leaves this stream, and later ones, unanswered. The connection ends when the others have.
func (w *streamWire) goAway() {
	if !w.over {
		w.c.goAway(w.s.ID() - 1)
		w.over = true
	}
}

// hangUp ends the connection in order, with all streams of it.
func (w *streamWire) hangUp() {
	w.over = true
	if w.s.Err() == nil { // else the client was faster
		w.c.hangUp()
	}
}

// garbage sends bytes that are no frame.
func (w *streamWire) garbage() {
	if !w.over {
		w.gone(w.s.WriteRaw([]byte(garbage)))
	}
}

// reset resets the TCP connection.
func (w *streamWire) reset() {
	if w.over {
		return
	}
	w.over = true
	resetTCP(w.c.nc)
	w.c.setState(ConnClosed)
}

// resetTCP closes the TCP connection that nc goes over with a RST. What is between, TLS, would send its own end first.
func resetTCP(nc net.Conn) {
	for {
		under, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		nc = under.NetConn()
	}
	if l, ok := nc.(interface{ SetLinger(int) error }); ok {
		l.SetLinger(0)
	}
	nc.Close()
}

// refuse is for a fault that means nothing over HTTP/2.
func (w *streamWire) refuse(f WireFault) {
	msg := fmt.Sprintf("mockserver: request %s: the fault %s is for HTTP/1 alone, and the request came over HTTP/2, answered 501\n"+
		"\tmake the server without mockserver.HTTP2(), or choose a fault whose comment says what it does over HTTP/2", w.what, f)
	if w.c.srv.miss(w.what + " " + f.String()) {
		w.c.srv.report(msg)
	}
	w.use(Text(501, msg+"\n"))
	w.send()
}

// A client sends a request again after GOAWAY and REFUSED_STREAM: net/http's without a pause after GOAWAY, which is more
// than a thousand connections in a second, and after REFUSED_STREAM with pauses that add up to a minute. So these faults
// are for a number of requests.
const (
	maxGoAways  = 10
	maxRefusals = 2
)

// limitedFault is a fault that is played a limited number of times for the same request.
type limitedFault interface {
	WireFault
	limit() int
}

// limited gives the reply without its fault when that was played often enough.
func (s *Server) limited(r Reply, what string) Reply {
	f, ok := r.fault().(limitedFault)
	if !ok {
		return r
	}
	n := s.played(what + " " + f.String())
	if n <= f.limit() {
		return r
	}
	if n == f.limit()+1 {
		s.safely(func() {
			s.t.Logf("mockserver: request %s: %s was played %d times, because the client goes on sending the request; from now on it gets the reply without the fault",
				what, f, f.limit())
		})
	}
	x := *r.extra
	x.fault = nil
	r.extra = &x
	return r
}

// played counts how often a fault was played.
func (s *Server) played(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults == nil {
		s.faults = map[string]int{}
	}
	s.faults[what]++
	return s.faults[what]
}
