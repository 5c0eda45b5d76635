package dbcheck_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
)

// bare is what every connection must have.
type bare struct{ driver.Conn }

// bareStmt is what every statement must have.
type bareStmt struct{ driver.Stmt }

// conv gives driver.ColumnConverter a name that its method does not have.
type conv interface {
	ColumnConverter(int) driver.ValueConverter
}

// shapes are drivers that lack an interface each, and some that lack several.
var shapes = []struct {
	name string
	conn func(*fakeConn) driver.Conn
	stmt func(*fakeStmt) driver.Stmt
	ctr  func(*fakeConnector) driver.Connector
}{
	{name: "everything"},
	{name: "connector with Close", ctr: func(c *fakeConnector) driver.Connector { return fakeCloser{c} }},
	{name: "nothing", conn: func(c *fakeConn) driver.Conn { return bare{c} }, stmt: func(s *fakeStmt) driver.Stmt { return bareStmt{s} }},
	{name: "no Pinger", conn: func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ExecerContext
			driver.QueryerContext
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c, c}
	}},
	{name: "no ExecerContext", conn: func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.QueryerContext
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c, c}
	}},
	{name: "no QueryerContext", conn: func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ExecerContext
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c, c}
	}},
	{name: "no ConnPrepareContext", conn: func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ExecerContext
			driver.QueryerContext
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c, c}
	}},
	{name: "no ConnBeginTx", conn: func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ExecerContext
			driver.QueryerContext
			driver.ConnPrepareContext
			driver.NamedValueChecker
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c, c}
	}},
	{name: "no NamedValueChecker", conn: func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ExecerContext
			driver.QueryerContext
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c, c}
	}},
	{name: "no SessionResetter", conn: func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ExecerContext
			driver.QueryerContext
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.Validator
		}{bare{c}, c, c, c, c, c, c, c}
	}},
	{name: "no Validator", conn: func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ExecerContext
			driver.QueryerContext
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.SessionResetter
		}{bare{c}, c, c, c, c, c, c, c}
	}},
	{name: "neither SessionResetter nor Validator", conn: func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ExecerContext
			driver.QueryerContext
			driver.ConnPrepareContext
			driver.ConnBeginTx
		}{bare{c}, c, c, c, c}
	}},
	{name: "legacy", conn: func(c *fakeConn) driver.Conn { return legacyConn{c, c.f} }, stmt: func(s *fakeStmt) driver.Stmt { return bareStmt{s} }},
	{name: "legacy, ErrSkip", conn: func(c *fakeConn) driver.Conn {
		c.f.setFail(func(call string) error {
			if len(call) > 5 && (call[:5] == "exec " || call[:6] == "query ") {
				return driver.ErrSkip
			}
			return nil
		})
		return legacyConn{c, c.f}
	}},
	{name: "ErrSkip", conn: func(c *fakeConn) driver.Conn {
		c.f.setFail(func(call string) error {
			if len(call) > 11 && (call[:11] == "execContext" || call[:12] == "queryContext") {
				return driver.ErrSkip
			}
			return nil
		})
		return c
	}},
	{name: "stmt without contexts", conn: func(c *fakeConn) driver.Conn { return bare{c} }, stmt: func(s *fakeStmt) driver.Stmt {
		return struct {
			bareStmt
			driver.NamedValueChecker
			conv
		}{bareStmt{s}, s, s}
	}},
	{name: "stmt with a converter alone", conn: func(c *fakeConn) driver.Conn { return bare{c} }, stmt: func(s *fakeStmt) driver.Stmt {
		return struct {
			bareStmt
			conv
		}{bareStmt{s}, s}
	}},
	{name: "stmt with a checker alone", conn: func(c *fakeConn) driver.Conn { return bare{c} }, stmt: func(s *fakeStmt) driver.Stmt {
		return struct {
			bareStmt
			driver.NamedValueChecker
		}{bareStmt{s}, s}
	}},
	{name: "stmt without QueryContext", conn: func(c *fakeConn) driver.Conn { return bare{c} }, stmt: func(s *fakeStmt) driver.Stmt {
		return struct {
			bareStmt
			driver.StmtExecContext
		}{bareStmt{s}, s}
	}},
	{name: "stmt without ExecContext", conn: func(c *fakeConn) driver.Conn { return bare{c} }, stmt: func(s *fakeStmt) driver.Stmt {
		return struct {
			bareStmt
			driver.StmtQueryContext
		}{bareStmt{s}, s}
	}},
}

