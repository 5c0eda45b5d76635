package httpcheck_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/leakcheck"
)

// findings are what Verify says of all that was not closed, held or not.
func findings(t *testing.T, in *httpcheck.Transport) []string {
	t.Helper()
	ids, err := in.Probe().Held(nil)
	require.NoError(t, err)
	var out []string
	for _, id := range ids {
		if l, ok := in.Probe().Describe(id); ok {
			out = append(out, l.Summary)
		}
	}
	return out
}

// inTable counts the transport's leases in the table, whatever they are.
func inTable(in *httpcheck.Transport) int {
	pool := in.Probe().(interface{ LeasePool() *lease.Pool }).LeasePool()
	return len(lease.Live.All(func(l *lease.Lease) bool { return l.Pool() == pool }))
}

const readButNotClosed = "read to EOF but never closed: leaks when it is not read to the end"

// TestLeaseLife follows one lease through everything that can end it. A Verify watches meanwhile, so that what holds
// nothing any more is still listed.
func TestLeaseLife(t *testing.T) {
	srv := newServer(t)
	decode := func(t *testing.T, r io.Reader) {
		var v map[string]int
		require.NoError(t, json.NewDecoder(r).Decode(&v))
		require.Equal(t, map[string]int{"a": 1}, v)
	}
	for _, c := range []struct {
		name, path string
		do         func(t *testing.T, resp *http.Response, cancel context.CancelFunc)
		held       int    // leases afterwards
		finding    string // "" when nothing is found
		early      int
	}{
		{"not touched", "/page", func(*testing.T, *http.Response, context.CancelFunc) {}, 1,
			"response body of GET /page (403, awselb/2.0) was never closed", 0},
		{"closed", "/page", func(_ *testing.T, resp *http.Response, _ context.CancelFunc) { resp.Body.Close() }, 0, "", 1},
		{"read and closed", "/page", func(_ *testing.T, resp *http.Response, _ context.CancelFunc) {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}, 0, "", 0},
		{"read to EOF", "/page", func(_ *testing.T, resp *http.Response, _ context.CancelFunc) { _, _ = io.Copy(io.Discard, resp.Body) }, 0,
			"response body of GET /page (403, awselb/2.0) was " + readButNotClosed, 0},
		{"exactly its length read", "/page", func(t *testing.T, resp *http.Response, _ context.CancelFunc) {
			_, err := io.ReadFull(resp.Body, make([]byte, 118))
			require.NoError(t, err)
		}, 0, "response body of GET /page (403, awselb/2.0) was " + readButNotClosed, 0},
		{"read in part", "/page", func(t *testing.T, resp *http.Response, _ context.CancelFunc) {
			_, err := io.ReadFull(resp.Body, make([]byte, 12))
			require.NoError(t, err)
		}, 1, "response body of GET /page (403, awselb/2.0) was never closed", 0},
		{"decoded with Content-Length", "/json", func(t *testing.T, resp *http.Response, _ context.CancelFunc) { decode(t, resp.Body) }, 0,
			"response body of GET /json (200) was " + readButNotClosed, 0},
		{"decoded from gzip: the decoder sees no EOF, net/http does", "/gzip", func(t *testing.T, resp *http.Response, _ context.CancelFunc) {
			require.True(t, resp.Uncompressed)
			decode(t, resp.Body)
		}, 0, "response body of GET /gzip (200) was " + readButNotClosed, 0},
		{"not gzip: a decompression error does not free the connection", "/notgzip", func(t *testing.T, resp *http.Response, _ context.CancelFunc) {
			_, err := io.ReadAll(resp.Body)
			require.ErrorIs(t, err, gzip.ErrHeader)
		}, 1, "response body of GET /notgzip (200) was never closed", 0},
		{"decoded from chunks of which the last has not come", "/stall", func(t *testing.T, resp *http.Response, _ context.CancelFunc) { decode(t, resp.Body) }, 1,
			"response body of GET /stall (200) was never closed", 0},
		{"empty, chunked", "/emptychunked", func(*testing.T, *http.Response, context.CancelFunc) {}, 1,
			"response body of GET /emptychunked (200) was never closed", 0},
		{"cut off", "/cut", func(t *testing.T, resp *http.Response, _ context.CancelFunc) {
			_, err := io.ReadAll(resp.Body)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		}, 0, "response body of GET /cut (200) failed while it was read and was never closed: leaks when the read does not fail", 0},
		{"context ended", "/stall", func(_ *testing.T, _ *http.Response, cancel context.CancelFunc) { cancel() }, 0,
			"response body of GET /stall (200) was never closed: only the end of the request's context freed its connection", 0},
		{"context ended, then closed", "/stall", func(_ *testing.T, resp *http.Response, cancel context.CancelFunc) {
			cancel()
			resp.Body.Close()
		}, 0, "", 0},
		{"101", "/upgrade", func(*testing.T, *http.Response, context.CancelFunc) {}, 1,
			"connection after GET /upgrade (101) was never closed", 0},
		{"101, read to EOF, context ended", "/upgrade", func(t *testing.T, resp *http.Response, cancel context.CancelFunc) {
			cancel()
			if c, ok := resp.Body.(interface{ CloseWrite() error }); ok { // from Go 1.26 on
				require.NoError(t, c.CloseWrite())
				_, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
			}
		}, 1, "connection after GET /upgrade (101) was never closed", 0},
		{"101, closed", "/upgrade", func(_ *testing.T, resp *http.Response, _ context.CancelFunc) { resp.Body.Close() }, 0, "", 0},
		{"no content", "/204", func(*testing.T, *http.Response, context.CancelFunc) {}, 0, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			watch := leakcheck.Verify(&fakeT{}, leakcheck.Instead())
			defer watch()
			for _, w := range ways(nil)[1:] {
				ctx, cancel := context.WithCancel(t.Context())
				resp := must(t, w.rt, get(t, ctx, srv.URL+c.path))
				c.do(t, resp, cancel)
				assert.Len(t, w.in.Leases(), c.held, w.name)
				s := w.in.Stats()
				assert.Equal(t, []int{1, c.held, c.early}, []int{s.Requests, s.Leased, s.ClosedEarly}, w.name)
				if c.finding == "" {
					assert.Empty(t, findings(t, w.in), w.name)
				} else {
					assert.Equal(t, []string{c.finding}, findings(t, w.in), w.name)
				}
				resp.Body.Close()
				assert.Empty(t, findings(t, w.in), "%s: Close ends it", w.name)
				assert.Equal(t, 0, w.in.Stats().Leased)
				cancel()
				w.tr.CloseIdleConnections()
			}
		})
	}
}

