package httpcheck_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/httpcheck"
)

type ctxKey struct{}

// hooks sees every hook of a trace that is not about names or dialling, which a race decides.
func hooks(see *transcript) *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:              func(string) { see.add("GetConn") },
		GotConn:              func(i httptrace.GotConnInfo) { see.add("GotConn reused=%v idle=%v", i.Reused, i.WasIdle) },
		PutIdleConn:          func(err error) { see.add("PutIdleConn %v", err) },
		GotFirstResponseByte: func() { see.add("GotFirstResponseByte") },
		Got100Continue:       func() { see.add("Got100Continue") },
		Got1xxResponse:       func(code int, _ textproto.MIMEHeader) error { see.add("Got1xx %d", code); return nil },
		ConnectStart:         func(string, string) { see.add("ConnectStart") },
		WroteHeaders:         func() {},
		Wait100Continue:      func() { see.add("Wait100Continue") },
	}
}

func TestRequestLikePlain(t *testing.T) {
	srv := newServer(t)
	do := func(t *testing.T, c *http.Client, req *http.Request, see *transcript) {
		t.Helper()
		resp, err := c.Do(req)
		if err != nil {
			see.add("error %v response=%v", err, resp != nil)
			return
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		see.add("%d %s %v url=%s mine=%v ctx=%v", resp.StatusCode, b, err, resp.Request.URL.Path, resp.Request == req, resp.Request.Context().Value(ctxKey{}))
	}
	post := func(t *testing.T, path, body string) *http.Request {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		return req
	}
	for name, scenario := range map[string]func(t *testing.T, w *way, see *transcript){
		"Response.Request is the caller's": func(t *testing.T, w *way, see *transcript) {
			do(t, w.client(), get(t, context.WithValue(t.Context(), ctxKey{}, "v"), srv.URL+"/page"), see)
			req := get(t, t.Context(), srv.URL+"/page")
			resp := must(t, w.rt, req)
			see.add("%v %v", resp.Request == req, resp.Request.Context() == req.Context())
			resp.Body.Close()
			req.Method = http.MethodHead
			see.add("no body: %v", must(t, w.rt, req).Request == req)
		},
		"redirect followed, with a cookie": func(t *testing.T, w *way, see *transcript) {
			c := w.client()
			c.Jar, _ = cookiejar.New(nil)
			do(t, c, get(t, t.Context(), srv.URL+"/redirect"), see)
			do(t, c, get(t, t.Context(), srv.URL+"/echo"), see)
		},
		"redirect not followed": func(t *testing.T, w *way, see *transcript) {
			c := w.client()
			c.CheckRedirect = func(req *http.Request, via []*http.Request) error {
				see.add("via %d %s", len(via), via[0].URL.Path)
				return http.ErrUseLastResponse
			}
			do(t, c, get(t, t.Context(), srv.URL+"/redirect"), see)
			c.CheckRedirect = func(*http.Request, []*http.Request) error { return errors.New("stop") }
			resp, err := c.Do(get(t, t.Context(), srv.URL+"/redirect"))
			see.add("%v %v", resp.StatusCode, err)
			_, err = resp.Body.Read(make([]byte, 1))
			see.add("closed: %v", err)
		},
		"307 sends the body again": func(t *testing.T, w *way, see *transcript) {
			c := w.client()
			req := post(t, "/redirect307", "text")
			resp, err := c.Do(req)
			require.NoError(t, err)
			b, err := io.ReadAll(resp.Body)
			see.add("%s %v", b, err)
			resp.Body.Close()
		},
		"POST": func(t *testing.T, w *way, see *transcript) {
			for _, body := range []io.Reader{strings.NewReader("text"), io.MultiReader(strings.NewReader("text")), http.NoBody, nil} {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/echo", body)
				require.NoError(t, err)
				resp := must(t, w.rt, req)
				b, err := io.ReadAll(resp.Body)
				see.add("%s %v url=%v", b, err, resp.Request.URL == req.URL)
				resp.Body.Close()
			}
		},
		"POST is tried again on a connection that turns out dead": func(t *testing.T, w *way, see *transcript) {
			var rewinds int
			for i := range 2 {
				req := post(t, "/echo", "text")
				if i == 1 {
					srv.CloseClientConnections()
					req.Header.Set("Idempotency-Key", "1")
				}
				body := req.GetBody
				req.GetBody = func() (io.ReadCloser, error) { rewinds++; return body() }
				do(t, w.client(), req, &transcript{})
			}
			see.add("done")
			if w.in != nil {
				s := w.in.Stats()
				assert.Equal(t, 2, s.Requests)
				assert.Equal(t, 2, s.Dialed+s.Reused, "one connection for each request, whatever was tried before: %+v", s)
			}
		},
		"Expect: 100-continue": func(t *testing.T, w *way, see *transcript) {
			w.tr.ExpectContinueTimeout = time.Hour
			for _, path := range []string{"/echo", "/refuse"} {
				req := post(t, path, "text")
				req.Header.Set("Expect", "100-continue")
				resp := must(t, w.rt, req)
				b, err := io.ReadAll(resp.Body)
				see.add("%d %s %v", resp.StatusCode, b, err)
				resp.Body.Close()
			}
		},
		"context ended before": func(t *testing.T, w *way, see *transcript) {
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(errors.New("my cause"))
			_, err := w.rt.RoundTrip(get(t, ctx, srv.URL+"/page"))
			see.add("%v", err)
			do(t, w.client(), get(t, ctx, srv.URL+"/page"), see)
		},
		"context ends during": func(t *testing.T, w *way, see *transcript) {
			ctx, cancel := context.WithCancel(t.Context())
			ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { cancel() }})
			do(t, w.client(), get(t, ctx, srv.URL+"/silent"), see)
		},
		"context ends after": func(t *testing.T, w *way, see *transcript) {
			ctx, cancel := context.WithCancel(t.Context())
			resp := must(t, w.rt, get(t, ctx, srv.URL+"/stall"))
			_, err := io.ReadFull(resp.Body, make([]byte, 7))
			require.NoError(t, err)
			cancel()
			_, err = resp.Body.Read(make([]byte, 1))
			see.add("%v", err)
			see.add("%v", resp.Body.Close())
		},
		"Client.Timeout": func(t *testing.T, w *way, see *transcript) {
			c := w.client()
			c.Timeout = time.Hour
			do(t, c, get(t, t.Context(), srv.URL+"/page"), &transcript{})
			c.Timeout = time.Nanosecond
			_, err := c.Do(get(t, t.Context(), srv.URL+"/silent"))
			var timeout interface{ Timeout() bool }
			see.add("%v", errors.As(err, &timeout) && timeout.Timeout())
		},
		"the caller's trace": func(t *testing.T, w *way, see *transcript) {
			for range 2 {
				ctx := httptrace.WithClientTrace(t.Context(), hooks(see))
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL+"/echo", strings.NewReader("x"))
				require.NoError(t, err)
				req.Header.Set("Expect", "100-continue")
				w.tr.ExpectContinueTimeout = time.Hour
				resp := must(t, w.rt, req)
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			slices.Sort(see.lines) // some hooks run on goroutines of their own
		},
		"no server": func(t *testing.T, w *way, see *transcript) {
			resp, err := w.rt.RoundTrip(get(t, t.Context(), "http://"+closedPort(t)+"/"))
			see.add("%v %v", resp == nil, err)
		},
		"server hangs up": func(t *testing.T, w *way, see *transcript) {
			req := post(t, "/hangup", "text")
			resp, err := w.rt.RoundTrip(req)
			see.add("%v %v", resp == nil, err)
		},
		"wrong requests": func(t *testing.T, w *way, see *transcript) {
			var closed int
			for _, change := range []func(*http.Request){
				func(r *http.Request) { r.URL = nil },
				func(r *http.Request) { r.URL.Host = "" },
				func(r *http.Request) { r.URL.Scheme = "gopher" },
				func(r *http.Request) { r.Method = "A B" },
				func(r *http.Request) { r.Header = nil },
				func(r *http.Request) { r.Header.Set("A", "\n") },
			} {
				req := post(t, "/echo", "")
				req.Body = plainBody{strings.NewReader("text"), &closed}
				change(req)
				resp, err := w.rt.RoundTrip(req)
				see.add("%v %v closed=%v", resp == nil, err, closed > 0)
				closed = 0
			}
		},
		"cancelled by Request.Cancel": func(t *testing.T, w *way, see *transcript) {
			cancel := make(chan struct{})
			req := get(t, t.Context(), srv.URL+"/stall")
			//lint:ignore SA1019 old code still uses it
			req.Cancel = cancel
			resp := must(t, w.rt, req)
			_, err := io.ReadFull(resp.Body, make([]byte, 7))
			require.NoError(t, err)
			close(cancel)
			_, err = resp.Body.Read(make([]byte, 1))
			see.add("%v", err)
			resp.Body.Close()
		},
		"CloseIdleConnections": func(t *testing.T, w *way, see *transcript) {
			for range 2 {
				ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { see.add("%v", i.Reused) }})
				do(t, w.client(), get(t, ctx, srv.URL+"/page"), &transcript{})
				w.client().CloseIdleConnections()
			}
		},
		"values of the context reach the transport": func(t *testing.T, w *way, see *transcript) {
			w.tr.Proxy = nil
			ctx := context.WithValue(t.Context(), ctxKey{}, "v")
			w.tr.OnProxyConnectResponse = nil
			below := roundTripper(func(r *http.Request) (*http.Response, error) {
				d, ok := r.Context().Deadline()
				see.add("%v %v %v", r.Context().Value(ctxKey{}), d.IsZero(), ok)
				return w.tr.RoundTrip(r)
			})
			var rt http.RoundTripper = below
			if w.name == "wrapped" || w.name == "both" {
				rt = httpcheck.Wrap(below)
			}
			resp := must(t, rt, get(t, ctx, srv.URL+"/page"))
			resp.Body.Close()
		},
	} {
		t.Run(name, func(t *testing.T) { twins(t, nil, scenario) })
	}
}

