package patterns_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

// pattern is a mistake and the same code without it.
type pattern struct {
	name         string
	buggy, fixed func(store, context.Context) error
	code         string
	kind         leakcheck.Kind
	line         string // source line that the report names
	count        string // how many, where several of the same line are one entry
	budget       func() leakcheck.Option
	all          bool // only a check of everything can see it
}

var patterns = []pattern{
	{name: "early return", buggy: store.earlyReturnBuggy, fixed: store.earlyReturnFixed, code: "LK203", kind: leakcheck.SQLRows,
		line: `rows, err := s.db.Query(s.q("SELECT id FROM items WHERE id < ?"), 100)`},
	{name: "late defer", buggy: store.lateDeferBuggy, fixed: store.lateDeferFixed, code: "LK203", kind: leakcheck.SQLRows,
		line: `rows, err := s.db.Query("SELECT id FROM items")`},
	{name: "one row read", buggy: store.oneRowBuggy, fixed: store.oneRowFixed, code: "LK203", kind: leakcheck.SQLRows,
		line: `rows, err := s.db.QueryContext(context.WithoutCancel(ctx), s.q("SELECT id FROM items WHERE id >= ?"), 1)`},
	{name: "panic", buggy: store.panicBuggy, fixed: store.panicFixed, code: "LK203", kind: leakcheck.SQLRows,
		line: `rows, err := s.db.Query("SELECT id FROM items")`},
	{name: "defer in a loop", buggy: store.deferInLoopBuggy, fixed: store.deferInLoopFixed, code: "LK212", kind: leakcheck.SQLConn,
		line: `rows, err := s.db.Query("SELECT id FROM items")`, budget: func() leakcheck.Option { return dbcheck.MaxConns(2) }},
	{name: "Close after the loop", buggy: store.closeAfterLoopBuggy, fixed: store.closeAfterLoopFixed, code: "LK203", kind: leakcheck.SQLRows,
		line: `if rows, err = s.db.Query("SELECT id FROM items"); err != nil {`, count: "2"},
	{name: "Query for Exec", buggy: store.queryForExecBuggy, fixed: store.queryForExecFixed, code: "LK203", kind: leakcheck.SQLRows,
		line: `rows, err := s.db.Query("DELETE FROM items WHERE id > 1000")`},
	{name: "Row without Scan", buggy: store.rowUnscannedBuggy, fixed: store.rowUnscannedFixed, code: "LK206", kind: leakcheck.SQLRows,
		line: `row := s.db.QueryRow(s.q("SELECT id FROM items WHERE id = ?"), 1)`},
	{name: "Tx, error", buggy: store.txErrorPathBuggy, fixed: store.txErrorPathFixed, code: "LK202", kind: leakcheck.SQLTx,
		line: `tx, err := s.db.Begin()`},
	{name: "Tx, cancel", buggy: store.txCancelPathBuggy, fixed: store.txCancelPathFixed, code: "LK202", kind: leakcheck.SQLTx,
		line: `tx, err := s.db.Begin() // not BeginTx(ctx): nothing ends it`},
	{name: "rows in a Tx", buggy: store.rowsInTxBuggy, fixed: store.rowsInTxFixed, code: "LK202", kind: leakcheck.SQLTx,
		line: `tx, err := s.db.BeginTx(context.Background(), nil)`},
	{name: "pool layer", buggy: store.poolLayerBuggy, fixed: store.poolLayerFixed, code: "LK204", kind: leakcheck.SQLConn,
		line: `conn, err := s.db.Conn(context.Background())`},
	{name: "Conn, error", buggy: store.connErrorPathBuggy, fixed: store.connErrorPathFixed, code: "LK204", kind: leakcheck.SQLConn,
		line: `conn, err := s.db.Conn(context.Background())`},
	{name: "Stmt on db", buggy: store.stmtOnDBBuggy, fixed: store.stmtOnDBFixed, code: "LK205", kind: leakcheck.SQLStmt,
		line: `stmt, err := s.db.Prepare(s.q("UPDATE items SET n = ? WHERE id = 1"))`},
	{name: "Stmt on three connections", buggy: store.stmtReusedBuggy, fixed: store.stmtReusedFixed, code: "LK205", kind: leakcheck.SQLStmt,
		line: `stmt, err := s.db.Prepare(s.q("SELECT id FROM items WHERE id > ?"))`},
	{name: "Stmt on a Conn", buggy: store.stmtOnConnBuggy, fixed: store.stmtOnConnFixed, code: "LK205", kind: leakcheck.SQLStmt,
		line: `stmt, err := conn.PrepareContext(context.Background(), s.q("SELECT id FROM items WHERE id > ?"))`},
	{name: "Stmt on a Tx", buggy: store.stmtOnTxBuggy, fixed: store.stmtOnTxFixed, code: "LK202", kind: leakcheck.SQLTx,
		line: `tx, err := s.db.Begin()`},
	{name: "Stmt into a Tx", buggy: store.stmtIntoTxBuggy, fixed: store.stmtIntoTxFixed, code: "LK205", kind: leakcheck.SQLStmt,
		line: `stmt, err := s.db.Prepare(s.q("UPDATE items SET n = ?"))`},
	{name: "hold and wait", buggy: store.holdAndWaitBuggy, fixed: store.holdAndWaitFixed, code: "LK216", kind: leakcheck.SQLConn,
		line: `return s.db.QueryRow("SELECT id FROM items").Scan(new(int)) // on the pool`, budget: dbcheck.NoNestedLease},
	{name: "pool per call", buggy: store.poolPerCallBuggy, fixed: store.poolPerCallFixed, code: "LK201", kind: leakcheck.Goroutine,
		line: `db, err := dbcheck.Open(s.driver, s.source)`, all: true},
	{name: "rows, cancellable", buggy: store.rowsCancellableBuggy, fixed: store.rowsCancellableFixed, code: "LK203", kind: leakcheck.SQLRows,
		line: `return s.db.QueryContext(ctx, s.q("SELECT id FROM items WHERE id > ? ORDER BY id"), 0)`},
	{name: "Tx, cancellable", buggy: store.txCancellableBuggy, fixed: store.txCancellableFixed, code: "LK202", kind: leakcheck.SQLTx,
		line: `tx, err := s.db.BeginTx(ctx, nil)`},
}

