package mockserver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/http2"
)

// TestHTTP2Wire compares every frame of each kind of reply and fault. Read testdata/http2.txt to see what is sent.
func TestHTTP2Wire(t *testing.T) {
	t.Parallel()
	page := Text(403, "0123456789").Header("X-Name", "V")
	handler := func(h http.HandlerFunc) Reply { return Handler(h) }
	var out strings.Builder
	for _, c := range []struct {
		name, why string // why the case is worth its place
		method    string
		reply     Reply
		until     string // the line that is the last one, where the connection goes on
	}{
		{"page", "names in lower case, neither Connection nor a reason", "GET", ALB(403), "DATA"},
		{"page that closes the connection", "GOAWAY is what HTTP/2 has for Connection: close", "GET", ALB(400), "FIN"},
		{"headers that HTTP/2 has not", "a client takes such a reply for malformed", "GET",
			page.Header("Connection", "Upgrade").Header("Upgrade", "h2c").Header("Keep-Alive", "timeout=5").Header("Proxy-Connection", "x"), "DATA"},
		{"ContentLength", "the body's last frame ends the stream", "GET", page, "DATA"},
		{"Chunked", "no length, and no Transfer-Encoding", "GET", page.Framing(Chunked), "DATA"},
		{"ChunkedLate", "the end comes in a frame of its own", "GET", page.Framing(ChunkedLate), "DATA 1  END"},
		{"UntilClose", "no length, and GOAWAY, which is the end when the reply is sent", "GET", page.Framing(UntilClose), "FIN"},
		{"Empty", "the head ends the stream", "GET", page.Framing(Empty), "HEADERS"},
		{"empty and chunked", "as a client sees it, a body", "GET", Text(403, ""), "DATA"},
		{"HEAD", "a length, and no body", "HEAD", page, "HEADERS"},
		{"204", "no body whatever the text", "GET", Text(204, "text"), "HEADERS"},
		{"304", "no body whatever the text", "GET", Text(304, "text"), "HEADERS"},
		{"trailers", "HEADERS behind the body end the stream", "GET", page.Trailer("Sum", "1"), "HEADERS 1 sum"},
		{"trailers and late", "both", "GET", page.Trailer("Sum", "1").Framing(ChunkedLate), "HEADERS 1 sum"},
		{"trailers to HEAD", "there are none", "HEAD", page.Trailer("Sum", "1"), "HEADERS"},
		{"early", "a 1xx in front of the head", "GET", page.Early(103, "Link", "</a>"), "DATA"},
		{"trickle", "one frame for each piece", "GET", page.Trickle(4, time.Millisecond), "DATA 1 89"},
		{"delay", "nothing comes before", "GET", page.Delay(time.Millisecond), "DATA"},
		{"Length", "a length that is wrong, on a stream that ends", "GET", page.Length(99), "DATA"},
		{"NoLength", "the end never comes", "GET", page.NoLength(), "DATA"},
		{"KeepAlive(false)", "GOAWAY", "GET", page.KeepAlive(false), "FIN"},
		{"stream", "the chunks again and again", "GET", Stream("text/plain", time.Millisecond, "a", "bc"), "DATA 1 bc"},
		{"large", "frames of 16 KiB", "GET", Text(200, strings.Repeat("x", 40_000)), "DATA 1 (7232"},
		{"template", "settled for the request", "GET", Template(200, "text/plain", "{{.Method}} {{.Path}}"), "DATA"},
		{"handler", "as net/http's server does it", "GET", handler(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Proto", r.Proto)
			fmt.Fprint(w, "text")
		}), "DATA"},
		{"handler that writes nothing", "the head ends the stream", "GET", handler(func(http.ResponseWriter, *http.Request) {}), "HEADERS"},
		{"handler that flushes", "what it flushed is sent before it goes on", "GET", handler(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(404)
			w.(http.Flusher).Flush()
			fmt.Fprint(w, "a")
			w.(http.Flusher).Flush()
			fmt.Fprint(w, "b")
		}), "DATA 1  END"},
		{"handler with trailers", "announced, and with the prefix", "GET", handler(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "Sum")
			fmt.Fprint(w, "text")
			w.Header().Set("Sum", "1")
			w.Header().Set(http.TrailerPrefix+"Late", "2")
		}), "HEADERS 1 sum"},
		{"handler that is told to hint", "a 1xx", "GET", handler(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</a>")
			w.WriteHeader(103)
			w.WriteHeader(204)
		}), "HEADERS 1 :status: 204"},
		{"handler to HEAD", "a length, and no body", "HEAD", handler(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "text") }), "HEADERS"},
		{"handler that aborts", "what net/http's server sends", "GET", handler(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), "RST_STREAM"},
		{"recorded handler", "changed before it is sent", "GET", handler(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "text") }).Header("X", "y"), "DATA"},

		{"ConnectionReset", "a RST of TCP", "GET", Fault(ConnectionReset), "RST"},
		{"EmptyResponse", "the end of the connection", "GET", Fault(EmptyResponse), "FIN"},
		{"ResetStream", "RST_STREAM in place of a head", "GET", Fault(ResetStream), "RST_STREAM"},
		{"RefuseStream", "RST_STREAM with the code that says: again", "GET", Fault(RefuseStream), "RST_STREAM"},
		{"GoAway", "the stream is above last, and the connection ends", "GET", Fault(GoAway), "FIN"},
		{"ResetAfter", "RST_STREAM in the body", "GET", page.Fault(ResetAfter(4)), "RST_STREAM"},
		{"ResetAfter(0)", "behind the head", "GET", page.Fault(ResetAfter(0)), "RST_STREAM"},
		{"StallAfter", "END_STREAM never comes", "GET", page.Fault(StallAfter(4)), "DATA"},
		{"TruncateAfter", "the end of the connection in the body", "GET", page.Fault(TruncateAfter(4)), "FIN"},
		{"WrongLength, too long", "END_STREAM before the length is reached", "GET", page.Fault(WrongLength(99)), "DATA"},
		{"WrongLength, too short", "more than the length says", "GET", page.Fault(WrongLength(4)), "DATA"},
		{"HalfClose", "the end of the connection behind a whole reply", "GET", page.Fault(HalfClose), "FIN"},
		{"MalformedChunk", "bytes that are no frame behind the head", "GET", page.Fault(MalformedChunk), "FIN"},
		{"RandomThenClose", "bytes that are no frame", "GET", Fault(RandomThenClose), "FIN"},
		{"GarbageStatus", "a :status without a number", "GET", page.Fault(GarbageStatus), "DATA"},
		{"Flood1xx", "1xx in front of the head", "GET", page.Fault(Flood1xx(2)), "DATA"},
		{"HugeHeader", "a header block of 11 MiB", "GET", page.Fault(HugeHeader), "DATA"},
		{"EndlessBody", "DATA without end", "GET", page.Fault(EndlessBody), "DATA"},
	} {
		fmt.Fprintf(&out, "== %s: %s\n", c.name, c.why)
		ft := &fakeT{}
		srv := New(ft, HTTP2())
		t.Cleanup(srv.Close)
		srv.On("GET", "/x").Reply(c.reply)
		p := h2dial(t, srv)
		p.request(1, c.method, "/x", "-")
		got := ""
		if c.until == "FIN" || c.until == "RST" {
			got = p.until(func(string) bool { return false })
		} else {
			got = p.upTo(c.until)
		}
		// A huge header is many frames that look the same.
		if lines := strings.SplitAfter(got, "\n"); len(lines) > 100 {
			got = strings.Join(lines[:2], "") + fmt.Sprintf("and %d more\n", len(lines)-6) + strings.Join(lines[len(lines)-4:], "")
		}
		out.WriteString(got + "\n")
		if c.until != "FIN" && c.until != "RST" && !strings.Contains(c.name, "tream") && c.name != "EndlessBody" {
			assert.Empty(t, p.sync(), "%s: nothing more comes, and the connection is alive", c.name)
		}
		ft.end()
		assert.Empty(t, ft.failures(), c.name)
		assert.Empty(t, ft.logged(), c.name)
		assert.Zero(t, running(srv), c.name)
	}
	golden(t, filepath.Join("testdata", "http2.txt"), out.String())
}

