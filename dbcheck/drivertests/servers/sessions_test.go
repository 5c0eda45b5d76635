package servers_test

import (
	"database/sql"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/dbcheck/dbtest"
)

// TestSessions: what a server says of a transaction that is left open, of an idle connection, and of one that works.
func TestSessions(t *testing.T) {
	each(t, func(t *testing.T, c client) {
		srv := c.server(t)
		admin := c.open(t, srv.AdminDSN)
		db := c.open(t, c.named(srv.DSN, "orders"))
		_, err := db.Exec("CREATE TABLE users (id int, name text)")
		require.NoError(t, err)
		tx, err := db.Begin()
		require.NoError(t, err)
		_, err = tx.Exec("INSERT INTO users VALUES (41, 'secret')")
		require.NoError(t, err)
		require.NoError(t, db.Ping()) // a second one, idle

		// Each look is a session that ends after its client has closed, so that the next one may still see it. MariaDB lists a
		// transaction some 100 ms late: it renews its tables about transactions no more often.
		var mine []dbcheck.Session
		for end := time.Now().Add(waitFor); ; time.Sleep(tick) {
			all, err := dbcheck.Sessions(ctx, admin)
			require.NoError(t, err)
			mine = slices.DeleteFunc(all, func(s dbcheck.Session) bool { return s.Database != srv.Database })
			if len(mine) == 2 && slices.ContainsFunc(mine, func(s dbcheck.Session) bool { return s.IdleInTransaction }) {
				break
			}
			require.True(t, time.Now().Before(end), "%v", mine)
		}
		for _, s := range mine {
			assert.Equal(t, srv.User, s.User)
			assert.Contains(t, s.Client, "127.0.0.1:")
			assert.NotZero(t, s.ID)
			assert.False(t, s.Hidden)
			assert.NotContains(t, s.String(), "secret")
			if c.driver == "mysql" {
				assert.Empty(t, s.Application, "performance_schema is off")
				continue
			}
			assert.Equal(t, "orders", s.Application)
			assert.Positive(t, s.Age)
			if s.IdleInTransaction {
				assert.Equal(t, dbcheck.StateIdleInTransaction, s.State)
				assert.Positive(t, s.TxAge)
				assert.Contains(t, s.Statement, "INSERT INTO users VALUES (?, '…')")
			} else {
				assert.Equal(t, dbcheck.StateIdle, s.State)
			}
		}
		require.NoError(t, tx.Rollback())
		assert.Zero(t, admin.Stats().OpenConnections, "what was opened to ask is closed")
	})
}

// TestSessionsOfAnother: what a role without a privilege may see of others, and that it still counts them.
func TestSessionsOfAnother(t *testing.T) {
	each(t, func(t *testing.T, c client) {
		srv := c.server(t)
		other := c.open(t, srv.AdminDSN)
		require.NoError(t, other.Ping())
		mine := c.open(t, srv.DSN)
		all, err := dbcheck.Sessions(ctx, mine)
		require.NoError(t, err)
		room, err := dbcheck.Headroom(ctx, mine)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, room.Used, 2)
		var seen []dbcheck.Session
		for _, s := range all {
			if s.Database == srv.Database {
				seen = append(seen, s)
			}
		}
		if c.driver == "mysql" {
			assert.Empty(t, seen, "without PROCESS no others are listed")
			return
		}
		require.Len(t, seen, 1)
		assert.True(t, seen[0].Hidden)
		assert.Empty(t, seen[0].Statement)
	})
}

// TestVerifySessions: sessions that a pool leaves open are reported, and none when it was closed, though the server ends them later.
func TestVerifySessions(t *testing.T) {
	each(t, func(t *testing.T, c client) {
		srv := c.server(t)
		name := "orders"
		if c.driver == "mysql" {
			name = srv.User // performance_schema is off
		}
		admin := c.open(t, srv.AdminDSN)
		for range 10 {
			ft := &fakeT{}
			check := dbcheck.VerifySessions(ft, admin, name)
			db := c.open(t, c.named(srv.DSN, "orders"))
			tx, err := db.Begin()
			require.NoError(t, err)
			require.NoError(t, db.Ping())
			require.NoError(t, tx.Rollback())
			require.NoError(t, db.Close())
			check()
			require.Empty(t, ft.told())
		}
		ft := &fakeT{}
		check := dbcheck.VerifySessions(ft, admin, name, dbcheck.SessionsWait(500*time.Millisecond))
		db := c.tracked(t, c.named(srv.DSN, "orders"))
		_, err := db.Exec("CREATE TABLE IF NOT EXISTS users (id int, name text)")
		require.NoError(t, err)
		tx, err := db.Begin()
		require.NoError(t, err)
		_, err = tx.Exec("INSERT INTO users VALUES (41, 'secret')")
		require.NoError(t, err)
		require.NoError(t, db.Ping())
		check()
		golden(t, "leak-"+c.driver, "a transaction and an idle connection of a tracked pool, with the line", ft)
		require.NoError(t, tx.Rollback())
	})
}

