package mockserver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/leakcheck"
)

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// wire asks a httptest.Server for / and gives every byte that it sends.
func wire(t *testing.T, h http.Handler, method string) string {
	t.Helper()
	srv := httptest.NewServer(h)
	defer srv.Close()
	nc, err := net.Dial("tcp", srv.Listener.Addr().String())
	require.NoError(t, err)
	defer nc.Close()
	fmt.Fprintf(nc, "%s / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", method)
	all, err := io.ReadAll(nc)
	require.NoError(t, err)
	return dateLine.ReplaceAllString(string(all), "Date: {date}")
}

// The leak of a response that is not closed, on a handler as suites have them: invisible without Realistic, found with it.
func TestRealisticShowsTheLeak(t *testing.T) {
	empty := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(403)
	}
	for _, c := range []struct {
		name    string
		handler http.Handler
		leaks   bool
	}{
		{"as it is", status(403), false},
		{"realistic", Realistic(status(403)), true},
		{"explicit length 0", http.HandlerFunc(empty), false},
		{"explicit length 0, realistic", Realistic(http.HandlerFunc(empty)), true},
		{"realistic, given page", Realistic(status(403), Nginx(403).Framing(Chunked)), true},
		{"realistic, empty on purpose", Realistic(status(403), Status(403).Framing(Empty)), false},
		{"realistic, flushed with length 0", Realistic(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			empty(w, r)
			w.(http.Flusher).Flush()
		})), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := httptest.NewServer(c.handler)
			defer srv.Close()
			client := newClient(t)
			ft := &fakeT{}
			verify := leakcheck.Verify(ft)
			resp, err := client.Get(srv.URL)
			require.NoError(t, err)
			verify()
			resp.Body.Close()
			if !c.leaks {
				assert.Empty(t, ft.failures())
				return
			}
			require.Len(t, ft.failures(), 1)
			assert.Contains(t, ft.failures()[0], "leakcheck: 1 leak: response body of")
		})
	}
}

