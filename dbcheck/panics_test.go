package dbcheck_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
)

// TestDriverPanicsAnywhere: a driver that panics in any of its calls: the panic passes as it is, the check says what database/sql was left
// with, and does not hang.
func TestDriverPanicsAnywhere(t *testing.T) {
	leaksOnPurpose(t)
	query := func(db *sql.DB) error {
		rows, err := db.Query("SELECT 1")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
		}
		return rows.Err()
	}
	inTx := func(end func(*sql.Tx) error) func(*sql.DB) error {
		return func(db *sql.DB) error {
			tx, err := db.Begin()
			if err != nil {
				return err
			}
			return end(tx)
		}
	}
	stmt := func(db *sql.DB) error {
		s, err := db.Prepare("SELECT 1")
		if err != nil {
			return err
		}
		defer s.Close()
		_, err = s.Exec()
		return err
	}
	for _, c := range []struct {
		call string
		do   func(*sql.DB) error
	}{
		{"connect", query},
		{"ping", (*sql.DB).Ping},
		{"queryContext", query},
		{"execContext", func(db *sql.DB) error { _, err := db.Exec("DELETE FROM users"); return err }},
		{"beginTx", inTx((*sql.Tx).Rollback)},
		{"commit", inTx((*sql.Tx).Commit)},
		{"rollback", inTx((*sql.Tx).Rollback)},
		{"prepareContext", stmt},
		{"stmt.execContext", stmt},
		{"stmt.close", stmt},
		{"next", query},
		{"rows.close", query},
		{"isValid", query},
		{"reset", func(db *sql.DB) error { _ = db.Ping(); return query(db) }},
	} {
		t.Run(c.call, func(t *testing.T) {
			f := &fake{}
			db := dbcheck.OpenDB(f.connector())
			ft := &fakeT{}
			check := dbcheck.Verify(ft, db)
			f.setFail(func(call string) error {
				if call == c.call || strings.HasPrefix(call, c.call+" ") {
					panic("the driver's own")
				}
				return nil
			})
			done := make(chan any)
			go func() {
				defer func() { done <- recover() }()
				assert.NoError(t, c.do(db))
			}()
			select {
			case got := <-done:
				assert.Equal(t, "the driver's own", got)
			case <-time.After(30 * time.Second):
				require.FailNow(t, "the call hangs")
			}
			f.setFail(nil)
			go func() { check(); done <- nil }()
			select {
			case <-done:
			case <-time.After(30 * time.Second):
				require.FailNow(t, "the check hangs")
			}
			for i := range ft.errors { // other tests of this binary leave such goroutines behind on purpose, and it may be any's
				ft.errors[i] = strings.ReplaceAll(ft.errors[i], "\n    also holds  1 goroutine of database/sql (awaitDone)", "")
			}
			golden(t, "panic-"+strings.ReplaceAll(c.call, ".", "-"), fmt.Sprintf("the driver panics in %s", c.call), ft)
		})
	}
}
