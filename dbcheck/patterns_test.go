package dbcheck_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

// store is code as it is written: each pattern twice, with the mistake and without.
type store struct{ db *sql.DB }

var errEarly = errors.New("not what was asked for")

func (s store) earlyReturnBuggy(context.Context) error {
	rows, err := s.db.Query("SELECT id FROM items")
	if err != nil {
		return err
	}
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil || n == 1 {
			return errEarly
		}
	}
	return rows.Close()
}

func (s store) earlyReturnFixed(context.Context) error {
	rows, err := s.db.Query("SELECT id FROM items")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil || n == 1 {
			return errEarly
		}
	}
	return rows.Err()
}

func (s store) lateDeferBuggy(context.Context) error {
	rows, err := s.db.Query("SELECT id FROM items")
	if err != nil {
		return err
	}
	if _, err := rows.Columns(); err == nil { // a check that fails before the defer
		return errEarly
	}
	defer rows.Close()
	return nil
}

func (s store) lateDeferFixed(context.Context) error {
	rows, err := s.db.Query("SELECT id FROM items")
	if err != nil {
		return err
	}
	defer rows.Close()
	if _, err := rows.Columns(); err == nil {
		return errEarly
	}
	return nil
}

func (s store) oneRowBuggy(context.Context) error {
	rows, err := s.db.Query("SELECT id FROM items WHERE id = ?", 1)
	if err != nil {
		return err
	}
	var n int
	if rows.Next() {
		return rows.Scan(&n)
	}
	return sql.ErrNoRows
}

func (s store) oneRowFixed(context.Context) error {
	var n int
	return s.db.QueryRow("SELECT id FROM items WHERE id = ?", 1).Scan(&n)
}

func (s store) panicBuggy(context.Context) error {
	rows, err := s.db.Query("SELECT id FROM items")
	if err != nil {
		return err
	}
	for rows.Next() {
		panic("in the loop, and recovered above")
	}
	return rows.Close()
}

func (s store) panicFixed(context.Context) error {
	rows, err := s.db.Query("SELECT id FROM items")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		panic("in the loop, and recovered above")
	}
	return nil
}

func (s store) deferInLoopBuggy(context.Context) error {
	for range 5 {
		rows, err := s.db.Query("SELECT id FROM items")
		if err != nil {
			return err
		}
		defer rows.Close()
		rows.Next()
	}
	return nil
}

func (s store) deferInLoopFixed(context.Context) error {
	for range 5 {
		err := func() error {
			rows, err := s.db.Query("SELECT id FROM items")
			if err != nil {
				return err
			}
			defer rows.Close()
			rows.Next()
			return nil
		}()
		if err != nil {
			return err
		}
	}
	return nil
}

func (s store) queryForExecBuggy(context.Context) error {
	_, err := s.db.Query("DELETE FROM items")
	return err
}

func (s store) queryForExecFixed(context.Context) error {
	_, err := s.db.Exec("DELETE FROM items")
	return err
}

func (s store) rowUnscannedBuggy(context.Context) error {
	return s.db.QueryRow("UPDATE items SET n = 1 RETURNING n").Err()
}

func (s store) rowUnscannedFixed(context.Context) error {
	var n int
	return s.db.QueryRow("UPDATE items SET n = 1 RETURNING n").Scan(&n)
}

func (s store) txErrorPathBuggy(context.Context) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	if _, err := tx.Exec("UPDATE items SET n = 1"); err == nil {
		return errEarly // without Rollback
	}
	return tx.Commit()
}

func (s store) txErrorPathFixed(context.Context) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.Exec("UPDATE items SET n = 1"); err == nil {
		return errEarly
	}
	return tx.Commit()
}

func (s store) txCancelPathBuggy(ctx context.Context) error {
	tx, err := s.db.Begin() // not BeginTx(ctx): nothing ends it
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return tx.Commit()
}

func (s store) txCancelPathFixed(ctx context.Context) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return tx.Commit()
}

// begin is a layer of one's own over the pool.
func (s store) begin(good bool) (*sql.Conn, *sql.Tx, error) {
	conn, err := s.db.Conn(context.Background())
	if err != nil {
		return nil, nil, err
	}
	if good {
		if err := errEarly; err != nil {
			conn.Close()
			return nil, nil, err
		}
	}
	return nil, nil, errEarly // the session could not be set up
}

func (s store) poolLayerBuggy(context.Context) error { _, _, err := s.begin(false); return err }
func (s store) poolLayerFixed(context.Context) error { _, _, err := s.begin(true); return err }

func (s store) connErrorPathBuggy(ctx context.Context) error {
	conn, err := s.db.Conn(context.Background())
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return conn.Close()
}

func (s store) connErrorPathFixed(ctx context.Context) error {
	conn, err := s.db.Conn(context.Background())
	if err != nil {
		return err
	}
	defer conn.Close()
	return ctx.Err()
}

func (s store) stmtPerCallBuggy(context.Context) error {
	stmt, err := s.db.Prepare("INSERT INTO items VALUES (?)")
	if err != nil {
		return err
	}
	_, err = stmt.Exec(1)
	return err
}

