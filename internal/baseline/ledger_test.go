package baseline

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	shop = "example.com/shop"
	body = "http-response | GET | example.com/shop.Get | TestGet"
	rows = "sql-rows | tracked | example.com/shop.List | TestGet"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func ledger(t *testing.T, entries ...Entry) *Ledger {
	t.Helper()
	f := &File{Path: Name, Entries: entries}
	for i := range f.Entries {
		f.Entries[i].Code, f.Entries[i].Added = "LK001", "2026-11-01"
		if f.Entries[i].Reason == "" {
			f.Entries[i].Reason = "old"
		}
	}
	got, err := Parse(Name, f.Format())
	require.NoError(t, err)
	return NewLedger(got, shop, noon)
}

// once runs a check of a test that leaks.
func (l *Ledger) once(test, fingerprint string, count int) Answer {
	l.Begin(test)
	defer l.End(test)
	return l.Add(test, fingerprint, count)
}

func TestLedgerRules(t *testing.T) {
	l := ledger(t,
		Entry{Key: NewKey(shop, body), Count: 2},
		Entry{Key: NewKey(shop, rows), Count: 9, Expires: "2026-11-21", Owner: "@data"},
	)
	a := l.once("TestGet", body, 2)
	assert.Equal(t, Allowed, a.Ruling)
	assert.Equal(t, 2, a.Total)
	assert.Equal(t, 2, a.Entry.Count)
	assert.Empty(t, a.Why)

	a = l.once("TestGet", body, 3)
	assert.Equal(t, Over, a.Ruling)
	assert.Equal(t, "the baseline allows 2, found 3: which of them is new cannot be told", a.Why)

	a = l.once("TestGet", rows, 1)
	assert.Equal(t, Lapsed, a.Ruling)
	assert.Equal(t, "the baseline accepted it until 2026-11-21 (old; @data)", a.Why)
	assert.Equal(t, "@data", a.Entry.Owner)

	assert.Equal(t, Answer{Ruling: Unlisted, Total: 1}, l.once("TestGet", "goroutine | x | y | TestGet", 1))
	assert.Equal(t, Unlisted, NewLedger(l.file, shop+"/other", noon).once("TestGet", body, 1).Ruling, "the package is part of the key")
	assert.Equal(t, Unlisted, NewLedger(nil, shop, noon).once("TestGet", body, 1).Ruling, "no baseline")
}

// TestLedgerAddsUpSubtests: what a table's rows leak is one number.
func TestLedgerAddsUpSubtests(t *testing.T) {
	l := ledger(t, Entry{Key: NewKey(shop, body), Count: 2})
	assert.Equal(t, Allowed, l.once("TestGet/a", body, 1).Ruling)
	assert.Equal(t, Allowed, l.once("TestGet/b", body, 1).Ruling)
	a := l.once("TestGet/c", body, 1)
	assert.Equal(t, Over, a.Ruling)
	assert.Equal(t, "the baseline allows 2, found 3 (1 in TestGet/a, 1 in TestGet/b): which of them is new cannot be told", a.Why)
	l.once("TestGet/d", body, 1)
	assert.Equal(t, "the baseline allows 2, found 5 (1 in TestGet/a, 1 in TestGet/b, 1 in TestGet/c, and in 1 more): which of them is new cannot be told",
		l.once("TestGet/e", body, 1).Why)
	assert.Equal(t, Allowed, l.once("TestGetAll", body, 2).Ruling, "another top-level test")
}

// TestLedgerStartsAnew: -count=3 is three runs with the same leak, and not three leaks.
func TestLedgerStartsAnew(t *testing.T) {
	t.Run("a test", func(t *testing.T) {
		l := ledger(t, Entry{Key: NewKey(shop, body), Count: 1})
		for range 3 {
			assert.Equal(t, Allowed, l.once("TestGet", body, 1).Ruling)
		}
	})
	t.Run("subtests alone are checked", func(t *testing.T) {
		l := ledger(t, Entry{Key: NewKey(shop, body), Count: 2})
		for range 3 {
			l.Begin("TestGet/clean")
			l.End("TestGet/clean")
			assert.Equal(t, Allowed, l.once("TestGet/a", body, 1).Ruling)
			assert.Equal(t, 2, l.once("TestGet/b", body, 1).Total)
		}
	})
	t.Run("subtests run in parallel and in another order", func(t *testing.T) {
		l := ledger(t, Entry{Key: NewKey(shop, body), Count: 2})
		for _, order := range [][2]string{{"a", "b"}, {"b", "a"}} {
			for _, name := range order {
				l.Begin("TestGet/" + name)
			}
			assert.Equal(t, 1, l.Add("TestGet/a", body, 1).Total)
			assert.Equal(t, 2, l.Add("TestGet/b", body, 1).Total)
			for _, name := range order {
				l.End("TestGet/" + name)
			}
		}
	})
	t.Run("the test and its subtests are checked", func(t *testing.T) {
		l := ledger(t, Entry{Key: NewKey(shop, body), Count: 3})
		for range 3 {
			l.Begin("TestGet")
			assert.Equal(t, 1, l.once("TestGet/a", body, 1).Total)
			assert.Equal(t, 2, l.once("TestGet/b", body, 1).Total)
			assert.Equal(t, 3, l.Add("TestGet", body, 1).Total)
			l.End("TestGet")
		}
	})
}

// TestLedgerTwoChecksOfOneTest: httpcheck.Verify and leakcheck.Verify in one test are one run.
func TestLedgerTwoChecksOfOneTest(t *testing.T) {
	l := ledger(t, Entry{Key: NewKey(shop, body), Count: 1})
	for range 2 {
		l.Begin("TestGet")
		l.Begin("TestGet")
		assert.Equal(t, Allowed, l.Add("TestGet", body, 1).Ruling)
		l.End("TestGet")
		assert.Equal(t, Over, l.Add("TestGet", body, 1).Ruling)
		l.End("TestGet")
	}
	l.Begin("TestLoop")
	for want := 1; want < 4; want++ {
		assert.Equal(t, want, l.once("TestLoop/sub", body, 1).Total, "checks of a subtest that follow each other, while the test's own is under way")
	}
	l.End("TestLoop")
}

// TestLedgerWithoutATest: what nobody can be blamed for is counted in the process, and a test that did not begin or that is
// not over is no trouble.
func TestLedgerWithoutATest(t *testing.T) {
	l := ledger(t, Entry{Key: NewKey(shop, body), Count: 1})
	assert.Equal(t, Allowed, l.Add("", body, 1).Ruling)
	assert.Equal(t, Over, l.Add("", body, 1).Ruling)
	assert.Equal(t, Allowed, l.Add("TestNeverBegan", body, 1).Ruling)
	l.End("TestNeverBegan")
	l.Begin("TestNeverBegan")
	assert.Equal(t, Over, l.Add("TestNeverBegan", body, 1).Ruling, "it began for the first time")
}

func TestLedgerFromManyGoroutines(t *testing.T) {
	l := ledger(t, Entry{Key: NewKey(shop, body), Count: 50})
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() { l.once("TestGet/"+string(rune('A'+i)), body, 1) })
	}
	wg.Wait()
	assert.Equal(t, Over, l.Add("TestGet", body, 1).Ruling)
}
