package nightlysync

import (
	"context"
	"fmt"
)

// SyncDeferred is Sync after the first review: "close it". The sessions are closed now, all of them at the end of the night.
func (w *Worker) SyncDeferred(ctx context.Context, items []int) (done int, err error) {
	for _, item := range items {
		db, err := w.Open(w.Driver, w.DSN)
		if err != nil {
			return done, err
		}
		defer db.Close()
		if _, err := db.ExecContext(ctx, "UPDATE items SET synced = true WHERE id = $1", item); err != nil {
			return done, fmt.Errorf("item %d: %w", item, err)
		}
		done++
	}
	return done, nil
}
