package leakcheck_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/internal/outbound"
	"github.com/leakgate/leakgate/internal/socket"
	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

// startService dials as a program does.
func startService(dial func(ctx context.Context, network, address string) (net.Conn, error), addr string) error {
	conn, err := dial(context.Background(), "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

// answers is a dial that ends as it is told to.
func answers(err error) func(ctx context.Context, network, address string) (net.Conn, error) {
	return leakcheck.WrapDial(func(context.Context, string, string) (net.Conn, error) { return nil, err })
}

func ok(http.ResponseWriter, *http.Request) {}

// judged gives what a check with these patterns reports of f.
func judged(t *testing.T, f func(), patterns ...string) *recorder {
	t.Helper()
	rec := &recorder{name: "TestService"}
	done := leakcheck.Verify(rec, leakcheck.AllowRemotes(patterns...))
	f()
	done()
	return rec
}

// TestAllowRemotesReports holds whole reports.
func TestAllowRemotesReports(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the sockets of the reports are as Linux has them")
	}
	noHost := &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "broker.internal", IsNotFound: true}}
	for _, c := range []struct {
		name, why string
		patterns  []string
		f         func(t *testing.T) func() // what it needs is there before the check begins
	}{
		{"remotes_refused", "retries from one line are one entry with a count", []string{leakcheck.OwnListeners, "db.internal:5432"}, func(t *testing.T) func() {
			addr := mockserver.Refuse(t)
			return func() {
				for range 3 {
					assert.Error(t, startService(leakcheck.DialContext, addr))
				}
			}
		}},
		{"remotes_address", "a driver has looked an allowed name up and dials its address, so that it is not known: it says so", []string{"db.internal"}, func(t *testing.T) func() {
			addr := mockserver.Refuse(t)
			return func() { assert.Error(t, startService(leakcheck.DialContext, addr)) }
		}},
		{"remotes_nohost", "a dial by name that failed; nothing is allowed", nil, func(t *testing.T) func() {
			return func() { assert.Error(t, startService(answers(noHost), "broker.internal:5672")) }
		}},
		{"remotes_open", "a dial and its socket are one entry", []string{"10.0.0.0/8"}, func(t *testing.T) func() {
			srv := mockserver.BlackHole(t)
			return func() {
				conn, err := leakcheck.DialContext(context.Background(), "tcp", srv.Addr())
				require.NoError(t, err)
				leakcheck.SawSocket(func(s socket.Socket) bool { return s.Remote.String() == srv.Addr() })
				require.NoError(t, conn.Close())
			}
		}},
		{"remotes_request", "a request through a tracked transport, its dial and its socket are one entry", nil, func(t *testing.T) func() {
			srv := httptest.NewServer(http.HandlerFunc(ok))
			t.Cleanup(srv.Close)
			return func() {
				resp, err := http.Get(srv.URL + charge)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				leakcheck.SawSocket(func(s socket.Socket) bool { return "http://"+s.Remote.String() == srv.URL })
				http.DefaultClient.CloseIdleConnections()
			}
		}},
		{"remotes_transport", "an http.Transport dials on a goroutine of its own, for the one that sends", nil, func(t *testing.T) func() {
			addr := mockserver.Refuse(t)
			client := &http.Client{Transport: &http.Transport{DialContext: leakcheck.DialContext}}
			return func() {
				_, err := client.Get("http://" + addr)
				assert.Error(t, err)
			}
		}},
		{"remotes_socket", "a socket has no line; it was seen while it was there", nil, func(t *testing.T) func() {
			hole := mockserver.DropSYN(t)
			return func() {
				ctx, cancel := context.WithCancel(context.Background())
				ended := make(chan error)
				go func() {
					_, err := new(net.Dialer).DialContext(ctx, "tcp", hole.Addr())
					ended <- err
				}()
				leakcheck.SawSocket(func(s socket.Socket) bool { return s.State == "SYN_SENT" && s.Remote.String() == hole.Addr() })
				cancel()
				assert.Error(t, <-ended)
			}
		}},
		{"remotes_unix", "a unix socket", []string{"unix:/run/other.sock"}, func(t *testing.T) func() {
			return func() {
				_, err := leakcheck.DialContext(context.Background(), "unix", "/nowhere/app.sock")
				assert.Error(t, err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Log(c.why)
			rec := judged(t, c.f(t), c.patterns...)
			require.Len(t, rec.errs, 1)
			golden(t, c.name, stable(rec.errors()))
		})
	}
	assert.False(t, leakcheck.Watching())
}

// TestAllowRemotesSilent: what is named is allowed, whatever it is seen by.
func TestAllowRemotesSilent(t *testing.T) {
	get := func(t *testing.T, url string) {
		for _, tr := range []*http.Transport{http.DefaultTransport.(*http.Transport), {}, {DialContext: leakcheck.DialContext}} {
			resp, err := (&http.Client{Transport: tr}).Get(url)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			leakcheck.SawSocket(func(s socket.Socket) bool { return "http://"+s.Remote.String() == url })
			tr.CloseIdleConnections()
		}
	}
	srv := httptest.NewServer(http.HandlerFunc(ok))
	defer srv.Close()
	for name, pattern := range map[string]string{"own": leakcheck.OwnListeners, "URL": srv.URL, "range": "127.0.0.0/8", "name": "localhost"} {
		t.Run(name, func(t *testing.T) {
			rec := judged(t, func() { get(t, srv.URL) }, pattern)
			assert.Empty(t, rec.errs)
			assert.Empty(t, rec.logs)
		})
	}
	t.Run("a listener that came and went", func(t *testing.T) {
		rec := judged(t, func() {
			srv := httptest.NewServer(http.HandlerFunc(ok))
			get(t, srv.URL)
			srv.Close()
			assert.Error(t, startService(leakcheck.DialContext, strings.TrimPrefix(srv.URL, "http://")))
		}, leakcheck.OwnListeners)
		assert.Empty(t, rec.errs)
	})
	t.Run("any address", func(t *testing.T) {
		l, err := net.Listen("tcp", ":0")
		require.NoError(t, err)
		defer l.Close()
		_, port, err := net.SplitHostPort(l.Addr().String())
		require.NoError(t, err)
		rec := judged(t, func() {
			assert.NoError(t, startService(leakcheck.DialContext, "127.0.0.1:"+port))
		}, leakcheck.OwnListeners)
		assert.Empty(t, rec.errs)
	})
	t.Run("what an allowed name led to", func(t *testing.T) {
		l := listen(t)
		defer l.Close()
		dial := leakcheck.WrapDial(func(network, _ string) (net.Conn, error) { return net.Dial(network, l.Addr().String()) })
		rec := judged(t, func() {
			conn, err := dial("tcp", "db.internal:5432")
			require.NoError(t, err)
			leakcheck.SawSocket(func(s socket.Socket) bool { return s.Remote.String() == l.Addr().String() })
			require.NoError(t, conn.Close())
			assert.NoError(t, startService(leakcheck.DialContext, l.Addr().String()), "the address is allowed too")
		}, "db.internal:5432")
		assert.Empty(t, rec.errs)
	})
	t.Run("what a request to an allowed name led to", func(t *testing.T) {
		tr := httpcheck.Instrument(&http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(srv.URL, "http://"))
		}})
		rec := judged(t, func() {
			resp, err := (&http.Client{Transport: tr}).Get("http://shop.internal/")
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			leakcheck.SawSocket(func(s socket.Socket) bool { return "http://"+s.Remote.String() == srv.URL })
			leakcheck.SawSocket(func(s socket.Socket) bool { return "http://"+s.Remote.String() == srv.URL }) // one look says nothing on this machine
			tr.CloseIdleConnections()
		}, "shop.internal")
		assert.Empty(t, rec.errs)
	})
	t.Run("what this process accepted", func(t *testing.T) {
		url := service(t)
		l := listen(t)
		defer l.Close()
		rec := judged(t, func() {
			call(t, url+"/dial?to="+l.Addr().String())
			conn, err := l.Accept()
			require.NoError(t, err)
			leakcheck.SawSocket(func(s socket.Socket) bool { return s.Local.String() == l.Addr().String() && s.Remote.IsValid() })
			leakcheck.SawSocket(func(s socket.Socket) bool { return s.Local.String() == l.Addr().String() && s.Remote.IsValid() })
			require.NoError(t, conn.Close())
		}, url)
		assert.Empty(t, rec.errs)
	})
	t.Run("unix", func(t *testing.T) {
		dir, err := os.MkdirTemp("", "lk") // t.TempDir's path may be too long for a socket
		require.NoError(t, err)
		defer os.RemoveAll(dir)
		path := filepath.Join(dir, "s")
		l, err := net.Listen("unix", path)
		require.NoError(t, err)
		defer l.Close()
		for _, pattern := range []string{leakcheck.OwnListeners, "unix:" + path, "unix:" + dir + "/*"} {
			rec := judged(t, func() {
				conn, err := net.Dial("unix", path)
				require.NoError(t, err)
				defer conn.Close()
				accepted, err := l.Accept()
				require.NoError(t, err)
				defer accepted.Close()
				leakcheck.SawSocket(func(s socket.Socket) bool { return s.RemotePath == path || runtime.GOOS != "linux" })
			}, pattern)
			assert.Empty(t, rec.errs, pattern)
		}
	})
	t.Run("what was open before", func(t *testing.T) {
		l := listen(t)
		defer l.Close()
		conn := dial(t, l.Addr())
		defer conn.Close()
		assert.Empty(t, judged(t, func() {}).errs)
	})
	t.Run("a look-up of a name", func(t *testing.T) {
		rec := judged(t, func() {
			for _, addr := range []string{"127.0.0.1:53", "127.0.0.1:9"} {
				conn, err := net.Dial("udp", addr)
				require.NoError(t, err)
				leakcheck.SawSocket(func(s socket.Socket) bool { return s.Remote.String() == addr || runtime.GOOS == "windows" })
				require.NoError(t, conn.Close())
			}
		})
		assert.Empty(t, rec.errs)
	})
	assert.False(t, leakcheck.Watching())
}

