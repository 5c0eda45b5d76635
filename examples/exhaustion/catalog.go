// Package exhaustion is a runbook as tests: the three ways in which a service uses up the connections of its database server, behind
// one and the same error.
package exhaustion

import (
	"context"
	"database/sql"
	"database/sql/driver"
)

// Catalog knows what is in stock.
type Catalog struct {
	DB *sql.DB
}

// InStock says whether there is any of an item: whether there is a row.
func (c *Catalog) InStock(ctx context.Context, item string) (bool, error) {
	rows, err := c.DB.QueryContext(ctx, "SELECT 1 FROM stock WHERE item = $1", item)
	if err != nil {
		return false, err
	}
	return rows.Next(), rows.Err()
}

// Open opens the pool of an instance. There are twelve instances. open is sql.OpenDB; a test gives dbcheck.OpenDB.
func Open(open func(driver.Connector) *sql.DB, server driver.Connector) *sql.DB {
	db := open(server)
	db.SetMaxOpenConns(20) // what one instance needed on its busiest day
	db.SetMaxIdleConns(0)  // so that the server has no sessions that nobody uses
	return db
}
