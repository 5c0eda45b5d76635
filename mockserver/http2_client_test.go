package mockserver

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

// TestHTTP2Client is what net/http's client makes of each reply: what Do gives, what reading gives, and what a client that
// neither reads nor closes the body still holds after CloseIdleConnections.
func TestHTTP2Client(t *testing.T) {
	leaksOnPurpose(t)
	t.Parallel()
	page := Text(403, strings.Repeat("x", 118))
	whole, part := strings.Repeat("x", 118), strings.Repeat("x", 50)
	item := `{"items":[` // Fault's own body begins so
	for _, test := range []struct {
		reply Reply
		do    string // the error of Do, as a regular expression
		body  string
		read  string // the error of reading
		conns int    // on which a request came
		held  int    // streams, by a leaked body
	}{
		{page, "", whole, "", 1, 0}, // which is why HTTP/2 hides it
		{page.Framing(Chunked), "", whole, "", 1, 0},
		{page.Framing(ChunkedLate), "", whole, "", 1, 0},
		{page.Framing(UntilClose), "", whole, "", 1, 0},
		{page.Framing(Empty), "", "", "", 1, 0},
		{page.Trailer("Sum", "1"), "", whole, "", 1, 0},
		{page.Fault(Flood1xx(3)), "", whole, "", 1, 0},
		{page.Fault(HalfClose), "", whole, "", 1, 0},
		{page.Fault(StallAfter(50)), "", part, "hangs", 1, 1},
		{page.NoLength(), "", whole, "hangs", 1, 1},
		{Text(200, strings.Repeat("x", 8<<20)), "", strings.Repeat("x", 8<<20), "", 1, 1}, // more than a window
		{Stream("text/plain", time.Millisecond, whole), "", whole, "hangs", 1, 1},
		{page.Fault(EndlessBody), "", whole, "hangs", 1, 1},
		{Fault(ConnectionReset), "unexpected EOF|connection reset by peer|forcibly closed", "", "", 1, 0},
		{Fault(EmptyResponse), "unexpected EOF", "", "", 1, 0},
		{Fault(ResetStream), "stream error: stream ID 1; INTERNAL_ERROR; received from peer", "", "", 1, 0},
		{Fault(RefuseStream).Times(1).Then(page), "", whole, "", 1, 0}, // net/http sends it again
		{Fault(GoAway), "", item, "", maxGoAways + 1, 0},
		{Fault(GoAway).Times(1).Then(page), "", whole, "", 2, 0},
		{page.Fault(ResetAfter(50)), "", part, "stream error: stream ID 1; INTERNAL_ERROR; received from peer", 1, 0},
		{page.Fault(TruncateAfter(50)), "", part, "unexpected EOF", 1, 0},
		{page.Framing(Chunked).Fault(TruncateAfter(50)), "", part, "unexpected EOF", 1, 0},
		{page.Fault(WrongLength(500)), "", whole, "unexpected EOF", 1, 0},
		{page.Fault(WrongLength(50)), "", part, "net/http: server replied with more than declared Content-Length; truncated", 1, 0},
		{page.Fault(MalformedChunk), "", "", "http2: frame too large", 1, 0},
		{Fault(RandomThenClose), "http2: frame too large", "", "", 1, 0},
		{page.Fault(GarbageStatus), "malformed non-numeric status pseudo header", "", "", 1, 0},
		{page.Fault(HugeHeader), "COMPRESSION_ERROR", "", "", 1, 0},
	} {
		t.Run(test.reply.String(), func(t *testing.T) {
			for _, leak := range []bool{false, true} {
				ft := &fakeT{}
				srv := New(ft, HTTP2(), withLate(time.Millisecond))
				t.Cleanup(srv.Close)
				srv.On("GET", "/").Reply(test.reply)
				resp, err := srv.Client().Get(srv.URL)
				if test.do != "" {
					require.Error(t, err)
					assert.Regexp(t, test.do, err.Error())
				} else {
					require.NoError(t, err)
					assert.Equal(t, "HTTP/2.0", resp.Proto)
				}
				if resp != nil && !leak {
					if test.read == "hangs" || test.body == item {
						b := make([]byte, len(test.body))
						_, err = io.ReadFull(resp.Body, b)
						assert.NoError(t, err)
						assert.Equal(t, test.body, string(b))
					} else {
						b, err := io.ReadAll(resp.Body)
						assert.True(t, test.body == string(b), "%d bytes", len(b))
						if test.read == "" {
							assert.NoError(t, err)
						} else {
							assert.ErrorContains(t, err, test.read)
						}
					}
					require.NoError(t, resp.Body.Close())
				}
				assert.Equal(t, test.conns, askedConns(srv))

				// What is held, or not, stays so.
				held := 0
				if leak {
					held = test.held
				}
				settled := func() bool {
					srv.Client().CloseIdleConnections()
					streams, open := 0, 0
					for _, c := range srv.Conns() {
						streams += c.Streams
						if c.State != ConnClosed {
							open++
						}
					}
					return streams == held && open == held
				}
				eventually(t, settled, "%+v", srv.Conns())
				if held > 0 {
					time.Sleep(20 * time.Millisecond)
					assert.True(t, settled())
					require.NoError(t, resp.Body.Close())
					held = 0
					eventually(t, settled, "Close gives it back: %+v", srv.Conns())
				}
				ft.end()
				assert.Empty(t, ft.failures())
				assert.Zero(t, running(srv))
			}
		})
	}
}

