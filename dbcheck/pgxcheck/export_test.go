package pgxcheck

import (
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/leakgate/leakgate/leakcheck"
)

// Stuck says whether a Close of the pool would be said to wait for ever, without the second that it has to last.
func Stuck(of *pgxpool.Pool) bool { return (&drain{of: of, p: poolOf(of)}).stuck() }

// CloseWithin is Close with another time than a second.
func CloseWithin(t leakcheck.TB, pool *pgxpool.Pool, wait time.Duration) { closeWithin(t, pool, wait) }

// Closing says whether the pool's Close was called.
func Closing(of *pgxpool.Pool) bool { return isClosed(of) }
