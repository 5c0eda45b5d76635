package pgxpool_test

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/leakgate/leakgate/dbcheck/pgxcheck"
)

// store is what application code looks like. Each of its methods ends with Buggy or Fixed: the ways in which public code
// leaks from a pool, and how it was mended. What a report must name is marked with "// the line".
type store struct {
	pool *pgxpool.Pool
	dsn  string
	free *[]func() // gives back what a Buggy one does not, after the check
}

var errWrong = errors.New("something went wrong")

func (s store) later(f func()) { *s.free = append(*s.free, f) }

const allUsers = "SELECT name FROM users WHERE name <> 'secret' ORDER BY id"

func (s store) earlyReturnBuggy(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, allUsers) // the line
	if err != nil {
		return err
	}
	s.later(rows.Close)
	for rows.Next() {
		return errWrong
	}
	rows.Close()
	return rows.Err()
}

func (s store) earlyReturnFixed(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, allUsers)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		return errWrong
	}
	return rows.Err()
}

func (s store) oneRowBuggy(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, allUsers) // the line
	if err != nil {
		return err
	}
	s.later(rows.Close)
	var name string
	if rows.Next() {
		return rows.Scan(&name)
	}
	return pgx.ErrNoRows
}

func (s store) oneRowFixed(ctx context.Context) error {
	var name string
	return s.pool.QueryRow(ctx, allUsers).Scan(&name)
}

func (s store) panicBuggy(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, allUsers) // the line
	if err != nil {
		return err
	}
	s.later(rows.Close)
	func() {
		defer func() { _ = recover() }() // as net/http does for a handler
		panic("between Query and Close")
	}()
	return nil
}

func (s store) panicFixed(ctx context.Context) (err error) {
	defer func() { _ = recover() }()
	rows, err := s.pool.Query(ctx, allUsers)
	if err != nil {
		return err
	}
	defer rows.Close()
	panic("between Query and Close")
}

func (s store) closeAfterLoopBuggy(ctx context.Context) error {
	for range 2 {
		rows, err := s.pool.Query(ctx, allUsers) // the line
		if err != nil {
			return err
		}
		s.later(rows.Close)
		if rows.Next() {
			continue
		}
		rows.Close()
	}
	return nil
}

func (s store) closeAfterLoopFixed(ctx context.Context) error {
	for range 2 {
		if err := s.earlyReturnFixed(ctx); !errors.Is(err, errWrong) {
			return err
		}
	}
	return nil
}

func (s store) queryForExecBuggy(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, "UPDATE users SET name = name WHERE id = 1") // the line
	s.later(rows.Close)
	return err
}

func (s store) queryForExecFixed(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, "UPDATE users SET name = name WHERE id = 1")
	return err
}

func (s store) rowUnscannedBuggy(ctx context.Context) error {
	row := s.pool.QueryRow(ctx, "SELECT pg_notify('users', 'changed')") // the line
	s.later(func() { _ = row.Scan(nil) })
	return nil
}

func (s store) rowUnscannedFixed(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, "SELECT pg_notify('users', 'changed')")
	return err
}