// askedConns counts the connections on which a request came. net/http dials one more now and then, and asks on another.
func askedConns(srv *Server) int {
	n := 0
	for _, c := range srv.Conns() {
		if c.Requests > 0 {
			n++
		}
	}
	return n
}

// TestHTTP2Limits: a client that sends a request again and again is let go, and the log says so.
func TestHTTP2Limits(t *testing.T) {
	t.Parallel()
	ft := &fakeT{}
	srv := New(ft, HTTP2())
	t.Cleanup(srv.Close)
	srv.On("GET", "/{x}").Reply(Text(200, "ok").Fault(GoAway))
	for range 2 {
		assert.Equal(t, "200 ok", read(srv.Client(), "GET", srv.URL+"/a", ""))
	}
	assert.Equal(t, 11, askedConns(srv))
	assert.Len(t, srv.Requests(), 12)
	for i, r := range srv.Requests() {
		want := 0
		if i >= 10 {
			want = 200
		}
		assert.Equal(t, want, r.Status)
	}
	p := h2dial(t, srv)
	p.request(1, "GET", "/b", "-")
	assert.Contains(t, p.upTo("GOAWAY"), "GOAWAY 0 last=0 NO_ERROR", "another path has its own count")
	ft.end()
	assert.Empty(t, ft.failures())
	require.Len(t, ft.logged(), 1)
	assert.Equal(t, "mockserver: request GET /a (stub GET /{x}, http2_client_test.go:{line}): GoAway was played 10 times, "+
		"because the client goes on sending the request; from now on it gets the reply without the fault",
		lineNumbers.ReplaceAllString(ft.logged()[0], "_test.go:{line}"))

	ft = &fakeT{}
	srv = New(ft, HTTP2())
	t.Cleanup(srv.Close)
	srv.On("GET", "/a").Reply(Text(200, "ok").Fault(RefuseStream))
	p = h2dial(t, srv)
	for i, want := range []string{"RST_STREAM 1 REFUSED_STREAM", "RST_STREAM 3 REFUSED_STREAM", "DATA 5 ok END_STREAM", "DATA 7 ok END_STREAM"} {
		p.request(uint32(2*i+1), "GET", "/a", "-")
		p.upTo(want)
	}
	assert.Len(t, ft.logged(), 1)
	ft.end()
}

