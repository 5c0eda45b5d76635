package dbcheck

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"strings"
)

// The driver answers every query with two rows.
type (
	plainConnector struct{}
	plainDriver    struct{}
	plainConn      struct{}
	plainStmt      struct{}
	plainTx        struct{}
	plainRows      struct{ n int }
)

func (plainConnector) Connect(context.Context) (driver.Conn, error) { return plainConn{}, nil }
func (plainConnector) Driver() driver.Driver                        { return plainDriver{} }
func (plainDriver) Open(string) (driver.Conn, error)                { return plainConn{}, nil }
func (plainConn) Prepare(string) (driver.Stmt, error)               { return plainStmt{}, nil }
func (plainConn) Close() error                                      { return nil }
func (plainConn) Begin() (driver.Tx, error)                         { return plainTx{}, nil }
func (plainStmt) Close() error                                      { return nil }
func (plainStmt) NumInput() int                                     { return -1 }
func (plainStmt) Exec([]driver.Value) (driver.Result, error)        { return driver.RowsAffected(1), nil }
func (plainStmt) Query([]driver.Value) (driver.Rows, error)         { return &plainRows{}, nil }
func (plainTx) Commit() error                                       { return nil }
func (plainTx) Rollback() error                                     { return nil }
func (*plainRows) Columns() []string                                { return []string{"n"} }
func (*plainRows) Close() error                                     { return nil }

func (r *plainRows) Next(dest []driver.Value) error {
	if r.n == 2 {
		return io.EOF
	}
	r.n++
	dest[0] = int64(r.n)
	return nil
}

// record is a t that records.
type record struct {
	name   string
	errors []string
}

func (*record) Helper()             {}
func (r *record) Name() string      { return r.name }
func (r *record) Failed() bool      { return len(r.errors) > 0 }
func (*record) Logf(string, ...any) {}
func (r *record) Errorf(format string, args ...any) {
	line, _, _ := strings.Cut(fmt.Sprintf(format, args...), "\n")
	r.errors = append(r.errors, line)
}
