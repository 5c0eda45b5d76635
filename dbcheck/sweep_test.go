package dbcheck_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
)

// errorPath is code whose happy path is clean: the mistake shows only when a call fails. Line numbers are found by the
// marks in the source.
type errorPath struct {
	name, reason string
	mark         string // the line that is to be named
	kind         string // how the finding begins
	ways         string // the scenarios that find it, as a pattern
	buggy, fixed func(context.Context, *sql.DB) error
	opts         []dbcheck.SweepOption
}

// shortDeadline is for runs that hang.
const shortDeadline = 300 * time.Millisecond

func open(f *fake) func() driver.Connector { return func() driver.Connector { return f.connector() } }

// errorPaths are the ways in which the public bugs of this kind leak, as far as they are on error paths.
var errorPaths = []errorPath{
	{
		"scan-return", "rows stay open when a row cannot be scanned: an early return before Close", "MARK scan-return", "leak: sql.Rows from db.QueryContext", "scan error",
		func(ctx context.Context, db *sql.DB) error {
			rows, err := db.QueryContext(ctx, "SELECT id FROM users") // MARK scan-return
			if err != nil {
				return err
			}
			for rows.Next() {
				var id int
				if err := rows.Scan(&id); err != nil {
					return err
				}
			}
			return errors.Join(rows.Err(), rows.Close())
		},
		func(ctx context.Context, db *sql.DB) error {
			rows, err := db.QueryContext(ctx, "SELECT id FROM users")
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var id int
				if err := rows.Scan(&id); err != nil {
					return err
				}
			}
			return rows.Err()
		}, nil,
	},
	{
		"late-defer", "the defer stands after a check that can return", "MARK late-defer", "leak: sql.Rows from db.QueryContext", "error|error for good|ErrBadConn|server gone",
		func(ctx context.Context, db *sql.DB) error {
			rows, err := db.QueryContext(ctx, "SELECT id FROM users") // MARK late-defer
			if err != nil {
				return err
			}
			if _, err := db.ExecContext(ctx, "UPDATE seen SET n = 1"); err != nil {
				return err
			}
			defer rows.Close()
			return nil
		},
		func(ctx context.Context, db *sql.DB) error {
			rows, err := db.QueryContext(ctx, "SELECT id FROM users")
			if err != nil {
				return err
			}
			defer rows.Close()
			_, err = db.ExecContext(ctx, "UPDATE seen SET n = 1")
			return err
		}, nil,
	},
	{
		"one-row", "one row is read by hand", "MARK one-row", "leak: sql.Rows from db.QueryContext", "cancelled|scan error",
		func(ctx context.Context, db *sql.DB) error {
			rows, err := db.QueryContext(context.WithoutCancel(ctx), "SELECT id FROM users") // MARK one-row
			if err != nil {
				return err
			}
			var id int
			if !rows.Next() {
				return errors.New("no user")
			}
			if err := rows.Scan(&id); err != nil {
				return err
			}
			return rows.Close()
		},
		func(ctx context.Context, db *sql.DB) error {
			var id int
			return db.QueryRowContext(context.WithoutCancel(ctx), "SELECT id FROM users").Scan(&id)
		}, nil,
	},
	{
		"tx-exec", "a transaction is not ended when a statement in it fails", "MARK tx-exec", "leak: sql.Tx from db.BeginTx", "error|error for good|ErrBadConn|server gone",
		func(ctx context.Context, db *sql.DB) error {
			tx, err := db.BeginTx(ctx, nil) // MARK tx-exec
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "UPDATE users SET n = 1"); err != nil {
				return err
			}
			return tx.Commit()
		},
		func(ctx context.Context, db *sql.DB) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			if _, err := tx.ExecContext(ctx, "UPDATE users SET n = 1"); err != nil {
				return err
			}
			return tx.Commit()
		}, nil,
	},
	{
		"tx-cancel", "the caller's context ends, and the transaction was begun with another one", "MARK tx-cancel", "leak: sql.Tx from db.BeginTx", "cancelled",
		func(ctx context.Context, db *sql.DB) error {
			tx, err := db.BeginTx(context.Background(), nil) // MARK tx-cancel
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "UPDATE users SET n = 1"); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				return errors.Join(err, tx.Rollback())
			}
			return tx.Commit()
		},
		func(ctx context.Context, db *sql.DB) error {
			tx, err := db.BeginTx(context.Background(), nil)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			if _, err := tx.ExecContext(ctx, "UPDATE users SET n = 1"); err != nil {
				return err
			}
			return tx.Commit()
		}, nil,
	},
	{
		"tx-commit", "what is done when Commit fails takes a connection, and keeps it", "MARK tx-commit", "leak: sql.Rows from db.QueryContext", "error|ErrBadConn|cancelled",
		func(ctx context.Context, db *sql.DB) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			if err := tx.Commit(); err != nil {
				if rows, err := db.QueryContext(context.Background(), "SELECT state FROM jobs"); err == nil { // MARK tx-commit
					rows.Next()
				}
				return err
			}
			return nil
		},
		func(ctx context.Context, db *sql.DB) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			return tx.Commit()
		}, nil,
	},
	{
		"stmt", "a statement is not closed when its query fails", "MARK stmt", "leak: sql.Stmt from db.PrepareContext", "error|error for good|cancelled",
		func(ctx context.Context, db *sql.DB) error {
			stmt, err := db.PrepareContext(ctx, "SELECT id FROM users WHERE n = ?") // MARK stmt
			if err != nil {
				return err
			}
			rows, err := stmt.QueryContext(ctx, 1)
			if err != nil {
				return err
			}
			return errors.Join(rows.Close(), stmt.Close())
		},
		func(ctx context.Context, db *sql.DB) error {
			stmt, err := db.PrepareContext(ctx, "SELECT id FROM users WHERE n = ?")
			if err != nil {
				return err
			}
			defer stmt.Close()
			rows, err := stmt.QueryContext(ctx, 1)
			if err != nil {
				return err
			}
			return rows.Close()
		}, nil,
	},
	{
		"conn", "a connection is not closed when what it was taken for fails", "MARK conn", "leak: sql.Conn from db.Conn", "error|error for good|ErrBadConn|server gone|cancelled",
		func(ctx context.Context, db *sql.DB) error {
			conn, err := db.Conn(ctx) // MARK conn
			if err != nil {
				return err
			}
			if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock(1)"); err != nil {
				return err
			}
			return conn.Close()
		},
		func(ctx context.Context, db *sql.DB) error {
			conn, err := db.Conn(ctx)
			if err != nil {
				return err
			}
			defer conn.Close()
			_, err = conn.ExecContext(ctx, "SELECT pg_advisory_lock(1)")
			return err
		}, nil,
	},
	{
		"second-lease", "the error path asks a pool of one for another connection while it holds one", "MARK second-lease", "hang", "error|error for good|ErrBadConn|server gone",
		func(ctx context.Context, db *sql.DB) error {
			db.SetMaxOpenConns(1)
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			if _, err := tx.ExecContext(ctx, "UPDATE users SET n = 1"); err != nil {
				_, _ = db.ExecContext(context.Background(), "INSERT INTO failures VALUES (1)") // MARK second-lease
				return err
			}
			return tx.Commit()
		},
		func(ctx context.Context, db *sql.DB) error {
			db.SetMaxOpenConns(1)
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			if _, err := tx.ExecContext(ctx, "UPDATE users SET n = 1"); err != nil {
				_ = tx.Rollback()
				_, _ = db.ExecContext(context.Background(), "INSERT INTO failures VALUES (1)")
				return err
			}
			return tx.Commit()
		}, []dbcheck.SweepOption{dbcheck.SweepDeadline(shortDeadline)},
	},
	{
		"panic", "a panic between Query and Close", "MARK panic", "leak: sql.Rows from db.QueryContext", "panic",
		func(ctx context.Context, db *sql.DB) error {
			rows, err := db.QueryContext(ctx, "SELECT id FROM users") // MARK panic
			if err != nil {
				return err
			}
			for rows.Next() {
			}
			return errors.Join(rows.Err(), rows.Close())
		},
		func(ctx context.Context, db *sql.DB) error {
			rows, err := db.QueryContext(ctx, "SELECT id FROM users")
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
			}
			return rows.Err()
		}, []dbcheck.SweepOption{dbcheck.SweepPanics()},
	},
	{
		"rows-err", "rows.Err is not looked at: half of the rows are taken for all", "MARK rows-err", "swallowed error: the error of Rows.Next is lost", "error|ErrBadConn|server gone|cancelled",
		func(ctx context.Context, db *sql.DB) error {
			rows, err := db.QueryContext(ctx, "SELECT id FROM users")
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() { // MARK rows-err
			}
			return nil
		},
		func(ctx context.Context, db *sql.DB) error {
			rows, err := db.QueryContext(ctx, "SELECT id FROM users")
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
			}
			return rows.Err()
		}, nil,
	},
	{
		"commit-err", "the error of Commit is not looked at", "MARK commit-err", "swallowed error: the error of Commit is lost", "error|ErrBadConn|server gone|cancelled",
		func(ctx context.Context, db *sql.DB) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			_ = tx.Commit() // MARK commit-err
			return nil
		},
		func(ctx context.Context, db *sql.DB) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			return tx.Commit()
		}, nil,
	},
}

