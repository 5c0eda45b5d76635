package mockserver

import (
	"fmt"
	"io"
	"net/http"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

// forget asks and closes nothing until the test is over.
func forget(t *testing.T, c *http.Client, url string) *http.Response {
	t.Helper()
	resp, err := c.Get(url)
	require.NoError(t, err)
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func heldServer(t *testing.T, opts ...Option) *Server {
	srv := New(t, append(opts, AllowUnused())...)
	srv.On("GET", "/session/{id}").Reply(ALB(403))
	srv.On("GET", "/json").Reply(JSON(200, map[string]int{"a": 1}))
	srv.On("GET", "/empty").Reply(Status(403).Framing(Empty))
	srv.On("GET", "/none").Reply(Status(204))
	srv.On("GET", "/close").Reply(ALB(403).Framing(UntilClose))
	srv.On("GET", "/big").Reply(Text(200, strings.Repeat("x", 32<<20)))
	srv.On("GET", "/slow").Reply(ALB(403), Status(403).Delay(time.Hour))
	srv.On("GET", "/handler/{code}").Reply(Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(path.Base(r.URL.Path))
		w.WriteHeader(code)
		w.(http.Flusher).Flush() // chunked, and nothing in it
	})))
	srv.On("GET", "/handled").Reply(Handler(Realistic(status(403))))
	srv.On("GET", "/short").Reply(Text(200, "").Length(10))
	srv.On("GET", "/unlimited").Reply(Text(200, "x").NoLength())
	srv.On("GET", "/stalls").Reply(ALB(403).Fault(StallAfter(60)))
	srv.On("GET", "/late").Reply(Text(500, "late").Framing(ChunkedLate))
	return srv
}

// What the client gave back is not held, however it did that, and Held says so at once.
func TestHeldNothing(t *testing.T) {
	for name, use := range map[string]func(resp *http.Response){
		"closed":          func(resp *http.Response) { resp.Body.Close() },
		"read":            func(resp *http.Response) { io.Copy(io.Discard, resp.Body) },
		"read and closed": func(resp *http.Response) { io.Copy(io.Discard, resp.Body); resp.Body.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			srv := heldServer(t)
			c := newClient(t)
			assert.Empty(t, srv.Held(c), "before any request")
			for _, path := range []string{"/session/1", "/json", "/empty", "/none", "/close", "/late"} {
				use(forget(t, c, srv.URL+path))
			}
			assert.Empty(t, srv.Held(c))
		})
	}
	t.Run("no body", func(t *testing.T) {
		srv := heldServer(t)
		c := newClient(t)
		other := newClient(t) // whose connections nobody closes
		for _, path := range []string{"/empty", "/none", "/handler/304", "/handler/204"} {
			forget(t, other, srv.URL+path)
			assert.Empty(t, srv.Held(c), path)
		}
		resp, err := other.Head(srv.URL + "/session/1")
		require.NoError(t, err)
		assert.Equal(t, http.NoBody, resp.Body)
		assert.Empty(t, srv.Held(c))
	})
	t.Run("nothing was sent", func(t *testing.T) {
		srv := heldServer(t)
		dial(t, srv) // as a client that dials ahead
		eventually(t, func() bool { return len(srv.Conns()) == 1 })
		assert.Empty(t, srv.Held(nil))
	})
}