// TestAllowRemotesKinds: each kind of socket, and each way to dial, is seen.
func TestAllowRemotesKinds(t *testing.T) {
	l := listen(t)
	defer l.Close()
	addr := l.Addr().String()
	for _, c := range []struct {
		name, says string
		f          func(t *testing.T)
	}{
		{"connected by a library", "tcp4 connection to " + addr, func(t *testing.T) {
			conn := dial(t, l.Addr())
			leakcheck.SawSocket(func(s socket.Socket) bool { return s.Remote.String() == addr })
			leakcheck.SawSocket(func(s socket.Socket) bool { return s.Remote.String() == addr }) // once more: one look says nothing on this machine
			require.NoError(t, conn.Close())
		}},
		{"udp", "udp4 socket to 127.0.0.1:8125", func(t *testing.T) {
			conn, err := net.Dial("udp", "127.0.0.1:8125")
			require.NoError(t, err)
			leakcheck.SawSocket(func(s socket.Socket) bool { return s.Remote.String() == "127.0.0.1:8125" })
			require.NoError(t, conn.Close())
		}},
		{"a dial to a server of names", "dial of 127.0.0.1:53 (connected) at allow_remotes_test.go:", func(t *testing.T) {
			conn, err := leakcheck.DialContext(context.Background(), "udp", "127.0.0.1:53")
			require.NoError(t, err)
			require.NoError(t, conn.Close())
		}},
		{"a dial without a context", "dial of " + addr + " (connected) at allow_remotes_test.go:", func(t *testing.T) {
			conn, err := leakcheck.WrapDial(net.Dial)("tcp", addr)
			require.NoError(t, err)
			require.NoError(t, conn.Close())
		}},
		{"a dial in a dial", "1 leak: dial of " + addr + " (connected) at allow_remotes_test.go:", func(t *testing.T) {
			require.NoError(t, startService(leakcheck.WrapDial(leakcheck.WrapDial(leakcheck.DialContext)), addr))
		}},
		{"ways to end", "2 leaks: dial of " + addr + " (failed, refused) at allow_remotes_test.go:", func(t *testing.T) {
			for _, err := range []error{errors.New("of its own"), errors.New("connection refused")} {
				assert.Equal(t, err, startService(answers(err), addr))
			}
		}},
		{"a dial that has not returned", "dial of " + addr + " (no answer yet) at allow_remotes_test.go:", func(t *testing.T) {
			begun, end := make(chan bool), make(chan bool)
			t.Cleanup(func() { close(end) })
			go func() {
				_ = startService(leakcheck.WrapDial(func(context.Context, string, string) (net.Conn, error) {
					close(begun)
					<-end
					return nil, errDead
				}), addr)
			}()
			<-begun
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rec := judged(t, func() { c.f(t) })
			require.Len(t, rec.errs, 1)
			assert.Contains(t, rec.errs[0], c.says)
		})
	}
}

