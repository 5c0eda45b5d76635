package matrix

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

var untracked = []string{"t.Cleanup(httpcheck.Verify(t, client))", "defer resp.Body.Close()"}

var httpScenarios = []scenario{
	{
		name: "http-403", setup: server(answer(403)), leak: statusOnly, clean: statusClosed,
		want: want{code: "LK001", kind: "http-response", mark: "status-only", has: []string{
			"GET / (403)", "defer resp.Body.Close()", "2 goroutines of net/http", "the other end of it, in this process",
		}},
	},
	{
		name: "http-404", setup: server(http.NotFoundHandler()), leak: statusOnly, clean: statusClosed,
		want: want{code: "LK001", kind: "http-response", mark: "status-only", has: []string{"GET / (404)"}},
	},
	{
		name: "http-500", setup: server(answer(500)), leak: statusOnly, clean: statusClosed,
		want: want{code: "LK001", kind: "http-response", mark: "status-only", has: []string{"GET / (500)"}},
	},
	{
		name: "http-server-elsewhere", setup: func() *peer { return &peer{url: os.Getenv(envPeer)} }, leak: statusOnly, clean: statusClosed,
		want: want{code: "LK001", kind: "http-response", mark: "status-only", has: []string{"GET / (403)"}, hasNot: []string{"in this process"}},
	},
	{
		name: "http-pooled-connection", setup: warm(server(answer(403))), leak: statusOnly, clean: statusClosed,
		want: want{code: "LK001", kind: "http-response", mark: "status-only", has: []string{"GET / (403)", "2 goroutines of net/http"}},
	},
	{
		name: "http-pooled-connection-untracked", setup: warmOwn(server(answer(403))), leak: ownClientOnly, clean: ownClientClosed,
		want: want{code: "LK001", kind: "http-response", has: untracked},
	},
	{
		name: "http-403-untracked", setup: server(answer(403)), leak: ownTransportOnly, clean: ownTransportClosed,
		want: want{code: "LK001", kind: "http-response", has: untracked},
	},
	{
		name: "http-403-httpcheck", setup: server(answer(403)), leak: httpcheckOnly, clean: httpcheckClosed,
		want: want{code: "LK001", kind: "http-response", mark: "httpcheck-only", onlyVerify: true, has: []string{
			"GET / (403)", "2 goroutines of net/http",
		}},
	},
	{
		name: "https-untracked", setup: tlsServer(answer(403), false), leak: ownClientOnly, clean: ownClientClosed,
		want: want{code: "LK001", kind: "http-response", has: untracked},
	},
	{
		name: "https-httpcheck", setup: tlsServer(answer(403), false), leak: ownClientHTTPCheckOnly, clean: ownClientHTTPCheckClosed,
		want: want{code: "LK001", kind: "http-response", mark: "own-client-httpcheck", onlyVerify: true, has: []string{"GET / (403)"}},
	},
	{
		name: "http-server-of-the-test", leak: serverOfTheTest, clean: serverOfTheTestClosed, linux: true,
		want: want{code: "LK001", kind: "http-response", mark: "server-of-the-test", has: []string{"CLOSE_WAIT"}},
	},
	{
		name: "http-long-body", setup: server(http.HandlerFunc(long)), leak: statusOnly, clean: statusClosed,
		want: want{code: "LK001", kind: "http-response", mark: "status-only", has: []string{"GET / (200)"}},
	},
	{
		name: "http-in-goroutine", setup: server(answer(403)), leak: inGoroutine, clean: inGoroutineClosed,
		want: want{code: "LK001", kind: "http-response", mark: "in-goroutine", has: []string{"GET / (403)"}},
	},
	{
		name: "http-beside-idle", setup: server(answer(403)), leak: besideIdle, clean: besideIdleClosed,
		want: want{code: "LK001", kind: "http-response", has: untracked},
	},
	{
		name: "http-parallel-subtests", leak: parallelHTTP(true), clean: parallelHTTP(false),
		want: want{
			code: "LK001", kind: "http-response", mark: "parallel-http", test: "TestScenario/group/leaks", onlyVerify: true,
			has: []string{"GET / (403)"},
		},
	},
	{
		name: "http-redirect-not-followed", setup: server(http.RedirectHandler("/elsewhere", http.StatusFound)),
		leak: redirectOnly, clean: redirectClosed,
		want: want{code: "LK001", kind: "http-response", mark: "redirect", has: []string{"GET / (302)"}},
	},
	{
		name: "http-retry-loop", setup: server(answer(503)), leak: retryOnly, clean: retryClosed,
		want: want{code: "LK001", kind: "http-response", count: 3, mark: "retry", has: []string{"each holds"}},
	},
	{
		name: "http-retry-loop-untracked", setup: server(answer(503)), leak: retryOwnOnly, clean: retryOwnClosed,
		want: want{code: "LK001", kind: "http-response", count: 3, has: untracked},
	},
	{
		name: "http-decode-error", setup: server(answer(200)), leak: decodeOnly, clean: decodeClosed,
		want: want{code: "LK001", kind: "http-response", mark: "decode", has: []string{"GET / (200)", "bytes read"}},
	},
	{
		name: "http2-open-stream", setup: tlsServer(http.HandlerFunc(long), true), leak: ownClientOnly, clean: ownClientClosed,
		want: want{code: "LK001", kind: "http-response", has: append([]string{"HTTP/2"}, untracked...)},
	},
	{
		name: "http2-open-stream-httpcheck", setup: tlsServer(http.HandlerFunc(long), true),
		leak: ownClientHTTPCheckOnly, clean: ownClientHTTPCheckClosed,
		want: want{code: "LK001", kind: "http-response", mark: "own-client-httpcheck", onlyVerify: true, has: []string{"GET / (200)"}},
	},
	{
		name: "http2-small-body-httpcheck", setup: tlsServer(answer(403), true),
		leak: ownClientHTTPCheckOnly, clean: ownClientHTTPCheckClosed,
		want: want{code: "LK001", kind: "http-response", mark: "own-client-httpcheck", onlyVerify: true, has: []string{"GET / (403)"}},
	},
	{
		name: "http2-small-body-timeout", setup: tlsServer(answer(403), true), leak: middlewareOnly, clean: middlewareClosed,
		want: want{code: "LK001", kind: "http-response", has: append([]string{"request with a timeout"}, untracked...)},
	},
	{
		name: "http-upgrade", setup: server(http.HandlerFunc(upgrade)), leak: upgradeOnly, clean: upgradeClosed,
		want: want{code: "LK001", kind: "http-response", mark: "upgrade", has: []string{"connection after GET / (101)"}, hasNot: []string{"2 goroutines"}},
	},
	{
		name: "http-connection-close", setup: closingServer, leak: connectionClose, clean: connectionCloseClosed, linux: true,
		want: want{code: "LK001", kind: "http-response", mark: "connection-close", has: []string{"CLOSE_WAIT: the peer has closed"}},
	},
	{
		name: "http-reset-in-body", leak: resetOnly, clean: resetClosed,
		want: want{code: "LK001", kind: "http-response", mark: "reset", has: []string{"GET / (200)"}},
	},
	{
		name: "http-context-cancelled", setup: server(answer(403)), leak: cancelledOnly, clean: cancelledClosed,
		want: want{code: "LK001", kind: "http-response", mark: "cancelled", has: []string{"only the end of the request's context freed"}},
	},
	{
		name: "http-context-cancelled-httpcheck", setup: server(answer(403)), leak: cancelledHTTPCheck, clean: cancelledHTTPCheckClosed,
		want: want{code: "LK001", kind: "http-response", mark: "cancelled-httpcheck", onlyVerify: true},
	},
	{
		name: "http-client-timeout", setup: server(answer(403)), leak: timeoutOnly, clean: timeoutClosed,
		want: want{code: "LK001", kind: "http-response", mark: "timeout", has: []string{"GET / (403)"}},
	},
	{
		name: "http-client-timeout-untracked", setup: server(answer(403)), leak: timeoutOwnOnly, clean: timeoutOwnClosed,
		want: want{code: "LK001", kind: "http-response", has: untracked},
	},
	{
		name: "http-eof-not-closed", setup: server(answer(200)), leak: drainedOnly, clean: drainedClosed,
		want: want{code: "LK002", kind: "http-response", mark: "drained", passes: true, has: []string{"read to EOF but never closed"}},
	},
	{
		name: "http-eof-not-closed-httpcheck", setup: server(answer(200)), leak: drainedHTTPCheck, clean: drainedHTTPCheckClosed,
		want: want{code: "LK002", kind: "http-response", mark: "drained-httpcheck", onlyVerify: true},
	},
	{
		name: "http-transport-per-call", setup: server(answer(200)), leak: transportPerCall, clean: transportReused,
		want: want{code: "LK003", kind: "http-conn", has: []string{"5 idle connections to one server", "use one http.Client"}},
	},
	{
		name: "https-transport-per-call", setup: tlsServer(answer(200), false), leak: tlsTransportPerCall, clean: tlsTransportReused,
		want: want{code: "LK003", kind: "http-conn", has: []string{"5 idle connections to one server"}},
	},
}

