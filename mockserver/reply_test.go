package mockserver

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	page403 = "<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>\r\n<center><h1>403 Forbidden</h1></center>\r\n</body>\r\n</html>\r\n"
	page400 = "<html>\r\n<head><title>400 Bad Request</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n</body>\r\n</html>\r\n"
	alb403  = "HTTP/1.1 403 Forbidden\r\nServer: awselb/2.0\r\nDate: {date}\r\nContent-Type: text/html\r\nContent-Length: 118\r\nConnection: keep-alive\r\n\r\n"
)

func TestWire(t *testing.T) {
	t.Parallel()
	html := "HTTP/1.1 403 Forbidden\r\nServer: awselb/2.0\r\nDate: {date}\r\nContent-Type: text/html\r\n"
	text := "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Type: text/plain; charset=utf-8\r\n"
	http10 := "GET / HTTP/1.0\r\n\r\n"
	kept10 := "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
	head := "HEAD / HTTP/1.1\r\nHost: test\r\n\r\n"
	closing := "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
	for _, c := range []struct {
		name    string
		reply   Reply
		request string // get("/") when empty
		want    string
	}{
		{"ALB 403", ALB(403), "", alb403 + page403},
		{"ALB 400 closes", ALB(400), "", "HTTP/1.1 400 Bad Request\r\nServer: awselb/2.0\r\nDate: {date}\r\nContent-Type: text/html\r\nContent-Length: 122\r\nConnection: close\r\n\r\n" + page400},
		{"nginx 401", Nginx(401), "", "HTTP/1.1 401 Unauthorized\r\nServer: nginx\r\nDate: {date}\r\nContent-Type: text/html\r\nContent-Length: 172\r\nConnection: keep-alive\r\n\r\n" +
			"<html>\r\n<head><title>401 Authorization Required</title></head>\r\n<body>\r\n<center><h1>401 Authorization Required</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"},
		{"status 403 is the ALB's", Status(403), "", alb403 + page403},
		{"status 400 keeps open", Status(400), "", "HTTP/1.1 400 Bad Request\r\nServer: awselb/2.0\r\nDate: {date}\r\nContent-Type: text/html\r\nContent-Length: 122\r\nConnection: keep-alive\r\n\r\n" + page400},
		{"status 200", Status(200), "", "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"},
		{"status 204", Status(204), "", "HTTP/1.1 204 No Content\r\nDate: {date}\r\nConnection: keep-alive\r\n\r\n"},
		{"status 304", Status(304).Framing(Chunked), "", "HTTP/1.1 304 Not Modified\r\nDate: {date}\r\nConnection: keep-alive\r\n\r\n"},
		{"status without a text", Status(299), "", "HTTP/1.1 299 \r\nDate: {date}\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"},
		{"text", Text(200, "hé\n"), "", text + "Content-Length: 4\r\nConnection: keep-alive\r\n\r\nhé\n"},
		{"empty text", Text(200, ""), "", text + "Content-Length: 0\r\nConnection: keep-alive\r\n\r\n"},
		{"empty error text is chunked", Text(404, ""), "", "HTTP/1.1 404 Not Found\r\nDate: {date}\r\nContent-Type: text/plain; charset=utf-8\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n"},
		{"json", JSON(201, map[string]int{"id": 7}), "", "HTTP/1.1 201 Created\r\nDate: {date}\r\nContent-Type: application/json\r\nContent-Length: 8\r\nConnection: keep-alive\r\n\r\n{\"id\":7}"},
		{"chunked", ALB(403).Framing(Chunked), "", html + "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n76\r\n" + page403 + "\r\n0\r\n\r\n"},
		{"chunked late", ALB(403).Framing(ChunkedLate), "", html + "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n76\r\n" + page403 + "\r\n0\r\n\r\n"},
		{"until close", ALB(403).Framing(UntilClose), "", html + "Connection: close\r\n\r\n" + page403},
		{"empty", ALB(403).Framing(Empty), "", html + "Content-Length: 0\r\nConnection: keep-alive\r\n\r\n"},
		{"headers", ALB(403).Header("server", "mine").Header("X-Twice", "1").Header("x-twice", "2").Header("Date", "never"), "",
			"HTTP/1.1 403 Forbidden\r\nserver: mine\r\nDate: never\r\nContent-Type: text/html\r\nContent-Length: 118\r\nConnection: keep-alive\r\nX-Twice: 1\r\nx-twice: 2\r\n\r\n" + page403},
		{"a header twice replaces once", Text(200, "").Header("Content-Type", "a/b").Header("Content-Type", "c/d"), "",
			"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Type: a/b\r\nContent-Length: 0\r\nConnection: keep-alive\r\nContent-Type: c/d\r\n\r\n"},
		{"connection header", Status(200).Header("connection", "Close"), "", "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
		{"kept open", ALB(400).Header("Connection", "keep-alive").Framing(Empty), "", "HTTP/1.1 400 Bad Request\r\nServer: awselb/2.0\r\nDate: {date}\r\nContent-Type: text/html\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"},
		{"head", ALB(403), head, alb403},
		{"head chunked", ALB(403).Framing(Chunked), head, html + "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"},
		{"head until close", ALB(403).Framing(UntilClose), head, html + "Connection: close\r\n\r\n"},
		{"asked to close", ALB(403), closing + get("/"), strings.Replace(alb403, "keep-alive", "close", 1) + page403},
		{"1.0", ALB(403), http10 + http10, strings.Replace(alb403, "keep-alive", "close", 1) + page403},
		{"1.0 kept", ALB(403), kept10 + kept10, alb403 + page403 + alb403 + page403},
		{"1.0 chunked", ALB(403).Framing(ChunkedLate), kept10, html + "Connection: close\r\n\r\n" + page403},
		{"pipelined", ALB(403), get("/") + head + get("/"), alb403 + page403 + alb403 + alb403 + page403},
		{"pipelined after a delay", Status(204).Delay(time.Millisecond), get("/") + get("/") + closing,
			strings.Repeat("HTTP/1.1 204 No Content\r\nDate: {date}\r\nConnection: keep-alive\r\n\r\n", 2) +
				"HTTP/1.1 204 No Content\r\nDate: {date}\r\nConnection: close\r\n\r\n"},
		{"absolute form", ALB(403), "GET http://elsewhere HTTP/1.1\r\nHost: test\r\n\r\n", alb403 + page403},
		{"100-continue", Status(204), "POST / HTTP/1.1\r\nHost: test\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\nhi",
			"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nDate: {date}\r\nConnection: keep-alive\r\n\r\n"},
		{"100-continue without a body", Status(204), "GET / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\n\r\n",
			"HTTP/1.1 204 No Content\r\nDate: {date}\r\nConnection: keep-alive\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			srv := New(t)
			srv.On("", "/{$}").Reply(c.reply)
			if c.request == "" {
				c.request = get("/")
			}
			if strings.Contains(c.name, "delay") { // the end of the client's half would be taken for its end
				nc := dial(t, srv)
				_, err := io.WriteString(nc, c.request)
				require.NoError(t, err)
				all, err := io.ReadAll(nc)
				require.NoError(t, err)
				assert.Equal(t, c.want, dateLine.ReplaceAllString(string(all), "Date: {date}"))
				return
			}
			assert.Equal(t, c.want, raw(t, srv, c.request))
		})
	}
}

