package dbcheck_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
)

// TestEverySet: with every set of optional interfaces, the program sees the same, and the driver is asked the same, in the
// same order and with the same contexts and arguments, as without the wrapper.
func TestEverySet(t *testing.T) {
	for conn := range connSets {
		for stmt := range stmtSets {
			same(t, fmt.Sprintf("connection %06b, statement %04b", conn, stmt), func() *fake {
				return &fake{shapeOf: connSets[conn], shapeSt: stmtSets[stmt], inputs: 1}
			})
		}
	}
}

// TestEveryFailure lets each call of the driver fail in turn, in each way that matters to database/sql, and compares what
// the program sees and what the driver is asked from then on.
func TestEveryFailure(t *testing.T) {
	leaksOnPurpose(t)
	ways := map[string]func() error{
		"error":     func() error { return errFake },
		"wrapped":   func() error { return fmt.Errorf("the driver says: %w", driver.ErrBadConn) },
		"bad":       func() error { return driver.ErrBadConn },
		"skip":      func() error { return driver.ErrSkip },
		"remove":    func() error { return driver.ErrRemoveArgument },
		"cancelled": func() error { return context.Canceled },
		"EOF":       func() error { return io.EOF },
		"panic":     func() error { panic(errFake) },
	}
	for _, name := range []string{"everything", "nothing", "legacy", "neither SessionResetter nor Validator", "no QueryerContext", "stmt with a checker alone"} {
		i := 0
		for shapes[i].name != name {
			i++
		}
		s := shapes[i]
		t.Run(name, func(t *testing.T) {
			whole := &fake{shapeOf: s.conn, shapeSt: s.stmt, shapeCtr: s.ctr, inputs: 1}
			guarded(sql.OpenDB(whole.connector()))
			calls := whole.log()
			require.Greater(t, len(calls), 15)
			for at := range calls {
				for way, fail := range ways {
					if way == "skip" && calls[at] == "next" { // database/sql takes it for a row, for ever
						continue
					}
					what := fmt.Sprintf("call %d, %s: %s", at, calls[at], way)
					same(t, what, func() *fake {
						f := &fake{shapeOf: s.conn, shapeSt: s.stmt, shapeCtr: s.ctr, inputs: 1}
						n := 0
						f.fail = func(string) error {
							n++
							if n == at+1 {
								return fail()
							}
							return nil
						}
						return f
					})
				}
			}
		})
	}
}

// same runs the scenario with the driver as it is and with the wrapper.
func same(t *testing.T, what string, make func() *fake) {
	t.Helper()
	plain, wrapped := make(), make()
	want := guarded(sql.OpenDB(plain.connector()))
	got := guarded(dbcheck.OpenDB(wrapped.connector()))
	if !assert.Equal(t, strings.Join(want, "\n"), strings.Join(got, "\n"), "%s: what the program saw", what) ||
		!assert.Equal(t, strings.Join(plain.log(), "\n"), strings.Join(wrapped.log(), "\n"), "%s: what the driver was asked", what) ||
		!assert.Equal(t, plain.open.Load(), wrapped.open.Load(), "%s: connections left open", what) {
		t.FailNow()
	}
}