func TestHTTP2Requests(t *testing.T) {
	t.Parallel()
	ft := &fakeT{}
	srv := New(ft, HTTP2(), withBodyWait(50*time.Millisecond), withMaxBody(10_000))
	t.Cleanup(srv.Close)
	srv.On("", "/echo").Reply(Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %d %q %v %v %v", r.Method, r.Proto, r.Host, r.ContentLength, b, r.Header, r.Trailer, r.TLS != nil)
	})))
	srv.On("POST", "/ok").Reply(Text(200, "ok"))
	p := h2dial(t, srv)
	last := func() Request { all := srv.Requests(); return all[len(all)-1] }

	p.request(1, "GET", "/echo", "-", http2.Field{Name: "cookie", Value: "a=1"}, http2.Field{Name: "x-a", Value: "1"}, http2.Field{Name: "cookie", Value: "b=2"})
	p.upTo("HEADERS 1 :status: 200")
	assert.Equal(t, "DATA 1 (64 bytes) END_STREAM\n", p.upTo("DATA"))
	assert.Equal(t, http.Header{"Cookie": {"a=1; b=2"}, "X-A": {"1"}}, last().Header)
	assert.Equal(t, 1, last().Stream)
	assert.Equal(t, 200, last().Status)

	// A body in parts, with trailers.
	p.send(
		http2.Frame{Type: http2.FrameHeaders, Flags: http2.FlagEndHeaders, Stream: 3, Payload: http2.AppendFields(nil, []http2.Field{
			{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: "/ok?q=1"}, {Name: "host", Value: "other"}})},
		http2.Frame{Type: http2.FrameData, Stream: 3, Payload: []byte("ab")},
		http2.Frame{Type: http2.FrameData, Stream: 3, Payload: []byte("cd")},
		http2.Frame{Type: http2.FrameHeaders, Flags: http2.FlagEndHeaders | http2.FlagEndStream, Stream: 3, Payload: http2.AppendFields(nil, []http2.Field{{Name: "sum", Value: "4"}})},
	)
	p.upTo("DATA 3")
	assert.Equal(t, "abcd", string(last().Body))
	assert.Equal(t, "other", last().Host)
	assert.Equal(t, "1", last().Query.Get("q"))

	// 100-continue.
	p.send(http2.Frame{Type: http2.FrameHeaders, Flags: http2.FlagEndHeaders, Stream: 5, Payload: http2.AppendFields(nil, []http2.Field{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: "/ok"}, {Name: "expect", Value: "100-continue"}})})
	assert.Equal(t, "HEADERS 5 :status: 100,\n", p.upTo("HEADERS"))
	p.send(http2.Frame{Type: http2.FrameData, Flags: http2.FlagEndStream, Stream: 5, Payload: []byte("x")})
	p.upTo("DATA 5")

	// A body that stops coming is answered, and the client told not to go on.
	p.send(http2.Frame{Type: http2.FrameHeaders, Flags: http2.FlagEndHeaders, Stream: 7, Payload: http2.AppendFields(nil, []http2.Field{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: "/ok"}})})
	assert.Contains(t, p.upTo("RST_STREAM"), ":status: 408")
	assert.EqualError(t, last().Err, "nothing came for 50ms in the middle of the body")
	assert.Equal(t, 408, last().Status)

	// A body that is longer than the server reads.
	p.request(9, "POST", "/ok", strings.Repeat("x", 12_000))
	assert.Contains(t, p.upTo("DATA 9"), ":status: 200")
	p.send(http2.Frame{Type: http2.FrameHeaders, Flags: http2.FlagEndHeaders, Stream: 11, Payload: http2.AppendFields(nil, []http2.Field{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: "/ok"}})},
		http2.Frame{Type: http2.FrameData, Stream: 11, Payload: bytes.Repeat([]byte("x"), 12_000)})
	assert.True(t, strings.HasSuffix(p.upTo("RST_STREAM"), "RST_STREAM 11 NO_ERROR\n"), "the reply is there, so the rest is not wanted")

	// A client that goes away in the middle of its request.
	n := len(srv.Requests())
	p.send(http2.Frame{Type: http2.FrameHeaders, Flags: http2.FlagEndHeaders, Stream: 13, Payload: http2.AppendFields(nil, []http2.Field{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: "/ok"}})})
	p.reset(13)
	eventually(t, func() bool { return len(srv.Requests()) == n+1 })
	assert.EqualError(t, last().Err, "reading the body: HTTP/2 stream 13: the client reset it with CANCEL")

	// What is none is recorded, and the connection goes on.
	p.request(15, "GET", "no-path", "-")
	assert.Equal(t, "RST_STREAM 15 PROTOCOL_ERROR\n", p.upTo("RST_STREAM"))
	assert.EqualError(t, last().Err, `HTTP/2 stream 15: PROTOCOL_ERROR: :path is "no-path"`)
	assert.Equal(t, "GET", last().Method)
	p.request(17, "GET", "/%zz", "-")
	assert.Contains(t, p.upTo("DATA 17"), ":status: 400")
	assert.ErrorContains(t, last().Err, "invalid URL escape")

	conn := srv.Conns()[0]
	assert.Equal(t, ConnIdle, conn.State)
	assert.Zero(t, conn.Streams)
	assert.NoError(t, conn.Err)
	assert.Empty(t, ft.failures())

	// Unmatched requests fail the test as they do over HTTP/1.
	p.request(19, "GET", "/nope", "-")
	p.upTo("DATA 19")
	assert.Len(t, ft.failures(), 1)
	assert.Contains(t, ft.failures()[0], "mockserver: unexpected request GET /nope: no stub matches, answered 501\n\tnearest: ")

	// A mistake that ends the connection.
	p.send(http2.Frame{Type: http2.FrameData, Stream: 99})
	assert.Equal(t, "GOAWAY 0 last=19 PROTOCOL_ERROR a DATA frame on stream 99, which nobody has begun\nFIN\n", p.until(func(string) bool { return false }))
	assert.EqualError(t, last().Err, "HTTP/2 connection error PROTOCOL_ERROR: a DATA frame on stream 99, which nobody has begun")
	conn = srv.Conns()[0]
	assert.Equal(t, ConnClosing, conn.State)
	assert.Equal(t, last().Err, conn.Err)
	ft.end()
	assert.Zero(t, running(srv))
}

