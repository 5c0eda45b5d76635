package dbcheck_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

// around is another wrapper, such as one that logs: of a connector, in the way of otelsql.
type around struct {
	driver.Connector
	raw bool // its connections have a Raw method
}

func (a around) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := a.Connector.Connect(ctx)
	if err != nil || !a.raw {
		return &aroundConn{below: c}, err
	}
	return rawConn{&aroundConn{below: c}}, nil
}

type aroundConn struct{ below driver.Conn }

func (c *aroundConn) Prepare(q string) (driver.Stmt, error) { return c.below.Prepare(q) }
func (c *aroundConn) Begin() (driver.Tx, error)             { return c.below.Begin() } //lint:ignore SA1019 as wrappers do
func (c *aroundConn) Close() error                          { return c.below.Close() }

func (c *aroundConn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	return c.below.(driver.QueryerContext).QueryContext(ctx, q, args)
}

func (c *aroundConn) ResetSession(ctx context.Context) error {
	if r, ok := c.below.(driver.SessionResetter); ok {
		return r.ResetSession(ctx)
	}
	return nil
}

func (c *aroundConn) IsValid() bool {
	v, ok := c.below.(driver.Validator)
	return !ok || v.IsValid()
}

type rawConn struct{ *aroundConn }

func (c rawConn) Raw() driver.Conn { return c.below }

// TestOtherWrappers: another wrapper, below or around ours, hides nothing: one entry, with the line of the program and not
// the wrapper's.
func TestOtherWrappers(t *testing.T) {
	leaksOnPurpose(t)
	for _, c := range []struct {
		name string
		open func(f driver.Connector) *sql.DB
	}{
		{"below, with Raw", func(f driver.Connector) *sql.DB { return dbcheck.OpenDB(around{f, true}) }},
		{"below", func(f driver.Connector) *sql.DB { return dbcheck.OpenDB(around{f, false}) }},
		{"around, with Raw", func(f driver.Connector) *sql.DB { return sql.OpenDB(around{dbcheck.Wrap(f), true}) }},
		{"around", func(f driver.Connector) *sql.DB { return sql.OpenDB(&around{dbcheck.Wrap(f), false}) }},
		{"both", func(f driver.Connector) *sql.DB {
			return sql.OpenDB(around{dbcheck.Wrap(around{f, true}), true})
		}},
		{"twice", func(f driver.Connector) *sql.DB { return dbcheck.OpenDB(around{dbcheck.Wrap(f), true}) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := database(t)
			_, port, err := net.SplitHostPort(f.addr)
			require.NoError(t, err)
			db := c.open(f)
			t.Cleanup(func() { db.Close() })
			for _, check := range []func(ft *fakeT) func(){
				func(ft *fakeT) func() { return dbcheck.Verify(ft, db) },
				func(ft *fakeT) func() { return leakcheck.Verify(ft, outside) },
			} {
				ft := &fakeT{}
				end := check(ft)
				ctx, cancel := context.WithCancel(context.Background())
				rows, err := db.QueryContext(ctx, "SELECT 1")
				require.NoError(t, err)
				tx, err := db.Begin()
				require.NoError(t, err)
				end()
				require.Len(t, ft.failures(), 1)
				text := ft.failures()[0]
				assert.Contains(t, text, "leakcheck: 2 leaks: sql.")
				assert.Regexp(t, `sql\.Rows from db\.QueryContext at around_test\.go:\d+ was never closed`, text)
				assert.Contains(t, text, "\n                    rows, err := db.QueryContext(ctx, \"SELECT 1\")\n")
				assert.Contains(t, text, "\n                    tx, err := db.Begin()\n")
				assert.NotContains(t, text, "aroundConn")
				assert.Equal(t, 2, strings.Count(text, "127.0.0.1:"+port), text) // the driver's connection was found
				for _, l := range dbcheck.Leases(db) {
					assert.Contains(t, l.Site.Function, "TestOtherWrappers")
				}
				require.NoError(t, rows.Close())
				cancel()
				require.NoError(t, tx.Rollback())
			}
			conn, err := db.Conn(context.Background())
			require.NoError(t, err)
			defer conn.Close()
			require.NoError(t, conn.Raw(func(c any) error {
				for range 5 { // more than there are, so that one that gives itself does not go on for ever
					raw, ok := c.(interface{ Raw() driver.Conn })
					if !ok {
						break
					}
					c = raw.Raw()
				}
				if a, ok := c.(*aroundConn); ok { // has no such method
					c = a.below
					if raw, ok := c.(interface{ Raw() driver.Conn }); ok {
						c = raw.Raw()
					}
				}
				assert.IsType(t, &netConn{}, c)
				return nil
			}))
		})
	}
}

// TestNextPool: a connector may serve one pool after the other.
func TestNextPool(t *testing.T) {
	c := dbcheck.Wrap((&fake{}).connector())
	first := sql.OpenDB(c)
	check := dbcheck.Verify(t, first)
	require.NoError(t, first.Ping())
	check()
	require.NoError(t, first.Close())
	keep(first)
	second := sql.OpenDB(c)
	defer second.Close()
	second.SetMaxOpenConns(4)
	ft := &fakeT{}
	check = dbcheck.Verify(ft, second, dbcheck.HighWater(0.75))
	for range 4 {
		conn, err := second.Conn(context.Background())
		require.NoError(t, err)
		defer conn.Close()
		t.Cleanup(func() { conn.Close() })
	}
	check()
	require.Len(t, ft.failures(), 1)
	assert.Contains(t, ft.failures()[0], "had 4 of its 4 connections out at once", "the limit is that of the second pool")
}