func TestRealisticWire(t *testing.T) {
	page := string(albPage("403 Forbidden"))
	handle := func(f func(w http.ResponseWriter, r *http.Request)) http.Handler { return http.HandlerFunc(f) }
	for _, c := range []struct {
		name    string
		handler http.Handler
		reply   []Reply
		want    string // what differs from the same without Realistic; "" for nothing
	}{
		{"page", status(403), nil,
			"HTTP/1.1 403 Forbidden\r\nContent-Length: 118\r\nContent-Type: text/html\r\nServer: awselb/2.0\r\nDate: {date}\r\nConnection: close\r\n\r\n" + page},
		{"given page", status(502), []Reply{ALB(403), Nginx(502)},
			"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 150\r\nContent-Type: text/html\r\nServer: nginx\r\nDate: {date}\r\nConnection: close\r\n\r\n" + string(nginxPage("502 Bad Gateway", "nginx"))},
		{"none given for this status", status(403), []Reply{Nginx(502)},
			"HTTP/1.1 403 Forbidden\r\nContent-Length: 118\r\nContent-Type: text/html\r\nServer: awselb/2.0\r\nDate: {date}\r\nConnection: close\r\n\r\n" + page},
		{"headers of the handler", handle(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "0")
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Server", "mine")
			w.Header().Set("X-Mine", "1")
			w.WriteHeader(403)
			w.Header().Set("X-Late", "no effect")
		}), nil,
			"HTTP/1.1 403 Forbidden\r\nContent-Length: 118\r\nContent-Type: text/html\r\nServer: mine\r\nX-Mine: 1\r\nDate: {date}\r\nConnection: close\r\n\r\n" + page},
		{"writes of nothing", handle(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			n, err := w.Write(nil)
			fmt.Fprint(w, "")
			m, err2 := io.Copy(w, io.LimitReader(strings.NewReader(""), 1)) // which has no WriterTo
			assert.Zero(t, n+int(m))
			assert.NoError(t, err)
			assert.NoError(t, err2)
		}), nil,
			"HTTP/1.1 403 Forbidden\r\nContent-Length: 118\r\nContent-Type: text/html\r\nServer: awselb/2.0\r\nDate: {date}\r\nConnection: close\r\n\r\n" + page},
		{"chunked", status(403), []Reply{ALB(403).Framing(Chunked)},
			"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nServer: awselb/2.0\r\nDate: {date}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n76\r\n" + page + "\r\n0\r\n\r\n"},
		{"chunked late", status(403), []Reply{ALB(403).Framing(ChunkedLate)},
			"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nServer: awselb/2.0\r\nDate: {date}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n76\r\n" + page + "\r\n0\r\n\r\n"},
		{"until close", status(403), []Reply{ALB(403).Framing(UntilClose)},
			"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Type: text/html\r\nServer: awselb/2.0\r\nDate: {date}\r\n\r\n" + page},
		{"trailers", handle(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			w.WriteHeader(403)
			w.Header().Set("X-Sum", "1")
			w.Header().Set(http.TrailerPrefix+"X-More", "2")
		}), nil,
			"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nServer: awselb/2.0\r\nTrailer: X-Sum\r\nDate: {date}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n76\r\n" + page + "\r\n0\r\nX-More: 2\r\nX-Sum: 1\r\n\r\n"},
		{"103 before", handle(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(103)
			w.WriteHeader(403)
		}), nil,
			"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 403 Forbidden\r\nContent-Length: 118\r\nContent-Type: text/html\r\nServer: awselb/2.0\r\nDate: {date}\r\nConnection: close\r\n\r\n" + page},

		{"200", status(200), nil, ""},
		{"204", status(204), nil, ""},
		{"302", http.RedirectHandler("/x", http.StatusFound), nil, ""},
		{"nothing at all", handle(func(http.ResponseWriter, *http.Request) {}), nil, ""},
		{"body", handle(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) }), nil, ""},
		{"body without a status", handle(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "yes") }), nil, ""},
		{"body copied", handle(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			n, err := io.Copy(w, io.LimitReader(strings.NewReader(strings.Repeat("x", 5000)), 4000))
			assert.Equal(t, int64(4000), n)
			assert.NoError(t, err)
		}), nil, ""},
		{"body with late headers", handle(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Early", "1")
			w.WriteHeader(403)
			w.Header().Set("X-Late", "no effect")
			w.Header().Del("X-Early")
			io.WriteString(w, "no")
		}), nil, ""},
		{"body with trailers", handle(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			w.WriteHeader(403)
			w.Header().Set("X-Sum", "1")
			io.WriteString(w, "no")
			w.Header().Set(http.TrailerPrefix+"X-More", "2")
		}), nil, ""},
		{"flushed", handle(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			w.(http.Flusher).Flush()
		}), nil, ""},
		{"flushed by the controller", handle(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "0")
			w.WriteHeader(403)
			assert.NoError(t, http.NewResponseController(w).Flush())
		}), nil, ""},
		{"hijacked", handle(func(w http.ResponseWriter, _ *http.Request) {
			nc, buf, err := w.(http.Hijacker).Hijack()
			if assert.NoError(t, err) {
				buf.WriteString("HTTP/1.1 403 By hand\r\nContent-Length: 0\r\n\r\n")
				buf.Flush()
				nc.Close()
			}
		}), nil, ""},
		{"hijacked after the status", handle(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			nc, _, err := http.NewResponseController(w).Hijack()
			if assert.NoError(t, err) {
				io.WriteString(nc, "by hand")
				nc.Close()
			}
		}), nil, ""},
		{"a length that is not 0", handle(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			w.WriteHeader(403)
		}), nil, ""},
		{"a transfer encoding", handle(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Transfer-Encoding", "identity")
			w.WriteHeader(403)
		}), nil, ""},
		{"panic", handle(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			panic(http.ErrAbortHandler)
		}), nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := c.want
			plain := wire(t, c.handler, "GET")
			if want == "" {
				want = plain
			} else {
				assert.NotEqual(t, want, plain)
			}
			assert.Equal(t, want, wire(t, Realistic(c.handler, c.reply...), "GET"))
			assert.Equal(t, wire(t, c.handler, "HEAD"), wire(t, Realistic(c.handler, c.reply...), "HEAD"))
		})
	}
}

