package mockserver

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRequests(t *testing.T) {
	t.Parallel()
	srv := New(t)
	srv.On("POST", "/users/{id}").Reply(Status(201))
	require.Equal(t, "201 ", read(srv.Client(), "POST", srv.URL+"/users/a%20b?x=1&x=2", "hello"))

	got := srv.Requests()
	require.Len(t, got, 1)
	r := got[0]
	assert.Equal(t, "POST", r.Method)
	assert.Equal(t, "/users/a b", r.Path)
	assert.Equal(t, "/users/a%20b?x=1&x=2", r.Target)
	assert.Equal(t, url.Values{"x": {"1", "2"}}, r.Query)
	assert.Equal(t, strings.TrimPrefix(srv.URL, "http://"), r.Host)
	assert.Equal(t, "Go-http-client/1.1", r.Header.Get("User-Agent"))
	assert.Equal(t, "hello", string(r.Body))
	assert.False(t, r.Truncated)
	assert.False(t, r.Time.IsZero())
	assert.Positive(t, r.Conn)
	assert.Equal(t, "POST /users/{id}", r.Stub)
	assert.Equal(t, 201, r.Status)
	assert.NoError(t, r.Err)

	// The list is a copy.
	r.Header.Set("User-Agent", "changed")
	r.Query.Set("x", "changed")
	r.Body[0] = 'j'
	again := srv.Requests()[0]
	assert.Equal(t, "Go-http-client/1.1", again.Header.Get("User-Agent"))
	assert.Equal(t, "1", again.Query.Get("x"))
	assert.Equal(t, "hello", string(again.Body))
}

func TestSequence(t *testing.T) {
	t.Parallel()
	srv := New(t)
	stub := srv.On("GET", "/job").Reply(Status(503), Text(200, "a"))
	get := func() string { return read(srv.Client(), "GET", srv.URL+"/job", "")[:3] }
	assert.Equal(t, "503", get())
	assert.Equal(t, "200", get())
	assert.Equal(t, "200", get())
	stub.Reply(Text(404, "gone"))
	assert.Equal(t, "404", get())
	assert.Equal(t, "404", get())
}

func TestSequenceFromManyGoroutines(t *testing.T) {
	t.Parallel()
	srv := New(t)
	srv.On("GET", "/").Reply(Status(201), Status(202), Status(203), Status(200))
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				got := read(srv.Client(), "GET", srv.URL, "")
				mu.Lock()
				seen[strings.TrimSpace(got)]++
				mu.Unlock()
				srv.Conns()
				srv.Requests()
			}
		})
	}
	wg.Wait()
	assert.Equal(t, map[string]int{"201": 1, "202": 1, "203": 1, "200": 37}, seen)
	assert.Len(t, srv.Requests(), 40)
}

func TestMostSpecificStubAnswers(t *testing.T) {
	t.Parallel()
	srv := New(t)
	srv.On("", "/").Reply(Text(200, "root"))
	srv.On("GET", "/users/{id}").Reply(Text(200, "user"))
	srv.On("GET", "/users/me").Reply(Text(200, "me"))
	srv.On("HEAD", "/users/me").Reply(Status(204))
	c := srv.Client()
	assert.Equal(t, "200 root", read(c, "DELETE", srv.URL+"/users/me", ""))
	assert.Equal(t, "200 user", read(c, "GET", srv.URL+"/users/you", ""))
	assert.Equal(t, "200 me", read(c, "GET", srv.URL+"/users/me?q=1", ""))
	assert.Equal(t, "204 ", read(c, "HEAD", srv.URL+"/users/me", ""))
	assert.Equal(t, "200 ", read(c, "HEAD", srv.URL+"/users/you", ""))
	assert.Equal(t, "GET /users/{id}", srv.Requests()[4].Stub)
}