// TestHTTP2GoAwayGraceful: streams that were open before GOAWAY are answered, and the connection ends behind them.
func TestHTTP2GoAwayGraceful(t *testing.T) {
	t.Parallel()
	srv := New(t, HTTP2())
	srv.On("GET", "/goaway").Reply(Fault(GoAway))
	srv.On("GET", "/wait").Reply(Text(200, "wait").Fault(StallAfter(3)))
	srv.On("GET", "/large").Reply(Text(200, strings.Repeat("x", 1<<20))).Optional()
	p := h2dial(t, srv)
	p.request(1, "GET", "/wait", "-")
	p.upTo("DATA 1")
	p.request(3, "GET", "/goaway", "-")
	assert.Equal(t, "GOAWAY 0 last=2 NO_ERROR \n", p.upTo("GOAWAY"))
	p.request(5, "GET", "/large", "-")
	assert.Empty(t, p.sync(), "a later stream is ignored")
	assert.Equal(t, ConnActive, srv.Conns()[0].State)
	p.reset(1)
	assert.Equal(t, "FIN\n", p.until(func(string) bool { return false }))
	assert.Equal(t, ConnClosing, srv.Conns()[0].State)
	p.nc.Close()
	eventually(t, func() bool { return srv.Conns()[0].State == ConnClosed })
}

// TestHTTP2IdleTimeout: the client is told which of its requests were answered, and then the connection ends.
func TestHTTP2IdleTimeout(t *testing.T) {
	t.Parallel()
	srv := New(t, HTTP2(), IdleTimeout(10*time.Millisecond))
	srv.On("GET", "/stall").Reply(Text(200, "0123").Fault(StallAfter(2)))
	p := h2dial(t, srv)
	p.request(1, "GET", "/stall", "-")
	p.upTo("DATA 1 01")
	time.Sleep(30 * time.Millisecond)
	assert.Equal(t, ConnActive, srv.Conns()[0].State, "a stream is open")
	p.reset(1)
	assert.Equal(t, "GOAWAY 0 last=1 NO_ERROR \nFIN\n", p.until(func(string) bool { return false }))
	assert.Equal(t, ConnClosing, srv.Conns()[0].State)
}

// TestHTTP2Starved: unread bodies use up the window of the connection, and then other replies on it hang. net/http's
// default window is 1 GiB; this client has a small one.
func TestHTTP2Starved(t *testing.T) {
	t.Parallel()
	srv := New(t, HTTP2())
	body := strings.Repeat("x", 256<<10)
	srv.On("GET", "/").Reply(Text(200, body))
	tr := &http.Transport{TLSClientConfig: srv.TLSClientConfig(), ForceAttemptHTTP2: true,
		HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10, MaxReceiveBufferPerConnection: 256 << 10}}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr}
	var leaked []io.Closer
	for range 20 {
		resp, err := client.Get(srv.URL)
		require.NoError(t, err)
		leaked = append(leaked, resp.Body)
	}
	defer func() {
		for _, b := range leaked {
			b.Close()
		}
	}()
	assert.Len(t, srv.Conns(), 1)
	resp, err := client.Get(srv.URL)
	require.NoError(t, err, "headers are not held up")
	defer resp.Body.Close()
	got := make(chan string, 1)
	go func() {
		b, err := io.ReadAll(resp.Body)
		got <- fmt.Sprint(len(b), err)
	}()
	select {
	case s := <-got:
		assert.Fail(t, "it should hang", s)
	case <-time.After(50 * time.Millisecond):
	}
	assert.Equal(t, 21, srv.Conns()[0].Streams)
	for _, b := range leaked {
		b.Close()
	}
	assert.Equal(t, fmt.Sprint(len(body), nil), <-got)
}

// The tests from here on do not run in parallel: they look at the whole process.

