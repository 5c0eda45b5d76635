package page

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/verdict"
)

func using(name string, pools ...fragment.Pool) verdict.TestRun {
	r := ran(name, 1, 0, 1240, 0)
	r.Pools = pools
	return r
}

// TestTestTable: what leaked comes first, then what came nearest to its pool's size, then what held most.
func TestTestTable(t *testing.T) {
	leaked := using("TestLeaked", fragment.Pool{Name: "db", Size: 10, Peak: 1, Dialed: 1, Reused: 2})
	leaked.Leaks, leaked.Result = 2, fragment.Leaked
	leaked.Goroutines = fragment.Peak{Before: 4, After: 6, Most: 1200}
	leaked.Sockets = fragment.Peak{Before: 5, After: 3, Most: 9}
	blind := using("TestBlind")
	blind.Sockets = fragment.Peak{Before: -1, After: -1, Most: -1}
	blind.Goroutines.Most = 3
	table := newTestTable(&verdict.Verdict{Tests: []verdict.TestRun{
		using("TestIdle"), blind, using("TestUnsized", fragment.Pool{Peak: 70}), using("TestNear", fragment.Pool{Size: 10, Peak: 9}, fragment.Pool{Size: 0, Peak: 70}), leaked,
	}})
	var names []string
	for _, r := range table.Rows {
		names = append(names, r.Name)
	}
	assert.Equal(t, []string{"TestLeaked", "TestNear", "TestUnsized", "TestBlind", "TestIdle"}, names)
	assert.Equal(t, []string{"2", "1,200", "+2", "9", "−2", "1", "10 %", "1", "67 %", "1.24 s"}, table.Rows[0].Cells)
	assert.Equal(t, []string{"0", "3", "0", "–", "–", "0", "–", "0", "–", "1.24 s"}, table.Rows[3].Cells)
	assert.Len(t, table.Rows[0].Cells, len(testColumns)-2)
	require.Len(t, table.Data.Rows, 5)
	assert.JSONEq(t, `[0,"TestLeaked","leaked",2,1200,2,9,-2,1,100,1,667,1240000]`, string(table.Data.Rows[0]))
	assert.Equal(t, []string{"example.com/p"}, table.Data.Packages)
}

// TestPeaks: the worst of a test's runs stands for it, 75 % itself is not above the line, and a pool without a size is not
// compared with one.
func TestPeaks(t *testing.T) {
	db := func(peak int) fragment.Pool {
		return fragment.Pool{Kind: "sql-conn", Name: "db", Size: 8, Peak: peak, Limit: .5}
	}
	b := peakBars(&verdict.Verdict{Tests: []verdict.TestRun{
		using("TestTwice", db(2)), using("TestTwice", db(7)), using("TestEdge", db(6)), using("TestFree", fragment.Pool{Name: "db", Peak: 70}),
		using("TestPast", fragment.Pool{Name: "http", Size: 4, Peak: 5}),
	}})
	assert.Equal(t, [][]string{
		{"TestPast", "http", "", "5", "4", "125 %", "–"},
		{"TestTwice", "db", "sql-conn", "7", "8", "88 %", "50 %"},
		{"TestEdge", "db", "sql-conn", "6", "8", "75 %", "50 %"},
	}, b.Table)
	assert.Equal(t, "▲ 5 of 4", b.Rows[0].Value)
	assert.Equal(t, "80%", b.Rows[0].X, "a bar ends at 100 %")
	assert.Equal(t, "▲ 7 of 8", b.Rows[1].Value)
	assert.Equal(t, "40%", b.Rows[1].Mark)
	assert.Equal(t, "6 of 8", b.Rows[2].Value)
	assert.Equal(t, "60%", b.Rows[2].X)
	assert.Equal(t, "2 of 3 tests went above 75 % of a pool's size. The highest: 5 of 4 in pool http, by TestPast.", b.Desc)
}

// TestReuse: what all tests did to one host is one bar, and what a subtest did is not counted in its parent again.
func TestReuse(t *testing.T) {
	api := func(dialed, reused int) fragment.Pool {
		return fragment.Pool{Kind: "http-conn", Name: "api:443", Requests: dialed + reused, Dialed: dialed, Reused: reused, Early: 1}
	}
	other := using("TestB", api(1, 0))
	other.Package = "example.com/q"
	b := reuseBars(&verdict.Verdict{Tests: []verdict.TestRun{
		using("TestA", api(3, 16)), using("TestA/sub", api(2, 6)), other, using("TestUnused", fragment.Pool{Name: "idle", Size: 3}),
	}})
	assert.Equal(t, [][]string{{"api:443", "http-conn", "2", "20", "4", "16", "80 %", "2"}}, b.Table)
	assert.Equal(t, "64%", b.Rows[0].X)
	assert.Equal(t, "16%", b.Rows[0].Rest)
	assert.Equal(t, "4 connections were dialed, and 16 requests were served by one that was open. Most dials: 4 to api:443, which reused 80 %.", b.Desc)
}

// TestCut: a pool with a name as long as a book does not push the plot from the page.
func TestCut(t *testing.T) {
	var tests []verdict.TestRun
	for range 300 {
		tests = append(tests, using("Test"+time.Duration(len(tests)).String(), fragment.Pool{Name: string(make([]byte, 9000)), Size: 1, Peak: 1, Dialed: 1}))
	}
	b := peakBars(&verdict.Verdict{Tests: tests})
	assert.Len(t, b.Rows, maxBars)
	assert.Len(t, b.Table, maxRows)
	assert.Equal(t, 100, b.TableMore)
	assert.LessOrEqual(t, len([]rune(b.Rows[0].Label)), 50)
}
