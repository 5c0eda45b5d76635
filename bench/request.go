package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"time"

	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/leakcheck"
)

const (
	namePlain = "plain"
	page      = "<html><body>403 Forbidden</body></html>\n"
)

// canned is a transport without a network: it answers every request with a page.
type canned struct{}

func (canned) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		Status: "403 Forbidden", StatusCode: http.StatusForbidden, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, ContentLength: int64(len(page)), Request: req,
		Body: io.NopCloser(strings.NewReader(page)),
	}, nil
}

// send is one request whose body is read to its end and closed.
func send(rt http.RoundTripper, req *http.Request, buf []byte) error {
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return err
	}
	n := 0
	for {
		m, err := resp.Body.Read(buf)
		n += m
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if n != len(page) {
		return fmt.Errorf("%d bytes of %d", n, len(page))
	}
	return resp.Body.Close()
}

func sender(name string, rt http.RoundTripper, url string) (side, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return side{}, err
	}
	buf := make([]byte, 512)
	return loop(name, func() error { return send(rt, req, buf) }), nil
}

// senders makes sides of transports that send to one URL, the first of them ours.
func senders(url string, ours, plain http.RoundTripper) ([]side, error) {
	a, err := sender(nameOurs, ours, url)
	if err != nil {
		return nil, err
	}
	b, err := sender(namePlain, plain, url)
	return []side{a, b}, err
}

func newServer() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, page)
	}))
}

// openCanned compares where nothing but the tracking costs.
func openCanned() ([]side, func(), error) {
	sides, err := senders("http://leakgate.test/session", httpcheck.Wrap(canned{}), canned{})
	return sides, func() {}, err
}

// openLoopback compares on a connection that is kept alive, one for each side.
func openLoopback() ([]side, func(), error) {
	srv := newServer()
	one, two := &http.Transport{}, &http.Transport{}
	sides, err := senders(srv.URL, httpcheck.Wrap(one), two)
	return sides, func() {
		one.CloseIdleConnections()
		two.CloseIdleConnections()
		srv.Close()
	}, err
}

// openDefault compares http.DefaultTransport as a test under leakcheck.Verify has it with a clone of it. A clone is not
// tracked, and the tracking cannot be taken off http.DefaultTransport itself.
func openDefault(watched bool) ([]side, func(), error) {
	tr, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, nil, errors.New("http.DefaultTransport is not an *http.Transport")
	}
	plain := tr.Clone()
	t := &recorder{name: "TestDefaultTransport"}
	end := leakcheck.Verify(t)
	if !watched {
		end() // it stays instrumented
		if err := unwatch(); err != nil {
			return nil, nil, err
		}
	}
	srv := newServer()
	sides, err := senders(srv.URL, tr, plain)
	return sides, func() {
		tr.CloseIdleConnections()
		plain.CloseIdleConnections()
		srv.Close()
		end()
	}, errors.Join(err, t.clean())
}

// unwatch waits until the snapshots of earlier comparisons were collected: they watch http.DefaultTransport.
func unwatch() error {
	for range 100 {
		if !lease.Live.Watching() {
			return nil
		}
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	return errors.New("somebody still watches http.DefaultTransport")
}

func requestComparisons() []comparison {
	const more, moreAllocs, moreShare = 3e3, 6, 0.05
	return []comparison{
		{
			name: "request/canned", what: "transport without a network", open: openCanned,
			goals:  map[string]goal{namePlain: {overMost, more}},
			allocs: map[string]goal{namePlain: {overMost, moreAllocs}},
		},
		{
			name: "request/loopback", what: "loopback GET, keep-alive", open: openLoopback,
			goals:  map[string]goal{namePlain: {shareMost, moreShare}},
			allocs: map[string]goal{namePlain: {}},
		},
		{
			name: "request/default", what: "http.DefaultTransport, watched",
			open:   func() ([]side, func(), error) { return openDefault(true) },
			goals:  map[string]goal{namePlain: {shareMost, moreShare}},
			allocs: map[string]goal{namePlain: {}},
		},
		{
			name: "request/unwatched", what: "http.DefaultTransport, not watched",
			open:   func() ([]side, func(), error) { return openDefault(false) },
			goals:  map[string]goal{namePlain: {}},
			allocs: map[string]goal{namePlain: {}},
		},
	}
}
