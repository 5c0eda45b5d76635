//go:build incident

package deadbroker

import (
	"context"
	"testing"
	"time"

	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

// The broker was turned off. This test fails: the service does not start, as is right, and leaves its publisher behind.
func TestBrokerIsGone(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))

	if _, err := Start(mockserver.Refuse(t)); err == nil {
		t.Error("the service started without its broker")
	}
}

// The broker hangs. This test fails: the service never comes back from its start.
func TestBrokerHangs(t *testing.T) {
	broker := mockserver.BlackHole(t)
	t.Cleanup(leakcheck.Verify(t))

	go Start(broker.Addr())
	broker.WaitDials(1, 10*time.Second)
}

// The same with the fixed service.
func TestFixed(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()

	if _, err := FixedStart(ctx, mockserver.Refuse(t)); err == nil {
		t.Error("the service started without its broker")
	}
	if _, err := FixedStart(ctx, mockserver.BlackHole(t).Addr()); err == nil {
		t.Error("the service started with a broker that hangs")
	}
}