// TestConnectionClosedByOthers: net/http tells nothing when a response with "Connection: close" was read to its end by the
// gzip reader alone; that its socket is closed shows that nothing is held.
func TestConnectionClosedByOthers(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, `{"a":1}`)
		_ = z.Close()
	}))
	defer srv.Close()
	var dialled net.Conn
	for _, w := range ways(func() *http.Transport {
		return &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			var d net.Dialer
			c, err := d.DialContext(ctx, network, addr)
			dialled = c
			return c, err
		}}
	})[1:] {
		resp := must(t, w.rt, get(t, t.Context(), srv.URL))
		assert.Len(t, w.in.Leases(), 1)
		dialled.Close() // as net/http does it, some time after the last byte
		assert.Empty(t, w.in.Leases(), w.name)
		assert.Equal(t, 0, w.in.Stats().Leased)
		resp.Body.Close()
	}
}

// TestEarlyClose: an early close is no leak. What net/http does with the connection changed with Go 1.27, which reads a
// short rest; it counts the same.
func TestEarlyClose(t *testing.T) {
	srv := newServer(t)
	for _, w := range ways(nil)[1:] {
		for i := range 3 {
			resp := must(t, w.rt, get(t, t.Context(), srv.URL+"/big"))
			_, err := io.ReadFull(resp.Body, make([]byte, 10))
			require.NoError(t, err)
			resp.Body.Close()
			assert.Equal(t, i+1, w.in.Stats().ClosedEarly)
		}
		s := w.in.Stats()
		assert.Equal(t, httpcheck.Stats{Requests: 3, PeakLeased: 1, Dialed: 3, ClosedEarly: 3}, s, "%s: 1 MB is too much to drain on any version", w.name)
		assert.Empty(t, findings(t, w.in))

		for range 3 {
			must(t, w.rt, get(t, t.Context(), srv.URL+"/page")).Body.Close()
		}
		s = w.in.Stats()
		assert.Equal(t, []int{6, 0, 6}, []int{s.ClosedEarly, s.Leased, s.Dialed + s.Reused}, "%s: a short rest is drained on Go 1.27", w.name)
		w.tr.CloseIdleConnections()
	}
}

