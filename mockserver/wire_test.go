package mockserver

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// net/http logs bytes that come after a reply, and handlers that write too much; both are what is tested here.
func init() { log.SetOutput(io.Discard) }

// wireFunc is a fault of a user's.
type wireFunc func(w *Wire)

func (f wireFunc) String() string { return "wireFunc" }
func (f wireFunc) Play(w *Wire)   { f(w) }

// The ends of a connection as a raw client sees them.
const (
	stays   = "stays open"
	ends    = "FIN"
	byReset = "RST"
)

// talk sends a request on a raw connection, and demands these bytes and this end. A connection stays open when nothing
// comes for a moment.
func talk(t *testing.T, srv *Server, request, want, end string) {
	t.Helper()
	nc := dial(t, srv)
	_, err := io.WriteString(nc, request)
	require.NoError(t, err)
	require.NoError(t, nc.SetReadDeadline(time.Now().Add(30*time.Second)))
	var got bytes.Buffer
	buf := make([]byte, 64<<10)
	for length := len(want) + strings.Count(want, "{date}")*(len(http.TimeFormat)-len("{date}")); err == nil && got.Len() < length; {
		var n int
		n, err = nc.Read(buf)
		got.Write(buf[:n])
	}
	require.Equal(t, want, dated(got.String()), "%v", err)
	if err == nil {
		if end == stays {
			require.NoError(t, nc.SetReadDeadline(time.Now().Add(30*time.Millisecond)))
		}
		var n int
		n, err = nc.Read(buf)
		require.Empty(t, string(buf[:n]))
	}
	switch end {
	case stays:
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	case ends:
		require.Equal(t, io.EOF, err)
	case byReset:
		require.ErrorIs(t, err, syscall.ECONNRESET)
	}
}

func dated(s string) string { return dateLine.ReplaceAllString(s, "Date: {date}") }

const (
	alb403chunked = "HTTP/1.1 403 Forbidden\r\nServer: awselb/2.0\r\nDate: {date}\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"
	text200       = "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Type: text/plain; charset=utf-8\r\n"
)

