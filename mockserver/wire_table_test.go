package mockserver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sends is a fault that sends these bytes in place of the reply and keeps the connection.
func sends(text string) WireFault {
	return wireFunc(func(w *Wire) {
		w.Write([]byte(text))
		w.Finish()
	})
}

// sendsAndEnds is a fault that sends these bytes in place of the reply and ends the connection.
func sendsAndEnds(text string) WireFault {
	return wireFunc(func(w *Wire) {
		w.Write([]byte(text))
		w.HalfClose()
	})
}

// TestWireTable is what net/http's client makes of each behaviour on the wire: what Do returns, what reading the body
// returns, and what the client still holds after CloseIdleConnections, with three habits: it reads and closes, it only
// closes, it does neither. How many connections it dials is not compared: from Go 1.27 on it drains what it closes.
func TestWireTable(t *testing.T) {
	t.Parallel()
	page := ALB(403)
	raw403 := "HTTP/1.1 403 Forbidden\r\n"
	big := strings.Repeat("x", 8<<20)
	const hangs = "hangs" // until the request is cancelled
	for _, c := range []struct {
		name   string
		reply  Reply
		method string // GET when empty

		fails string // what the error of Do ends with, when there is one
		is    error  // what the error of Do, or else of reading, is

		code int
		body string
		read string // what the error of reading ends with; hangs; "" for none

		stray bool // bytes come after the reply, so the client closes the connection when it sees them

		held  bool      // what is neither read nor closed holds its connection
		state ConnState // in which the server has it then
	}{
		{name: "Content-Length", reply: page, code: 403, body: page403, held: true, state: ConnIdle},
		{name: "chunked", reply: page.Framing(Chunked), code: 403, body: page403, held: true, state: ConnIdle},
		{name: "chunked, terminator late", reply: page.Framing(ChunkedLate), code: 403, body: page403, held: true, state: ConnIdle},
		{name: "chunked, empty", reply: Text(403, ""), code: 403, held: true, state: ConnIdle},
		{name: "chunked with trailers", reply: page.Trailer("X-Sum", "1"), code: 403, body: page403, held: true, state: ConnIdle},
		{name: "Content-Length and chunked", reply: Fault(sends(raw403 + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n")),
			code: 403, body: "body", held: true, state: ConnIdle},
		{name: "Content-Length: 0", reply: page.Framing(Empty), code: 403},
		{name: "Content-Length too large, then the end", reply: page.Fault(WrongLength(500)), code: 403, body: page403, read: "unexpected EOF", is: io.ErrUnexpectedEOF, held: true, state: ConnClosing},
		{name: "Content-Length too large, then nothing", reply: page.Length(500), code: 403, body: page403, read: hangs, held: true, state: ConnIdle},
		{name: "Content-Length too small", reply: page.Length(50), stray: true, code: 403, body: page403[:50], held: true, state: ConnIdle},
		{name: "Content-Length too small, then the end", reply: page.Fault(WrongLength(50)), stray: true, code: 403, body: page403[:50], held: true, state: ConnClosing},
		{name: "body cut off", reply: page.Fault(TruncateAfter(50)), code: 403, body: page403[:50], read: "unexpected EOF", is: io.ErrUnexpectedEOF, held: true, state: ConnClosing},
		{name: "chunk cut off", reply: page.Framing(Chunked).Fault(TruncateAfter(50)), code: 403, body: page403[:50], read: "unexpected EOF", is: io.ErrUnexpectedEOF, held: true, state: ConnClosing},
		{name: "no last chunk, then the end", reply: page.Framing(Chunked).Fault(TruncateAfter(118)), code: 403, body: page403, read: "unexpected EOF", is: io.ErrUnexpectedEOF, held: true, state: ConnClosing},
		{name: "no last chunk, then nothing", reply: page.Framing(Chunked).Fault(StallAfter(118)), code: 403, body: page403, read: hangs, held: true, state: ConnActive},
		{name: "chunk size that is no number", reply: Fault(sendsAndEnds(raw403 + "Transfer-Encoding: chunked\r\n\r\nzz\r\n")), code: 403, read: "invalid byte in chunk length", held: true, state: ConnClosing},
		{name: "garbage for a chunk", reply: Fault(MalformedChunk), code: 200, read: "unexpected EOF", is: io.ErrUnexpectedEOF, held: true, state: ConnClosing},
		{name: "no length, then the end", reply: page.Framing(UntilClose), code: 403, body: page403, held: true, state: ConnClosing},
		{name: "HTTP/1.0, then the end", reply: Fault(sendsAndEnds("HTTP/1.0 403 Forbidden\r\n\r\nbody")), code: 403, body: "body", held: true, state: ConnClosing},
		{name: "no length, then nothing", reply: page.NoLength(), code: 403, body: page403, read: hangs, held: true, state: ConnIdle},
		{name: "headers, then nothing", reply: page.Fault(StallAfter(0)), code: 403, read: hangs, held: true, state: ConnActive},
		{name: "half a body, then nothing", reply: page.Fault(StallAfter(50)), code: 403, body: page403[:50], read: hangs, held: true, state: ConnActive},
		{name: "trickle", reply: Text(403, "0123456789").Trickle(1, time.Millisecond), code: 403, body: "0123456789", held: true, state: ConnIdle},
		{name: "stream without an end", reply: Stream("text/event-stream", time.Hour, "data: 1\n\n"), code: 200, body: "data: 1\n\n", read: hangs, held: true, state: ConnActive},
		{name: "HEAD", reply: page, method: "HEAD", code: 403},
		{name: "204", reply: Status(204), code: 204},
		{name: "304 with a length", reply: Status(304).Length(118), code: 304},
		{name: "HEAD with a body", reply: Fault(sends(raw403 + "Content-Length: 4\r\n\r\nbody")), method: "HEAD", stray: true, code: 403},
		{name: "204 with a body", reply: Fault(sends("HTTP/1.1 204 No Content\r\n\r\nbody")), stray: true, code: 204},
		{name: "304 with a body", reply: Fault(sends("HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nbody")), stray: true, code: 304},
		{name: "redirect that is not followed", reply: Redirect(302, "/elsewhere"), code: 302, body: string(Redirect(302, "/elsewhere").body), held: true, state: ConnIdle},
		{name: "20 early hints", reply: page.Fault(Flood1xx(20)), code: 403, body: page403, held: true, state: ConnIdle},
		{name: "100,000 early hints and more", reply: page.Fault(Flood1xx(1 << 30)), fails: "server response headers exceeded 10485760 bytes; aborted"},
		{name: "11 MiB of headers", reply: page.Fault(HugeHeader), fails: "server response headers exceeded 10485760 bytes; aborted"},
		{name: "end before any byte", reply: Fault(EmptyResponse), fails: "EOF", is: io.EOF},
		{name: "reset before any byte", reply: Fault(ConnectionReset), fails: "connection reset by peer", is: syscall.ECONNRESET},
		{name: "reset in the headers", reply: Fault(wireFunc(func(w *Wire) { w.Write([]byte(raw403 + "Content-Le")); w.Reset() })), fails: `missing colon: "Content-Le"`},
		{name: "reset in the body", reply: page.Fault(ResetAfter(50)), code: 403, body: page403[:50], read: "connection reset by peer", is: syscall.ECONNRESET}, // see TestResetHoldsTheSlot
		{name: "garbage, then the end", reply: Fault(RandomThenClose), fails: `malformed HTTP response "` + garbage + `"`},
		{name: "status that is no number", reply: Fault(GarbageStatus), fails: `malformed HTTP status code "abc"`},
		{name: "two lengths", reply: Fault(sends(raw403 + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody")), fails: "message cannot contain multiple Content-Length headers; got [\"4\" \"5\"]"},
		{name: "empty length", reply: Fault(sends(raw403 + "Content-Length: \r\n\r\nbody")), fails: `invalid empty Content-Length ""`},
		{name: "unknown transfer encoding", reply: Fault(sends(raw403 + "Transfer-Encoding: gzip\r\n\r\nbody")), fails: `unsupported transfer encoding: "gzip"`},
		{name: "compressed", reply: Text(403, big).Gzip(), code: 403, body: big, held: true, state: ConnIdle},
		{name: "compressed, it says", reply: page.Header("Content-Encoding", "gzip"), code: 403, read: "gzip: invalid header", held: true, state: ConnIdle},
		{name: "end after the reply", reply: page.Fault(HalfClose), code: 403, body: page403, held: true, state: ConnClosing},
		{name: "end 20 ms after the reply", reply: page.Fault(wireFunc(func(w *Wire) { w.Send(); w.Wait(20 * time.Millisecond); w.HalfClose() })), code: 403, body: page403, held: true, state: ConnClosing},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.method == "" {
				c.method = "GET"
			}
			for _, habit := range []string{"full", "close", "leak"} {
				t.Run(habit, func(t *testing.T) {
					t.Parallel()
					srv := New(t)
					srv.On("", "/").Reply(c.reply)
					client := newClient(t)
					client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
					const requests = 3
					for range requests {
						ctx, cancel := context.WithCancel(context.Background())
						defer cancel()
						req, err := http.NewRequestWithContext(ctx, c.method, srv.URL, nil)
						require.NoError(t, err)
						resp, err := client.Do(req)
						if c.fails != "" {
							require.Error(t, err)
							require.True(t, strings.HasSuffix(err.Error(), c.fails), "%v", err)
							if c.is != nil {
								require.ErrorIs(t, err, c.is)
							}
							continue
						}
						require.NoError(t, err)
						require.Equal(t, c.code, resp.StatusCode)
						defer resp.Body.Close()
						switch habit {
						case "full":
							got := make([]byte, len(c.body))
							_, err := io.ReadFull(resp.Body, got)
							require.NoError(t, err)
							require.Equal(t, c.body, string(got))
							if c.read == hangs {
								time.AfterFunc(20*time.Millisecond, cancel)
							}
							rest, err := io.ReadAll(resp.Body)
							require.Empty(t, rest)
							switch {
							case c.read == "":
								require.NoError(t, err)
							case c.read == hangs:
								require.ErrorIs(t, err, context.Canceled)
							default:
								require.Error(t, err)
								require.True(t, strings.HasSuffix(err.Error(), c.read), "%v", err)
							}
							if c.is != nil {
								require.ErrorIs(t, err, c.is)
							}
							resp.Body.Close()
						case "close":
							resp.Body.Close()
						}
						if c.stray && (habit != "leak" || !c.held) {
							// A request that is quicker would meet them in place of its own reply.
							eventually(t, func() bool { return open(srv) == 0 })
						}
					}
					client.CloseIdleConnections()
					if habit != "leak" || !c.held {
						eventually(t, func() bool { client.CloseIdleConnections(); return open(srv) == 0 })
						return
					}
					inState := func() bool {
						n := 0
						for _, conn := range srv.Conns() {
							if conn.State == c.state {
								n++
							}
						}
						return n == requests
					}
					eventually(t, inState)
					time.Sleep(50 * time.Millisecond) // time to close what the client does not hold
					require.True(t, inState(), "%+v", srv.Conns())
				})
			}
		})
	}
}

// After a reset the kernel has no socket any more, and the server no connection. The client holds its descriptor, two
// goroutines, and the place that MaxConnsPerHost counts.
func TestResetHoldsTheSlot(t *testing.T) {
	t.Parallel()
	srv := New(t)
	srv.On("GET", "/").Reply(ALB(403).Fault(ResetAfter(50)))
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	t.Cleanup(client.CloseIdleConnections)
	resp, err := client.Get(srv.URL)
	require.NoError(t, err)
	eventually(t, func() bool { return open(srv) == 0 })
	client.CloseIdleConnections()

	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", srv.URL, nil)
	require.NoError(t, err)
	_, err = client.Do(req)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	resp.Body.Close()
	resp, err = client.Get(srv.URL)
	require.NoError(t, err, "the place is free")
	resp.Body.Close()
}

// A 101 that was not asked for is a connection that only Close of the body ends: no goroutine has it, and the end of the
// request's context changes nothing.
func TestUnaskedUpgrade(t *testing.T) {
	t.Parallel()
	srv := New(t)
	srv.On("GET", "/").Reply(Fault(wireFunc(func(w *Wire) {
		w.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: none\r\n\r\n"))
		w.Stall()
	})))
	client := newClient(t)
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, "GET", srv.URL, nil)
	require.NoError(t, err)
	resp, err := client.Do(req)
	require.NoError(t, err)
	require.Equal(t, 101, resp.StatusCode)
	assert.Implements(t, (*io.ReadWriteCloser)(nil), resp.Body)
	cancel()
	client.CloseIdleConnections()
	time.Sleep(50 * time.Millisecond)
	assert.Equal(t, 1, open(srv))
	resp.Body.Close()
	eventually(t, func() bool { return open(srv) == 0 })
}

// Where no response comes, the client's timeouts end the wait, and it holds nothing.
func TestClientTimeouts(t *testing.T) {
	t.Parallel()
	srv := New(t)
	srv.On("GET", "/silent").Reply(Status(200).Delay(time.Hour))
	srv.On("GET", "/half").Reply(Fault(wireFunc(func(w *Wire) { w.Write([]byte("HTTP/1.1 4")); w.Stall() })))
	srv.On("GET", "/body").Reply(ALB(403).Fault(StallAfter(50)))

	client := &http.Client{Transport: &http.Transport{ResponseHeaderTimeout: 50 * time.Millisecond}}
	for _, path := range []string{"/silent", "/half"} {
		_, err := client.Get(srv.URL + path)
		require.Error(t, err)
		assert.True(t, strings.HasSuffix(err.Error(), "net/http: timeout awaiting response headers"), "%v", err)
	}
	client.CloseIdleConnections()

	// On a busy machine the header too may take longer than the timeout, which is then to be longer.
	client = newClient(t)
	client.Timeout = 250 * time.Millisecond
	header := func() *http.Response {
		for {
			client.Timeout *= 2
			resp, err := client.Get(srv.URL + "/body")
			if err == nil {
				return resp
			}
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Less(t, client.Timeout, 20*time.Second)
		}
	}
	resp := header()
	_, err := io.ReadAll(resp.Body)
	require.EqualError(t, err, "context deadline exceeded (Client.Timeout or context cancellation while reading body)")
	resp.Body.Close()
	client.CloseIdleConnections()
	eventually(t, func() bool { return open(srv) == 0 })

	// The timeout also ends what a leak holds, and so hides it from a suite that waits.
	client.Timeout /= 2
	resp = header()
	eventually(t, func() bool { return open(srv) == 0 })
	resp.Body.Close()
}

// A redirect that is followed is closed by the client itself, whatever the length of its body.
func TestRedirectFollowed(t *testing.T) {
	t.Parallel()
	srv := New(t)
	srv.On("GET", "/short").Reply(Redirect(302, "/end"))
	srv.On("GET", "/long").Reply(Text(302, strings.Repeat("x", 5000)).Header("Location", "/end"))
	srv.On("GET", "/end").Reply(Text(200, "end"))
	client := newClient(t)
	for _, path := range []string{"/short", "/long"} {
		assert.Equal(t, "200 end", read(client, "GET", srv.URL+path, ""))
	}
	client.CloseIdleConnections()
	eventually(t, func() bool { return open(srv) == 0 })
}

// What a client does when a connection that it used before is closed, or reset, in place of a reply: it repeats what is
// safe to repeat.
func TestReusedConnectionEnds(t *testing.T) {
	t.Parallel()
	for _, f := range []WireFault{EmptyResponse, ConnectionReset} {
		for _, c := range []struct {
			method, key string
			repeated    bool
		}{{"GET", "", true}, {"POST", "", false}, {"PUT", "", false}, {"POST", "a key", true}} {
			t.Run(f.String()+" "+c.method+" "+c.key, func(t *testing.T) {
				t.Parallel()
				srv := New(t)
				stub := srv.On("", "/").Reply(Text(200, "first").Then(Fault(f), Text(200, "again").Times(1)))
				client := newClient(t)
				require.Equal(t, "200 first", read(client, "GET", srv.URL, ""))
				req, err := http.NewRequest(c.method, srv.URL, nil)
				require.NoError(t, err)
				if c.key != "" {
					req.Header.Set("Idempotency-Key", c.key)
				}
				reused := false
				req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = reused || i.Reused }}))
				resp, err := client.Do(req)
				require.True(t, reused)
				if !c.repeated {
					require.Error(t, err)
					assert.True(t, errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET), "%v", err)
					read(client, "GET", srv.URL, "")
				} else {
					require.NoError(t, err)
					b, err := io.ReadAll(resp.Body)
					require.NoError(t, err)
					resp.Body.Close()
					assert.Equal(t, "again", string(b))
				}
				assert.Equal(t, 3, stub.served)
			})
		}
	}
}

// A server that says 408 on an idle connection and closes it: the client is silent about it, and dials again.
func TestIdle408(t *testing.T) {
	t.Parallel()
	srv := New(t)
	ended := make(chan struct{})
	srv.On("GET", "/").Reply(Text(200, "first").Fault(wireFunc(func(w *Wire) {
		w.Send()
		w.Wait(20 * time.Millisecond)
		w.Write([]byte("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
		w.HalfClose()
		close(ended)
	})).Then(Text(200, "second")))
	client := newClient(t)
	require.Equal(t, "200 first", read(client, "GET", srv.URL, ""))
	<-ended
	eventually(t, func() bool { return open(srv) == 0 })
	require.Equal(t, "200 second", read(client, "GET", srv.URL, ""))
	assert.Len(t, srv.Conns(), 2)
}
