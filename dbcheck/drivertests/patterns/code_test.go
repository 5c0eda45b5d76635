package patterns_test

import (
	"context"
	"database/sql"
	"errors"

	"github.com/leakgate/leakgate/dbcheck"
)

// store is code as it is written: each pattern of how public projects have leaked, with the mistake and without.
type store struct {
	database
	db   *sql.DB
	kept *[]func() error
}

var errWrong = errors.New("not what was asked for")

// keep lets the test give back, after its check, what the code has forgotten.
func (s store) keep(end func() error) { *s.kept = append(*s.kept, end) }

func (s store) query(ctx context.Context) (*sql.Rows, error) {
	return s.db.QueryContext(ctx, s.q("SELECT id FROM items WHERE id > ? ORDER BY id"), 0)
}

func (s store) earlyReturnBuggy(context.Context) error {
	rows, err := s.db.Query(s.q("SELECT id FROM items WHERE id < ?"), 100)
	if err != nil {
		return err
	}
	s.keep(rows.Close)
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil || n > 0 {
			return errWrong
		}
	}
	return rows.Close()
}

func (s store) earlyReturnFixed(context.Context) error {
	rows, err := s.db.Query(s.q("SELECT id FROM items WHERE id < ?"), 100)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil || n > 0 {
			return errWrong
		}
	}
	return rows.Err()
}

func (s store) lateDeferBuggy(context.Context) error {
	rows, err := s.db.Query("SELECT id FROM items")
	if err != nil {
		return err
	}
	s.keep(rows.Close)
	if _, err := rows.Columns(); err == nil { // a check that fails before the defer
		return errWrong
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
		return errWrong
	}
	return nil
}

func (s store) oneRowBuggy(ctx context.Context) error {
	rows, err := s.db.QueryContext(context.WithoutCancel(ctx), s.q("SELECT id FROM items WHERE id >= ?"), 1)
	if err != nil {
		return err
	}
	s.keep(rows.Close)
	var n int
	if rows.Next() {
		return rows.Scan(&n)
	}
	return sql.ErrNoRows
}

func (s store) oneRowFixed(ctx context.Context) error {
	var n int
	return s.db.QueryRowContext(context.WithoutCancel(ctx), s.q("SELECT id FROM items WHERE id >= ?"), 1).Scan(&n)
}

func (s store) panicBuggy(context.Context) error {
	rows, err := s.db.Query("SELECT id FROM items")
	if err != nil {
		return err
	}
	s.keep(rows.Close)
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
	for range 4 {
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
	for range 4 {
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

func (s store) closeAfterLoopBuggy(context.Context) error {
	var rows *sql.Rows
	for range 3 {
		var err error
		if rows, err = s.db.Query("SELECT id FROM items"); err != nil {
			return err
		}
		s.keep(rows.Close)
		rows.Next()
	}
	return rows.Close() // the last one alone
}

func (s store) closeAfterLoopFixed(ctx context.Context) error { return s.deferInLoopFixed(ctx) }

func (s store) queryForExecBuggy(context.Context) error {
	rows, err := s.db.Query("DELETE FROM items WHERE id > 1000")
	if rows != nil {
		s.keep(rows.Close)
	}
	return err
}

func (s store) queryForExecFixed(context.Context) error {
	_, err := s.db.Exec("DELETE FROM items WHERE id > 1000")
	return err
}

func (s store) rowUnscannedBuggy(context.Context) error {
	row := s.db.QueryRow(s.q("SELECT id FROM items WHERE id = ?"), 1)
	s.keep(func() error { return row.Scan(new(int)) })
	return row.Err()
}

func (s store) rowUnscannedFixed(context.Context) error {
	return s.db.QueryRow(s.q("SELECT id FROM items WHERE id = ?"), 1).Scan(new(int))
}

func (s store) txErrorPathBuggy(context.Context) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	s.keep(tx.Rollback)
	if _, err := tx.Exec("UPDATE items SET n = 1"); err == nil {
		return errWrong // without Rollback
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
		return errWrong
	}
	return tx.Commit()
}

func (s store) txCancelPathBuggy(ctx context.Context) error {
	tx, err := s.db.Begin() // not BeginTx(ctx): nothing ends it
	if err != nil {
		return err
	}
	s.keep(tx.Rollback)
	if _, err := tx.ExecContext(ctx, "UPDATE items SET n = 2"); err != nil {
		return err
	}
	return tx.Commit()
}

func (s store) txCancelPathFixed(ctx context.Context) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "UPDATE items SET n = 2"); err != nil {
		return err
	}
	return tx.Commit()
}

func (s store) rowsInTxBuggy(context.Context) error {
	tx, err := s.db.BeginTx(context.Background(), nil)
	if err != nil {
		return err
	}
	s.keep(tx.Rollback)
	rows, err := tx.Query(s.q("SELECT id FROM items WHERE id < ?"), 100)
	if err != nil {
		return err
	}
	rows.Next()
	return errWrong
}

