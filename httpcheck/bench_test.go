package httpcheck_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

// noop answers from memory: what is left is the cost of a tracked request.
type noop struct{}

func (noop) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(nil)), ContentLength: -1, Request: req}, nil
}

func roundTrips(b *testing.B, rt http.RoundTripper, url string) {
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		resp, err := rt.RoundTrip(req)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	b.Run("noop/plain", func(b *testing.B) { roundTrips(b, noop{}, "http://example.com/") })
	b.Run("noop/tracked", func(b *testing.B) { roundTrips(b, httpcheck.Wrap(noop{}), "http://example.com/") })
	b.Run("noop/tracked in a test", func(b *testing.B) {
		b.Cleanup(leakcheck.Verify(b))
		roundTrips(b, httpcheck.Wrap(noop{}), "http://example.com/")
	})

	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") }))
	defer srv.Close()
	reused := func(b *testing.B, rt http.RoundTripper, tr *http.Transport) {
		defer tr.CloseIdleConnections()
		roundTrips(b, rt, srv.URL)
	}
	b.Run("reused/plain", func(b *testing.B) {
		tr := &http.Transport{}
		reused(b, tr, tr)
	})
	b.Run("reused/tracked", func(b *testing.B) {
		tr := &http.Transport{}
		reused(b, httpcheck.Wrap(tr), tr)
	})
	b.Run("reused/instrumented", func(b *testing.B) {
		tr := &http.Transport{}
		httpcheck.Instrument(tr)
		reused(b, tr, tr)
	})
}

func BenchmarkParallel(b *testing.B) {
	rt := httpcheck.Wrap(noop{})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		req, _ := http.NewRequest("GET", "http://example.com/", nil)
		for pb.Next() {
			resp, _ := rt.RoundTrip(req)
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	})
}