var heads = regexp.MustCompile(`(?m)^sweep: .*$`)

// TestSweepFindsErrorPaths: each is found at its line, by the failures that can show it alone; the happy path and the fixed code are clean.
func TestSweepFindsErrorPaths(t *testing.T) {
	for _, c := range errorPaths {
		t.Run(c.name, func(t *testing.T) {
			t.Run("fixed", func(t *testing.T) {
				dbcheck.Sweep(t, open(&fake{}), func(t *testing.T, db *sql.DB) {
					dbcheck.SweepResult(t, c.fixed(dbcheck.SweepContext(t), db))
				}, c.opts...)
			})
			told := dbcheck.SweepInto(t, open(&fake{}), func(t *testing.T, db *sql.DB) {
				dbcheck.SweepResult(t, c.buggy(dbcheck.SweepContext(t), db))
			}, c.opts...)
			found := 0
			for _, one := range told {
				if one.Error == "" {
					continue
				}
				for _, head := range heads.FindAllString(one.Error, -1) {
					assert.Contains(t, head, "sweep: "+c.kind, one.Test)
				}
				assert.Contains(t, one.Error, fmt.Sprintf("sweep_test.go:%d  ", lineOf(t, c.mark)), one.Test)
				_, by, ok := strings.Cut(one.Test, ",_")
				require.True(t, ok, "%s: the happy path is clean", one.Test)
				assert.Regexp(t, "^("+strings.ReplaceAll(c.ways, " ", "_")+")$", by, one.Error)
				found++
			}
			assert.Positive(t, found, "nothing was found")
			assert.Contains(t, told[len(told)-1].Log, "by 1 root cause (")
		})
	}
}

