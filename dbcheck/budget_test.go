package dbcheck_test

import (
	"context"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

// TestBudgets: each budget, passed and kept.
func TestBudgets(t *testing.T) {
	query := func(t *testing.T, db *sql.DB) {
		rows, err := db.Query("SELECT 1")
		require.NoError(t, err)
		rows.Close()
	}
	for _, c := range []struct {
		name, reason string
		budget       leakcheck.Option
		run          func(*testing.T, *sql.DB)
	}{
		{"max-hold", "a lease that was given back, but late: the gap says between which calls", dbcheck.MaxHold(5 * time.Millisecond),
			func(t *testing.T, db *sql.DB) {
				tx, err := db.Begin()
				require.NoError(t, err)
				_, err = tx.Exec("UPDATE users SET name = 'secret'")
				require.NoError(t, err)
				time.Sleep(20 * time.Millisecond)
				require.NoError(t, tx.Commit())
			}},
		{"max-hold-kept", "short leases", dbcheck.MaxHold(time.Hour), query},
		{"max-conns", "three connections at once", dbcheck.MaxConns(2), func(t *testing.T, db *sql.DB) {
			for range 3 {
				conn, err := db.Conn(context.Background())
				require.NoError(t, err)
				defer conn.Close()
			}
		}},
		{"max-conns-kept", "one after the other", dbcheck.MaxConns(1), func(t *testing.T, db *sql.DB) {
			for range 3 {
				query(t, db)
			}
		}},
		{"max-conns-reopened", "one after the other, each on a connection of its own", dbcheck.MaxConns(1), func(t *testing.T, db *sql.DB) {
			db.SetMaxIdleConns(-1)
			for range 3 {
				query(t, db)
			}
		}},
		{"min-reuse", "a pool in name only", dbcheck.MinReuse(0.9), func(t *testing.T, db *sql.DB) {
			db.SetMaxIdleConns(-1)
			for range 5 {
				query(t, db)
			}
		}},
		{"min-reuse-kept", "a pool", dbcheck.MinReuse(1), func(t *testing.T, db *sql.DB) {
			for range 5 {
				query(t, db)
			}
		}},
		{"high-water", "more than the share of the limit", dbcheck.HighWater(0.75), func(t *testing.T, db *sql.DB) {
			db.SetMaxOpenConns(4)
			for range 4 {
				conn, err := db.Conn(context.Background())
				require.NoError(t, err)
				defer conn.Close()
			}
		}},
		{"high-water-kept", "just the share", dbcheck.HighWater(0.75), func(t *testing.T, db *sql.DB) {
			db.SetMaxOpenConns(4)
			for range 3 {
				conn, err := db.Conn(context.Background())
				require.NoError(t, err)
				defer conn.Close()
			}
		}},
		{"high-water-unlimited", "a pool without a limit", dbcheck.HighWater(0.75), query},
		{"nested", "a query inside the loop over another one's rows", dbcheck.NoNestedLease(), func(t *testing.T, db *sql.DB) {
			rows, err := db.Query("SELECT 1")
			require.NoError(t, err)
			defer rows.Close()
			for rows.Next() {
				query(t, db)
			}
		}},
		{"nested-wait", "the same with a pool of one connection: it waits until its context ends, and the driver sees nothing",
			dbcheck.NoNestedLease(), func(t *testing.T, db *sql.DB) {
				db.SetMaxOpenConns(1)
				tx, err := db.Begin()
				require.NoError(t, err)
				defer tx.Rollback()
				ctx, cancel := context.WithTimeout(context.Background(), time.Second/2)
				defer cancel()
				_, err = db.QueryContext(ctx, "SELECT 1")
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}},
		{"nested-kept", "one lease after the other, and two goroutines with one each", dbcheck.NoNestedLease(),
			func(t *testing.T, db *sql.DB) {
				tx, err := db.Begin()
				require.NoError(t, err)
				done := make(chan bool)
				go func() {
					defer close(done)
					query(t, db)
				}()
				<-done
				require.NoError(t, tx.Rollback())
				query(t, db)
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := tracked(t, &fake{})
			ft := &fakeT{}
			check := dbcheck.Verify(ft, db, c.budget)
			c.run(t, db)
			check()
			golden(t, c.name, c.reason, ft)
		})
	}
}

// TestCallWhileHeld: requests that are sent by a tracked transport, and requests that arrive at a mockserver.
func TestCallWhileHeld(t *testing.T) {
	mock := mockserver.New(t)
	mock.On("GET", "/charge").Reply(mockserver.Status(204))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }))
	t.Cleanup(srv.Close)
	trackedClient := &http.Client{Transport: httpcheck.Wrap(&http.Transport{})}
	plainClient := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(trackedClient.CloseIdleConnections)
	t.Cleanup(plainClient.CloseIdleConnections)
	get := func(t *testing.T, c *http.Client, url string) {
		resp, err := c.Get(url + "/charge?card=secret")
		require.NoError(t, err)
		resp.Body.Close()
	}

	for _, c := range []struct {
		name, reason string
		client       *http.Client
		url          string
		run          func(t *testing.T, db *sql.DB, get func())
	}{
		{"call-tracked", "a tracked transport, and any server", trackedClient, srv.URL, inTx},
		{"call-mock", "any transport, and a mockserver", plainClient, mock.URL, inTx},
		{"call-both", "told by both ends: one entry", trackedClient, mock.URL, inTx},
		{"call-unseen", "neither: it is not seen", plainClient, srv.URL, inTx},
		{"call-per-row", "a call for each row", trackedClient, srv.URL, func(t *testing.T, db *sql.DB, get func()) {
			rows, err := db.Query("SELECT 1")
			require.NoError(t, err)
			defer rows.Close()
			for rows.Next() {
				get()
			}
		}},
		{"call-after", "the lease is over", trackedClient, mock.URL, func(t *testing.T, db *sql.DB, get func()) {
			rows, err := db.Query("SELECT 1")
			require.NoError(t, err)
			rows.Close()
			get()
		}},
		{"call-elsewhere", "another goroutine holds the lease: possible, and logged", trackedClient, srv.URL, func(t *testing.T, db *sql.DB, get func()) {
			tx, err := db.Begin()
			require.NoError(t, err)
			defer tx.Rollback()
			done := make(chan bool)
			go func() {
				defer close(done)
				get()
			}()
			<-done
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := tracked(t, &fake{})
			ft := &fakeT{}
			check := dbcheck.Verify(ft, db, dbcheck.NoCallWhileHeld())
			c.run(t, db, func() { get(t, c.client, c.url) })
			check()
			golden(t, c.name, c.reason, ft)
		})
	}
}