func TestHTTP2HeadersTooLarge(t *testing.T) {
	t.Parallel()
	srv := New(t, HTTP2())
	p := h2dial(t, srv)
	// 4 KB in the table, and a byte for each time that it comes again.
	block := http2.AppendFields(nil, []http2.Field{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: "/"}})
	block = append(block, 0x40, 1, 'a', 0x7f, 0xa1, 0x1e) // 4000
	block = append(block, strings.Repeat("x", 4000)...)
	block = append(block, strings.Repeat("\xbe", 300)...)
	p.send(http2.Frame{Type: http2.FrameHeaders, Flags: http2.FlagEndHeaders | http2.FlagEndStream, Stream: 1, Payload: block})
	assert.Contains(t, p.upTo("DATA"), ":status: 431")
	assert.Equal(t, errHeaderTooLarge, srv.Requests()[0].Err)
}

// TestHTTP2Concurrent: requests do not wait for each other, and Conns shows how many are open.
func TestHTTP2Concurrent(t *testing.T) {
	t.Parallel()
	srv := New(t, HTTP2())
	srv.On("GET", "/slow").Reply(Text(200, "slow").Delay(time.Hour))
	srv.On("GET", "/stall").Reply(Text(200, "stall").Fault(StallAfter(2)))
	srv.On("GET", "/fast").Reply(Text(200, "fast"))
	p := h2dial(t, srv)
	p.request(1, "GET", "/slow", "-")
	p.request(3, "GET", "/stall", "-")
	p.upTo("DATA 3 st")
	p.request(5, "GET", "/fast", "-")
	p.upTo("DATA 5 fast END_STREAM")
	eventually(t, func() bool { return len(srv.Requests()) == 3 })
	conn := srv.Conns()[0]
	assert.Equal(t, ConnActive, conn.State)
	assert.Equal(t, 2, conn.Streams)
	assert.Equal(t, 3, conn.Requests)
	assert.Zero(t, conn.IdleFor)
	p.reset(1)
	p.reset(3)
	assert.Empty(t, p.sync())
	conn = srv.Conns()[0]
	assert.Equal(t, ConnIdle, conn.State)
	assert.Zero(t, conn.Streams)
}

