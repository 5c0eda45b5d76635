package mockserver

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// running is how many goroutines a server has. The last thing each of them does is to count itself out, so that for an
// instant longer a dump can show it.
func running(srv *Server) int {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return srv.running
}

// These tests do not run in parallel: they count what the whole process has.

func TestCloseLeavesNothing(t *testing.T) {
	before := sockets()
	for _, c := range []struct {
		name string
		use  func(t *testing.T, srv *Server) (release func())
	}{
		{"unused", func(t *testing.T, srv *Server) func() { return nil }},
		{"own client", func(t *testing.T, srv *Server) func() {
			for range 3 {
				assert.Equal(t, "200 ok", read(srv.Client(), "GET", srv.URL+"/ok", ""))
			}
			return nil
		}},
		{"own client, connection kept by the server", func(t *testing.T, srv *Server) func() {
			assert.Contains(t, read(srv.Client(), "GET", srv.URL+"/close", ""), "403")
			return nil
		}},
		{"silent connection", func(t *testing.T, srv *Server) func() {
			nc := dial(t, srv)
			eventually(t, func() bool { return len(srv.Conns()) == 1 })
			return func() { nc.Close() }
		}},
		{"half a request", func(t *testing.T, srv *Server) func() {
			nc := dial(t, srv)
			fmt.Fprint(nc, "GET /ok HTT")
			eventually(t, func() bool { c := srv.Conns(); return len(c) == 1 && c[0].State == ConnActive })
			return func() { nc.Close() }
		}},
		{"half a body", func(t *testing.T, srv *Server) func() {
			nc := dial(t, srv)
			fmt.Fprint(nc, "PUT /ok HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n1")
			eventually(t, func() bool { c := srv.Conns(); return len(c) == 1 && c[0].State == ConnActive })
			return func() { nc.Close() }
		}},
		{"leaked body", func(t *testing.T, srv *Server) func() {
			resp, err := srv.Client().Get(srv.URL + "/forbidden")
			require.NoError(t, err)
			return func() { resp.Body.Close() }
		}},
		{"leaked body of a closed connection", func(t *testing.T, srv *Server) func() {
			resp, err := srv.Client().Get(srv.URL + "/close")
			require.NoError(t, err)
			return func() { resp.Body.Close() }
		}},
		{"reply under way", func(t *testing.T, srv *Server) func() {
			resp, err := srv.Client().Get(srv.URL + "/big") // more than the buffers of both sockets
			require.NoError(t, err)
			assert.Equal(t, ConnActive, srv.Conns()[0].State)
			return func() { resp.Body.Close() }
		}},
		{"late terminator", func(t *testing.T, srv *Server) func() {
			resp, err := srv.Client().Get(srv.URL + "/late")
			require.NoError(t, err)
			return func() { resp.Body.Close() }
		}},
		{"delayed reply", func(t *testing.T, srv *Server) func() {
			got := make(chan string, 1)
			go func() { got <- read(srv.Client(), "GET", srv.URL+"/slow", "") }()
			eventually(t, func() bool { return len(srv.Requests()) == 1 })
			return func() { assert.Contains(t, <-got, "EOF") }
		}},
		{"delayed reply with the next request", func(t *testing.T, srv *Server) func() {
			nc := dial(t, srv)
			fmt.Fprint(nc, get("/slow")+get("/ok"))
			eventually(t, func() bool { return len(srv.Requests()) == 1 })
			return func() {
				b, _ := io.ReadAll(nc) // a reset, because the server has not read the second request, or an end
				assert.Empty(t, b)
				nc.Close()
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ft := &fakeT{}
			srv := New(ft, withLate(time.Hour), AllowUnused())
			srv.On("GET", "/ok").Reply(Text(200, "ok"))
			srv.On("GET", "/forbidden").Reply(Status(403))
			srv.On("GET", "/close").Reply(ALB(403).Framing(UntilClose))
			srv.On("GET", "/big").Reply(Text(200, strings.Repeat("x", 32<<20)))
			srv.On("GET", "/late").Reply(Text(200, "late").Framing(ChunkedLate))
			srv.On("GET", "/slow").Reply(Status(200).Delay(time.Hour))
			release := c.use(t, srv)
			ft.end()
			assert.Zero(t, running(srv), "Close has waited for them")
			eventually(t, func() bool { return serverGoroutines() == 0 })
			for _, conn := range srv.Conns() {
				assert.Equal(t, ConnClosed, conn.State)
			}
			srv.Close()
			if release != nil {
				release()
			}
			eventually(t, func() bool { return sockets() <= before }, "sockets of the server or its client are left")
			assert.Empty(t, ft.failures())
			assert.Empty(t, ft.logged())
		})
	}
}

func TestManyServersAtOnce(t *testing.T) {
	before := sockets()
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			ft := &fakeT{}
			srv := New(ft)
			srv.On("GET", "/{n}").Reply(Text(200, fmt.Sprint(i)))
			for range 3 {
				assert.Equal(t, fmt.Sprint("200 ", i), read(srv.Client(), "GET", srv.URL+"/n", ""))
			}
			ft.end()
			assert.Zero(t, running(srv))
			assert.Empty(t, ft.failures())
		})
	}
	wg.Wait()
	eventually(t, func() bool { return serverGoroutines() == 0 })
	eventually(t, func() bool { return sockets() <= before })
}

func TestCloseFromMany(t *testing.T) {
	srv := New(&bareT{})
	srv.On("GET", "/").Reply(Status(200).Delay(time.Hour))
	got := make(chan string, 1)
	go func() { got <- read(srv.Client(), "GET", srv.URL, "") }()
	eventually(t, func() bool { return len(srv.Requests()) == 1 })
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			srv.Close()
			assert.Zero(t, running(srv))
		})
	}
	wg.Wait()
	assert.Contains(t, <-got, "EOF")
}

// Connections that come while the server closes are closed too.
func TestCloseWhileClientsConnect(t *testing.T) {
	before := sockets()
	for range 20 {
		srv := New(&bareT{}, AllowUnmatched())
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						read(client, "GET", srv.URL, "")
					}
				}
			})
		}
		eventually(t, func() bool { return len(srv.Requests()) > 4 })
		srv.Close()
		assert.Zero(t, running(srv))
		close(stop)
		wg.Wait()
	}
	eventually(t, func() bool { return sockets() <= before })
}