func (s store) txErrorBuggy(ctx context.Context) error {
	tx, err := s.pool.Begin(ctx) // the line
	if err != nil {
		return err
	}
	s.later(func() { _ = tx.Rollback(context.Background()) })
	if _, err := tx.Exec(ctx, "UPDATE nowhere SET name = 'x'"); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func (s store) txErrorFixed(ctx context.Context) error {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	if _, err := tx.Exec(ctx, "UPDATE nowhere SET name = 'x'"); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func (s store) txCancelBuggy(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tx, err := s.pool.BeginTx(ctx, pgx.TxOptions{}) // the line
	if err != nil {
		return err
	}
	s.later(func() { _ = tx.Rollback(context.Background()) })
	cancel()
	_, err = tx.Exec(ctx, "SELECT 1")
	return err // the end of the context does not give the connection back
}

func (s store) txCancelFixed(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tx, err := s.pool.BeginTx(ctx, pgx.TxOptions{})
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	cancel()
	_, err = tx.Exec(ctx, "SELECT 1")
	return err
}

func (s store) rowsCancelBuggy(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	rows, err := s.pool.Query(ctx, "SELECT i FROM generate_series(1, 100000) i") // the line
	if err != nil {
		cancel()
		return err
	}
	s.later(rows.Close)
	rows.Next()
	cancel()
	return nil
}

func (s store) rowsCancelFixed(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	rows, err := s.pool.Query(ctx, "SELECT i FROM generate_series(1, 100000) i")
	if err != nil {
		cancel()
		return err
	}
	defer rows.Close()
	rows.Next()
	cancel()
	for rows.Next() {
	}
	return nil
}

func (s store) acquireErrorBuggy(ctx context.Context) error {
	conn, err := s.pool.Acquire(ctx) // the line
	if err != nil {
		return err
	}
	s.later(conn.Release)
	if _, err := conn.Exec(ctx, "SELECT nothing"); err != nil {
		return err
	}
	conn.Release()
	return nil
}

func (s store) acquireErrorFixed(ctx context.Context) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	_, err = conn.Exec(ctx, "SELECT nothing")
	return err
}

func (s store) batchBuggy(ctx context.Context) error {
	b := &pgx.Batch{}
	b.Queue("SELECT 1")
	b.Queue("SELECT nothing")
	results := s.pool.SendBatch(ctx, b) // the line
	s.later(func() { results.Close() })
	if _, err := results.Exec(); err != nil {
		return err
	}
	if _, err := results.Exec(); err != nil {
		return err
	}
	return results.Close()
}

func (s store) batchFixed(ctx context.Context) error {
	b := &pgx.Batch{}
	b.Queue("SELECT 1")
	b.Queue("SELECT nothing")
	results := s.pool.SendBatch(ctx, b)
	defer results.Close()
	_, err := results.Exec()
	return err
}

func (s store) dirtyRowsBuggy(ctx context.Context) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	rows, err := conn.Query(ctx, allUsers) // the line
	if err != nil {
		return err
	}
	rows.Next()
	return nil
}

func (s store) dirtyRowsFixed(ctx context.Context) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	rows, err := conn.Query(ctx, allUsers)
	if err != nil {
		return err
	}
	defer rows.Close()
	rows.Next()
	return nil
}

func (s store) dirtyTxBuggy(ctx context.Context) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	tx, err := conn.Begin(ctx) // the line
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE nowhere SET name = 'x'"); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func (s store) dirtyTxFixed(ctx context.Context) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE nowhere SET name = 'x'")
		return err
	})
}

func (s store) hijackBuggy(ctx context.Context) error {
	conn, err := s.pool.Acquire(ctx) // the line
	if err != nil {
		return err
	}
	own := conn.Hijack()
	s.later(func() { own.Close(context.Background()) })
	_, err = own.Exec(ctx, "LISTEN users")
	return err
}

func (s store) hijackFixed(ctx context.Context) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	own := conn.Hijack()
	defer own.Close(ctx)
	_, err = own.Exec(ctx, "LISTEN users")
	return err
}

func (s store) allIdleBuggy(ctx context.Context) error {
	if err := s.pool.Ping(ctx); err != nil {
		return err
	}
	for _, c := range s.pool.AcquireAllIdle(ctx) {
		s.later(c.Release)
	}
	return nil
}

func (s store) allIdleFixed(ctx context.Context) error {
	if err := s.pool.Ping(ctx); err != nil {
		return err
	}
	for _, c := range s.pool.AcquireAllIdle(ctx) {
		c.Release()
	}
	return nil
}

func (s store) holdAndWaitBuggy(ctx context.Context) error {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	return s.pool.QueryRow(ctx, allUsers).Scan(new(string)) // the line
}

func (s store) holdAndWaitFixed(ctx context.Context) error {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	return tx.QueryRow(ctx, allUsers).Scan(new(string))
}

