package mockserver

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// A client that closes its bodies is found clean over TLS and HTTP/2 too, and all of it goes over that protocol.
func TestSweepProtocols(t *testing.T) {
	for _, test := range []struct {
		name  string
		opts  []Option
		proto int
	}{
		{"TLS", []Option{TLS()}, 1},
		{"HTTP2", []Option{HTTP2()}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			client := New(t, test.opts...).Client()
			var replies, others atomic.Int64
			Sweep(t, func(t *testing.T, baseURL string) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // nothing stalls
				defer cancel()
				req, err := http.NewRequestWithContext(ctx, "GET", baseURL+"/session", nil)
				if err != nil {
					t.Error(err)
					return
				}
				resp, err := client.Do(req)
				if err != nil {
					return
				}
				defer resp.Body.Close()
				replies.Add(1)
				if resp.ProtoMajor != test.proto {
					others.Add(1)
				}
				io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
			}, Serve(test.opts...), Only("ok", "alb-*", "fault-*"))
			assert.NotZero(t, replies.Load())
			assert.Zero(t, others.Load(), "replies over another protocol")
		})
	}
}
