package mockserver

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// handlerHold is how much of a handler's body is held back before it is sent chunked, as net/http's server does.
const handlerHold = 2 << 10

// handlerWriter is the http.ResponseWriter of a Handler that writes to the connection.
type handlerWriter struct {
	wire *Wire
	req  *http.Request
	stop func() bool // ends the reading ahead

	mu       sync.Mutex
	header   http.Header
	code     int // 0 before WriteHeader
	sent     http.Header
	length   int64  // Content-Length as the handler set it, -1 for none
	held     []byte // body that is not sent, because the framing is not known
	headSent bool
	chunked  bool
	close    bool
	written  int64
	hijacked bool
	done     bool // the handler has returned
}

func (w *handlerWriter) Header() http.Header { return w.header }

func (w *handlerWriter) WriteHeader(code int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(code)
}

func (w *handlerWriter) writeHeader(code int) {
	if w.code != 0 || w.hijacked || w.done {
		return // net/http logs it and goes on
	}
	if code < 100 || code > 999 {
		panic("mockserver: invalid WriteHeader code " + strconv.Itoa(code)) // as net/http does
	}
	if code < 200 && code != 101 {
		h := hint{code: code}
		eachSorted(w.header, func(name, value string) { h.fields = append(h.fields, field{name: name, value: value}) })
		w.wire.early(h)
		w.wire.Flush()
		return
	}
	w.code = code
	w.wire.c.setStatus(code)
	w.sent = w.header.Clone()
	if v := w.sent.Get("Content-Length"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err == nil && n >= 0 {
			w.length = n
		} else {
			w.sent.Del("Content-Length")
		}
	}
}

func (w *handlerWriter) bodyless() bool { return w.code == 204 || w.code == 304 || w.code == 101 }

func (w *handlerWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.hijacked:
		return 0, http.ErrHijacked
	case w.done:
		return 0, errors.New("mockserver: Write after the handler has returned")
	}
	if w.code == 0 {
		w.writeHeader(200)
	}
	switch {
	case len(p) == 0:
		return 0, nil
	case w.bodyless():
		return 0, http.ErrBodyNotAllowed
	}
	w.written += int64(len(p)) // also what is refused, so that the rest is too
	if w.length >= 0 && w.written > w.length {
		return 0, http.ErrContentLength
	}
	if !w.headSent {
		w.held = append(w.held, p...)
		if len(w.held) > handlerHold {
			w.sendHead(false)
		}
		return len(p), w.wire.err
	}
	w.body(p)
	return len(p), w.wire.err
}

func (w *handlerWriter) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// body sends a part of the body.
func (w *handlerWriter) body(p []byte) {
	if len(p) == 0 || w.req.Method == "HEAD" {
		return
	}
	if w.chunked {
		w.wire.Write(append(strconv.AppendInt(nil, int64(len(p)), 16), "\r\n"...))
	}
	w.wire.Write(p)
	if w.chunked {
		w.wire.Write([]byte("\r\n"))
	}
}