// TestHTTP2 over TLS, also with a body that is closed early, which costs no connection there.
func TestHTTP2(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/empty":
			return
		case "/stall":
			_, _ = io.WriteString(w, page)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		b, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %v", r.Proto, b, err)
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	config := srv.Client().Transport.(*http.Transport).TLSClientConfig
	transport := func() *http.Transport {
		return &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: config.RootCAs}}
	}
	twins(t, transport, func(t *testing.T, w *way, see *transcript) {
		for _, path := range []string{"/", "/empty", "/stall"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+path, strings.NewReader("text"))
			require.NoError(t, err)
			resp := must(t, w.rt, req)
			see.add("%s %s NoBody=%v mine=%v", path, resp.Proto, resp.Body == http.NoBody, resp.Request == req)
			tracked := w.in != nil && w.name != "instrumented" // https does not pass a handler for http
			if path == "/stall" {
				if tracked {
					require.Len(t, w.in.Leases(), 1)
					assert.Contains(t, w.in.Leases()[0].Summary, "response body of POST /stall (200) was never closed")
				}
			} else {
				b, err := io.ReadAll(resp.Body)
				see.add("%s %v", b, err)
			}
			see.add("%v", resp.Body.Close())
			if tracked && path == "/stall" {
				assert.Equal(t, httpcheck.Stats{Requests: 3, PeakLeased: 1, Dialed: 1, Reused: 2, ClosedEarly: 1}, w.in.Stats())
			}
		}
	})
}

