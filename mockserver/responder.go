package mockserver

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Responder returns the reply as a function that answers without a network, for httpmock.RegisterResponder and anything
// else that takes such a function. The response is what net/http makes of the reply: the same headers, ContentLength,
// trailers and Close, http.NoBody where there is no body, and a compressed body decompressed where the transport would
// have asked for it. Any other body is to be closed, and gives an error when it is read after that; there is no
// connection that it holds, so only a tracked client shows that it was not closed.
//
// The body of the request is read and closed in each case, as a transport does it: up to 64 MiB, until its own error, which
// the call gives, or until nothing comes for 5 s.
//
// A fault gives the error that net/http gives, from the call or from reading the body: io.EOF, io.ErrUnexpectedEOF, or a
// *net.OpError with syscall.ECONNRESET. A body that stalls, trickles or never ends is read as slowly as it would come;
// closing it, or the end of the request's context, ends that. ChunkedLate is as Chunked. Delay ends early, with its error,
// when the request's context does.
//
// Each function that Responder returns counts for itself, so a sequence made with Times and Then starts at its beginning.
// A sequence that is used up, a reply that cannot be sent, a fault of HTTP/2 and one that has no meaning without a
// connection give an error.
func (r Reply) Responder() func(*http.Request) (*http.Response, error) {
	all := flatten([]Reply{r})
	var mu sync.Mutex
	served := 0
	source := dice{}
	return func(req *http.Request) (*http.Response, error) {
		body := bodyOfRequest(req)
		defer body.Close()
		if err := r.problem(); err != nil {
			return nil, fmt.Errorf("mockserver: %w", err)
		}
		mu.Lock()
		one, ok := nth(all, served)
		served++
		mu.Unlock()
		if !ok {
			msg, _, _ := strings.Cut(spent(r.String(), all), ", answered 501")
			return nil, errors.New("mockserver: " + msg)
		}
		return one.respond(req, body, &source)
	}
}

// respond answers a request, and reads its body whole. Closing it is left to the caller.
func (r Reply) respond(req *http.Request, body *sentBody, source *dice) (*http.Response, error) {
	m := &mocked{ctx: context.Background(), method: "GET"}
	to := call{method: "GET"}
	if req != nil {
		to.method, to.close = req.Method, req.Close
		if to.method == "" {
			to.method = "GET" // as net/http's client has it
		}
		m.method, m.ctx = to.method, req.Context()
		to.gzip = acceptsGzip(req.Header)
		if !to.gzip && len(req.Header["Accept-Encoding"]) == 0 && len(req.Header["Range"]) == 0 && to.method != "HEAD" {
			to.gzip, m.unzip = true, true // the transport asks by itself
		}
	}
	var rec Request // for a template
	if r.extra != nil && r.extra.template != nil {
		rec = Request{Method: to.method}
		if req != nil {
			rec = requestOf(req, body)
		}
	}
	if !r.isHandler() {
		if err := body.drain(); err != nil {
			return nil, err
		}
	}
	if r.extra == nil {
		m.shape = r.plan(to)
		return m.whole(r.response(to, req, time.Now())), nil
	}

	if d := r.extra.delay; d != nil {
		wait, ok := d.(fixed)
		if !ok {
			drawn, failed := source.draw(d, r.name)
			if failed != nil {
				return nil, fmt.Errorf("mockserver: the delay of the reply %s: %s\n%s", r.name, failed.inSample(d), failed.stack)
			}
			wait = fixed(drawn)
		}
		if err := m.wait(time.Duration(wait)); err != nil {
			return nil, err
		}
	}
	switch {
	case r.extra.template != nil:
		text, err := render(r.extra.template, rec, map[string]string{})
		if err != nil {
			return nil, fmt.Errorf("mockserver: %s: %w", r, err)
		}
		r = r.withBody(text)
	case r.extra.handler != nil:
		in := handlerRequest(req, m.ctx)
		if in.Body != http.NoBody {
			in.Body = body
		}
		var failed *panicked
		r, failed = r.record(in)
		body.drain() // the handler may have closed it, and has answered anyway
		if failed != nil && failed.value != http.ErrAbortHandler {
			return nil, fmt.Errorf("mockserver: the handler panicked: %v\n%s", failed.value, failed.stack)
		}
	}
	if f, ok := r.fault().(mendingFault); ok {
		r = f.mend(r)
	}

	m.reply, m.shape = r, r.plan(to)
	for _, h := range r.extra.early {
		if err := m.hint(h); err != nil {
			return nil, err
		}
	}
	resp := r.response(to, req, time.Now())
	f := r.fault()
	if f == nil {
		return m.whole(resp), nil
	}
	if mf, ok := f.(mockedFault); ok {
		return mf.respond(resp, m)
	}
	if _, ok := f.(streamFault); ok || f == GoAway || f == RefuseStream {
		return nil, fmt.Errorf("mockserver: %s is a fault of HTTP/2, a Responder has no connection for it", f)
	}
	return nil, fmt.Errorf("mockserver: %s has no meaning in a Responder, which has no connection; use a Server", f)
}

