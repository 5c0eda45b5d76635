package dbcheck_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

// contextT is a test with a context, which ends when the test does, before its cleanups.
type contextT struct {
	fakeT
	ctx context.Context
}

func (t *contextT) Context() context.Context { return t.ctx }

func normalised(text string) string {
	for _, n := range normal {
		text = n.re.ReplaceAllString(text, n.by)
	}
	return text
}

// TestEndedByTest: what only the end of t.Context() gave back is told, because a leak would not show.
func TestEndedByTest(t *testing.T) {
	const text = "dbcheck: %s was given back only after the test's context had ended: with t.Context() a leak of rows or of a transaction does not show; use context.Background()"
	for _, c := range []struct {
		name, why string
		use       func(t *testing.T, ctx context.Context, db *sql.DB)
		told      string
		leaks     int
	}{
		{"tx", "nobody ends it", func(t *testing.T, ctx context.Context, db *sql.DB) {
			_, err := db.BeginTx(ctx, nil)
			require.NoError(t, err)
		}, "sql.Tx from db.BeginTx at ended_test.go:LINE", 0},
		{"rows", "nobody closes them", func(t *testing.T, ctx context.Context, db *sql.DB) {
			_, err := db.QueryContext(ctx, "SELECT id FROM users")
			require.NoError(t, err)
		}, "sql.Rows from db.QueryContext at ended_test.go:LINE", 0},
		{"ended", "the program ends it", func(t *testing.T, ctx context.Context, db *sql.DB) {
			tx, err := db.BeginTx(ctx, nil)
			require.NoError(t, err)
			require.NoError(t, tx.Rollback())
		}, "", 0},
		{"a context of its own", "it ends in the test, as a request's does", func(t *testing.T, ctx context.Context, db *sql.DB) {
			ctx, cancel := context.WithCancel(ctx)
			_, err := db.BeginTx(ctx, nil)
			require.NoError(t, err)
			cancel()
			require.Eventually(t, func() bool { return db.Stats().InUse == 0 }, 30*time.Second, time.Millisecond)
		}, "", 0},
		{"no end", "a leak that shows is no matter of this", func(t *testing.T, _ context.Context, db *sql.DB) {
			_, err := db.Begin()
			require.NoError(t, err)
		}, "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, verify := range map[string]func(leakcheck.TB, *sql.DB) func(){
				"dbcheck.Verify": func(t leakcheck.TB, db *sql.DB) func() { return dbcheck.Verify(t, db) },
				"dbcheck.DB":     func(t leakcheck.TB, db *sql.DB) func() { return leakcheck.Verify(t, dbcheck.DB(db)) },
			} {
				t.Run(name, func(t *testing.T) {
					db := tracked(t, &fake{})
					ctx, end := context.WithCancel(context.Background())
					defer end()
					ft := &contextT{ctx: ctx}
					check := verify(ft, db)
					c.use(t, ctx, db)
					end()
					check()
					assert.Len(t, ft.failures(), c.leaks, c.why)
					if c.told == "" {
						assert.Empty(t, ft.logged(), c.why)
						return
					}
					require.Len(t, ft.logged(), 1, c.why)
					assert.Equal(t, fmt.Sprintf(text, c.told), normalised(ft.logged()[0]))
				})
			}
		})
	}
}
