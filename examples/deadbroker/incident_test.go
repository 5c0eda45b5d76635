//go:build incident

package deadbroker

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

// plain is how the service dials in production.
var plain = new(net.Dialer).DialContext

// The start-up, with all that it needs named. This test fails: the service still dials a broker that nobody has named.
func TestStartUpDialsOnlyWhatIsNamed(t *testing.T) {
	broker := mockserver.Refuse(t)
	t.Cleanup(leakcheck.Verify(t, leakcheck.AllowRemotes(leakcheck.OwnListeners)))

	s, err := Start(leakcheck.DialContext, broker)
	if err == nil {
		s.Close()
	}
}

// The broker was turned off. This test fails: the service does not start, as is right, and leaves its publisher behind.
func TestBrokerIsGone(t *testing.T) {
	broker := mockserver.Refuse(t)
	leakcheck.FailFast(t, time.Minute, func(ctx context.Context) error {
		_, err := Start(plain, broker)
		return err
	})
}

// The broker hangs. This test fails: the service never comes back from its start.
func TestBrokerHangs(t *testing.T) {
	broker := mockserver.BlackHole(t)
	leakcheck.FailFast(t, time.Second, func(ctx context.Context) error {
		_, err := Start(plain, broker.Addr())
		return err
	})
}

// The same with the service that gives up.
func TestStartFixed(t *testing.T) {
	for name, broker := range map[string]string{
		"gone":  mockserver.Refuse(t),
		"hangs": mockserver.BlackHole(t).Addr(),
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.FailFast(t, time.Minute, func(ctx context.Context) error {
				_, err := FixedStart(ctx, plain, broker, 200*time.Millisecond)
				return err
			})
		})
	}
}

// And with the one that does not dial it any more.
func TestWithoutBroker(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t, leakcheck.AllowRemotes(leakcheck.OwnListeners)))

	s := StartWithoutBroker()
	s.Publish("one")
	s.Close()
}