// TestHTTP2CloseLeavesNothing is TestCloseLeavesNothing for HTTP/2.
func TestHTTP2CloseLeavesNothing(t *testing.T) {
	before := sockets()
	for _, c := range []struct{ path, until string }{
		{"/ok", "DATA"}, {"/stall", "DATA"}, {"/big", "DATA"}, {"/slow", ""}, {"/late", "DATA"}, {"/stream", "DATA"},
		{"/handler", "HEADERS"}, {"/goaway", "GOAWAY"}, {"/huge", "HEADERS"}, {"/endless", "DATA"},
	} {
		t.Run(c.path, func(t *testing.T) {
			ft := &fakeT{}
			srv := New(ft, HTTP2(), AllowUnused(), withLate(time.Hour))
			t.Cleanup(srv.Close)
			srv.On("GET", "/ok").Reply(Text(200, "ok"))
			srv.On("GET", "/stall").Reply(Text(200, "ok").Fault(StallAfter(1)))
			srv.On("GET", "/big").Reply(Text(200, strings.Repeat("x", 64<<20)))
			srv.On("GET", "/slow").Reply(Status(200).Delay(time.Hour))
			srv.On("GET", "/late").Reply(Text(200, "late").Framing(ChunkedLate))
			srv.On("GET", "/stream").Reply(Stream("text/plain", time.Hour, "x"))
			srv.On("GET", "/goaway").Reply(Fault(GoAway))
			srv.On("GET", "/huge").Reply(Fault(HugeHeader))
			srv.On("GET", "/endless").Reply(Fault(EndlessBody))
			srv.On("GET", "/handler").Reply(Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(200)
				w.(http.Flusher).Flush()
				<-r.Context().Done()
			})))
			p := h2dial(t, srv)
			for id := range uint32(3) {
				p.request(2*id+1, "GET", c.path, "-")
			}
			if c.until != "" {
				p.upTo(c.until)
			} else {
				eventually(t, func() bool { return len(srv.Requests()) == 3 })
			}
			ft.end()
			assert.Zero(t, running(srv), "Close has waited for them")
			eventually(t, func() bool { return serverGoroutines() == 0 })
			assert.Equal(t, ConnClosed, srv.Conns()[0].State)
			p.nc.Close()
			eventually(t, func() bool { return sockets() <= before }, "sockets of the server or its client are left")
			assert.Empty(t, ft.failures())
			assert.Empty(t, ft.logged())
		})
	}
}

// TestHTTP2Leakcheck: the goroutines of the server are never reported, with each way in which they wait, and a client that
// leaks a stream is reported once, with its line.
func TestHTTP2Leakcheck(t *testing.T) {
	srv := New(t, HTTP2())
	srv.On("GET", "/small").Reply(Text(200, "ok"))
	srv.On("GET", "/large").Reply(Text(200, strings.Repeat("x", 8<<20)))
	srv.On("GET", "/stall").Reply(Text(200, "ok").Fault(StallAfter(1)))
	srv.On("GET", "/stream").Reply(Stream("text/plain", time.Millisecond, "x"))
	srv.On("GET", "/handler").Reply(Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "x")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})))
	for _, path := range []string{"/small", "/large", "/stall", "/stream", "/handler"} {
		for _, tracked := range []bool{true, false} {
			t.Run(fmt.Sprint(path, " tracked ", tracked), func(t *testing.T) {
				check := func(leak bool) []string {
					ft := &fakeT{}
					verify := leakcheck.Verify(ft)
					tr := &http.Transport{TLSClientConfig: srv.TLSClientConfig(), ForceAttemptHTTP2: true}
					client := &http.Client{Transport: tr}
					if tracked {
						verify = httpcheck.Verify(ft, client)
					}
					resp, err := client.Get(srv.URL + path)
					require.NoError(t, err)
					if leak {
						defer tr.CloseIdleConnections()
						defer resp.Body.Close()
					} else {
						io.CopyN(io.Discard, resp.Body, 1)
						resp.Body.Close()
					}
					verify()
					ft.end()
					return ft.failures()
				}
				assert.Empty(t, check(false), "a client that closes, and keeps its connection")
				got := check(true)
				known := tracked || inDeepMode() // who took it
				if path == "/small" && !known {
					assert.Empty(t, got, "HTTP/2 hides it")
					return
				}
				require.Len(t, got, 1)
				assert.Contains(t, got[0], "leakcheck: 1 leak: ", got[0])
				assert.NotContains(t, got[0], "internal/http2", got[0])
				if known {
					assert.Contains(t, got[0], "http2_client_test.go:", got[0])
					assert.Contains(t, got[0], "client.Get(srv.URL + path)", got[0])
				}
			})
		}
	}
}