// requestOf is the Request that a template sees in a Responder. It reads the beginning of the body.
func requestOf(req *http.Request, body *sentBody) Request {
	rec := newRequest(req, 0)
	if rec.Target == "" {
		rec.Target = req.URL.RequestURI()
	}
	if rec.Host == "" {
		rec.Host = req.URL.Host
	}
	rec.Body, _ = io.ReadAll(io.LimitReader(body, keepBody))
	return rec
}

// handlerRequest is the request of a client as a server's handler sees it.
func handlerRequest(req *http.Request, ctx context.Context) *http.Request {
	if req == nil {
		req, _ = http.NewRequest("GET", "http://mockserver/", nil)
	}
	in := req.Clone(ctx)
	in.RequestURI = in.URL.RequestURI()
	in.RemoteAddr = "127.0.0.1:0"
	if in.Host == "" {
		in.Host = in.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	return in
}

// acceptsGzip says whether a request's Accept-Encoding has gzip, and not with the weight 0.
func acceptsGzip(h http.Header) bool {
	for _, line := range h["Accept-Encoding"] {
		for _, one := range strings.Split(line, ",") {
			name, params, _ := strings.Cut(one, ";")
			name = strings.TrimSpace(name)
			if !strings.EqualFold(name, "gzip") && name != "*" {
				continue
			}
			key, q, _ := strings.Cut(params, "=")
			if strings.TrimSpace(key) == "q" {
				if weight, err := strconv.ParseFloat(strings.TrimSpace(q), 64); err == nil && weight == 0 {
					continue
				}
			}
			return true
		}
	}
	return false
}

// response is the reply as net/http's client would hand it out, without its body.
func (r Reply) response(to call, req *http.Request, now time.Time) *http.Response {
	sh := r.plan(to)
	chunked := sh.framing == Chunked || sh.framing == ChunkedLate
	resp := &http.Response{
		Status:     strconv.Itoa(r.code) + " " + r.reason,
		StatusCode: r.code,
		Proto:      r.proto(),
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     http.Header{},
		Body:       http.NoBody,
		Request:    req,
	}
	announced := r.http10 || sh.framing == UntilClose && to.method != "HEAD" // net/http knows without a header
	if r.http10 {
		resp.ProtoMinor = 0
	}
	r.eachLine(sh, now, func(f field) {
		connection := f.slot == slotConnection || f.slot == slotClose
		announced = announced || connection
		switch {
		case f.slot == slotFraming && chunked, connection && sh.close && !r.http10:
			return // net/http takes these two out, the second one only from HTTP/1.1
		case f.name == "Trailer":
			resp.Trailer = http.Header{}
			for _, t := range r.extra.trailers {
				resp.Trailer[http.CanonicalHeaderKey(t.name)] = nil
			}
			return
		}
		resp.Header.Add(f.name, f.value)
	})
	resp.Close = sh.close && announced
	switch sh.framing {
	case ContentLength, Empty:
		resp.ContentLength = int64(sh.length)
	case Chunked, ChunkedLate:
		resp.ContentLength = -1
		resp.TransferEncoding = []string{"chunked"}
	case UntilClose:
		resp.ContentLength = -1
	case noLength:
		resp.ContentLength = -1
		resp.Close = resp.Close || to.method != "HEAD" // net/http says so, whatever the server does
	}
	if (r.code == 204 || r.code == 304) && to.method != "HEAD" {
		resp.ContentLength = 0 // whatever the header says
	}
	if sh.framing == 0 && to.method == "HEAD" {
		resp.ContentLength = -1 // net/http does not know then
	}
	return resp
}

// mocked plays a reply without a connection.
type mocked struct {
	ctx    context.Context
	method string
	reply  Reply
	shape  shape
	unzip  bool // the transport decompresses
}

// hasBody says whether net/http gives the response a body to be closed.
func (m *mocked) hasBody(resp *http.Response) bool {
	return m.method != "HEAD" && resp.StatusCode != 204 && resp.StatusCode != 304 && resp.ContentLength != 0
}

// whole gives the response the whole body, with what its framing does at the end.
func (m *mocked) whole(resp *http.Response) *http.Response {
	end, n := io.EOF, len(m.shape.body)
	switch {
	case m.shape.framing == noLength && !m.shape.close:
		end = errStall
	case resp.ContentLength > int64(n) && !m.shape.close:
		end = errStall
	case resp.ContentLength > int64(n):
		end = io.ErrUnexpectedEOF
	case resp.ContentLength >= 0:
		n = int(resp.ContentLength)
	}
	resp, _ = m.cut(resp, n, end)
	return resp
}

// cut gives the response the first n bytes of the body, and then an error.
func (m *mocked) cut(resp *http.Response, n int, end error) (*http.Response, error) {
	if !m.hasBody(resp) {
		return resp, nil
	}
	b := &responseBody{m: m, resp: resp, end: end, closed: make(chan struct{})}
	b.endless = m.reply.extra != nil && m.reply.extra.endless
	body := m.shape.body
	switch {
	case m.shape.gzip && m.unzip:
		resp.Uncompressed = true
		resp.ContentLength = -1
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
		if end == io.EOF {
			body, n = m.reply.body, len(m.reply.body)
		} else {
			body, n = unzipped(body[:min(n, len(body))]), len(m.reply.body)
		}
	}
	if n < len(body) {
		body, b.endless = body[:max(n, 0)], false
	}
	if end != io.EOF {
		b.endless = false
	}
	b.body, b.pieces = body, m.reply.pieces(len(m.shape.body))
	resp.Body = b
	return resp, nil
}

// unzipped is what can be decompressed of the beginning of a compressed body.
func unzipped(b []byte) []byte {
	zr, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	out, _ := io.ReadAll(zr)
	return out
}

func (m *mocked) endless(resp *http.Response, f endlessBody) *http.Response {
	if m.hasBody(resp) {
		resp.Body = &responseBody{m: m, resp: resp, source: f, body: m.reply.body, closed: make(chan struct{})}
	}
	return resp
}

// wait waits for d, or until the request's context ends.
func (m *mocked) wait(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-m.ctx.Done():
		return m.ctx.Err()
	}
}