// statusOnly looks at the status and forgets the body.
func statusOnly(t *testing.T, p *peer) {
	resp, err := http.Get(p.url) // LEAK status-only
	require.NoError(t, err)
	assert.NotZero(t, resp.StatusCode)
}

func statusClosed(t *testing.T, p *peer) {
	resp, err := http.Get(p.url)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.NotZero(t, resp.StatusCode)
}

// warm leaves an idle connection in the pool of http.DefaultTransport before the test.
func warm(setup func() *peer) func() *peer {
	return func() *peer {
		p := setup()
		readAll(http.DefaultClient, p.url)
		return p
	}
}

// warmOwn does the same with a transport that is not tracked.
func warmOwn(setup func() *peer) func() *peer {
	return func() *peer {
		p := setup()
		p.client = &http.Client{Transport: &http.Transport{}}
		readAll(p.client, p.url)
		return p
	}
}

func readAll(c *http.Client, url string) {
	resp, err := c.Get(url)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
}

func inGoroutine(t *testing.T, p *peer) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		resp, err := http.Get(p.url) // LEAK in-goroutine
		assert.NoError(t, err)
		assert.Equal(t, 403, resp.StatusCode)
	}()
	<-done
}

func inGoroutineClosed(_ *testing.T, p *peer) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		readAll(http.DefaultClient, p.url)
	}()
	<-done
}