// TestTraceBetween: with a RoundTripper between that adds hooks of its own, everybody's hooks run once.
func TestTraceBetween(t *testing.T) {
	srv := newServer(t)
	for _, w := range ways(nil)[1:] {
		var mu sync.Mutex
		count := make(map[string]int)
		trace := func(who string) *httptrace.ClientTrace {
			add := func(what string) {
				mu.Lock()
				defer mu.Unlock()
				count[who+" "+what]++
			}
			return &httptrace.ClientTrace{
				GotConn: func(httptrace.GotConnInfo) { add("GotConn") }, PutIdleConn: func(error) { add("PutIdleConn") },
				GotFirstResponseByte: func() { add("GotFirstResponseByte") },
			}
		}
		rt := httpcheck.Wrap(roundTripper(func(r *http.Request) (*http.Response, error) {
			return w.rt.RoundTrip(r.Clone(httptrace.WithClientTrace(r.Context(), trace("between"))))
		}))
		resp := must(t, rt, get(t, httptrace.WithClientTrace(t.Context(), trace("caller")), srv.URL+"/page"))
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		assert.Equal(t, map[string]int{
			"caller GotConn": 1, "caller PutIdleConn": 1, "caller GotFirstResponseByte": 1,
			"between GotConn": 1, "between PutIdleConn": 1, "between GotFirstResponseByte": 1,
		}, count, w.name)
		assert.Equal(t, httpcheck.Stats{Requests: 1, PeakLeased: 1, Dialed: 1}, rt.Stats(), w.name)
		w.tr.CloseIdleConnections()
	}
}

