package exhaustion

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/examples/internal/fakepg"
	"github.com/leakgate/leakgate/examples/internal/record"
	"github.com/leakgate/leakgate/leakcheck"
)

type catalog interface {
	InStock(ctx context.Context, item string) (bool, error)
}

// service is one of the two: the catalog and the settings of its pool.
type service struct {
	catalog func(db *sql.DB) catalog
	open    func(open func(driver.Connector) *sql.DB, server driver.Connector) *sql.DB
}

var services = map[string]service{
	"buggy": {func(db *sql.DB) catalog { return &Catalog{db} }, Open},
	"fixed": {func(db *sql.DB) catalog { return &FixedCatalog{db} }, FixedOpen},
}

// run gives a tool a pool and a customer, and takes down what it reports. What leaked ends with it.
func run(t *testing.T, of service, tool func(rec *record.T, db *sql.DB, customer func())) *record.T {
	t.Helper()
	srv := fakepg.New(t, fakepg.Config{MaxConnections: 100, Reserved: 3})
	srv.Answer([]string{"one"}, []driver.Value{int64(1)})
	db := of.open(dbcheck.OpenDB, srv.Connector())
	defer db.Close()
	ctx, cancel := context.WithCancel(context.Background())
	shop := of.catalog(db)
	rec := record.Run(t.Name(), func(rec *record.T) {
		tool(rec, db, func() {
			there, err := shop.InStock(ctx, "lamp")
			require.NoError(t, err)
			assert.True(t, there)
		})
	})
	cancel()
	require.Eventually(t, func() bool { return db.Stats().InUse == 0 }, 30*time.Second, time.Millisecond)
	return rec
}

// Each of the tools finds the fault that it is for, and is silent of the fixed service.
func TestTools(t *testing.T) {
	query, open := "catalog.go:"+lineOf(t, "catalog.go", "c.DB.QueryContext"), "catalog.go:"+lineOf(t, "catalog.go", "open(server)")
	for _, tool := range []struct {
		name string
		run  func(rec *record.T, db *sql.DB, customer func())
		says []string
	}{
		{"Repeat", func(rec *record.T, _ *sql.DB, customer func()) {
			leakcheck.Repeat(rec, 10, customer)
		}, []string{
			"leakcheck: 7 leaks: sql.Rows from db.QueryContext at " + query + " was never closed: 1 more after each of 7 runs (×7)\n",
			"LK601 sql-rows ×7\n", "taken at    " + query + "  exhaustion.(*Catalog).InStock\n",
			"12 more runs and the 20 connections of the sql.DB opened at " + open + " are all out\n",
			"defer rows.Close()",
		}},
		{"Sample", func(rec *record.T, _ *sql.DB, customer func()) {
			series := leakcheck.Sample(rec, time.Hour, leakcheck.AtMost(leakcheck.Leases(""), 5))
			for range 6 {
				customer()
			}
			series.Stop()
		}, []string{"leakcheck: 1 leak: 6 leases, and AtMost allows 5\n", "LK602 lease\n", query + "  exhaustion.(*Catalog).InStock\n"}},
		{"Capacity", func(rec *record.T, db *sql.DB, _ func()) {
			fleet, err := dbcheck.CapacityOf(t.Context(), db, 12)
			require.NoError(t, err)
			fleet.Surge = 3
			fleet.Verify(rec)
		}, []string{
			"leakcheck: 1 leak: 12 instances, and 3 more during a deploy, with pools of 20 need 300 connections, and the server has 97\n",
			"LK217 sql-conn\n", "fleet.Verify(rec)\n", "db.SetMaxOpenConns(6)",
		}},
		{"MinReuse", func(rec *record.T, db *sql.DB, _ func()) {
			rec.Cleanup(dbcheck.Verify(rec, db, dbcheck.MinReuse(0.9)))
			for range 20 {
				_, err := (&FixedCatalog{db}).InStock(t.Context(), "lamp") // this fault alone
				require.NoError(t, err)
			}
		}, []string{"leakcheck: 1 leak: the sql.DB opened at " + open + " reused a connection for 0% of its leases, and the budget is 90%\n", "LK213 sql-conn\n"}},
	} {
		t.Run(tool.name, func(t *testing.T) {
			assert.Empty(t, run(t, services["fixed"], tool.run).Output())
			rec := run(t, services["buggy"], tool.run)
			require.Len(t, rec.Errors(), 1)
			for _, text := range tool.says {
				assert.Contains(t, rec.Errors()[0], text)
			}
		})
	}
}

// What Capacity says of the fleet is what the server does: with the first settings the fifth instance is refused, and with the others
// fifteen have all that they may open.
func TestFleet(t *testing.T) {
	for name, of := range services {
		t.Run(name, func(t *testing.T) {
			srv := fakepg.New(t, fakepg.Config{Version: 15, MaxConnections: 100, Reserved: 3})
			refused := error(nil)
			opened := 0
			for range 15 {
				db := of.open(dbcheck.OpenDB, srv.Connector())
				defer db.Close()
				for range db.Stats().MaxOpenConnections {
					conn, err := db.Conn(t.Context())
					if err != nil {
						refused = err
						break
					}
					defer conn.Close()
					opened++
				}
			}
			if name == "fixed" {
				require.NoError(t, refused)
				assert.Equal(t, 90, opened)
				return
			}
			assert.Equal(t, 97, opened)
			assert.EqualError(t, refused, "FATAL: remaining connection slots are reserved for non-replication superuser connections (SQLSTATE 53300)")
			assert.True(t, dbcheck.Exhausted(refused))
		})
	}
}

// The tests that the README shows.
func TestIncident(t *testing.T) {
	out := record.Incident(t, map[string]string{
		"TestLeak": "FAIL", "TestLeakOverTime": "FAIL", "TestInstances": "FAIL", "TestPooling": "FAIL", "TestExhaustionFixed": "PASS", "TestSale": "PASS",
	})
	assert.Contains(t, out, "instance 5 of 12, customer 18 of 20: FATAL: remaining connection slots are reserved")
	assert.Regexp(t, `leases of the sql.DB opened at catalog.go:\d+ +0 +\d+(\.\d)? +10  \S*█\n`, out)
	assert.Equal(t, 20, record.ReadmeShows(t, out), "lines of README.md that are compared")
}

// lineOf gives the number of the first line of the file that has the text.
func lineOf(t *testing.T, file, text string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	before, _, ok := strings.Cut(string(data), text)
	require.True(t, ok, "%s has no %q", file, text)
	return strconv.Itoa(strings.Count(before, "\n") + 1)
}
