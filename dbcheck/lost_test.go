package dbcheck_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

// lose prepares a statement, uses it on another connection too, and lets the pool close the one that it was prepared on.
func lose(t *testing.T, db *sql.DB) *sql.Stmt {
	t.Helper()
	ctx := context.Background()
	first, err := db.Conn(ctx)
	require.NoError(t, err)
	second, err := db.Conn(ctx)
	require.NoError(t, err)
	require.NoError(t, first.Close()) // the only idle one
	stmt, err := db.Prepare("INSERT INTO items VALUES (?)")
	require.NoError(t, err)
	first, err = db.Conn(ctx)
	require.NoError(t, err)
	require.NoError(t, second.Close())
	_, err = stmt.Exec(1) // on the second
	require.NoError(t, err)
	require.NoError(t, first.Close()) // one too many
	require.Equal(t, 1, db.Stats().OpenConnections)
	return stmt
}

// TestLostStmt: a statement that is open on another connection than it was prepared on is still the program's to close.
func TestLostStmt(t *testing.T) {
	for _, c := range []struct {
		name  string
		older bool // one of the same text was lost before: which of the two is forgotten then depends on the order in which database/sql closes them
		close func(t *testing.T, stmt, older *sql.Stmt)
		want  int
	}{
		{"forgotten", false, func(*testing.T, *sql.Stmt, *sql.Stmt) {}, 1},
		{"closed", false, func(t *testing.T, stmt, _ *sql.Stmt) { require.NoError(t, stmt.Close()) }, 0},
		{"closed, and an older one of the same text is open there", true, func(t *testing.T, stmt, older *sql.Stmt) {
			_, err := older.Exec(2)
			require.NoError(t, err)
			require.NoError(t, stmt.Close())
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := tracked(t, &fake{})
			db.SetMaxIdleConns(1)
			var older *sql.Stmt
			if c.older {
				older = lose(t, db)
			}
			ft := &fakeT{}
			check := dbcheck.Verify(ft, db, leakcheck.Wait(0))
			c.close(t, lose(t, db), older)
			check()
			assert.Len(t, ft.failures(), c.want)
			assert.Len(t, dbcheck.Leases(db), c.want)
			db.Close()
			assert.Empty(t, dbcheck.Leases(db), "nothing is open any more")
		})
	}
}

// TestManyLostStmts: hundreds of statements of one connection, of one text and of several: each that may be meant is told, and none is
// remembered when it is closed.
func TestManyLostStmts(t *testing.T) {
	const n = 300
	ctx := context.Background()
	for name, text := range map[string]func(int) string{
		"one text":      func(int) string { return "INSERT INTO items VALUES (?)" },
		"several texts": func(i int) string { return fmt.Sprintf("INSERT INTO items%d VALUES (?)", i) },
	} {
		t.Run(name, func(t *testing.T) {
			db := tracked(t, &fake{})
			db.SetMaxIdleConns(1)
			first, err := db.Conn(ctx)
			require.NoError(t, err)
			second, err := db.Conn(ctx)
			require.NoError(t, err)
			require.NoError(t, first.Close())
			var stmts []*sql.Stmt
			for i := range n {
				stmt, err := db.Prepare(text(i))
				require.NoError(t, err)
				stmts = append(stmts, stmt)
			}
			first, err = db.Conn(ctx)
			require.NoError(t, err)
			require.NoError(t, second.Close())
			for _, stmt := range stmts {
				_, err := stmt.Exec(1) // on the second
				require.NoError(t, err)
			}
			require.NoError(t, first.Close()) // one too many
			want := n
			if name == "one text" {
				want = 1 // which of the copies is whose is not known
			}
			assert.Len(t, dbcheck.Leases(db), want)
			assert.Positive(t, dbcheck.StmtsByText(db))
			for _, stmt := range stmts {
				require.NoError(t, stmt.Close())
			}
			assert.Empty(t, dbcheck.Leases(db))
			assert.Zero(t, dbcheck.StmtsByText(db))
		})
	}
}

// TestLostStmtOrder: database/sql closes what is open on a connection in the order of a map, and the same statement is reported
// in each.
func TestLostStmtOrder(t *testing.T) {
	for range 200 {
		db := tracked(t, &fake{})
		db.SetMaxIdleConns(1)
		lose(t, db)
		ft := &fakeT{}
		check := dbcheck.Verify(ft, db, leakcheck.Wait(0))
		lose(t, db)
		check()
		require.Len(t, ft.failures(), 1)
		require.NoError(t, db.Close())
	}
}
