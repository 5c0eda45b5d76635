package patterns_test

import (
	"database/sql"
	"database/sql/driver"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/dbcheck/dbtest"
)

// base is one of the drivers, as a program uses it.
type base struct {
	name   string
	driver string // registered name
	dsn    func(t testing.TB) (source, admin string)
	dollar bool   // its placeholders are $1, $2
	net    bool   // it talks to a server
	shows  bool   // it shows the server's process without a query
	conn   string // type of its connections
}

// bases are all drivers; mattn_*_test.go adds the one that needs cgo.
var bases = []*base{
	{name: "modernc", driver: "sqlite", conn: "*sqlite.conn", dsn: func(t testing.TB) (string, string) {
		return "file:" + filepath.Join(t.TempDir(), "db") + "?_pragma=journal_mode(wal)&_pragma=busy_timeout(10000)&_pragma=synchronous(off)", ""
	}},
	{name: "pgx", driver: "pgx", dollar: true, net: true, shows: true, conn: "*stdlib.Conn",
		dsn: postgresDSN},
	{name: "pq", driver: "postgres", dollar: true, net: true, shows: true, conn: "*pq.conn",
		dsn: postgresDSN},
	{name: "mysql", driver: "mysql", net: true, conn: "*mysql.mysqlConn",
		dsn: func(t testing.TB) (string, string) { return mysqlDSN(t, false) }},
	{name: "mysql interpolating", driver: "mysql", net: true, conn: "*mysql.mysqlConn",
		dsn: func(t testing.TB) (string, string) { return mysqlDSN(t, true) }},
}

// mysqlDSN: without interpolateParams, a query with arguments answers driver.ErrSkip, and is prepared.
func mysqlDSN(t testing.TB, interpolate bool) (source, admin string) {
	s := dbtest.MariaDB(t)
	cfg, err := mysql.ParseDSN(s.DSN)
	require.NoError(t, err)
	cfg.InterpolateParams = interpolate
	return cfg.FormatDSN(), s.AdminDSN
}

func postgresDSN(t testing.TB) (source, admin string) {
	s := dbtest.Postgres(t)
	return s.DSN, s.AdminDSN
}

// database is one that the driver can open, with a table items (id, n) of three rows.
type database struct {
	*base
	source string
	admin  string // the same as a superuser; "" where there is none
}

// TestDrivers runs every test on each driver, on one database: go test -run TestDrivers/pgx/Patterns.
func TestDrivers(t *testing.T) {
	for _, b := range bases {
		t.Run(b.name, func(t *testing.T) {
			d := b.database(t)
			for _, test := range tests {
				t.Run(test.name, func(t *testing.T) { test.run(t, d) })
			}
		})
	}
}

type driverTest struct {
	name string
	run  func(t *testing.T, d database)
}

// tests are those that each driver has to pass; Go versions add to them.
var tests = []driverTest{
	{"Exposed", testExposed},
	{"RawAsWritten", testRawAsWritten},
	{"ServerProcess", testServerProcess},
	{"Idle", testIdle},
	{"Reconnects", testReconnects},
	{"Sockets", testSockets},
	{"MainReports", testMainReports},
	{"Patterns", testPatterns},
	{"Parallel", testParallel},
	{"BackgroundOpener", testBackgroundOpener},
	{"BackgroundUnused", testBackgroundUnused},
	{"CloseWaits", testCloseWaits},
	{"HoldAndWait", testHoldAndWait},
	{"Cancelled", testCancelled},
	{"Errors", testErrors},
	{"Otelsql", testOtelsql},
}

func (b *base) database(t testing.TB) database {
	source, admin := b.dsn(t)
	d := database{b, source, admin}
	db, err := sql.Open(d.driver, d.source)
	require.NoError(t, err)
	defer db.Close()
	for _, q := range []string{"CREATE TABLE items (id int, n int)", "INSERT INTO items VALUES (1, 0), (2, 0), (3, 0)"} {
		_, err := db.Exec(q)
		require.NoError(t, err)
	}
	return d
}

// open opens a tracked pool; it is closed when the test ends.
func (d database) open(t testing.TB) *sql.DB {
	db, err := dbcheck.Open(d.driver, d.source)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// q writes a statement with the driver's placeholders.
func (d database) q(query string) string {
	if !d.dollar {
		return query
	}
	for i := 1; strings.Contains(query, "?"); i++ {
		query = strings.Replace(query, "?", "$"+strconv.Itoa(i), 1)
	}
	return query
}

// own gives the driver's own connection of one that Raw handed out.
func own(c any) driver.Conn {
	for {
		t, ok := c.(interface{ Raw() driver.Conn })
		if !ok {
			return c.(driver.Conn)
		}
		c = t.Raw()
	}
}