// TestFaultsOnTheWire reads what each fault sends, byte by byte, and how the connection ends.
func TestFaultsOnTheWire(t *testing.T) {
	t.Parallel()
	json200 := func(n int) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: keep-alive\r\n\r\n", n)
	}
	chunked := "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"
	base := string(faultBody(0))
	hints := strings.Repeat(string(appendHint(nil, floodHint)), 3)
	head := "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"
	http10 := "GET / HTTP/1.0\r\n\r\n"
	for _, c := range []struct {
		name    string
		reply   Reply
		request string
		want    string
		end     string
	}{
		{"EmptyResponse", Fault(EmptyResponse), "", "", ends},
		{"EmptyResponse with the next request", Fault(EmptyResponse), get("/") + get("/"), "", ends},
		{"EmptyResponse after 103", Fault(EmptyResponse).Early(103), "", "HTTP/1.1 103 Early Hints\r\n\r\n", ends},
		{"MalformedChunk", Fault(MalformedChunk), "", chunked + garbage, ends},
		{"MalformedChunk of a page", ALB(403).Fault(MalformedChunk), "", "HTTP/1.1 200 OK\r\nServer: awselb/2.0\r\nDate: {date}\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n" + garbage, ends},
		{"RandomThenClose", Fault(RandomThenClose), "", garbage, ends},
		{"ConnectionReset", Fault(ConnectionReset), "", "", byReset},
		{"ConnectionReset with the next request", Fault(ConnectionReset), get("/") + get("/"), "", byReset},
		{"ConnectionReset after a delay", Fault(ConnectionReset).Delay(time.Millisecond), "", "", byReset},
		{"TruncateAfter", ALB(403).Fault(TruncateAfter(50)), "", alb403 + page403[:50], ends},
		{"TruncateAfter 0", ALB(403).Fault(TruncateAfter(0)), "", alb403, ends},
		{"TruncateAfter in a chunk", ALB(403).Framing(Chunked).Fault(TruncateAfter(50)), "", alb403chunked + "76\r\n" + page403[:50], ends},
		{"TruncateAfter the only chunk", ALB(403).Framing(Chunked).Fault(TruncateAfter(118)), "", alb403chunked + "76\r\n" + page403 + "\r\n", ends},
		{"TruncateAfter before the chunk", ALB(403).Framing(Chunked).Fault(TruncateAfter(0)), "", alb403chunked, ends},
		{"TruncateAfter in the second chunk", ALB(403).Framing(Chunked).Trickle(100, time.Millisecond).Fault(TruncateAfter(110)), "", alb403chunked + "64\r\n" + page403[:100] + "\r\n12\r\n" + page403[100:110], ends},
		{"TruncateAfter until close", ALB(403).Framing(UntilClose).Fault(TruncateAfter(50)), "", strings.Replace(alb403, "Content-Length: 118\r\nConnection: keep-alive", "Connection: close", 1) + page403[:50], ends},
		{"TruncateAfter of its own reply", Fault(TruncateAfter(600)), "", json200(len(faultBody(600))) + string(faultBody(600)[:600]), ends},
		{"TruncateAfter HEAD", ALB(403).Fault(TruncateAfter(50)), head, alb403, ends},
		{"TruncateAfter more than a buffer", Text(200, strings.Repeat("x", 200_000)).Fault(TruncateAfter(150_000)), "", text200 + "Content-Length: 200000\r\nConnection: keep-alive\r\n\r\n" + strings.Repeat("x", 150_000), ends},
		{"ResetAfter", ALB(403).Fault(ResetAfter(50)), "", alb403 + page403[:50], byReset},
		{"ResetAfter the headers", ALB(403).Fault(ResetAfter(0)), "", alb403, byReset},
		{"StallAfter", ALB(403).Fault(StallAfter(50)), "", alb403 + page403[:50], stays},
		{"StallAfter the last byte of a chunk", ALB(403).Framing(Chunked).Fault(StallAfter(118)), "", alb403chunked + "76\r\n" + page403 + "\r\n", stays},
		{"StallAfter with the next request", ALB(403).Fault(StallAfter(0)), get("/") + get("/"), alb403, stays},
		{"HalfClose", ALB(403).Fault(HalfClose), "", alb403 + page403, ends},
		{"HalfClose chunked", ALB(403).Framing(Chunked).Fault(HalfClose), "", alb403chunked + "76\r\n" + page403 + "\r\n0\r\n\r\n", ends},
		{"WrongLength more", Text(200, "body").Fault(WrongLength(9)), "", text200 + "Content-Length: 9\r\nConnection: keep-alive\r\n\r\nbody", ends},
		{"WrongLength less", Text(200, "body").Fault(WrongLength(2)), "", text200 + "Content-Length: 2\r\nConnection: keep-alive\r\n\r\nbody", ends},
		{"WrongLength of its own reply", Fault(WrongLength(7)), "", json200(7) + base, ends},
		{"Flood1xx", Text(200, "body").Fault(Flood1xx(3)), "", hints + text200 + "Content-Length: 4\r\nConnection: keep-alive\r\n\r\nbody", stays},
		{"Flood1xx for 1.0", Text(200, "body").Fault(Flood1xx(3)), http10, text200 + "Content-Length: 4\r\nConnection: close\r\n\r\nbody", ends},
		{"GarbageStatus", Text(200, "body").Fault(GarbageStatus), "", strings.Replace(text200, "200 OK", "abc OK", 1) + "Content-Length: 4\r\nConnection: keep-alive\r\n\r\nbody", ends},
		{"HugeHeader", Text(200, "body").Fault(HugeHeader), "", "HTTP/1.1 200 OK\r\nX-Huge: " + strings.Repeat("x", 11<<20) + "\r\n" + strings.TrimPrefix(text200, "HTTP/1.1 200 OK\r\n") + "Content-Length: 4\r\nConnection: keep-alive\r\n\r\nbody", stays},
		{"EndlessBody HEAD", Text(200, "body").Fault(EndlessBody), head, text200 + "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n", stays},

		{"a user's fault that does nothing", Fault(wireFunc(func(*Wire) {})), "", "", ends},
		{"a user's fault that sends the reply", ALB(403).Fault(wireFunc((*Wire).Send)), get("/") + get("/"), alb403 + page403 + alb403 + page403, stays},
		{"a user's fault in parts", Text(200, "abcdef").Framing(Chunked).Fault(wireFunc(func(w *Wire) {
			w.Head()
			w.Body(2)
			w.Wait(time.Millisecond)
			w.Write([]byte("|"))
			w.Body(-1)
			w.Body(5)
			w.Finish()
			w.Close()
			w.Write([]byte("after the end"))
			w.Reset()
		})), "", text200 + "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n6\r\nab|cdef\r\n0\r\n\r\n", ends},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			srv := New(t)
			srv.On("", "/").Reply(c.reply)
			if c.request == "" {
				c.request = get("/")
			}
			talk(t, srv, c.request, c.want, c.end)
		})
	}
}

