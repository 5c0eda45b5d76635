package mockserver

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// servePages has a stub for every page, under its scenario.
func servePages(t *testing.T) *Server {
	srv := New(t, AllowUnused())
	for _, p := range Pages() {
		srv.On("", "/"+p.Scenario).Reply(p.Reply)
	}
	return srv
}

var replyTime = regexp.MustCompile(`(?i)\r\n(date|expires): \w{3}, \d\d \w{3} 20\d\d \d\d:\d\d:\d\d GMT`)

// rawPage sends a request and gives every byte of the answer, with the times taken out.
func rawPage(t *testing.T, srv *Server, method, path string) string {
	t.Helper()
	nc := dial(t, srv)
	_, err := io.WriteString(nc, method+" "+path+" HTTP/1.1\r\nHost: test\r\n\r\n")
	require.NoError(t, err)
	require.NoError(t, nc.CloseWrite())
	all, err := io.ReadAll(nc)
	require.NoError(t, err)
	return replyTime.ReplaceAllString(string(all), "\r\n$1: {date}")
}

// TestPagesOnTheWire reads every page without net/http, and compares all its bytes with testdata/pages_wire.txt, which is
// to be read against the sources when it changes.
func TestPagesOnTheWire(t *testing.T) {
	t.Parallel()
	srv := servePages(t)
	var out strings.Builder
	for _, p := range Pages() {
		got := rawPage(t, srv, "GET", "/"+p.Scenario)
		head, rest, ok := strings.Cut(got, "\r\n\r\n")
		require.True(t, ok, "%s: %q", p.Scenario, got)
		lines := strings.Split(head, "\r\n")

		// The frame is taken apart by hand: what must hold for every page, whatever the file says.
		proto, status, _ := strings.Cut(lines[0], " ")
		code, _, _ := strings.Cut(status, " ")
		require.Equal(t, strconv.Itoa(p.Code), code, p.Scenario)
		body, framing, closes := rest, UntilClose, proto == "HTTP/1.0"
		for _, line := range lines[1:] {
			name, value, ok := strings.Cut(line, ": ")
			require.True(t, ok, "%s: %q", p.Scenario, line)
			switch strings.ToLower(name) {
			case "content-length":
				framing = ContentLength
				require.Equal(t, strconv.Itoa(len(rest)), value, p.Scenario)
			case "transfer-encoding":
				framing = Chunked
				require.Equal(t, "chunked", value, p.Scenario)
				size := fmt.Sprintf("%x\r\n", p.Length)
				require.True(t, strings.HasPrefix(rest, size) && strings.HasSuffix(rest, "\r\n0\r\n\r\n"), "%s: %q", p.Scenario, rest)
				body = rest[len(size) : len(rest)-len("\r\n0\r\n\r\n")]
			case "connection":
				closes = closes || value == "close"
			}
		}
		if framing == ContentLength && p.Length == 0 {
			framing = Empty
		}
		require.Equal(t, p.Framing, framing, p.Scenario)
		require.Equal(t, p.Closes, closes || framing == UntilClose, p.Scenario)
		require.Len(t, body, p.Length, p.Scenario)
		require.Equal(t, string(p.Reply.body), body, p.Scenario)

		// HEAD has the same head, byte by byte, and nothing behind it.
		require.Equal(t, head+"\r\n\r\n", rawPage(t, srv, "HEAD", "/"+p.Scenario), p.Scenario)

		fmt.Fprintf(&out, "== %s   %s\n%s\n\n", p.Scenario, p.Expr, strings.Join(lines, "\n"))
		if len(body) > 2000 {
			fmt.Fprintf(&out, "%q ... sha256 %x\n", body[:200], sha256.Sum256([]byte(body)))
			body = ""
		}
		for line := range strings.Lines(body) {
			fmt.Fprintf(&out, "%q\n", line)
		}
		out.WriteString("\n")
	}
	golden(t, filepath.Join("testdata", "pages_wire.txt"), out.String())
}

