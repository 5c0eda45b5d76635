package page

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/verdict"
)

// Most of the table of tests.
const (
	rowsWithoutScript = 50
	testsMax          = 3 << 19 // bytes of the rows, as JSON
)

// column is one of the table's. Its order is that of the numbers of testRow.
type column struct {
	Key, Label string
	Of         string // goes on with the label for who cannot see the column before
	Help       string
	Number     bool
}

var testColumns = []column{
	{Key: "test", Label: "Test"},
	{Key: "result", Label: "Result"},
	{Key: "leaks", Label: "Leaked", Help: "resources that it leaked", Number: true},
	{Key: "goroutines", Label: "Goroutines", Help: "most in the process while it ran", Number: true},
	{Key: "goroutines-left", Label: "left", Of: " of goroutines", Help: "goroutines: how many more when it ended than when it began", Number: true},
	{Key: "sockets", Label: "Sockets", Help: "most in the process while it ran", Number: true},
	{Key: "sockets-left", Label: "left", Of: " of sockets", Help: "sockets: how many more when it ended than when it began", Number: true},
	{Key: "leases", Label: "Leases", Help: "most connections of one pool out at once", Number: true},
	{Key: "pool", Label: "Of pool", Help: "the largest share of a pool's size", Number: true},
	{Key: "dialed", Label: "Dialed", Help: "connections that were opened", Number: true},
	{Key: "reuse", Label: "Reused", Help: "share of requests that got a connection that was open", Number: true},
	{Key: "took", Label: "Took", Number: true},
}

// testTable is the table of tests: its first rows for a reader without JavaScript, and all as JSON.
type testTable struct {
	Columns []column
	Rows    []testCells
	All     int
	In      int    // how many the JSON has
	LeftOut string // how many it has not; "" for none
	Data    testData
}

// testCells is one row as text.
type testCells struct {
	Package, Name string
	Result        string
	Leaked        bool
	Cells         []string // of the number columns
}

// testData is what the script reads. Rows are arrays, because names of members would be most of the page.
type testData struct {
	Packages []string          `json:"packages"`
	Rows     []json.RawMessage `json:"rows"`
}

// testRow is one row: package (an index), name, result, and then the numbers as numbers gives them.
type testRow struct {
	test  *verdict.TestRun
	lease int
	share float64 // of a pool's size; -1 when none is known
	reuse float64 // -1 without a request
	dials int
}

func newTestRow(t *verdict.TestRun) testRow {
	r := testRow{test: t, share: -1, reuse: -1}
	reused := 0
	for _, p := range t.Pools {
		r.lease = max(r.lease, p.Peak)
		if p.Size > 0 {
			r.share = max(r.share, float64(p.Peak)/float64(p.Size))
		}
		r.dials += p.Dialed
		reused += p.Reused
	}
	if r.dials+reused > 0 {
		r.reuse = float64(reused) / float64(r.dials+reused)
	}
	return r
}

// numbers are the sort keys of the columns from "leaks" on; those below zero of pool, reuse and sockets mean "not known".
func (r testRow) numbers() []int {
	t := r.test
	left := t.Sockets.After - t.Sockets.Before
	sockets := t.Sockets.Most
	if t.Sockets.Before < 0 || t.Sockets.After < 0 || sockets < 0 {
		sockets, left = -1, 0
	}
	return []int{
		t.Leaks, t.Goroutines.Most, t.Goroutines.After - t.Goroutines.Before, sockets, left, r.lease,
		thousandths(r.share), r.dials, thousandths(r.reuse), int(t.Took.Microseconds()),
	}
}

func thousandths(share float64) int {
	if share < 0 {
		return -1
	}
	return int(share*1000 + 0.5)
}

// cells are the numbers as a reader sees them. The script's function of the same name does the same.
func (r testRow) cells() []string {
	n := r.numbers()
	known := func(i int, s string) string {
		if n[i] < 0 {
			return "–"
		}
		return s
	}
	socketsLeft := "–"
	if n[3] >= 0 {
		socketsLeft = signed(n[4])
	}
	return []string{
		number(n[0]), number(n[1]), signed(n[2]), known(3, number(n[3])), socketsLeft, number(n[5]),
		known(6, percent(float64(n[6])/1000)), number(n[7]), known(8, percent(float64(n[8])/1000)), took(r.test.Took),
	}
}

func signed(n int) string {
	switch {
	case n > 0:
		return "+" + number(n)
	case n < 0:
		return "−" + number(-n)
	}
	return "0"
}

// newTestTable puts first what leaked, then what came nearest to its pool's size, then what held most.
func newTestTable(v *verdict.Verdict) testTable {
	t := testTable{Columns: testColumns, All: len(v.Tests)}
	rows := make([]testRow, len(v.Tests))
	for i := range v.Tests {
		rows[i] = newTestRow(&v.Tests[i])
	}
	slices.SortStableFunc(rows, func(a, b testRow) int {
		return cmp.Or(
			cmp.Compare(b.test.Leaks, a.test.Leaks),
			cmp.Compare(b.share, a.share),
			cmp.Compare(b.lease, a.lease),
			cmp.Compare(b.test.Goroutines.Most, a.test.Goroutines.Most),
			cmp.Compare(a.test.Package, b.test.Package),
			cmp.Compare(a.test.Name, b.test.Name),
		)
	})
	index := make(map[string]int)
	size := 0
	for i, r := range rows {
		pkg := line(r.test.Package)
		at, known := index[pkg]
		if !known {
			at = len(t.Data.Packages)
		}
		raw := r.json(at)
		if size += len(raw) + 1; size > testsMax {
			t.LeftOut = count(len(rows)-i, "test")
			break
		}
		if !known {
			index[pkg] = at
			t.Data.Packages = append(t.Data.Packages, pkg)
			size += len(pkg)
		}
		t.Data.Rows = append(t.Data.Rows, raw)
		if i < rowsWithoutScript {
			t.Rows = append(t.Rows, testCells{
				Package: pkg, Name: line(r.test.Name), Result: result(r.test.Result), Leaked: r.test.Leaks > 0, Cells: r.cells(),
			})
		}
	}
	t.In = len(t.Data.Rows)
	return t
}

func (r testRow) json(pkg int) json.RawMessage {
	row := []any{pkg, line(r.test.Name), result(r.test.Result)}
	for _, n := range r.numbers() {
		row = append(row, n)
	}
	b, err := json.Marshal(row)
	if err != nil { // it is made of strings and integers
		panic(fmt.Sprintf("page: a row of %s: %v", r.test.Name, err))
	}
	return b
}

func result(s string) string {
	switch s {
	case fragment.Passed, fragment.Failed, fragment.Leaked, fragment.Skipped:
		return s
	}
	return line(s)
}