func (s store) rowsInTxFixed(context.Context) error {
	tx, err := s.db.BeginTx(context.Background(), nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // closes the rows too
	rows, err := tx.Query(s.q("SELECT id FROM items WHERE id < ?"), 100)
	if err != nil {
		return err
	}
	rows.Next()
	return errWrong
}

// session is a layer of one's own over the pool.
func (s store) session(good bool) (*sql.Conn, error) {
	conn, err := s.db.Conn(context.Background())
	if err != nil {
		return nil, err
	}
	s.keep(conn.Close)
	if _, err := conn.ExecContext(context.Background(), "SELECT no_such_column FROM items"); err != nil {
		if good {
			conn.Close()
		}
		return nil, errWrong
	}
	return conn, nil
}

func (s store) poolLayerBuggy(context.Context) error { _, err := s.session(false); return err }
func (s store) poolLayerFixed(context.Context) error { _, err := s.session(true); return err }

func (s store) connErrorPathBuggy(ctx context.Context) error {
	conn, err := s.db.Conn(context.Background())
	if err != nil {
		return err
	}
	s.keep(conn.Close)
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
	if err := ctx.Err(); err != nil {
		return err
	}
	return nil
}

func (s store) stmtOnDBBuggy(context.Context) error {
	stmt, err := s.db.Prepare(s.q("UPDATE items SET n = ? WHERE id = 1"))
	if err != nil {
		return err
	}
	s.keep(stmt.Close)
	_, err = stmt.Exec(1)
	return err
}

func (s store) stmtOnDBFixed(context.Context) error {
	stmt, err := s.db.Prepare(s.q("UPDATE items SET n = ? WHERE id = 1"))
	if err != nil {
		return err
	}
	defer stmt.Close()
	_, err = stmt.Exec(1)
	return err
}

// A statement that is used on several connections is prepared on each of them, and is still one.
func (s store) stmtReusedBuggy(context.Context) error {
	stmt, err := s.db.Prepare(s.q("SELECT id FROM items WHERE id > ?"))
	if err != nil {
		return err
	}
	s.keep(stmt.Close)
	return s.onThreeConns(stmt)
}

func (s store) stmtReusedFixed(context.Context) error {
	stmt, err := s.db.Prepare(s.q("SELECT id FROM items WHERE id > ?"))
	if err != nil {
		return err
	}
	defer stmt.Close()
	return s.onThreeConns(stmt)
}

func (s store) onThreeConns(stmt *sql.Stmt) error {
	for range 3 {
		rows, err := stmt.Query(0)
		if err != nil {
			return err
		}
		defer rows.Close()
	}
	return nil
}

func (s store) stmtOnConnBuggy(context.Context) error {
	conn, err := s.db.Conn(context.Background())
	if err != nil {
		return err
	}
	defer conn.Close()
	stmt, err := conn.PrepareContext(context.Background(), s.q("SELECT id FROM items WHERE id > ?"))
	if err != nil {
		return err
	}
	s.keep(stmt.Close)
	return stmt.QueryRow(0).Scan(new(int))
}

func (s store) stmtOnConnFixed(context.Context) error {
	conn, err := s.db.Conn(context.Background())
	if err != nil {
		return err
	}
	defer conn.Close()
	stmt, err := conn.PrepareContext(context.Background(), s.q("SELECT id FROM items WHERE id > ?"))
	if err != nil {
		return err
	}
	defer stmt.Close()
	return stmt.QueryRow(0).Scan(new(int))
}

// The end of a transaction closes its statements: the transaction is the leak.
func (s store) stmtOnTxBuggy(context.Context) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	s.keep(tx.Rollback)
	stmt, err := tx.Prepare(s.q("UPDATE items SET n = ?"))
	if err != nil {
		return err
	}
	_, err = stmt.Exec(3)
	return err
}

func (s store) stmtOnTxFixed(context.Context) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	stmt, err := tx.Prepare(s.q("UPDATE items SET n = ?"))
	if err != nil {
		return err
	}
	if _, err = stmt.Exec(3); err != nil {
		return err
	}
	return tx.Commit()
}

// A statement of the pool used in a transaction.
func (s store) stmtIntoTxBuggy(context.Context) error {
	stmt, err := s.db.Prepare(s.q("UPDATE items SET n = ?"))
	if err != nil {
		return err
	}
	s.keep(stmt.Close)
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	_, err = tx.Stmt(stmt).Exec(4)
	return err
}

func (s store) stmtIntoTxFixed(context.Context) error {
	stmt, err := s.db.Prepare(s.q("UPDATE items SET n = ?"))
	if err != nil {
		return err
	}
	defer stmt.Close()
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	_, err = tx.Stmt(stmt).Exec(4)
	return err
}

func (s store) holdAndWaitBuggy(context.Context) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return s.db.QueryRow("SELECT id FROM items").Scan(new(int)) // on the pool
}

func (s store) holdAndWaitFixed(context.Context) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return tx.QueryRow("SELECT id FROM items").Scan(new(int))
}

func (s store) poolPerCallBuggy(context.Context) error {
	db, err := dbcheck.Open(s.driver, s.source)
	if err != nil {
		return err
	}
	s.keep(db.Close)
	return db.QueryRow("SELECT id FROM items").Scan(new(int))
}

func (s store) poolPerCallFixed(context.Context) error {
	db, err := dbcheck.Open(s.driver, s.source)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.QueryRow("SELECT id FROM items").Scan(new(int))
}

// A context that can be cancelled has a goroutine of database/sql wait for it, and one of some drivers.
func (s store) rowsCancellableBuggy(ctx context.Context) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	rows, err := s.query(ctx)
	s.keep(func() error { cancel(); return nil })
	if err != nil {
		return err
	}
	s.keep(rows.Close)
	rows.Next()
	return errWrong
}

// cancel releases the connection, on another goroutine and some time later.
func (s store) rowsCancellableFixed(ctx context.Context) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	rows, err := s.query(ctx)
	if err != nil {
		return err
	}
	rows.Next()
	return errWrong
}

func (s store) txCancellableBuggy(ctx context.Context) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	tx, err := s.db.BeginTx(ctx, nil)
	s.keep(func() error { cancel(); return nil })
	if err != nil {
		return err
	}
	s.keep(tx.Rollback)
	_, err = tx.ExecContext(ctx, "UPDATE items SET n = 5")
	return err
}

func (s store) txCancellableFixed(ctx context.Context) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE items SET n = 5")
	return err
}
