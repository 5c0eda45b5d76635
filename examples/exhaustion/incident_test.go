//go:build incident

package exhaustion

import (
	"database/sql"
	"database/sql/driver"
	"testing"
	"time"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/examples/internal/fakepg"
	"github.com/leakgate/leakgate/leakcheck"
)

// server is the one that all twelve instances share: 100 connections, of which it keeps 3 for its administrators.
func server(t *testing.T) *fakepg.Server {
	srv := fakepg.New(t, fakepg.Config{MaxConnections: 100, Reserved: 3})
	srv.Answer([]string{"one"}, []driver.Value{int64(1)}) // everything is in stock
	return srv
}

// pool opens the pool of one instance, with the settings of that instance.
func pool(t *testing.T, srv *fakepg.Server, settings func(func(driver.Connector) *sql.DB, driver.Connector) *sql.DB) *sql.DB {
	db := settings(dbcheck.OpenDB, srv.Connector())
	t.Cleanup(func() {
		for end := time.Now().Add(30 * time.Second); db.Stats().InUse > 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
			// what leaked ends with t.Context(), so that the tests after this one do not see it
		}
		db.Close()
	})
	return db
}

// Is it a leak? What one run leaves may be a pool that fills; what every run leaves more of has no end. This test fails.
func TestLeak(t *testing.T) {
	catalog := &Catalog{DB: pool(t, server(t), Open)}
	leakcheck.Repeat(t, 10, func() {
		if _, err := catalog.InStock(t.Context(), "lamp"); err != nil {
			t.Error(err)
		}
	})
}

// The same over time, with a ceiling that fails at once: of one customer after the other, how many connections are out? This
// test fails.
func TestLeakOverTime(t *testing.T) {
	catalog := &Catalog{DB: pool(t, server(t), Open)}
	series := leakcheck.Sample(t, time.Millisecond, leakcheck.AtMost(leakcheck.Leases(""), 5))
	end := time.Now().Add(10 * time.Second)
	for customer := 1; customer <= 10; customer++ {
		if _, err := catalog.InStock(t.Context(), "lamp"); err != nil {
			t.Error(err)
		}
		for series.Peak(leakcheck.Leases("")) < customer && time.Now().Before(end) {
			time.Sleep(time.Millisecond) // the next customer comes when this one was seen
		}
	}
	series.Stop()
	t.Log(series)
}

// Are there too many instances? One of them is well by itself. This test fails.
func TestInstances(t *testing.T) {
	db := pool(t, server(t), Open)
	fleet, err := dbcheck.CapacityOf(t.Context(), db, 12)
	if err != nil {
		t.Fatal(err)
	}
	fleet.Surge = 3 // new instances that start before old ones end
	fleet.Verify(t)
}

// Is there a pool at all? This test fails: each query opens a connection, and closes it.
func TestPooling(t *testing.T) {
	db := pool(t, server(t), Open)
	t.Cleanup(dbcheck.Verify(t, db, dbcheck.MinReuse(0.9)))
	catalog := &FixedCatalog{DB: db}
	for range 20 {
		if _, err := catalog.InStock(t.Context(), "lamp"); err != nil {
			t.Error(err)
		}
	}
}

// All of it with the fixed catalog and the fixed settings.
func TestExhaustionFixed(t *testing.T) {
	db := pool(t, server(t), FixedOpen)
	t.Cleanup(dbcheck.Verify(t, db, dbcheck.MinReuse(0.9)))
	leakcheck.Sample(t, time.Millisecond, leakcheck.AtMost(leakcheck.Leases(""), 5))
	catalog := &FixedCatalog{DB: db}
	leakcheck.Repeat(t, 10, func() {
		if _, err := catalog.InStock(t.Context(), "lamp"); err != nil {
			t.Error(err)
		}
	})
	fleet, err := dbcheck.CapacityOf(t.Context(), db, 12)
	if err != nil {
		t.Fatal(err)
	}
	fleet.Surge = 3
	fleet.Verify(t)
	t.Log(fleet)
}

// What happened on the day of the sale: every instance had as many customers as its pool has connections. This test passes, and shows
// the error.
func TestSale(t *testing.T) {
	srv := server(t)
	for instance := range 12 {
		db := pool(t, srv, Open)
		for customer := range 20 {
			conn, err := db.Conn(t.Context())
			if err != nil {
				if instance != 4 || customer != 17 || !dbcheck.Exhausted(err) {
					t.Errorf("not what was to be shown: %v", err)
				}
				t.Logf("instance %d of 12, customer %d of 20: %v", instance+1, customer+1, err)
				return
			}
			defer conn.Close()
		}
	}
	t.Error("the server took all")
}