// TestMocks: what a mock's response must look like to be a lease.
func TestMocks(t *testing.T) {
	header := func(kv ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(kv); i += 2 {
			h.Set(kv[i], kv[i+1])
		}
		return h
	}
	for _, c := range []struct {
		name, method string
		resp         http.Response
		leased       int
	}{
		{"ContentLength not set", "GET", http.Response{StatusCode: 200, Body: textBody("x")}, 1},
		{"method not set", "", http.Response{StatusCode: 200, Body: textBody("x")}, 1},
		{"Content-Length: 0", "GET", http.Response{StatusCode: 403, Header: header("Content-Length", "0"), Body: textBody("")}, 0},
		{"length not known", "GET", http.Response{StatusCode: 403, Body: textBody(""), ContentLength: -1}, 1},
		{"HEAD", "HEAD", http.Response{StatusCode: 200, Body: textBody(""), ContentLength: 7}, 0},
		{"204", "GET", http.Response{StatusCode: 204, Body: textBody("")}, 0},
		{"304", "GET", http.Response{StatusCode: 304, Body: textBody("")}, 0},
		{"http.NoBody", "GET", http.Response{StatusCode: 200, Body: http.NoBody}, 0},
		{"nil", "GET", http.Response{StatusCode: 200}, 0},
	} {
		in := httpcheck.Wrap(roundTripper(func(*http.Request) (*http.Response, error) { return &c.resp, nil }))
		req := get(t, t.Context(), "http://example.com/")
		req.Method = c.method
		resp := must(t, in, req)
		assert.Equal(t, c.leased, in.Stats().Leased, c.name)
		if c.leased == 1 {
			assert.Contains(t, in.Leases()[0].Summary, "of GET /")
			resp.Body.Close()
		}
	}
}

// TestParallel: 1000 requests at once on one tracked transport, each with an end of its own: the counters are exact.
func TestParallel(t *testing.T) {
	srv := newServer(t)
	for _, w := range ways(func() *http.Transport { return &http.Transport{MaxConnsPerHost: 40, MaxIdleConnsPerHost: 40} })[1:] {
		watch := leakcheck.Verify(&fakeT{}, leakcheck.Instead())
		var mu sync.Mutex
		var early, requests int
		var open []*http.Response
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(1, uint64(i)))
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				path := []string{"/page", "/chunked", "/gzip", "/empty", "/cut"}[rnd.IntN(5)]
				resp, err := w.rt.RoundTrip(get(t, ctx, srv.URL+path))
				mu.Lock()
				requests++
				mu.Unlock()
				if !assert.NoError(t, err) {
					return
				}
				switch rnd.IntN(4) {
				case 0:
					_, _ = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				case 1:
					resp.Body.Close()
					if path != "/empty" {
						mu.Lock()
						early++
						mu.Unlock()
					}
				case 2:
					_, _ = io.Copy(io.Discard, resp.Body)
					mu.Lock()
					open = append(open, resp)
					mu.Unlock()
				case 3:
					cancel()
					mu.Lock()
					open = append(open, resp)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		s := w.in.Stats()
		assert.Equal(t, []int{requests, 0, early}, []int{s.Requests, s.Leased, s.ClosedEarly}, w.name)
		assert.Equal(t, 1000, s.Dialed+s.Reused, w.name)
		assert.GreaterOrEqual(t, s.PeakLeased, 1)
		for _, resp := range open {
			resp.Body.Close()
		}
		assert.Empty(t, findings(t, w.in), w.name)
		assert.Zero(t, inTable(w.in))
		watch()
		w.tr.CloseIdleConnections()
	}
}

