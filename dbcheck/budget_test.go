package dbcheck_test

import (
	"context"
	"database/sql"
	"fmt"
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

// afterLooks gives a context that ends when it has been looked many times who waits, which is every 10 ms. Each time is counted from
// the one before: a process that was not run for a while has not looked meanwhile either. Not so many that it could be two seconds, when the
// test is told at once.
func afterLooks() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		for range 12 {
			time.Sleep(10 * time.Millisecond)
		}
	}()
	return ctx
}

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
				began := time.Now()
				tx, err := db.Begin()
				require.NoError(t, err)
				_, err = tx.Exec("UPDATE users SET name = 'secret'")
				require.NoError(t, err)
				time.Sleep(20*time.Millisecond + time.Since(began)) // the longest gap, however slow the machine is
				require.NoError(t, tx.Commit())
			}},
		{"max-hold-conn", "taken, and given back, with nothing between: both ends are lines of the program", dbcheck.MaxHold(5 * time.Millisecond),
			func(t *testing.T, db *sql.DB) {
				conn, err := db.Conn(context.Background())
				require.NoError(t, err)
				time.Sleep(20 * time.Millisecond)
				require.NoError(t, conn.Close())
			}},
		{"max-hold-rows", "rows that are read slowly", dbcheck.MaxHold(5 * time.Millisecond), func(t *testing.T, db *sql.DB) {
			rows, err := db.Query("SELECT 1")
			require.NoError(t, err)
			for rows.Next() {
				time.Sleep(10 * time.Millisecond)
			}
			require.NoError(t, rows.Err())
		}},
		{"max-hold-context", "given back by the end of its context", dbcheck.MaxHold(5 * time.Millisecond), func(t *testing.T, db *sql.DB) {
			ctx, cancel := context.WithCancel(context.Background())
			_, err := db.BeginTx(ctx, nil)
			require.NoError(t, err)
			time.Sleep(20 * time.Millisecond)
			cancel()
			require.Eventually(t, func() bool { return db.Stats().InUse == 0 }, 30*time.Second, time.Millisecond)
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
				ctx := afterLooks()
				_, err = db.QueryContext(ctx, "SELECT 1")
				require.ErrorIs(t, err, context.Canceled)
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

// TestMaxConnsOpenBefore: what was open before the test counts, and the state says so.
func TestMaxConnsOpenBefore(t *testing.T) {
	db := tracked(t, &fake{})
	require.NoError(t, db.Ping())
	ft := &fakeT{}
	check := dbcheck.Verify(ft, db, dbcheck.MaxConns(1))
	var conns []*sql.Conn
	for range 2 {
		conn, err := db.Conn(context.Background())
		require.NoError(t, err)
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		require.NoError(t, conn.Close())
	}
	check()
	require.Len(t, ft.failures(), 1)
	assert.Contains(t, ft.failures()[0], "2 database connections were open at once, and the budget is 1")
	assert.Contains(t, ft.failures()[0], "    state       1 opened in the test; 1 open before it\n")
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
		{"call-default", "http.DefaultTransport, without leakcheck.Verify", http.DefaultClient, srv.URL, inTx},
		{"call-mock-elsewhere", "another goroutine holds the lease, and only the server sees the request", plainClient, mock.URL, func(t *testing.T, db *sql.DB, get func()) {
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

// TestCallOfAnotherTest: a request that arrives while the test holds a lease is no matter of its when another test sent it.
func TestCallOfAnotherTest(t *testing.T) {
	mock := mockserver.New(t)
	mock.On("GET", "/charge").Reply(mockserver.Status(204))
	client := &http.Client{Transport: &http.Transport{}} // not tracked: only the server sees the request
	t.Cleanup(client.CloseIdleConnections)
	for _, c := range []struct {
		name string
		as   func() (end func())
		want int
	}{
		{"its own", func() func() { return func() {} }, 1},
		{"another's", func() func() { return leakcheck.Verify(&fakeT{name: "TestOther"}) }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := tracked(t, &fake{})
			ft := &fakeT{name: "TestMine"}
			check := leakcheck.Verify(ft, dbcheck.NoCallWhileHeld())
			tx, err := db.Begin()
			require.NoError(t, err)
			done := make(chan bool)
			go func() {
				defer close(done)
				defer c.as()()
				resp, err := client.Get(mock.URL + "/charge")
				if assert.NoError(t, err) {
					resp.Body.Close()
				}
			}()
			<-done
			require.NoError(t, tx.Rollback())
			check()
			assert.Empty(t, ft.failures())
			assert.Len(t, ft.logged(), c.want, ft.logged())
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

// TestBudgetsNeedTracked: a budget of a check that was given a pool which is not tracked would pass whatever is done.
func TestBudgetsNeedTracked(t *testing.T) {
	db := plain(t, &fake{})
	for name, o := range map[string]leakcheck.Option{
		"MaxHold": dbcheck.MaxHold(1), "MaxConns": dbcheck.MaxConns(1), "MinReuse": dbcheck.MinReuse(1), "HighWater": dbcheck.HighWater(1),
		"NoNestedLease": dbcheck.NoNestedLease(), "NoCallWhileHeld": dbcheck.NoCallWhileHeld(),
	} {
		want := []string{"dbcheck." + name + ": the sql.DB of this check is not tracked, so that nothing can be judged: open it with dbcheck.Open or dbcheck.OpenDB"}
		ft := &fakeT{}
		leakcheck.Verify(ft, dbcheck.DB(db), o)()
		assert.Equal(t, want, ft.failures())
		ft = &fakeT{}
		dbcheck.Verify(ft, db, o)()
		assert.Equal(t, want, ft.failures())
	}
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

// TestBudgetsParallel: parallel tests that share a pool are judged for what each did itself.
func TestBudgetsParallel(t *testing.T) {
	db := tracked(t, &fake{})
	mock := mockserver.New(t)
	mock.On("GET", "/charge").Reply(mockserver.Status(204))
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	var good, bad [4]fakeT
	t.Run("all", func(t *testing.T) {
		for i := range 4 {
			for _, c := range []struct {
				name string
				ft   *fakeT
			}{{"good", &good[i]}, {"bad", &bad[i]}} {
				t.Run(fmt.Sprint(c.name, i), func(t *testing.T) {
					t.Parallel()
					c.ft.name = t.Name()
					check := leakcheck.Verify(&inParallel{T: t, to: c.ft}, dbcheck.NoCallWhileHeld(), dbcheck.NoNestedLease())
					defer check()
					for range 20 {
						tx, err := db.Begin()
						assert.NoError(t, err)
						if c.name == "bad" {
							resp, err := http.Get(mock.URL + "/charge")
							if assert.NoError(t, err) {
								resp.Body.Close()
							}
							assert.NoError(t, db.Ping())
						}
						assert.NoError(t, tx.Rollback())
					}
				})
			}
		}
	})
	for i := range 4 {
		assert.Empty(t, good[i].failures())
		assert.Empty(t, good[i].logged(), "a request of another test is no matter of this one")
		require.Len(t, bad[i].failures(), 1)
		assert.Contains(t, bad[i].failures()[0], "leakcheck: 2 leaks: ")
		assert.Contains(t, bad[i].failures()[0], "GET /charge was sent at budget_test.go:")
		assert.Contains(t, bad[i].failures()[0], "a connection from db.Ping at budget_test.go:")
	}
}

// inParallel is a parallel test whose messages go elsewhere.
type inParallel struct {
	*testing.T
	to *fakeT
}

func (t *inParallel) Failed() bool                      { return t.to.Failed() }
func (t *inParallel) Errorf(format string, args ...any) { t.to.Errorf(format, args...) }
func (t *inParallel) Logf(format string, args ...any)   { t.to.Logf(format, args...) }
func (t *inParallel) Cleanup(func())                    {}