// sendHead sends the status line and the headers, and what was held back. last says that this is the whole body. The
// order is that of net/http's server: the handler's headers by name, and then what the server adds.
func (w *handlerWriter) sendHead(last bool) {
	w.headSent = true
	h := w.sent
	to := w.wire.to
	var length, contentType, connection string
	coding := h.Get("Transfer-Encoding") // the handler's own word: "identity" asks for a body that ends with the connection
	h.Del("Transfer-Encoding")
	switch {
	case w.bodyless():
		h.Del("Content-Length")
		if w.code == 304 {
			h.Del("Content-Type")
		}
	case w.length >= 0 && coding != "" && coding != "identity":
		h.Del("Content-Length")
		w.length = -1
	}
	if last && w.length < 0 && coding == "" && !w.bodyless() && !w.hasTrailers() && (to.method != "HEAD" || len(w.held) > 0) {
		w.length = w.written
		length = strconv.FormatInt(w.written, 10)
	}
	if _, ok := h["Content-Type"]; !ok && len(w.held) > 0 && coding == "" && h.Get("Content-Encoding") == "" {
		contentType = http.DetectContentType(w.held)
	}
	w.close = to.close || strings.EqualFold(h.Get("Connection"), "close")
	if w.length < 0 && !w.bodyless() {
		switch {
		case to.http10:
			w.close = true
		case to.method == "HEAD":
		case coding == "identity":
			w.close = true
		default:
			w.chunked = true
		}
	}
	if h.Get("Connection") == "" {
		switch {
		case w.close && !to.http10:
			connection = "close"
		case !w.close && to.http10:
			connection = "keep-alive"
		}
	}
	proto := "HTTP/1.1 "
	if to.http10 {
		proto = "HTTP/1.0 "
	}
	b := append([]byte(proto+strconv.Itoa(w.code)+" "), statusText(w.code)+"\r\n"...)
	line := func(name, value string) {
		if value != "" {
			b = append(b, name+": "+value+"\r\n"...)
		}
	}
	eachSorted(h, func(name, value string) { b = append(b, name+": "+value+"\r\n"...) })
	if _, ok := h["Date"]; !ok {
		line("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	line("Content-Length", length)
	line("Content-Type", contentType)
	line("Connection", connection)
	if w.chunked {
		line("Transfer-Encoding", "chunked")
	}
	w.wire.Write(append(b, "\r\n"...))
	held := w.held
	w.held = nil
	w.body(held)
}

func statusText(code int) string {
	if text := http.StatusText(code); text != "" {
		return text
	}
	return "status code " + strconv.Itoa(code)
}

// eachSorted calls do for the lines of a header in the order in which net/http's server sends them. It leaves out what
// cannot stand in a header, and trailers.
func eachSorted(h http.Header, do func(name, value string)) {
	names := make([]string, 0, len(h))
	for name := range h {
		if isToken(name) && !strings.HasPrefix(name, http.TrailerPrefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	clean := strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ")
	for _, name := range names {
		for _, value := range h[name] {
			do(name, strings.TrimSpace(clean.Replace(value)))
		}
	}
}

func (w *handlerWriter) hasTrailers() bool {
	if len(w.sent["Trailer"]) > 0 {
		return true
	}
	for name := range w.sent { // what came after the status is too late, as in net/http
		if strings.HasPrefix(name, http.TrailerPrefix) {
			return true
		}
	}
	return false
}

// handlerTrailers gives the trailers that a handler set: those that its header Trailer had announced, and those with
// http.TrailerPrefix.
func handlerTrailers(sent, now http.Header) []field {
	var all []field
	for _, list := range sent["Trailer"] {
		for _, name := range strings.Split(list, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			for _, value := range now[name] {
				all = append(all, field{name: name, value: value})
			}
		}
	}
	for _, name := range slices.Sorted(keysOf(now)) {
		if after, found := strings.CutPrefix(name, http.TrailerPrefix); found {
			for _, value := range now[name] {
				all = append(all, field{name: after, value: value})
			}
		}
	}
	return slices.DeleteFunc(all, func(f field) bool { return badHeader(f.name, f.value) != "" })
}

func keysOf(h http.Header) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name := range h {
			if !yield(name) {
				return
			}
		}
	}
}

// finish sends what is left when the handler has returned.
func (w *handlerWriter) finish() {
	if w.code == 0 {
		w.writeHeader(200)
	}
	if !w.headSent {
		w.sendHead(true)
	}
	if w.chunked && w.req.Method != "HEAD" {
		b := []byte("0\r\n")
		for _, f := range handlerTrailers(w.sent, w.header) {
			b = append(b, f.name+": "+f.value+"\r\n"...)
		}
		w.wire.Write(append(b, "\r\n"...))
	}
	if w.code == 101 || w.length >= 0 && w.written != w.length && w.req.Method != "HEAD" && !w.bodyless() {
		w.close = true // not the bytes that were announced: the client must see an end
	}
}

// note writes down for Conns how the reply went out.
func (w *handlerWriter) note() {
	c := w.wire.c
	c.mu.Lock()
	defer c.mu.Unlock()
	c.info.LastFraming, c.info.LastBody = 0, w.written
	c.bodiless = w.req.Method == "HEAD" || w.bodyless() && w.code != 101 || !w.chunked && w.length == 0
	switch {
	case w.chunked:
		c.info.LastFraming = Chunked
	case w.length >= 0:
		c.info.LastFraming = ContentLength
	case !w.bodyless():
		c.info.LastFraming = UntilClose
	}
}

// FlushError is what http.ResponseController calls.
func (w *handlerWriter) FlushError() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hijacked {
		return http.ErrHijacked
	}
	if w.done {
		return errors.New("mockserver: Flush after the handler has returned")
	}
	if w.code == 0 {
		w.writeHeader(200)
	}
	if !w.headSent {
		w.sendHead(false)
	}
	return w.wire.Flush()
}

func (w *handlerWriter) Flush() { w.FlushError() }

func (w *handlerWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hijacked || w.done {
		return nil, nil, http.ErrHijacked
	}
	if w.headSent {
		w.wire.Flush()
	}
	c := w.wire.c
	if !w.stop() {
		return nil, nil, io.ErrUnexpectedEOF
	}
	c.mu.Lock()
	c.hijacked = true
	c.mu.Unlock()
	w.hijacked = true
	return c.nc, bufio.NewReadWriter(c.br, bufio.NewWriter(c.nc)), nil
}

// SetReadDeadline has no effect, because the request is read already.
func (w *handlerWriter) SetReadDeadline(time.Time) error { return nil }

func (w *handlerWriter) SetWriteDeadline(t time.Time) error { return w.wire.c.nc.SetWriteDeadline(t) }

// EnableFullDuplex has no effect, because the request is read already.
func (w *handlerWriter) EnableFullDuplex() error { return nil }
