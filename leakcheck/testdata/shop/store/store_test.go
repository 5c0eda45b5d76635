package store_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"example.com/shop/store"

	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

func TestMain(m *testing.M) {
	switch os.Getenv("SHOP_MAIN") {
	case "main":
		os.Exit(leakcheck.Main(m))
	case "high":
		os.Exit(leakcheck.Main(m, leakcheck.HighWater(0.5)))
	}
	os.Exit(m.Run())
}

func server(tb testing.TB, size int) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, size))
	}))
	tb.Cleanup(srv.Close)
	return srv.URL
}

func TestPass(t *testing.T) { t.Cleanup(leakcheck.Verify(t)) }

func TestLeak(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	store.Watch()
}

func TestLeakTwo(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	store.Watch()
	store.Watch()
}

func TestRepeat(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	leakcheck.Repeat(t, 3, store.Watch)
}

func TestRepeatAlone(t *testing.T) { leakcheck.Repeat(t, 3, store.Watch) }

func TestRepeatPanics(t *testing.T) {
	leakcheck.Repeat(t, 3, func() { panic("on purpose") })
}

func TestRepeatParallel(t *testing.T) {
	for _, name := range []string{"a", "b"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Cleanup(leakcheck.Verify(t))
			leakcheck.Repeat(t, 3, func() {
				if name == "b" {
					store.Watch()
				}
			})
		})
	}
}

func TestBody(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	_ = store.Get(http.DefaultClient, server(t, 100_000)+"/orders?token=hunter2")
}

func TestFails(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	store.Watch()
	t.Error("by itself")
}

func TestFailsAfterIts(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	t.Run("leaks", func(t *testing.T) {
		t.Cleanup(leakcheck.Verify(t))
		store.Watch()
	})
	t.Run("fails", func(t *testing.T) {
		t.Cleanup(leakcheck.Verify(t))
		t.Error("by itself")
	})
}

func TestSubs(t *testing.T) {
	for _, name := range []string{"a", "b"} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(leakcheck.Verify(t))
			store.Watch()
		})
	}
}

func TestFailNow(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	store.Watch()
	t.FailNow()
}

func TestSweep(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, url string) {
		_ = store.Get(&http.Client{Timeout: 2 * time.Second}, url)
		if os.Getenv("SHOP_SWEEP") == "fails" {
			t.Error("by itself")
		}
	}, mockserver.Only("alb-403-html", "alb-502-html"))
}

func TestSkips(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	t.Skip("on purpose")
}

func TestPanics(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	store.Watch()
	panic("on purpose")
}

func TestGoexit(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	runtime.Goexit()
}

func TestExits(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	store.Watch()
	os.Exit(3)
}

func TestKilled(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	p, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Kill()
	select {}
}

func TestParallel(t *testing.T) {
	for _, name := range []string{"a", "b"} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(leakcheck.Verify(t))
			t.Parallel()
			store.Watch()
		})
	}
}

func TestTwoChecks(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	t.Cleanup(httpcheck.Verify(t, &http.Client{}))
	store.Watch()
}

func TestUnverified(t *testing.T) {
	t.Log("no check")
	store.Watch()
}

func TestUnverifiedPool(t *testing.T) {
	tr := &http.Transport{MaxConnsPerHost: 4}
	defer tr.CloseIdleConnections()
	store.GetAtOnce(&http.Client{Transport: httpcheck.Wrap(tr)}, server(t, 10), 3)
}

func TestPool(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	tr := &http.Transport{MaxConnsPerHost: 4}
	defer tr.CloseIdleConnections()
	store.GetAtOnce(&http.Client{Transport: httpcheck.Wrap(tr)}, server(t, 10), 3)
}

func TestPoolHigh(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	tr := &http.Transport{MaxConnsPerHost: 4}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: httpcheck.Wrap(tr)}
	t.Run("inner", func(t *testing.T) {
		t.Cleanup(leakcheck.Verify(t, leakcheck.HighWater(0.75)))
		store.GetAtOnce(client, server(t, 10), 3)
	})
}

func TestIgnores(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t, leakcheck.Ignore("lives as long as the process", leakcheck.CreatedBy("store.Watch"))))
	store.Watch()
}

func TestNotes(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	resp, err := http.Get(server(t, 10)) // LINE notes
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
}

func TestBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(leakcheck.Verify(t))
		time.Sleep(time.Hour)
	})
}

// worker lists one that was not returned.
type worker struct{ looks int }

func (*worker) Kind() leakcheck.Kind { return "worker" }

func (w *worker) Held(ids []uint64) ([]uint64, error) {
	if w.looks++; w.looks > 1 {
		ids = append(ids, 1)
	}
	return ids, nil
}

func (*worker) Describe(uint64) (leakcheck.Leak, bool) {
	return leakcheck.Leak{Summary: "worker was not returned", Fingerprint: "goroutine | user | example.com/shop/store.Pass | TestBubbleLeaks"}, true
}

func TestBubbleLeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(leakcheck.Verify(t, leakcheck.Instead(&worker{})))
	})
}

func TestLong(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	done := make(chan struct{})
	go func() {
		time.Sleep(300 * time.Millisecond)
		close(done)
	}()
	<-done
}

func TestChdir(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	t.Chdir(t.TempDir())
	store.Watch()
}

func FuzzLeaks(f *testing.F) {
	f.Add(1)
	f.Add(2)
	f.Fuzz(func(t *testing.T, n int) {
		t.Cleanup(leakcheck.Verify(t))
		if n == 1 {
			store.Watch()
		}
	})
}

func FuzzClean(f *testing.F) {
	f.Add(1)
	f.Fuzz(func(t *testing.T, _ int) { t.Cleanup(leakcheck.Verify(t)) })
}

func BenchmarkLeaks(b *testing.B) {
	b.Cleanup(leakcheck.Verify(b))
	for range b.N {
	}
	store.Watch()
}

func ExampleWatch() {
	store.Watch()
	fmt.Println("watching")
	// Output: watching
}