// TestAllowRemotesMany: what dials without end does not fill the memory, and what was not kept is counted.
func TestAllowRemotesMany(t *testing.T) {
	rec := judged(t, func() {
		for i := range 70 {
			assert.Error(t, startService(answers(errDead), fmt.Sprintf("host%d.internal:5672", i)))
		}
	})
	require.Len(t, rec.errs, 1)
	assert.True(t, strings.HasPrefix(rec.errs[0], "leakcheck: 64 leaks: "), rec.errs[0])
	assert.Equal(t, []string{"leakcheck: AllowRemotes: 6 more dials and requests, from other lines or to other addresses, were not kept"}, rec.logs)
}

// TestAllowRemotesOwner: nested checks, what has no label, and what runs beside.
func TestAllowRemotesOwner(t *testing.T) {
	dead := mockserver.Refuse(t)
	begin := func(name string, opts ...leakcheck.Option) (*recorder, func()) {
		rec := &recorder{name: name}
		return rec, leakcheck.Verify(rec, opts...)
	}
	unlabelled := func() {
		pprof.Do(context.Background(), pprof.Labels("a", "b"), func(context.Context) {
			ended := make(chan bool)
			go func() { defer close(ended); _ = startService(leakcheck.DialContext, dead) }()
			<-ended
		})
	}
	nothing := leakcheck.AllowRemotes()

	t.Run("the inner one answers", func(t *testing.T) {
		outer, endOuter := begin("TestA", nothing)
		inner, endInner := begin("TestA/inner", leakcheck.AllowRemotes(dead))
		assert.Error(t, startService(leakcheck.DialContext, dead))
		endInner()
		endOuter()
		assert.Empty(t, inner.errs)
		assert.Empty(t, outer.errs)
	})
	t.Run("an inner one without a policy is the outer one's", func(t *testing.T) {
		outer, endOuter := begin("TestA", nothing)
		inner, endInner := begin("TestA/inner")
		assert.Error(t, startService(leakcheck.DialContext, dead))
		endInner()
		endOuter()
		assert.Empty(t, inner.errs)
		assert.Len(t, outer.errs, 1)
	})
	t.Run("alone, what has no label is the test's", func(t *testing.T) {
		rec, end := begin("TestA", nothing)
		unlabelled()
		end()
		require.Len(t, rec.errs, 1)
		assert.Contains(t, rec.errs[0], "dial of "+dead+" (refused) at allow_remotes_test.go:")
	})
	t.Run("beside another, a label tells", func(t *testing.T) {
		b, endB := begin("TestB", nothing)
		a, endA := begin("TestA", nothing)
		assert.Error(t, startService(leakcheck.DialContext, dead))
		endA()
		endB()
		assert.Len(t, a.errs, 1)
		assert.Empty(t, b.errs)
	})
	t.Run("beside another, what has no label is nobody's, and is reported once", func(t *testing.T) {
		a, endA := begin("TestA", nothing)
		b, endB := begin("TestB", nothing)
		unlabelled()
		endB()
		endA()
		assert.Empty(t, b.errs)
		require.Len(t, a.errs, 1)
		assert.Contains(t, a.errs[0], "not attributed to one test, reported by the last that ran: TestA")
		assert.Contains(t, a.errs[0], "could have been TestA or TestB")
		assert.Contains(t, a.errs[0], "dial of "+dead+" (refused) at allow_remotes_test.go:")
		assert.Equal(t, 1, strings.Count(a.errs[0], "LK605 "))
	})
	t.Run("beside one that allows it, it is that one's", func(t *testing.T) {
		a, endA := begin("TestA", nothing)
		b, endB := begin("TestB", leakcheck.AllowRemotes(dead))
		unlabelled()
		endB()
		endA()
		assert.Empty(t, append(a.errs, b.errs...))
	})
	t.Run("a socket beside one that allows it is that one's", func(t *testing.T) {
		l := listen(t)
		defer l.Close()
		a, endA := begin("TestA", nothing)
		b, endB := begin("TestB", leakcheck.AllowRemotes(l.Addr().String()))
		conn := dial(t, l.Addr())
		leakcheck.SawSocket(func(s socket.Socket) bool { return s.Remote.String() == l.Addr().String() })
		leakcheck.SawSocket(func(s socket.Socket) bool { return s.Remote.String() == l.Addr().String() })
		require.NoError(t, conn.Close())
		endA()
		endB()
		assert.Empty(t, append(a.errs, b.errs...))
	})
	for name, policyFirst := range map[string]bool{"that began before": false, "that began later": true} {
		t.Run("beside one without a policy "+name+", it is logged", func(t *testing.T) {
			var a *recorder
			var endA func()
			if policyFirst {
				a, endA = begin("TestA", nothing)
			}
			b, endB := begin("TestB")
			if !policyFirst {
				a, endA = begin("TestA", nothing)
			}
			unlabelled()
			endB()
			endA()
			assert.Empty(t, append(a.errs, b.errs...))
			require.Len(t, a.logs, 1)
			assert.Contains(t, a.logs[0], "leakcheck: possible: dial of "+dead+" (refused) at allow_remotes_test.go:")
			assert.Contains(t, a.logs[0], "nothing tells whose it is, and TestB, which ran meanwhile, has no AllowRemotes (LK605)")
		})
	}
	t.Run("a test that failed by itself says it in a line", func(t *testing.T) {
		rec, end := begin("TestA", nothing)
		rec.Errorf("its own")
		assert.Error(t, startService(leakcheck.DialContext, dead))
		end()
		assert.Len(t, rec.errs, 1)
		require.Len(t, rec.logs, 1)
		assert.Contains(t, rec.logs[0], "leakcheck: beside the test's own failure: dial of "+dead)
	})
	t.Run("a bubble", func(t *testing.T) {
		rec := &recorder{name: "TestA"}
		synctest.Test(t, func(t *testing.T) {
			end := leakcheck.Verify(rec, nothing)
			assert.Equal(t, errDead, startService(answers(errDead), "broker.internal:5672"))
			time.Sleep(time.Hour)
			end()
		})
		require.Len(t, rec.errs, 1)
		assert.Contains(t, rec.errs[0], "dial of broker.internal:5672 (failed)")
	})
	assert.False(t, leakcheck.Watching())
}