// TestHeldReports compares all that is said. Read testdata/held.txt as a user would.
func TestHeldReports(t *testing.T) {
	var out strings.Builder
	for _, c := range []struct {
		name, why string // why the case is worth its place
		use       func(t *testing.T, srv *Server, c *http.Client)
		leaks     int
	}{
		{"the incident", "a 403 that only the status was read of", func(t *testing.T, srv *Server, c *http.Client) {
			forget(t, c, srv.URL+"/session/42")
		}, 1},
		{"three of them", "one entry for each, and one fingerprint", func(t *testing.T, srv *Server, c *http.Client) {
			for i := range 3 {
				forget(t, c, fmt.Sprintf("%s/session/%d", srv.URL, i))
			}
		}, 3},
		{"one of many", "the others were closed", func(t *testing.T, srv *Server, c *http.Client) {
			for i := range 5 {
				if resp := forget(t, c, fmt.Sprintf("%s/session/%d", srv.URL, i)); i != 2 {
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
			}
		}, 1},
		{"ended by the server", "the client is in CLOSE_WAIT", func(t *testing.T, srv *Server, c *http.Client) {
			forget(t, c, srv.URL+"/close")
		}, 1},
		{"large body", "the server cannot even send it", func(t *testing.T, srv *Server, c *http.Client) {
			forget(t, c, srv.URL+"/big")
		}, 1},
		{"waiting for the reply", "no response yet: a call that has not returned", func(t *testing.T, srv *Server, c *http.Client) {
			read(c, "GET", srv.URL+"/slow", "")
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				read(c, "GET", srv.URL+"/slow", "")
			}()
			t.Cleanup(func() { srv.Close(); <-ended })
			eventually(t, func() bool { return len(srv.Requests()) == 2 })
		}, 1},
		{"handlers", "an empty reply that is chunked; and one that was given a page", func(t *testing.T, srv *Server, c *http.Client) {
			forget(t, c, srv.URL+"/handler/403")
			forget(t, c, srv.URL+"/handled")
		}, 2},
		{"a length that is not kept", "the client waits for bytes that do not come", func(t *testing.T, srv *Server, c *http.Client) {
			forget(t, c, srv.URL+"/short")
			forget(t, c, srv.URL+"/unlimited")
			forget(t, c, srv.URL+"/stalls")
		}, 3},
		{"unmatched", "it has no stub", func(t *testing.T, srv *Server, c *http.Client) {
			forget(t, c, srv.URL+"/other")
		}, 1},
		{"half a request", "not from net/http, but open all the same", func(t *testing.T, srv *Server, c *http.Client) {
			nc := dial(t, srv)
			fmt.Fprint(nc, "GET /json HT")
			eventually(t, func() bool { cs := srv.Conns(); return len(cs) == 1 && cs[0].State == ConnActive })
		}, 1},
		{"half of the next request", "the server waits for the rest", func(t *testing.T, srv *Server, c *http.Client) {
			nc := dial(t, srv)
			fmt.Fprint(nc, get("/json")+"GET /json HT")
			eventually(t, func() bool {
				cs := srv.Conns()
				return len(cs) == 1 && cs[0].State == ConnActive && cs[0].Requests == 1 && !cs[0].LastSent.IsZero()
			})
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := heldServer(t, AllowUnmatched())
			client := newClient(t)
			c.use(t, srv, client)
			leaks := srv.heldBy(client, time.Millisecond) // what is held is not let go by waiting
			assert.Len(t, leaks, c.leaks)
			fmt.Fprintf(&out, "== %s", c.name)
			if c.why != "" {
				fmt.Fprintf(&out, " (%s)", c.why)
			}
			out.WriteString("\n")
			for _, l := range leaks {
				assert.Equal(t, t.Name(), l.Test)
				assert.Equal(t, 1, l.Count)
				assert.Contains(t, []leakcheck.Kind{leakcheck.HTTPResponse, leakcheck.HTTPConn}, l.Kind)
				fmt.Fprintf(&out, "%s %s: %s\n\t%s\n\tholds %s\n\t%s\n\t%s\n", l.Code, l.Kind, l.Summary, l.State, strings.Join(l.Holds, ", "), l.Hint, l.Fingerprint)
			}
			out.WriteString("\n")
		})
	}
	compareHeld(t, "held.txt", out.String())
}

func compareHeld(t *testing.T, name, got string) {
	t.Helper()
	for _, v := range []struct{ expr, to string }{
		{`sent \d+ ms`, "sent N ms"},
		{`\d+ ms after`, "N ms after"},
		{`Text\(501\) \d+ B`, "Text(501) N B"}, // it has line numbers
		{`(127\.0\.0\.1|\[::1\]):\d+`, "127.0.0.1:PORT"},
	} {
		got = regexp.MustCompile(v.expr).ReplaceAllString(got, v.to)
	}
	golden(t, filepath.Join("testdata", name), got)
}

// The entry of a tracked client has the line.
func TestHeldNamesTheLine(t *testing.T) {
	srv := heldServer(t)
	c := newClient(t)
	ft := &fakeT{}
	verify := httpcheck.Verify(ft, c)
	resp := forget(t, c, srv.URL+"/session/42") // the line is forget's own
	leaks := srv.Held(c)
	resp.Body.Close()
	verify()
	require.Len(t, leaks, 1)
	assert.Equal(t, "held_test.go", filepath.Base(leaks[0].Site.File))
	assert.Equal(t, "resp, err := c.Get(url)", leaks[0].Site.Source)
	assert.Equal(t, "defer resp.Body.Close()", leaks[0].Hint)
	assert.Len(t, leaks[0].Stack, 2)
}