func inTx(t *testing.T, db *sql.DB, get func()) {
	tx, err := db.Begin()
	require.NoError(t, err)
	defer tx.Rollback()
	get()
}

// TestBudgetScope: under leakcheck.Verify a budget judges what the test itself did, and with DB all that is done with a pool.
func TestBudgetScope(t *testing.T) {
	db := tracked(t, &fake{})
	for _, c := range []struct {
		name string
		opts []leakcheck.Option
		want bool
	}{{"mine", nil, false}, {"all", []leakcheck.Option{dbcheck.DB(db)}, true}} {
		t.Run(c.name, func(t *testing.T) {
			start, done := make(chan bool), make(chan bool)
			go func() { // older than the check, so that it is not the test's
				defer close(done)
				<-start
				tx, err := db.Begin()
				assert.NoError(t, err)
				assert.NoError(t, tx.Commit())
			}()
			ft := &fakeT{}
			check := leakcheck.Verify(ft, append(c.opts, dbcheck.MaxHold(time.Nanosecond))...)
			close(start)
			<-done
			check()
			assert.Equal(t, c.want, ft.Failed(), ft.failures())
		})
	}
	ft := &fakeT{}
	check := leakcheck.Verify(ft, dbcheck.MaxHold(time.Nanosecond))
	assert.NoError(t, db.Ping())
	check()
	assert.True(t, ft.Failed())
}

// TestPoolPerCall: each call opens a pool of its own: the connections of all pools together are too many.
func TestPoolPerCall(t *testing.T) {
	f := &fake{}
	ft := &fakeT{}
	check := leakcheck.Verify(ft, dbcheck.MaxConns(2))
	for range 4 {
		db := dbcheck.OpenDB(f.connector())
		require.NoError(t, db.Ping())
		defer db.Close()
	}
	check()
	require.Len(t, ft.failures(), 1)
	assert.Contains(t, ft.failures()[0], "4 database connections were open at once, and the budget is 2")
	assert.Contains(t, ft.failures()[0], "LK201 goroutine ×4")
}

func TestBudgetsRefuse(t *testing.T) {
	for name, o := range map[string]leakcheck.Option{
		"dbcheck.MaxHold(0s): the limit must be above 0, as in MaxHold(100*time.Millisecond)":              dbcheck.MaxHold(0),
		"dbcheck.MaxConns(0): the limit must be at least 1":                                                dbcheck.MaxConns(0),
		"dbcheck.MinReuse(0): the share must be above 0 and at most 1, as in MinReuse(0.9)":                dbcheck.MinReuse(0),
		"dbcheck.HighWater(75): the share must be above 0 and at most 1, as in HighWater(0.75)":            dbcheck.HighWater(75),
		`dbcheck.Pool("redis"): needs a name and a function that says how many connections are out`:        dbcheck.Pool("redis", nil),
		"dbcheck.DB: the sql.DB is nil: pass the pool that the code under test uses, as in dbcheck.DB(db)": dbcheck.DB(nil),
	} {
		ft := &fakeT{}
		leakcheck.Verify(ft, leakcheck.Instead(), o)()
		assert.Equal(t, []string{name}, ft.failures())
	}
	for name, o := range map[string]leakcheck.Option{
		"MaxHold": dbcheck.MaxHold(1), "MaxConns": dbcheck.MaxConns(1), "NoNestedLease": dbcheck.NoNestedLease(), "NoCallWhileHeld": dbcheck.NoCallWhileHeld(),
	} {
		assert.EqualError(t, leakcheck.Check(leakcheck.Instead(), o), "dbcheck."+name+" judges what one test uses: give it to Verify")
	}
	assert.NoError(t, leakcheck.Check(leakcheck.Instead(), dbcheck.DB(tracked(t, &fake{}))))
}

// TestFailedTest: a test that failed by itself is not judged, and nothing goes on to observe.
func TestFailedTest(t *testing.T) {
	db := tracked(t, &fake{})
	ft := &fakeT{}
	check := dbcheck.Verify(ft, db, dbcheck.MaxHold(1), dbcheck.NoNestedLease(), dbcheck.NoCallWhileHeld())
	require.NoError(t, db.Ping())
	ft.Errorf("by itself")
	check()
	assert.Equal(t, []string{"by itself"}, ft.failures())
}
