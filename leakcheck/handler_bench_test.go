package leakcheck_test

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/leakgate/leakgate/leakcheck"
)

// crowd starts n goroutines of ten different depths, which wait until the benchmark has ended.
func crowd(b *testing.B, n int) {
	stop := make(chan struct{})
	var all, up sync.WaitGroup
	up.Add(n)
	for i := range n {
		all.Go(func() { deepWait(i%10, &up, stop) })
	}
	up.Wait()
	for range 100 { // the last of them is about to wait
		runtime.Gosched()
	}
	b.Cleanup(func() { close(stop); all.Wait() })
}

func deepWait(n int, up *sync.WaitGroup, stop chan struct{}) {
	if n > 0 {
		deepWait(n-1, up, stop)
		return
	}
	up.Done()
	<-stop
}

func ask(b *testing.B, h http.Handler, target string) {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.RemoteAddr, r.Host = "127.0.0.1:4711", "localhost"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		b.Fatal(w.Code, w.Body)
	}
}

// BenchmarkHandler: how long an answer takes. The pause lets each be a new census, and not one of 100 ms ago.
func BenchmarkHandler(b *testing.B) {
	for _, n := range []int{10, 1000, 2000, 10_000} {
		for _, target := range []string{"/", "/?format=json", "/?fresh", "/?parts=leases&format=json"} {
			b.Run(strconv.Itoa(n)+target, func(b *testing.B) {
				crowd(b, n)
				h := leakcheck.Handler()
				ask(b, h, target)
				var took []time.Duration
				for b.Loop() {
					time.Sleep(110 * time.Millisecond)
					began := time.Now()
					ask(b, h, target)
					took = append(took, time.Since(began))
				}
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs/median")
				b.ReportMetric(float64(took[len(took)-1].Microseconds()), "µs/worst")
			})
		}
	}
}

// BenchmarkHandlerBeside: what it does to a program with 10 000 goroutines, two of which send a value to and fro: without, with ten
// answers a second, and with as many dumps of all stacks, for comparison.
func BenchmarkHandlerBeside(b *testing.B) {
	for _, c := range []struct {
		name string
		ask  func(b *testing.B, h http.Handler)
	}{
		{"alone", nil},
		{"handler", func(b *testing.B, h http.Handler) { ask(b, h, "/?format=json") }},
		{"fresh", func(b *testing.B, h http.Handler) { ask(b, h, "/?format=json&fresh") }},
		{"dump", func(*testing.B, http.Handler) { runtime.Stack(make([]byte, 16<<20), true) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			crowd(b, 10_000)
			h := leakcheck.Handler()
			ping, pong := make(chan time.Time), make(chan time.Time)
			var wg sync.WaitGroup
			wg.Go(func() {
				for t := range ping {
					pong <- t
				}
			})
			stop := make(chan struct{})
			if c.ask != nil {
				wg.Go(func() {
					for {
						select {
						case <-stop:
							return
						case <-time.After(110 * time.Millisecond):
							c.ask(b, h)
						}
					}
				})
			}
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				ping <- began
				<-pong
				took = append(took, time.Since(began))
			}
			close(stop)
			close(ping)
			wg.Wait()
			slices.Sort(took)
			for _, q := range []struct {
				name  string
				share float64
			}{{"p50", 0.5}, {"p99", 0.99}, {"p99.99", 0.9999}} {
				b.ReportMetric(float64(took[int(q.share*float64(len(took)-1))].Nanoseconds())/1e3, "µs/"+q.name)
			}
			b.ReportMetric(float64(took[len(took)-1].Nanoseconds())/1e3, "µs/worst")
		})
	}
}