// besideIdle leaks one connection and leaves others idle.
func besideIdle(t *testing.T, p *peer) {
	readAll(http.DefaultClient, p.url)
	ownTransportOnly(t, p)
	readAll(http.DefaultClient, p.url)
}

func besideIdleClosed(t *testing.T, p *peer) {
	readAll(http.DefaultClient, p.url)
	ownTransportClosed(t, p)
	readAll(http.DefaultClient, p.url)
}

// parallelHTTP runs subtests that have servers of their own at the same time; one may leak.
func parallelHTTP(leaks bool) func(*testing.T, *peer) {
	return func(t *testing.T, _ *peer) {
		var all sync.WaitGroup // until all of them have sent
		names := []string{"one", "leaks", "two"}
		all.Add(len(names))
		t.Run("group", func(t *testing.T) {
			for _, name := range names {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					t.Cleanup(leakcheck.Verify(t))
					srv := httptest.NewServer(answer(403))
					defer srv.Close()
					resp, err := http.Get(srv.URL) // LEAK parallel-http
					all.Done()
					all.Wait()
					require.NoError(t, err)
					if name != "leaks" || !leaks {
						defer resp.Body.Close()
					}
				})
			}
		})
	}
}

func ownTransportOnly(t *testing.T, p *peer) {
	client := &http.Client{Transport: &http.Transport{}}
	resp, err := client.Get(p.url) // TAKEN own-transport
	require.NoError(t, err)
	assert.NotZero(t, resp.StatusCode)
}

func ownTransportClosed(t *testing.T, p *peer) {
	client := &http.Client{Transport: &http.Transport{}}
	readAll(client, p.url)
}

func httpcheckOnly(t *testing.T, p *peer) {
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(httpcheck.Verify(t, client))
	resp, err := client.Get(p.url) // LEAK httpcheck-only
	require.NoError(t, err)
	assert.NotZero(t, resp.StatusCode)
}

func httpcheckClosed(t *testing.T, p *peer) {
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(httpcheck.Verify(t, client))
	readAll(client, p.url)
}

func ownClientOnly(t *testing.T, p *peer) {
	resp, err := p.client.Get(p.url) // TAKEN own-client
	require.NoError(t, err)
	assert.NotZero(t, resp.StatusCode)
}

