// Package nightlysync is an incident: a worker that opens a database session for each item, and meets the server's limit.
package nightlysync

import (
	"context"
	"database/sql"
	"fmt"
)

// Worker marks items as synced, every night.
type Worker struct {
	Driver, DSN string
	Open        func(driver, dsn string) (*sql.DB, error) // sql.Open; a test gives dbcheck.Open
}

// Sync marks the items, one after the other. It gives how many it has done when one fails.
func (w *Worker) Sync(ctx context.Context, items []int) (done int, err error) {
	for _, item := range items {
		if err := w.syncItem(ctx, item); err != nil {
			return done, fmt.Errorf("item %d: %w", item, err)
		}
		done++
	}
	return done, nil
}

func (w *Worker) syncItem(ctx context.Context, item int) error {
	db, err := w.Open(w.Driver, w.DSN)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "UPDATE items SET synced = true WHERE id = $1", item)
	return err
}
