// Package shop acquires things and gives nothing back.
package shop

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net/http"
	"os"
	"runtime"
)

// keeper has a goroutine that began before the tests and keeps what it is given, so that the garbage collector does not close it.
// What a variable held would be process-wide.
var keeper = make(chan any)

func init() {
	go func() {
		var kept []any
		for v := range keeper {
			kept = append(kept, v)
		}
		runtime.KeepAlive(kept)
	}()
}

// Keep keeps something in use.
func Keep(v ...any) { keeper <- v }

// Open opens a file.
func Open() error {
	f, err := os.Open(os.DevNull)
	Keep(f)
	return err
}

// Log opens a file that is kept on purpose.
func Log() error {
	f, err := os.Open(os.DevNull)
	Keep(f)
	return err
}

// Status asks for a page.
func Status(c *http.Client, url string) (int, error) {
	resp, err := c.Get(url)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, nil
}

// Query asks a database.
func Query(db *sql.DB) error {
	rows, err := db.Query("SELECT name FROM item")
	Keep(rows)
	return err
}

// Connector is of a database with nothing in it.
type Connector struct{}

// Connect opens a connection.
func (Connector) Connect(context.Context) (driver.Conn, error) { return conn{}, nil }

// Driver is nil.
func (Connector) Driver() driver.Driver { return nil }

type conn struct{}

func (conn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not needed") }
func (conn) Close() error                        { return nil }
func (conn) Begin() (driver.Tx, error)           { return nil, errors.New("not needed") }

func (conn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return rows{}, nil
}

type rows struct{}

func (rows) Columns() []string         { return []string{"name"} }
func (rows) Close() error              { return nil }
func (rows) Next([]driver.Value) error { return io.EOF }
