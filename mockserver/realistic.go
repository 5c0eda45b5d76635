package mockserver

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Realistic gives a handler's error replies the page that a proxy in front of it would add, for suites that have handlers
// already:
//
//	srv := httptest.NewServer(mockserver.Realistic(handler))
//
// A reply with a status of 400 or above without a body, and with it the usual w.WriteHeader(403), goes out with
// Content-Length: 0 otherwise. Then net/http has the connection back before the client's code sees the response, and a
// client that forgets to close the body passes. With a page it holds its connection, as it does in production.
//
// The page is the one of Status(code). Of the given replies the one with the status of the handler's reply is taken
// instead: Realistic(h, mockserver.Nginx(502)). Its framing and delay count; its own status line, trailers and Trickle do not. A page brings
// its Content-Type and, where the handler has set none, its other headers; Content-Length: 0 and the Content-Encoding of
// the empty body are taken out. To keep one reply empty, let the handler flush it: http.NewResponseController(w).Flush().
//
// Left as they are: replies that have a body, were flushed or hijacked, or have a Content-Length that is not 0 or a
// Transfer-Encoding; replies to HEAD; everything below 400; and a handler that panics. Flusher, Hijacker, ReaderFrom, Pusher
// and http.ResponseController work as without Realistic, and so do trailers; the deprecated CloseNotifier does not. Over
// HTTP/2 a page is added too, and hides the leak all the same, because a small body that has arrived holds nothing there.
//
// A nil handler, a reply that cannot be sent, one with a status below 400, a fault, a handler or a stream without an end, and
// two replies with one status make a handler that
// answers every request with a 501 that says so.
func Realistic(h http.Handler, reply ...Reply) http.Handler {
	if err := checkRealistic(h, reply); err != nil {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "mockserver: Realistic: "+err.Error(), http.StatusNotImplemented)
		})
	}
	given := make(map[int]addedPage, len(reply))
	for _, r := range reply {
		given[r.code] = addedPage{r, r.Responder()}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodHead {
			h.ServeHTTP(w, req)
			return
		}
		held := &heldWriter{w: w}
		h.ServeHTTP(held.withInterfaces(), req)
		if held.code == 0 || held.passed {
			return
		}
		if !held.wantsPage() {
			held.pass()
			return
		}
		page, ok := given[held.code]
		if !ok {
			r := Status(held.code)
			page = addedPage{r, r.Responder()}
		}
		held.sendPage(page, req)
	})
}

// addedPage is a page and what makes it: a responder of its own, so that what comes after Then comes.
type addedPage struct {
	reply   Reply
	respond func(*http.Request) (*http.Response, error)
}

func checkRealistic(h http.Handler, replies []Reply) error {
	if h == nil {
		return errors.New("the handler is nil")
	}
	for i, r := range replies {
		switch {
		case r.problem() != nil:
			return r.problem()
		case r.code < 400:
			return fmt.Errorf("%s: a reply below 400 is never given a page", r)
		case r.extra != nil && (r.extra.fault != nil || r.extra.handler != nil || r.extra.endless):
			return fmt.Errorf("%s: a fault, a handler and a stream are no page", r)
		}
		for _, other := range replies[:i] {
			if other.code == r.code {
				return fmt.Errorf("%s and %s have the same status", other, r)
			}
		}
	}
	return nil
}

// heldWriter keeps the header of an error reply back until the handler writes a body, flushes, hijacks or returns.
type heldWriter struct {
	w      http.ResponseWriter
	code   int         // of the header that is kept back; 0 when there is none
	header http.Header // as it was at WriteHeader: what comes later may be trailers and nothing else
	passed bool        // what happens is no affair of ours any more
}

func (h *heldWriter) Header() http.Header { return h.w.Header() }

// Unwrap is for http.ResponseController.
func (h *heldWriter) Unwrap() http.ResponseWriter { return h.w }

func (h *heldWriter) WriteHeader(code int) {
	switch {
	case h.passed:
		h.w.WriteHeader(code) // net/http complains of it
	case h.code != 0: // a second one has no effect
	case code >= 400 && code <= 999:
		h.code, h.header = code, h.w.Header().Clone()
	default:
		h.passed = code >= 200 || code == http.StatusSwitchingProtocols
		h.w.WriteHeader(code)
	}
}

// Write of nothing is no body.
func (h *heldWriter) Write(p []byte) (int, error) {
	if h.code != 0 && len(p) == 0 {
		return 0, nil
	}
	h.pass()
	return h.w.Write(p)
}

// pass lets the header go as the handler wrote it.
func (h *heldWriter) pass() {
	if h.code != 0 && !h.passed {
		h.writeHeader(h.header)
	}
	h.passed = true
}

// writeHeader sends a header other than the handler's present one, which may have trailers by now.
func (h *heldWriter) writeHeader(header http.Header) {
	now := h.w.Header()
	later := now.Clone()
	replace(now, header)
	h.w.WriteHeader(h.code)
	replace(now, later)
}

func replace(header, by http.Header) {
	clear(header)
	for name, values := range by {
		header[name] = values
	}
}

func (h *heldWriter) wantsPage() bool {
	_, encoded := h.header["Transfer-Encoding"]
	length, sized := h.header["Content-Length"]
	return !encoded && (!sized || len(length) == 0 || strings.TrimSpace(length[0]) == "0")
}