// TestPeak: the most responses out at once.
func TestPeak(t *testing.T) {
	srv := newServer(t)
	in := httpcheck.Wrap(&http.Transport{})
	defer in.CloseIdleConnections()
	var open []*http.Response
	for range 3 {
		open = append(open, must(t, in, get(t, t.Context(), srv.URL+"/page")))
	}
	assert.Len(t, in.Leases(), 3)
	for _, resp := range open {
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	assert.Equal(t, httpcheck.Stats{Requests: 3, PeakLeased: 3, Dialed: 3}, in.Stats())
}

// TestTransportsBetween: a RoundTripper between two tracked transports that copies the request, wraps the body or sends more
// than one request. One response is one entry, and what stays with the RoundTripper between is an entry of its own.
func TestTransportsBetween(t *testing.T) {
	srv := newServer(t)
	watch := leakcheck.Verify(&fakeT{}, leakcheck.Instead())
	defer watch()
	type wrapped struct{ io.ReadCloser }
	for _, w := range ways(nil)[1:] {
		// Tries twice and forgets the first response.
		between := roundTripper(func(r *http.Request) (*http.Response, error) {
			first := r.Clone(r.Context())
			first.URL.Path = "/json"
			forgotten, err := w.rt.RoundTrip(first)
			if err != nil {
				return nil, err
			}
			t.Cleanup(func() { forgotten.Body.Close() })
			resp, err := w.rt.RoundTrip(r.Clone(r.Context()))
			if err == nil {
				resp.Body = wrapped{resp.Body}
			}
			return resp, err
		})
		outer := httpcheck.Wrap(between)
		resp := must(t, outer, get(t, t.Context(), srv.URL+"/page"))
		assert.Len(t, outer.Leases(), 1)
		assert.Equal(t, []string{"response body of GET /json (200) was never closed"}, findings(t, w.in), "%s: /page is the outer one's", w.name)
		assert.Equal(t, 2, w.in.Stats().Leased, "counted it is")
		resp.Body.Close()
		assert.Empty(t, outer.Leases())
		assert.Len(t, findings(t, w.in), 1)
		w.tr.CloseIdleConnections()
	}

	t.Run("that does not close what it was given", func(t *testing.T) {
		inner := httpcheck.Wrap(&http.Transport{})
		var given io.Closer
		outer := httpcheck.Wrap(roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := inner.RoundTrip(r)
			if err == nil {
				given = resp.Body
				resp.Body = struct {
					io.Reader
					io.Closer
				}{resp.Body, io.NopCloser(nil)}
			}
			return resp, err
		}))
		resp := must(t, outer, get(t, t.Context(), srv.URL+"/page"))
		assert.Empty(t, findings(t, inner))
		resp.Body.Close()
		assert.Equal(t, []string{"response body of GET /page (403, awselb/2.0) was never closed"}, findings(t, inner))
		given.Close() // it was this test's own
	})

	t.Run("that tries again: what came of the first try says nothing of the second", func(t *testing.T) {
		for _, path := range []string{"/page", "/chunked"} {
			for _, drain := range []bool{true, false} { // from Go 1.27 on net/http drains it by itself, meanwhile
				tr := &http.Transport{}
				in := httpcheck.Wrap(roundTripper(func(r *http.Request) (*http.Response, error) {
					resp, err := tr.RoundTrip(r)
					if err != nil {
						return nil, err
					}
					if drain {
						_, _ = io.Copy(io.Discard, resp.Body)
					}
					resp.Body.Close()
					return tr.RoundTrip(r)
				}))
				for range 20 {
					resp := must(t, in, get(t, t.Context(), srv.URL+path))
					assert.Len(t, in.Leases(), 1)
					_, _ = io.Copy(io.Discard, resp.Body)
					assert.Empty(t, in.Leases())
					resp.Body.Close()
				}
				tr.CloseIdleConnections()
			}
		}
	})

	t.Run("that reads the body by itself", func(t *testing.T) {
		tr := &http.Transport{}
		defer tr.CloseIdleConnections()
		in := httpcheck.Wrap(roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := tr.RoundTrip(r)
			if err == nil {
				b, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				resp.Body = textBody(string(b))
			}
			return resp, err
		}))
		resp := must(t, in, get(t, t.Context(), srv.URL+"/page"))
		assert.Equal(t, []string{"response body of GET /page (403, awselb/2.0) was never closed: a transport had read it before it was returned"}, findings(t, in))
		assert.Equal(t, 0, in.Stats().Leased)
		resp.Body.Close()
		assert.Empty(t, findings(t, in))
	})
}

