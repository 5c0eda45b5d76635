package mockserver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// rawFrom sends bytes to an address, ends the sending half, and returns every byte that comes back.
func rawFrom(t *testing.T, url, request string) string {
	t.Helper()
	nc, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	defer nc.Close()
	_, err = io.WriteString(nc, request)
	require.NoError(t, err)
	nc.SetReadDeadline(time.Now().Add(30 * time.Second))
	all, err := io.ReadAll(nc)
	require.NoError(t, err)
	return dated(string(all))
}

// TestHandlerIsAsInNetHTTP compares the bytes that a handler sends with those that net/http's own server sends for it.
func TestHandlerIsAsInNetHTTP(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long ", 1000)
	for name, h := range map[string]http.HandlerFunc{
		"nothing":   func(w http.ResponseWriter, r *http.Request) {},
		"text":      func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "text") },
		"html":      func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html><body>") },
		"status":    func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403) },
		"odd":       func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(599); w.Write([]byte("x")) },
		"twice":     func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403); w.WriteHeader(200) },
		"204":       func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204); w.Write([]byte("x")) },
		"304":       func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Etag", "1"); w.WriteHeader(304) },
		"error":     func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", 500) },
		"not found": http.NotFound,
		"redirect":  func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"2048":      func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, long[:2048]) },
		"2049":      func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(long[:2049])) },
		"long":      func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(long)) },
		"headers": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("X-B", "1")
			w.Header().Add("X-A", "2 \r\nX-Evil: 3")
			w.Header().Add("X-B", " 4")
			w.Header()["x-raw"] = []string{"5"}
			w.Header()["Date"] = []string{"never"}
			io.WriteString(w, "x")
			w.Header().Set("X-Late", "6")
		},
		"no type": func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Content-Type"] = nil
			io.WriteString(w, "x")
		},
		"no date": func(w http.ResponseWriter, r *http.Request) { w.Header()["Date"] = nil },
		"encoded": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			io.WriteString(w, "x")
		},
		"length": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "4")
			io.WriteString(w, "text")
		},
		"too long": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "4")
			_, err := io.WriteString(w, "longer")
			fmt.Fprint(w, err == http.ErrContentLength)
		},
		"too short": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "9")
			io.WriteString(w, "text")
		},
		"close": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close")
			io.WriteString(w, "x")
		},
		"flush": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "a")
			w.(http.Flusher).Flush()
			io.WriteString(w, "bc")
			http.NewResponseController(w).Flush()
		},
		"flush first": func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush(); io.WriteString(w, "text") },
		"flush length": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "4")
			w.(http.Flusher).Flush()
			io.WriteString(w, "text")
		},
		"trailers": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "X-Sum, X-None")
			io.WriteString(w, "text")
			w.Header().Set("X-Sum", "1")
		},
		"late trailers": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "text")
			w.(http.Flusher).Flush()
			w.Header().Set(http.TrailerPrefix+"X-Sum", "1")
		},
		"prefixed trailers": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "text")
			w.Header().Set(http.TrailerPrefix+"X-Sum", "1") // too late: the length is known
		},
		"prefixed trailers first": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(http.TrailerPrefix+"X-Sum", "1")
			io.WriteString(w, "text")
		},
		"204 length": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "7")
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Transfer-Encoding", "chunked")
			w.WriteHeader(204)
		},
		"304 length": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "7")
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(304)
		},
		"identity": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Transfer-Encoding", "identity")
			io.WriteString(w, "text")
		},
		"identity length": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Transfer-Encoding", "identity")
			w.Header().Set("Content-Length", "4")
			io.WriteString(w, "text")
		},
		"own chunked": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Transfer-Encoding", "chunked")
			io.WriteString(w, "text")
		},
		"own chunked length": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Transfer-Encoding", "chunked")
			w.Header().Set("Content-Length", "4")
			io.WriteString(w, "text")
		},
		"101": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(101) },
		"early": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</a>")
			w.WriteHeader(103)
			w.Header().Del("Link")
			w.WriteHeader(102)
			io.WriteString(w, "text")
		},
		"echo": func(w http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s %s %s %q %d %q %v", r.Method, r.Host, r.RequestURI, r.Proto, r.Header, r.ContentLength, b, err)
		},
		"path value": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.PathValue("a"), "|", r.PathValue("rest"))
		},
		"abort": func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "text"); panic(http.ErrAbortHandler) },
		"abort after a flush": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "text")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
		"hijack": func(w http.ResponseWriter, r *http.Request) {
			nc, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				panic(err)
			}
			io.WriteString(rw, "taken over")
			rw.Flush()
			nc.Close()
		},
		"addresses": func(w http.ResponseWriter, r *http.Request) {
			_, _, err := net.SplitHostPort(r.RemoteAddr)
			_, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
			fmt.Fprint(w, err, ok, r.TLS)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mux := http.NewServeMux()
			mux.Handle("/x/{a}/{rest...}", h)
			real := httptest.NewServer(mux)
			t.Cleanup(real.Close)
			srv := New(t)
			srv.On("", "/x/{a}/{rest...}").Reply(Handler(h))
			end := "GET /x/1/end HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
			for i, request := range []string{
				end,
				"GET /x/1/a%2Fb/c HTTP/1.1\r\nHost: h\r\nA: 1\r\na: 2\r\n\r\n" + end,
				"HEAD /x/1/2 HTTP/1.1\r\nHost: h\r\n\r\n" + end,
				"GET /x/1/2 HTTP/1.0\r\n\r\n",
				"HEAD /x/1/2 HTTP/1.0\r\n\r\n",
				"POST /x/1/2 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody" + end,
				"POST /x/1/2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n" + end,
			} {
				if i > 0 && (name == "hijack" || name == "101") {
					break // what is unread when it closes makes a reset; HTTP is over after a 101, which net/http reads on behind
				}
				if name == "early" && strings.Contains(request, "HTTP/1.0") {
					continue // net/http sends 1xx to HTTP/1.0, which has none
				}
				assert.Equal(t, rawFrom(t, real.URL, request), rawFrom(t, srv.URL, request), "%q", request)
			}
		})
	}
}