// tells gives all that a sweep told as a test's errors and logs.
func tells(told []dbcheck.Told) *fakeT {
	ft := &fakeT{}
	for _, one := range told {
		if one.Error != "" {
			ft.errors = append(ft.errors, one.Test+"\n"+one.Error)
		} else {
			ft.logs = append(ft.logs, one.Test+"\n"+one.Log)
		}
	}
	return ft
}

// updateUsers is a transaction that is right on its happy path, and leaks when its statement fails.
func updateUsers(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE users SET name = 'secret'"); err != nil {
		return err
	}
	return tx.Commit()
}

func sweepUpdate(t *testing.T, db *sql.DB) {
	dbcheck.SweepResult(t, updateUsers(dbcheck.SweepContext(t), db))
}

// TestSweepTells: all that a sweep prints.
func TestSweepTells(t *testing.T) {
	leaksOnPurpose(t)
	exec := func(t *testing.T, db *sql.DB) error {
		_, err := db.ExecContext(dbcheck.SweepContext(t), "UPDATE users SET n = 1")
		return err
	}
	only := func(names ...string) dbcheck.SweepOption { return dbcheck.SweepOnly(names...) }
	for _, c := range []struct {
		name, reason string
		run          func(*testing.T, *sql.DB)
		opts         []dbcheck.SweepOption
	}{
		{"sweep-leak", "the whole of it: one root cause, in several scenarios, and the missing test", sweepUpdate, nil},
		{"sweep-passes", "nothing is found, and nothing told of what becomes of errors", func(t *testing.T, db *sql.DB) { _ = exec(t, db) }, nil},
		{"sweep-swallowed", "an error that goes on as if nothing was", func(t *testing.T, db *sql.DB) {
			_ = exec(t, db)
			dbcheck.SweepResult(t, nil)
		}, []dbcheck.SweepOption{only("call 2 *")}},
		{"sweep-retried", "an error after which the same is done again is no lost one; when it stays, it is", func(t *testing.T, db *sql.DB) {
			for range 3 {
				if exec(t, db) == nil {
					break
				}
			}
			dbcheck.SweepResult(t, nil)
		}, []dbcheck.SweepOption{only("call 2 *")}},
		{"sweep-hang", "a run that waits for the connection that it has lost", func(t *testing.T, db *sql.DB) {
			db.SetMaxOpenConns(1)
			tx, err := db.Begin()
			if err != nil {
				return
			}
			if _, err := tx.Exec("UPDATE users SET n = 1"); err != nil {
				_, _ = db.Exec("INSERT INTO failures VALUES (1)")
			}
			_ = tx.Rollback()
		}, []dbcheck.SweepOption{only("call 3 *, error", "call 3 *, ErrBadConn"), dbcheck.SweepDeadline(shortDeadline)}},
		{"sweep-left", "a run that nothing can end", func(t *testing.T, db *sql.DB) {
			if exec(t, db) != nil {
				left.Lock()
				left.Unlock() //lint:ignore SA2001 it waits
			}
		}, []dbcheck.SweepOption{only("call 2 *, error"), dbcheck.SweepDeadline(shortDeadline)}},
		{"sweep-storm", "a run that tries for ever", func(t *testing.T, db *sql.DB) {
			for exec(t, db) != nil {
			}
		}, []dbcheck.SweepOption{only("call 2 *, error for good", "call 2 *, server gone")}},
		{"sweep-conn-close", "a Conn.Close that waits for rows: why it hangs is told as elsewhere", func(t *testing.T, db *sql.DB) {
			conn, err := db.Conn(context.Background())
			if err != nil {
				return
			}
			rows, err := conn.QueryContext(dbcheck.SweepContext(t), "SELECT 1")
			if err != nil {
				return
			}
			for rows.Next() {
				var n int
				if rows.Scan(&n) != nil {
					break
				}
			}
			_ = conn.Close()
		}, []dbcheck.SweepOption{only("call 3 *, scan error"), dbcheck.SweepDeadline(2 * time.Second)}},
		{"sweep-storm-cancelled", "a run that tries for ever, and does not reach the driver", func(t *testing.T, db *sql.DB) {
			for exec(t, db) != nil {
			}
		}, []dbcheck.SweepOption{only("call 2 *, cancelled")}},
		{"sweep-panic", "a panic of its own, and the sweep goes on", func(t *testing.T, db *sql.DB) {
			rows, _ := db.Query("SELECT 1")
			_, _ = rows.Columns()
			_ = rows.Close()
		}, []dbcheck.SweepOption{only("call 2 *, error", "call 2 *, ErrBadConn")}},
		{"sweep-clean-leaks", "what leaks without a failure is told once, and does not fail the others", func(t *testing.T, db *sql.DB) {
			_, _ = db.Begin()
			_ = updateUsers(context.Background(), db)
		}, []dbcheck.SweepOption{only("call 2 *, error", "call 5 *, error")}},
		{"sweep-clean-error", "a run that fails by itself", func(t *testing.T, db *sql.DB) {
			_ = exec(t, db)
			dbcheck.SweepResult(t, errors.New("no such table: users"))
		}, nil},
		{"sweep-clean-panics", "a run that panics by itself", func(*testing.T, *sql.DB) { panic("always") }, nil},
		{"sweep-no-call", "a run that does not use its db", func(*testing.T, *sql.DB) {}, nil},
		{"sweep-skips", "a run that skips itself", func(t *testing.T, _ *sql.DB) { t.Skip("no") }, nil},
		{"sweep-loop", "of the calls of a loop the first and the last fail", func(t *testing.T, db *sql.DB) {
			for i := range 20 {
				if _, err := db.ExecContext(context.Background(), "INSERT INTO n VALUES (?)", i); err != nil {
					return
				}
			}
		}, []dbcheck.SweepOption{dbcheck.SweepEnds(1)}},
		{"sweep-mixed", "several goroutines with one statement: their calls cannot be told apart", func(t *testing.T, db *sql.DB) {
			db.SetMaxOpenConns(1)
			for range 2 {
				done := make(chan bool)
				go func() {
					defer close(done)
					_, _ = db.Exec("UPDATE users SET n = 1")
				}()
				<-done
			}
		}, []dbcheck.SweepOption{only("* ExecContext, error")}},
		{"sweep-check", "a budget is a part of each run's check", func(t *testing.T, db *sql.DB) {
			tx, err := db.Begin()
			if err != nil {
				return
			}
			defer tx.Rollback()
			if _, err := tx.Exec("UPDATE users SET n = 1"); err != nil {
				_, _ = db.Exec("INSERT INTO failures VALUES (1)")
			}
		}, []dbcheck.SweepOption{only("call 3 *, error"), dbcheck.SweepCheck(dbcheck.NoNestedLease())}},
		{"sweep-no-match", "a pattern that nothing matches", sweepUpdate, []dbcheck.SweepOption{only("call 9 *")}},
		{"sweep-bad-options", "options that are wrong", sweepUpdate, []dbcheck.SweepOption{
			nil, only(), dbcheck.SweepWithout("["), dbcheck.SweepDeadline(0), dbcheck.SweepEnds(0),
		}},
		{"sweep-nil", "no function to run", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			golden(t, c.name, c.reason, tells(dbcheck.SweepInto(t, open(&fake{}), c.run, c.opts...)))
		})
	}
}