// A few pages in full, as they were captured, so that the file above cannot be updated past them.
func TestCapturedPages(t *testing.T) {
	t.Parallel()
	srv := servePages(t)
	for scenario, want := range map[string]string{
		"alb-403-html": "HTTP/1.1 403 Forbidden\r\nServer: awselb/2.0\r\nDate: {date}\r\nContent-Type: text/html\r\nContent-Length: 118\r\nConnection: keep-alive\r\n\r\n" +
			"<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>\r\n<center><h1>403 Forbidden</h1></center>\r\n</body>\r\n</html>\r\n",
		"alb-504-old-html": "HTTP/1.1 504 Gateway Time-out\r\nServer: awselb/2.0\r\nDate: {date}\r\nContent-Type: text/html\r\nContent-Length: 148\r\nConnection: keep-alive\r\n\r\n" +
			"<html>\r\n<head><title>504 Gateway Time-out</title></head>\r\n<body bgcolor=\"white\">\r\n<center><h1>504 Gateway Time-out</h1></center>\r\n</body>\r\n</html>\r\n",
		"classicelb-504-empty": "HTTP/1.1 504 GATEWAY_TIMEOUT\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n",
		"haproxy-403-html": "HTTP/1.1 403 Forbidden\r\ncontent-length: 93\r\ncache-control: no-cache\r\ncontent-type: text/html\r\n\r\n" +
			"<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n</body></html>\n",
		"haproxy-400-html": "HTTP/1.1 400 Bad request\r\ncontent-length: 90\r\ncache-control: no-cache\r\nconnection: close\r\ncontent-type: text/html\r\n\r\n" +
			"<html><body><h1>400 Bad request</h1>\nYour browser sent an invalid request.\n</body></html>\n",
		"haproxy-503-1.0-html": "HTTP/1.0 503 Service Unavailable\r\nCache-Control: no-cache\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n" +
			"<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n\n",
		"envoy-503-uf-text": "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 91\r\ncontent-type: text/plain\r\ndate: {date}\r\nserver: envoy\r\n\r\n" +
			"upstream connect error or disconnect/reset before headers. reset reason: connection failure",
		"envoy-404-nr-empty":        "HTTP/1.1 404 Not Found\r\ndate: {date}\r\nserver: envoy\r\ncontent-length: 0\r\n\r\n",
		"varnish-400-minimal-empty": "HTTP/1.1 400 Bad Request\r\n\r\n",
		"varnish-500-minimal-empty": "HTTP/1.1 500 Internal Server Error\r\nServer: Varnish\r\nConnection: close\r\n\r\n",
		"cloudflare-400-html": "HTTP/1.1 400 Bad Request\r\nServer: cloudflare\r\nDate: {date}\r\nContent-Type: text/html\r\nContent-Length: 155\r\nConnection: close\r\nCF-RAY: -\r\n\r\n" +
			"<html>\r\n<head><title>400 Bad Request</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n",
		"nethttp-400-host-text":          "HTTP/1.1 400 Bad Request: missing required Host header\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request: missing required Host header",
		"nethttp-400-tls-text":           "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
		"kong-404-old-json":              "HTTP/1.1 404 Not Found\r\nDate: {date}\r\nContent-Type: application/json; charset=utf-8\r\nConnection: keep-alive\r\nContent-Length: 48\r\nX-Kong-Response-Latency: 0\r\nServer: kong/2.8.5\r\n\r\n{\"message\":\"no Route matched with those values\"}",
		"traefik-502-text":               "HTTP/1.1 502 Bad Gateway\r\nDate: {date}\r\nContent-Length: 11\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nBad Gateway",
		"ingressnginx-404-html":          "HTTP/1.1 404 Not Found\r\nDate: {date}\r\nContent-Type: text/html\r\nContent-Length: 146\r\nConnection: keep-alive\r\n\r\n" + string(nginxPage("404 Not Found", "nginx")),
		"nethttp-502-reverseproxy-empty": "HTTP/1.1 502 Bad Gateway\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n",
	} {
		assert.Equal(t, want, rawPage(t, srv, "GET", "/"+scenario), scenario)
	}
}

