package store_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/shop/store"

	"github.com/leakgate/leakgate/leakcheck"
)

func TestCeiling(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	leakcheck.Sample(t, time.Hour, leakcheck.AtMost(leakcheck.Leases("http.DefaultTransport"), 0))
	_ = store.Get(http.DefaultClient, server(t, 100_000)+"/orders?token=hunter2")
}

// told is a T that knows what was logged.
type told struct {
	*testing.T
	once sync.Once
	held chan struct{}
}

func (x *told) Logf(format string, args ...any) {
	x.T.Logf(format, args...)
	for _, a := range args {
		if s, ok := a.(string); ok && strings.Contains(s, "LK604") {
			x.once.Do(func() { close(x.held) })
		}
	}
}

func TestHeldLong(t *testing.T) {
	x := &told{T: t, held: make(chan struct{})}
	t.Cleanup(leakcheck.Verify(x, leakcheck.WarnHeld(time.Millisecond)))
	url := server(t, 100_000) + "/orders?token=hunter2"
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	<-x.held
	_ = resp.Body.Close()
}
