package adapters

import (
	"errors"

	"github.com/jmoiron/sqlx"
)

// User is a row of users.
type User struct {
	ID   int
	Name string
}

var errNoUser = errors.New("no user")

// SQLXFirst reads the first user, and forgets the rest.
func SQLXFirst(db *sqlx.DB) (u User, err error) {
	rows, err := db.Queryx("SELECT id, name FROM users")
	if err != nil {
		return u, err
	}
	if !rows.Next() {
		return u, errors.Join(errNoUser, rows.Close())
	}
	return u, rows.StructScan(&u)
}

// SQLXFirstFixed reads one row.
func SQLXFirstFixed(db *sqlx.DB) (u User, err error) {
	return u, db.Get(&u, "SELECT id, name FROM users LIMIT 1")
}

// SQLXRename forgets the transaction when no user has the ID.
func SQLXRename(db *sqlx.DB, u User) error {
	tx, err := db.Beginx()
	if err != nil {
		return err
	}
	done, err := tx.NamedExec("UPDATE users SET name = :name WHERE id = :id", u)
	if err != nil {
		return err
	}
	if n, _ := done.RowsAffected(); u.ID < 0 || n == 0 {
		return errNoUser
	}
	return tx.Commit()
}

// SQLXRenameFixed ends it on every path.
func SQLXRenameFixed(db *sqlx.DB, u User) error {
	tx, err := db.Beginx()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	done, err := tx.NamedExec("UPDATE users SET name = :name WHERE id = :id", u)
	if err != nil {
		return err
	}
	if n, _ := done.RowsAffected(); u.ID < 0 || n == 0 {
		return errNoUser
	}
	return tx.Commit()
}
