package dbcheck_test

import (
	"database/sql"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/leakcheck"
)

// budgets are those that follow each lease.
func budgets() []leakcheck.Option {
	return []leakcheck.Option{
		dbcheck.MaxHold(time.Hour), dbcheck.MaxConns(10), dbcheck.NoCallWhileHeld(), dbcheck.NoNestedLease(),
	}
}

// TestAllocations: a lease costs at most two allocations more than with the plain driver.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates too: run it without -race")
	}
	count := func(db *sql.DB, do func(*sql.DB) error) float64 {
		defer db.Close()
		least := math.Inf(1)
		for range 5 { // a goroutine of database/sql that ends late makes the next one cost another
			least = min(least, testing.AllocsPerRun(100, func() {
				if err := do(db); err != nil {
					t.Error(err)
				}
				runtime.Gosched()
			}))
		}
		return least
	}
	for _, u := range uses {
		t.Run(u.name, func(t *testing.T) {
			plain := count(sql.OpenDB(quietAll{}), u.do)
			assert.LessOrEqual(t, count(dbcheck.OpenDB(quietAll{}), u.do)-plain, u.may)

			for _, opts := range [][]leakcheck.Option{nil, budgets()} {
				db := dbcheck.OpenDB(quietAll{})
				ft := &fakeT{}
				check := dbcheck.Verify(ft, db, opts...)
				assert.LessOrEqual(t, count(db, u.do)-plain, u.may, "under Verify with %d budgets", len(opts))
				check()
				assert.Empty(t, ft.failures())
			}
		})
	}
}

// TestLeavesNothing: what is given back is forgotten, with and without a check that watches.
func TestLeavesNothing(t *testing.T) {
	n := 1_000_000
	if raceEnabled || testing.Short() {
		n = 150_000 // some 500 objects come and go however many there are: a hundredth must be far above
	}
	objects := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what the first has found, sync.Pool keeps until the second
		runtime.ReadMemStats(&m)
		return int(m.HeapObjects)
	}
	for _, c := range []struct {
		name  string
		n     int
		watch []leakcheck.Option
	}{
		{"not watched", n, nil},
		{"watched", n / 10, budgets()},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := dbcheck.OpenDB(quietAll{})
			defer db.Close()
			ft := &fakeT{}
			if c.watch != nil {
				defer dbcheck.Verify(ft, db, c.watch...)()
			}
			round := func(n int) {
				for i := range n {
					require.NoError(t, uses[i%len(uses)].do(db))
				}
			}
			round(100) // what is made once
			leases, before := lease.Live.Len(), objects()
			round(c.n)
			assert.Equal(t, leases, lease.Live.Len())
			// One object for a hundred leases would be less than any record of them, and more than what comes and goes.
			assert.Less(t, objects()-before, c.n/100)
			assert.Empty(t, dbcheck.Leases(db))
			assert.Empty(t, ft.failures())
		})
	}
}
