package patterns_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"testing"
	"time"

	"github.com/XSAM/otelsql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

// connector gives the driver's own.
func (d database) connector(t *testing.T) driver.Connector {
	db, err := sql.Open(d.driver, d.source)
	require.NoError(t, err)
	defer db.Close()
	if dc, ok := db.Driver().(driver.DriverContext); ok {
		c, err := dc.OpenConnector(d.source)
		require.NoError(t, err)
		return c
	}
	return dsnConnector{d.source, db.Driver()}
}

type dsnConnector struct {
	dsn    string
	driver driver.Driver
}

func (c dsnConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c dsnConnector) Driver() driver.Driver                        { return c.driver }

// otelConnector is otelsql around any connector: its own functions want a driver.
type otelConnector struct{ driver.Connector }

func (c otelConnector) Open(string) (driver.Conn, error) {
	return c.Connector.Connect(context.Background())
}

// testOtelsql: with otelsql below or around ours, reports are what they are without it, and everything can still be got at.
func testOtelsql(t *testing.T, d database) {
	for name, db := range map[string]*sql.DB{
		"below":  dbcheck.OpenDB(dsnConnector{"", otelsql.WrapDriver(otelConnector{d.connector(t)})}),
		"around": otelsql.OpenDB(dbcheck.Wrap(d.connector(t))),
	} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			s := store{d, db, new([]func() error)}
			for _, p := range []pattern{named("early return"), named("Row without Scan"), named("Tx, error"), named("pool layer"), named("Stmt on db")} {
				for _, check := range []func(*fakeT) func(){
					func(ft *fakeT) func() { return dbcheck.Verify(ft, db, leakcheck.Wait(20*time.Millisecond)) },
					func(ft *fakeT) func() { return leakcheck.Verify(ft, leakcheck.Wait(20*time.Millisecond)) },
				} {
					ft := run(t, s, check, p.buggy)
					if assert.Len(t, ft.failures(), 1, p.name) {
						p.assertReport(t, ft.failures()[0])
					}
					ft = run(t, s, func(ft *fakeT) func() { return leakcheck.Verify(ft) }, p.fixed)
					assert.Empty(t, ft.failures(), p.name)
				}
			}
			conn, err := db.Conn(context.Background())
			require.NoError(t, err)
			defer conn.Close()
			require.NoError(t, conn.Raw(func(c any) error {
				assert.Equal(t, d.conn, fmt.Sprintf("%T", own(c)))
				return nil
			}))
			if d.shows {
				assert.Contains(t, dbcheck.Leases(db)[0].Holds[0], "server process")
			}
		})
	}
}
