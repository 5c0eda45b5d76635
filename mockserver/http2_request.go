package mockserver

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/leakgate/leakgate/internal/http2"
)

// serveStream reads the request of one stream and answers it. It is exchange for HTTP/2.
func (c *conn) serveStream(s *http2.Stream) {
	answered := false
	defer func() {
		if !answered { // a panic, or t.FailNow in report has ended the goroutine
			s.Reset(http2.InternalError)
		}
	}()
	defer c.caught()
	c.answerStream(s)
	answered = true
}

func (c *conn) answerStream(s *http2.Stream) {
	req, err := streamRequest(s)
	rec := newRequest(req, c.info.ID)
	rec.Stream = int(s.ID())
	switch {
	case s.TooLarge:
		c.refuseStream(s, rec, 431, errHeaderTooLarge)
		return
	case err != nil:
		c.refuseStream(s, rec, 400, err)
		return
	}
	if strings.EqualFold(req.Header.Get("Expect"), "100-continue") && !s.Ended() {
		s.WriteHeaders([]http2.Field{{Name: ":status", Value: "100"}}, false)
	}
	var body []byte
	whole := true
	if req.Body != http.NoBody {
		body, whole, err = c.srv.takeBody(streamBody{s, c.srv.cfg.bodyWait}, &rec, make([]byte, bodyBuffer))
	}
	var reset http2.StreamError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.refuseStream(s, rec, 408, errBodyStopped(c.srv.cfg.bodyWait))
		return
	case errors.As(err, &reset):
		rec.Err = fmt.Errorf("reading the body: %w", err)
		c.begin(rec)
		return
	case err != nil: // the connection has ended
		return
	}
	for _, f := range s.Trailer() {
		if req.Trailer == nil {
			req.Trailer = http.Header{}
		}
		req.Trailer.Add(f.Name, f.Value)
	}

	reply, stub, fail := c.srv.answer(&rec, req.URL.EscapedPath())
	w := &streamWire{c: c, s: s, to: call{method: req.Method, gzip: acceptsGzip(req.Header)}}
	if reply.extra != nil {
		w.what = describe(rec, stub)
		reply = c.srv.limited(reply, w.what)
	}
	rec.Status = reply.code
	if _, ok := reply.fault().(silentFault); ok || reply.isHandler() && !reply.recorded() {
		rec.Status = 0 // no status is sent, or the handler will choose it
	}
	c.begin(rec)
	c.started(s, rec)
	c.srv.received(rec, fail)
	if d := c.srv.delay(reply); d > 0 && !w.pause(d) {
		return
	}
	reply, live, msg := c.srv.prepare(reply, req, rec, body, stub, w.what)
	if msg != "" {
		c.srv.report(msg)
	}
	if _, silent := reply.fault().(silentFault); !live && !silent && reply.code != rec.Status {
		c.setStreamStatus(rec.Stream, reply.code)
	}
	if live {
		w.handle(reply, req)
	} else {
		w.play(reply)
	}
	if !whole {
		s.Reset(http2.NoError) // asks the client not to send the rest
	}
}

// refuseStream records a request that could not be read and answers it.
func (c *conn) refuseStream(s *http2.Stream, rec Request, code int, err error) {
	rec.Err, rec.Status = err, code
	c.begin(rec)
	w := &streamWire{c: c, s: s, to: call{method: rec.Method}}
	w.play(cannotRead(code, err))
	if !s.Ended() {
		s.Reset(http2.NoError)
	}
}

// streamRequest makes a request as net/http's server would of the fields of a stream. It is complete with an error too.
func streamRequest(s *http2.Stream) (req *http.Request, err error) {
	req = &http.Request{
		URL:           &url.URL{},
		Proto:         "HTTP/2.0",
		ProtoMajor:    2,
		Header:        http.Header{},
		ContentLength: s.Length(),
	}
	for _, f := range s.Fields {
		switch f.Name {
		case ":method":
			req.Method = f.Value
		case ":path":
			req.RequestURI = f.Value
		case ":authority":
			req.Host = f.Value
		case ":scheme":
		case "host":
			if req.Host == "" {
				req.Host = f.Value
			}
		default:
			req.Header.Add(f.Name, f.Value)
		}
	}
	if crumbs := req.Header["Cookie"]; len(crumbs) > 1 { // HTTP/2 may send each in a field of its own
		req.Header["Cookie"] = []string{strings.Join(crumbs, "; ")}
	}
	if s.Bodyless {
		req.ContentLength = max(0, req.ContentLength)
		req.Body = http.NoBody
	}
	if req.Method == "CONNECT" {
		req.RequestURI = req.Host
		req.URL.Host = req.Host
		return req, nil
	}
	u, err := url.ParseRequestURI(req.RequestURI)
	if err != nil {
		return req, err
	}
	req.URL = u
	return req, nil
}

// streamBody is the body of a request.
type streamBody struct {
	s    *http2.Stream
	wait time.Duration
}

func (b streamBody) Read(p []byte) (int, error) { return b.s.Read(p, b.wait) }

var _ io.Reader = streamBody{}