// left is locked as long as the tests run.
var left = func() *sync.Mutex {
	var mu sync.Mutex
	mu.Lock()
	return &mu
}()

// TestSweepRefused: the driver does not connect, or the connector is nil.
func TestSweepRefused(t *testing.T) {
	f := &fake{fail: func(call string) error {
		if call == "connect" {
			return errors.New("no server at postgres://app:secret@127.0.0.1:5432/db")
		}
		return nil
	}}
	golden(t, "sweep-refused", "the connector cannot connect", tells(dbcheck.SweepInto(t, open(f), sweepUpdate)))
	golden(t, "sweep-nil-connector", "open gives nil", tells(dbcheck.SweepInto(t, func() driver.Connector { return nil }, sweepUpdate)))
}

// TestSweepTestContext: with t.Context() a transaction that nobody ends is ended before the check looks.
func TestSweepTestContext(t *testing.T) {
	golden(t, "sweep-test-context", "the end of the test's context hides the leak, and the summary says so",
		tells(dbcheck.SweepInto(t, func() driver.Connector { return (&fake{}).connector() }, func(t *testing.T, db *sql.DB) {
			tx, err := db.BeginTx(t.Context(), nil)
			if err == nil {
				_, _ = tx.ExecContext(t.Context(), "UPDATE items SET n = 1")
			}
		})))
}

