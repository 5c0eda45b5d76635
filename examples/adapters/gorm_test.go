package adapters

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/driver/mysql"
	"gorm.io/gorm"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/examples/internal/fakepg"
	"github.com/leakgate/leakgate/examples/internal/record"
	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

// openGorm gives gorm a pool of dbcheck. With a DSN (mysql.Open(dsn), postgres.Open(dsn)) gorm opens one of its own, which is
// not tracked.
func openGorm(t *testing.T, config *gorm.Config) *gorm.DB {
	pool := dbcheck.OpenDB(users(t).Connector())
	t.Cleanup(func() { pool.Close() }) // gorm closes no pool
	db, err := gorm.Open(mysql.New(mysql.Config{Conn: pool, SkipInitializeWithVersion: true}), config)
	require.NoError(t, err)
	return db
}

func TestGorm(t *testing.T) {
	ada := User{ID: 1, Name: "Ada"}
	for _, tc := range []struct {
		name string
		run  func(t *testing.T, db *gorm.DB)
		code string // "" when it is silent
		says string
		line string
	}{
		{"rows", func(t *testing.T, db *gorm.DB) {
			u, err := GormFirst(db)
			require.NoError(t, err)
			assert.Equal(t, ada, u)
		}, "LK203", "sql.Rows from db.QueryContext at AT was never closed", `rows, err := db.Model(&User{}).Where("id > ?", 0).Rows()`},
		{"rows, fixed", func(t *testing.T, db *gorm.DB) {
			u, err := GormFirstFixed(db)
			require.NoError(t, err)
			assert.Equal(t, ada.ID, u.ID)
		}, "", "", ""},
		{"transaction", func(t *testing.T, db *gorm.DB) {
			assert.ErrorIs(t, GormRename(db, User{ID: 1}), errNoUser)
		}, "LK202", "sql.Tx from db.BeginTx at AT was neither committed nor rolled back", "tx := db.Begin()"},
		{"transaction, fixed", func(t *testing.T, db *gorm.DB) {
			assert.ErrorIs(t, GormRenameFixed(db, User{ID: 1}), errNoUser)
		}, "", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			db := openGorm(t, &gorm.Config{})
			pool, err := db.DB()
			require.NoError(t, err)
			rec := record.Run(t.Name(), func(rec *record.T) {
				rec.Cleanup(dbcheck.Verify(rec, pool))
				tc.run(t, db)
			})
			if tc.code == "" {
				assert.Empty(t, rec.Output())
				return
			}
			one(t, rec, tc.code, tc.says, "gorm.go", tc.line)
		})
	}
}

// With PrepareStmt gorm keeps each statement that it has prepared, for as long as the pool lives. For a test that is the
// first to run a statement it is one that was not closed. There are two ways to say that it is meant to be so.
func TestGormPrepareStmt(t *testing.T) {
	run := func(t *testing.T, after func(db *gorm.DB), opts ...leakcheck.Option) *record.T {
		db := openGorm(t, &gorm.Config{PrepareStmt: true})
		pool, err := db.DB()
		require.NoError(t, err)
		return record.Run(t.Name(), func(rec *record.T) {
			rec.Cleanup(dbcheck.Verify(rec, pool, opts...))
			if after != nil {
				rec.Cleanup(func() { after(db) }) // after Verify, so that it runs before
			}
			_, err := GormFirstFixed(db)
			require.NoError(t, err)
		})
	}
	t.Run("is reported", func(t *testing.T) {
		rec := run(t, nil)
		one(t, rec, "LK205", "sql.Stmt from db.PrepareContext at AT was never closed", "gorm.go", `return u, db.Where("id > ?", 0).Limit(1).Find(&u).Error`)
		assert.Contains(t, rec.Errors()[0], "\n    fix         defer stmt.Close(), where gorm.io/gorm has given the statement to you; where gorm.io/gorm keeps it, as a cache of "+
			"statements does, close that before the check, or leave statements out: leakcheck.Without(leakcheck.SQLStmt)\n")
	})
	t.Run("statements are not looked at", func(t *testing.T) {
		assert.Empty(t, run(t, nil, leakcheck.Without(leakcheck.SQLStmt)).Output())
	})
	t.Run("the cache is closed", func(t *testing.T) {
		rec := run(t, func(db *gorm.DB) { db.ConnPool.(*gorm.PreparedStmtDB).Close() })
		assert.Empty(t, rec.Output())
	})
	t.Run("leaked rows are found all the same", func(t *testing.T) {
		db := openGorm(t, &gorm.Config{PrepareStmt: true})
		pool, err := db.DB()
		require.NoError(t, err)
		rec := record.Run(t.Name(), func(rec *record.T) {
			rec.Cleanup(dbcheck.Verify(rec, pool, leakcheck.Without(leakcheck.SQLStmt)))
			_, err := GormFirst(db)
			require.NoError(t, err)
		})
		one(t, rec, "LK203", "sql.Rows from stmt.QueryContext at AT was never closed", "gorm.go", `rows, err := db.Model(&User{}).Where("id > ?", 0).Rows()`)
	})
}

// A pool that gorm has opened by a DSN is counted, without a line, and the entry says how to get that.
func TestGormOpensItsOwnPool(t *testing.T) {
	srv := users(t)
	db, err := gorm.Open(mysql.New(mysql.Config{DriverName: fakepg.Driver, DSN: srv.DSN, SkipInitializeWithVersion: true}), &gorm.Config{})
	require.NoError(t, err)
	pool, err := db.DB()
	require.NoError(t, err)
	t.Cleanup(func() { pool.Close() })
	rec := record.Run(t.Name(), func(rec *record.T) {
		rec.Cleanup(dbcheck.Verify(rec, pool))
		_, err := GormFirst(db)
		require.NoError(t, err)
	})
	require.Len(t, rec.Errors(), 1)
	assert.Contains(t, rec.Errors()[0], "leakcheck: 1 leak: a connection of the sql.DB was not given back\n")
	assert.Contains(t, rec.Errors()[0], "open the pool with dbcheck.Open or dbcheck.OpenDB to get the line")
}

// Budgets name the reader's lines too.
func TestGormHoldsAcross(t *testing.T) {
	db := openGorm(t, &gorm.Config{})
	pool, err := db.DB()
	require.NoError(t, err)
	srv := mockserver.New(t)
	srv.On("GET", "/avatar").Reply(mockserver.Status(204))
	rec := record.Run(t.Name(), func(rec *record.T) {
		rec.Cleanup(dbcheck.Verify(rec, pool, dbcheck.NoCallWhileHeld()))
		require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
			resp, err := http.Get(srv.URL + "/avatar")
			if err != nil {
				return err
			}
			return resp.Body.Close()
		}))
	})
	require.Len(t, rec.Errors(), 1)
	report := rec.Errors()[0]
	assert.Regexp(t, `^leakcheck: 1 leak: GET /avatar was sent at gorm_test.go:\d+ while its goroutine held sql.Tx from db.BeginTx at gorm_test.go:\d+\n`, report)
	assert.Regexp(t, `also holds  the lease, taken at gorm_test.go:\d+  adapters\.TestGormHoldsAcross`, report)
}