// The terminator of ChunkedLate must come in a packet of its own: read what there is, and then the rest.
func TestChunkedLateIsLate(t *testing.T) {
	t.Parallel()
	srv := New(t, withLate(300*time.Millisecond))
	srv.On("GET", "/").Reply(Text(200, "body").Framing(ChunkedLate))
	nc := dial(t, srv)
	_, err := io.WriteString(nc, get("/"))
	require.NoError(t, err)
	buf := make([]byte, 4096)
	n, err := nc.Read(buf)
	require.NoError(t, err)
	assert.True(t, strings.HasSuffix(string(buf[:n]), "\r\n\r\n4\r\nbody\r\n"), "%q", buf[:n])
	n, err = nc.Read(buf)
	require.NoError(t, err)
	assert.Equal(t, "0\r\n\r\n", string(buf[:n]))
}

// TestLeakShows is the table of the package comment, against the net/http of this Go.
func TestLeakShows(t *testing.T) {
	t.Parallel()
	forget := func(resp *http.Response) {}
	decode := func(resp *http.Response) {
		var v any
		json.NewDecoder(resp.Body).Decode(&v)
	}
	justClose := func(resp *http.Response) { resp.Body.Close() }
	full := func(resp *http.Response) {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	object := JSON(403, map[string]string{"message": "Forbidden"})
	for _, c := range []struct {
		name   string
		reply  Reply
		method string
		use    func(*http.Response)
		held   bool
	}{
		{"ContentLength forgotten", Status(403).Framing(ContentLength), "GET", forget, true},
		{"Chunked forgotten", Status(403).Framing(Chunked), "GET", forget, true},
		{"ChunkedLate forgotten", Status(403).Framing(ChunkedLate), "GET", forget, true},
		{"UntilClose forgotten", Status(403).Framing(UntilClose), "GET", forget, true},
		{"Empty forgotten", Status(403).Framing(Empty), "GET", forget, false},
		{"default forgotten", Status(403), "GET", forget, true},
		{"ALB 400 forgotten", ALB(400), "GET", forget, true},
		{"chunked nothing forgotten", Text(403, ""), "GET", forget, true},
		{"HEAD forgotten", Status(403), "HEAD", forget, false},
		{"HEAD chunked forgotten", Status(403).Framing(Chunked), "HEAD", forget, false},
		{"HEAD until close forgotten", Status(403).Framing(UntilClose), "HEAD", forget, false},
		{"204 forgotten", Text(204, "x").Framing(Chunked), "GET", forget, false},
		{"304 forgotten", Status(304), "GET", forget, false},

		{"ContentLength decoded", object.Framing(ContentLength), "GET", decode, false},
		{"Chunked decoded", object.Framing(Chunked), "GET", decode, false},
		{"ChunkedLate decoded", object.Framing(ChunkedLate), "GET", decode, true},
		{"UntilClose decoded", object.Framing(UntilClose), "GET", decode, true},

		{"ContentLength closed", object.Framing(ContentLength), "GET", justClose, false},
		{"Chunked closed", object.Framing(Chunked), "GET", justClose, false},
		{"ChunkedLate closed", object.Framing(ChunkedLate), "GET", justClose, false},
		{"UntilClose closed", object.Framing(UntilClose), "GET", justClose, false},
		{"Empty closed", object.Framing(Empty), "GET", justClose, false},

		{"ContentLength read and closed", object.Framing(ContentLength), "GET", full, false},
		{"Chunked read and closed", object.Framing(Chunked), "GET", full, false},
		{"ChunkedLate read and closed", object.Framing(ChunkedLate), "GET", full, false},
		{"UntilClose read and closed", object.Framing(UntilClose), "GET", full, false},
		{"Empty read and closed", object.Framing(Empty), "GET", full, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			srv := New(t, withLate(time.Second))
			srv.On("", "/x").Reply(c.reply)
			client := newClient(t)
			const requests = 3
			for range requests {
				req, err := http.NewRequest(c.method, srv.URL+"/x", nil)
				require.NoError(t, err)
				resp, err := client.Do(req)
				require.NoError(t, err)
				t.Cleanup(func() { resp.Body.Close() })
				c.use(resp)
			}
			client.CloseIdleConnections()
			if !c.held {
				eventually(t, func() bool { return open(srv) == 0 })
				return
			}
			time.Sleep(100 * time.Millisecond) // time to close what the client does not hold
			require.Equal(t, requests, open(srv))
			for _, conn := range srv.Conns() {
				assert.Contains(t, []ConnState{ConnIdle, ConnClosing, ConnActive}, conn.State)
				assert.Equal(t, c.method+" /x", conn.LastRequest)
				assert.Equal(t, c.reply.code, conn.LastStatus)
			}
		})
	}
}

