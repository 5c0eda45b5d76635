package incidents

import (
	"context"
	"database/sql"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/dbcheck/dbtest"
	"github.com/leakgate/leakgate/examples/heldacross"
	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

type checkout interface {
	Pay(ctx context.Context, order string) error
}

var checkouts = map[string]func(db *sql.DB, payments string) checkout{
	"buggy": func(db *sql.DB, payments string) checkout { return &heldacross.Checkout{DB: db, Payments: payments} },
	"fixed": func(db *sql.DB, payments string) checkout {
		return &heldacross.FixedCheckout{DB: db, Payments: payments}
	},
}

// openOrders opens a pool of ten connections to a database with a hundred orders.
func openOrders(t *testing.T, driver string) *sql.DB {
	srv := dbtest.Postgres(t)
	db, err := dbcheck.Open(driver, srv.DSN)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(10)
	db.SetMaxIdleConns(10)
	_, err = db.Exec("CREATE TABLE orders (id text PRIMARY KEY, state text NOT NULL DEFAULT 'open')")
	require.NoError(t, err)
	_, err = db.Exec("INSERT INTO orders (id) SELECT generate_series(0, 99)::text")
	require.NoError(t, err)
	return db
}

func inState(t *testing.T, db *sql.DB, state string) (n int) {
	require.NoError(t, db.QueryRow("SELECT count(*) FROM orders WHERE state = $1", state).Scan(&n))
	return n
}

// TestOneClient: one client, and the request that is sent inside its transaction.
func TestOneClient(t *testing.T) {
	for _, driver := range drivers {
		for name, open := range checkouts {
			t.Run(driver+"/"+name, func(t *testing.T) {
				db := openOrders(t, driver)
				ft := &fakeT{name: t.Name()}
				check := leakcheck.Verify(ft, dbcheck.DB(db), dbcheck.NoCallWhileHeld())
				payments := mockserver.New(t)
				payments.On("POST", "/charges/{order}").Reply(mockserver.JSON(201, "paid"))
				require.NoError(t, open(db, payments.URL).Pay(context.Background(), "7"))
				payments.Close()
				check()
				assert.Equal(t, 1, inState(t, db, "paid"))
				if name == "fixed" {
					assert.Empty(t, ft.told())
					return
				}
				require.Len(t, ft.told(), 1)
				assert.Contains(t, ft.told()[0], "leakcheck: 1 leak: POST /charges/7 was sent at checkout.go:50 while its goroutine held sql.Tx from db.BeginTx at checkout.go:27\n")
			})
		}
	}
}

// TestLongestGap: the time in which the transaction did nothing, and the calls on both sides of it.
func TestLongestGap(t *testing.T) {
	db := openOrders(t, "pgx")
	ft := &fakeT{name: t.Name()}
	check := dbcheck.Verify(ft, db, dbcheck.MaxHold(200*time.Millisecond))
	payments := mockserver.New(t)
	payments.On("POST", "/charges/{order}").Reply(mockserver.JSON(201, "paid").Delay(300 * time.Millisecond))
	require.NoError(t, checkouts["buggy"](db, payments.URL).Pay(context.Background(), "7"))
	check()
	require.Len(t, ft.told(), 1)
	assert.Contains(t, ft.told()[0], "sql.Tx from db.BeginTx at checkout.go:27 held its connection for longer than 200ms")
	assert.Regexp(t, `of which \d\S*s without a call of the driver, between ExecContext at checkout\.go:32 and ExecContext at checkout\.go:38\n`, ft.told()[0])
}

// TestHundredClients: the service hangs, and a hundred customers pay. The server shows what the pool's connections do.
func TestHundredClients(t *testing.T) {
	for name, open := range checkouts {
		t.Run(name, func(t *testing.T) {
			db, answer := openOrders(t, "pgx"), make(chan bool)
			srv, err := sql.Open("pgx", dbtest.Postgres(t).AdminDSN)
			require.NoError(t, err)
			defer srv.Close()
			var database string
			require.NoError(t, db.QueryRow("SELECT current_database()").Scan(&database))
			inTransaction := func() (n int) {
				require.NoError(t, srv.QueryRow("SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND state = 'idle in transaction'", database).Scan(&n))
				return n
			}
			payments := mockserver.New(t)
			charges := payments.On("POST", "/charges/{order}").Reply(mockserver.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				select {
				case <-answer:
					w.WriteHeader(http.StatusCreated)
				case <-r.Context().Done():
				}
			})))
			shop, before := open(db, payments.URL), db.Stats().WaitCount
			paid := make(chan error, 100)
			for i := range 100 {
				go func() { paid <- shop.Pay(context.Background(), strconv.Itoa(i)) }()
			}
			if name == "buggy" {
				payments.Wait(charges, 10, waitFor)
				require.Eventually(t, func() bool { return db.Stats().WaitCount-before == 90 }, waitFor, tick)
				assert.Equal(t, 10, db.Stats().InUse)
				assert.Len(t, payments.Calls(charges), 10)
				assert.Equal(t, 10, inTransaction())
			} else {
				payments.Wait(charges, 100, waitFor)
				assert.Equal(t, 0, db.Stats().InUse)
				assert.Equal(t, 0, inTransaction())
				assert.Equal(t, 100, inState(t, db, "paying"))
			}
			close(answer)
			for range 100 {
				assert.NoError(t, <-paid)
			}
			assert.Equal(t, 100, inState(t, db, "paid"))
		})
	}
}