// TestModifiersOnTheWire reads what each modifier sends, byte by byte, and how the connection ends.
func TestModifiersOnTheWire(t *testing.T) {
	t.Parallel()
	const kept, closing = "Connection: keep-alive\r\n\r\n", "Connection: close\r\n\r\n"
	body := Text(200, "body")
	head := "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"
	http10 := "GET / HTTP/1.0\r\n\r\n"
	zip := "GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: br, gzip;q=0.5\r\n\r\n"
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	io.WriteString(w, "body")
	w.Close()
	redirect := "<html>\n<head><title>Found</title></head>\n<body><a href=\"/a?b&amp;c\">Found</a></body>\n</html>\n"
	for _, c := range []struct {
		name    string
		reply   Reply
		request string
		want    string
		end     string
	}{
		{"Body", Body(200, "image/png", []byte{0, 255}), "", "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Type: image/png\r\nContent-Length: 2\r\n" + kept + "\x00\xff", stays},
		{"Body without a type", Body(200, "", []byte("x")), "", "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 1\r\n" + kept + "x", stays},
		{"Redirect", Redirect(302, "/a?b&c"), "", fmt.Sprintf("HTTP/1.1 302 Found\r\nDate: {date}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\nConnection: keep-alive\r\nLocation: /a?b&c\r\n\r\n%s", len(redirect), redirect), stays},
		{"Delay", body.Delay(time.Millisecond), "", text200 + "Content-Length: 4\r\n" + kept + "body", stays},
		{"Delay below 0", body.Delay(-time.Hour), "", text200 + "Content-Length: 4\r\n" + kept + "body", stays},
		{"DelayBy Uniform", body.DelayBy(Uniform(0, time.Millisecond)), "", text200 + "Content-Length: 4\r\n" + kept + "body", stays},
		{"DelayBy Lognormal", body.DelayBy(Lognormal(time.Microsecond, 1)), "", text200 + "Content-Length: 4\r\n" + kept + "body", stays},
		{"Trickle", body.Trickle(3, time.Millisecond), "", text200 + "Content-Length: 4\r\n" + kept + "body", stays},
		{"Trickle chunked", body.Framing(Chunked).Trickle(3, time.Millisecond), get("/") + get("/"), strings.Repeat(text200+"Transfer-Encoding: chunked\r\n"+kept+"3\r\nbod\r\n1\r\ny\r\n0\r\n\r\n", 2), stays},
		{"Trickle late", body.Framing(ChunkedLate).Trickle(3, time.Millisecond), "", text200 + "Transfer-Encoding: chunked\r\n" + kept + "3\r\nbod\r\n1\r\ny\r\n0\r\n\r\n", stays},
		{"Trickle until close", body.Framing(UntilClose).Trickle(1, time.Millisecond), "", text200 + closing + "body", ends},
		{"Trickle HEAD", body.Trickle(1, time.Hour), head, text200 + "Content-Length: 4\r\n" + kept, stays},
		{"Trickle nothing", Text(200, "").Trickle(1, time.Hour), "", text200 + "Content-Length: 0\r\n" + kept, stays},
		{"Trailer", body.Trailer("x-sum", "1").Trailer("X-Sum", "2"), "", text200 + "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\nTrailer: x-sum, X-Sum\r\n\r\n4\r\nbody\r\n0\r\nx-sum: 1\r\nX-Sum: 2\r\n\r\n", stays},
		{"Trailer HEAD", body.Trailer("x-sum", "1"), head, text200 + "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\nTrailer: x-sum\r\n\r\n", stays},
		{"Trailer for 1.0", body.Trailer("x-sum", "1"), http10, text200 + closing + "body", ends},
		{"Early", body.Early(103, "Link", "</a>", "link", "</b>").Early(102), "", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nlink: </b>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + text200 + "Content-Length: 4\r\n" + kept + "body", stays},
		{"Early for 1.0", body.Early(103), http10, text200 + "Content-Length: 4\r\n" + closing + "body", ends},
		{"Gzip", body.Gzip(), zip, text200 + fmt.Sprintf("Content-Length: %d\r\nConnection: keep-alive\r\nContent-Encoding: gzip\r\nVary: Accept-Encoding\r\n\r\n%s", packed.Len(), packed.String()), stays},
		{"Gzip chunked", body.Gzip().Framing(Chunked), zip, text200 + fmt.Sprintf("Transfer-Encoding: chunked\r\nConnection: keep-alive\r\nContent-Encoding: gzip\r\nVary: Accept-Encoding\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", packed.Len(), packed.String()), stays},
		{"Gzip for who does not take it", body.Gzip(), "", text200 + "Content-Length: 4\r\nConnection: keep-alive\r\nVary: Accept-Encoding\r\n\r\nbody", stays},
		{"Gzip of nothing", Text(200, "").Gzip(), zip, text200 + "Content-Length: 0\r\nConnection: keep-alive\r\nVary: Accept-Encoding\r\n\r\n", stays},
		{"Length more", body.Length(9), "", text200 + "Content-Length: 9\r\n" + kept + "body", stays},
		{"Length more and closed", body.Length(9).KeepAlive(false), "", text200 + "Content-Length: 9\r\n" + closing + "body", ends},
		{"Length less", body.Length(2), "", text200 + "Content-Length: 2\r\n" + kept + "body", stays},
		{"Length of a 204", Status(204).Length(9), "", "HTTP/1.1 204 No Content\r\nDate: {date}\r\nContent-Length: 9\r\n" + kept, stays},
		{"Length HEAD", body.Length(9), head, text200 + "Content-Length: 9\r\n" + kept, stays},
		{"Length of an empty error", Text(404, "").Length(0), "", "HTTP/1.1 404 Not Found\r\nDate: {date}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 0\r\n" + kept, stays},
		{"NoLength", body.NoLength(), "", text200 + kept + "body", stays},
		{"NoLength and closed", body.NoLength().KeepAlive(false), "", text200 + closing + "body", ends},
		{"KeepAlive though asked to close", body.KeepAlive(true), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + get("/"), strings.Repeat(text200+"Content-Length: 4\r\n"+kept+"body", 2), stays},
		{"KeepAlive of a page that closes", ALB(400).KeepAlive(true), "", strings.Replace(alb403, "403 Forbidden\r\nS", "400 Bad Request\r\nS", 1)[:0] + "HTTP/1.1 400 Bad Request\r\nServer: awselb/2.0\r\nDate: {date}\r\nContent-Type: text/html\r\nContent-Length: 122\r\n" + kept + page400, stays},
		{"KeepAlive false", body.KeepAlive(false), "", text200 + "Content-Length: 4\r\n" + closing + "body", ends},
		{"Reason", body.Reason("Fine, thanks"), "", strings.Replace(text200, "OK", "Fine, thanks", 1) + "Content-Length: 4\r\n" + kept + "body", stays},
		{"Reason empty", body.Reason(""), "", strings.Replace(text200, "OK", "", 1) + "Content-Length: 4\r\n" + kept + "body", stays},
		{"large body", Text(200, strings.Repeat("x", 300_000)).Early(103), "", "HTTP/1.1 103 Early Hints\r\n\r\n" + text200 + "Content-Length: 300000\r\n" + kept + strings.Repeat("x", 300_000), stays},
		{"header order", body.Header("b", "1").Header("A", "2").Early(103).Header("a", "3"), "", "HTTP/1.1 103 Early Hints\r\n\r\n" + text200 + "Content-Length: 4\r\nConnection: keep-alive\r\nb: 1\r\nA: 2\r\na: 3\r\n\r\nbody", stays},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			srv := New(t)
			srv.On("", "/").Reply(c.reply)
			if c.request == "" {
				c.request = get("/")
			}
			talk(t, srv, c.request, c.want, c.end)
		})
	}
}

