package mockserver

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/leakgate/leakgate/internal/http2"
)

// handle lets a handler write to the stream.
func (w *streamWire) handle(r Reply, req *http.Request) {
	w.use(r)
	for _, h := range w.v.early {
		w.early(h)
	}
	c := w.c
	req.RemoteAddr = c.info.RemoteAddr
	if over, ok := c.nc.(*secured); ok {
		state := over.ConnectionState()
		req.TLS = &state
	}
	ctx := streamContext{context.WithValue(context.Background(), http.LocalAddrContextKey, localAddr(c.nc)), w.s}
	hw := &streamHandler{wire: w, header: http.Header{}, req: req.WithContext(ctx), length: -1}
	failed := serveRecovered(r.extra.handler, hw, hw.req)
	hw.mu.Lock()
	defer hw.mu.Unlock()
	hw.done = true
	if failed != nil {
		w.resetStream(http2.InternalError)
		if msg := failed.message(w.what); msg != "" {
			c.srv.report(msg)
		}
		return
	}
	hw.finish()
}

// streamContext is done when the stream is, without a goroutine that waits for it.
type streamContext struct {
	context.Context
	s *http2.Stream
}

func (c streamContext) Done() <-chan struct{} { return c.s.Done() }

func (c streamContext) Err() error {
	select {
	case <-c.s.Done():
		return context.Canceled
	default:
		return nil
	}
}

// streamHandler is the http.ResponseWriter of a Handler that writes to a stream. As with net/http's server, what is under
// 2 KiB and not flushed has a Content-Length.
type streamHandler struct {
	wire *streamWire
	req  *http.Request

	mu       sync.Mutex
	header   http.Header
	sent     http.Header // as it was at WriteHeader
	code     int         // 0 before WriteHeader
	length   int64       // Content-Length as the handler set it, -1 for none
	held     []byte      // body that is not sent
	headSent bool
	written  int64
	done     bool // the handler has returned
}

func (w *streamHandler) Header() http.Header { return w.header }

func (w *streamHandler) WriteHeader(code int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(code)
}

func (w *streamHandler) writeHeader(code int) {
	if w.code != 0 || w.done {
		return // net/http logs it and goes on
	}
	if code < 100 || code > 999 {
		panic("mockserver: invalid WriteHeader code " + strconv.Itoa(code)) // as net/http does
	}
	if code < 200 && code != 101 {
		h := hint{code: code}
		eachSorted(w.header, func(name, value string) { h.fields = append(h.fields, field{name: name, value: value}) })
		w.wire.early(h)
		return
	}
	w.code = code
	w.wire.c.setStreamStatus(int(w.wire.s.ID()), code)
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

func (w *streamHandler) bodyless() bool { return w.code == 204 || w.code == 304 }

func (w *streamHandler) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
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
	case w.length >= 0 && w.written+int64(len(p)) > w.length:
		return 0, http.ErrContentLength
	}
	w.written += int64(len(p))
	w.held = append(w.held, p...)
	if len(w.held) > handlerHold || w.headSent {
		w.flush(false)
	}
	return len(p), w.err()
}

func (w *streamHandler) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

func (w *streamHandler) err() error {
	if err := w.wire.s.Err(); err != nil {
		return err
	}
	return nil
}

// flush sends what there is. last says that this is all of it.
func (w *streamHandler) flush(last bool) {
	if w.code == 0 {
		w.writeHeader(200)
	}
	trailers := 0
	if last {
		trailers = len(handlerTrailers(w.sent, w.header))
	}
	if !w.headSent {
		w.headSent = true
		h := w.sent
		if _, ok := h["Content-Type"]; !ok && len(w.held) > 0 && h.Get("Content-Encoding") == "" {
			h.Set("Content-Type", http.DetectContentType(w.held))
		}
		if _, ok := h["Date"]; !ok {
			h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
		}
		if last && w.length < 0 && !w.bodyless() && trailers == 0 && (w.req.Method != "HEAD" || len(w.held) > 0) {
			h.Set("Content-Length", strconv.FormatInt(w.written, 10))
		}
		w.wire.v.header = nil
		eachSorted(h, func(name, value string) {
			w.wire.v.header = append(w.wire.v.header, field{name: name, value: value})
		})
		end := last && trailers == 0 && (len(w.held) == 0 || w.req.Method == "HEAD")
		w.wire.headers(strconv.Itoa(w.code), end)
	}
	if len(w.held) > 0 && w.req.Method != "HEAD" {
		w.wire.data(w.held, last && trailers == 0)
	}
	w.held = nil
}

// finish sends what is left when the handler has returned.
func (w *streamHandler) finish() {
	w.done = false
	w.flush(true)
	w.done = true
	w.wire.v.trailers = handlerTrailers(w.sent, w.header)
	w.wire.finish()
	c := w.wire.c
	c.mu.Lock()
	defer c.mu.Unlock()
	c.info.LastBody = w.written
}

// FlushError is what http.ResponseController calls.
func (w *streamHandler) FlushError() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
		return errors.New("mockserver: Flush after the handler has returned")
	}
	w.flush(false)
	return w.err()
}

func (w *streamHandler) Flush() { w.FlushError() }