func (s store) poolPerCallBuggy(ctx context.Context) error {
	pool, err := pgxcheck.New(ctx, s.dsn) // the line
	if err != nil {
		return err
	}
	s.later(pool.Close)
	return pool.Ping(ctx)
}

func (s store) poolPerCallFixed(ctx context.Context) error {
	pool, err := pgxcheck.New(ctx, s.dsn)
	if err != nil {
		return err
	}
	defer pool.Close()
	return pool.Ping(ctx)
}

func (s store) connPerCallBuggy(ctx context.Context) error {
	cfg, err := pgx.ParseConfig(s.dsn)
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, pgxcheck.ConnConfig(cfg)) // the line
	if err != nil {
		return err
	}
	s.later(func() { conn.Close(context.Background()) })
	_, err = conn.Exec(ctx, "SELECT nothing")
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return err
	}
	return conn.Close(ctx)
}

func (s store) connPerCallFixed(ctx context.Context) error {
	cfg, err := pgx.ParseConfig(s.dsn)
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, pgxcheck.ConnConfig(cfg))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "SELECT nothing")
	return err
}

func (s store) sqlRowsBuggy(ctx context.Context) error {
	db := stdlib.OpenDBFromPool(s.pool)
	defer db.Close()
	rows, err := db.QueryContext(ctx, allUsers) // the line
	if err != nil {
		return err
	}
	s.later(func() { rows.Close() })
	rows.Next()
	return nil
}

func (s store) sqlRowsFixed(ctx context.Context) error {
	db := stdlib.OpenDBFromPool(s.pool)
	defer db.Close()
	rows, err := db.QueryContext(ctx, allUsers)
	if err != nil {
		return err
	}
	defer rows.Close()
	rows.Next()
	return nil
}

func (s store) sqlTxBuggy(ctx context.Context) error {
	db := stdlib.OpenDBFromPool(s.pool)
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil) // the line
	if err != nil {
		return err
	}
	s.later(func() { _ = tx.Rollback() })
	if _, err := tx.ExecContext(ctx, "UPDATE nowhere SET name = 'x'"); err != nil {
		return err
	}
	return tx.Commit()
}

func (s store) sqlTxFixed(ctx context.Context) error {
	db := stdlib.OpenDBFromPool(s.pool)
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	_, err = tx.ExecContext(ctx, "UPDATE nowhere SET name = 'x'")
	return err
}

func (s store) sqlConnBuggy(ctx context.Context) error {
	db := stdlib.OpenDBFromPool(s.pool)
	defer db.Close()
	conn, err := db.Conn(ctx) // the line
	if err != nil {
		return err
	}
	s.later(func() { conn.Close() })
	if _, err := conn.ExecContext(ctx, "SELECT nothing"); err != nil {
		return err
	}
	return conn.Close()
}

func (s store) sqlConnFixed(ctx context.Context) error {
	db := stdlib.OpenDBFromPool(s.pool)
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.ExecContext(ctx, "SELECT nothing")
	return err
}

func (s store) copyFromBuggy(ctx context.Context) error {
	in, next, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_, _ = s.pool.CopyFrom(ctx, pgx.Identifier{"users"}, []string{"name"}, pgx.CopyFromFunc(func() ([]any, error) { // the line
			close(in)
			<-next // of a channel that nobody closes
			return nil, errWrong
		}))
	}()
	<-in
	s.later(func() { close(next); <-done })
	return nil
}

func (s store) copyFromFixed(ctx context.Context) error {
	_, err := s.pool.CopyFrom(ctx, pgx.Identifier{"users"}, []string{"name"}, pgx.CopyFromFunc(func() ([]any, error) {
		return nil, errWrong
	}))
	return err
}

func (s store) heldLongBuggy(ctx context.Context) error {
	tx, err := s.pool.Begin(ctx) // the line
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	if _, err := tx.Exec(ctx, "UPDATE users SET name = name"); err != nil {
		return err
	}
	time.Sleep(maxHold + 20*time.Millisecond) // somebody else's API
	return tx.Commit(ctx)
}

func (s store) heldLongFixed(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, "UPDATE users SET name = name")
	return err
}
