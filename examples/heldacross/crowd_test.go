package heldacross

import (
	"context"
	"database/sql"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// crowd lets n customers pay at once, each an order of their own.
func crowd(n int, pay func(ctx context.Context, order string) error) (paid <-chan error) {
	out := make(chan error, n)
	for i := range n {
		go func() { out <- pay(context.Background(), strconv.Itoa(i)) }()
	}
	return out
}

// hangs is a payment service that answers nobody before the channel is closed.
func hangs(until <-chan bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-until:
			w.WriteHeader(http.StatusCreated)
		case <-r.Context().Done():
		}
	})
}

// waitForQueue waits until n have had to wait for a connection of the pool.
func waitForQueue(t *testing.T, db *sql.DB, n int64) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); db.Stats().WaitCount < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d wait for a connection, not %d", db.Stats().WaitCount, n)
		}
	}
}

// one lets a customer pay an order of their own.
func one(pay func(ctx context.Context, order string) error) func(ctx context.Context) error {
	var last atomic.Int64
	return func(ctx context.Context) error { return pay(ctx, strconv.FormatInt(last.Add(1), 10)) }
}

// measured is a test that a load measures for, and does not fail.
type measured struct{ testing.TB }

func (measured) Errorf(string, ...any) {}
func (measured) Logf(string, ...any)   {}
func (measured) Attr(string, string)   {}
