package pgxpool_test

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// afterRelease cleans a connection up, as programs do. It takes a moment.
func afterRelease(c *pgx.Conn) bool {
	_, err := c.Exec(context.Background(), "SELECT pg_sleep(0.05)")
	return err == nil
}