func TestAllowRemotesRefuses(t *testing.T) {
	rec := &recorder{name: t.Name()}
	leakcheck.Verify(rec, leakcheck.AllowRemotes("db.internal:0", "postgres://app:secret@db/x", "u:secret@h"))()
	require.Len(t, rec.errs, 1)
	assert.Equal(t, `leakcheck.AllowRemotes("db.internal:0"): port "0" is no number from 1 to 65535: a pattern is `+outbound.Forms+"\n"+
		`leakcheck.AllowRemotes("…@h"): it has an @: write host and port alone, or a URL with its scheme: a pattern is `+outbound.Forms, rec.errs[0])

	const no = "leakcheck.AllowRemotes judges what a test connects to: give it to Verify, or to Main for every Verify of the package"
	assert.EqualError(t, leakcheck.Check(leakcheck.AllowRemotes()), no)
	assert.EqualError(t, leakcheck.Take(leakcheck.AllowRemotes()).Err(), no)
}

// TestDialUnchanged: what is dialled is what comes back, whether somebody looks or not.
func TestDialUnchanged(t *testing.T) {
	l := listen(t)
	defer l.Close()
	for _, watched := range []bool{false, true} {
		f := func() {
			conn, err := leakcheck.DialContext(t.Context(), "tcp", l.Addr().String())
			require.NoError(t, err)
			assert.IsType(t, (*net.TCPConn)(nil), conn)
			require.NoError(t, conn.Close())

			type named func(ctx context.Context, network, address string) (net.Conn, error)
			end, own := net.Pipe()
			defer end.Close()
			defer own.Close()
			got, err := leakcheck.WrapDial(named(func(ctx context.Context, network, address string) (net.Conn, error) {
				assert.Equal(t, t.Context(), ctx)
				assert.Equal(t, "tcp4 a:1", network+" "+address)
				return own, errDead
			}))(t.Context(), "tcp4", "a:1")
			assert.Equal(t, own, got)
			assert.Equal(t, errDead, err)

			conn, err = leakcheck.WrapDial((func(string, string) (net.Conn, error))(nil))("tcp", l.Addr().String())
			require.NoError(t, err)
			require.NoError(t, conn.Close())
			conn, err = leakcheck.WrapDial((&http.Transport{}).DialContext)(t.Context(), "tcp", l.Addr().String())
			require.NoError(t, err)
			require.NoError(t, conn.Close())

			assert.PanicsWithValue(t, "of its own", func() {
				_, _ = leakcheck.WrapDial(func(string, string) (net.Conn, error) { panic("of its own") })("tcp", "a:1")
			})
		}
		if !watched {
			f()
			continue
		}
		rec := judged(t, f, leakcheck.OwnListeners, "a:1")
		assert.Empty(t, rec.errs)
	}
}

