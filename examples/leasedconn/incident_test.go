//go:build incident

package leasedconn

import (
	"context"
	"flag"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

// The load balancer answers 403 with its own HTML page. This test fails: the client leaks.
func TestForbiddenPage(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))

	srv := mockserver.New(t)
	srv.On("GET", "/session/{id}").Reply(mockserver.ALB(403))

	client := &Client{BaseURL: srv.URL}
	active, err := client.IsSessionActive(context.Background(), "42")
	if active || err != nil {
		t.Errorf("got %v, %v; want false, nil", active, err)
	}
}

// The same with the fixed client.
func TestForbiddenPageFixed(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))

	srv := mockserver.New(t)
	srv.On("GET", "/session/{id}").Reply(mockserver.ALB(403))

	client := &FixedClient{BaseURL: srv.URL}
	active, err := client.IsSessionActive(context.Background(), "42")
	if active || err != nil {
		t.Errorf("got %v, %v; want false, nil", active, err)
	}
}

// The same client against the usual mock, a 403 without a body. This test passes, and the leak is still there.
func TestForbiddenEmpty(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))

	srv := mockserver.New(t)
	srv.On("GET", "/session/{id}").Reply(mockserver.Status(403).Framing(mockserver.Empty))

	client := &Client{BaseURL: srv.URL}
	active, err := client.IsSessionActive(context.Background(), "42")
	if active || err != nil {
		t.Errorf("got %v, %v; want false, nil", active, err)
	}
}

// What the sockets showed: the load balancer ends its connections, and the client's ends stay in CLOSE_WAIT. This test fails at the
// sixth, and not when it has ended.
func TestCloseWaits(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the state of a socket is read on Linux alone")
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel) // ends what leaked, so that the tests after this one do not see it
	series := leakcheck.Sample(t, time.Millisecond, leakcheck.AtMost(leakcheck.CloseWait, 5))

	srv := mockserver.New(t)
	srv.On("GET", "/session/{id}").Reply(mockserver.ALB(403).Header("Connection", "close"))
	client := &Client{BaseURL: srv.URL}
	end := time.Now().Add(10 * time.Second)
	for n := 1; n <= 10; n++ {
		if _, err := client.IsSessionActive(ctx, "42"); err != nil {
			t.Error(err)
		}
		for series.Peak(leakcheck.CloseWait) < n && time.Now().Before(end) {
			time.Sleep(time.Millisecond) // the next one comes when so many were seen
		}
	}
	series.Stop()
	t.Log(series)
}

// The 75 % line: sixteen expired sessions, and a pool of twenty connections. This test fails twice over: for the leak, and for the
// share of the pool, long before the twenty-first request would wait for ever.
func TestThreeQuarters(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t, leakcheck.HighWater(0.75)))

	srv := mockserver.New(t)
	srv.On("GET", "/session/{id}").Reply(mockserver.ALB(403))
	client := &Client{BaseURL: srv.URL}
	for range 16 {
		if _, err := client.IsSessionActive(context.Background(), "42"); err != nil {
			t.Error(err)
		}
	}
}

var replies = flag.Int("replies", 2000, "of the load test; it had a million")

// The load test that never found it: one empty reply after the other, a million of them. This test passes.
func TestLoadOfEmptyReplies(t *testing.T) {
	srv := mockserver.New(t)
	srv.On("GET", "/session/{id}").Reply(mockserver.Status(403).Framing(mockserver.Empty))
	client := &Client{BaseURL: srv.URL}
	load := leakcheck.Concurrently(t, 10, func(ctx context.Context) error {
		_, err := client.IsSessionActive(ctx, "42")
		return err
	}, leakcheck.Times(*replies), leakcheck.HighWater(0.75))
	if err := load.Err(); err != nil {
		t.Error(err)
	}
	t.Logf("%d empty replies, and nothing is held", load.Calls)
}

// The same load, with the page in one reply of a hundred. This test fails.
func TestLoadWithPages(t *testing.T) {
	srv := mockserver.New(t)
	empty, page := mockserver.Status(403).Framing(mockserver.Empty), mockserver.ALB(403)
	srv.On("GET", "/session/{id}").Reply(empty)
	srv.On("GET", "/session/expired").Reply(page)
	client := &Client{BaseURL: srv.URL}
	var n atomic.Int64
	leakcheck.Concurrently(t, 10, func(ctx context.Context) error {
		id := "42"
		if n.Add(1)%100 == 0 {
			id = "expired"
		}
		_, err := client.IsSessionActive(context.WithoutCancel(ctx), id)
		return err
	}, leakcheck.Times(1000))
}
