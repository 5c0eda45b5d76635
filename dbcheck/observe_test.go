package dbcheck

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/outbound"
)

// TestObserversEnd: when a check is over, nothing goes on to observe, whatever came of the test.
func TestObserversEnd(t *testing.T) {
	for _, fails := range []bool{false, true} {
		db := OpenDB(plainConnector{})
		r := &record{name: "TestFake"}
		check := Verify(r, db, MaxHold(1), MaxConns(9), NoNestedLease(), NoCallWhileHeld())
		tx, err := db.Begin()
		require.NoError(t, err)
		assert.True(t, observers.WantGoroutines() && outbound.Calls.Active())
		assert.Len(t, observers.Holders(), 1)
		require.NoError(t, tx.Rollback())
		assert.Empty(t, observers.Holders())
		if fails {
			r.Errorf("by itself")
		}
		check()
		assert.False(t, observers.Active())
		assert.False(t, observers.WantGoroutines() || outbound.Calls.Active())
		require.NoError(t, db.Close())
	}
}