func TestConns(t *testing.T) {
	t.Parallel()
	srv := New(t)
	srv.On("GET", "/a").Reply(ALB(403))
	srv.On("GET", "/b").Reply(Status(204))
	nc := dial(t, srv)
	in := bufio.NewReader(nc)
	for _, path := range []string{"/a", "/a", "/a", "/b"} {
		fmt.Fprint(nc, get(path))
		resp, err := http.ReadResponse(in, nil)
		require.NoError(t, err)
		_, err = io.ReadAll(resp.Body)
		require.NoError(t, err)
	}

	got := srv.Conns()
	require.Len(t, got, 1, "keep-alive")
	c := got[0]
	assert.Equal(t, 1, c.ID)
	assert.Contains(t, c.RemoteAddr, "127.0.0.1:")
	assert.Equal(t, ConnIdle, c.State)
	assert.Equal(t, 4, c.Requests)
	assert.Equal(t, "GET /b", c.LastRequest)
	assert.Equal(t, 204, c.LastStatus)
	date := len(time.Now().UTC().Format(http.TimeFormat))
	one := len(alb403) - len("{date}") + date + len(page403)
	none := len("HTTP/1.1 204 No Content\r\nDate: \r\nConnection: keep-alive\r\n\r\n") + date
	assert.EqualValues(t, 3*one+none, c.Written)
	assert.False(t, c.Opened.IsZero())
	assert.Positive(t, c.Age)
	assert.Positive(t, c.IdleFor)

	nc.Close()
	eventually(t, func() bool { return srv.Conns()[0].State == ConnClosed })
	closed := srv.Conns()[0]
	assert.Zero(t, closed.IdleFor)
	assert.Equal(t, closed.Age, srv.Conns()[0].Age, "the age of a closed connection stays")

	nc = dial(t, srv)
	eventually(t, func() bool { return len(srv.Conns()) == 2 })
	assert.Equal(t, ConnNew, srv.Conns()[1].State)
	fmt.Fprint(nc, "GET /a")
	eventually(t, func() bool { return srv.Conns()[1].State == ConnActive })
}

// What the client has read is in the list at once.
func TestConnsIsUpToDateAfterAReply(t *testing.T) {
	t.Parallel()
	srv := New(t)
	srv.On("GET", "/").Reply(Text(200, "a"))
	nc := dial(t, srv)
	in := bufio.NewReader(nc)
	for i := range 300 {
		fmt.Fprint(nc, get("/"))
		resp, err := http.ReadResponse(in, nil)
		require.NoError(t, err)
		_, err = io.ReadAll(resp.Body)
		require.NoError(t, err)
		c := srv.Conns()[0]
		require.Equal(t, ConnIdle, c.State)
		require.Equal(t, i+1, c.Requests)
	}
}

func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	srv := New(t, IdleTimeout(20*time.Millisecond))
	srv.On("GET", "/").Reply(Status(403))
	client := newClient(t)
	resp, err := client.Get(srv.URL)
	require.NoError(t, err)
	eventually(t, func() bool { return srv.Conns()[0].State == ConnClosing })
	client.CloseIdleConnections()
	time.Sleep(50 * time.Millisecond)
	assert.Equal(t, ConnClosing, srv.Conns()[0].State, "an unclosed body holds it")
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, page403, string(b))
	require.NoError(t, resp.Body.Close())
	eventually(t, func() bool { return srv.Conns()[0].State == ConnClosed })

	dial(t, srv)
	eventually(t, func() bool { return len(srv.Conns()) == 2 })
	time.Sleep(50 * time.Millisecond)
	assert.Equal(t, ConnNew, srv.Conns()[1].State, "before the first request there is no timeout")
}

func TestBigBody(t *testing.T) {
	t.Parallel()
	srv := New(t)
	srv.On("PUT", "/").Reply(Status(201))
	big := bytes.Repeat([]byte("0123456789abcdef"), 10<<16)                                             // 10 MiB
	for _, body := range []io.Reader{bytes.NewReader(big), struct{ io.Reader }{bytes.NewReader(big)}} { // the second is chunked
		req, err := http.NewRequest("PUT", srv.URL, body)
		require.NoError(t, err)
		resp, err := srv.Client().Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, 201, resp.StatusCode)
	}
	for _, r := range srv.Requests() {
		assert.True(t, r.Truncated)
		assert.Equal(t, big[:64<<10], r.Body)
		assert.NoError(t, r.Err)
	}

	exact := strings.Repeat("x", 64<<10)
	require.Equal(t, "201 ", read(srv.Client(), "PUT", srv.URL, exact))
	r := srv.Requests()[2]
	assert.False(t, r.Truncated)
	assert.Equal(t, exact, string(r.Body))
}