// A connection is another client's: it is told apart where that is possible.
func TestHeldByOthers(t *testing.T) {
	srv := heldServer(t)
	mine, other := newClient(t), newClient(t)
	read(mine, "GET", srv.URL+"/json", "")
	read(other, "GET", srv.URL+"/empty", "")
	read(srv.Client(), "GET", srv.URL+"/json", "")
	assert.Empty(t, srv.Held(mine), "the other's reply had no body; the server's own client has been closed too")

	read(other, "GET", srv.URL+"/json", "")
	assert.Len(t, srv.Held(mine), 1, "an idle connection of another client looks like a held one")
	other.CloseIdleConnections()
	assert.Empty(t, srv.Held(mine))
}

func TestHeldOfWhichClient(t *testing.T) {
	srv := heldServer(t)
	assert.Equal(t, 403, forget(t, srv.Client(), srv.URL+"/session/1").StatusCode)
	assert.Len(t, srv.Held(nil), 1, "nil is the server's own client")

	srv = heldServer(t)
	resp := forget(t, http.DefaultClient, srv.URL+"/session/1")
	assert.Len(t, srv.Held(&http.Client{}), 1, "no transport is the default one")
	resp.Body.Close()
	assert.Empty(t, srv.Held(&http.Client{}))

	srv.Close()
	assert.Empty(t, srv.Held(nil), "a closed server has no connection")
}

// opaque is a RoundTripper that hides the transport below it.
type opaque struct{ http.RoundTripper }

func TestHeldCannotTell(t *testing.T) {
	ft := &fakeT{}
	srv := New(ft)
	defer srv.Close()
	assert.Nil(t, srv.Held(&http.Client{Transport: opaque{http.DefaultTransport}}))
	assert.Equal(t, []string{"mockserver: Held: the client's transport, a mockserver.opaque, has no CloseIdleConnections method, so that connections it keeps cannot be told from held ones\n" +
		"\tadd one that calls the method of the transport below it"}, ft.failures())
}

// closer closes a response at the third look.
type closer struct {
	*http.Transport
	looks int
	resp  *http.Response
}

func (c *closer) CloseIdleConnections() {
	if c.looks++; c.looks == 3 {
		c.resp.Body.Close()
	}
	c.Transport.CloseIdleConnections()
}

// What a client closes while Held looks is not held.
func TestHeldWaits(t *testing.T) {
	srv := heldServer(t)
	rt := &closer{Transport: &http.Transport{}}
	c := &http.Client{Transport: rt}
	rt.resp = forget(t, c, srv.URL+"/session/1")
	assert.Empty(t, srv.Held(c))
	assert.GreaterOrEqual(t, rt.looks, 3)
}