// A trickle, a stream, and what comes late must come in pieces: a raw reader sees each of them before the next is sent. One
// that is starved finds two pieces at once, which says nothing of the server: it tries again, with more time between them.
func TestPiecesComeOneByOne(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		reply func(every time.Duration) Reply
		want  []string
	}{
		{"Trickle", func(every time.Duration) Reply { return Text(200, "abcde").Trickle(2, every) }, []string{"ab", "cd", "e"}},
		{"Stream", func(every time.Duration) Reply {
			return Stream("text/plain", every, "one", "two").Framing(UntilClose)
		}, []string{"one", "two", "one", "two", "one"}},
		{"Stream chunked", func(every time.Duration) Reply { return Stream("text/plain", every, "one", "three") }, []string{"3\r\none\r\n", "5\r\nthree\r\n", "3\r\none\r\n"}},
		{"Early", func(every time.Duration) Reply {
			return Text(200, "body").Fault(wireFunc(func(w *Wire) { w.Wait(every); w.Send() })).Early(103)
		}, []string{"HTTP/1.1 103 Early Hints\r\n\r\n", "body"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for every := 100 * time.Millisecond; ; every *= 4 {
				srv := New(t)
				srv.On("GET", "/").Reply(c.reply(every))
				nc := dial(t, srv)
				_, err := io.WriteString(nc, get("/"))
				require.NoError(t, err)
				var pieces []string
				joined, buf := "", make([]byte, 4096)
				for len(joined) < len(strings.Join(c.want, "")) {
					n, err := nc.Read(buf)
					require.NoError(t, err)
					got := string(buf[:n])
					if front, after, ok := strings.Cut(got, "HTTP/1.1 200"); ok {
						_, after, _ = strings.Cut(after, "\r\n\r\n")
						got = front + after
					}
					pieces = append(pieces, got)
					joined += got
				}
				srv.Close()
				require.True(t, strings.HasPrefix(joined, strings.Join(c.want, "")), "%q", pieces)
				if assert.ObjectsAreEqual(c.want, pieces) {
					return
				}
				require.Less(t, every, 5*time.Second, "not piece by piece: %q", pieces)
			}
		})
	}
}

