package servers_test

import (
	"context"
	"strings"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/leakgate/leakgate/dbcheck"
)

// The password of the wrong data source names, as it is and as a URL has it.
const (
	secret        = "s3cr/t@pa:ss"
	secretEncoded = "s3cr%2Ft%40pa%3Ass"
	secretHalf    = "s3cr%2Ft@pa:ss" // not all of it is encoded
)

// TestWrongDSN: what is wrong with a data source name is said without its password, when it is opened and when it is used.
func TestWrongDSN(t *testing.T) {
	for _, c := range []struct{ name, driver, dsn string }{
		{"pgx, scheme", "pgx", "postgers://app:" + secretEncoded + "@127.0.0.1:1/db"},
		{"pgx, port", "pgx", "postgres://app:" + secretEncoded + "@127.0.0.1:x/db"},
		{"pgx, escape", "pgx", "postgres://app:" + secretHalf + "%zz@127.0.0.1:1/db"},
		{"pgx, not encoded", "pgx", "postgres://app:" + secret + "@127.0.0.1:1/db"},
		{"pgx, key=value", "pgx", "host=127.0.0.1 port=x user=app password='" + secret + "'"},
		{"pgx, key=value, spaces", "pgx", "host = 127.0.0.1 port = x user = app password = '" + secret + "'"},
		{"pgx, key=value, quote", "pgx", "host=127.0.0.1 user=app password='" + secret},
		{"pgx, refused", "pgx", "postgres://app:" + secretEncoded + "@127.0.0.1:1/db"},
		{"pgx, sslmode", "pgx", "postgres://app:" + secretEncoded + "@127.0.0.1:1/db?sslmode=never"},
		{"pgx, query", "pgx", "postgres://127.0.0.1:x/db?user=app&password=" + secretEncoded},
		{"pq, port", "postgres", "postgres://app:" + secretEncoded + "@127.0.0.1:x/db"},
		{"pq, escape", "postgres", "postgres://app:" + secretHalf + "%zz@127.0.0.1:1/db"},
		{"pq, key=value", "postgres", "host=127.0.0.1 port=x user=app password='" + secret + "'"},
		{"pq, key=value, quote", "postgres", "host=127.0.0.1 user=app password='" + secret},
		{"pq, key=value, escape", "postgres", `host=127.0.0.1 user=app password=` + strings.ReplaceAll(secret, "/", `\/`) + ` nonsense`},
		{"pq, sslmode", "postgres", "postgres://app:" + secretEncoded + "@127.0.0.1:1/db?sslmode=never"},
		{"pq, refused", "postgres", "postgres://app:" + secretEncoded + "@127.0.0.1:1/db?sslmode=disable"},
		{"mysql, no slash", "mysql", "app:s3cr-t@pa:ss@tcp(127.0.0.1:1)"},
		{"mysql, network", "mysql", "app:" + secret + "@nonsense(127.0.0.1:1)/db"},
		{"mysql, bracket", "mysql", "app:" + secret + "@tcp(127.0.0.1:1/db"},
		{"mysql, option", "mysql", "app:" + secret + "@tcp(127.0.0.1:1)/db?parseTime=perhaps"},
		{"mysql, refused", "mysql", "app:" + secret + "@tcp(127.0.0.1:1)/db"},
		{"modernc", "sqlite", "file:/nonexistent/dir/x.db?_auth&_auth_user=app&_auth_pass=" + secretEncoded + "&password=" + secretEncoded},
		{"mattn", "sqlite3", "file:/nonexistent/dir/x.db?_auth&_auth_user=app&_auth_pass=" + secretEncoded + "&_loc=nonsense"},
	} {
		t.Run(c.name, func(t *testing.T) {
			clean := func(err error) {
				t.Log(err)
				for _, s := range []string{secret, secretEncoded, secretHalf, "s3cr"} {
					assert.NotContains(t, err.Error(), s)
				}
			}
			db, err := dbcheck.Open(c.driver, c.dsn)
			if err != nil {
				clean(err)
				return
			}
			defer db.Close()
			short, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			require.Error(t, db.PingContext(short)) // in the driver's own words, which pgx and lib/pq let the password into
			_, err = dbcheck.Sessions(short, db)
			require.Error(t, err)
			clean(err)
			ft := &fakeT{}
			dbcheck.VerifySessions(ft, db, "orders")()
			require.Len(t, ft.told(), 1)
			assert.NotContains(t, ft.told()[0], "s3cr")
		})
	}
}

// TestWrongPassword: a server that refuses the password does not have it told either.
func TestWrongPassword(t *testing.T) {
	each(t, func(t *testing.T, c client) {
		srv := c.server(t)
		db := c.tracked(t, wrongPassword(srv.DSN))
		err := db.Ping()
		require.Error(t, err)
		assert.False(t, dbcheck.Exhausted(err))
		_, err = dbcheck.Sessions(ctx, db)
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "wrong@")
		assert.NotContains(t, err.Error(), ":wrong")
	})
}

// TestNotAServer: SQLite has no sessions.
func TestNotAServer(t *testing.T) {
	db := client{driver: "sqlite"}.open(t, ":memory:")
	_, err := dbcheck.Sessions(ctx, db)
	assert.EqualError(t, err, "dbcheck.Sessions: the database (driver *sqlite.Driver) is neither PostgreSQL nor MySQL or MariaDB, which alone can be asked for their sessions; to SELECT version() it says: SQL logic error: no such function: version (1): unsupported operation")
	ft := &fakeT{}
	dbcheck.VerifySessions(ft, db, "orders")()
	require.Len(t, ft.told(), 1)
}

// TestOfAnotherTest: a pool of a test that is over is closed, and said to be.
func TestOfAnotherTest(t *testing.T) {
	each(t, func(t *testing.T, c client) {
		db := c.tracked(t, dbtestDSN(t, c))
		require.NoError(t, db.Close())
		for _, check := range []func(*fakeT) func(){
			func(ft *fakeT) func() { return dbcheck.Verify(ft, db) },
			func(ft *fakeT) func() { return dbcheck.VerifySessions(ft, db, "orders") },
		} {
			ft := &fakeT{}
			check(ft)()
			require.Len(t, ft.told(), 1)
			assert.Contains(t, ft.told()[0], "the sql.DB is closed already: ")
		}
	})
}

func dbtestDSN(t *testing.T, c client) string { return c.server(t).DSN }