// TestUnwatched: while nobody watches, what holds nothing is forgotten, so that a tracked transport in a long run does not
// collect it.
func TestUnwatched(t *testing.T) {
	in := httpcheck.Wrap(roundTripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: textBody("x")}, nil
	}))
	for range 100 {
		_, _ = io.Copy(io.Discard, must(t, in, get(t, t.Context(), "http://example.com/")).Body)
	}
	assert.Zero(t, inTable(in))
	for range 10_000 { // nothing tells that a context ended
		ctx, cancel := context.WithCancel(t.Context())
		must(t, in, get(t, ctx, "http://example.com/"))
		cancel()
	}
	assert.Less(t, inTable(in), 3000)
	assert.Equal(t, 0, in.Stats().Leased)
	assert.Zero(t, inTable(in))
}

// TestDescribe: what an entry says, secrets left out.
func TestDescribe(t *testing.T) {
	in := httpcheck.Wrap(roundTripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 500, Header: http.Header{"Server": {strings.Repeat("ü", 60)}}, Body: textBody("0123"), ContentLength: 4}, nil
	}))
	resp := must(t, in, get(t, t.Context(), "http://user:secret@example.com/a%2Fb?token=secret&x=1&y=2"))
	_, _ = resp.Body.Read(make([]byte, 3))
	l := in.Leases()[0]
	assert.Equal(t, fmt.Sprintf("response body of GET /a%%2Fb?token=…&x=…&y=… (500, %s…) was never closed", strings.Repeat("ü", 20)), l.Summary)
	assert.Equal(t, "3 of 4 bytes read", l.State)
	assert.Equal(t, leakcheck.HTTPResponse, l.Kind)
	assert.Equal(t, "defer resp.Body.Close()", l.Hint)
	assert.Equal(t, "LK001", l.Code)
	assert.Contains(t, l.Site.Function, "httpcheck_test.must")
	assert.Contains(t, l.Site.Source, "rt.RoundTrip(req)")
	require.Len(t, l.Stack, 2)
	assert.Contains(t, l.Stack[1].Function, "httpcheck_test.TestDescribe")
	resp.Body.Close()
}

// TestReadErrors: which errors of a reader end a lease.
func TestReadErrors(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		held   int
	}{
		{io.EOF, 200, 0}, {io.ErrUnexpectedEOF, 200, 0}, {errors.New("connection reset"), 200, 0},
		{gzip.ErrHeader, 200, 1}, {fmt.Errorf("page 3: %w", gzip.ErrChecksum), 200, 1},
		{errors.New("http: concurrent read on response body"), 200, 1},
		{io.EOF, 101, 1}, {errors.New("connection reset"), 101, 1},
	} {
		in := httpcheck.Wrap(roundTripper(func(r *http.Request) (*http.Response, error) {
			pr, pw := io.Pipe()
			pw.CloseWithError(c.err)
			return &http.Response{StatusCode: c.status, Body: pr}, nil
		}))
		resp := must(t, in, get(t, t.Context(), "http://example.com/"))
		_, err := resp.Body.Read(make([]byte, 1))
		assert.Equal(t, c.err, err)
		assert.Equal(t, c.held, in.Stats().Leased, "%v", c.err)
		resp.Body.Close()
	}
}
