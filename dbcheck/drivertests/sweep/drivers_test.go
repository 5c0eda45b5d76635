// Package sweep_test sweeps code on real drivers and servers: what Sweep does to a connection must leave the server in a state
// that it could really be in, and nothing behind.
package sweep_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"path/filepath"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/leakgate/leakgate/dbcheck/dbtest"
)

// base is one of the drivers, as a program uses it.
type base struct {
	driver string // registered name
	dsn    func(t testing.TB) string
	// sessions counts what the server has of this database beside the one that asks; "" where there is no server.
	sessions string
}

const (
	postgresSessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
	mariadbSessions  = "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND id <> connection_id()"
)

// bases are all drivers; mattn_test.go adds the one that needs cgo.
var bases = map[string]base{
	"modernc": {driver: "sqlite", dsn: func(t testing.TB) string {
		return "file:" + filepath.Join(t.TempDir(), "db") + "?_pragma=journal_mode(wal)&_pragma=busy_timeout(1000)&_pragma=synchronous(off)"
	}},
	"pgx":   {driver: "pgx", dsn: func(t testing.TB) string { return dbtest.Postgres(t).DSN }, sessions: postgresSessions},
	"pq":    {driver: "postgres", dsn: func(t testing.TB) string { return dbtest.Postgres(t).DSN }, sessions: postgresSessions},
	"mysql": {driver: "mysql", dsn: func(t testing.TB) string { return dbtest.MariaDB(t).DSN }, sessions: mariadbSessions},
	"mysql interpolating": {driver: "mysql", dsn: func(t testing.TB) string { return dbtest.MariaDB(t).DSN + "?interpolateParams=true" },
		sessions: mariadbSessions},
}

// connectors gives the connectors of a data source, as sql.Open makes them.
func connectors(t testing.TB, driverName, dsn string) func() driver.Connector {
	t.Helper()
	db, err := sql.Open(driverName, dsn)
	require.NoError(t, err)
	defer db.Close()
	d := db.Driver()
	return func() driver.Connector {
		if c, ok := d.(driver.DriverContext); ok {
			out, err := c.OpenConnector(dsn)
			require.NoError(t, err)
			return out
		}
		return dsnConnector{dsn, d}
	}
}

type dsnConnector struct {
	dsn string
	d   driver.Driver
}

func (c dsnConnector) Connect(context.Context) (driver.Conn, error) { return c.d.Open(c.dsn) }
func (c dsnConnector) Driver() driver.Driver                        { return c.d }

// accounts opens the database, without the harness, and makes the table that is swept.
func accounts(t testing.TB, driverName, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driverName, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	for _, q := range []string{
		"CREATE TABLE accounts (id int PRIMARY KEY, name varchar(20), n int NOT NULL)",
		"INSERT INTO accounts VALUES (1, 'Ada', 0), (2, NULL, 0)",
	} {
		_, err := db.Exec(q)
		require.NoError(t, err)
	}
	return db
}