func TestSuspects(t *testing.T) {
	// late waits until what is sent was sent long ago.
	late := func(srv *Server) {
		eventually(t, func() bool {
			for _, c := range srv.Conns() {
				if c.Requests > 0 && (c.LastSent.IsZero() || time.Since(c.LastSent) < suspectAfter) {
					return false
				}
			}
			return true
		})
	}
	var out strings.Builder
	for _, c := range []struct {
		name, why string
		opts      []Option
		use       func(t *testing.T, srv *Server, c *http.Client)
		suspects  int
	}{
		{"dialled again", "the first response holds its connection", nil, func(t *testing.T, srv *Server, c *http.Client) {
			forget(t, c, srv.URL+"/session/1")
			late(srv)
			forget(t, c, srv.URL+"/session/2").Body.Close()
		}, 1},
		{"ended by the server", "the client does not close its side", nil, func(t *testing.T, srv *Server, c *http.Client) {
			forget(t, c, srv.URL+"/close")
			late(srv)
		}, 1},
		{"idle timeout", "as load balancers do", []Option{IdleTimeout(time.Millisecond)}, func(t *testing.T, srv *Server, c *http.Client) {
			forget(t, c, srv.URL+"/session/1")
			eventually(t, func() bool { return srv.Conns()[0].State == ConnClosing })
			late(srv)
		}, 1},
		{"another client", "not a leak: what it cannot tell", nil, func(t *testing.T, srv *Server, c *http.Client) {
			read(c, "GET", srv.URL+"/json", "")
			late(srv)
			read(newClient(t), "GET", srv.URL+"/json", "")
		}, 1},

		{"closed", "nothing is held any more", nil, func(t *testing.T, srv *Server, c *http.Client) {
			for range 3 {
				read(c, "GET", srv.URL+"/json", "")
				late(srv)
			}
		}, 0},
		{"asked once", "nothing to see", nil, func(t *testing.T, srv *Server, c *http.Client) {
			forget(t, c, srv.URL+"/session/1")
			late(srv)
		}, 0},
		{"at the same time", "the second was dialled while the first was busy", nil, func(t *testing.T, srv *Server, c *http.Client) {
			a := forget(t, c, srv.URL+"/session/1")
			b := forget(t, c, srv.URL+"/session/1")
			if gap := srv.Conns()[1].Opened.Sub(srv.Conns()[0].LastSent); gap >= suspectAfter {
				t.Skip("the machine is too busy for this")
			}
			assert.Empty(t, srv.Suspects())
			a.Body.Close()
			b.Body.Close()
			late(srv)
		}, 0},
		{"dialled and not used", "a client may dial ahead", nil, func(t *testing.T, srv *Server, c *http.Client) {
			read(c, "GET", srv.URL+"/json", "")
			late(srv)
			dial(t, srv)
			eventually(t, func() bool { return len(srv.Conns()) == 2 })
		}, 0},
		{"used again", "the client could use it after all", nil, func(t *testing.T, srv *Server, c *http.Client) {
			a := forget(t, c, srv.URL+"/json")
			late(srv)
			b := forget(t, c, srv.URL+"/json")
			io.Copy(io.Discard, a.Body)
			read(c, "GET", srv.URL+"/json", "")
			io.Copy(io.Discard, b.Body)
		}, 0},
		{"no keep-alive", "the server ends each, and the client closes", nil, func(t *testing.T, srv *Server, c *http.Client) {
			c.Transport.(*http.Transport).DisableKeepAlives = true
			for range 2 {
				read(c, "GET", srv.URL+"/json", "")
				late(srv)
			}
		}, 0},
		{"no body", "two clients, and no response that could hold anything", nil, func(t *testing.T, srv *Server, c *http.Client) {
			read(c, "GET", srv.URL+"/empty", "")
			late(srv)
			read(newClient(t), "GET", srv.URL+"/empty", "")
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := heldServer(t, c.opts...)
			c.use(t, srv, newClient(t))
			leaks := srv.Suspects()
			if c.suspects == 0 && len(leaks) > 0 { // the client closes in the background
				eventually(t, func() bool { leaks = srv.Suspects(); return len(leaks) == 0 })
			}
			assert.Len(t, leaks, c.suspects)
			if len(leaks) == 0 {
				return
			}
			fmt.Fprintf(&out, "== %s", c.name)
			if c.why != "" {
				fmt.Fprintf(&out, " (%s)", c.why)
			}
			out.WriteString("\n")
			for _, l := range leaks {
				fmt.Fprintf(&out, "%s %s: %s\n\t%s\n\tholds %s\n\t%s\n\t%s\n", l.Code, l.Kind, l.Summary, l.State, strings.Join(l.Holds, ", "), l.Hint, l.Fingerprint)
			}
			out.WriteString("\n")
		})
	}
	compareHeld(t, "suspects.txt", out.String())
}

// Conns says what was sent last, and when.
func TestConnsSayWhatWasSent(t *testing.T) {
	srv := heldServer(t)
	c := newClient(t)
	before := time.Now()
	read(c, "GET", srv.URL+"/session/1", "")
	conn := srv.Conns()[0]
	assert.Equal(t, "ALB(403)", conn.LastReply)
	assert.Equal(t, ContentLength, conn.LastFraming)
	assert.Equal(t, int64(118), conn.LastBody)
	assert.False(t, conn.LastSent.Before(before))
	assert.False(t, conn.LastSent.After(time.Now()))

	read(c, "GET", srv.URL+"/late", "")
	conn = srv.Conns()[0]
	assert.Equal(t, "Text(500).Framing(ChunkedLate)", conn.LastReply)
	assert.Equal(t, ChunkedLate, conn.LastFraming)
	assert.Equal(t, int64(4), conn.LastBody)

	_, err := c.Head(srv.URL + "/json")
	require.NoError(t, err)
	conn = srv.Conns()[0]
	assert.Equal(t, "JSON(200)", conn.LastReply)
	assert.Zero(t, conn.LastBody)

	forget(t, c, srv.URL+"/big")
	conn = srv.Conns()[len(srv.Conns())-1]
	assert.True(t, conn.LastSent.IsZero(), "it is not sent to its end")
}