func ownClientClosed(t *testing.T, p *peer) {
	resp, err := p.client.Get(p.url)
	require.NoError(t, err)
	assert.NoError(t, resp.Body.Close())
}

// middleware is what tracing and retrying libraries put around a transport.
type middleware struct{ next http.RoundTripper }

func (m middleware) RoundTrip(req *http.Request) (*http.Response, error) {
	return m.next.RoundTrip(req)
}

// middlewareOnly leaves one goroutine, which watches the timeout: the server has ended the stream.
func middlewareOnly(t *testing.T, p *peer) {
	p.client = &http.Client{Timeout: time.Hour, Transport: middleware{p.client.Transport}}
	ownClientOnly(t, p)
}

func middlewareClosed(t *testing.T, p *peer) {
	p.client = &http.Client{Timeout: time.Hour, Transport: middleware{p.client.Transport}}
	ownClientClosed(t, p)
}

func ownClientHTTPCheckOnly(t *testing.T, p *peer) {
	t.Cleanup(httpcheck.Verify(t, p.client))
	resp, err := p.client.Get(p.url) // LEAK own-client-httpcheck
	require.NoError(t, err)
	assert.NotZero(t, resp.StatusCode)
}

func ownClientHTTPCheckClosed(t *testing.T, p *peer) {
	t.Cleanup(httpcheck.Verify(t, p.client))
	resp, err := p.client.Get(p.url)
	require.NoError(t, err)
	assert.NoError(t, resp.Body.Close())
}

func serverOfTheTest(t *testing.T, _ *peer) {
	srv := httptest.NewServer(answer(403))
	defer srv.Close()
	resp, err := http.Get(srv.URL) // LEAK server-of-the-test
	require.NoError(t, err)
	assert.Equal(t, 403, resp.StatusCode)
}

func serverOfTheTestClosed(t *testing.T, _ *peer) {
	srv := httptest.NewServer(answer(403))
	defer srv.Close()
	statusClosed(t, &peer{url: srv.URL})
}

var stay = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func redirectOnly(t *testing.T, p *peer) {
	resp, err := stay.Get(p.url) // LEAK redirect
	require.NoError(t, err)
	assert.Equal(t, "/elsewhere", resp.Header.Get("Location"))
}

func redirectClosed(t *testing.T, p *peer) {
	resp, err := stay.Get(p.url)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, "/elsewhere", resp.Header.Get("Location"))
}

func retryOnly(t *testing.T, p *peer) {
	for range 3 {
		resp, err := http.Get(p.url) // LEAK retry
		require.NoError(t, err)
		if resp.StatusCode == http.StatusOK {
			assert.NoError(t, resp.Body.Close())
			return
		}
	}
}

func retryClosed(t *testing.T, p *peer) {
	for range 3 {
		statusClosed(t, p)
	}
}

func retryOwnOnly(t *testing.T, p *peer) {
	p.client = &http.Client{Transport: &http.Transport{}}
	for range 3 {
		ownClientOnly(t, p)
	}
}

func retryOwnClosed(t *testing.T, p *peer) {
	p.client = &http.Client{Transport: &http.Transport{}}
	for range 3 {
		ownClientClosed(t, p)
	}
}

func decodeOnly(t *testing.T, p *peer) {
	resp, err := http.Get(p.url) // LEAK decode
	require.NoError(t, err)
	var v struct{ Name string }
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64)).Decode(&v); err != nil {
		return
	}
	assert.NoError(t, resp.Body.Close())
}

func decodeClosed(t *testing.T, p *peer) {
	resp, err := http.Get(p.url)
	require.NoError(t, err)
	defer resp.Body.Close()
	var v struct{ Name string }
	assert.Error(t, json.NewDecoder(io.LimitReader(resp.Body, 64)).Decode(&v))
}

// upgrade takes the connection over and echoes what comes.
func upgrade(w http.ResponseWriter, r *http.Request) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	_, _ = io.Copy(conn, rw)
}

func upgradeRequest(t *testing.T, url string) *http.Request {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	require.NoError(t, err)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	return req
}

func upgradeOnly(t *testing.T, p *peer) {
	req := upgradeRequest(t, p.url)
	resp, err := http.DefaultClient.Do(req) // LEAK upgrade
	require.NoError(t, err)
	echo(t, resp)
	keep(resp)
}