// A body that never ends is answered, and the client can read the reply.
func TestEndlessBody(t *testing.T) {
	t.Parallel()
	srv := New(t, withMaxBody(1<<20))
	srv.On("PUT", "/").Reply(Text(413, "too much"))
	nc := dial(t, srv)
	fmt.Fprint(nc, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
	go func() {
		for chunk := make([]byte, 64<<10); ; {
			if _, err := nc.Write(chunk); err != nil {
				return
			}
		}
	}()
	all, err := io.ReadAll(nc)
	require.NoError(t, err)
	assert.Contains(t, string(all), "Connection: close\r\n\r\ntoo much")
	assert.Equal(t, ConnClosing, srv.Conns()[0].State)
	nc.Close()
	eventually(t, func() bool { return srv.Conns()[0].State == ConnClosed })
	assert.True(t, srv.Requests()[0].Truncated)
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, request string
		status        int
		err           string
		method, path  string
		halfOpen      bool // the client waits instead of ending
	}{
		{name: "garbage", request: "\x16\x03\x01 hello\r\n\r\n", status: 400, err: "malformed HTTP"},
		{name: "no version", request: "GET /\r\n\r\n", status: 400, err: "malformed HTTP request"},
		{name: "cut off", request: "GET / HTTP/1.1\r\nHost: x\r\n", status: 400, err: "unexpected EOF"},
		{name: "bad header", request: "GET / HTTP/1.1\r\nno colon\r\n\r\n", status: 400, err: "malformed MIME header"},
		{name: "no host", request: "GET /a HTTP/1.1\r\n\r\n", status: 400, err: "no Host header", method: "GET", path: "/a"},
		{name: "HTTP/2 preface", request: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", status: 505, err: "HTTP/2.0: the server speaks HTTP/1.1", method: "PRI", path: "*"},
		{name: "huge header", request: "GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 2<<20) + "\r\n\r\n", status: 431, err: "more than 1 MiB of headers"},
		{name: "huge request line", request: "GET /" + strings.Repeat("a", 2<<20), status: 431, err: "more than 1 MiB of headers"},
		{name: "two lengths", request: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", status: 400, err: "Content-Length"},
		{name: "short body", request: "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc", status: 400, err: "reading the body: unexpected EOF", method: "POST", path: "/a"},
		{name: "bad chunk", request: "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", status: 400, err: "invalid byte in chunk length", method: "POST", path: "/a"},
		{name: "stalled body", request: "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc", status: 408, err: "nothing came for 100ms in the middle of the body", method: "POST", path: "/a", halfOpen: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			srv := New(t, withBodyWait(100*time.Millisecond), AllowUnused(), AllowUnmatched())
			srv.On("", "/").Reply(Status(200))
			nc := dial(t, srv)
			_, err := io.WriteString(nc, c.request)
			require.NoError(t, err)
			if !c.halfOpen {
				require.NoError(t, nc.CloseWrite())
			}
			all, err := io.ReadAll(nc)
			require.NoError(t, err)
			assert.True(t, strings.HasPrefix(string(all), fmt.Sprintf("HTTP/1.1 %d %s\r\n", c.status, http.StatusText(c.status))), "%.200q", all)
			assert.Contains(t, string(all), "\r\nConnection: close\r\n")

			got := srv.Requests()
			require.Len(t, got, 1)
			require.Error(t, got[0].Err)
			assert.Contains(t, got[0].Err.Error(), c.err)
			assert.Contains(t, string(all), "mockserver: cannot read this request: "+got[0].Err.Error())
			assert.Equal(t, c.method, got[0].Method)
			assert.Equal(t, c.path, got[0].Path)
			assert.Equal(t, c.status, got[0].Status)
			assert.Equal(t, 1, got[0].Conn)
			assert.Empty(t, got[0].Stub)
			assert.False(t, got[0].Time.IsZero())
			assert.Equal(t, 1, srv.Conns()[0].Requests)
			nc.Close()
			eventually(t, func() bool { return open(srv) == 0 })
		})
	}
}

// An unmatched request keeps its connection, reads its body, and fails the test once.
func TestUnmatched(t *testing.T) {
	t.Parallel()
	ft := &fakeT{}
	srv := New(ft, AllowUnused())
	srv.On("GET", "/session").Reply(Status(200))
	client := newClient(t)
	for range 3 {
		got := read(client, "POST", srv.URL+"/sessions", "body")
		require.Contains(t, got, "501 mockserver: unexpected request POST /sessions: no stub matches, answered 501\n\tnearest: GET /session (server_test.go:")
	}
	require.Len(t, ft.failures(), 1)
	r := srv.Requests()[2]
	assert.Equal(t, "body", string(r.Body))
	assert.Empty(t, r.Stub)
	assert.Equal(t, 501, r.Status)
	ft.end()
	assert.Equal(t, []string{"mockserver: requests that failed the test, reported once or not at all:\n\tPOST /sessions came 3 times"}, ft.logged())
}

func TestAllowUnmatched(t *testing.T) {
	t.Parallel()
	ft := &fakeT{}
	srv := New(ft, AllowUnmatched(), nil)
	require.Contains(t, read(srv.Client(), "GET", srv.URL, ""), "501 mockserver: unexpected request GET /")
	ft.end()
	assert.Empty(t, ft.failures())
	assert.Empty(t, ft.logged())
	assert.Len(t, srv.Requests(), 1)
}

// Errorf of a t that has ended panics, and Ginkgo's panics always.
func TestFailurePanics(t *testing.T) {
	t.Parallel()
	ft := &bareT{onFail: func() { panic("Fail in goroutine after Test has completed") }}
	srv := New(ft)
	assert.Contains(t, read(srv.Client(), "GET", srv.URL, ""), "501 mockserver:")
	srv.Close()
	assert.Len(t, ft.failures(), 1)
}

// A t whose Errorf calls back into the server does not stop it.
func TestFailureCallsBack(t *testing.T) {
	t.Parallel()
	ft := &bareT{}
	srv := New(ft)
	ft.onFail = func() { srv.Requests(); srv.Conns(); srv.On("GET", "/later") }
	assert.Contains(t, read(srv.Client(), "GET", srv.URL, ""), "501 mockserver:")
	srv.Close()
}

func TestAfterCloseTIsNotUsed(t *testing.T) {
	t.Parallel()
	ft := &fakeT{}
	srv := New(ft)
	ft.end()
	srv.On("GET", "no slash").Reply()
	srv.report("late")
	assert.Empty(t, ft.failures())
	srv.Close()
	assert.Contains(t, read(newClient(t), "GET", srv.URL, ""), "refused")
}

func TestManyMissesAreCounted(t *testing.T) {
	t.Parallel()
	ft := &fakeT{}
	srv := New(ft)
	for i := range 25 {
		read(srv.Client(), "GET", fmt.Sprintf("%s/%d", srv.URL, i), "")
	}
	ft.end()
	assert.Len(t, ft.failures(), 10)
	assert.Equal(t, []string{"mockserver: requests that failed the test, reported once or not at all:\n\t15 more for other paths, see Requests"}, ft.logged())
}

func TestClientThatGivesUpIsSeen(t *testing.T) {
	t.Parallel()
	srv := New(t)
	srv.On("GET", "/").Reply(Status(200).Delay(time.Hour))
	client := newClient(t)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for len(srv.Requests()) == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	req, err := http.NewRequestWithContext(ctx, "GET", srv.URL, nil)
	require.NoError(t, err)
	_, err = client.Do(req)
	require.ErrorIs(t, err, context.Canceled)
	eventually(t, func() bool { c := srv.Conns(); return len(c) == 1 && c[0].State == ConnClosed })
	assert.Len(t, srv.Requests(), 1)
}

func TestOldRecordsAreForgotten(t *testing.T) {
	t.Parallel()
	s := &Server{}
	for i := range 45_000 {
		s.record(Request{Conn: i})
	}
	got := s.Requests()
	require.Len(t, got, keepLog)
	assert.Equal(t, 44_999, got[keepLog-1].Conn)
	assert.Less(t, cap(s.requests), 4*keepLog)

	// What is not forgotten can still be given its status, and the last request of a connection gets it.
	s.record(Request{Conn: 44_999, Path: "/2"})
	s.record(Request{Conn: 44_999, Stream: 1})
	s.recordStatus(44_998, 0, 201)
	s.recordStatus(44_999, 0, 202)
	s.recordStatus(44_999, 1, 203)
	s.recordStatus(44_999, 3, 204) // none
	s.recordStatus(0, 0, 205)      // forgotten
	got = last(s.requests, 4)
	assert.Equal(t, []int{201, 0, 202, 203}, []int{got[0].Status, got[1].Status, got[2].Status, got[3].Status})
	for _, r := range s.requests[:len(s.requests)-4] {
		require.Zero(t, r.Status)
	}
	assert.Len(t, s.recorded, len(s.requests)-1, "nothing is kept of what is forgotten")

	var conns []*conn
	for i := range 6 {
		c := &conn{info: Conn{ID: i, State: ConnClosed}}
		if i == 1 {
			c.info.State = ConnIdle
		}
		conns = append(conns, c)
	}
	var ids []int
	for _, c := range forgetClosed(conns, 3) {
		ids = append(ids, c.info.ID)
	}
	assert.Equal(t, []int{1, 4, 5}, ids)
}