// script does everything that database/sql can do with a driver, and says what came of it.
func script(db *sql.DB) (out []string) {
	say := func(what string, err error) { out = append(out, fmt.Sprintf("%s: %v", what, err)) }
	ctx := context.Background()
	ended, end := context.WithCancel(ctx)
	end()
	later, cancel := context.WithCancel(ctx)
	defer cancel()

	say("ping", db.Ping())
	_, err := db.Exec("exec", 1, "a")
	say("exec", err)
	_, err = db.Exec("exec named", sql.Named("x", 1))
	say("exec named", err)
	_, err = db.Exec("exec odd", odd{})
	say("exec odd", err)
	_, err = db.ExecContext(ended, "exec ended")
	say("exec ended", err)
	rows, err := db.Query("query", 2)
	say("query", err)
	if err == nil {
		n := 0
		for rows.Next() {
			n++
		}
		say(fmt.Sprintf("%d rows", n), rows.Err())
	}
	rows, err = db.Query("query named", sql.Named("x", 1))
	say("query named", err)
	if err == nil {
		say("close", rows.Close())
	}
	rows, err = db.Query("query odd", odd{})
	say("query odd", err)
	if err == nil {
		say("close", rows.Close())
	}
	var n int
	say("row", db.QueryRow("row").Scan(&n))

	stmt, err := db.PrepareContext(later, "prepare")
	say("prepare", err)
	if err == nil {
		_, err = stmt.ExecContext(later, 3)
		say("stmt exec", err)
		_, err = stmt.Exec(odd{})
		say("stmt exec odd", err)
		_, err = stmt.Exec(sql.Named("x", 1))
		say("stmt exec named", err)
		say("stmt row", stmt.QueryRow(4).Scan(&n))
		rows, err = stmt.Query(odd{})
		say("stmt query odd", err)
		if err == nil {
			say("close", rows.Close())
		}
		say("stmt close", stmt.Close())
	}

	for _, opts := range []*sql.TxOptions{nil, {ReadOnly: true}, {Isolation: sql.LevelSerializable}} {
		tx, err := db.BeginTx(later, opts)
		say(fmt.Sprintf("begin %v", opts), err)
		if err != nil {
			continue
		}
		_, err = tx.Exec("tx exec")
		say("tx exec", err)
		s, err := tx.Prepare("tx prepare")
		say("tx prepare", err)
		if err == nil {
			_, err = s.Exec()
			say("tx stmt exec", err)
		}
		if opts == nil {
			say("commit", tx.Commit())
		} else {
			say("rollback", tx.Rollback())
		}
	}
	conn, err := db.Conn(ctx)
	say("conn", err)
	if err == nil {
		say("conn ping", conn.PingContext(ctx))
		_, err = conn.ExecContext(ctx, "conn exec")
		say("conn exec", err)
		say("conn close", conn.Close())
	}
	s := db.Stats()
	say(fmt.Sprintf("open %d, in use %d", s.OpenConnections, s.InUse), nil)
	say("db close", db.Close())
	return out
}

// TestContract: what the program sees, and what the driver is asked, is the same with and without the wrapper.
func TestContract(t *testing.T) {
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			fake1 := &fake{shapeOf: s.conn, shapeSt: s.stmt, shapeCtr: s.ctr}
			fake2 := &fake{shapeOf: s.conn, shapeSt: s.stmt, shapeCtr: s.ctr}
			want := script(sql.OpenDB(fake1.connector()))
			got := script(dbcheck.OpenDB(fake2.connector()))
			assert.Equal(t, want, got)
			assert.Equal(t, fake1.log(), fake2.log())
			assert.Zero(t, fake2.open.Load())
		})
	}
}

// TestInterfaces: each optional interface is there exactly when the driver has it. What a lease is told from is always there.
func TestInterfaces(t *testing.T) {
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			f := &fake{shapeOf: s.conn, shapeSt: s.stmt, shapeCtr: s.ctr}
			own := f.connector()
			c := dbcheck.Wrap(own)
			assert.Equal(t, is[io.Closer](own), is[io.Closer](c))
			assert.Equal(t, own.Driver(), c.Driver())
			assert.Equal(t, c, dbcheck.Wrap(c), "wrapped already")

			below, err := own.Connect(context.Background())
			require.NoError(t, err)
			conn, err := c.Connect(context.Background())
			require.NoError(t, err)
			defer conn.Close()
			assert.IsType(t, below, conn.(interface{ Raw() driver.Conn }).Raw())
			assert.Equal(t, is[driver.Pinger](below), is[driver.Pinger](conn))
			assert.Equal(t, is[driver.ConnPrepareContext](below), is[driver.ConnPrepareContext](conn))
			assert.Equal(t, is[driver.ConnBeginTx](below), is[driver.ConnBeginTx](conn))
			assert.Equal(t, is[driver.NamedValueChecker](below), is[driver.NamedValueChecker](conn))
			//lint:ignore SA1019 what an old driver has
			assert.Equal(t, is[driver.ExecerContext](below) || is[driver.Execer](below), is[driver.ExecerContext](conn))
			//lint:ignore SA1019 what an old driver has
			assert.Equal(t, is[driver.QueryerContext](below) || is[driver.Queryer](below), is[driver.QueryerContext](conn))
			assert.True(t, is[driver.SessionResetter](conn) && is[driver.Validator](conn))

			belowStmt, err := below.Prepare("x")
			require.NoError(t, err)
			stmt, err := conn.Prepare("x")
			require.NoError(t, err)
			defer stmt.Close()
			assert.Equal(t, is[driver.StmtExecContext](belowStmt), is[driver.StmtExecContext](stmt))
			assert.Equal(t, is[driver.StmtQueryContext](belowStmt), is[driver.StmtQueryContext](stmt))
			assert.Equal(t, is[driver.NamedValueChecker](belowStmt), is[driver.NamedValueChecker](stmt))
			assert.Equal(t, is[conv](belowStmt), is[conv](stmt))
		})
	}
}

func is[T any](v any) bool {
	_, ok := v.(T)
	return ok
}
