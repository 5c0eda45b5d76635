package mockserver

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// bareT is a TB that records, without Cleanup.
type bareT struct {
	mu     sync.Mutex
	errors []string
	logs   []string
	onFail func()
}

func (t *bareT) Helper()      {}
func (t *bareT) Name() string { return "TestFake" }
func (t *bareT) Failed() bool { return len(t.failures()) > 0 }
func (t *bareT) Errorf(format string, args ...any) {
	t.mu.Lock()
	t.errors = append(t.errors, fmt.Sprintf(format, args...))
	t.mu.Unlock()
	if t.onFail != nil {
		t.onFail()
	}
}
func (t *bareT) Logf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.logs = append(t.logs, fmt.Sprintf(format, args...))
}
func (t *bareT) failures() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.errors...)
}
func (t *bareT) logged() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.logs...)
}

// fakeT has Cleanup too.
type fakeT struct {
	bareT
	cleanups []func()
}

func (t *fakeT) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }
func (t *fakeT) end() {
	for i := len(t.cleanups) - 1; i >= 0; i-- {
		t.cleanups[i]()
	}
}

// withLate makes ChunkedLate later, so that a busy machine cannot be later still.
func withLate(d time.Duration) Option { return func(c *config) { c.late = d } }

func withBodyWait(d time.Duration) Option { return func(c *config) { c.bodyWait = d } }

func withMaxBody(n int64) Option { return func(c *config) { c.maxBody = n } }

// newClient is a client with a transport of its own.
func newClient(t *testing.T) *http.Client {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func dial(t *testing.T, srv *Server) *net.TCPConn {
	t.Helper()
	nc, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { nc.Close() })
	return nc.(*net.TCPConn)
}

var dateLine = regexp.MustCompile(`Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT`)

// raw sends bytes on a new connection, ends the sending half, and returns every byte that comes back, with the date taken
// out.
func raw(t *testing.T, srv *Server, request string) string {
	t.Helper()
	nc := dial(t, srv)
	_, err := io.WriteString(nc, request)
	require.NoError(t, err)
	require.NoError(t, nc.CloseWrite())
	all, err := io.ReadAll(nc)
	require.NoError(t, err)
	return dateLine.ReplaceAllString(string(all), "Date: {date}")
}

func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: test\r\n\r\n" }

// read does a request and gives status and body, or the error.
func read(c *http.Client, method, url, body string) string {
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, url, in)
	if err != nil {
		return err.Error()
	}
	resp, err := c.Do(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, b)
}

// open counts the connections that the client has not closed.
func open(srv *Server) int {
	n := 0
	for _, c := range srv.Conns() {
		if c.State != ConnClosed {
			n++
		}
	}
	return n
}

func eventually(t *testing.T, ok func() bool, msg ...any) {
	t.Helper()
	require.Eventually(t, ok, 20*time.Second, 2*time.Millisecond, msg...)
}

// serverGoroutines counts the goroutines that run this package's server.
func serverGoroutines() int {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	n := 0
	for _, g := range strings.Split(string(buf), "\n\n") {
		if strings.Contains(g, "mockserver.(*Server).accept") || strings.Contains(g, "mockserver.(*conn).") ||
			strings.Contains(g, "mockserver.(*TCP).accept") || strings.Contains(g, "mockserver.(*tcpConn).") {
			n++
		}
	}
	return n
}

// sockets counts this process's sockets, or returns 0 where that cannot be seen.
func sockets() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	n := 0
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

func TestMain(m *testing.M) {
	code := m.Run()
	for i := 0; serverGoroutines() > 0; i++ {
		if i == 100 {
			fmt.Fprintf(os.Stderr, "%d goroutines of servers are left after all tests\n", serverGoroutines())
			os.Exit(1)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if sweepDir != "" {
		os.RemoveAll(sweepDir)
	}
	os.Exit(code)
}
