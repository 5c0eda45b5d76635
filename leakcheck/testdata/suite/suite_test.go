// Package suite is a suite of tests that leak, fail, skip and panic on purpose. leakcheck's own tests build it and run
// parts of it, to see what a user would.
package suite

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

func TestMain(m *testing.M) {
	switch os.Getenv("SUITE_MAIN") {
	case "main":
		os.Exit(leakcheck.Main(m))
	case "ignores":
		os.Exit(leakcheck.Main(m, leakcheck.Ignore("never there", leakcheck.Func("example.com/nowhere.Run"))))
	case "suite":
		os.Exit(leakcheck.Main(m, leakcheck.Ignore("on purpose", leakcheck.Func("suite.blocked"))))
	case "warn":
		os.Exit(leakcheck.Main(m, leakcheck.WarnHeld(time.Millisecond)))
	case "remotes":
		os.Exit(leakcheck.Main(m, leakcheck.AllowRemotes("db.internal:5432")))
	case "wrong":
		os.Exit(leakcheck.Main(m, leakcheck.Wait(-1)))
	case "exit":
		leakcheck.VerifyTestMain(m)
	case "nil":
		os.Exit(leakcheck.Main(nil))
	}
	os.Exit(m.Run())
}

func server(tb testing.TB) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<html><h1>403 Forbidden</h1></html>")
	}))
	tb.Cleanup(srv.Close)
	return srv.URL
}

func leakBody(tb testing.TB, url string) {
	resp, err := http.Get(url + "/session") // LEAK body
	if err != nil {
		tb.Fatal(err)
	}
	_ = resp.StatusCode
}

func blocked(begun chan struct{}, ch chan int) {
	close(begun)
	<-ch
}

func leakGoroutine() {
	begun := make(chan struct{})
	go blocked(begun, make(chan int)) // LEAK goroutine
	<-begun
}

func TestClean(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	resp, err := http.Get(server(t))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
}

func TestLeaksBody(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t)) // LINE body
	leakBody(t, server(t))
}

func TestLeaksGoroutine(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	leakGoroutine()
}

func TestFailsByItself(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	leakGoroutine()
	t.Error("its own error")
}

func TestFailsWhileEnding(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	go func() { time.Sleep(20 * time.Millisecond) }()
	t.Error("its own error")
}

func TestFailsNow(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	leakBody(t, server(t))
	t.FailNow()
}

func TestSkips(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	leakGoroutine()
	t.Skip("on purpose, after the leak")
}

func TestPanics(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	leakGoroutine()
	panic("on purpose")
}

func TestExitsGoroutine(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	done := make(chan struct{})
	go func() { close(done) }()
	<-done
}

// TestNested: the inner check reports, the outer one does not repeat it.
func TestNested(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	t.Run("inner", func(t *testing.T) {
		t.Cleanup(leakcheck.Verify(t))
		leakGoroutine()
	})
}

// TestNestedParentLeaks: the subtest is clean, and what the parent leaks is not the subtest's.
func TestNestedParentLeaks(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	leakGoroutine()
	t.Run("inner", func(t *testing.T) {
		t.Cleanup(leakcheck.Verify(t))
	})
}

// TestSubtestWithoutVerify: a subtest that does not check is part of its parent.
func TestSubtestWithoutVerify(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	t.Run("inner", func(*testing.T) { leakGoroutine() })
}

// TestTwice: two checks on one test give one report.
func TestTwice(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	t.Cleanup(leakcheck.Verify(t))
	leakGoroutine()
}

// TestParallel: each leak is on its own subtest.
func TestParallel(t *testing.T) {
	url := server(t)
	for _, name := range []string{"a", "b", "c", "d"} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(leakcheck.Verify(t))
			t.Parallel()
			switch name {
			case "b":
				leakBody(t, url)
			case "c":
				done := make(chan struct{})
				go func() { leakGoroutine(); close(done) }() // a grandchild, whose parent is gone
				<-done
			}
		})
	}
}

// TestParallelSocket: nothing says which of two tests that ran together opened a socket.
func TestParallelSocket(t *testing.T) {
	var both sync.WaitGroup
	both.Add(2)
	for _, name := range []string{"a", "b"} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(leakcheck.Verify(t))
			t.Parallel()
			both.Done()
			both.Wait()
			if name == "a" {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				keep(l)
			}
		})
	}
}

var kept struct {
	sync.Mutex
	all []any
}

