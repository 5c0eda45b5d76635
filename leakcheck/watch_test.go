package leakcheck_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/leakcheck"
)

// TestBeginsWhileOthersDial: a connection that somebody opens while a check lists what there is, is idle afterwards, and no leak
// of the check's: its sockets must not be new where the goroutines that explain them are old.
func TestBeginsWhileOthersDial(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	for i := range 200 {
		client := &http.Client{Transport: &http.Transport{}}
		ready, done := make(chan struct{}), make(chan error)
		go func() {
			close(ready)
			for end := time.Now().Add(time.Duration(i) * 5 * time.Microsecond); time.Now().Before(end); {
				runtime.Gosched()
			}
			resp, err := client.Get(srv.URL)
			if err == nil {
				_, _ = io.Copy(io.Discard, resp.Body) // else the connection is not kept
				err = resp.Body.Close()
			}
			done <- err
		}()
		<-ready
		rec := &recorder{name: t.Name()}
		check := leakcheck.Verify(rec)
		require.NoError(t, <-done)
		check()
		client.CloseIdleConnections()
		if !assert.Empty(t, rec.errors(), "round %d", i) {
			return
		}
	}
}
