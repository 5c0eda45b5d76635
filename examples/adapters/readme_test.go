package adapters

import (
	"context"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/examples/internal/record"
	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

// The reports that the README quotes.
func TestReadme(t *testing.T) {
	var reports []string
	report := func(leak func(t *testing.T), opts ...leakcheck.Option) {
		rec := record.Run(t.Name(), func(rec *record.T) {
			rec.Cleanup(leakcheck.Verify(rec, opts...))
			leak(t)
		})
		reports = append(reports, rec.Errors()...)
	}

	db := openGorm(t, &gorm.Config{})
	pool, err := db.DB()
	require.NoError(t, err)
	report(func(t *testing.T) {
		_, err := GormFirst(db)
		require.NoError(t, err)
	}, leakcheck.Instead(), dbcheck.DB(pool))

	rdb := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { rdb.Close() })
	report(func(t *testing.T) {
		for range 2 {
			require.NoError(t, RedisRename(t.Context(), rdb, "Ada"))
		}
	}, redisPool(rdb)...)

	url, brokers := startBroker(t), &Brokers{}
	report(func(t *testing.T) {
		_, err := Depth(brokers.Dial, url, "none")
		require.Error(t, err)
	}, leakcheck.Instead(brokers))

	gone := "amqp://" + mockserver.Refuse(t)
	report(func(t *testing.T) {
		require.NoError(t, StartEvents(t.Context(), leakcheck.WrapDial(amqpDial), gone))
	}, leakcheck.AllowRemotes(leakcheck.OwnListeners), leakcheck.Only(leakcheck.Socket))
	rec := record.Run(t.Name(), func(rec *record.T) {
		leakcheck.FailFast(rec, time.Minute, func(ctx context.Context) error { return StartEvents(ctx, amqpDial, gone) }, leakcheck.Wait(100*time.Millisecond))
	})
	reports = append(reports, rec.Errors()...)

	assert.Equal(t, 19, record.ReadmeQuotes(t, reports...), "lines of README.md that are compared")
}
