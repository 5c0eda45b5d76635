package httpcheck_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/httpcheck"
)

// fakeT is a test that records.
type fakeT struct {
	name string

	mu     sync.Mutex
	errors []string
	logs   []string
}

func (t *fakeT) Helper() {}

func (t *fakeT) Name() string {
	if t.name == "" {
		return "TestFake"
	}
	return t.name
}

func (t *fakeT) Failed() bool { return len(t.failures()) > 0 }

func (t *fakeT) Errorf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errors = append(t.errors, fmt.Sprintf(format, args...))
}

func (t *fakeT) Logf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.logs = append(t.logs, fmt.Sprintf(format, args...))
}

func (t *fakeT) failures() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.errors...)
}

func (t *fakeT) logged() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.logs...)
}

// page is what most handlers here send.
var page = strings.Repeat("0123456789", 12)[:118]

// newServer serves one path for each way in which a response can end.
func newServer(t testing.TB) *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Server", "awselb/2.0")
		w.Header().Set("Content-Length", "118")
		w.WriteHeader(403)
		_, _ = io.WriteString(w, page)
	})
	mux.HandleFunc("/chunked", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"a":1}`)
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, "   ")
	})
	mux.HandleFunc("/json", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"a":1}`) })
	mux.HandleFunc("/gzip", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, `{"a":1}`)
		_ = z.Close()
	})
	mux.HandleFunc("/notgzip", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(w, page)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(1<<20))
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
	})
	mux.HandleFunc("/empty", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) })
	mux.HandleFunc("/204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	mux.HandleFunc("/304", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) })
	mux.HandleFunc("/emptychunked", func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush()
	})
	mux.HandleFunc("/trailer", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, page)
		w.Header().Set("X-Sum", "42")
		w.Header().Set(http.TrailerPrefix+"X-Late", "43")
	})
	// stall sends a part and keeps the rest until the client goes.
	mux.HandleFunc("/stall", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"a":1}`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("/silent", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = rw.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 118\r\n\r\n0123456789")
		_ = rw.Flush()
		conn.Close()
	})
	mux.HandleFunc("/hangup", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			conn.Close()
		}
	})
	mux.HandleFunc("/upgrade", func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(conn, rw)
	})
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1"})
		http.Redirect(w, r, "/page", http.StatusFound)
	})
	mux.HandleFunc("/redirect307", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/echo", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %v cookies=%d length=%d", r.Method, b, err, len(r.Cookies()), r.ContentLength)
	})
	mux.HandleFunc("/refuse", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(417) })
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv
}

// transcript is what a scenario saw.
type transcript struct {
	mu    sync.Mutex
	lines []string
}

var port = regexp.MustCompile(`(127\.0\.0\.1|\[::1\]):\d+`)

func (s *transcript) add(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, port.ReplaceAllString(fmt.Sprintf(format, args...), "ADDR"))
}

// way is one of the ways to send a request.
type way struct {
	tr   *http.Transport
	rt   http.RoundTripper // what the client has: the transport itself, or what tracks it
	in   *httpcheck.Transport
	name string
}

func (w *way) client() *http.Client { return &http.Client{Transport: w.rt} }

func ways(make func() *http.Transport) []*way {
	if make == nil {
		make = func() *http.Transport { return &http.Transport{} }
	}
	var out []*way
	for _, name := range []string{"plain", "wrapped", "instrumented", "through", "both"} {
		w := &way{name: name, tr: make()}
		w.rt = w.tr
		switch name {
		case "wrapped":
			w.in = httpcheck.Wrap(w.tr)
			w.rt = w.in
		case "instrumented":
			w.in = httpcheck.Instrument(w.tr)
		case "through":
			w.in = httpcheck.Instrument(w.tr)
			w.rt = w.in
		case "both":
			httpcheck.Instrument(w.tr)
			w.in = httpcheck.Wrap(w.tr)
			w.rt = w.in
		}
		out = append(out, w)
	}
	return out
}

// twins runs a scenario with a plain transport and with tracked ones: each must see exactly the same, and hold nothing in
// the end.
func twins(t *testing.T, make func() *http.Transport, scenario func(t *testing.T, w *way, see *transcript)) {
	t.Helper()
	var want []string
	for _, w := range ways(make) {
		var see transcript
		ok := t.Run(w.name, func(t *testing.T) {
			scenario(t, w, &see)
			w.tr.CloseIdleConnections()
			if w.in != nil {
				assert.Equal(t, want, see.lines, "what the plain transport shows, and what the tracked one does")
				assert.Zero(t, w.in.Stats().Leased)
				assert.Empty(t, w.in.Leases())
			}
		})
		if w.in == nil {
			require.True(t, ok)
			require.NotEmpty(t, see.lines)
			want = see.lines
		}
	}
}

func get(t testing.TB, ctx context.Context, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	require.NoError(t, err)
	return req
}

// must gives the response of a request that cannot fail.
func must(t testing.TB, rt http.RoundTripper, req *http.Request) *http.Response {
	t.Helper()
	resp, err := rt.RoundTrip(req)
	require.NoError(t, err)
	return resp
}

// closedPort is an address where nobody listens.
func closedPort(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// roundTripper is a function as a RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// textBody is a mock's body.
func textBody(s string) io.ReadCloser { return io.NopCloser(strings.NewReader(s)) }
