package httpcheck_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

func TestInstrument(t *testing.T) {
	srv := newServer(t)
	read := func(rt http.RoundTripper) {
		resp := must(t, rt, get(t, t.Context(), srv.URL+"/page"))
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}

	t.Run("twice", func(t *testing.T) {
		tr := &http.Transport{}
		defer tr.CloseIdleConnections()
		a, b := httpcheck.Instrument(tr), httpcheck.Instrument(tr)
		read(tr)
		read(a)
		read(b)
		want := httpcheck.Stats{Requests: 3, PeakLeased: 1, Dialed: 1, Reused: 2}
		assert.Equal(t, want, a.Stats())
		assert.Equal(t, want, b.Stats())
		assert.Same(t, tr, a.Unwrap())
	})
	t.Run("a handler for http is there", func(t *testing.T) {
		tr := &http.Transport{}
		defer tr.CloseIdleConnections()
		var calls int
		tr.RegisterProtocol("http", roundTripper(func(*http.Request) (*http.Response, error) {
			calls++
			return nil, http.ErrSkipAltProtocol
		}))
		in := httpcheck.Instrument(tr)
		read(tr)
		assert.Zero(t, in.Stats(), "tr is left as it is")
		read(in)
		assert.Equal(t, httpcheck.Stats{Requests: 1, PeakLeased: 1, Reused: 1}, in.Stats())
		assert.Equal(t, 2, calls)
	})
	t.Run("a clone is not tracked", func(t *testing.T) {
		tr := &http.Transport{}
		in := httpcheck.Instrument(tr)
		clone := tr.Clone()
		defer clone.CloseIdleConnections()
		read(clone)
		assert.Zero(t, in.Stats())
		of := httpcheck.Instrument(clone)
		read(clone)
		assert.Equal(t, httpcheck.Stats{Requests: 1, PeakLeased: 1, Reused: 1}, of.Stats())
		assert.Zero(t, in.Stats())
	})
	t.Run("http.DefaultTransport swapped and put back", func(t *testing.T) {
		before := http.DefaultTransport
		defer func() { http.DefaultTransport = before }()
		tr := &http.Transport{}
		defer tr.CloseIdleConnections()
		http.DefaultTransport = tr
		in := httpcheck.Instrument(nil)
		assert.Same(t, tr, in.Unwrap())
		read(http.DefaultTransport)
		assert.Equal(t, 1, in.Stats().Requests)

		http.DefaultTransport = roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: textBody("x")}, nil
		})
		mock := httpcheck.Instrument(nil)
		read(mock)
		assert.Equal(t, httpcheck.Stats{Requests: 1, PeakLeased: 1}, mock.Stats())

		http.DefaultTransport = tr
		assert.Equal(t, in.Stats(), httpcheck.Instrument(nil).Stats(), "the counters of the first time")
		assert.Same(t, tr, httpcheck.Wrap(nil).Unwrap())
	})
	t.Run("Wrap of a tracked transport", func(t *testing.T) {
		in := httpcheck.Wrap(&http.Transport{})
		assert.Same(t, in, httpcheck.Wrap(in))
	})
	t.Run("wrapped and instrumented: one response is one entry, counted where it was asked for", func(t *testing.T) {
		tr := &http.Transport{}
		defer tr.CloseIdleConnections()
		in := httpcheck.Instrument(tr)
		outer := httpcheck.Wrap(tr)
		resp := must(t, outer, get(t, t.Context(), srv.URL+"/page"))
		assert.Len(t, outer.Leases(), 1)
		assert.Empty(t, in.Leases())
		assert.Zero(t, in.Stats())
		resp.Body.Close()
	})
	// net/http hands a registered handler a copy of a request that has a body, and does not tell whose copy it is.
	t.Run("Response.Request of a POST is a copy", func(t *testing.T) {
		tr := &http.Transport{}
		defer tr.CloseIdleConnections()
		in := httpcheck.Instrument(tr)
		for _, c := range []struct {
			rt   http.RoundTripper
			same bool
		}{{tr, false}, {in, true}} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/echo", strings.NewReader("text"))
			require.NoError(t, err)
			resp := must(t, c.rt, req)
			resp.Body.Close()
			assert.Equal(t, c.same, resp.Request == req)
			assert.Same(t, req.URL, resp.Request.URL)
			assert.Equal(t, req.Context(), resp.Request.Context())
		}
	})
}

// TestDefaultTransportInVerify: leakcheck.Verify tracks http.DefaultTransport by itself, without a change of its type.
func TestDefaultTransportInVerify(t *testing.T) {
	srv := newServer(t)
	ft := &fakeT{}
	check := leakcheck.Verify(ft)
	resp, err := http.Get(srv.URL + "/page")
	require.NoError(t, err)
	assert.IsType(t, &http.Transport{}, http.DefaultTransport)
	check()
	require.Len(t, ft.failures(), 1)
	assert.Contains(t, ft.failures()[0], "leakcheck: 1 leak: response body of GET /page (403, awselb/2.0) was never closed\n")
	assert.Contains(t, ft.failures()[0], `http.Get(srv.URL + "/page")`)
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
}