// TestOddTransports: what a RoundTripper should not do passes through unchanged, and nothing stays in the table.
func TestOddTransports(t *testing.T) {
	req := get(t, t.Context(), "http://example.com/")
	t.Run("response and error", func(t *testing.T) {
		want, oops := &http.Response{StatusCode: 200, Body: textBody("x"), ContentLength: 1}, errors.New("oops")
		body := want.Body
		in := httpcheck.Wrap(roundTripper(func(*http.Request) (*http.Response, error) { return want, oops }))
		resp, err := in.RoundTrip(req)
		assert.Same(t, want, resp)
		assert.Equal(t, body, resp.Body)
		assert.Same(t, oops, err)
		assert.Equal(t, httpcheck.Stats{Requests: 1}, in.Stats())
	})
	t.Run("neither", func(t *testing.T) {
		in := httpcheck.Wrap(roundTripper(func(*http.Request) (*http.Response, error) { return nil, nil }))
		resp, err := in.RoundTrip(req)
		assert.Nil(t, resp)
		assert.NoError(t, err)
	})
	t.Run("no body, no header", func(t *testing.T) {
		in := httpcheck.Wrap(roundTripper(func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 200}, nil }))
		resp, err := in.RoundTrip(req)
		require.NoError(t, err)
		assert.Nil(t, resp.Body)
	})
	t.Run("panic", func(t *testing.T) {
		in := httpcheck.Wrap(roundTripper(func(*http.Request) (*http.Response, error) { panic("oops") }))
		assert.PanicsWithValue(t, "oops", func() { _, _ = in.RoundTrip(req) })
		assert.Equal(t, httpcheck.Stats{Requests: 1}, in.Stats())
		assert.Empty(t, in.Leases())
	})
	t.Run("body that panics in Close", func(t *testing.T) {
		in := httpcheck.Wrap(roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: struct {
				io.Reader
				io.Closer
			}{strings.NewReader("x"), nil}, ContentLength: 1}, nil
		}))
		resp, err := in.RoundTrip(req)
		require.NoError(t, err)
		assert.Panics(t, func() { resp.Body.Close() })
		assert.Empty(t, in.Leases())
		assert.Equal(t, 0, in.Stats().Leased)
	})
	t.Run("hooks with nothing in them", func(t *testing.T) {
		in := httpcheck.Wrap(roundTripper(func(r *http.Request) (*http.Response, error) {
			trace := httptrace.ContextClientTrace(r.Context())
			trace.GotConn(httptrace.GotConnInfo{})
			trace.GotFirstResponseByte()
			return &http.Response{StatusCode: 200, Body: textBody("x"), ContentLength: 1}, nil
		}))
		resp, err := in.RoundTrip(req)
		require.NoError(t, err)
		assert.Len(t, in.Leases(), 1)
		resp.Body.Close()
	})
	t.Run("http.ErrSkipAltProtocol", func(t *testing.T) {
		srv := newServer(t)
		tr := &http.Transport{}
		defer tr.CloseIdleConnections()
		in := httpcheck.Wrap(roundTripper(func(*http.Request) (*http.Response, error) { return nil, http.ErrSkipAltProtocol }))
		tr.RegisterProtocol("http", in)
		req, err := http.NewRequest(http.MethodPost, srv.URL+"/echo", bytes.NewReader([]byte("text")))
		require.NoError(t, err)
		resp := must(t, tr, req)
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		assert.Equal(t, "POST text <nil> cookies=0 length=4", string(b))
		assert.Equal(t, httpcheck.Stats{Requests: 1}, in.Stats())
	})
	t.Run("a Transport that nobody made", func(t *testing.T) {
		var closed int
		post, err := http.NewRequest(http.MethodPost, "http://example.com/", plainBody{strings.NewReader("x"), &closed})
		require.NoError(t, err)
		_, err = new(httpcheck.Transport).RoundTrip(post)
		assert.EqualError(t, err, "httpcheck: the Transport was not made by Wrap or Instrument")
		assert.Equal(t, 1, closed)
	})
}