func TestModifiersCopy(t *testing.T) {
	t.Parallel()
	base := ALB(403).Header("A", "1")
	one := base.Header("B", "2").Header("Server", "one").Framing(Chunked).Delay(time.Second)
	two := base.Header("C", "3")
	assert.Equal(t, ALB(403).Header("A", "1"), base)
	encode := func(r Reply) string { return string(r.encode(r.plan(call{method: "HEAD"}), time.Now()).first) }
	assert.NotContains(t, encode(two), "B: 2")
	assert.NotContains(t, encode(one), "C: 3")
	assert.Contains(t, encode(two), "Server: awselb/2.0")
	assert.Contains(t, encode(one), "Server: one")
	assert.Equal(t, "ALB(403)", base.String())
	assert.Equal(t, "ALB(403).Framing(Chunked)", one.String())
	assert.Equal(t, "Reply{}", Reply{}.String())

	v := map[string]string{"a": "1"}
	j := JSON(200, v)
	v["a"] = "2"
	assert.JSONEq(t, `{"a":"1"}`, string(j.body))
}

// A responder must give what net/http's client makes of the same reply.
func TestResponderIsWhatTheClientSees(t *testing.T) {
	t.Parallel()
	srv := New(t)
	client := &http.Client{
		Transport:     &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(client.CloseIdleConnections)
	replies := []Reply{Status(200), Status(204), Status(304), Status(302).Header("Location", "/"), Status(403), ALB(400), Nginx(502),
		Text(200, "text"), Text(500, ""), JSON(422, []int{1}).Header("x-y", "z").Header("X-Y", "w"), Status(200).Header("Connection", "close")}
	for i, base := range replies {
		for f := Framing(0); f <= Empty; f++ {
			r := base.Header("Date", "fixed")
			if f != 0 {
				r = r.Framing(f)
			}
			path := fmt.Sprintf("/%d/%d", i, f)
			srv.On("", path).Reply(r)
			for _, method := range []string{"GET", "HEAD", "POST"} {
				for _, close := range []bool{false, true} {
					name := fmt.Sprintf("%s %s close=%v", method, r, close)
					req, err := http.NewRequest(method, srv.URL+path, nil)
					require.NoError(t, err)
					req.Close = close
					want, err := client.Do(req)
					require.NoError(t, err, name)
					got, err := r.Responder()(req)
					require.NoError(t, err, name)

					assert.Equal(t, want.Body == http.NoBody, got.Body == http.NoBody, name)
					wantBody, err := io.ReadAll(want.Body)
					require.NoError(t, err, name)
					gotBody, err := io.ReadAll(got.Body)
					require.NoError(t, err, name)
					assert.Equal(t, string(wantBody), string(gotBody), name)
					want.Body.Close()
					got.Body.Close()
					want.Body, got.Body = nil, nil
					assert.Equal(t, want, got, name)
				}
			}
		}
	}
}

func TestResponder(t *testing.T) {
	t.Parallel()
	respond := Text(404, "none").Responder()
	first, err := respond(nil)
	require.NoError(t, err)
	second, err := respond(nil)
	require.NoError(t, err)
	require.NoError(t, first.Body.Close())
	_, err = io.ReadAll(first.Body)
	require.EqualError(t, err, "http: read on closed response body")
	b, err := io.ReadAll(second.Body)
	require.NoError(t, err)
	assert.Equal(t, "none", string(b))

	_, err = ALB(404).Responder()(nil)
	require.EqualError(t, err, "mockserver: ALB(404): ALB has no page for this status; did you mean ALB(403)? There are 400, 403, 413, 414, 500, 502, 503, 504. For any other status write Status(404)")

	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, "GET", "http://x/", nil)
	require.NoError(t, err)
	resp, err := Status(200).Delay(time.Millisecond).Responder()(req)
	require.NoError(t, err)
	assert.Same(t, req, resp.Request)
	cancel()
	_, err = Status(200).Delay(time.Hour).Responder()(req)
	require.ErrorIs(t, err, context.Canceled)
}