// TestSweepCancels: the context that SweepContext gave ends, and with it what is derived from it; a context of another origin
// only seems to, and one that cannot end does not.
func TestSweepCancels(t *testing.T) {
	type seen struct{ err, ctxErr error }
	got := make(map[string]seen)
	run := func(with func(*testing.T) (context.Context, context.CancelFunc)) func(*testing.T, *sql.DB) {
		return func(t *testing.T, db *sql.DB) {
			t.Run("inner", func(t *testing.T) {
				ctx, cancel := with(t)
				defer cancel()
				_, err := db.ExecContext(ctx, "UPDATE users SET n = 1")
				got[strings.Split(t.Name(), "/")[2]] = seen{err, ctx.Err()}
			})
		}
	}
	t.Run("real", func(t *testing.T) {
		dbcheck.Sweep(t, open(&fake{}), run(func(t *testing.T) (context.Context, context.CancelFunc) {
			return context.WithTimeout(dbcheck.SweepContext(t), time.Hour)
		}))
	})
	assert.Equal(t, seen{context.Canceled, context.Canceled}, got["call_2_ExecContext,_cancelled"])
	assert.Equal(t, seen{}, got["no_failure"])
	clear(got)
	t.Run("other", func(t *testing.T) {
		dbcheck.Sweep(t, open(&fake{}), run(func(*testing.T) (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), time.Hour)
		}))
	})
	assert.Equal(t, seen{context.Canceled, nil}, got["call_2_ExecContext,_cancelled"])
	clear(got)
	t.Run("none", func(t *testing.T) {
		dbcheck.Sweep(t, open(&fake{}), run(func(*testing.T) (context.Context, context.CancelFunc) {
			return context.Background(), func() {}
		}))
	})
	assert.NotContains(t, got, "call_2_ExecContext,_cancelled")
	assert.Contains(t, got, "call_2_ExecContext,_ErrBadConn")

	assert.Equal(t, t.Context(), dbcheck.SweepContext(t), "no sweep")
	assert.Equal(t, context.Background(), dbcheck.SweepContext(&fakeT{name: "TestOfNoSweep"}))
	assert.Equal(t, context.Background(), dbcheck.SweepContext(nil))
	dbcheck.SweepResult(t, errFake)
	dbcheck.SweepResult(nil, errFake)
}

