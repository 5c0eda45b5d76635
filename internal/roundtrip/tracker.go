// Package roundtrip tracks the responses of an http.RoundTripper: a lease begins when RoundTrip returns a response
// whose body must be closed, and ends at Close, at EOF as net/http sees it, or when the request's context ends it.
//
// It changes nothing that the caller can see: bodies keep their optional methods, http.NoBody stays http.NoBody,
// Response.Request is the caller's request, and the caller's own httptrace hooks run.
package roundtrip

import (
	"context"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"sync/atomic"

	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
)

// ConnKind is the kind of connection that a tracker's pool lends.
const ConnKind = "http-conn"

// Tracker tracks the responses of one RoundTripper.
type Tracker struct {
	pool   *lease.Pool
	always atomic.Bool
}

// Always makes an instrumented transport track its responses also while nobody watches.
func (k *Tracker) Always() { k.always.Store(true) }

// New makes a tracker; name is what a reader calls the transport, and size the most connections it opens to one host
// (0 for "no limit"; may be nil).
func New(name string, size func() int) *Tracker {
	return &Tracker{pool: lease.Live.NewPool(ConnKind, name, size)}
}

// Pool is where the leases are counted.
func (k *Tracker) Pool() *lease.Pool { return k.pool }

// Do sends the request through next and tracks the response. skip is the number of frames above Do that belong to the
// harness.
func (k *Tracker) Do(req *http.Request, next http.RoundTripper, skip int) (*http.Response, error) {
	owner := label.Owner()
	k.pool.Request(owner)

	r := &response{tracker: k, owner: owner, method: req.Method}
	if req.URL != nil {
		r.url = *req.URL
	}
	r.ctx = req.Context()
	r.mark = mark{Context: r.ctx, url: req.URL}
	r.trace.GotConn = r.gotConn
	r.trace.PutIdleConn = r.putIdleConn

	sent := req.WithContext(httptrace.WithClientTrace(&r.mark, &r.trace))
	resp, err := next.RoundTrip(sent)
	if resp == nil {
		return resp, err
	}
	if resp.Request == sent {
		resp.Request = req
	}
	if err != nil || !mustClose(req, resp) {
		return resp, err
	}
	r.status, r.statusText, r.proto, r.length = resp.StatusCode, resp.Status, resp.Proto, resp.ContentLength
	r.server = resp.Header.Get("Server")
	resp.Body = newBody(r, resp.Body)
	k.pool.Take(&r.Lease, r, skip+1)
	if r.returned.Load() { // the connection went back before the lease was taken
		r.Return()
	}
	return resp, nil
}

// mustClose says whether the response holds something until its body is closed. Without a body net/http has its
// connection back before the caller sees the response (transport.go, readLoop).
func mustClose(req *http.Request, resp *http.Response) bool {
	switch {
	case resp.Body == nil || resp.Body == http.NoBody:
		return false
	case resp.StatusCode == http.StatusSwitchingProtocols:
		return true
	case req.Method == http.MethodHead, resp.StatusCode == http.StatusNoContent, resp.StatusCode == http.StatusNotModified:
		return false
	}
	return resp.ContentLength != 0
}

// mark is the context of a request that is tracked already, so that an instrumented transport below lets it pass.
type mark struct {
	context.Context
	url *url.URL
}

type markKey struct{}

func (m *mark) Value(key any) any {
	if key == (markKey{}) {
		return m
	}
	return m.Context.Value(key)
}

// Marked says that the request is tracked by a Do above. A RoundTripper between may send requests of its own with the
// same context (to fetch a token, say); those have another URL and are not marked.
func Marked(req *http.Request) bool {
	m, ok := req.Context().Value(markKey{}).(*mark)
	return ok && m.url == req.URL
}

// gotConn runs on the goroutine that sends the request, before it is sent.
func (r *response) gotConn(info httptrace.GotConnInfo) {
	if info.Reused {
		r.tracker.pool.Reused(r.owner)
	} else {
		r.tracker.pool.Dialed(r.owner)
	}
	c := connOf{local: addrPort(info.Conn.LocalAddr()), remote: addrPort(info.Conn.RemoteAddr())}
	if info.Reused {
		c.loop = loops.get(c.local, c.remote)
	} else {
		// The first response byte is seen by the goroutine that reads the connection: the one chance to learn its ID.
		before := r.trace.GotFirstResponseByte
		r.trace.GotFirstResponseByte = func() {
			r.learnLoop()
			if before != nil {
				before()
			}
		}
	}
	r.mu.Lock()
	r.conn = c
	r.mu.Unlock()
}

func (r *response) learnLoop() {
	var buf [64]byte
	id := goroutine.CurrentID(buf[:])
	r.mu.Lock()
	r.conn.loop = id
	c := r.conn
	r.mu.Unlock()
	loops.put(c.local, c.remote, id)
}

// putIdleConn runs on the goroutine that reads the connection, when net/http has it back: at EOF as net/http sees it,
// which a decoder above may never see.
func (r *response) putIdleConn(error) {
	r.returned.Store(true)
	r.Return()
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