// TestGoPages compares what Go's own servers send, and the servers that are made with net/http, with the net/http that the
// test runs on.
func TestGoPages(t *testing.T) {
	t.Parallel()
	srv := servePages(t)
	handler := func(f func(w http.ResponseWriter)) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { f(w) })
	}
	written := func(code int, text string) http.Handler {
		return handler(func(w http.ResponseWriter) {
			w.WriteHeader(code)
			io.WriteString(w, text)
		})
	}
	down, err := url.Parse("http://" + Refuse(t)) // a port that was only closed may be another server's a moment later
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(down)
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(502) } // the default logs as well

	handlers := map[string]http.Handler{
		"nethttp-404-text":               http.NotFoundHandler(),
		"nethttp-502-reverseproxy-empty": proxy,
		"nethttp-503-timeout-html":       http.TimeoutHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), time.Millisecond, ""),
		"traefik-404-text":               http.NotFoundHandler(),
		"traefik-503-text":               handler(func(w http.ResponseWriter) { http.Error(w, "no available server", http.StatusServiceUnavailable) }),
		"traefik-403-text":               written(403, "Forbidden"),
		"traefik-499-text":               written(499, "Client Closed Request"),
		"traefik-500-text":               written(500, "Internal Server Error"),
		"traefik-502-text":               written(502, "Bad Gateway"),
		"traefik-504-text":               written(504, "Gateway Timeout"),
		"traefik-429-text": handler(func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "1")
			w.Header().Set("X-Retry-In", "812.500384ms")
			w.WriteHeader(429)
			io.WriteString(w, "Too Many Requests")
		}),
	}
	for _, code := range []int{400, 401, 403, 405, 429, 500, 502, 503, 504} {
		handlers[fmt.Sprintf("nethttp-%d-text", code)] = handler(func(w http.ResponseWriter) { http.Error(w, http.StatusText(code), code) })
	}
	for _, code := range []int{403, 404, 502, 503, 504} {
		handlers[fmt.Sprintf("caddy-%d-empty", code)] = handler(func(w http.ResponseWriter) {
			w.Header().Set("Server", "Caddy")
			w.WriteHeader(code)
		})
	}
	mux := http.NewServeMux()
	for scenario, h := range handlers {
		mux.Handle("/"+scenario, h)
	}
	real := httptest.NewUnstartedServer(mux)
	real.Config.MaxHeaderBytes = 1
	real.Start()
	t.Cleanup(real.Close)
	overTLS := httptest.NewUnstartedServer(mux)
	overTLS.Config.ErrorLog = log.New(io.Discard, "", 0)
	overTLS.StartTLS()
	t.Cleanup(overTLS.Close)

	// ask leaves its sending half open: to end it would cancel the request of a handler.
	ask := func(addr, request string, closing bool) string {
		t.Helper()
		if closing {
			request = strings.Replace(request, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)
		}
		nc := dial(t, &Server{URL: addr})
		_, err := io.WriteString(nc, request)
		require.NoError(t, err)
		if !closing {
			require.NoError(t, nc.CloseWrite())
		}
		all, err := io.ReadAll(nc)
		require.NoError(t, err)
		return replyTime.ReplaceAllString(string(all), "\r\n$1: {date}")
	}
	for scenario := range handlers {
		request := get("/" + scenario)
		assert.Equal(t, ask(real.URL, request, true), ask(srv.URL, request, true), scenario)
		if scenario != "nethttp-503-timeout-html" && scenario != "nethttp-502-reverseproxy-empty" {
			assert.Equal(t, ask(real.URL, request, false), ask(srv.URL, request, false), scenario)
		}
	}
	for scenario, request := range map[string]string{
		"nethttp-400-host-text":      "GET / HTTP/1.1\r\n\r\n",
		"nethttp-400-malformed-text": "GARBAGE\r\n\r\n",
		"nethttp-431-text":           "GET / HTTP/1.1\r\nHost: test\r\nX: " + strings.Repeat("x", 8<<10) + "\r\n\r\n",
	} {
		assert.Equal(t, ask(real.URL, request, false), ask(srv.URL, get("/"+scenario), false), scenario)
	}
	assert.Equal(t, ask(strings.Replace(overTLS.URL, "https:", "http:", 1), get("/"), false), ask(srv.URL, get("/nethttp-400-tls-text"), false))
}