// TestSweepServerGone: every connection is gone with the server, the idle ones and those of others too, and none comes.
func TestSweepServerGone(t *testing.T) {
	var other, fresh error
	dbcheck.Sweep(t, open(&fake{}), func(t *testing.T, db *sql.DB) {
		one, err := db.Conn(t.Context())
		if err != nil {
			return
		}
		defer one.Close()
		two, err := db.Conn(t.Context())
		if err != nil {
			return
		}
		defer two.Close()
		_, _ = one.ExecContext(t.Context(), "UPDATE users SET n = 1")
		other, fresh = two.PingContext(t.Context()), db.PingContext(t.Context())
	}, dbcheck.SweepOnly("* ExecContext, server gone"))
	assert.Equal(t, driver.ErrBadConn, other)
	assert.ErrorContains(t, fresh, "the server is gone")
}

// TestSweepLeavesNothing: whatever a run leaks, its connections are closed after it, and what was open on them before.
func TestSweepLeavesNothing(t *testing.T) {
	for _, c := range errorPaths {
		t.Run(c.name, func(t *testing.T) {
			f := &fake{}
			dbcheck.SweepInto(t, open(f), func(t *testing.T, db *sql.DB) {
				_ = c.buggy(context.WithoutCancel(dbcheck.SweepContext(t)), db)
			}, c.opts...)
			assert.Zero(t, f.open.Load(), "connections are open")
			calls := map[string]int{}
			for _, call := range f.log() {
				name, _, _ := strings.Cut(call, " ")
				calls[name]++
			}
			assert.Equal(t, calls["beginTx"], calls["commit"]+calls["rollback"], "transactions are open: %v", calls)
			assert.Equal(t, calls["connect"], calls["close"], calls)
			assert.Equal(t, calls["prepareContext"], calls["stmt.close"], calls)
			assert.Equal(t, calls["queryContext"]+calls["stmt.queryContext"], calls["rows.close"], calls)
		})
	}
}

// TestSweepGoroutines: calls of several goroutines come in any order; each statement fails in its turn.
func TestSweepGoroutines(t *testing.T) {
	var mu sync.Mutex
	failed := make(map[string]bool)
	dbcheck.Sweep(t, open(&fake{}), func(t *testing.T, db *sql.DB) {
		db.SetMaxOpenConns(2)
		var wg sync.WaitGroup
		for i := range 4 {
			query := fmt.Sprintf("UPDATE t%c SET n = 1", 'a'+i)
			wg.Go(func() {
				runtime.Gosched()
				if _, err := db.Exec(query); err != nil {
					mu.Lock()
					failed[query] = true
					mu.Unlock()
				}
			})
		}
		wg.Wait()
	}, dbcheck.SweepOnly("* ExecContext, error"))
	assert.Len(t, failed, 4)
}