// TestVerifySessionsTwoTests: tests share the server and the name of the application. The database of each is its own, and nothing else is
// looked at.
func TestVerifySessionsTwoTests(t *testing.T) {
	c := clients[0]
	one, two := dbtest.Postgres(t), dbtest.Postgres(t)
	first, second := &fakeT{}, &fakeT{}
	checkFirst := dbcheck.VerifySessions(first, c.open(t, one.AdminDSN), "orders", dbcheck.SessionsWait(time.Millisecond))
	checkSecond := dbcheck.VerifySessions(second, c.open(t, two.AdminDSN), "orders", dbcheck.SessionsWait(time.Millisecond))
	require.NoError(t, c.open(t, c.named(two.DSN, "orders")).Ping()) // the second's, still open
	checkFirst()
	checkSecond()
	assert.Empty(t, first.told(), "the session is in another database")
	require.Len(t, second.told(), 1)
	assert.Contains(t, second.told()[0], "on "+two.Database)
}

// TestVerifySessionsLongName: PostgreSQL cuts and cleans a name, as VerifySessions expects it to.
func TestVerifySessionsLongName(t *testing.T) {
	for _, name := range []string{strings.Repeat("orders-", 12), "bestellung-für-" + strings.Repeat("ä", 40)} {
		srv := dbtest.Postgres(t)
		c := clients[0]
		ft := &fakeT{}
		check := dbcheck.VerifySessions(ft, c.open(t, srv.AdminDSN), name, dbcheck.SessionsWait(time.Millisecond))
		db := c.open(t, c.named(srv.DSN, name))
		require.NoError(t, db.Ping())
		check()
		require.Len(t, ft.told(), 1)
		assert.Contains(t, ft.told()[0], `1 session of application "`+name+`" is still open on the server: idle for`)
	}
}

// TestVerifySessionsByProgramName: where MariaDB keeps it.
func TestVerifySessionsByProgramName(t *testing.T) {
	srv := dbtest.MariaDB(t, dbtest.Settings(map[string]string{"performance-schema": "ON", "performance-schema-consumer-events-statements-current": "ON"}))
	c := clients[2]
	ft := &fakeT{}
	admin := c.open(t, srv.AdminDSN)
	check := dbcheck.VerifySessions(ft, admin, "orders", dbcheck.SessionsWait(300*time.Millisecond))
	other := c.open(t, c.named(srv.DSN, "billing"))
	require.NoError(t, other.Ping())
	db := c.open(t, c.named(srv.DSN, "orders"))
	require.NoError(t, db.QueryRow("SELECT 'secret'").Scan(new(string)))
	check()
	require.Len(t, ft.told(), 1)
	assert.Contains(t, ft.told()[0], `1 session of application "orders" is still open on the server: idle for`)
	assert.Contains(t, ft.told()[0], `; last: SELECT '…'`)
}

// TestExhausted: the server with 100 connections and 15 reserved, as it was in the incident: the 86th is refused, and what
// is told of it. MariaDB has no reserve but one for an administrator.
func TestExhausted(t *testing.T) {
	each(t, func(t *testing.T, c client) {
		srv, limit := exhaustible(t, c)
		admin := c.open(t, srv.AdminDSN)
		db := c.open(t, c.named(srv.DSN, "orders"))
		name := "orders"
		if c.driver == "mysql" {
			name = srv.User
		}
		ft := &fakeT{}
		check := dbcheck.VerifySessions(ft, admin, name, dbcheck.SessionsWait(100*time.Millisecond))
		// The server may still count a connection that was closed before, such as the one that VerifySessions asked on. All slots
		// can be had; then one more cannot.
		for n := 0; n < limit; n++ {
			var conn *sql.Conn
			var err error
			for end := time.Now().Add(waitFor); ; time.Sleep(tick) {
				if conn, err = db.Conn(ctx); !dbcheck.Exhausted(err) || time.Now().After(end) {
					break
				}
			}
			require.NoError(t, err, "slot %d of %d", n+1, limit)
			defer conn.Close()
		}
		_, refused := db.Conn(ctx)
		require.Error(t, refused)
		assert.True(t, dbcheck.Exhausted(refused), "%v", refused)
		_, wrong := c.open(t, wrongPassword(srv.DSN)).Conn(ctx)
		assert.Error(t, wrong)

		room, err := dbcheck.Headroom(ctx, admin)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, room.Used, limit+1, "all slots, and the one that asks")
		assert.Zero(t, room.Free())
		assert.Equal(t, limit, room.Ordinary())
		check()
		require.Len(t, ft.told(), 1)
		assert.Contains(t, ft.told()[0], room.String()[:strings.Index(room.String(), " (")])
	})
}

// exhaustible gives a server and the number of connections that it takes of an ordinary user.
func exhaustible(t *testing.T, c client) (*dbtest.Server, int) {
	if c.driver == "mysql" {
		return dbtest.MariaDB(t, dbtest.MaxConnections(20)), 20
	}
	return dbtest.Postgres(t, dbtest.Settings(map[string]string{"max_connections": "100", "superuser_reserved_connections": "15"})), 85
}

func wrongPassword(dsn string) string {
	i, j := strings.LastIndexByte(dsn[:strings.LastIndexByte(dsn, '@')], ':'), strings.LastIndexByte(dsn, '@')
	return dsn[:i+1] + "wrong" + dsn[j:]
}
