package pgxcheck_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/dbcheck/pgxcheck"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/leakcheck"
)

// TestEnclosingBudgets: Verify takes no budget away from a check that it begins inside of.
func TestEnclosingBudgets(t *testing.T) {
	if !label.Supported {
		t.Skip("this Go version does not let a goroutine read its own labels")
	}
	for _, c := range []struct {
		name, says string
		budget     leakcheck.Option
	}{
		{"NoNestedLease", "a connection was asked for while its goroutine held another connection of the pool: pgx.Tx from pool.Begin at enclosing_test.go:", dbcheck.NoNestedLease()},
		{"MaxConns", "2 database connections were open at once, and the budget is 1", dbcheck.MaxConns(1)},
		{"HighWater", "the pgxpool.Pool made at help_test.go:", dbcheck.HighWater(0.1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			pool := tracked(t)
			outer, inner := &fakeT{name: "TestA"}, &fakeT{name: "TestA"}
			check := leakcheck.Verify(outer, c.budget)
			checkInner := pgxcheck.Verify(inner, pool)
			require.NoError(t, pgx.BeginFunc(background, pool, func(pgx.Tx) error {
				return pool.QueryRow(background, secret).Scan(new(string))
			}))
			checkInner()
			check()
			assert.Empty(t, inner.failures(), "it has no budget")
			require.Len(t, outer.failures(), 1)
			assert.Equal(t, 1, strings.Count(outer.failures()[0], "    what        "+c.says), outer.failures()[0])
		})
	}
}
