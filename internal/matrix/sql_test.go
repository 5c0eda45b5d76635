package matrix

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var sqlScenarios = []scenario{
	{
		name: "sql-db", leak: dbOpen, clean: dbClosed,
		want: want{code: "LK201", kind: "goroutine", has: []string{"sql.DB was opened and never closed", "defer db.Close()"}},
	},
	{
		name: "sql-db-cleaner", leak: dbOpenLifetime, clean: dbClosed,
		want: want{code: "LK201", kind: "goroutine", has: []string{"sql.DB was opened and never closed"}},
	},
	{
		name: "sql-tx", setup: database, leak: txOpen, clean: txDone,
		want: want{code: "LK202", kind: "sql-tx", has: []string{"neither committed nor rolled back", "defer tx.Rollback()"}},
	},
	{
		name: "sql-rows", setup: database, leak: rowsOpen, clean: rowsClosed,
		want: want{code: "LK203", kind: "sql-rows", has: []string{"sql.Rows was never closed", "defer rows.Close()"}},
	},
	{
		name: "sql-rows-in-tx", setup: database, leak: rowsInTx, clean: rowsInTxClosed,
		want: want{code: "LK202", kind: "sql-tx", has: []string{"neither committed nor rolled back"}},
	},
}

// database is a pool that was there before the test.
func database() *peer {
	db := sql.OpenDB(fakeConnector{})
	if err := db.Ping(); err != nil {
		panic(err)
	}
	return &peer{db: db}
}

func dbOpen(t *testing.T, _ *peer) {
	db := sql.OpenDB(fakeConnector{}) // TAKEN db
	require.NoError(t, db.Ping())
	keep(db)
}

// dbOpenLifetime has a second goroutine, which closes old connections.
func dbOpenLifetime(t *testing.T, _ *peer) {
	db := sql.OpenDB(fakeConnector{}) // TAKEN db-lifetime
	db.SetConnMaxLifetime(time.Hour)
	require.NoError(t, db.Ping())
	keep(db)
}

func dbClosed(t *testing.T, _ *peer) {
	db := sql.OpenDB(fakeConnector{})
	defer db.Close()
	require.NoError(t, db.Ping())
}

func txOpen(t *testing.T, p *peer) {
	tx, err := p.db.Begin() // TAKEN tx
	require.NoError(t, err)
	keep(tx)
}

func txDone(t *testing.T, p *peer) {
	tx, err := p.db.Begin()
	require.NoError(t, err)
	defer tx.Rollback()
	assert.NoError(t, tx.Commit())
}

func rowsOpen(t *testing.T, p *peer) {
	ctx, cancel := context.WithCancel(context.Background())
	keep(cancel)
	rows, err := p.db.QueryContext(ctx, "select") // TAKEN rows
	require.NoError(t, err)
	assert.True(t, rows.Next())
	keep(rows)
}

func rowsClosed(t *testing.T, p *peer) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	rows, err := p.db.QueryContext(ctx, "select")
	require.NoError(t, err)
	defer rows.Close()
	assert.True(t, rows.Next())
}

// rowsInTx leaves the rows of a transaction open, and the transaction: its end would have closed them.
func rowsInTx(t *testing.T, p *peer) {
	tx, err := p.db.Begin() // TAKEN tx-with-rows
	require.NoError(t, err)
	rows, err := tx.Query("select")
	require.NoError(t, err)
	assert.True(t, rows.Next())
	keep(tx)
	keep(rows)
}

func rowsInTxClosed(t *testing.T, p *peer) {
	tx, err := p.db.Begin()
	require.NoError(t, err)
	defer tx.Rollback()
	rows, err := tx.Query("select")
	require.NoError(t, err)
	assert.True(t, rows.Next())
}

// The driver answers every query with two rows, and opens nothing.
type (
	fakeConnector struct{}
	fakeDriver    struct{}
	fakeConn      struct{}
	fakeStmt      struct{}
	fakeTx        struct{}
	fakeRows      struct{ n int }
)

func (fakeConnector) Connect(context.Context) (driver.Conn, error) { return fakeConn{}, nil }
func (fakeConnector) Driver() driver.Driver                        { return fakeDriver{} }
func (fakeDriver) Open(string) (driver.Conn, error)                { return fakeConn{}, nil }
func (fakeConn) Prepare(string) (driver.Stmt, error)               { return fakeStmt{}, nil }
func (fakeConn) Close() error                                      { return nil }
func (fakeConn) Begin() (driver.Tx, error)                         { return fakeTx{}, nil }
func (fakeStmt) Close() error                                      { return nil }
func (fakeStmt) NumInput() int                                     { return -1 }
func (fakeStmt) Exec([]driver.Value) (driver.Result, error)        { return nil, errors.ErrUnsupported }
func (fakeStmt) Query([]driver.Value) (driver.Rows, error)         { return &fakeRows{}, nil }
func (fakeTx) Commit() error                                       { return nil }
func (fakeTx) Rollback() error                                     { return nil }
func (*fakeRows) Columns() []string                                { return []string{"n"} }
func (*fakeRows) Close() error                                     { return nil }

func (r *fakeRows) Next(dest []driver.Value) error {
	if r.n == 2 {
		return io.EOF
	}
	r.n++
	dest[0] = int64(r.n)
	return nil
}