// TestHTTP2Held: what the server's own side shows of a client that leaks streams.
func TestHTTP2Held(t *testing.T) {
	srv := New(t, HTTP2())
	srv.On("GET", "/small").Reply(ALB(403))
	srv.On("GET", "/stall/{n}").Reply(Text(403, "0123456789").Fault(StallAfter(4)))
	srv.On("GET", "/large").Reply(Text(200, strings.Repeat("x", 8<<20)))
	ft := &fakeT{}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: srv.TLSClientConfig(), ForceAttemptHTTP2: true}}
	httpcheck.Verify(ft, client)
	assert.Empty(t, srv.Held(client))
	var leaked []io.Closer
	for _, path := range []string{"/stall/1", "/small", "/large", "/stall/2", "/small"} {
		resp, err := client.Get(srv.URL + path)
		require.NoError(t, err)
		leaked = append(leaked, resp.Body)
	}
	assert.Empty(t, srv.Suspects())
	var got []string
	for _, l := range srv.Held(client) {
		assert.Equal(t, leakcheck.HTTPResponse, l.Kind)
		assert.Equal(t, "client.Get(srv.URL + path)", strings.TrimPrefix(strings.TrimSpace(l.Site.Source), "resp, err := "))
		require.Len(t, l.Holds, 1)
		assert.Contains(t, l.Holds[0], "a stream of the connection 127.0.0.1:")
		got = append(got, l.Summary)
	}
	assert.Equal(t, []string{
		"conn 1, stream 1: GET /stall/1 403 Text(403).Fault(StallAfter(4)) 10 B, not sent to its end, the client still holds it",
		"conn 1, stream 5: GET /large 200 Text(200) 8388608 B, not sent to its end, the client still holds it",
		"conn 1, stream 7: GET /stall/2 403 Text(403).Fault(StallAfter(4)) 10 B, not sent to its end, the client still holds it",
	}, got)
	for _, b := range leaked {
		b.Close()
	}
	assert.Empty(t, srv.Held(client))
}

// TestTLSLeakcheck: the same over HTTP/1.1 with TLS, where an unclosed small body is seen.
func TestTLSLeakcheck(t *testing.T) {
	srv := New(t, TLS())
	srv.On("GET", "/").Reply(ALB(403))
	silent, half := dialServer(t, srv), dialServer(t, srv)
	eventually(t, func() bool { return len(srv.Conns()) == 2 })
	for _, leak := range []bool{false, true} {
		ft := &fakeT{}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: srv.TLSClientConfig()}}
		verify := httpcheck.Verify(ft, client)
		fmt.Fprint(half, "\x16") // a handshake that has begun is the server's affair
		resp, err := client.Get(srv.URL)
		require.NoError(t, err)
		if !leak {
			resp.Body.Close()
		}
		verify()
		resp.Body.Close()
		client.CloseIdleConnections()
		if !leak {
			assert.Empty(t, ft.failures())
			continue
		}
		require.Len(t, ft.failures(), 1)
		assert.Contains(t, ft.failures()[0], "leakcheck: 1 leak: response body of GET /")
		assert.Contains(t, ft.failures()[0], "client.Get(srv.URL)")
	}
	silent.Close()
}
