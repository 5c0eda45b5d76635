package roundtrip

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/lease"
)

// TestPutIdleOfAnEarlierTry: a RoundTripper between tries twice, and the connection of its first try goes back while the second
// is under way. Whichever comes first, the lease of the second is counted for as long as its response is held.
func TestPutIdleOfAnEarlierTry(t *testing.T) {
	var table lease.Table
	tracker := &Tracker{pool: table.NewPool(ConnKind, "test", nil)}
	for range 20_000 {
		r := &response{tracker: tracker, ctx: context.Background(), status: http.StatusOK}
		r.gotConn(httptrace.GotConnInfo{})
		var both sync.WaitGroup
		start := make(chan struct{})
		both.Go(func() {
			<-start
			r.putIdleConn(nil)
		})
		both.Go(func() {
			<-start
			r.gotConn(httptrace.GotConnInfo{})
			tracker.pool.TakeFor(0, &r.Lease, r, 0)
		})
		close(start)
		both.Wait()
		require.Equal(t, lease.Held, r.Now())
		require.Equal(t, 1, tracker.pool.Usage().Leased)
		r.isClosed(false)
	}
}
