package sweep_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
)

// transfer moves 1 from one account to the other, and the lines that a mistake would be on.
func transfer(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	rows, err := tx.QueryContext(ctx, "SELECT id, n FROM accounts ORDER BY id")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, n int
		if err := rows.Scan(&id, &n); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for id, by := range map[int]int{1: -1, 2: 1} {
		if _, err := tx.ExecContext(ctx, fmt.Sprintf("UPDATE accounts SET n = n + (%d) WHERE id = %d", by, id)); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// hasty is the same in a hurry: every way out but the last forgets something.
func hasty(ctx context.Context, db *sql.DB) error {
	stmt, err := db.PrepareContext(ctx, "SELECT id, n FROM accounts ORDER BY id") // LINE stmt
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(ctx) // LINE rows
	if err != nil {
		return err
	}
	for rows.Next() {
		var id, n int
		if err := rows.Scan(&id, &n); err != nil {
			return err
		}
	}
	if err := rows.Close(); err != nil {
		return err
	}
	if err := stmt.Close(); err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil) // LINE tx
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE accounts SET n = n - 1 WHERE id = 1"); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE accounts SET n = n + 1 WHERE id = 2"); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	conn, err := db.Conn(ctx) // LINE conn
	if err != nil {
		return err
	}
	if err := conn.PingContext(ctx); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "DELETE FROM accounts WHERE id = 3"); err != nil {
		return err
	}
	return conn.Close()
}

// settled says that the database is as it would be after real failures: no transaction is half done, nothing is locked, and no
// session is left.
func settled(t *testing.T, b base, db *sql.DB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err := db.ExecContext(ctx, "UPDATE accounts SET name = 'Ada' WHERE id = 1")
	require.NoError(t, err, "it is locked")
	var sum, moved int
	require.NoError(t, db.QueryRowContext(ctx, "SELECT sum(n), max(n) FROM accounts").Scan(&sum, &moved))
	assert.Zero(t, sum, "half of a transfer was committed")
	assert.Positive(t, moved, "none was")
	if b.sessions != "" {
		n := -1
		assert.Eventually(t, func() bool { return db.QueryRowContext(ctx, b.sessions).Scan(&n) == nil && n == 0 }, 20*time.Second, 20*time.Millisecond)
		assert.Zero(t, n, "sessions are left")
	}
}

// TestSweepOnDrivers: code that is right passes on every driver, in each of the ways to fail.
func TestSweepOnDrivers(t *testing.T) {
	for name, b := range bases {
		t.Run(name, func(t *testing.T) {
			dsn := b.dsn(t)
			db := accounts(t, b.driver, dsn)
			errs := 0
			t.Run("sweep", func(t *testing.T) {
				dbcheck.Sweep(t, connectors(t, b.driver, dsn), func(t *testing.T, db *sql.DB) {
					err := transfer(dbcheck.SweepContext(t), db)
					if err != nil {
						errs++
					}
					dbcheck.SweepResult(t, err)
				}, dbcheck.SweepPanics())
			})
			assert.Greater(t, errs, 20)
			settled(t, b, db)
		})
	}
}

// TestSweepFinds: every way out that forgets something is found on every driver, and what was leaked meanwhile is closed.
func TestSweepFinds(t *testing.T) {
	for name, b := range bases {
		t.Run(name, func(t *testing.T) {
			dsn := b.dsn(t)
			db := accounts(t, b.driver, dsn)
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHasty$", "-test.count=1", "-test.timeout=2m")
			cmd.Env = append(os.Environ(), "SWEEP_DRIVER="+b.driver, "SWEEP_DSN="+dsn)
			out, err := cmd.CombinedOutput()
			require.Error(t, err)
			found := map[string]bool{}
			for _, m := range regexp.MustCompile(`(?m)^ +\d+\. (\S+.*?) in \d+ scenarios?: .*\n +\S.* at +sweep_test.go:(\d+) `).FindAllStringSubmatch(string(out), -1) {
				found[m[1]+" "+m[2]] = true
			}
			want := map[string]bool{}
			for _, mark := range []string{"stmt", "rows", "tx", "conn"} {
				want[fmt.Sprintf("leak %d", lineOf(t, mark))] = true
			}
			assert.Equal(t, want, found, "%s", out)
			settled(t, b, db)
		})
	}
}

// TestHasty is run by TestSweepFinds.
func TestHasty(t *testing.T) {
	if os.Getenv("SWEEP_DSN") == "" {
		t.Skip("run by TestSweepFinds")
	}
	dbcheck.Sweep(t, connectors(t, os.Getenv("SWEEP_DRIVER"), os.Getenv("SWEEP_DSN")), func(t *testing.T, db *sql.DB) {
		_ = hasty(context.WithoutCancel(dbcheck.SweepContext(t)), db) // what is cancelled closes rows and transactions by itself
	})
}

// lineOf finds the line of this file that has the mark.
func lineOf(t *testing.T, mark string) int {
	text, err := os.ReadFile("sweep_test.go")
	require.NoError(t, err)
	for i, line := range strings.Split(string(text), "\n") {
		if strings.HasSuffix(line, "// LINE "+mark) {
			return i + 1
		}
	}
	require.Fail(t, "no line has the mark "+mark)
	return 0
}

// TestRowsAreTheDrivers: rows in a run say of their columns what they say without the harness, and their values arrive.
func TestRowsAreTheDrivers(t *testing.T) {
	for name, b := range bases {
		t.Run(name, func(t *testing.T) {
			dsn := b.dsn(t)
			plain := accounts(t, b.driver, dsn)
			ask := func(db *sql.DB) (out []string, err error) {
				rows, err := db.Query("SELECT id, name, n, 1.5, CURRENT_TIMESTAMP FROM accounts ORDER BY id")
				if err != nil {
					return nil, err
				}
				defer rows.Close()
				types, err := rows.ColumnTypes()
				if err != nil {
					return nil, err
				}
				for _, c := range types {
					length, hasLength := c.Length()
					nullable, hasNullable := c.Nullable()
					precision, scale, hasScale := c.DecimalSize()
					out = append(out, fmt.Sprint(c.Name(), c.DatabaseTypeName(), c.ScanType(), length, hasLength, nullable, hasNullable, precision, scale, hasScale))
				}
				for rows.Next() {
					var id, n int
					var who sql.NullString
					var half float64
					var now any
					if err := rows.Scan(&id, &who, &n, &half, &now); err != nil {
						return nil, err
					}
					out = append(out, fmt.Sprintf("%v %v %v %v %T", id, who, n, half, now))
				}
				if rows.NextResultSet() {
					out = append(out, "another set")
				}
				return out, rows.Err()
			}
			want, err := ask(plain)
			require.NoError(t, err)
			var got []string
			dbcheck.Sweep(t, connectors(t, b.driver, dsn), func(t *testing.T, db *sql.DB) {
				out, err := ask(db)
				if strings.HasSuffix(t.Name(), "/no_failure") {
					got = out
				}
				dbcheck.SweepResult(t, err)
			})
			assert.Equal(t, want, got)
		})
	}
}
