package dbcheck_test

import (
	"database/sql"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

// needLabels skips where a goroutine's test cannot be told.
func needLabels(t *testing.T) {
	t.Helper()
	if !label.Supported {
		t.Skip("this Go version does not let a goroutine read its own labels")
	}
}

// TestEnclosingBudgets: a check that begins inside another one takes no budget away from it.
func TestEnclosingBudgets(t *testing.T) {
	needLabels(t)
	mock := mockserver.New(t)
	mock.On("GET", "/charge").Reply(mockserver.Status(204))
	client := &http.Client{Transport: httpcheck.Wrap(&http.Transport{})}
	t.Cleanup(client.CloseIdleConnections)
	nested := func(t *testing.T, db *sql.DB) {
		tx, err := db.Begin()
		require.NoError(t, err)
		assert.NoError(t, db.Ping())
		assert.NoError(t, tx.Rollback())
	}
	call := func(t *testing.T, db *sql.DB) {
		tx, err := db.Begin()
		require.NoError(t, err)
		resp, err := client.Get(mock.URL + "/charge")
		if assert.NoError(t, err) {
			resp.Body.Close()
		}
		assert.NoError(t, tx.Rollback())
	}
	budgets := []struct {
		name, says string
		option     func() leakcheck.Option
		run        func(*testing.T, *sql.DB)
	}{
		{"NoNestedLease", "while its goroutine held another connection of the pool", dbcheck.NoNestedLease, nested},
		{"MaxConns", "2 database connections were open at once, and the budget is 1", func() leakcheck.Option { return dbcheck.MaxConns(1) }, nested},
		{"NoCallWhileHeld", "GET /charge was sent at enclosing_test.go:", dbcheck.NoCallWhileHeld, call},
		{"MaxHold", "held its connection for longer than 1ns", func() leakcheck.Option { return dbcheck.MaxHold(time.Nanosecond) }, call},
		{"MinReuse", "of its leases, and the budget is 100%", func() leakcheck.Option { return dbcheck.MinReuse(1) }, nested},
		{"HighWater", "connections out at once, and the budget is 10%", func() leakcheck.Option { return dbcheck.HighWater(0.1) }, nested},
	}
	inner := []struct {
		name  string
		begin func(db *sql.DB) (*fakeT, func())
	}{
		{"none", func(*sql.DB) (*fakeT, func()) { return &fakeT{}, func() {} }},
		{"dbcheck.Verify", func(db *sql.DB) (*fakeT, func()) {
			ft := &fakeT{name: "TestA"}
			return ft, dbcheck.Verify(ft, db)
		}},
		{"httpcheck.Verify", func(*sql.DB) (*fakeT, func()) {
			ft := &fakeT{name: "TestA"}
			return ft, httpcheck.Verify(ft, &http.Client{})
		}},
		{"leakcheck.Verify in a subtest", func(*sql.DB) (*fakeT, func()) {
			ft := &fakeT{name: "TestA/sub"}
			return ft, leakcheck.Verify(ft)
		}},
		{"two", func(db *sql.DB) (*fakeT, func()) {
			ft := &fakeT{name: "TestA"}
			first := httpcheck.Verify(ft, &http.Client{})
			second := dbcheck.Verify(ft, db)
			return ft, func() { second(); first() }
		}},
	}
	for _, b := range budgets {
		for _, in := range inner {
			t.Run(b.name+" around "+in.name, func(t *testing.T) {
				db := tracked(t, &fake{})
				db.SetMaxOpenConns(4)
				outer := &fakeT{name: "TestA"}
				check := leakcheck.Verify(outer, b.option())
				ft, checkInner := in.begin(db)
				b.run(t, db)
				checkInner()
				check()
				require.Len(t, outer.failures(), 1)
				assert.Contains(t, outer.failures()[0], "leakcheck: 1 leak: ")
				assert.Contains(t, outer.failures()[0], b.says)
				assert.Empty(t, ft.failures(), "it has no budget")
			})
		}
	}
}

// TestBudgetBesideBudget: an inner budget and an outer one are judged each for itself, once.
func TestBudgetBesideBudget(t *testing.T) {
	needLabels(t)
	for _, c := range []struct {
		name         string
		outer, inner int
		fails        [2]int
	}{{"both", 1, 1, [2]int{1, 1}}, {"the outer", 1, 2, [2]int{1, 0}}, {"the inner", 2, 1, [2]int{0, 1}}, {"none", 2, 2, [2]int{0, 0}}} {
		t.Run(c.name, func(t *testing.T) {
			db := tracked(t, &fake{})
			outer, inner := &fakeT{name: "TestA"}, &fakeT{name: "TestA"}
			check := leakcheck.Verify(outer, dbcheck.MaxConns(c.outer))
			checkInner := dbcheck.Verify(inner, db, dbcheck.MaxConns(c.inner))
			tx, err := db.Begin()
			require.NoError(t, err)
			assert.NoError(t, db.Ping())
			assert.NoError(t, tx.Rollback())
			checkInner()
			check()
			assert.Len(t, outer.failures(), c.fails[0])
			assert.Len(t, inner.failures(), c.fails[1])
			for _, text := range append(outer.failures(), inner.failures()...) {
				assert.Contains(t, text, "leakcheck: 1 leak: ")
			}
		})
	}
}

// TestEnclosingParallel: what a parallel subtest does counts for the test around it, and for no sibling.
func TestEnclosingParallel(t *testing.T) {
	needLabels(t)
	db := tracked(t, &fake{})
	outer := &fakeT{name: t.Name()}
	check := leakcheck.Verify(outer, dbcheck.NoNestedLease())
	var good, bad fakeT
	t.Run("all", func(t *testing.T) {
		held, done := make(chan bool), make(chan bool)
		t.Run("good", func(t *testing.T) {
			t.Parallel()
			good.name = t.Name()
			check := leakcheck.Verify(&inParallel{T: t, to: &good}, dbcheck.NoNestedLease(), dbcheck.MaxConns(1), dbcheck.MaxHold(time.Hour))
			defer check()
			tx, err := db.Begin()
			assert.NoError(t, err)
			close(held)
			<-done
			assert.NoError(t, tx.Rollback())
		})
		t.Run("bad", func(t *testing.T) {
			t.Parallel()
			bad.name = t.Name()
			check := leakcheck.Verify(&inParallel{T: t, to: &bad}, dbcheck.NoNestedLease())
			defer check()
			defer close(done)
			<-held
			tx, err := db.Begin()
			assert.NoError(t, err)
			assert.NoError(t, db.Ping())
			assert.NoError(t, tx.Rollback())
		})
	})
	check()
	assert.Empty(t, good.failures())
	assert.Len(t, bad.failures(), 1)
	require.Len(t, outer.failures(), 1)
	assert.Contains(t, outer.failures()[0], "leakcheck: 1 leak: ")
}