// What a handler flushes is there before it returns.
func TestHandlerFlushes(t *testing.T) {
	t.Parallel()
	srv := New(t)
	goOn := make(chan struct{})
	srv.On("GET", "/").Reply(Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(103)
		io.WriteString(w, "first")
		http.NewResponseController(w).Flush()
		<-goOn
		io.WriteString(w, "second")
	})))
	resp, err := srv.Client().Get(srv.URL)
	require.NoError(t, err)
	defer resp.Body.Close()
	buf := make([]byte, 100)
	n, err := resp.Body.Read(buf)
	require.NoError(t, err)
	assert.Equal(t, "first", string(buf[:n]))
	conn := srv.Conns()[0]
	assert.Equal(t, ConnActive, conn.State)
	assert.Equal(t, 200, conn.LastStatus)
	assert.Equal(t, 200, srv.Requests()[0].Status)
	close(goOn)
	rest, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, "second", string(rest))
	conn = srv.Conns()[0]
	assert.Equal(t, ConnIdle, conn.State)
	assert.EqualValues(t, 11, conn.LastBody)
	assert.Equal(t, Chunked, conn.LastFraming)
}

// The context of a handler's request ends when the client goes, when the server closes, and when it returns.
func TestHandlerContext(t *testing.T) {
	t.Parallel()
	ended := make(chan context.Context, 1)
	begun := make(chan struct{}, 1)
	wait := func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		if r.URL.Path != "/at-once" {
			<-r.Context().Done()
		}
		ended <- r.Context()
	}
	srv := New(t)
	srv.On("GET", "/{how}").Reply(Handler(http.HandlerFunc(wait)))

	nc := dial(t, srv)
	io.WriteString(nc, get("/client"))
	<-begun
	nc.Close()
	<-ended
	eventually(t, func() bool { return open(srv) == 0 })

	assert.Equal(t, "200 ", read(srv.Client(), "GET", srv.URL+"/at-once", ""))
	<-begun
	ctx := <-ended
	eventually(t, func() bool { return ctx.Err() != nil })

	nc = dial(t, srv)
	io.WriteString(nc, get("/server")+get("/next")) // the next request is read ahead
	<-begun
	srv.Close()
	<-ended
	assert.Zero(t, running(srv))
}

