package mockserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"
)

// Wire is one HTTP/1 connection while a reply is played on it. It is for faults: Head, Body and Finish send parts of the
// reply in the way that its framing, trickle and trailers ask for, Write sends any bytes, and HalfClose, Close and Reset end
// the connection.
//
// What is sent is gathered, and goes out in one piece when the fault waits or ends; Flush sends it before. After the first
// error, and after the end of the connection, nothing is sent any more, so a fault needs to look at Err only where it
// loops.
//
// When Play returns and has not ended the connection, it stays open for the next request if Finish was called and the
// reply keeps it open; otherwise it ends as with HalfClose. A Wire is for one goroutine, and not to be kept after Play.
type Wire struct {
	c     *conn
	reply Reply
	to    call
	shape shape
	what  string // the request and its stub, for messages

	buf    []byte
	at     int   // bytes of the body that are sent, of the current round when it is endless
	pieces []int // lengths, nil for one
	piece  int   // index of the piece that at is in
	left   int   // bytes of it to come, 0 before it begins
	begun  bool  // the first piece has begun
	whole  bool  // Finish was called
	err    error
	open   bool // the connection serves the next request
	linger bool // the connection has ended, and waits for the client to close it
}

// wireBuffer is how much is gathered at most.
const wireBuffer = 32 << 10

var (
	errWireEnded  = errors.New("mockserver: the reply has ended the connection already")
	errWireClosed = errors.New("mockserver: the server is closed")
)

// play sends a reply with extras. open and linger are as for exchange.
func (c *conn) play(r Reply, to call, what string) (open, linger bool) {
	defer func() {
		// A fault of the user's, its String too, or one of ours: the connection is closed, and the test says why.
		if p := recover(); p != nil {
			open, linger = false, false
			c.srv.report(fmt.Sprintf("mockserver: request %s: the fault %s panicked: %v\n%s", what, r.fault(), p, debug.Stack()))
		}
	}()
	w := newWire(c, r, to, what)
	w.run()
	return w.open, w.linger
}

func newWire(c *conn, r Reply, to call, what string) *Wire {
	if r.extra == nil { // what a template's error is answered with
		r.extra = &none
	}
	w := &Wire{c: c, reply: r, to: to, what: what, shape: r.plan(to)}
	w.pieces = r.pieces(len(w.shape.body))
	c.note(r, w.shape)
	return w
}

func (w *Wire) run() {
	if !w.to.http10 {
		for _, h := range w.reply.extra.early {
			w.early(h)
		}
		if len(w.reply.extra.early) > 0 {
			w.Flush()
		}
	}
	if f := w.reply.fault(); f != nil {
		f.Play(w)
	} else {
		w.Send()
	}
	if w.whole && !w.shape.close {
		w.end(ConnIdle)
	} else {
		w.end(ConnClosing)
	}
}

// Err says why nothing can be sent any more: the client has gone, the server is closed, or the connection was ended. It is
// nil before.
func (w *Wire) Err() error { return w.err }

// Send sends the whole reply: Head, Body(-1) and Finish.
func (w *Wire) Send() {
	w.Head()
	w.Body(-1)
	w.Finish()
}

// Head sends the status line, the headers, and the empty line behind them.
func (w *Wire) Head() { w.Write(w.headBytes()) }

func (w *Wire) headBytes() []byte { return w.reply.appendHead(nil, w.shape, time.Now()) }

// headWithStatus is Head with something else in place of the number.
func (w *Wire) headWithStatus(status string) {
	head := w.headBytes()
	proto, rest, _ := bytes.Cut(head, []byte(" "))
	_, rest, _ = bytes.Cut(rest, []byte(" "))
	w.Write(proto)
	w.Write([]byte(" " + status + " "))
	w.Write(rest)
}

// early sends a 1xx, and nothing to HTTP/1.0.
func (w *Wire) early(h hint) {
	if !w.to.http10 {
		w.Write(appendHint(nil, h))
	}
}

func appendHint(b []byte, h hint) []byte {
	b = append(b, "HTTP/1.1 "+strconv.Itoa(h.code)+" "+http.StatusText(h.code)+"\r\n"...)
	for _, f := range h.fields {
		b = append(b, f.name+": "+f.value+"\r\n"...)
	}
	return append(b, "\r\n"...)
}

// Body sends the next n bytes of the body, or all that are left when n is below 0, with what chunked framing puts around
// them. With Trickle and Stream it waits between the pieces. Of a stream, "all" has no end but that of the connection. A
// reply to HEAD, a 204 and a 304 have no body.
func (w *Wire) Body(n int) {
	body := w.shape.body
	chunked := w.shape.framing == Chunked || w.shape.framing == ChunkedLate
	endless := w.reply.extra.endless
	for w.err == nil && n != 0 && len(body) > 0 {
		if w.at == len(body) {
			if !endless {
				return
			}
			w.at, w.piece = 0, 0
		}
		if w.left == 0 {
			w.left = len(body)
			if w.pieces != nil {
				w.left = w.pieces[w.piece]
				if w.begun {
					w.Wait(w.reply.extra.every)
				}
			}
			w.begun = true
			if chunked {
				w.Write(append(strconv.AppendInt(nil, int64(w.left), 16), "\r\n"...))
			}
		}
		m := w.left
		if n > 0 {
			m = min(m, n)
			n -= m
		}
		w.Write(body[w.at : w.at+m])
		w.at += m
		w.left -= m
		if w.left == 0 {
			w.piece++
			if chunked {
				w.Write([]byte("\r\n"))
			}
		}
	}
}

