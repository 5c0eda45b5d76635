package servers_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/dbcheck/dbtest"
	"github.com/leakgate/leakgate/leakcheck"
)

// breakage is how a server or the network to it fails.
type breakage struct {
	name   string
	server bool // the server itself is gone, for the one that asks for sessions too
	silent bool // nothing is said
	do     func(*dbtest.Server, *proxy)
	undo   func(*dbtest.Server)
}

var breakages = []breakage{
	{name: "killed", server: true, do: func(s *dbtest.Server, _ *proxy) { s.Kill() }, undo: (*dbtest.Server).Restart},
	{name: "restarted", do: func(s *dbtest.Server, _ *proxy) { s.Kill(); s.Restart() }},
	{name: "paused", server: true, silent: true, do: func(s *dbtest.Server, _ *proxy) { s.Pause() }, undo: (*dbtest.Server).Unpause},
	{name: "reset", do: func(_ *dbtest.Server, p *proxy) { p.reset() }},
	{name: "finished", do: func(_ *dbtest.Server, p *proxy) { p.finish() }},
	{name: "silent", silent: true, do: func(_ *dbtest.Server, p *proxy) { p.hush() }},
}

// TestBroken: a server or network that fails in the middle of a test. A lease that is still held is reported, with its line; one that the
// driver gave up is not; and no check hangs.
func TestBroken(t *testing.T) {
	each(t, func(t *testing.T, c client) {
		srv := c.server(t, dbtest.Own())
		for _, b := range breakages {
			t.Run(b.name, func(t *testing.T) {
				p := newProxy(t, srv.Addr)
				name := "orders"
				if c.driver == "mysql" {
					name = srv.User
				}
				admin := c.open(t, c.quickly(srv.AdminDSN))
				db := c.tracked(t, c.quickly(c.named(p.dsn(srv.DSN), "orders")))
				sessions, pool, all := &fakeT{}, &fakeT{}, &fakeT{}
				checks := map[string]func(){
					"VerifySessions":   dbcheck.VerifySessions(sessions, admin, name, dbcheck.SessionsWait(200*time.Millisecond)),
					"dbcheck.Verify":   dbcheck.Verify(pool, db),
					"leakcheck.Verify": leakcheck.Verify(all, leakcheck.Only(leakcheck.SQLRows, leakcheck.SQLTx, leakcheck.SQLConn, leakcheck.SQLStmt)),
				}
				require.Empty(t, sessions.told())

				held, err := db.Begin() // nobody ends it
				require.NoError(t, err)
				given, cancel := context.WithTimeout(ctx, time.Minute)
				ended, err := db.BeginTx(given, nil) // its context ends
				require.NoError(t, err)
				rows := rowsOf(t, db) // closed after the break

				b.do(srv, p)
				within(t, "the use of what is broken", func() {
					cancel()
					if b.server || b.silent {
						short, done := context.WithTimeout(ctx, 500*time.Millisecond)
						defer done()
						_, err := db.ExecContext(short, "SELECT 1")
						assert.Error(t, err)
					} else {
						err := errors.New("not tried")
						for try := 0; try < 10 && err != nil; try++ { // the pool may hand out what is broken first
							_, err = db.ExecContext(ctx, "SELECT 1")
						}
						assert.NoError(t, err, "a new connection can be had")
					}
					_ = ended.Rollback()
					if !b.silent {
						_ = rows.Close()
					}
				})
				for _, check := range []string{"dbcheck.Verify", "leakcheck.Verify", "VerifySessions"} {
					within(t, check, checks[check])
				}
				if b.undo != nil {
					b.undo(srv)
				}
				told := pool.told()
				require.Len(t, told, 1)
				assert.Contains(t, told[0], "sql.Tx from db.Begin at broken_test.go:")
				assert.Contains(t, told[0], "was neither committed nor rolled back")
				assert.NotContains(t, told[0], "db.ExecContext")
				if !b.silent {
					assert.Regexp(t, "^leakcheck: 1 leak: sql.Tx from db.Begin at ", told[0])
				}
				for _, entry := range strings.Split(told[0], "\n\n") { // where the driver still waits, it says for what
					if strings.Contains(entry, "db.BeginTx at") && strings.Contains(entry, "what ") {
						assert.Contains(t, entry, "is not over: its Rollback has not returned")
						assert.True(t, b.silent)
					}
				}
				assert.Empty(t, all.told(), "one leak is reported once")
				require.Len(t, sessions.told(), 1)
				if b.server {
					assert.Regexp(t, "^dbcheck.VerifySessions: (the server did not answer within|no connection to the server: )", sessions.told()[0])
					assert.Contains(t, sessions.told()[0], "are still open is not known")
				} else {
					assert.Regexp(t, `^leakcheck: 1 leak: \d sessions? of application "`+name+`" (is|are) still open on the server: `, sessions.told()[0])
				}
				for _, text := range append(told, sessions.told()...) {
					assert.NotContains(t, text, password(srv.DSN))
					assert.NotContains(t, text, password(srv.AdminDSN))
				}
				_ = held
			})
		}
	})
}

// rowsOf gives rows that are open.
func rowsOf(t *testing.T, db *sql.DB) *sql.Rows {
	rows, err := db.Query("SELECT 1 UNION ALL SELECT 2")
	require.NoError(t, err)
	require.True(t, rows.Next())
	return rows
}

func password(dsn string) string {
	before := dsn[:strings.LastIndexByte(dsn, '@')]
	return before[strings.LastIndexByte(before, ':')+1:]
}

// TestBrokenSweep: a server that is gone, or says nothing, while Sweep runs: each subtest has its verdict, and it ends.
func TestBrokenSweep(t *testing.T) {
	each(t, func(t *testing.T, c client) {
		srv := c.server(t, dbtest.Own())
		for _, b := range breakages {
			if b.name == "paused" || b.name == "restarted" || b.name == "finished" || b.silent && c.driver != "pgx" {
				continue // for a sweep the same as one of the others; in silence each run takes a driver its whole timeout
			}
			t.Run(b.name, func(t *testing.T) {
				p := newProxy(t, srv.Addr)
				dsn := c.quickly(p.dsn(srv.DSN))
				plain := c.open(t, dsn)
				runs := 0
				within(t, "Sweep", func() {
					dbcheck.Sweep(t, func() driver.Connector { return connectorOf(t, plain.Driver(), dsn) }, func(t *testing.T, db *sql.DB) {
						limit := time.Minute // nothing is broken yet: what is learned must not depend on how quick the server is
						if runs++; runs == 3 {
							b.do(srv, p)
						}
						if runs >= 3 {
							limit = 300 * time.Millisecond
						}
						short, done := context.WithTimeout(ctx, limit)
						defer done()
						rows, err := db.QueryContext(short, "SELECT 1")
						if err != nil {
							return
						}
						defer rows.Close()
						for rows.Next() {
						}
					})
				})
				assert.Greater(t, runs, 3)
				if b.undo != nil {
					b.undo(srv)
				}
			})
		}
	})
}

func connectorOf(t *testing.T, d driver.Driver, dsn string) driver.Connector {
	if dc, ok := d.(driver.DriverContext); ok {
		c, err := dc.OpenConnector(dsn)
		require.NoError(t, err)
		return c
	}
	return opener{d, dsn}
}

// opener is a connector for a driver that has none.
type opener struct {
	d   driver.Driver
	dsn string
}

func (o opener) Connect(context.Context) (driver.Conn, error) { return o.d.Open(o.dsn) }
func (o opener) Driver() driver.Driver                        { return o.d }
