package nightlysync

import (
	"context"
	"fmt"
)

// FixedSync is Sync with one pool for the run. A service that lives longer than that has one for its life.
func (w *Worker) FixedSync(ctx context.Context, items []int) (done int, err error) {
	db, err := w.Open(w.Driver, w.DSN)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	for _, item := range items {
		if _, err := db.ExecContext(ctx, "UPDATE items SET synced = true WHERE id = $1", item); err != nil {
			return done, fmt.Errorf("item %d: %w", item, err)
		}
		done++
	}
	return done, nil
}