// A handler gets the whole body, not only what Requests keeps.
func TestHandlerGetsTheWholeBody(t *testing.T) {
	t.Parallel()
	srv := New(t, withMaxBody(1<<20))
	srv.On("POST", "/").Reply(Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err)
	})))
	assert.Equal(t, "200 200000 <nil>", read(srv.Client(), "POST", srv.URL, strings.Repeat("x", 200_000)))
	assert.Len(t, srv.Requests()[0].Body, 64<<10)

	got := read(srv.Client(), "POST", srv.URL, strings.Repeat("x", 3<<20)) // more than the server reads
	if strings.HasPrefix(got, "200 ") {                                    // else the client was still sending
		assert.Regexp(t, `^200 \d+ unexpected EOF$`, got)
	}
}

// A hijacked connection is the handler's, until the server closes.
func TestHijackedConnection(t *testing.T) {
	t.Parallel()
	srv := New(t)
	taken := make(chan net.Conn, 1)
	h := Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nc, rw, err := http.NewResponseController(w).Hijack()
		assert.NoError(t, err)
		_, err = w.Write([]byte("x"))
		assert.Equal(t, http.ErrHijacked, err)
		_, _, err = http.NewResponseController(w).Hijack()
		assert.Equal(t, http.ErrHijacked, err)
		assert.Equal(t, http.ErrHijacked, http.NewResponseController(w).Flush())
		assert.IsType(t, &net.TCPConn{}, nc, "so that SetLinger can be called")
		rw.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		rw.Flush()
		taken <- nc
	}))
	srv.On("GET", "/").Reply(h)
	srv.On("GET", "/more").Reply(Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nc, rw, err := http.NewResponseController(w).Hijack()
		assert.NoError(t, err)
		line, err := rw.ReadString('\n')
		assert.NoError(t, err)
		rw.WriteString(line)
		rw.Flush()
		nc.Close()
	})))
	client := newClient(t)
	assert.Equal(t, "200 ok", read(client, "GET", srv.URL, ""))
	nc := <-taken
	eventually(t, func() bool { return running(srv) == 1 }, "only the accept loop is left")
	assert.Equal(t, ConnActive, srv.Conns()[0].State)
	nc.Close()
	assert.Equal(t, ConnClosed, srv.Conns()[0].State)

	over := dial(t, srv) // what was read ahead is the handler's too
	io.WriteString(over, get("/more")+"and more\n")
	line, err := bufio.NewReader(over).ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "and more\n", line)

	client.CloseIdleConnections()
	assert.Equal(t, "200 ok", read(client, "GET", srv.URL, ""))
	nc = <-taken
	srv.Close()
	_, err = nc.Write([]byte("x"))
	assert.ErrorIs(t, err, net.ErrClosed)
	assert.Equal(t, ConnClosed, srv.Conns()[2].State)
}

// A handler that is changed by a modifier, or broken by a fault, runs to its end first.
func TestHandlerIsRecorded(t *testing.T) {
	t.Parallel()
	h := Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(103)
		w.Header().Set("X-A", "1")
		w.WriteHeader(201)
		io.WriteString(w, "bo")
		w.(http.Flusher).Flush()
		_, _, err := http.NewResponseController(w).Hijack()
		assert.True(t, errors.Is(err, http.ErrNotSupported), "%v", err)
		io.WriteString(w, "dy")
		w.Header().Set(http.TrailerPrefix+"X-T", r.PathValue("id"))
	}))
	early := "HTTP/1.1 103 Early Hints\r\n\r\n"
	head := "HTTP/1.1 201 Created\r\nDate: {date}\r\nContent-Type: text/plain; charset=utf-8\r\n"
	for _, c := range []struct {
		name  string
		reply Reply
		want  string
		end   string
	}{
		{"header", h.Header("x-b", "2"), early + head + "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\nX-A: 1\r\nx-b: 2\r\nTrailer: X-T\r\n\r\n4\r\nbody\r\n0\r\nX-T: 7\r\n\r\n", stays},
		{"reason and close", h.Reason("Done").KeepAlive(false), early + strings.Replace(head, "Created", "Done", 1) + "Transfer-Encoding: chunked\r\nConnection: close\r\nX-A: 1\r\nTrailer: X-T\r\n\r\n4\r\nbody\r\n0\r\nX-T: 7\r\n\r\n", ends},
		{"fault", h.Fault(TruncateAfter(3)), early + head + "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\nX-A: 1\r\nTrailer: X-T\r\n\r\n4\r\nbod", ends},
		{"delay alone does not record", Handler(http.NotFoundHandler()).Delay(time.Millisecond), "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nDate: {date}\r\nContent-Length: 19\r\n\r\n404 page not found\n", stays},
		{"early alone does not record", Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush() })).Early(102), "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nDate: {date}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", stays},
		{"error page without a body", Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) })).Framing(Chunked), "HTTP/1.1 500 Internal Server Error\r\nDate: {date}\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n", stays},
		{"the handler closes", Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Connection", "close") })).Header("a", "b"), "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 0\r\nConnection: close\r\na: b\r\n\r\n", ends},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			srv := New(t)
			srv.On("GET", "/{id}").Reply(c.reply)
			talk(t, srv, get("/7"), c.want, c.end)
		})
	}
}