// chunk sends bytes that are not of the reply's body, as a chunk where the framing is chunked.
func (w *Wire) chunk(p []byte) {
	chunked := w.shape.framing == Chunked || w.shape.framing == ChunkedLate
	if chunked {
		w.Write(append(strconv.AppendInt(nil, int64(len(p)), 16), "\r\n"...))
	}
	w.Write(p)
	if chunked {
		w.Write([]byte("\r\n"))
	}
}

// Finish sends what ends a chunked body, with the trailers, and marks the reply as complete.
func (w *Wire) Finish() {
	w.whole = true
	if w.to.method == "HEAD" || w.shape.framing != Chunked && w.shape.framing != ChunkedLate {
		return
	}
	if w.shape.framing == ChunkedLate {
		w.Flush()
		w.waitLate()
	}
	if len(w.reply.extra.trailers) == 0 {
		w.Write([]byte(lastChunk))
		return
	}
	b := []byte("0\r\n")
	for _, f := range w.reply.extra.trailers {
		b = append(b, f.name+": "+f.value+"\r\n"...)
	}
	w.Write(append(b, "\r\n"...))
}

// Write sends bytes as they are, whatever HTTP says. Its error is that of Err.
func (w *Wire) Write(p []byte) (int, error) {
	n := len(p)
	if len(w.buf)+len(p) > wireBuffer {
		w.Flush()
		if len(p) > wireBuffer { // the last piece stays here, see end
			w.put(p[:len(p)-lastPiece])
			p = p[len(p)-lastPiece:]
		}
	}
	if w.err != nil {
		return 0, w.err
	}
	w.buf = append(w.buf, p...)
	return n, nil
}

// Flush sends what is gathered.
func (w *Wire) Flush() error {
	w.put(w.buf)
	w.buf = w.buf[:0]
	return w.err
}

func (w *Wire) put(p []byte) {
	if w.err == nil && !w.c.write(p) {
		w.gone()
	}
}

// gone notes that nobody is left to send to.
func (w *Wire) gone() {
	w.err = io.ErrClosedPipe
	if w.c.srv.isClosed() {
		w.err = errWireClosed
	}
	w.open, w.linger = false, false
}

// Wait sends what is gathered and waits for d. It ends early, with the error of Err, when the client goes or the server
// closes. A client that ends its sending half counts as gone.
func (w *Wire) Wait(d time.Duration) error {
	w.Flush()
	if w.err == nil && d > 0 && !w.c.pause(d) {
		w.gone()
	}
	return w.err
}

// waitLate is a short wait in which nobody looks whether the client goes.
func (w *Wire) waitLate() {
	if w.err == nil && !w.c.waitLate() {
		w.gone()
	}
}

// Stall sends what is gathered and then nothing more, until the client closes its side or the server is closed. What the
// client sends meanwhile is dropped.
func (w *Wire) Stall() {
	w.Flush()
	if w.err == nil {
		w.c.nc.SetReadDeadline(time.Time{})
		io.Copy(io.Discard, w.c.br)
		w.gone()
	}
}

// HalfClose sends what is gathered and ends the connection (FIN). The server goes on reading, and drops what it reads, until
// the client closes its side: so the client gets an end and never a reset, and Conns shows a client that holds the
// connection, as ConnClosing.
func (w *Wire) HalfClose() { w.end(ConnClosing); w.over() }

// Close sends what is gathered and closes the connection on both sides. The client gets an end (FIN), or a reset if it has
// sent what the server did not read.
func (w *Wire) Close() { w.end(ConnClosed); w.over() }

// Reset sends what is gathered, gives the client 15 ms to take it, and resets the connection: a TCP RST, by SO_LINGER 0.
// Where nothing was sent before, it resets at once.
func (w *Wire) Reset() {
	if len(w.buf) > 0 {
		w.Flush()
		w.waitLate()
	}
	if w.err != nil {
		return
	}
	c := w.c
	c.setFinishing(true)
	resetTCP(c.nc)
	c.setState(ConnClosed)
	c.setFinishing(false)
	w.open, w.linger = false, false
	w.over()
}

// over makes everything after the end of the connection do nothing.
func (w *Wire) over() {
	if w.err == nil {
		w.err = errWireEnded
	}
}

// end sends what is gathered and settles the state, in one as far as Conns can see.
func (w *Wire) end(s ConnState) {
	if w.err != nil {
		return
	}
	n := max(0, len(w.buf)-lastPiece)
	w.put(w.buf[:n])
	if w.err != nil {
		return
	}
	if !w.c.writeLast(w.buf[n:], s) {
		w.gone()
		return
	}
	w.buf = nil
	w.open, w.linger = s == ConnIdle, s == ConnClosing
}

// refuse is for a fault that HTTP/1 cannot play.
func (w *Wire) refuse(f WireFault) {
	msg := fmt.Sprintf("mockserver: request %s: %s is a fault of HTTP/2, and the request came over HTTP/1, answered 501\n"+
		"\tmake the server with mockserver.HTTP2() and send the request with srv.Client(), or choose another fault", w.what, f)
	if w.c.srv.miss(w.what + " " + f.String()) {
		w.c.srv.report(msg)
	}
	w.reply = Text(501, msg+"\n")
	w.reply.extra = &none
	w.shape = w.reply.plan(w.to)
	w.pieces = nil
	w.c.note(w.reply, w.shape)
	w.c.setStatus(501)
	w.Send()
}
