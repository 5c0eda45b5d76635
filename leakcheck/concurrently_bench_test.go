package leakcheck_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

// BenchmarkConcurrently compares a load of 100 clients with the same in plain goroutines, over the same tracked pools under the same
// Verify: each call leases a connection of a database in memory, gives it back, and sends a request over the loopback. Both kinds of load take turns.
// cost-% is the median of what Concurrently takes more than the plain load before it, bytes/call what it allocates more.
func BenchmarkConcurrently(b *testing.B) {
	const clients, calls = 100, 2000
	b.Cleanup(leakcheck.Verify(b))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "done") }))
	b.Cleanup(srv.Close)
	tr := &http.Transport{MaxIdleConnsPerHost: clients}
	b.Cleanup(tr.CloseIdleConnections)
	client := &http.Client{Transport: httpcheck.Wrap(tr)}
	db := dbcheck.OpenDB(inMemory{})
	db.SetMaxOpenConns(clients)
	db.SetMaxIdleConns(clients)
	b.Cleanup(func() { db.Close() })

	call := func(ctx context.Context) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if err := tx.Commit(); err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, "GET", srv.URL, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	plain := func() {
		var left atomic.Int64
		var wg sync.WaitGroup
		for range clients {
			wg.Go(func() {
				for left.Add(1) <= calls {
					if err := call(b.Context()); err != nil {
						b.Error(err)
					}
				}
			})
		}
		wg.Wait()
	}
	measured := func() {
		if load := leakcheck.Concurrently(b, clients, call, leakcheck.Times(calls)); load.Failed > 0 {
			b.Error(load.Err())
		}
	}
	cost := func(f func()) (time.Duration, uint64) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		began := time.Now()
		f()
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		return took, after.TotalAlloc - before.TotalAlloc
	}
	plain() // opens the connections
	var more, bytes []float64
	for b.Loop() {
		t1, m1 := cost(plain)
		t2, m2 := cost(measured)
		more = append(more, 100*(float64(t2)/float64(t1)-1))
		bytes = append(bytes, (float64(m2)-float64(m1))/calls)
	}
	slices.Sort(more)
	slices.Sort(bytes)
	b.ReportMetric(more[len(more)/2], "cost-%")
	b.ReportMetric(bytes[len(bytes)/2], "bytes/call")
}