// What handlers print of a panic is the user's own stack.
func TestHandlerPanics(t *testing.T) {
	t.Parallel()
	ft := &fakeT{}
	srv := New(ft)
	srv.On("GET", "/").Reply(Handler(http.HandlerFunc(panicking)))
	_, err := newClient(t).Get(srv.URL)
	assert.ErrorIs(t, err, io.EOF)
	eventually(t, func() bool { return open(srv) == 0 })
	ft.end()
	require.Len(t, ft.failures(), 1)
	assert.Contains(t, ft.failures()[0], "the handler panicked: boom\ngoroutine ")
	assert.Contains(t, ft.failures()[0], "mockserver.panicking(")
}

func panicking(http.ResponseWriter, *http.Request) { panic("boom") }

// A t.FailNow in a handler ends the server's goroutine for the connection, and nothing else.
func TestHandlerEndsTheGoroutine(t *testing.T) {
	t.Parallel()
	ft := &fakeT{}
	srv := New(ft)
	srv.On("GET", "/goexit").Reply(Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { runtime.Goexit() })))
	srv.On("GET", "/ok").Reply(Text(200, "ok"))
	_, err := newClient(t).Get(srv.URL + "/goexit")
	assert.Error(t, err)
	assert.Equal(t, "200 ok", read(newClient(t), "GET", srv.URL+"/ok", ""))
	eventually(t, func() bool { return srv.Conns()[0].State == ConnClosed })
	ft.end()
	assert.Zero(t, running(srv))
}

func TestHandlerDeadlinesAndLateWrites(t *testing.T) {
	t.Parallel()
	srv := New(t)
	kept := make(chan http.ResponseWriter, 1)
	srv.On("GET", "/").Reply(Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		assert.NoError(t, c.SetReadDeadline(time.Now().Add(-time.Hour)))
		assert.NoError(t, c.SetWriteDeadline(time.Now().Add(time.Hour)))
		assert.NoError(t, c.EnableFullDuplex())
		io.WriteString(w, "ok")
		kept <- w
	})))
	client := newClient(t)
	for range 2 {
		assert.Equal(t, "200 ok", read(client, "GET", srv.URL, ""))
		w := <-kept
		eventually(t, func() bool { return srv.Conns()[0].State == ConnIdle })
		_, err := w.Write([]byte("late"))
		assert.EqualError(t, err, "mockserver: Write after the handler has returned")
		assert.Error(t, http.NewResponseController(w).Flush())
		_, _, err = http.NewResponseController(w).Hijack()
		assert.Error(t, err)
	}
	assert.Len(t, srv.Conns(), 1, "the connection was used again")
}

func TestManyHandlersAtOnce(t *testing.T) {
	t.Parallel()
	srv := New(t)
	srv.On("POST", "/{n}").Reply(Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
		io.WriteString(w, " "+r.PathValue("n"))
	})))
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			body := string(bytes.Repeat([]byte{'a' + byte(i)}, i*1000+1))
			for range 5 {
				assert.Equal(t, fmt.Sprintf("200 %s %d", body, i), read(srv.Client(), "POST", fmt.Sprintf("%s/%d", srv.URL, i), body))
			}
		})
	}
	wg.Wait()
}
