package matrix

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// cleanScenarios are no leaks, whatever they look like.
var cleanScenarios = []scenario{
	{name: "clean-winding-down", clean: windingDown},
	{name: "clean-idle-http1", setup: server(answer(200)), clean: idleHTTP1},
	{name: "clean-idle-http2", setup: defaultTLS(true), clean: idleTLS},
	{name: "clean-idle-https", setup: defaultTLS(false), clean: idleTLS},
	{name: "clean-head", setup: server(answer(403)), clean: headOnly},
	{name: "clean-empty-403", setup: server(http.HandlerFunc(empty403)), clean: empty},
	{name: "clean-concurrent-requests", setup: server(answer(200)), clean: concurrent},
	{name: "clean-pooled-db", setup: database, clean: pooledDB},
	{name: "clean-signal-notify", clean: signalNotify},
	{name: "clean-signal-context", clean: signalContext},
	{name: "clean-parallel-subtests", setup: server(answer(200)), clean: parallelGroup},
	{name: "clean-afterfunc-pending", clean: pendingAfterFunc},
	{name: "clean-context-cancelled-late", clean: cancelledLate},
	{name: "clean-context-afterfunc", clean: contextAfterFunc},
	{name: "clean-child-waited", clean: childWaited, linux: true},
	{name: "clean-child-killed", clean: childKilled, linux: true},
	{name: "clean-listener-of-parallel-server", clean: twoServers},
}

// windingDown has a goroutine that needs a moment after the test has told it to end.
func windingDown(_ *testing.T, _ *peer) {
	end := make(chan struct{})
	go func() {
		<-end
		time.Sleep(50 * time.Millisecond)
	}()
	close(end)
}

func idleHTTP1(_ *testing.T, p *peer) {
	for range 3 {
		readAll(http.DefaultClient, p.url)
	}
}

// defaultTLS makes http.DefaultTransport trust a server that was there before the test.
func defaultTLS(http2 bool) func() *peer {
	return func() *peer {
		srv := httptest.NewUnstartedServer(answer(200))
		srv.EnableHTTP2 = http2
		srv.StartTLS()
		roots := x509.NewCertPool()
		roots.AddCert(srv.Certificate())
		config := srv.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		config.RootCAs = roots
		http.DefaultTransport.(*http.Transport).TLSClientConfig = config
		return &peer{url: srv.URL}
	}
}

func idleTLS(_ *testing.T, p *peer) {
	for range 3 {
		readAll(http.DefaultClient, p.url)
	}
}

// headOnly and empty have no body to close: net/http has the connection back before they see the response.
func headOnly(t *testing.T, p *peer) {
	resp, err := http.Head(p.url)
	require.NoError(t, err)
	assert.Equal(t, 403, resp.StatusCode)
}

func empty403(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }

func empty(t *testing.T, p *peer) {
	resp, err := http.Get(p.url)
	require.NoError(t, err)
	assert.Equal(t, 403, resp.StatusCode)
}

// concurrent opens more connections than the pool keeps.
func concurrent(_ *testing.T, p *peer) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			readAll(http.DefaultClient, p.url)
		}()
	}
	wg.Wait()
}

func pooledDB(t *testing.T, p *peer) {
	for range 3 {
		rowsClosed(t, p)
		txDone(t, p)
	}
}

// signalNotify starts the one goroutine of os/signal, which stays.
func signalNotify(_ *testing.T, _ *peer) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	defer signal.Stop(c)
}

func signalContext(t *testing.T, _ *peer) {
	_, stop := signal.NotifyContext(t.Context(), os.Interrupt)
	defer stop()
}

func parallelGroup(t *testing.T, p *peer) {
	for _, name := range []string{"a", "b", "c"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			readAll(http.DefaultClient, p.url)
			end := make(chan struct{})
			defer close(end)
			go func() { <-end }()
		})
	}
}

// pendingAfterFunc has no goroutine until it is due.
func pendingAfterFunc(_ *testing.T, _ *peer) { time.AfterFunc(time.Hour, func() {}) }

func cancelledLate(t *testing.T, _ *peer) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	t.Cleanup(cancel) // runs after the test function and before the check
	go func() { <-ctx.Done() }()
}

func contextAfterFunc(t *testing.T, _ *peer) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	context.AfterFunc(ctx, func() { close(done) })
	cancel()
	<-done
}

func childWaited(t *testing.T, p *peer) { execBufferWait(t, p) }

func childKilled(t *testing.T, _ *peer) {
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, "cat")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	cancel()
	assert.Error(t, cmd.Wait())
	_ = in.Close()
}

// twoServers has a client and a server on both sides at once.
func twoServers(_ *testing.T, _ *peer) {
	back := httptest.NewServer(answer(200))
	defer back.Close()
	front := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		readAll(http.DefaultClient, back.URL)
	}))
	defer front.Close()
	readAll(http.DefaultClient, front.URL)
}