// guarded does one thing after the other with a database, none of which can wait for ever when an earlier one failed or
// panicked, and says what came of each.
func guarded(db *sql.DB) (out []string) {
	db.SetMaxIdleConns(1)
	ctx := context.WithValue(context.Background(), markKey{}, "ctx")
	// A panic leaves locks of what it went through locked: that is not used again.
	step := func(what string, f func() error) (usable bool) {
		defer func() {
			if r := recover(); r != nil {
				usable = false
				out = append(out, fmt.Sprintf("%s: panic %v", what, r))
			}
			s := db.Stats()
			out = append(out, fmt.Sprintf("    open %d, in use %d, idle %d", s.OpenConnections, s.InUse, s.Idle))
		}()
		err := f()
		same := err == errFake || err == driver.ErrBadConn || err == context.Canceled || err == io.EOF
		out = append(out, fmt.Sprintf("%s: %v, %T, as the driver gave it: %v", what, err, err, same))
		return true
	}
	var n int
	var stmt *sql.Stmt
	var tx *sql.Tx
	var conn *sql.Conn
	step("ping", func() error { return db.PingContext(ctx) })
	step("exec", func() error { _, err := db.ExecContext(ctx, "exec", 1); return err })
	step("exec odd", func() error { _, err := db.ExecContext(ctx, "exec", odd{}); return err })
	step("exec named", func() error { _, err := db.ExecContext(ctx, "exec", sql.Named("x", 1)); return err })
	step("exec of too many", func() error { _, err := db.ExecContext(ctx, "exec", 1, 2); return err })
	step("query", func() error {
		rows, err := db.QueryContext(ctx, "query", odd{})
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := rows.Scan(&n); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	step("row", func() error { return db.QueryRowContext(ctx, "row", 1).Scan(&n) })
	step("prepare", func() (err error) { stmt, err = db.PrepareContext(ctx, "prepare"); return err })
	usable := stmt != nil &&
		step("stmt exec", func() error { _, err := stmt.ExecContext(ctx, odd{}); return err }) &&
		step("stmt row", func() error { return stmt.QueryRowContext(ctx, 1).Scan(&n) }) &&
		step("stmt of too many", func() error { _, err := stmt.ExecContext(ctx, 1, 2); return err })
	step("begin", func() (err error) { tx, err = db.BeginTx(ctx, nil); return err })
	if tx != nil &&
		step("tx exec", func() error { _, err := tx.ExecContext(ctx, "tx exec", 1); return err }) &&
		step("tx row", func() error { return tx.QueryRowContext(ctx, "tx row", 1).Scan(&n) }) {
		ended := true
		if usable {
			ended = step("tx stmt", func() error { _, err := tx.StmtContext(ctx, stmt).ExecContext(ctx, 1); return err })
			usable = ended
		}
		_ = ended && step("commit", tx.Commit) && step("rollback after it", tx.Rollback)
	}
	tx = nil
	step("begin with options", func() (err error) {
		tx, err = db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable, ReadOnly: true})
		return err
	})
	if tx != nil {
		step("rollback", tx.Rollback)
	}
	step("conn", func() (err error) { conn, err = db.Conn(ctx); return err })
	_ = conn != nil &&
		step("conn ping", func() error { return conn.PingContext(ctx) }) &&
		step("conn exec", func() error { _, err := conn.ExecContext(ctx, "conn exec", 1); return err }) &&
		step("conn raw", func() error { return conn.Raw(func(any) error { return nil }) }) &&
		step("conn bad", func() error { return conn.Raw(func(any) error { return driver.ErrBadConn }) }) &&
		step("conn close", conn.Close)
	if usable {
		step("stmt close", stmt.Close)
	}
	step("close", db.Close)
	return out
}

// TestRowsAsTheyAre: what a query gives is the driver's own Rows, whatever interfaces it has: database/sql asks it for more
// with each version.
func TestRowsAsTheyAre(t *testing.T) {
	ctx := context.Background()
	query := map[string]func(driver.Conn) (driver.Rows, error){
		"connection": func(c driver.Conn) (driver.Rows, error) {
			return c.(driver.QueryerContext).QueryContext(ctx, "q", nil)
		},
		"statement": func(c driver.Conn) (driver.Rows, error) {
			s, err := c.Prepare("q")
			require.NoError(t, err)
			return s.(driver.StmtQueryContext).QueryContext(ctx, nil)
		},
		"statement without a context": func(c driver.Conn) (driver.Rows, error) {
			s, err := c.Prepare("q")
			require.NoError(t, err)
			return s.Query(nil) //lint:ignore SA1019 what an old driver has
		},
	}
	shape := map[string]func(*fakeConn) driver.Conn{
		"every interface": func(c *fakeConn) driver.Conn { return c },
		"legacy":          func(c *fakeConn) driver.Conn { return legacyConn{c, c.f} },
	}
	for with, of := range shape {
		for by, ask := range query {
			t.Run(with+", "+by, func(t *testing.T) {
				c, err := dbcheck.Wrap((&fake{shapeOf: of}).connector()).Connect(ctx)
				require.NoError(t, err)
				defer c.Close()
				rows, err := ask(c)
				require.NoError(t, err)
				assert.IsType(t, &fakeRows{}, rows)
			})
		}
	}
}
