package heldacross

import (
	"context"
	"database/sql"
	"net/http"
	"strconv"
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