// run runs the code under a check, recovers from its panic, and gives back what it has forgotten.
func run(t *testing.T, s store, check func(ft *fakeT) func(), f func(store, context.Context) error) *fakeT {
	t.Helper()
	ended, end := context.WithCancel(context.Background())
	end()
	ft := &fakeT{}
	look := check(ft)
	func() {
		defer func() { _ = recover() }()
		if err := f(s, ended); err != nil && !errors.Is(err, context.Canceled) {
			assert.ErrorIs(t, err, errWrong)
		}
	}()
	look()
	for i := len(*s.kept) - 1; i >= 0; i-- {
		_ = (*s.kept)[i]() // it may be over
	}
	*s.kept = nil
	return ft
}

// testPatterns: how code leaks, on each driver: one entry, with the right line, kind and code, whatever else is held because
// of it; and silence about the same code without the mistake. Each time with a check of the pool and with a check of everything.
func testPatterns(t *testing.T, d database) {
	for _, p := range patterns {
		t.Run(p.name, func(t *testing.T) {
			var s store
			for _, check := range []struct {
				name  string
				begin func(ft *fakeT, opts ...leakcheck.Option) func()
			}{
				{"Verify", func(ft *fakeT, opts ...leakcheck.Option) func() { return dbcheck.Verify(ft, s.db, opts...) }},
				{"leakcheck.Verify", func(ft *fakeT, opts ...leakcheck.Option) func() { return leakcheck.Verify(ft, opts...) }},
			} {
				if p.all && check.name == "Verify" {
					continue
				}
				s = store{d, d.open(t), new([]func() error)}
				require.NoError(t, s.db.Ping()) // one idle connection
				with := func(opts ...leakcheck.Option) func(ft *fakeT) func() {
					if p.budget != nil {
						opts = append(opts, p.budget())
					}
					return func(ft *fakeT) func() { return check.begin(ft, opts...) }
				}
				ft := run(t, s, with(leakcheck.Wait(20*time.Millisecond)), p.buggy)
				if assert.Len(t, ft.failures(), 1, check.name) {
					p.assertReport(t, ft.failures()[0])
				}
				if d.name == "pgx" && check.name == "leakcheck.Verify" {
					golden(t, strings.ReplaceAll(p.name, " ", "-"), "one leak, one entry: "+p.name, ft)
				}
				ft = run(t, s, with(leakcheck.Wait(10*time.Second)), p.fixed)
				assert.Empty(t, ft.failures(), check.name)
				d.assertNoNotes(t, ft)
			}
		})
	}
}

func (p pattern) assertReport(t *testing.T, text string) {
	t.Helper()
	what := p.count
	if what == "" {
		what = "1"
	}
	lines := strings.Split(text, "\n")
	if what == "1" {
		assert.Contains(t, lines[0], ": 1 leak: ")
	} else {
		assert.Regexp(t, ": "+what+" leaks: .* \\(×"+what+"\\)$", lines[0])
	}
	var entries []string
	for i, l := range lines {
		if strings.HasPrefix(l, "  LK") {
			entries = append(entries, l)
		}
		if strings.HasPrefix(strings.TrimSpace(l), "taken at") || strings.HasPrefix(strings.TrimSpace(l), "opened at") {
			assert.Equal(t, p.line, strings.TrimSpace(lines[i+1]), text)
		}
	}
	if assert.Len(t, entries, 1, text) {
		assert.Contains(t, entries[0], p.code+" "+string(p.kind), text)
	}
	assert.Contains(t, text, p.line)
}

// assertNoNotes: nothing is remarked on either. lib/pq makes a connection of its own to cancel a query, which may still be
// about to close.
func (d database) assertNoNotes(t *testing.T, ft *fakeT) {
	t.Helper()
	for _, l := range ft.logged() {
		if d.name == "pq" && strings.Contains(l, "LK301 socket") {
			continue
		}
		assert.Fail(t, "logged", l)
	}
}