// hinted says whether the request wants to know of each 1xx. net/http then does not limit how many there are.
func (m *mocked) hinted() bool {
	trace := httptrace.ContextClientTrace(m.ctx)
	return trace != nil && trace.Got1xxResponse != nil
}

func (m *mocked) hint(h hint) error {
	if !m.hinted() {
		return nil
	}
	header := textproto.MIMEHeader{}
	for _, f := range h.fields {
		header.Add(f.name, f.value)
	}
	return httptrace.ContextClientTrace(m.ctx).Got1xxResponse(h.code, header)
}

const (
	maxClientHeader = 10 << 20 // what net/http's client reads of headers by default
	tooManyHeaders  = "net/http: server response headers exceeded 10485760 bytes; aborted"
)

// broken is how net/http says that a response made no sense.
func broken(text string) error {
	return errors.New("net/http: HTTP/1.x transport connection broken: " + text)
}

// errReset is a reset as it reaches a client.
func errReset() error {
	return &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
}

// errStall stands for an end that does not come.
var errStall = errors.New("mockserver: a body that stalls")

// responseBody is a body that comes as it would from the wire, and knows that it is closed.
type responseBody struct {
	m       *mocked
	resp    *http.Response
	body    []byte
	pieces  []int // nil for one
	endless bool
	source  endlessBody // not "" for a body without an end
	end     error

	mu     sync.Mutex
	at     int64
	piece  int
	left   int // of the piece
	begun  bool
	once   sync.Once
	closed chan struct{}
}

var errBodyClosed = errors.New("http: read on closed response body")

func (b *responseBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.closed:
		return 0, errBodyClosed
	default:
	}
	if err := b.m.ctx.Err(); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if b.source != "" {
		if b.at >= endlessFast {
			p = p[:min(len(p), 1<<10)]
			if err := b.wait(endlessSlow); err != nil {
				return 0, err
			}
		} else if b.at%endlessPiece == 0 || b.at%endlessPiece+int64(len(p)) > endlessPiece {
			if err := b.wait(endlessWait); err != nil {
				return 0, err
			}
		}
		p = p[:min(len(p), endlessPiece)]
		b.source.next(p, b.body, b.at)
		b.at += int64(len(p))
		return len(p), nil
	}
	at := int(b.at)
	if b.endless && at == len(b.body) {
		at, b.at, b.piece = 0, 0, 0
	}
	if at == len(b.body) {
		if b.end == errStall {
			return 0, b.wait(-1)
		}
		if b.end == io.EOF && b.resp.Trailer != nil {
			for _, t := range b.m.reply.extra.trailers {
				name := http.CanonicalHeaderKey(t.name)
				b.resp.Trailer[name] = append(b.resp.Trailer[name], t.value)
			}
			b.end = finalEOF{}
		}
		if b.end == (finalEOF{}) {
			return 0, io.EOF
		}
		return 0, b.end
	}
	if b.left == 0 {
		b.left = len(b.body)
		if b.pieces != nil {
			b.left = b.pieces[b.piece]
			b.piece++
			if b.begun {
				if err := b.wait(b.m.reply.extra.every); err != nil {
					return 0, err
				}
			}
		}
		b.begun = true
	}
	n := copy(p[:min(len(p), b.left)], b.body[at:])
	b.at += int64(n)
	b.left -= n
	return n, nil
}

// finalEOF marks that the trailers are set.
type finalEOF struct{}

func (finalEOF) Error() string { return io.EOF.Error() }

// wait waits for d, for ever when it is below 0, and gives the error of what ended it early.
func (b *responseBody) wait(d time.Duration) error {
	var over <-chan time.Time
	if d >= 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
		return nil
	case <-b.closed:
		return errBodyClosed
	case <-b.m.ctx.Done():
		return b.m.ctx.Err()
	}
}

func (b *responseBody) Close() error {
	b.once.Do(func() { close(b.closed) })
	return nil
}