// TestFailCall: one run of a sweep as a test of its own.
func TestFailCall(t *testing.T) {
	for _, c := range []struct {
		name, reason, scenario string
		run                    func(*cleaningT, *sql.DB) error
	}{
		{"fail-call", "the leak of the sweep, in a test of its own", "call 3 ExecContext, error", func(t *cleaningT, db *sql.DB) error {
			return updateUsers(dbcheck.SweepContext(t), db)
		}},
		{"fail-call-moved", "the call has another number by now", "call 2 ExecContext, ErrBadConn", func(t *cleaningT, db *sql.DB) error {
			return updateUsers(dbcheck.SweepContext(t), db)
		}},
		{"fail-call-unmet", "the call is not made any more", "call 9 Commit, error", func(t *cleaningT, db *sql.DB) error {
			return updateUsers(dbcheck.SweepContext(t), db)
		}},
		{"fail-call-swallowed", "the error is lost", "call 2 Ping, error", func(t *cleaningT, db *sql.DB) error {
			_ = db.Ping()
			dbcheck.SweepResult(t, nil)
			return errFake
		}},
		{"fail-call-bad", "a name that is none", "call 3 Commit", nil},
		{"fail-call-bad-number", "a call that is none", "call 0 Commit, error", nil},
		{"fail-call-bad-call", "a call that is none", "call 3 Comit, error", nil},
		{"fail-call-bad-way", "a way that is none", "call 3 Commit, eror", nil},
		{"fail-call-other-way", "a way that this call has not", "call 3 Commit, scan error", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			ft := &cleaningT{}
			db := dbcheck.OpenDB(dbcheck.FailCall(ft, (&fake{}).connector(), c.scenario))
			ft.Cleanup(func() { db.Close() })
			ft.Cleanup(dbcheck.Verify(ft, db))
			if c.run != nil {
				err := c.run(ft, db)
				assert.True(t, err != nil || strings.HasSuffix(c.name, "unmet"))
			}
			ft.end()
			golden(t, c.name, c.reason, &ft.fakeT)
		})
	}
	ft := &cleaningT{}
	w := dbcheck.Wrap((&fake{}).connector())
	assert.NotEqual(t, reflect.ValueOf(w).Pointer(), reflect.ValueOf(dbcheck.FailCall(ft, w, "call 1 Ping, error")).Pointer(), "the tracked one is left alone")
	assert.NotNil(t, dbcheck.FailCall(nil, w, "call 1 Ping, error"))
}

// cleaningT is a fakeT with cleanups.
type cleaningT struct {
	fakeT
	cleanups []func()
}

func (t *cleaningT) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

func (t *cleaningT) end() {
	for len(t.cleanups) > 0 {
		f := t.cleanups[len(t.cleanups)-1]
		t.cleanups = t.cleanups[:len(t.cleanups)-1]
		f()
	}
}

// TestSweepProcess: what needs a test that really fails, in a process of its own.
func TestSweepProcess(t *testing.T) {
	for _, c := range []struct{ name, reason, run string }{
		{"filter", "one scenario alone: the calls are learned without a subtest", "^TestSweepChild$/^call_3_ExecContext,_error$"},
		{"fails", "an assertion of the run's own, and what is held then, which is no finding", "^TestSweepChild$/^(no_failure|call_3_ExecContext,_error)$"},
		{"goexit", "the end of a goroutine is not the end of the sweep", "^TestSweepChild$"},
		{"parallel", "a run that calls t.Parallel", "^TestSweepChild$"},
		{"clean-fails", "a run that fails by itself", "^TestSweepChild$"},
		{"clean-fails-filter", "and so it does where one scenario is named", "^TestSweepChild$/^call_3_ExecContext,_error$"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+c.run, "-test.count=1", "-test.timeout=2m")
			cmd.Env = append(os.Environ(), "SWEEP_CHILD="+c.name)
			out, err := cmd.CombinedOutput()
			require.Error(t, err, "%s", out)
			text := strings.ReplaceAll(string(out), "\nPASS\n", "\n")
			text, _, _ = strings.Cut(text, "coverage:")
			golden(t, "sweep-process-"+c.name, c.reason, &fakeT{errors: []string{strings.TrimSpace(text)}})
		})
	}
}

// TestSweepChild is run by TestSweepProcess.
func TestSweepChild(t *testing.T) {
	run := sweepUpdate
	switch os.Getenv("SWEEP_CHILD") {
	case "":
		t.Skip("run by TestSweepProcess")
	case "fails":
		run = func(t *testing.T, db *sql.DB) {
			if updateUsers(dbcheck.SweepContext(t), db) != nil {
				t.Fatal("not updated")
			}
		}
	case "goexit":
		run = func(t *testing.T, db *sql.DB) {
			if db.Ping() != nil {
				runtime.Goexit()
			}
		}
	case "parallel":
		run = func(t *testing.T, db *sql.DB) { t.Parallel() }
	case "clean-fails", "clean-fails-filter":
		run = func(t *testing.T, db *sql.DB) {
			_ = db.Ping()
			t.Error("always")
		}
	}
	dbcheck.Sweep(t, open(&fake{}), run)
}