func upgradeClosed(t *testing.T, p *peer) {
	resp, err := http.DefaultClient.Do(upgradeRequest(t, p.url))
	require.NoError(t, err)
	defer resp.Body.Close()
	echo(t, resp)
}

func echo(t *testing.T, resp *http.Response) {
	require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
	rw, ok := resp.Body.(io.ReadWriter)
	require.True(t, ok, "the body after 101 can be written to")
	_, err := io.WriteString(rw, "hello\n")
	require.NoError(t, err)
	line, err := bufio.NewReader(rw).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "hello\n", line)
}

// closingServer closes each connection after one reply, and says when it has.
func closingServer() *peer {
	closed := make(chan struct{}, 8)
	srv := httptest.NewUnstartedServer(answer(403))
	srv.Config.SetKeepAlivesEnabled(false)
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			closed <- struct{}{}
		}
	}
	srv.Start()
	return &peer{url: srv.URL, closed: closed}
}

func connectionClose(t *testing.T, p *peer) {
	resp, err := http.Get(p.url) // LEAK connection-close
	require.NoError(t, err)
	assert.True(t, resp.Close, "the server said Connection: close")
	<-p.closed
}

func connectionCloseClosed(t *testing.T, p *peer) {
	statusClosed(t, p)
	<-p.closed
}

// resetting answers one request with the beginning of a body, and resets the connection when it is told to.
func resetting(t *testing.T, now <-chan struct{}) (url string, done <-chan struct{}) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	end := make(chan struct{})
	go func() {
		defer close(end)
		defer l.Close()
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nthe beginning")
		<-now
		_ = c.(*net.TCPConn).SetLinger(0)
	}()
	return "http://" + l.Addr().String(), end
}

func resetOnly(t *testing.T, _ *peer) {
	now := make(chan struct{})
	url, done := resetting(t, now)
	resp, err := http.Get(url) // LEAK reset
	close(now)
	<-done
	require.NoError(t, err)
	assert.Equal(t, 200, resp.StatusCode)
}

func resetClosed(t *testing.T, _ *peer) {
	now := make(chan struct{})
	url, done := resetting(t, now)
	resp, err := http.Get(url)
	close(now)
	<-done
	require.NoError(t, err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	assert.Error(t, err)
}

// cancelledOnly holds nothing at the end: the context gave the connection up.
func cancelledOnly(t *testing.T, p *peer) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req) // LEAK cancelled
	require.NoError(t, err)
	assert.Equal(t, 403, resp.StatusCode)
}

func cancelledClosed(t *testing.T, p *peer) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, 403, resp.StatusCode)
}

func cancelledHTTPCheck(t *testing.T, p *peer) {
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(httpcheck.Verify(t, client))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	require.NoError(t, err)
	resp, err := client.Do(req) // LEAK cancelled-httpcheck
	require.NoError(t, err)
	assert.Equal(t, 403, resp.StatusCode)
}

func cancelledHTTPCheckClosed(t *testing.T, p *peer) {
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(httpcheck.Verify(t, client))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	require.NoError(t, err)
	resp, err := client.Do(req)
	require.NoError(t, err)
	assert.NoError(t, resp.Body.Close())
}

func timeoutOnly(t *testing.T, p *peer) {
	client := &http.Client{Timeout: time.Hour}
	resp, err := client.Get(p.url) // LEAK timeout
	require.NoError(t, err)
	assert.Equal(t, 403, resp.StatusCode)
}

func timeoutClosed(t *testing.T, p *peer) { readAll(&http.Client{Timeout: time.Hour}, p.url) }

func timeoutOwnOnly(t *testing.T, p *peer) {
	p.client = &http.Client{Timeout: time.Hour, Transport: &http.Transport{}}
	ownClientOnly(t, p)
}

func timeoutOwnClosed(t *testing.T, p *peer) {
	p.client = &http.Client{Timeout: time.Hour, Transport: &http.Transport{}}
	ownClientClosed(t, p)
}

func drainedOnly(t *testing.T, p *peer) {
	resp, err := http.Get(p.url) // LEAK drained
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(body), "<html>"))
}

func drainedClosed(_ *testing.T, p *peer) { readAll(http.DefaultClient, p.url) }

