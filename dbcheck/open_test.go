package dbcheck_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"

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
