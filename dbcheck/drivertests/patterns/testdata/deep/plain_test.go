package patterns_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// database is what the planted code knows of its driver: the one below, which is in the process and has no server, or another.
type database struct{ driver, source string }

var data = database{os.Getenv("PLANTED_DRIVER"), os.Getenv("PLANTED_SOURCE")}

// q writes a statement, of one argument at most, with the driver's placeholders.
func (d database) q(query string) string {
	if d.driver == "postgres" {
		return strings.Replace(query, "?", "$1", 1)
	}
	return query
}

func init() { sql.Register("plain", plainDriver{}) }

// pool is opened before the test, as a package's own is: the end of a pool is the end of its statements too.
var pool *sql.DB

func TestMain(m *testing.M) {
	var err error
	if pool, err = sql.Open(data.driver, data.source); err == nil {
		err = pool.Ping() // one idle connection
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	code := m.Run()
	if err := pool.Close(); err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	os.Exit(code)
}

// TestPlanted runs one function of the planted code. Nothing is given back, and no package-level variable keeps what the code
// has forgotten: that a pool is kept would be a reason to say nothing of it.
func TestPlanted(t *testing.T) {
	f := planted[os.Getenv("PLANTED")]
	if f == nil {
		t.Fatal("no such function: " + os.Getenv("PLANTED"))
	}
	ended, end := context.WithCancel(context.Background())
	end()
	defer func() { _ = recover() }() // one of them panics
	err := f(store{data, pool, new([]func() error)}, ended)
	if err != nil && !errors.Is(err, errWrong) && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// plainDriver has what a driver must have, and three rows for each query.
type plainDriver struct{}

func (plainDriver) Open(string) (driver.Conn, error) { return &plainConn{}, nil }

type plainConn struct{}

func (*plainConn) Close() error              { return nil }
func (*plainConn) Begin() (driver.Tx, error) { return plainTx{}, nil }

func (*plainConn) Prepare(query string) (driver.Stmt, error) {
	if strings.Contains(query, "no_such_column") {
		return nil, errors.New("there is no such column")
	}
	return plainStmt{}, nil
}

type plainTx struct{}

func (plainTx) Commit() error   { return nil }
func (plainTx) Rollback() error { return nil }

type plainStmt struct{}

func (plainStmt) Close() error                               { return nil }
func (plainStmt) NumInput() int                              { return -1 }
func (plainStmt) Exec([]driver.Value) (driver.Result, error) { return driver.RowsAffected(1), nil }
func (plainStmt) Query([]driver.Value) (driver.Rows, error)  { return &plainRows{}, nil }

type plainRows struct{ id int64 }

func (*plainRows) Columns() []string { return []string{"id"} }
func (*plainRows) Close() error      { return nil }

func (r *plainRows) Next(to []driver.Value) error {
	if r.id == 3 {
		return io.EOF
	}
	r.id++
	to[0] = r.id
	return nil
}