// TestHTTP2Handler has what a handler sees that the wire does not show.
func TestHTTP2Handler(t *testing.T) {
	t.Parallel()
	ft := &fakeT{}
	srv := New(ft, HTTP2())
	t.Cleanup(srv.Close)
	begun, ended := make(chan bool, 1), make(chan error, 1)
	srv.On("GET", "/wait/{id}").Reply(Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		assert.NoError(t, http.NewResponseController(w).Flush())
		assert.Equal(t, "7", r.PathValue("id"))
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		assert.NoError(t, ctx.Err())
		begun <- true
		<-ctx.Done()
		ended <- ctx.Err()
		_, err := io.WriteString(w, strings.Repeat("x", 4000))
		assert.Error(t, err)
	})))
	srv.On("GET", "/panic").Reply(Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oops") })))
	srv.On("GET", "/length").Reply(Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "2")
		_, err := io.WriteString(w, "abc")
		assert.ErrorIs(t, err, http.ErrContentLength)
		io.WriteString(w, "ab")
	})))
	p := h2dial(t, srv)
	p.request(1, "GET", "/wait/7", "-")
	assert.Contains(t, p.upTo("HEADERS"), ":status: 200")
	<-begun
	p.reset(1)
	assert.Equal(t, context.Canceled, <-ended)

	p.request(3, "GET", "/length", "-")
	assert.Contains(t, p.upTo("DATA 3 ab END_STREAM"), "content-length: 2")

	p.request(5, "GET", "/panic", "-")
	assert.Equal(t, "RST_STREAM 5 INTERNAL_ERROR\n", p.upTo("RST_STREAM"))
	eventually(t, func() bool { return len(ft.failures()) == 1 })
	assert.Contains(t, ft.failures()[0], "mockserver: request GET /panic (stub GET /panic, http2_test.go:")
	assert.Contains(t, ft.failures()[0], "the handler panicked: oops\n")

	p.request(7, "GET", "/wait/7", "-")
	p.upTo("HEADERS 7")
	<-begun
	go ft.end()
	assert.Equal(t, context.Canceled, <-ended, "Close ends it")
	eventually(t, func() bool { return running(srv) == 0 })
}