// keep makes the collector leave it alone.
func keep(v any) {
	kept.Lock()
	kept.all = append(kept.all, v)
	kept.Unlock()
}

func TestUnverifiedGoroutine(*testing.T) { leakGoroutine() }

func TestUnverifiedBody(t *testing.T) { leakBody(t, server(t)) }

func TestUnverifiedListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	keep(l)
}

func TestIgnores(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t, leakcheck.Ignore("lives as long as the process", leakcheck.Func("github.com/leakgate/leakgate/leakcheck/testdata/suite.blocked"))))
	leakGoroutine()
}

func TestBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(leakcheck.Verify(t))
		done := make(chan struct{})
		go func() {
			time.Sleep(time.Hour)
			close(done)
		}()
		<-done
	})
}

func TestBubbleLeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(leakcheck.Verify(t))
		leakGoroutine()
	})
}

func BenchmarkLeaks(b *testing.B) {
	b.Cleanup(leakcheck.Verify(b))
	for b.Loop() {
	}
	leakGoroutine()
}

func BenchmarkClean(b *testing.B) {
	b.Cleanup(leakcheck.Verify(b))
	for b.Loop() {
		done := make(chan struct{})
		go close(done)
		<-done
	}
}

func FuzzLeaks(f *testing.F) {
	f.Add(1)
	f.Fuzz(func(t *testing.T, n int) {
		t.Cleanup(leakcheck.Verify(t))
		if n == 1 {
			leakGoroutine()
		}
	})
}

func FuzzClean(f *testing.F) {
	f.Cleanup(leakcheck.Verify(f))
	f.Add(1)
	f.Fuzz(func(t *testing.T, _ int) {
		t.Cleanup(leakcheck.Verify(t))
	})
}

// TestNilT: a nil T cannot fail anything, so that the process has to.
func TestNilT(*testing.T) {
	leakcheck.Verify(nil)()
	var t *testing.T
	leakcheck.Verify(t)()
}

func TestMethodsOfChild(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t, nil))
}

// TestForgotten: the function that Verify returns is not called.
func TestForgotten(t *testing.T) {
	leakcheck.Verify(t)
	leakGoroutine()
}

// TestForgottenBeside: a check that never ended would keep the others from knowing that they are the last.
func TestForgottenBeside(t *testing.T) { leakcheck.Verify(t) }

// pool is a pool with a probe.
type pool struct {
	sync.Mutex
	out []uint64
}

func (*pool) Kind() leakcheck.Kind { return "worker" }

func (p *pool) Held(ids []uint64) ([]uint64, error) {
	p.Lock()
	defer p.Unlock()
	return append(ids, p.out...), nil
}

func (*pool) Describe(uint64) (leakcheck.Leak, bool) {
	return leakcheck.Leak{Summary: "worker was not returned"}, true
}

// TestParallelProbe: a probe's resources carry no label.
func TestParallelProbe(t *testing.T) {
	p := new(pool)
	for _, name := range []string{"a", "b"} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(leakcheck.Verify(t, leakcheck.With(p)))
			t.Parallel()
			if name == "a" {
				p.Lock()
				p.out = append(p.out, 1)
				p.Unlock()
			}
		})
	}
}

// TestParallelFailure: a test that fails by itself does not claim what its neighbour leaks.
func TestParallelFailure(t *testing.T) {
	var opened sync.WaitGroup
	opened.Add(1)
	for _, name := range []string{"fails", "leaks"} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(leakcheck.Verify(t))
			t.Parallel()
			if name == "fails" {
				opened.Wait()
				t.Error("its own error")
				return
			}
			defer opened.Done()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			keep(l)
		})
	}
}

// TestHelperName: a helper whose name looks like a test's is none.
func TestHelperName(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	time.AfterFunc(0, TestServerLoop) // no label
	time.Sleep(10 * time.Millisecond)
}

// TestBoth: leakcheck.Verify around httpcheck.Verify sees what the inner check does not look at.
func TestBoth(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	t.Cleanup(httpcheck.Verify(t, &http.Client{}))
	leakGoroutine()
}

// TestContextEnds: the test's own context frees the connection when the test is over, and in production nothing does.
func TestContextEnds(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := http.DefaultClient.Do(req); err != nil {
		t.Fatal(err)
	}
}

// TestAloneAmongParallel comes before a parallel test, and with -count after it too.
func TestAloneAmongParallel(t *testing.T) { t.Cleanup(leakcheck.Verify(t)) }

