package incidents

import (
	"context"
	"database/sql"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/dbcheck/dbtest"
	"github.com/leakgate/leakgate/dbcheck/pgxcheck"
	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

// desk is what a load uses of a pool of ten connections, whatever pool it is.
type desk struct {
	kind leakcheck.Kind
	pay  func(ctx context.Context, payments, order string) error // holds a transaction while it calls
	opts leakcheck.Option
	name string                     // of the database
	one  func(query string) (n int) // asks the database for a number, on a connection of the pool
	out  func() (inUse int)         // of the pool's own count
	wait func() bool                // ninety wait for a connection, as far as the pool says
}

func sqlDesk(t *testing.T, driver string) desk {
	db := openOrders(t, driver)
	d := desk{kind: leakcheck.SQLConn, opts: dbcheck.DB(db)}
	d.pay = func(ctx context.Context, payments, order string) error {
		return checkouts["buggy"](db, payments).Pay(ctx, order)
	}
	d.one = func(query string) (n int) {
		require.NoError(t, db.QueryRow(query).Scan(&n))
		return n
	}
	d.out = func() int { return db.Stats().InUse }
	before := db.Stats().WaitCount
	d.wait = func() bool { return db.Stats().WaitCount-before == 90 }
	require.NoError(t, db.QueryRow("SELECT current_database()").Scan(&d.name))
	return d
}

func pgxDesk(t *testing.T) desk {
	cfg, err := pgxpool.ParseConfig(dbtest.Postgres(t).DSN)
	require.NoError(t, err)
	cfg.MaxConns = 10
	pool, err := pgxcheck.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	_, err = pool.Exec(t.Context(), "CREATE TABLE orders AS SELECT generate_series(0, 99)::text AS id, 'open' AS state")
	require.NoError(t, err)
	d := desk{kind: leakcheck.PgxConn, opts: pgxcheck.Pool(pool)}
	d.pay = func(ctx context.Context, payments, order string) error {
		tx, err := pool.Begin(ctx) // held across the call
		if err != nil {
			return err
		}
		defer tx.Rollback(context.WithoutCancel(ctx))
		if _, err := tx.Exec(ctx, "UPDATE orders SET state = 'paid' WHERE id = $1", order); err != nil {
			return err
		}
		resp, err := http.Post(payments+"/charges/"+order, "", nil)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		return tx.Commit(ctx)
	}
	d.one = func(query string) (n int) {
		require.NoError(t, pool.QueryRow(context.Background(), query).Scan(&n))
		return n
	}
	d.out = func() int { return int(pool.Stat().AcquiredConns()) }
	d.wait = func() bool { return true } // it counts waits when they are over
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT current_database()").Scan(&d.name))
	return d
}

// TestLoadAgreesWithServer: what a load says of a pool is what PostgreSQL says of it, while a hundred customers want to pay with ten
// connections.
func TestLoadAgreesWithServer(t *testing.T) {
	desks := map[string]func(*testing.T) desk{"pgxpool": pgxDesk}
	for _, driver := range drivers {
		desks[driver] = func(t *testing.T) desk { return sqlDesk(t, driver) }
	}
	for name, open := range desks {
		t.Run(name, func(t *testing.T) {
			d := open(t)
			srv, err := sql.Open("pgx", dbtest.Postgres(t).AdminDSN)
			require.NoError(t, err)
			defer srv.Close()
			activity := func(state string) (n int) {
				assert.NoError(t, srv.QueryRow("SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND state LIKE $2", d.name, state).Scan(&n))
				return n
			}
			activity("%") // it has its own connection from here on

			answer := make(chan bool)
			payments := mockserver.New(t)
			charges := payments.On("POST", "/charges/{order}").Reply(mockserver.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				select {
				case <-answer:
					w.WriteHeader(http.StatusCreated)
				case <-r.Context().Done():
				}
			})))
			var begun atomic.Int64
			var inTransaction, inUse int
			looked := make(chan bool)
			go func() { // while the service hangs, and all have come
				defer close(looked)
				defer close(answer)
				payments.Wait(charges, 10, waitFor)
				for begun.Load() < 100 || !d.wait() {
					time.Sleep(tick)
				}
				inTransaction, inUse = activity("idle in transaction"), d.out()
			}()

			ft := &fakeT{name: t.Name()}
			load := leakcheck.Concurrently(ft, 100, func(ctx context.Context) error {
				return d.pay(ctx, payments.URL, strconv.Itoa(int(begun.Add(1)-1)))
			}, d.opts)
			<-looked
			require.NoError(t, load.Err())
			t.Log(load)

			var p leakcheck.PoolLoad
			for _, q := range load.Pools {
				if q.Kind == d.kind {
					p = q
				}
			}
			assert.Equal(t, 10, p.Size)
			assert.Equal(t, inTransaction, p.Peak, "connections at once: transactions that the server shows as idle")
			assert.Equal(t, inUse, p.Peak)
			assert.Equal(t, d.one("SELECT count(*) FROM orders WHERE state = 'paid'"), p.Leases, "leases: orders that are paid, one for each")
			assert.InDelta(t, p.Need*float64(load.Took), float64(p.Leases)*float64(p.MeanHold), float64(p.Leases)+1)
			assert.True(t, p.Exhausted())
			assert.GreaterOrEqual(t, p.Waits, 1)
			assert.LessOrEqual(t, p.Waits, 90)
			held := 0
			for _, h := range p.AtExhaustion {
				held += h.Count
				assert.Regexp(t, `(DB\.BeginTx|pool\.Begin)\(`, h.Site.Source)
			}
			assert.Equal(t, 10, held)
			require.Len(t, ft.told(), 1)
			assert.Contains(t, ft.told()[0], "was exhausted: its 10 connections were all out, and others had to wait for one, ")
			assert.Contains(t, ft.told()[0], "LK603 "+string(d.kind)+"\n")
		})
	}
}
