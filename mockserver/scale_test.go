//go:build unix

package mockserver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// These tests do not run in parallel: they want many descriptors.

// needsFiles skips a test that needs more open files than this process may have. Go has raised the limit as far as it may.
func needsFiles(t *testing.T, n uint64) {
	t.Helper()
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if uint64(limit.Cur) < n {
		t.Skipf("needs %d open files, and RLIMIT_NOFILE is %d: ulimit -n %d", n, limit.Cur, n)
	}
}

func TestFiveHundredServersAtOnce(t *testing.T) {
	const servers, clients = 500, 3
	needsFiles(t, servers*(1+2*clients)+200)
	before := sockets()
	var all [servers]*Server
	var fts [servers]*fakeT
	for i := range all {
		fts[i] = &fakeT{}
		all[i] = New(fts[i])
		all[i].On("GET", "/{n}").Reply(Text(200, strconv.Itoa(i)))
	}
	var wg sync.WaitGroup
	for i, srv := range all {
		for range clients {
			wg.Go(func() {
				client := &http.Client{Transport: &http.Transport{}}
				assert.Equal(t, fmt.Sprint("200 ", i), read(client, "GET", srv.URL+"/n", ""))
				t.Cleanup(client.CloseIdleConnections)
			})
		}
	}
	wg.Wait()
	for i, srv := range all {
		assert.Len(t, srv.Requests(), clients)
		assert.LessOrEqual(t, open(srv), clients) // on a busy machine net/http may close one instead of keeping it
		wg.Go(func() {
			fts[i].end()
			assert.Zero(t, running(srv))
		})
	}
	wg.Wait()
	for i, srv := range all {
		assert.Zero(t, open(srv))
		assert.Empty(t, fts[i].failures())
	}
	eventually(t, func() bool { return serverGoroutines() == 0 && sockets() <= before })
}

// dialsTo makes the test binary the process that TestTenThousandConnections dials from: each process has one end of each
// connection.
const dialsTo = "MOCKSERVER_TEST_DIALS_TO"

func TestTenThousandConnections(t *testing.T) {
	const n = 10_000
	if addr := os.Getenv(dialsTo); addr != "" {
		dialMany(t, addr, n)
		return
	}
	needsFiles(t, n+500)
	srv := New(t)
	srv.On("GET", "/ok").Reply(Status(204))
	srv.On("GET", "/stall").Reply(ALB(403).Fault(StallAfter(50)))

	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "-test.run=^TestTenThousandConnections$", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), dialsTo+"="+strings.TrimPrefix(srv.URL, "http://"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer func() {
		in.Close()
		cmd.Wait()
	}()
	said := bufio.NewReader(out)
	hear := func() {
		line, err := said.ReadString('\n')
		require.NoError(t, err)
		if strings.HasPrefix(line, "skip") {
			t.Skip(strings.TrimSpace(line))
		}
		require.Equal(t, "done\n", line)
	}
	count := func() map[ConnState]int {
		states := map[ConnState]int{}
		for _, c := range srv.Conns() {
			states[c.State]++
		}
		return states
	}

	hear()
	want := map[ConnState]int{ConnNew: n / 4, ConnIdle: n / 4, ConnActive: n / 2}
	eventually(t, func() bool { return assert.ObjectsAreEqual(want, count()) }, "all are open")
	assert.Len(t, srv.Requests(), n/2)

	io.WriteString(in, "close\n")
	hear()
	want = map[ConnState]int{ConnNew: n / 8, ConnIdle: n / 8, ConnActive: n / 4, ConnClosed: n / 2}
	eventually(t, func() bool { return assert.ObjectsAreEqual(want, count()) }, "half of them are closed")
	eventually(t, func() bool { return running(srv) == 1+n/2 }, "the accept loop, and one goroutine for each connection")
	ids := map[int]bool{}
	for _, c := range srv.Conns() {
		ids[c.ID] = true
	}
	assert.Len(t, ids, n)

	srv.Close()
	assert.Zero(t, running(srv))
	assert.Equal(t, map[ConnState]int{ConnClosed: n}, count())
}

// dialMany is the other process: a quarter of the connections is silent, a quarter has had a reply, a quarter has sent half
// a request, and a quarter waits for the rest of a reply. On a line from stdin it closes half of each kind.
func dialMany(t *testing.T, addr string, n int) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || uint64(limit.Cur) < uint64(n+100) {
		fmt.Printf("skip: the dialling process may have %d open files\n", limit.Cur)
		return
	}
	conns := make([]net.Conn, n)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			buf := make([]byte, 4096)
			for i := w; i < n; i += 8 {
				nc, err := net.Dial("tcp", addr)
				if err != nil {
					t.Errorf("%v", err)
					return
				}
				conns[i] = nc
				switch i % 4 {
				case 1:
					io.WriteString(nc, get("/ok"))
					nc.Read(buf)
				case 2:
					io.WriteString(nc, "GET /ok HTTP/1.1\r\nHo")
				case 3:
					io.WriteString(nc, get("/stall"))
					nc.Read(buf)
				}
			}
		})
	}
	wg.Wait()
	fmt.Println("done")
	in := bufio.NewReader(os.Stdin)
	in.ReadString('\n')
	for i, nc := range conns {
		if i/4%2 == 0 && nc != nil {
			nc.Close()
		}
	}
	fmt.Println("done")
	in.ReadString('\n') // until the other process has seen enough
}