// What a file is sent with (sendfile) is not lost, because the writer below gets the file itself.
func TestRealisticReadFrom(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(name, []byte(strings.Repeat("x", 1<<20)), 0o600))
	var got io.Reader
	h := Realistic(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		f, err := os.Open(name)
		if assert.NoError(t, err) {
			defer f.Close()
			w.(io.ReaderFrom).ReadFrom(f)
		}
	}))
	rec := &readerFromRecorder{ResponseRecorder: httptest.NewRecorder(), got: &got}
	h.ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	assert.IsType(t, &os.File{}, got)
	assert.Equal(t, 1<<20, rec.Body.Len())
}

type readerFromRecorder struct {
	*httptest.ResponseRecorder
	got *io.Reader
}

func (r *readerFromRecorder) ReadFrom(src io.Reader) (int64, error) {
	*r.got = src
	return r.Body.ReadFrom(src)
}

func TestRealisticRecorder(t *testing.T) {
	rec := httptest.NewRecorder()
	Realistic(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(403)
		w.WriteHeader(200) // has no effect, as ever
	})).ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	resp := rec.Result()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, 403, resp.StatusCode)
	assert.Equal(t, int64(118), resp.ContentLength)
	assert.Len(t, body, 118)
	assert.Equal(t, "text/html", resp.Header.Get("Content-Type"))
}

func TestRealisticHTTP2(t *testing.T) {
	srv := httptest.NewUnstartedServer(Realistic(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, hijacks := w.(http.Hijacker)
		_, pushes := w.(http.Pusher)
		_, flushes := w.(http.Flusher)
		assert.False(t, hijacks)
		assert.True(t, pushes)
		assert.True(t, flushes)
		w.Header().Set("Trailer", "X-Sum")
		w.WriteHeader(502)
		w.Header().Set("X-Sum", "1")
	}), Nginx(502).Framing(ChunkedLate)))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	resp, err := srv.Client().Get(srv.URL)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, 2, resp.ProtoMajor)
	assert.Equal(t, 502, resp.StatusCode)
	assert.Len(t, body, 150)
	assert.Equal(t, "1", resp.Trailer.Get("X-Sum"))
}

// The writer has the optional interfaces of the one below, and no others.
func TestRealisticInterfaces(t *testing.T) {
	type (
		w interface{ http.ResponseWriter }
		f interface{ http.Flusher }
		j interface{ http.Hijacker }
		r interface{ io.ReaderFrom }
		p interface{ http.Pusher }
	)
	all := everything{httptest.NewRecorder()}
	for name, below := range map[string]http.ResponseWriter{
		"": struct{ w }{all},
		"f": struct {
			w
			f
		}{all, all},
		"j": struct {
			w
			j
		}{all, all},
		"r": struct {
			w
			r
		}{all, all},
		"p": struct {
			w
			p
		}{all, all},
		"fj": struct {
			w
			f
			j
		}{all, all, all},
		"fr": struct {
			w
			f
			r
		}{all, all, all},
		"fp": struct {
			w
			f
			p
		}{all, all, all},
		"jr": struct {
			w
			j
			r
		}{all, all, all},
		"jp": struct {
			w
			j
			p
		}{all, all, all},
		"rp": struct {
			w
			r
			p
		}{all, all, all},
		"fjr": struct {
			w
			f
			j
			r
		}{all, all, all, all},
		"fjp": struct {
			w
			f
			j
			p
		}{all, all, all, all},
		"frp": struct {
			w
			f
			r
			p
		}{all, all, all, all},
		"jrp": struct {
			w
			j
			r
			p
		}{all, all, all, all},
		"fjrp": struct {
			w
			f
			j
			r
			p
		}{all, all, all, all, all},
	} {
		has := ""
		Realistic(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if v, ok := w.(http.Flusher); ok {
				has += "f"
				v.Flush()
			}
			if v, ok := w.(http.Hijacker); ok {
				has += "j"
				v.Hijack()
			}
			if v, ok := w.(io.ReaderFrom); ok {
				has += "r"
				v.ReadFrom(strings.NewReader("x"))
			}
			if v, ok := w.(http.Pusher); ok {
				has += "p"
				v.Push("/", nil)
			}
			assert.Equal(t, below, w.(interface{ Unwrap() http.ResponseWriter }).Unwrap())
		})).ServeHTTP(below, httptest.NewRequest("GET", "/", nil))
		assert.Equal(t, name, has)
	}
}