// ownFault is a fault of the user's.
type ownFault struct{}

func (ownFault) String() string { return "ownFault{}" }
func (ownFault) Play(w *Wire)   { w.Close() }

// panicFault is one of ours that fails.
type panicFault struct{ ownFault }

func (panicFault) playStream(*streamWire) { panic("oops") }

func TestHTTP2OwnFault(t *testing.T) {
	t.Parallel()
	ft := &fakeT{}
	srv := New(ft, HTTP2())
	t.Cleanup(srv.Close)
	srv.On("GET", "/own").Reply(Text(200, "ok").Fault(ownFault{}))
	srv.On("GET", "/panic").Reply(Text(200, "ok").Fault(panicFault{}))
	got := read(srv.Client(), "GET", srv.URL+"/own", "")
	want := "mockserver: request GET /own (stub GET /own, http2_test.go:{line}): the fault ownFault{} is for HTTP/1 alone, and the request came over HTTP/2, answered 501\n" +
		"\tmake the server without mockserver.HTTP2(), or choose a fault whose comment says what it does over HTTP/2"
	require.Len(t, ft.failures(), 1)
	assert.Equal(t, want, lineNumbers.ReplaceAllString(ft.failures()[0], "_test.go:{line}"))
	assert.Equal(t, "501 "+ft.failures()[0]+"\n", got)
	assert.Equal(t, got, read(srv.Client(), "GET", srv.URL+"/own", ""))
	assert.Len(t, ft.failures(), 1, "once is enough")

	assert.Contains(t, read(srv.Client(), "GET", srv.URL+"/panic", ""), "INTERNAL_ERROR")
	eventually(t, func() bool { return len(ft.failures()) == 2 })
	assert.Contains(t, ft.failures()[1], "the fault ownFault{} panicked: oops")
	ft.end()
}

// TestHTTP2Curl: another implementation than Go's.
func TestHTTP2Curl(t *testing.T) {
	t.Parallel()
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("there is no curl here")
	}
	if out, _ := exec.Command(curl, "--version").Output(); !strings.Contains(string(out), "HTTP2") {
		t.Skip("this curl does not speak HTTP/2")
	}
	srv := New(t, HTTP2(), MutualTLS())
	srv.On("POST", "/x").Reply(
		Text(201, strings.Repeat("x", 300_000)).Trailer("Sum", "1").Early(103, "Link", "</a>"),
		Text(200, "partial").Fault(ResetAfter(3)),
		Fault(ResetStream),
		Fault(GoAway).Times(1), JSON(200, 1))
	dir := t.TempDir()
	ca, key, body := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "client.pem"), filepath.Join(dir, "body")
	writePEM(t, ca, key, srv)
	require.NoError(t, os.WriteFile(body, bytes.Repeat([]byte("b"), 500_000), 0o600))
	run := func(args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		args = append([]string{"-sS", "--http2", "--cacert", ca, "--cert", key, "-d", "@" + body, srv.URL + "/x"}, args...)
		out, err := exec.CommandContext(ctx, curl, args...).CombinedOutput()
		return string(out), err
	}
	out, err := run("-o", "/dev/null", "-w", "%{http_version} %{http_code} %{size_download}")
	require.NoError(t, err, out)
	assert.Equal(t, "2 201 300000", out)
	out, err = run()
	assert.ErrorContains(t, err, "92")
	assert.Contains(t, out, "par")
	assert.Contains(t, out, "INTERNAL_ERROR")
	out, err = run()
	assert.ErrorContains(t, err, "92")
	assert.Contains(t, out, "was not closed cleanly: INTERNAL_ERROR")
	run() // what curl makes of GOAWAY is its own affair
	for _, r := range srv.Requests() {
		assert.Len(t, r.Body, keepBody)
		assert.Equal(t, "HTTP/2.0", r.Proto)
		assert.NoError(t, r.Err)
	}
	for _, c := range srv.Conns() {
		assert.NoError(t, c.Err)
	}
}
