package dbcheck_test

import (
	"database/sql"
	"fmt"
	"strings"

	"github.com/leakgate/leakgate/dbcheck"
)

// printT stands for the *testing.T of a test, and prints the verdict that it is told, without the line.
type printT struct{ failed bool }

func (*printT) Helper()             {}
func (*printT) Name() string        { return "TestNames" }
func (t *printT) Failed() bool      { return t.failed }
func (*printT) Logf(string, ...any) {}
func (t *printT) Errorf(format string, args ...any) {
	t.failed = true
	text := fmt.Sprintf(format, args...)
	for _, n := range normal {
		text = n.re.ReplaceAllString(text, n.by)
	}
	line, _, _ := strings.Cut(text, "\n")
	fmt.Println(line)
}

// first is the code under test: it reads one row, and forgets the rest.
func first(db *sql.DB) (id int, err error) {
	rows, err := db.Query("SELECT id FROM users")
	if err != nil {
		return 0, err
	}
	if rows.Next() {
		err = rows.Scan(&id)
	}
	return id, err
}

// In a test: t.Cleanup(dbcheck.Verify(t, db)), after the t.Cleanup that closes the pool.
func ExampleVerify() {
	t, connector := new(printT), (&fake{}).connector()

	db := dbcheck.OpenDB(connector)
	defer db.Close()
	check := dbcheck.Verify(t, db)
	fmt.Println(first(db))
	check()
	// Output:
	// 1 <nil>
	// leakcheck: 1 leak: sql.Rows from db.Query at example_test.go:LINE was never closed
}

// Leases can be asked for at any time.
func ExampleLeases() {
	db := dbcheck.OpenDB((&fake{}).connector())
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, leak := range dbcheck.Leases(db) {
		fmt.Println(leak.Kind, leak.Site.Source, "fix:", leak.Hint)
	}
	fmt.Println(tx.Rollback(), len(dbcheck.Leases(db)))
	// Output:
	// sql-tx tx, err := db.Begin() fix: defer tx.Rollback()
	// <nil> 0
}

// NoNestedLease finds a query on the pool inside the loop over another one's rows.
func ExampleNoNestedLease() {
	t, db := new(printT), dbcheck.OpenDB((&fake{maxRows: 1}).connector())
	defer db.Close()

	check := dbcheck.Verify(t, db, dbcheck.NoNestedLease())
	rows, err := db.Query("SELECT id FROM users")
	if err != nil {
		fmt.Println(err)
		return
	}
	for rows.Next() {
		if err := db.Ping(); err != nil {
			fmt.Println(err)
		}
	}
	rows.Close()
	check()
	// Output:
	// leakcheck: 1 leak: a connection from db.Ping at example_test.go:LINE was taken while its goroutine held another connection of the pool: sql.Rows from db.Query at example_test.go:LINE
}
