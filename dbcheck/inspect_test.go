package dbcheck_test

import (
	"context"
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
)

// below is embedded under another name than that of a method.
type below = driver.Conn

// askable is a connection of some driver whose methods have the names of pgx's.
type askable struct {
	below
	asked *bool
}

func (c *askable) Conn() *askable   { *c.asked = true; return c }
func (c *askable) PgConn() *askable { return c }
func (c *askable) PID() uint32      { return 4711 }

type askableConnector struct {
	driver.Connector
	asked bool
}

func (c *askableConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	return &askable{conn, &c.asked}, err
}

// TestAskNoOther: only pgx's connections are asked for the server's process; a method of the same name may do something else.
func TestAskNoOther(t *testing.T) {
	c := &askableConnector{Connector: (&fake{}).connector()}
	db := dbcheck.OpenDB(c)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	conn, err := db.Conn(context.Background())
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	assert.False(t, c.asked)
}
