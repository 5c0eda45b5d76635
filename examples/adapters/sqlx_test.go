package adapters

import (
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/examples/internal/record"
)

// openSQLX is all that sqlx needs: a pool of dbcheck below it.
func openSQLX(t *testing.T) *sqlx.DB {
	db := sqlx.NewDb(dbcheck.OpenDB(users(t).Connector()), "pgx")
	t.Cleanup(func() { db.Close() })
	return db
}

func TestSQLX(t *testing.T) {
	ada := User{ID: 1, Name: "Ada"}
	for _, tc := range []struct {
		name string
		run  func(t *testing.T, db *sqlx.DB)
		code string // "" when it is silent
		says string
		line string
	}{
		{"rows", func(t *testing.T, db *sqlx.DB) {
			u, err := SQLXFirst(db)
			require.NoError(t, err)
			assert.Equal(t, ada, u)
		}, "LK203", "sql.Rows from db.Query at AT was never closed", `rows, err := db.Queryx("SELECT id, name FROM users")`},
		{"rows, fixed", func(t *testing.T, db *sqlx.DB) {
			u, err := SQLXFirstFixed(db)
			require.NoError(t, err)
			assert.Equal(t, ada, u)
		}, "", "", ""},
		{"transaction", func(t *testing.T, db *sqlx.DB) {
			assert.ErrorIs(t, SQLXRename(db, User{ID: -1}), errNoUser)
		}, "LK202", "sql.Tx from db.Begin at AT was neither committed nor rolled back", "tx, err := db.Beginx()"},
		{"transaction, fixed", func(t *testing.T, db *sqlx.DB) {
			assert.ErrorIs(t, SQLXRenameFixed(db, User{ID: -1}), errNoUser)
		}, "", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			db := openSQLX(t)
			rec := record.Run(t.Name(), func(rec *record.T) {
				rec.Cleanup(dbcheck.Verify(rec, db.DB))
				tc.run(t, db)
			})
			if tc.code == "" {
				assert.Empty(t, rec.Output())
				return
			}
			one(t, rec, tc.code, tc.says, "sqlx.go", tc.line)
		})
	}
}
