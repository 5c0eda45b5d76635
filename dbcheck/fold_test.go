package dbcheck_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

// netFake is a driver whose connections are real ones, to a server that only listens, each with a goroutine of the driver's.
type netFake struct {
	fake
	addr string
}

type netConn struct {
	*fakeConn
	inner *session
}

type session struct {
	conn net.Conn
}

func (f *netFake) Connect(ctx context.Context) (driver.Conn, error) {
	nc, err := net.Dial("tcp", f.addr)
	if err != nil {
		return nil, err
	}
	c := &netConn{fakeConn: &fakeConn{f: &f.fake}, inner: &session{conn: nc}}
	f.open.Add(1)
	c.start()
	return c, nil
}

func (f *netFake) Driver() driver.Driver { return fakeDriver{&f.fake} }

func (c *netConn) start() {
	go func() { _, _ = io.Copy(io.Discard, c.inner.conn) }()
}

func (c *netConn) Close() error {
	c.inner.conn.Close()
	return c.fakeConn.Close()
}

// database listens until the test ends.
func database(t *testing.T) *netFake {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan bool)
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(io.Discard, c)
			}()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return &netFake{addr: l.Addr().String()}
}

// outside keeps what the peer of these tests has out of the check: its goroutines and its ends of the connections.
var outside = leakcheck.Ignore("the peer is in this process", leakcheck.CreatedBy("github.com/leakgate/leakgate/dbcheck_test.database..."))

// TestOneLeakOneEntry: a check of everything reports what is leaked once, whatever else it holds.
func TestOneLeakOneEntry(t *testing.T) {
	notInDeepMode(t)
	for _, c := range []struct {
		name, reason string
		leak         func(t *testing.T, f *netFake, db *sql.DB)
	}{
		{"one-idle", "idle connections of a pool that was there before, and the driver's goroutines, are no leak",
			func(t *testing.T, _ *netFake, db *sql.DB) {
				conn, err := db.Conn(context.Background())
				require.NoError(t, err)
				require.NoError(t, db.Ping()) // a second one
				require.NoError(t, conn.Close())
			}},
		{"one-rows", "rows hold a socket, a goroutine of database/sql and one of the driver: one entry",
			func(t *testing.T, _ *netFake, db *sql.DB) {
				ctx, cancel := context.WithCancel(context.Background())
				keep(cancel)
				rows, err := db.QueryContext(ctx, "SELECT 1")
				require.NoError(t, err)
				keep(rows)
			}},
		{"one-tx", "a transaction and the rows in it: one entry",
			func(t *testing.T, _ *netFake, db *sql.DB) {
				tx, err := db.Begin()
				require.NoError(t, err)
				rows, err := tx.Query("SELECT 1")
				require.NoError(t, err)
				keep(rows)
				keep(tx)
			}},
		{"one-pool", "a pool that is opened and never closed, with its idle connection",
			func(t *testing.T, f *netFake, _ *sql.DB) {
				db := dbcheck.OpenDB(f)
				require.NoError(t, db.Ping())
				t.Cleanup(func() { db.Close() })
			}},
		{"one-wrapped-pool", "the same, of a pool that the program made of a wrapped connector",
			func(t *testing.T, f *netFake, _ *sql.DB) {
				db := sql.OpenDB(dbcheck.Wrap(f))
				require.NoError(t, db.Ping())
				t.Cleanup(func() { db.Close() })
			}},
		{"one-pool-rows", "rows of a pool that is not closed either: two mistakes, two entries",
			func(t *testing.T, f *netFake, _ *sql.DB) {
				db := dbcheck.OpenDB(f)
				rows, err := db.Query("SELECT 1")
				require.NoError(t, err)
				keep(rows)
				t.Cleanup(func() { rows.Close(); db.Close() })
			}},
		{"one-pool-closed", "a pool that is opened and closed", func(t *testing.T, f *netFake, _ *sql.DB) {
			db := dbcheck.OpenDB(f)
			require.NoError(t, db.Ping())
			require.NoError(t, db.Close())
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := database(t)
			db := dbcheck.OpenDB(f)
			t.Cleanup(func() { db.Close() })
			ft := &fakeT{}
			check := leakcheck.Verify(ft, outside)
			c.leak(t, f, db)
			check()
			ft.logs = nil // what is ignored
			golden(t, c.name, c.reason, ft)
		})
	}
}

// TestPlainOnce: what the goroutines of database/sql tell of a pool that is not wrapped is not counted once more.
func TestPlainOnce(t *testing.T) {
	notInDeepMode(t)
	db := plain(t, &fake{})
	require.NoError(t, db.Ping())
	ft := &fakeT{}
	check := leakcheck.Verify(ft, dbcheck.DB(db))
	leakTx(t, db)
	leakRows(t, db)
	check()
	golden(t, "plain-once", "a transaction that its goroutine tells of, and rows without one: one entry each", ft)
}

// TestDefault: a wrapped pool needs no option.
func TestDefault(t *testing.T) {
	leaksOnPurpose(t)
	db := tracked(t, &fake{})
	require.NoError(t, db.Ping())
	for _, c := range []struct {
		name string
		opts []leakcheck.Option
		want int
	}{
		{"all", nil, 2},
		{"with DB", []leakcheck.Option{dbcheck.DB(db)}, 2},
		{"only rows", []leakcheck.Option{leakcheck.Only(leakcheck.SQLRows)}, 1},
		{"only rows, with DB", []leakcheck.Option{leakcheck.Only(leakcheck.SQLRows), dbcheck.DB(db)}, 1},
		{"without", []leakcheck.Option{leakcheck.Without(leakcheck.SQLRows, leakcheck.SQLTx, leakcheck.SQLConn, leakcheck.SQLStmt)}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := leakcheck.Take(c.opts...)
			leakRows(t, db)
			leakTx(t, db)
			assert.Len(t, s.Leaks(), c.want)
		})
	}
}

// TestParallelTests: tests that share a pool answer for what they took themselves.
func TestParallelTests(t *testing.T) {
	db := tracked(t, &fake{})
	results := make([]*fakeT, 4)
	t.Run("group", func(t *testing.T) {
		for i := range results {
			results[i] = &fakeT{name: "Test" + string(rune('A'+i))}
			t.Run("", func(t *testing.T) {
				t.Parallel()
				ft := results[i]
				check := dbcheck.Verify(ft, db)
				for range 20 {
					rows, err := db.Query("SELECT 1")
					assert.NoError(t, err)
					rows.Close()
				}
				if i == 2 {
					leakRows(t, db)
				}
				check()
			})
		}
	})
	for i, ft := range results {
		assert.Equal(t, i == 2, ft.Failed(), "%d: %v", i, ft.failures())
	}
}