func TestEndlessBodyIsBounded(t *testing.T) {
	t.Parallel()
	srv := New(t)
	srv.On("GET", "/").Reply(Text(200, "0123456789").Fault(EndlessBody))
	srv.On("GET", "/none").Reply(Status(200).Fault(EndlessBody))
	client := newClient(t)
	resp, err := client.Get(srv.URL)
	require.NoError(t, err)
	got := make([]byte, 3<<20)
	begun := time.Now()
	_, err = io.ReadFull(resp.Body, got)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(begun), 44*endlessWait, "48 pieces, with a wait between them")
	assert.True(t, strings.Repeat("0123456789", len(got)/10+1)[:len(got)] == string(got))
	require.Len(t, srv.Conns(), 1)
	assert.Equal(t, ConnActive, srv.Conns()[0].State)
	resp.Body.Close()
	eventually(t, func() bool { return srv.Conns()[0].State == ConnClosed }, "it ends when the client goes")

	resp, err = client.Get(srv.URL + "/none")
	require.NoError(t, err)
	_, err = io.ReadFull(resp.Body, got[:72])
	require.NoError(t, err)
	assert.Equal(t, strings.Repeat("endless body of a reply without one\n", 2), string(got[:72]))
	srv.Close() // and when the server does
	_, err = io.Copy(io.Discard, resp.Body)
	assert.Error(t, err)
	resp.Body.Close()
}

