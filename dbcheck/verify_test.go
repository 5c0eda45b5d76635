package dbcheck_test

import (
	"context"
	"database/sql"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
)

var kept []any

// keep makes sure that nothing is closed by the garbage collector.
func keep(v any) { kept = append(kept, v) }

func leakRows(t *testing.T, db *sql.DB) {
	rows, err := db.Query("SELECT id FROM users WHERE name = 'secret' AND id > 41")
	require.NoError(t, err)
	require.True(t, rows.Next())
	keep(rows)
}

func leakRow(t *testing.T, db *sql.DB) {
	keep(db.QueryRow("DELETE FROM users RETURNING id"))
}

func leakTx(t *testing.T, db *sql.DB) {
	tx, err := db.BeginTx(context.Background(), nil)
	require.NoError(t, err)
	_, err = tx.Exec("UPDATE users SET name = $1", "x")
	require.NoError(t, err)
	keep(tx)
}

func leakConn(t *testing.T, db *sql.DB) {
	conn, err := db.Conn(context.Background())
	require.NoError(t, err)
	keep(conn)
}

func leakStmt(t *testing.T, db *sql.DB) {
	stmt, err := db.Prepare("SELECT 1")
	require.NoError(t, err)
	keep(stmt)
}

func leakRowsOfStmt(t *testing.T, db *sql.DB) {
	stmt, err := db.Prepare("SELECT 2")
	require.NoError(t, err)
	defer stmt.Close()
	rows, err := stmt.Query()
	require.NoError(t, err)
	keep(rows)
}

func leakRowsInTx(t *testing.T, db *sql.DB) {
	tx, err := db.Begin()
	require.NoError(t, err)
	rows, err := tx.Query("SELECT 3")
	require.NoError(t, err)
	stmt, err := tx.Prepare("SELECT 4")
	require.NoError(t, err)
	keep(rows)
	keep(stmt)
	keep(tx)
}

// TestVerifyReports: each thing that can be leaked, on a fresh connection and on one that was used before.
func TestVerifyReports(t *testing.T) {
	for _, c := range []struct {
		name, reason string
		leak         func(*testing.T, *sql.DB)
	}{
		{"rows", "rows that were never closed", leakRows},
		{"row", "a row without Scan", leakRow},
		{"tx", "a transaction that was never ended", leakTx},
		{"conn", "a connection that was never closed", leakConn},
		{"stmt", "a statement that was never closed holds no lease", leakStmt},
		{"rows-of-stmt", "rows of a statement", leakRowsOfStmt},
		{"rows-in-tx", "what the end of a transaction would have closed is a part of its entry", leakRowsInTx},
	} {
		for _, used := range []string{"fresh", "used"} {
			t.Run(c.name+"/"+used, func(t *testing.T) {
				db := tracked(t, &fake{})
				if used == "used" {
					require.NoError(t, db.Ping())
				}
				ft := &fakeT{}
				check := dbcheck.Verify(ft, db)
				c.leak(t, db)
				check()
				golden(t, c.name, c.reason, ft)
			})
		}
	}
	runtime.KeepAlive(kept)
}

func TestVerifyPasses(t *testing.T) {
	db := tracked(t, &fake{})
	ft := &fakeT{}
	check := dbcheck.Verify(ft, db)
	rows, err := db.Query("SELECT 1")
	require.NoError(t, err)
	for rows.Next() {
	}
	var n int
	require.NoError(t, db.QueryRow("SELECT 1").Scan(&n))
	tx, err := db.Begin()
	require.NoError(t, err)
	_, err = tx.Query("SELECT 1") // closed with the transaction
	require.NoError(t, err)
	_, err = tx.Prepare("SELECT 1")
	require.NoError(t, err)
	require.NoError(t, tx.Rollback())
	conn, err := db.Conn(context.Background())
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	stmt, err := db.Prepare("SELECT 1")
	require.NoError(t, err)
	require.NoError(t, stmt.Close())
	check()
	assert.Empty(t, ft.failures())
	assert.Empty(t, ft.logged())
	assert.Empty(t, dbcheck.Leases(db))
}

func TestVerifyRefuses(t *testing.T) {
	closed := sql.OpenDB((&fake{}).connector())
	require.NoError(t, closed.Close())
	for _, c := range []struct {
		name, reason string
		db           *sql.DB
	}{
		{"refuse-nil", "a nil pool", nil},
		{"refuse-closed", "a pool that is closed already", closed},
		{"refuse-zero", "a pool that was never opened", &sql.DB{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ft := &fakeT{}
			dbcheck.Verify(ft, c.db)()
			golden(t, c.name, c.reason, ft)
		})
	}
}

// TestPlain: a pool that is not wrapped is counted.
func TestPlain(t *testing.T) {
	notInDeepMode(t)
	db := plain(t, &fake{})
	ft := &fakeT{}
	check := dbcheck.Verify(ft, db)
	leakRows(t, db)
	leakTx(t, db)
	check()
	golden(t, "plain", "a pool that is not wrapped: how many, and how to get the line", ft)
}

func TestPool(t *testing.T) {
	ft := &fakeT{}
	held := 3
	check := dbcheck.Verify(ft, tracked(t, &fake{}), dbcheck.Pool("redis", func() int { return held }))
	held = 5
	check()
	golden(t, "pool", "any pool that says how many are out", ft)
}
