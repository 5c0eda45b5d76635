package exhaustion

import (
	"context"
	"database/sql"
	"database/sql/driver"
)

// FixedCatalog is Catalog with one line more.
type FixedCatalog struct {
	DB *sql.DB
}

// InStock says whether there is any of an item.
func (c *FixedCatalog) InStock(ctx context.Context, item string) (bool, error) {
	rows, err := c.DB.QueryContext(ctx, "SELECT 1 FROM stock WHERE item = $1", item)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	return rows.Next(), rows.Err()
}

// FixedOpen gives each instance what all of them together can have, also while three new ones start before three old ones
// end, and keeps what is open.
func FixedOpen(open func(driver.Connector) *sql.DB, server driver.Connector) *sql.DB {
	db := open(server)
	db.SetMaxOpenConns(6)
	db.SetMaxIdleConns(6)
	return db
}
