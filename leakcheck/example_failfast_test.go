package leakcheck_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

// A start-up against a broker that was turned off has to fail in time, and leave nothing behind.
func ExampleFailFast() {
	start := func(ctx context.Context, broker string) error {
		conn, err := leakcheck.DialContext(ctx, "tcp", broker)
		if err != nil {
			return errors.Join(errors.New("no broker"), err)
		}
		return conn.Close()
	}
	_ = func(t *testing.T) {
		broker := mockserver.Refuse(t)
		leakcheck.FailFast(t, time.Second, func(ctx context.Context) error { return start(ctx, broker) })
	}
	// Output:
}

// A start-up may connect to the test's own servers, and to nothing else.
func ExampleAllowRemotes() {
	_ = func(t *testing.T) {
		t.Cleanup(leakcheck.Verify(t, leakcheck.AllowRemotes(leakcheck.OwnListeners, "*.example.com:443", "10.0.0.0/8:5432")))
	}
	// Output:
}