// TestPagesHideLeaks proves HidesLeak against the net/http of this Go: a body that is not closed holds its connection, or
// there is none that could be closed.
func TestPagesHideLeaks(t *testing.T) {
	t.Parallel()
	for _, p := range Pages() {
		srv := New(t)
		srv.On("GET", "/").Reply(p.Reply)
		c := newClient(t)
		resp, err := c.Get(srv.URL)
		require.NoError(t, err, p.Scenario)
		require.Equal(t, p.Code, resp.StatusCode, p.Scenario)
		assert.Equal(t, p.HidesLeak, resp.Body == http.NoBody, p.Scenario)
		if p.HidesLeak {
			eventually(t, func() bool { c.CloseIdleConnections(); return open(srv) == 0 }, p.Scenario)
		} else {
			c.CloseIdleConnections()
			assert.Equal(t, 1, open(srv), p.Scenario)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		eventually(t, func() bool { c.CloseIdleConnections(); return open(srv) == 0 }, p.Scenario)
		srv.Close()
	}
}

// TestPagesWithoutANetwork compares what a page's Responder gives with what a client gets, in the page's own framing and
// in those that a user can choose in its place.
func TestPagesWithoutANetwork(t *testing.T) {
	t.Parallel()
	srv := New(t)
	c := newClient(t)
	for _, p := range Pages() {
		for _, framing := range []Framing{0, ContentLength, Chunked, UntilClose, Empty} {
			r := p.Reply
			if framing != 0 {
				r = r.Framing(framing)
			}
			path := fmt.Sprintf("/%s/%d", p.Scenario, framing)
			srv.On("", path).Reply(r)
			for i, method := range []string{"GET", "HEAD", "GET"} {
				name := fmt.Sprintf("%s %s %d", method, r, i)
				req, err := http.NewRequest(method, srv.URL+path, nil)
				require.NoError(t, err)
				req.Close = i == 2
				want, err := c.Do(req)
				require.NoError(t, err, name)
				got, err := r.Responder()(req)
				require.NoError(t, err, name)
				wantBody, err := io.ReadAll(want.Body)
				require.NoError(t, err, name)
				gotBody, err := io.ReadAll(got.Body)
				require.NoError(t, err, name)
				assert.Equal(t, string(wantBody), string(gotBody), name)
				assert.Equal(t, want.Body == http.NoBody, got.Body == http.NoBody, name)
				want.Body.Close()
				for _, resp := range []*http.Response{want, got} {
					resp.Body = nil
					for _, header := range []string{"Date", "Expires"} {
						if resp.Header.Get(header) != "" {
							resp.Header.Set(header, "some time")
						}
					}
				}
				assert.Equal(t, want, got, name)
			}
		}
	}
}

// TestPagesWithCurl fetches every page with another client than Go's.
func TestPagesWithCurl(t *testing.T) {
	t.Parallel()
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed: the pages are proved by the raw reader alone")
	}
	srv := servePages(t)
	dir := t.TempDir()
	var config bytes.Buffer
	for _, p := range Pages() {
		fmt.Fprintf(&config, "url = \"%s/%s\"\noutput = \"%s\"\n", srv.URL, p.Scenario, filepath.ToSlash(filepath.Join(dir, p.Scenario)))
	}
	cmd := exec.Command(curl, "--disable", "--silent", "--show-error", "--noproxy", "*", "--write-out", `%{http_version} %{http_code} %{size_download}\n`, "--config", "-")
	cmd.Stdin = &config
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.Output()
	require.NoError(t, err, "curl: %s", failed.String())
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	require.Len(t, lines, len(Pages()))
	for i, p := range Pages() {
		proto := strings.TrimPrefix(p.Reply.proto(), "HTTP/")
		assert.Equal(t, fmt.Sprintf("%s %d %d", strings.TrimSuffix(proto, ".0"), p.Code, p.Length), strings.Replace(strings.TrimSpace(lines[i]), "1.0 ", "1 ", 1), p.Scenario)
		if p.Length > 0 {
			got, err := os.ReadFile(filepath.Join(dir, p.Scenario))
			require.NoError(t, err, p.Scenario)
			assert.Equal(t, string(p.Reply.body), string(got), p.Scenario)
		}
	}
}