func (s store) stmtPerCallFixed(context.Context) error {
	stmt, err := s.db.Prepare("INSERT INTO items VALUES (?)")
	if err != nil {
		return err
	}
	defer stmt.Close()
	_, err = stmt.Exec(1)
	return err
}

func (s store) holdAndWaitBuggy(context.Context) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := s.db.Exec("UPDATE items SET n = 1"); err != nil { // on the pool
		return err
	}
	return tx.Commit()
}

func (s store) holdAndWaitFixed(context.Context) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.Exec("UPDATE items SET n = 1"); err != nil {
		return err
	}
	return tx.Commit()
}

// TestPatterns: how code leaks, found at the right line and with the right kind; and the same code without the mistake.
func TestPatterns(t *testing.T) {
	ended, end := context.WithCancel(context.Background())
	end()
	const early = "not what was asked for"
	for _, p := range []struct {
		name         string
		buggy, fixed func(store, context.Context) error
		code, fn     string
		kind         leakcheck.Kind
		opts         []leakcheck.Option
	}{
		{"early return", store.earlyReturnBuggy, store.earlyReturnFixed, "LK203", "earlyReturnBuggy", leakcheck.SQLRows, nil},
		{"late defer", store.lateDeferBuggy, store.lateDeferFixed, "LK203", "lateDeferBuggy", leakcheck.SQLRows, nil},
		{"one row read", store.oneRowBuggy, store.oneRowFixed, "LK203", "oneRowBuggy", leakcheck.SQLRows, nil},
		{"panic", store.panicBuggy, store.panicFixed, "LK203", "panicBuggy", leakcheck.SQLRows, nil},
		{"defer in a loop", store.deferInLoopBuggy, store.deferInLoopFixed, "LK212", "deferInLoopBuggy", leakcheck.SQLConn,
			[]leakcheck.Option{dbcheck.MaxConns(2)}},
		{"Query for Exec", store.queryForExecBuggy, store.queryForExecFixed, "LK203", "queryForExecBuggy", leakcheck.SQLRows, nil},
		{"Row without Scan", store.rowUnscannedBuggy, store.rowUnscannedFixed, "LK206", "rowUnscannedBuggy", leakcheck.SQLRows, nil},
		{"Tx, error", store.txErrorPathBuggy, store.txErrorPathFixed, "LK202", "txErrorPathBuggy", leakcheck.SQLTx, nil},
		{"Tx, cancel", store.txCancelPathBuggy, store.txCancelPathFixed, "LK202", "txCancelPathBuggy", leakcheck.SQLTx, nil},
		{"pool layer", store.poolLayerBuggy, store.poolLayerFixed, "LK204", "store.begin", leakcheck.SQLConn, nil},
		{"Conn, error", store.connErrorPathBuggy, store.connErrorPathFixed, "LK204", "connErrorPathBuggy", leakcheck.SQLConn, nil},
		{"Stmt", store.stmtPerCallBuggy, store.stmtPerCallFixed, "LK205", "stmtPerCallBuggy", leakcheck.SQLStmt, nil},
		{"hold and wait", store.holdAndWaitBuggy, store.holdAndWaitFixed, "LK216", "holdAndWaitBuggy", leakcheck.SQLConn,
			[]leakcheck.Option{dbcheck.NoNestedLease()}},
	} {
		for _, s := range shapes {
			if strings.HasPrefix(s.name, "no ") && s.name != "no QueryerContext" && s.name != "no Validator" || strings.HasPrefix(s.name, "stmt ") {
				continue // no difference for a lease
			}
			run := func(t *testing.T, f func(store, context.Context) error) *fakeT {
				db := dbcheck.OpenDB((&fake{shapeOf: s.conn, shapeSt: s.stmt}).connector())
				t.Cleanup(func() { db.Close() })
				ft := &fakeT{}
				check := dbcheck.Verify(ft, db, append([]leakcheck.Option{leakcheck.Wait(0)}, p.opts...)...)
				func() {
					defer func() { _ = recover() }()
					err := f(store{db}, ended)
					if err != nil && !errors.Is(err, context.Canceled) {
						assert.EqualError(t, err, early)
					}
				}()
				check()
				return ft
			}
			t.Run(p.name+"/"+s.name, func(t *testing.T) {
				ft := run(t, p.buggy)
				require.Len(t, ft.failures(), 1)
				text := ft.failures()[0]
				assert.Contains(t, text, "leakcheck: 1 leak: ")
				assert.Contains(t, text, "  "+p.code+" "+string(p.kind)+"\n")
				_, site, _ := strings.Cut(text, "_test.go:")
				_, site, _ = strings.Cut(site, "dbcheck_test.")
				site, _, _ = strings.Cut(site, "\n")
				assert.Contains(t, text, p.fn)
				assert.True(t, strings.HasSuffix(site, p.fn), site)

				ft = run(t, p.fixed)
				assert.Empty(t, ft.failures())
			})
		}
	}
}