func drainedHTTPCheck(t *testing.T, p *peer) {
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(httpcheck.Verify(t, client))
	resp, err := client.Get(p.url) // LEAK drained-httpcheck
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	assert.NoError(t, err)
}

func drainedHTTPCheckClosed(t *testing.T, p *peer) { httpcheckClosed(t, p) }

func transportPerCall(_ *testing.T, p *peer) {
	for range 5 {
		readAll(&http.Client{Transport: &http.Transport{}}, p.url)
	}
}

func transportReused(_ *testing.T, p *peer) {
	client := &http.Client{Transport: &http.Transport{}}
	for range 5 {
		readAll(client, p.url)
	}
}

func tlsTransportPerCall(_ *testing.T, p *peer) {
	for range 5 {
		readAll(&http.Client{Transport: p.client.Transport.(*http.Transport).Clone()}, p.url)
	}
}

func tlsTransportReused(_ *testing.T, p *peer) {
	for range 5 {
		readAll(p.client, p.url)
	}
}

var httpServerScenarios = []scenario{
	{
		name: "server-httptest", leak: httptestOpen, clean: httptestClosed,
		want: want{code: "LK101", kind: "goroutine", has: []string{"httptest.Server was never closed", "listener"}},
	},
	{
		name: "server-httptest-with-clients", leak: httptestOpenUsed, clean: httptestClosedUsed,
		want: want{code: "LK101", kind: "goroutine", has: []string{"httptest.Server was never closed", "1 connection that it serves"}},
	},
	{
		name: "server-http", leak: httpServerOpen, clean: httpServerShutdown,
		want: want{code: "LK101", kind: "goroutine", mark: "server-http", has: []string{"listener"}},
	},
	{
		name: "server-http-closure", leak: httpServerClosure, clean: httpServerShutdown,
		want: want{code: "LK101", kind: "goroutine", mark: "server-http-closure", has: []string{"listener"}},
	},
	{
		name: "server-stuck-handler", setup: server(http.HandlerFunc(stuck)), leak: giveUp, clean: giveUpOnDone,
		want: want{code: "LK102", kind: "goroutine", mark: "stuck-handler", nobody: true},
	},
}

func httptestOpen(_ *testing.T, _ *peer) {
	keep(httptest.NewServer(answer(200))) // TAKEN httptest
}

func httptestClosed(_ *testing.T, _ *peer) { httptest.NewServer(answer(200)).Close() }

func httptestOpenUsed(_ *testing.T, _ *peer) {
	readAll(http.DefaultClient, httptest.NewServer(answer(200)).URL) // TAKEN httptest-used
}

func httptestClosedUsed(_ *testing.T, _ *peer) {
	srv := httptest.NewServer(answer(200))
	defer srv.Close()
	readAll(http.DefaultClient, srv.URL)
}

func httpServerOpen(t *testing.T, _ *peer) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := &http.Server{Handler: answer(200)}
	go srv.Serve(l) // LEAK server-http
}

func httpServerClosure(t *testing.T, _ *peer) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := &http.Server{Handler: answer(200)}
	go func() { // LEAK server-http-closure
		_ = srv.Serve(l)
	}()
}

func httpServerShutdown(t *testing.T, _ *peer) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := &http.Server{Handler: answer(200)}
	go srv.Serve(l)
	readAll(http.DefaultClient, "http://"+l.Addr().String())
	go srv.Shutdown(context.Background()) // nobody waits for it
}

var (
	never   = make(chan struct{})
	entered = make(chan struct{}, 1)
)

// stuck waits for what never comes, or with ?done for the client to go away.
func stuck(_ http.ResponseWriter, r *http.Request) {
	entered <- struct{}{}
	if r.URL.RawQuery == "done" {
		<-r.Context().Done()
		return
	}
	<-never // LEAK stuck-handler
}

// giveUp sends a request and leaves as soon as the handler has it.
func giveUp(t *testing.T, p *peer) {
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-entered
		cancel()
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	require.NoError(t, err)
	_, err = http.DefaultClient.Do(req)
	require.ErrorIs(t, err, context.Canceled, fmt.Sprint(req.URL))
}

func giveUpOnDone(t *testing.T, p *peer) { giveUp(t, &peer{url: p.url + "?done"}) }
