package adapters

import (
	"context"
	"fmt"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/examples/internal/record"
	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

// The library's own dial gives up after half a minute, which no test waits for.
var amqpDial = amqp.DefaultDial(30 * time.Second)

// The broker is gone, or hangs, and the start-up has a real client library. Each of the three finds it, by name and line.
func TestAMQPStart(t *testing.T) {
	gone, hangs := mockserver.Refuse(t), mockserver.BlackHole(t)
	dialLine := fmt.Sprintf("amqp_start.go:%d", lineOf(t, "amqp_start.go", "conn, err := amqp.DialConfig(url, amqp.Config{Dial: dial})"))
	for _, c := range []struct {
		name string
		test func(rec *record.T)
		says []string
	}{
		{"AllowRemotes", func(rec *record.T) {
			rec.Cleanup(leakcheck.Verify(rec, leakcheck.AllowRemotes(leakcheck.OwnListeners), leakcheck.Only(leakcheck.Socket)))
			require.NoError(t, StartEvents(t.Context(), leakcheck.WrapDial(amqpDial), "amqp://"+gone))
		}, []string{"LK605 socket\n", "dial of " + gone + " (refused) at " + dialLine, "dialled at  " + dialLine + "  adapters.StartEvents\n"}},
		{"FailFast, refused", func(rec *record.T) {
			leakcheck.FailFast(rec, time.Minute, func(ctx context.Context) error { return StartEvents(ctx, AMQPDial(amqpDial), "amqp://"+gone) }, leakcheck.Wait(100*time.Millisecond))
		}, []string{"LK607 goroutine\n", "the start-up returned no error", "also holds  goroutine adapters.reconnect has not ended, started at amqp_start.go:"}},
		{"FailFast, black hole", func(rec *record.T) {
			leakcheck.FailFast(rec, time.Second, func(ctx context.Context) error {
				return StartEvents(ctx, AMQPDial(amqpDial), hangs.URL("amqp"))
			})
		}, []string{"LK606 goroutine\n", "hangs at    " + dialLine + "  adapters.StartEvents\n", "it was in amqp091-go.DialConfig at " + dialLine, "IO wait in io.ReadFull, connected to " + hangs.Addr()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rec := record.Run(t.Name(), c.test)
			require.Len(t, rec.Errors(), 1)
			for _, s := range c.says {
				assert.Contains(t, rec.Errors()[0], s)
			}
		})
	}
}

// The fixed one is silent, whatever is done with it.
func TestAMQPStartFixed(t *testing.T) {
	for name, broker := range map[string]string{"gone": "amqp://" + mockserver.Refuse(t), "hangs": mockserver.BlackHole(t).URL("amqp")} {
		t.Run(name, func(t *testing.T) {
			rec := record.Run(t.Name(), func(rec *record.T) {
				leakcheck.FailFast(rec, time.Minute, func(ctx context.Context) error {
					return StartEventsFixed(ctx, leakcheck.WrapDial(AMQPDial(amqpDial)), broker, 200*time.Millisecond)
				}, leakcheck.AllowRemotes(broker))
			})
			assert.Empty(t, rec.Output())
		})
	}
	url := startBroker(t)
	rec := record.Run(t.Name(), func(rec *record.T) {
		rec.Cleanup(leakcheck.Verify(rec, leakcheck.AllowRemotes(url)))
		require.NoError(t, StartEventsFixed(t.Context(), leakcheck.WrapDial(AMQPDial(amqpDial)), url, time.Minute))
	})
	assert.Empty(t, rec.Output())
}
