package mockserver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"runtime/debug"
	"strings"
	"time"
)

// Handler is a reply that h writes. h gets the request as from net/http's server, with its whole body, up to 64 MiB, and
// the path values of the stub's pattern: req.PathValue("id"). Its context ends when the client goes or the server closes.
// The writer is an http.Flusher and http.Hijacker, and works with http.ResponseController. Framing is net/http's: up to
// 2 KiB that are not flushed have a Content-Length, the rest is chunked, and Transfer-Encoding: identity asks for a body
// that ends with the connection. Two things differ: an informational response (1xx) is not sent to an HTTP/1.0 client, and
// after a 101 without Hijack the connection is closed.
//
// A panic in h fails the test and closes the connection without the rest of the reply; http.ErrAbortHandler only closes
// it. A connection that h hijacks is h's to close. The server closes it too when it is closed, and Conns has it as
// ConnActive until then.
//
// Delay, DelayBy, Early, Times and Then work as with any reply. With every other modifier, in a Responder, and where a
// fault breaks the reply, h runs to its end first, and what it wrote is sent as one reply: what it flushed is not sent
// before, and Hijack gives http.ErrNotSupported.
func Handler(h http.Handler) Reply {
	r := Reply{name: "Handler()", code: 200, reason: http.StatusText(200), extra: &extra{handler: h}}
	if f := reflect.ValueOf(h); h == nil || f.Kind() == reflect.Func && f.IsNil() {
		r.extra = &extra{}
		return r.fail("the handler is nil")
	}
	return r
}

// recorded says whether a handler's reply is to be changed before it is sent.
func (r Reply) recorded() bool {
	return r.extra.reshaped || r.framing != 0 || len(r.fields) > 0 || r.close
}

// prepare makes of a reply what it is for one request: the text of a template, and what a handler writes. live says that
// the handler is to write to the connection itself. msg is what the test is failed with, "" when all is well.
func (s *Server) prepare(r Reply, req *http.Request, rec Request, body []byte, st *Stub, what string) (_ Reply, live bool, msg string) {
	x := r.extra
	switch {
	case x == nil:
		return r, false, ""
	case x.template != nil:
		text, err := render(x.template, rec, pathValues(st, req))
		if err != nil {
			msg = fmt.Sprintf("mockserver: request %s: %v, answered 501", what, err)
			return Text(501, msg+"\n"), false, msg
		}
		r = r.withBody(text)
	case x.handler != nil:
		setBody(req, body, rec)
		for name, value := range pathValues(st, req) {
			req.SetPathValue(name, value)
		}
		if !r.recorded() {
			return r, true, ""
		}
		var failed *panicked
		r, failed = r.record(req)
		if failed != nil {
			msg = failed.message(what)
		}
	}
	if m, ok := r.fault().(mendingFault); ok {
		r = m.mend(r)
	}
	return r, false, msg
}

// mendingFault is a fault that is played on a changed reply.
type mendingFault interface {
	WireFault
	mend(r Reply) Reply
}

// withBody is the reply with another body.
func (r Reply) withBody(body []byte) Reply {
	x := *r.extra
	x.template, x.handler = nil, nil
	r.body, r.extra = body, &x
	if x.gzip != nil {
		r = r.Gzip()
	}
	return r
}

// setBody gives a handler the body that the server has read. whole is nil where the server read it without knowing that
// it has a handler.
func setBody(req *http.Request, whole []byte, rec Request) {
	if whole == nil {
		whole = rec.Body
	}
	if len(whole) == 0 {
		req.Body = http.NoBody
		return
	}
	var body io.Reader = bytes.NewReader(whole)
	if rec.size < 0 || rec.size > len(whole) { // the server did not read on, or not all of it was kept
		body = io.MultiReader(body, cutOff{})
	}
	req.Body = io.NopCloser(body)
}

// cutOff is the end of a body of which there was more.
type cutOff struct{}

func (cutOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// pathValues gives what the wildcards of a stub's pattern matched.
func pathValues(st *Stub, req *http.Request) map[string]string {
	values := map[string]string{}
	if st == nil {
		return values
	}
	path := splitPath(req.URL.EscapedPath())
	for i, s := range st.pattern.segs {
		switch {
		case s.text == "" || s.kind == literal:
		case s.kind == rest:
			values[s.text] = strings.Join(path[min(i, len(path)):], "/")
		case i < len(path):
			values[s.text] = path[i]
		}
	}
	return values
}

// panicked is a handler's panic.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) message(what string) string {
	if p.value == http.ErrAbortHandler {
		return ""
	}
	return fmt.Sprintf("mockserver: request %s: the handler panicked: %v\n%s", what, p.value, p.stack)
}

// serveRecovered runs a handler.
func serveRecovered(h http.Handler, w http.ResponseWriter, req *http.Request) (failed *panicked) {
	defer func() {
		if v := recover(); v != nil {
			failed = &panicked{value: v, stack: debug.Stack()}
		}
	}()
	h.ServeHTTP(w, req)
	return nil
}

// handle lets a handler write to the connection.
func (c *conn) handle(r Reply, req *http.Request, rec Request, to call, what string) (open, linger bool) {
	w := newWire(c, r, to, what)
	for _, h := range r.extra.early {
		w.early(h)
	}
	w.Flush()

	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), http.LocalAddrContextKey, localAddr(c.nc)))
	defer cancel()
	seen := c.watch(cancel)
	stopped := false
	stop := func() bool {
		if stopped {
			return true
		}
		stopped = true
		return seen.stop()
	}
	defer stop() // when a t.FailNow in the handler ends the goroutine
	req.RemoteAddr = c.info.RemoteAddr
	if over, ok := c.nc.(*secured); ok {
		state := over.ConnectionState()
		req.TLS = &state
	}
	hw := &handlerWriter{wire: w, header: http.Header{}, req: req.WithContext(ctx), length: -1, stop: stop}
	failed := serveRecovered(r.extra.handler, hw, hw.req)
	hw.mu.Lock()
	defer hw.mu.Unlock()
	defer func() { hw.done = true }()
	if failed != nil {
		if msg := failed.message(what); msg != "" {
			c.srv.report(msg)
		}
		return false, false
	}
	if hw.hijacked {
		return false, false
	}
	hw.finish()
	hw.note()
	c.nc.SetWriteDeadline(time.Time{})
	there := stop()
	if hw.close {
		w.end(ConnClosing)
	} else {
		w.end(ConnIdle)
	}
	return w.open && there, w.linger
}

func localAddr(nc net.Conn) net.Addr {
	if a, ok := nc.(interface{ LocalAddr() net.Addr }); ok {
		return a.LocalAddr()
	}
	return &net.TCPAddr{}
}

// describe names a request and its stub in messages.
func describe(rec Request, st *Stub) string {
	what := rec.Method + " " + shorten(rec.Path)
	if st != nil {
		what += fmt.Sprintf(" (stub %s, %s)", st.pattern, st.site)
	}
	return what
}
