// Package suite is a suite of tests that leak, fail, skip and panic on purpose. leakcheck's own tests build it and run
// parts of it, to see what a user would.
package suite

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leakgate/leakgate/leakcheck"
)

func TestMain(m *testing.M) {
	switch os.Getenv("SUITE_MAIN") {
	case "main":
		os.Exit(leakcheck.Main(m))
	case "ignores":
		os.Exit(leakcheck.Main(m, leakcheck.Ignore("never there", leakcheck.Func("example.com/nowhere.Run"))))
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
