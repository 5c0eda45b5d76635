package adapters

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/examples/internal/record"
	"github.com/leakgate/leakgate/leakcheck"
)

// redisPool is all that go-redis needs. Instead leaves out the probes that would see the pool's idle connections as new sockets.
func redisPool(rdb *redis.Client) []leakcheck.Option {
	return []leakcheck.Option{leakcheck.Instead(), dbcheck.Pool("redis", func() int {
		s := rdb.PoolStats()
		return int(s.TotalConns - s.IdleConns + s.PubSubStats.Active)
	})}
}

func TestRedis(t *testing.T) {
	for name, rename := range map[string]func(ctx context.Context, rdb *redis.Client, name string) error{
		"kept": RedisRename, "given back": RedisRenameFixed,
	} {
		t.Run(name, func(t *testing.T) {
			srv := miniredis.RunT(t)
			rdb := redis.NewClient(&redis.Options{Addr: srv.Addr()})
			t.Cleanup(func() { rdb.Close() })
			rec := record.Run(t.Name(), func(rec *record.T) {
				rec.Cleanup(leakcheck.Verify(rec, redisPool(rdb)...))
				for range 2 {
					require.NoError(t, rename(t.Context(), rdb, "Ada"))
				}
			})
			srv.CheckGet(t, "name", "Ada")
			if name == "given back" {
				assert.Empty(t, rec.Output())
				return
			}
			require.Len(t, rec.Errors(), 1)
			assert.Contains(t, rec.Errors()[0], "leakcheck: 2 leaks: a connection of redis was not given back (×2)\n")
			assert.Contains(t, rec.Errors()[0], "no line     only their number is known\n")
		})
	}
}

// A subscription has a connection of its own, which PoolStats counts apart.
func TestRedisSubscription(t *testing.T) {
	rdb := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { rdb.Close() })
	for _, closes := range []bool{false, true} {
		rec := record.Run(t.Name(), func(rec *record.T) {
			rec.Cleanup(leakcheck.Verify(rec, redisPool(rdb)...))
			sub := rdb.Subscribe(t.Context(), "news")
			_, err := sub.Receive(t.Context())
			require.NoError(t, err)
			if closes {
				require.NoError(t, sub.Close())
			}
		})
		if closes {
			assert.Empty(t, rec.Output())
			continue
		}
		require.Len(t, rec.Errors(), 1)
		assert.Contains(t, rec.Errors()[0], "leakcheck: 1 leak: a connection of redis was not given back\n")
	}
}

// A client that dials what is not allowed is one entry, with the line that asked it for something, also where it tries again on a
// goroutine of its own when nobody waits any more.
func TestRedisDials(t *testing.T) {
	ctx, giveUp := context.WithCancel(t.Context())
	gaveUp, again := make(chan bool), make(chan bool)
	attempts := 0
	dial := leakcheck.WrapDial(func(context.Context, string, string) (net.Conn, error) {
		if attempts++; attempts == 1 {
			giveUp()
			<-gaveUp
		} else {
			close(again)
		}
		return nil, errors.New("it is gone")
	})
	rec := record.Run(t.Name(), func(rec *record.T) {
		rec.Cleanup(leakcheck.Verify(rec, leakcheck.AllowRemotes("db.internal:5432"), leakcheck.Only(leakcheck.Socket)))
		rdb := redis.NewClient(&redis.Options{Addr: "cache.internal:6379", Dialer: dial, MaxRetries: -1, DialerRetries: 2})
		defer rdb.Close()
		require.Error(t, RedisRename(ctx, rdb, "Ada"))
		close(gaveUp)
		<-again
	})
	require.Len(t, rec.Errors(), 1)
	line := fmt.Sprintf("redis.go:%d", lineOf(t, "redis.go", "conn.ClientSetName(ctx, "))
	assert.Contains(t, rec.Errors()[0], "leakcheck: 2 leaks: dial of cache.internal:6379 (failed")
	assert.Contains(t, rec.Errors()[0], "at "+line+", which AllowRemotes does not name (×2)\n")
	assert.Equal(t, 1, strings.Count(rec.Errors()[0], "    see "), rec.Errors()[0])
}