// sendPage answers with the page in place of nothing.
func (h *heldWriter) sendPage(page addedPage, req *http.Request) {
	asked := req.WithContext(req.Context()) // a copy
	asked.Close = false                     // that the connection ends after it is net/http's affair
	resp, err := page.respond(asked)
	if err != nil { // the request is over
		h.pass()
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		body = []byte("mockserver: Realistic: " + page.reply.String() + ": " + err.Error() + "\n")
	}

	header := h.header.Clone()
	header.Del("Content-Length")
	header.Del("Content-Encoding")
	for name, values := range resp.Header {
		_, own := header[name]
		switch {
		case name == "Content-Type", !own && name != "Date" && name != "Content-Length" && name != "Connection":
			header[name] = values
		}
	}
	if resp.Close {
		header.Set("Connection", "close")
	}
	framing := page.reply.plan(call{method: req.Method}).framing
	switch {
	case framing == ContentLength && !hasTrailers(header), framing == Empty:
		header.Set("Content-Length", strconv.Itoa(len(body)))
	case framing == UntilClose && req.ProtoMajor == 1:
		header.Set("Transfer-Encoding", "identity") // as net/http wants it said
	}
	h.writeHeader(header)
	h.passed = true
	h.w.Write(body)
	switch framing {
	case Chunked:
		http.NewResponseController(h.w).Flush()
	case ChunkedLate:
		http.NewResponseController(h.w).Flush()
		timer := time.NewTimer(lateWait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-req.Context().Done():
		}
	}
}

// hasTrailers says whether net/http will send trailers, for which a reply must be chunked.
func hasTrailers(header http.Header) bool {
	if len(header["Trailer"]) > 0 {
		return true
	}
	for name := range header {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			return true
		}
	}
	return false
}

// FlushError is what http.ResponseController calls. It works where the writer below, or one below that, can flush.
func (h *heldWriter) FlushError() error {
	if !canFlush(h.w) {
		return http.NewResponseController(h.w).Flush() // says so
	}
	h.pass()
	return http.NewResponseController(h.w).Flush()
}

func canFlush(w http.ResponseWriter) bool {
	for {
		switch v := w.(type) {
		case interface{ FlushError() error }, http.Flusher:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return false
		}
	}
}

// The optional interfaces, each in a type of its own, so that the writer has those that the one below has and no others.
type (
	flushing  struct{ h *heldWriter }
	hijacking struct{ h *heldWriter }
	copying   struct{ h *heldWriter }
	pushing   struct{ h *heldWriter }
)

func (f flushing) Flush() {
	f.h.pass()
	f.h.w.(http.Flusher).Flush()
}

func (j hijacking) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	j.h.pass() // net/http sends a header that was written before, and gives the connection behind it
	return j.h.w.(http.Hijacker).Hijack()
}

// ReadFrom copies nothing when there is nothing, so that the header stays back.
func (c copying) ReadFrom(src io.Reader) (int64, error) {
	if c.h.code == 0 || c.h.passed {
		c.h.pass()
		return c.h.w.(io.ReaderFrom).ReadFrom(src)
	}
	first := make([]byte, 512)
	n, err := io.ReadAtLeast(src, first, 1)
	if n == 0 {
		if err == io.EOF {
			err = nil
		}
		return 0, err
	}
	c.h.pass()
	return c.h.w.(io.ReaderFrom).ReadFrom(io.MultiReader(bytes.NewReader(first[:n]), src))
}

func (p pushing) Push(target string, opts *http.PushOptions) error {
	return p.h.w.(http.Pusher).Push(target, opts)
}

func (h *heldWriter) withInterfaces() http.ResponseWriter {
	const (
		f = 1 << iota
		j
		c
		p
	)
	has := 0
	if _, ok := h.w.(http.Flusher); ok {
		has |= f
	}
	if _, ok := h.w.(http.Hijacker); ok {
		has |= j
	}
	if _, ok := h.w.(io.ReaderFrom); ok {
		has |= c
	}
	if _, ok := h.w.(http.Pusher); ok {
		has |= p
	}
	flush, hijack, read, push := flushing{h}, hijacking{h}, copying{h}, pushing{h}
	switch has {
	case f:
		return struct {
			*heldWriter
			flushing
		}{h, flush}
	case j:
		return struct {
			*heldWriter
			hijacking
		}{h, hijack}
	case c:
		return struct {
			*heldWriter
			copying
		}{h, read}
	case p:
		return struct {
			*heldWriter
			pushing
		}{h, push}
	case f | j:
		return struct {
			*heldWriter
			flushing
			hijacking
		}{h, flush, hijack}
	case f | c:
		return struct {
			*heldWriter
			flushing
			copying
		}{h, flush, read}
	case f | p:
		return struct {
			*heldWriter
			flushing
			pushing
		}{h, flush, push}
	case j | c:
		return struct {
			*heldWriter
			hijacking
			copying
		}{h, hijack, read}
	case j | p:
		return struct {
			*heldWriter
			hijacking
			pushing
		}{h, hijack, push}
	case c | p:
		return struct {
			*heldWriter
			copying
			pushing
		}{h, read, push}
	case f | j | c:
		return struct {
			*heldWriter
			flushing
			hijacking
			copying
		}{h, flush, hijack, read}
	case f | j | p:
		return struct {
			*heldWriter
			flushing
			hijacking
			pushing
		}{h, flush, hijack, push}
	case f | c | p:
		return struct {
			*heldWriter
			flushing
			copying
			pushing
		}{h, flush, read, push}
	case j | c | p:
		return struct {
			*heldWriter
			hijacking
			copying
			pushing
		}{h, hijack, read, push}
	case f | j | c | p:
		return struct {
			*heldWriter
			flushing
			hijacking
			copying
			pushing
		}{h, flush, hijack, read, push}
	}
	return h
}
