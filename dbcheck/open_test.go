package dbcheck_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
)

var registered = &fake{}

// oldDriver has no OpenConnector.
type oldDriver struct{ f *fake }

func (d oldDriver) Open(dsn string) (driver.Conn, error) {
	if err := d.f.did("open %s", dsn); err != nil {
		return nil, err
	}
	return d.f.connector().Connect(context.Background())
}

func init() {
	sql.Register("dbcheck-fake", fakeDriver{registered})
	sql.Register("dbcheck-old", oldDriver{registered})
}

func TestOpen(t *testing.T) {
	before := len(registered.log())
	for _, name := range []string{"dbcheck-fake", "dbcheck-old"} {
		t.Run(name, func(t *testing.T) {
			db, err := dbcheck.Open(name, "app:pw@host")
			require.NoError(t, err)
			defer db.Close()
			rows, err := db.Query("SELECT 1")
			require.NoError(t, err)
			require.Len(t, dbcheck.Leases(db), 1)
			assert.Contains(t, dbcheck.Leases(db)[0].Summary, "sql.Rows from db.Query at open_test.go")
			require.NoError(t, rows.Close())
			assert.Empty(t, dbcheck.Leases(db))
		})
	}
	opens := 0
	for _, call := range registered.log()[before:] {
		if strings.HasPrefix(call, "open ") {
			opens++
		}
	}
	assert.Equal(t, 2, opens, "the driver opens a connector once")
}

// TestOpenElsewhere: where database/sql keeps its connector is its own affair. What was made by Open and OpenDB is tracked all the same,
// and budgets find out who waits.
func TestOpenElsewhere(t *testing.T) {
	dbcheck.RenameConnectorField(t)
	for name, open := range map[string]func() (*sql.DB, error){
		"Open":             func() (*sql.DB, error) { return dbcheck.Open("dbcheck-fake", "app:pw@host") },
		"Open, old driver": func() (*sql.DB, error) { return dbcheck.Open("dbcheck-old", "app:pw@host") },
		"OpenDB":           func() (*sql.DB, error) { return dbcheck.OpenDB(registered.connector()), nil },
	} {
		t.Run(name, func(t *testing.T) {
			db, err := open()
			require.NoError(t, err)
			defer db.Close()
			db.SetMaxOpenConns(1)
			ft := &fakeT{}
			check := dbcheck.Verify(ft, db, dbcheck.HighWater(0.5))
			rows, err := db.Query("SELECT 1")
			require.NoError(t, err)
			require.Len(t, dbcheck.Leases(db), 1)
			check()
			require.Len(t, ft.failures(), 1)
			assert.Contains(t, ft.failures()[0], "sql.Rows from db.Query at open_test.go:")
			assert.Contains(t, ft.failures()[0], "LK214")
			require.NoError(t, rows.Close())
			assert.Empty(t, dbcheck.Leases(db))
		})
	}
}

// TestKnownIsForgotten: what is remembered of a pool goes with it.
func TestKnownIsForgotten(t *testing.T) {
	db := dbcheck.OpenDB((&fake{}).connector())
	key := weak.Make(db)
	assert.True(t, dbcheck.IsKnown(key))
	require.NoError(t, db.Close())
	require.Eventually(t, func() bool { runtime.GC(); return !dbcheck.IsKnown(key) }, 30*time.Second, 10*time.Millisecond)
}

func TestOpenFails(t *testing.T) {
	_, err := dbcheck.Open("no such driver", "app:pw@host")
	assert.EqualError(t, err, `dbcheck.Open: sql: unknown driver "no such driver" (forgotten import?)`)

	registered.setFail(func(call string) error {
		if strings.HasPrefix(call, "open ") {
			return errors.Join(errFake, errors.New("cannot parse "+strings.TrimPrefix(call, "open ")))
		}
		return nil
	})
	defer registered.setFail(nil)
	_, err = dbcheck.Open("dbcheck-fake", "app:pw@host")
	assert.EqualError(t, err, "dbcheck.Open: the fake fails\ncannot parse (data source name)")
	assert.ErrorIs(t, err, errFake)
}

func TestNilConnector(t *testing.T) {
	const want = "dbcheck: the connector is nil: pass the driver's connector, or use dbcheck.Open(driverName, dsn)"
	db := dbcheck.OpenDB(nil)
	defer db.Close()
	assert.EqualError(t, db.Ping(), want)
	_, err := db.Driver().Open("")
	assert.EqualError(t, err, want)
	assert.Nil(t, dbcheck.Leases(nil))
	assert.Nil(t, dbcheck.Leases(&sql.DB{}))
}
