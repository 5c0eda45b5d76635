package adapters

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/examples/internal/record"
	"github.com/leakgate/leakgate/leakcheck"
)

func TestAMQP(t *testing.T) {
	for name, depth := range map[string]func(dial func(url string) (*amqp.Connection, error), url, queue string) (int, error){
		"buggy": Depth, "fixed": DepthFixed,
	} {
		t.Run(name, func(t *testing.T) {
			url, brokers := startBroker(t), &Brokers{}
			// What a test without the error path sees.
			rec := record.Run(t.Name(), func(rec *record.T) {
				rec.Cleanup(leakcheck.Verify(rec, leakcheck.Instead(brokers)))
				n, err := depth(brokers.Dial, url, "jobs")
				require.NoError(t, err)
				assert.Equal(t, 3, n)
			})
			assert.Empty(t, rec.Output())

			rec = record.Run(t.Name(), func(rec *record.T) {
				rec.Cleanup(leakcheck.Verify(rec, leakcheck.Instead(brokers)))
				_, err := depth(brokers.Dial, url, "none")
				assert.EqualError(t, err, `Exception (404) Reason: "NOT_FOUND - no queue 'none' in vhost '/'"`)
			})
			if name == "fixed" {
				assert.Empty(t, rec.Output())
				return
			}
			one(t, rec, "LK501", "connection to a broker was never closed", "amqp.go", "conn, err := dial(url)")
		})
	}
}

// Without the probe the same is seen by its goroutines and its socket, which name the library's lines.
func TestAMQPWithoutTheProbe(t *testing.T) {
	url := startBroker(t)
	rec := record.Run(t.Name(), func(rec *record.T) {
		rec.Cleanup(leakcheck.Verify(rec))
		_, err := Depth(amqp.Dial, url, "none")
		require.Error(t, err)
	})
	require.Len(t, rec.Errors(), 1)
	assert.Contains(t, rec.Errors()[0], "goroutine amqp091-go.(*Connection).reader has not ended")
	assert.NotContains(t, rec.Errors()[0], "adapters.Depth")
}