// What a connection is doing while and after a fault is played, and that the server leaves when the client does.
func TestConnsOfFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		reply  Reply
		state  ConnState
		status int
	}{
		{"StallAfter", ALB(403).Fault(StallAfter(50)), ConnActive, 403},
		{"Stream", Stream("text/plain", time.Millisecond, "x"), ConnActive, 200},
		{"Stream that waits", Stream("text/plain", time.Hour, "x"), ConnActive, 200},
		{"Trickle that waits", ALB(403).Trickle(1, time.Hour), ConnActive, 403},
		{"NoLength", ALB(403).NoLength(), ConnIdle, 403},
		{"Length more", ALB(403).Length(999), ConnIdle, 403},
		{"TruncateAfter", ALB(403).Fault(TruncateAfter(50)), ConnClosing, 403},
		{"HalfClose", ALB(403).Fault(HalfClose), ConnClosing, 403},
		{"WrongLength", ALB(403).Fault(WrongLength(200)), ConnClosing, 403},
		{"MalformedChunk", ALB(403).Fault(MalformedChunk), ConnClosing, 200},
		{"ResetAfter", ALB(403).Fault(ResetAfter(50)), ConnClosed, 403},
		{"Flood1xx", ALB(403).Fault(Flood1xx(10)), ConnIdle, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			srv := New(t)
			srv.On("GET", "/").Reply(c.reply)
			client := newClient(t)
			resp, err := client.Get(srv.URL)
			require.NoError(t, err)
			eventually(t, func() bool { return srv.Conns()[0].State == c.state })
			assert.Equal(t, c.status, srv.Conns()[0].LastStatus)
			assert.Equal(t, c.status, srv.Requests()[0].Status)
			resp.Body.Close()
			client.CloseIdleConnections()
			eventually(t, func() bool { return open(srv) == 0 }, "the client has closed its side")
		})
	}
	for _, f := range []WireFault{EmptyResponse, ConnectionReset, RandomThenClose, GarbageStatus} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			srv := New(t)
			srv.On("GET", "/").Reply(Fault(f))
			_, err := newClient(t).Get(srv.URL)
			require.Error(t, err)
			eventually(t, func() bool { return open(srv) == 0 })
			assert.Zero(t, srv.Conns()[0].LastStatus)
			assert.Zero(t, srv.Requests()[0].Status)
		})
	}
}

// Close interrupts whatever is sent.
func TestCloseInterruptsFaults(t *testing.T) {
	for _, r := range []Reply{
		ALB(403).Fault(StallAfter(50)), Stream("text/plain", time.Hour, "x"), Stream("text/plain", time.Microsecond, "x"), ALB(403).Trickle(1, time.Hour),
		Fault(EndlessBody), ALB(403).NoLength(), ALB(403).Fault(HalfClose), Text(200, "x").DelayBy(Uniform(time.Hour, time.Hour)),
		Fault(Flood1xx(math.MaxInt32)), Fault(wireFunc(func(w *Wire) { w.Head(); w.Wait(time.Hour) })),
		Text(200, strings.Repeat("x", 64<<20)).Framing(ChunkedLate), ALB(403).Framing(Chunked).Trickle(1, time.Millisecond).Trailer("a", "b"),
		Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })),
		Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				w.Write(make([]byte, 1<<10))
			}
		})),
	} {
		t.Run(r.String(), func(t *testing.T) {
			ft := &fakeT{}
			srv := New(ft)
			srv.On("GET", "/").Reply(r)
			nc := dial(t, srv)
			_, err := io.WriteString(nc, get("/"))
			require.NoError(t, err)
			eventually(t, func() bool { return len(srv.Requests()) == 1 })
			ft.end()
			assert.Zero(t, running(srv), "Close has waited for them")
			assert.Equal(t, ConnClosed, srv.Conns()[0].State)
			assert.Empty(t, ft.failures())
			assert.Empty(t, ft.logged())
		})
	}
	eventually(t, func() bool { return serverGoroutines() == 0 })
}

