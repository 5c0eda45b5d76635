package patterns_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
)

// has lists which of the interfaces a value has.
func has(v any, interfaces []reflect.Type) (out []string) {
	for _, i := range interfaces {
		if reflect.TypeOf(v).Implements(i) {
			out = append(out, i.String())
		}
	}
	return out
}

var (
	ofConn = []reflect.Type{
		reflect.TypeFor[driver.Pinger](), reflect.TypeFor[driver.ConnPrepareContext](), reflect.TypeFor[driver.ConnBeginTx](),
		reflect.TypeFor[driver.NamedValueChecker](), reflect.TypeFor[driver.ExecerContext](), reflect.TypeFor[driver.QueryerContext](),
	}
	ofStmt = []reflect.Type{
		reflect.TypeFor[driver.StmtExecContext](), reflect.TypeFor[driver.StmtQueryContext](), reflect.TypeFor[driver.NamedValueChecker](),
		reflect.TypeFor[driver.ColumnConverter](), //lint:ignore SA1019 what an old driver has
	}
	ofConnector = []reflect.Type{reflect.TypeFor[io.Closer]()}
)

// testExposed: database/sql behaves differently for each optional interface, so that each is there when the driver has it, and
// only then.
func testExposed(t *testing.T, d database) {
	ctx := context.Background()
	db := d.open(t)
	plain, err := sql.Open(d.driver, d.source)
	require.NoError(t, err)
	defer plain.Close()
	assert.Equal(t, reflect.TypeOf(plain.Driver()), reflect.TypeOf(db.Driver()))

	if dc, ok := plain.Driver().(driver.DriverContext); ok {
		c, err := dc.OpenConnector(d.source)
		require.NoError(t, err)
		assert.Equal(t, has(c, ofConnector), has(dbcheck.Wrap(c), ofConnector))
	}

	conn, err := db.Conn(ctx)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.Raw(func(c any) error {
		mine := own(c)
		assert.Equal(t, d.conn, fmt.Sprintf("%T", mine))
		assert.Equal(t, has(mine, ofConn), has(c, ofConn))
		assert.NotEqual(t, reflect.TypeOf(mine), reflect.TypeOf(c))

		query := d.q("SELECT id FROM items WHERE id > ?")
		theirs, err := mine.Prepare(query)
		require.NoError(t, err)
		defer theirs.Close()
		ours, err := c.(driver.Conn).Prepare(query)
		require.NoError(t, err)
		defer ours.Close()
		assert.Equal(t, has(theirs, ofStmt), has(ours, ofStmt))

		var rows driver.Rows
		if q, ok := ours.(driver.StmtQueryContext); ok {
			rows, err = q.QueryContext(ctx, []driver.NamedValue{{Ordinal: 1, Value: int64(0)}})
		} else {
			rows, err = ours.Query([]driver.Value{int64(0)}) //lint:ignore SA1019 an old driver has nothing else
		}
		require.NoError(t, err)
		defer rows.Close()
		assert.Equal(t, reflect.TypeOf(mine).Elem().PkgPath(), reflect.TypeOf(rows).Elem().PkgPath(), "the driver's own rows")
		return nil
	}))
}

// testRawAsWritten: what code that asks for the driver's own connection meets.
func testRawAsWritten(t *testing.T, d database) {
	conn, err := d.open(t).Conn(context.Background())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.Raw(func(c any) error {
		_, ok := c.(interface{ Raw() driver.Conn })
		assert.True(t, ok)
		assert.Contains(t, fmt.Sprintf("%T", c), "*dbcheck.conn")
		return nil
	}))
}

// testServerProcess: the report names the server's process, where the driver knows it without a query.
func testServerProcess(t *testing.T, d database) {
	if !d.net {
		t.Skip("there is no server")
	}
	db := d.open(t)
	conn, err := db.Conn(context.Background())
	require.NoError(t, err)
	defer conn.Close()
	var pid int
	require.NoError(t, conn.QueryRowContext(context.Background(), map[bool]string{
		true: "SELECT pg_backend_pid()", false: "SELECT connection_id()"}[d.dollar]).Scan(&pid))
	leaks := dbcheck.Leases(db)
	require.Len(t, leaks, 1)
	if d.shows {
		assert.Contains(t, leaks[0].Holds[0], fmt.Sprintf("server process %d", pid))
	} else {
		assert.NotContains(t, leaks[0].Holds[0], "server process") // go-sql-driver/mysql reads the number and forgets it
	}
}