func TestAmongParallelLeaks(t *testing.T) {
	t.Parallel()
	t.Cleanup(leakcheck.Verify(t))
	url := server(t)
	resp, err := (&http.Client{Transport: &http.Transport{}}).Get(url) // no lease tells whose it is
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.StatusCode
}

func TestServerUnverified(*testing.T) { httptest.NewServer(http.NotFoundHandler()) }

func TestWaitsAsAsked(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t, leakcheck.Wait(10*time.Second)))
	stop := make(chan int)
	time.AfterFunc(300*time.Millisecond, func() { close(stop) })
	go func() { <-stop }()
}

// TestTunedPool keeps more idle connections than usual, on purpose, and its transport is tracked.
func TestTunedPool(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(20 * time.Millisecond) }))
	defer srv.Close()
	client := &http.Client{Transport: httpcheck.Wrap(&http.Transport{MaxIdleConnsPerHost: 10})}
	t.Run("uses it", func(t *testing.T) {
		t.Cleanup(leakcheck.Verify(t))
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				resp, err := client.Get(srv.URL)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			})
		}
		all.Wait()
	})
}

// wrapped embeds a T, as suites do.
type wrapped struct{ *testing.T }

func TestWrappedT(t *testing.T) {
	w := wrapped{t}
	t.Cleanup(leakcheck.Verify(w))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	keep(l)
}

// TestAfterItsEnd: a check that comes when its test is over cannot fail it.
func TestAfterItsEnd(t *testing.T) {
	var late func()
	t.Run("over", func(t *testing.T) {
		late = leakcheck.Verify(quiet{t})
	})
	leakGoroutine()
	late()
}

// quiet hides Cleanup.
type quiet struct{ leakcheck.TB }

// holdsUntilTold holds a response until standard input ends, and until that was told.
func holdsUntilTold(t *testing.T) {
	resp, err := http.Get(server(t) + "/session") // LEAK held
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = resp.Body.Close()
}

func TestHoldsVerified(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t, leakcheck.WarnHeld(time.Millisecond)))
	holdsUntilTold(t)
}

func TestHoldsUnverified(t *testing.T) { holdsUntilTold(t) }

// dials dials nothing, and says so.
func dials(address string) {
	_, _ = leakcheck.WrapDial(func(string, string) (net.Conn, error) { return nil, errors.New("refused") })("tcp", address)
}

func TestRemotesVerified(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t, leakcheck.AllowRemotes("cache.internal:6379")))
	dials("db.internal:5432")
	dials("cache.internal:6379")
	dials("broker.internal:5672")
}

func TestRemotesUnverified(t *testing.T) {
	dials("db.internal:5432")
	dials("metrics.internal:8125")
}

// parallelRemotes runs two tests at once. Neither may connect to anything but a cache, but b may do what it likes when it has no
// policy. What a is given to do, is not allowed.
func parallelRemotes(t *testing.T, bHasPolicy bool, does func()) {
	var both, did sync.WaitGroup
	both.Add(2)
	did.Add(1)
	for _, name := range []string{"a", "b"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "a" || bHasPolicy {
				t.Cleanup(leakcheck.Verify(t, leakcheck.AllowRemotes("cache.internal:6379")))
			} else {
				t.Cleanup(leakcheck.Verify(t))
			}
			both.Done()
			both.Wait()
			if name == "a" {
				does()
				did.Done()
			}
			did.Wait()
			dials("cache.internal:6379")
		})
	}
}

func TestParallelDial(t *testing.T) {
	parallelRemotes(t, true, func() {
		done := make(chan bool)
		go func() { defer close(done); dials("broker.internal:5672") }() // a goroutine has its test's label
		<-done
	})
}

// TestParallelRequest asks a server that is gone.
func TestParallelRequest(t *testing.T) {
	srv := httptest.NewServer(nil)
	srv.Close()
	parallelRemotes(t, true, func() {
		if resp, err := http.Get(srv.URL + "/status"); err == nil { // LINE gone
			_ = resp.Body.Close()
		}
	})
}

// connects dials by itself, and leaves the connection open until the tests and their checks are over.
func connects(t *testing.T) func() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return func() {
		if conn, err := net.Dial("tcp", l.Addr().String()); err == nil {
			keep(conn)
		}
	}
}

func TestParallelRemoteSocket(t *testing.T) { parallelRemotes(t, true, connects(t)) }

func TestParallelRemoteWithoutPolicy(t *testing.T) { parallelRemotes(t, false, connects(t)) }
