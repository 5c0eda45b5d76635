package httpcheck

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/leakgate/leakgate/internal/callsite"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/roundtrip"
	"github.com/leakgate/leakgate/leakcheck"
)

// Transport is an http.RoundTripper that tracks the responses of another one. Make it with Wrap or Instrument. It may be
// used by several goroutines at once.
type Transport struct {
	below   http.RoundTripper
	tracker *roundtrip.Tracker
}

// Wrap gives a RoundTripper that tracks every response of rt; nil stands for http.DefaultTransport. Any RoundTripper will
// do: a mock such as httpmock's opens no connection, and there the body alone is tracked. Wrapping a *Transport gives it back
// unchanged.
//
// What the caller sees is what rt gives. Bodies keep the optional methods that rt's have (io.Writer and CloseWrite after
// 101, io.WriterTo, io.Seeker), http.NoBody stays http.NoBody, and Response.Request is the caller's request.
func Wrap(rt http.RoundTripper) *Transport {
	if rt == nil {
		rt = http.DefaultTransport
	}
	if t, ok := rt.(*Transport); ok && t != nil {
		return t
	}
	return &Transport{below: rt, tracker: roundtrip.New(nameOf(rt), sizeOf(rt))}
}

// Instrument makes tr itself track its plain-http responses, for code that holds on to tr or asserts its type. It registers
// a handler for "http" with tr.RegisterProtocol, which lasts as long as tr. "https" cannot be tracked in this way, because
// net/http keeps its own HTTP/2 there: send https requests through the *Transport returned, which tracks them all.
//
// Instrumenting a transport again gives a *Transport with the same counters. When tr has a handler for "http" already, tr
// is left as it is, and only what goes through the *Transport returned is tracked. nil stands for http.DefaultTransport;
// when that is no *http.Transport, Instrument does what Wrap does.
func Instrument(tr *http.Transport) *Transport {
	if tr == nil {
		var ok bool
		if tr, ok = http.DefaultTransport.(*http.Transport); !ok {
			return Wrap(nil)
		}
	}
	k, err := roundtrip.Instrument(tr, nameOf(tr))
	if err != nil {
		return Wrap(tr)
	}
	k.Always()
	return &Transport{below: tr, tracker: k}
}

func nameOf(rt http.RoundTripper) string {
	if tr, ok := rt.(*http.Transport); ok && http.DefaultTransport == http.RoundTripper(tr) {
		return "http.DefaultTransport"
	}
	return fmt.Sprintf("%T", rt)
}

func sizeOf(rt http.RoundTripper) func() int {
	if tr, ok := rt.(*http.Transport); ok && tr != nil {
		return roundtrip.SizeOf(tr)
	}
	return nil
}

// RoundTrip sends the request through the transport below and tracks the response.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t == nil || t.tracker == nil {
		if req != nil && req.Body != nil {
			req.Body.Close() // as every RoundTripper must, also when it fails
		}
		return nil, errors.New("httpcheck: the Transport was not made by Wrap or Instrument")
	}
	return t.tracker.Do(req, t.below, 1)
}

// CloseIdleConnections closes the idle connections of the transport below, when it can.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.below.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// Unwrap gives the transport below.
func (t *Transport) Unwrap() http.RoundTripper { return t.below }

// Stats are the counters of one transport. They are of one moment: take them again to see more.
type Stats struct {
	Requests    int // requests sent
	Leased      int // responses whose connection is out now
	PeakLeased  int // most of them at one moment
	Dialed      int // connections opened for a request; 0 for transports that open none (mocks)
	Reused      int // requests that found an open connection
	ClosedEarly int // bodies closed before EOF
}

// Stats gives the counters since the transport was wrapped or instrumented.
//
// ClosedEarly is no leak. Up to Go 1.26 net/http throws such a connection away and dials again; from Go 1.27 on it reads up
// to 256 KiB of the rest for at most 50 ms and keeps the connection if that was all (golang.org/issue/77370). It counts the
// same here.
func (t *Transport) Stats() Stats {
	u := t.usage()
	return Stats{Requests: u.Requests, Leased: u.Leased, PeakLeased: u.Peak, Dialed: u.Dialed, Reused: u.Reused, ClosedEarly: u.ClosedEarly}
}

func (t *Transport) usage() lease.Usage {
	// A lease that the request's context ended is given back when somebody looks at it.
	for _, l := range lease.Live.All(t.mine) {
		l.Now()
	}
	return t.tracker.Pool().Usage()
}

func (t *Transport) mine(l *lease.Lease) bool { return l.Pool() == t.tracker.Pool() }

// Leases describes the responses whose connection is out now, the oldest first, each with the line that asked for it. It
// is nil when there is none.
func (t *Transport) Leases() []leakcheck.Leak {
	var out []leakcheck.Leak
	for _, l := range sorted(lease.Live.All(t.mine)) {
		if l.Now() == lease.Held {
			out = append(out, describe(l))
		}
	}
	return out
}

func describe(l *lease.Lease) leakcheck.Leak {
	info := l.Info()
	leak := leakcheck.Leak{
		Kind: leakcheck.Kind(info.Kind), Summary: info.Summary, Count: 1, State: info.State, Hint: info.Hint, Code: info.Code,
		Test: label.NameOf(l.Test()),
		Note: l.Now() != lease.Held,
	}
	if info.Local.IsValid() {
		leak.Holds = []string{fmt.Sprintf("connection %s → %s", info.Local, info.Remote)}
	}
	user := callsite.User(callsite.Expand(l.PCs()))
	for _, f := range user {
		leak.Stack = append(leak.Stack, frame(f))
	}
	if site := callsite.Pick(user); site.Func != "" {
		leak.Site = frame(site)
	}
	leak.Fingerprint = callsite.Fingerprint(info.Kind, "tracked", user, leak.Test)
	return leak
}

func frame(f callsite.Frame) leakcheck.Frame {
	return leakcheck.Frame{Function: f.Func, File: f.File, Line: f.Line, Source: callsite.Source(f)}
}
