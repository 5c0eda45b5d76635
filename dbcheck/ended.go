package dbcheck

import (
	"context"
	"database/sql"
	"sync"

	"github.com/leakgate/leakgate/internal/callstack"
	"github.com/leakgate/leakgate/internal/dbuse"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/leakcheck"
)

// endedByTest tells what was given back by database/sql alone, and only after the test's own context had ended. t.Context()
// ends before the check looks, and with it all rows and transactions that were begun with it: whether the program would
// have ended them cannot be seen then. That is no failure, because a Rollback in t.Cleanup comes as late.
func endedByTest(db *sql.DB) leakcheck.Option {
	p := trackedPool(db)
	return leakcheck.Follow("the test's context", func(fd leakcheck.Followed) (func() []leakcheck.Leak, error) {
		t, ok := fd.T.(interface{ Context() context.Context })
		if p == nil || !ok {
			return nil, nil
		}
		ctx := t.Context()
		if ctx == nil || ctx.Err() != nil {
			return nil, nil
		}
		var (
			mu   sync.Mutex
			all  []string
			seen = make(map[string]bool)
		)
		remove := dbuse.Observers.Add(&dbuse.Observer{
			Scope: dbuse.Scope{Test: label.ID(fd.Test)},
			Released: func(l dbuse.Lease) {
				if ctx.Err() == nil || l.Pool() != p.conns || !byAwaitDone() {
					return
				}
				what := l.What()
				mu.Lock()
				defer mu.Unlock()
				if !seen[what] && len(all) < maxFound {
					seen[what] = true
					all = append(all, what)
				}
			},
		})
		return func() []leakcheck.Leak {
			remove()
			mu.Lock()
			defer mu.Unlock()
			if t, ok := fd.T.(*sweepT); ok {
				t.ended = all // the sweep tells it once for all of its runs
				return nil
			}
			for _, what := range all {
				fd.T.Logf("dbcheck: %s was given back only after the test's context had ended: with t.Context() a leak of rows or of a transaction does not show; use context.Background()", what)
			}
			return nil
		}, nil
	})
}

// byAwaitDone says whether database/sql gives a connection back because a context has ended.
func byAwaitDone() bool {
	s := callstack.Capture(1)
	return s.Through("database/sql.(*Tx).awaitDone") || s.Through("database/sql.(*Rows).awaitDone")
}