// A client that gives up must not look like one that holds its connection, also when it had sent the next request.
func TestClientGoesDuringAReply(t *testing.T) {
	t.Parallel()
	for _, r := range []Reply{ALB(403).Fault(StallAfter(50)), ALB(403).Trickle(1, time.Hour), Stream("a/b", time.Hour, "x"), Status(200).Delay(time.Hour)} {
		for _, request := range []string{get("/"), get("/") + get("/next"), get("/") + "POST /next HTTP/1.1\r\nHost: x\r\nContent-Length: 3000\r\n\r\n" + strings.Repeat("x", 2000)} {
			for _, how := range []func(*net.TCPConn){func(nc *net.TCPConn) { nc.Close() }, func(nc *net.TCPConn) { nc.SetLinger(0); nc.Close() }} {
				srv := New(t)
				srv.On("", "/").Reply(r)
				nc := dial(t, srv)
				_, err := io.WriteString(nc, request)
				require.NoError(t, err)
				eventually(t, func() bool { return len(srv.Requests()) == 1 })
				how(nc)
				eventually(t, func() bool { return open(srv) == 0 }, r.String())
			}
		}
	}
}

// A fault of the user's that panics fails the test, and nothing else.
func TestFaultPanics(t *testing.T) {
	t.Parallel()
	ft := &fakeT{}
	srv := New(ft)
	srv.On("GET", "/").Reply(Fault(wireFunc(func(w *Wire) { w.Head(); panic("boom") })))
	talk(t, srv, get("/"), "", ends)
	ft.end()
	require.Len(t, ft.failures(), 1)
	assert.Regexp(t, `^mockserver: request GET / \(stub GET /, wire_test.go:\d+\): the fault wireFunc panicked: boom\ngoroutine `, ft.failures()[0])
}

func TestWireErr(t *testing.T) {
	t.Parallel()
	errs := make(chan error, 10)
	srv := New(t)
	srv.On("GET", "/").Reply(Fault(wireFunc(func(w *Wire) {
		errs <- w.Err()
		w.Close()
		errs <- w.Err()
		_, err := w.Write([]byte("x"))
		errs <- err
		errs <- w.Wait(time.Hour)
		w.Stall()
	})))
	talk(t, srv, get("/"), "", ends)
	assert.NoError(t, <-errs)
	for range 3 {
		assert.Equal(t, errWireEnded, <-errs)
	}
	srv.On("GET", "/gone").Reply(Fault(wireFunc(func(w *Wire) {
		w.Stall()
		errs <- w.Err()
	})))
	nc := dial(t, srv)
	io.WriteString(nc, get("/gone"))
	nc.Close()
	assert.Equal(t, io.ErrClosedPipe, <-errs)
	nc = dial(t, srv)
	io.WriteString(nc, get("/gone"))
	eventually(t, func() bool { return len(srv.Requests()) == 3 })
	srv.Close()
	err := <-errs
	assert.True(t, errors.Is(err, errWireClosed), "%v", err)
}

func copyAndClose(w io.Writer, resp *http.Response) (int64, error) {
	defer resp.Body.Close()
	return io.Copy(w, resp.Body)
}
