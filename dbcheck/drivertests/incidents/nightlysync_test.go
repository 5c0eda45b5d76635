package incidents

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/dbcheck/dbtest"
	"github.com/leakgate/leakgate/examples/nightlysync"
	"github.com/leakgate/leakgate/leakcheck"
)

var drivers = []string{"pgx", "postgres"} // pgx's own name for database/sql, and lib/pq's

// opener opens pools as dbcheck.Open does, and closes those that the worker forgets.
type opener struct{ pools []*sql.DB }

func (o *opener) open(driver, dsn string) (*sql.DB, error) {
	db, err := sql.Open(driver, dsn)
	if err == nil {
		o.pools = append(o.pools, db)
	}
	return db, err
}

func (o *opener) close() {
	for _, db := range o.pools {
		db.Close()
	}
}

// openItems makes the table of the worker.
func openItems(t *testing.T, driver, dsn string) {
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.Exec("CREATE TABLE IF NOT EXISTS items (id int PRIMARY KEY, synced bool NOT NULL DEFAULT false)")
	require.NoError(t, err)
	_, err = db.Exec("INSERT INTO items (id) SELECT generate_series(1, 100) ON CONFLICT DO NOTHING")
	require.NoError(t, err)
	_, err = db.Exec("UPDATE items SET synced = false")
	require.NoError(t, err)
}

// sessions is how many the role has open, by the server's own count.
func sessions(t *testing.T, admin *sql.DB, role string) (n int) {
	require.NoError(t, admin.QueryRow("SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND pid <> pg_backend_pid()", role).Scan(&n))
	return n
}

// TestEightyFiveSlots: a hundred connections, of which 15 are reserved, and one more for the administrator who looks on. The
// worker has 85 items done when the server has no slot left; with one pool it needs one.
func TestEightyFiveSlots(t *testing.T) {
	srv := dbtest.Postgres(t, dbtest.MaxConnections(101), dbtest.Settings(map[string]string{"superuser_reserved_connections": "15"}))
	admin, err := sql.Open("pgx", srv.AdminDSN)
	require.NoError(t, err)
	defer admin.Close()
	items := make([]int, 100)
	for i := range items {
		items[i] = i + 1
	}
	for _, driver := range drivers {
		t.Run(driver, func(t *testing.T) {
			openItems(t, driver, srv.DSN)
			var role string
			db, err := sql.Open(driver, srv.DSN)
			require.NoError(t, err)
			require.NoError(t, db.QueryRow("SELECT current_user").Scan(&role))
			require.NoError(t, db.Close())
			gone := func() bool { return sessions(t, admin, role) == 0 }

			for name, sync := range map[string]func(*nightlysync.Worker, context.Context, []int) (int, error){
				"never closed":      (*nightlysync.Worker).Sync,
				"closed at the end": (*nightlysync.Worker).SyncDeferred,
			} {
				if name == "closed at the end" && driver != "pgx" {
					continue // it differs in what happens after the end alone
				}
				t.Run(name, func(t *testing.T) {
					require.Eventually(t, gone, waitFor, tick, "a session ends after its connection was closed")
					var pools opener
					defer pools.close()
					done, err := sync(&nightlysync.Worker{Driver: driver, DSN: srv.DSN, Open: pools.open}, t.Context(), items)
					assert.Equal(t, 85, done)
					require.Error(t, err)
					assert.True(t, strings.HasPrefix(err.Error(), "item 86: "), err)
					// Up to PostgreSQL 15: for non-replication superuser connections; then: for roles with the SUPERUSER attribute.
					assert.Contains(t, err.Error(), "remaining connection slots are reserved for ")
					var state interface{ SQLState() string }
					require.ErrorAs(t, err, &state)
					assert.Equal(t, "53300", state.SQLState())
					if name == "never closed" {
						assert.Equal(t, 85, sessions(t, admin, role))
					}
					if driver == "pgx" {
						var own *pgconn.PgError
						require.ErrorAs(t, err, &own)
						assert.Equal(t, "FATAL", own.Severity)
					}
				})
			}
			t.Run("one pool", func(t *testing.T) {
				require.Eventually(t, gone, waitFor, tick)
				var most int
				worker := &nightlysync.Worker{Driver: driver, DSN: srv.DSN, Open: func(driver, dsn string) (*sql.DB, error) {
					db, err := sql.Open(driver, dsn)
					if err == nil {
						err = db.Ping()
					}
					most = sessions(t, admin, role)
					return db, err
				}}
				done, err := worker.FixedSync(t.Context(), items)
				require.NoError(t, err)
				assert.Equal(t, 100, done)
				assert.Equal(t, 1, most)
				require.Eventually(t, gone, waitFor, tick)
			})
		})
	}
}

// TestThreeItems: what the limit shows at 86 items shows with three, on a server that has room.
func TestThreeItems(t *testing.T) {
	srv := dbtest.Postgres(t)
	for _, driver := range drivers {
		openItems(t, driver, srv.DSN)
		for _, tc := range []struct {
			name string
			sync func(*nightlysync.Worker, context.Context, []int) (int, error)
			says []string
		}{
			{"never closed", (*nightlysync.Worker).Sync, []string{
				// Three pools are open, and had three connections at once: two entries.
				"leakcheck: 4 leaks: ",
				"sql.DB was opened and never closed",
				"LK201 goroutine ×3\n", "sync.go:28  nightlysync.(*Worker).syncItem\n", "db, err := w.Open(w.Driver, w.DSN)\n",
				"3 database connections were open at once, and the budget is 1",
			}},
			{"closed at the end", (*nightlysync.Worker).SyncDeferred, []string{
				"leakcheck: 1 leak: 3 database connections were open at once, and the budget is 1\n",
				"LK212 sql-conn\n", "deferred.go:16  nightlysync.(*Worker).SyncDeferred\n",
			}},
			{"one pool", (*nightlysync.Worker).FixedSync, nil},
		} {
			t.Run(driver+"/"+tc.name, func(t *testing.T) {
				ft := &fakeT{name: t.Name()}
				check := leakcheck.Verify(ft, dbcheck.MaxConns(1))
				done, err := tc.sync(&nightlysync.Worker{Driver: driver, DSN: srv.DSN, Open: dbcheck.Open}, context.Background(), []int{1, 2, 3})
				require.NoError(t, err)
				assert.Equal(t, 3, done)
				check()
				if tc.says == nil {
					assert.Empty(t, ft.told())
					return
				}
				require.Len(t, ft.told(), 1)
				for _, text := range tc.says {
					assert.Contains(t, ft.told()[0], text)
				}
				// The sockets, which are the sessions, are a part of their pool's entry.
				assert.NotContains(t, ft.told()[0], "LK301")
			})
		}
	}
}
