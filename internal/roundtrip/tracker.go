// Package roundtrip tracks the responses of an http.RoundTripper: a lease begins when RoundTrip returns a response
// whose body must be closed, and ends at Close, at EOF as net/http sees it, or when the request's context ends it.
//
// It changes nothing that the caller can see: bodies keep their optional methods, http.NoBody stays http.NoBody,
// Response.Request is the caller's request, and the caller's own httptrace hooks run.
package roundtrip

import (
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"

	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/outbound"
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
	k := &Tracker{pool: lease.Live.NewPool(ConnKind, name, size)}
	k.pool.CountsByAsk()
	return k
}

// Pool is where the leases are counted.
func (k *Tracker) Pool() *lease.Pool { return k.pool }

// Do sends the request through next and tracks the response. skip is the number of frames above Do that belong to the
// harness.
func (k *Tracker) Do(req *http.Request, next http.RoundTripper, skip int) (*http.Response, error) {
	owner := label.Owner()
	k.pool.Request(owner)

	ctx := req.Context()
	r := &response{tracker: k, owner: owner, ctx: ctx, method: req.Method}
	if u := req.URL; u != nil {
		r.path, r.rawPath, r.query = u.Path, u.RawPath, u.RawQuery
		if outbound.Calls.Active() || outbound.Conns.Active() {
			r.address = addressOf(u)
		}
	}
	outer := markOf(ctx)
	r.trace.GotConn = r.gotConn
	r.trace.GotFirstResponseByte = r.gotFirstByte
	r.trace.PutIdleConn = r.putIdleConn
	if lease.Live.Measuring() {
		r.ask = k.pool.Ask(owner, hostOf(req), skip+1)
		r.trace.ConnectDone = r.dialed
		defer r.ask.Answered() // also when RoundTrip panics
	}
	r.mark.Context, r.mark.r, r.mark.next = ctx, r, next
	if traceKey == nil || r.ask != nil || httptrace.ContextClientTrace(ctx) != nil { // package net finds its hooks in no other way
		r.mark.Context = httptrace.WithClientTrace(ctx, &r.trace) // the caller's hooks are added to ours
	}

	if outbound.Calls.Active() {
		outbound.Calls.Tell(outbound.Call{What: r.asked(), Address: r.address})
	}
	sent := req.WithContext(&r.mark)
	resp, err := next.RoundTrip(sent)
	r.mark.over.Store(true)
	if r.gotReused() {
		k.pool.Reused(owner)
	}
	if resp == nil {
		r.ask.End()
		return resp, err
	}
	if resp.Request == sent {
		resp.Request = req
	}
	if err != nil || !mustClose(req, resp) {
		r.ask.End()
		return resp, err
	}
	r.ask.Got(lease.Line{}) // a RoundTripper that is no http.Transport did not say so
	r.ask.Lend(&r.Lease)
	r.status, r.proto, r.length = resp.StatusCode, resp.Proto, resp.ContentLength
	r.server = resp.Header.Get("Server")
	r.buffered = r.end.Load() != open // by a RoundTripper between
	resp.Body = newBody(r, resp.Body)
	k.pool.TakeFor(owner, &r.Lease, r, skip+1)
	if r.end.Load() != open { // the connection went back before the lease was taken
		r.Return()
	}
	if inner := r.mark.inner.Load(); inner != nil {
		r.Cover(&inner.Lease)
	}
	if outer != nil && !outer.over.Load() {
		outer.inner.Store(r)
	}
	return resp, nil
}

// hostOf is the host that the request goes to, for which alone a transport's limit is.
func hostOf(req *http.Request) string {
	if req.URL == nil {
		return req.Host
	}
	return req.URL.Host
}

// addressOf gives the host and the port that a URL leads to.
func addressOf(u *url.URL) string {
	port := u.Port()
	switch {
	case u.Hostname() == "":
		return ""
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// mustClose says whether the response holds something until its body is closed. Without a body net/http has its
// connection back before the caller sees the response (transport.go, readLoop), and the body is http.NoBody. A mock often
// leaves ContentLength unset, which is no Content-Length of 0.
func mustClose(req *http.Request, resp *http.Response) bool {
	switch {
	case resp.Body == nil || resp.Body == http.NoBody:
		return false
	case resp.StatusCode == http.StatusSwitchingProtocols:
		return true
	case req.Method == http.MethodHead, resp.StatusCode == http.StatusNoContent, resp.StatusCode == http.StatusNotModified:
		return false
	}
	return resp.ContentLength != 0 || resp.Header.Get("Content-Length") != "0"
}