// BenchmarkDialUnwatched is what DialContext costs beside a dial while nobody looks.
func BenchmarkDialUnwatched(b *testing.B) {
	dial := leakcheck.WrapDial(func(context.Context, string, string) (net.Conn, error) { return nil, errDead })
	b.ReportAllocs()
	for b.Loop() {
		_, _ = dial(context.Background(), "tcp", "a:1")
	}
}

// TestMainAllowsRemotes: what Main allows, each Verify does, beside what it allows itself; and Main reports the tests that do
// not call it.
func TestMainAllowsRemotes(t *testing.T) {
	out, passed := run(t, "remotes", "-test.run=TestRemotes")
	assert.False(t, passed)
	assert.Contains(t, out, "leakcheck: 1 leak: dial of broker.internal:5672 (refused) at suite_test.go:")
	assert.Contains(t, out, "allowed: cache.internal:6379, db.internal:5432\n")
	assert.Contains(t, out, "leakcheck: beside the tests that failed: dial of metrics.internal:8125 (refused) at suite_test.go:")
	assert.Equal(t, 1, strings.Count(out, "    see "), out)

	out, passed = run(t, "remotes", "-test.run=TestRemotesUnverified")
	assert.False(t, passed)
	assert.Contains(t, out, "leakcheck: 1 leak: dial of metrics.internal:8125 (refused) at suite_test.go:")
	assert.Contains(t, out, "LK605 socket by TestRemotesUnverified\n")

	out, passed = run(t, "main", "-test.run=TestRemotesUnverified")
	assert.True(t, passed, "without it nothing is judged: %s", out)
}

// charge has a value that no report may show.
const charge = "/charge?card=4111"