type everything struct{ *httptest.ResponseRecorder }

func (everything) Hijack() (net.Conn, *bufio.ReadWriter, error)  { return nil, nil, nil }
func (everything) ReadFrom(src io.Reader) (int64, error)         { return io.Copy(io.Discard, src) }
func (everything) Push(target string, o *http.PushOptions) error { return nil }

// middleware hides all that the writer below can do, but for the one who unwraps it.
type middleware struct{ http.ResponseWriter }

func (m middleware) Unwrap() http.ResponseWriter { return m.ResponseWriter }

// A controller flushes through a writer that cannot flush by itself. The status must have been written before.
func TestRealisticFlushBelowMiddleware(t *testing.T) {
	inner := Realistic(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, flushes := w.(http.Flusher)
		assert.False(t, flushes)
		w.WriteHeader(403)
		assert.NoError(t, http.NewResponseController(w).Flush())
	}))
	got := wire(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(middleware{w}, r)
	}), "GET")
	assert.Contains(t, got, "HTTP/1.1 403 Forbidden\r\n")
	assert.NotContains(t, got, "<html>")

	rec := httptest.NewRecorder()
	Realistic(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(403)
		assert.ErrorIs(t, http.NewResponseController(w).Flush(), http.ErrNotSupported)
	})).ServeHTTP(struct{ http.ResponseWriter }{rec}, httptest.NewRequest("GET", "/", nil))
	assert.Equal(t, 118, rec.Body.Len(), "what cannot be flushed was not")
}

// A page is asked for with a delay, and the request ends before that.
func TestRealisticDelayEndsWithTheRequest(t *testing.T) {
	srv := httptest.NewServer(Realistic(status(403), ALB(403).Delay(1<<62)))
	client := newClient(t)
	nc := dialTCP(t, srv.Listener.Addr().String())
	fmt.Fprint(nc, get("/"))
	nc.Close()
	client.CloseIdleConnections()
	srv.Close() // waits for the handler
}

func TestRealisticMistakes(t *testing.T) {
	for want, h := range map[string]http.Handler{
		"the handler is nil": Realistic(nil),
		"Status(204): a reply below 400 is never given a page":                       Realistic(status(403), Status(204)),
		"ALB(403) and Status(403).Framing(Chunked) have the same status":             Realistic(status(403), ALB(403), Nginx(502), Status(403).Framing(Chunked)),
		"ALB(403).Fault(StallAfter(3)): a fault, a handler and a stream are no page": Realistic(status(403), ALB(403).Fault(StallAfter(3))),
		"an empty Reply; make one with Status, Text or JSON, for example":            Realistic(status(403), Reply{}),
		"ALB(403): header Content-Length is set by the framing; write .Framing(...)": Realistic(status(403), ALB(403).Header("Content-Length", "1")),
	} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
		assert.Equal(t, 501, rec.Code)
		assert.Equal(t, "mockserver: Realistic: "+want+"\n", rec.Body.String())
	}
}
