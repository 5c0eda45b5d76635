package dbcheck

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
)

// connector is a driver's connector whose connections are tracked.
type connector struct {
	below driver.Connector
	pool  *pool
}

// closingConnector is one whose driver's connector can be closed. database/sql closes it with the sql.DB.
type closingConnector struct{ *connector }

// Wrap gives a connector that tracks the connections of c. Make it where the pool is made:
//
//	db := sql.OpenDB(dbcheck.Wrap(c))
//
// Make one for each sql.DB. What the program sees through database/sql is what c gives: see the package comment for what
// code that asks for the driver's own connection has to do. Wrapping a connector that is wrapped already gives it back. A
// nil connector gives one whose Connect fails with an error that says so.
func Wrap(c driver.Connector) driver.Connector { return wrap(c, 1) }

func wrap(c driver.Connector, skip int) driver.Connector {
	if poolOf(c) != nil {
		return c
	}
	if isNil(c) {
		c = noConnector{}
	}
	w := &connector{below: c, pool: newPool(skip + 1)}
	var out driver.Connector = w
	if _, ok := c.(io.Closer); ok {
		out = closingConnector{w}
	}
	return out
}

// OpenDB is sql.OpenDB(Wrap(c)).
func OpenDB(c driver.Connector) *sql.DB {
	c = wrap(c, 1)
	db := sql.OpenDB(c)
	if p := poolOf(c); p != nil {
		p.setDB(db)
	}
	return db
}

// Open is sql.Open with its connections tracked. The driver must be registered under the name, as for sql.Open. Errors are
// those of sql.Open and the driver, without the data source name and its password in their text.
func Open(driverName, dataSourceName string) (*sql.DB, error) {
	db, err := sql.Open(driverName, dataSourceName)
	if err != nil {
		return nil, &openError{text: hideDSN(err.Error(), dataSourceName), err: err}
	}
	var c driver.Connector
	if own, ok := connectorOf(db); ok {
		*own = wrap(*own, 1)
		c = *own
	} else { // a database/sql that keeps its connector elsewhere
		below := db.Driver()
		db.Close()
		if c, err = connectorFor(below, dataSourceName); err != nil {
			return nil, &openError{text: hideDSN(err.Error(), dataSourceName), err: err}
		}
		c = wrap(c, 1)
		db = sql.OpenDB(c)
	}
	if p := poolOf(c); p != nil {
		p.setDB(db)
	}
	return db, nil
}

// connectorFor makes a connector as sql.Open does.
func connectorFor(d driver.Driver, dsn string) (driver.Connector, error) {
	if c, ok := d.(driver.DriverContext); ok {
		return c.OpenConnector(dsn)
	}
	return dsnConnector{dsn: dsn, driver: d}, nil
}

type dsnConnector struct {
	dsn    string
	driver driver.Driver
}

func (c dsnConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c dsnConnector) Driver() driver.Driver                        { return c.driver }

// Connect opens a connection. The lease begins with it: database/sql connects when somebody asks for a connection.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := c.pool.faults.connect(ctx); err != nil {
		return nil, err
	}
	below, err := c.below.Connect(ctx)
	c.pool.faults.connected(err)
	if err != nil || isNil(below) {
		return below, err
	}
	return c.pool.opened(below), nil
}

// Driver gives the driver's own Driver. What is opened with it is not tracked.
func (c *connector) Driver() driver.Driver { return c.below.Driver() }

// Unwrap gives the connector below.
func (c *connector) Unwrap() driver.Connector { return c.below }

func (c *connector) tracked() *pool { return c.pool }

// Close closes the connector below.
func (c closingConnector) Close() error { return c.below.(io.Closer).Close() }

// poolOf gives the pool of a wrapped connector, also when another wrapper is around it; nil of any other.
func poolOf(c driver.Connector) *pool {
	for range maxDepth {
		if isNil(c) {
			return nil
		}
		if t, ok := c.(interface{ tracked() *pool }); ok {
			return t.tracked()
		}
		c = connectorBelow(c)
	}
	return nil
}

// noConnector stands for a nil one.
type noConnector struct{}

func (noConnector) Connect(context.Context) (driver.Conn, error) { return nil, errNoConnector }
func (noConnector) Driver() driver.Driver                        { return noDriver{} }

type noDriver struct{}

func (noDriver) Open(string) (driver.Conn, error) { return nil, errNoConnector }
