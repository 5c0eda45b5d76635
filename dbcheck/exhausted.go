package dbcheck

import (
	"reflect"
)

// tooManyConnections is the SQLSTATE of PostgreSQL for a server, a database or a role that takes no more connections:
// too_many_connections, class 53, insufficient resources.
const tooManyConnections = "53300"

// Numbers of MySQL and MariaDB: ER_CON_COUNT_ERROR, sent before the handshake and so without a SQLSTATE, and
// ER_TOO_MANY_USER_CONNECTIONS.
const (
	mysqlConnCount     = 1040
	mysqlUserConnCount = 1203
)

// Exhausted says whether an error means that the server takes no more connections: SQLSTATE 53300 of PostgreSQL, which
// stands for the server's limit, its reserved slots, and the limits of a database and a role; 1040 and 1203 of MySQL and
// MariaDB, for the server's limit and a user's.
//
// It is told by the code, never by the text, which differs between versions and languages: from a SQLState method, which the errors of pgx
// and lib/pq have, and from the Number of a MySQLError, as go-sql-driver/mysql has it. Whatever wraps the error may
// stand around it, errors.Join and the errors of several addresses that pgx tried included. A pool of the program that has
// no connection left is not meant: it makes callers wait, and gives no error.
func Exhausted(err error) bool {
	return anyError(err, maxErrors, func(err error) bool {
		if s, ok := err.(interface{ SQLState() string }); ok && s.SQLState() == tooManyConnections {
			return true
		}
		n := mysqlNumber(err)
		return n == mysqlConnCount || n == mysqlUserConnCount
	})
}

// maxErrors bounds how deep an error is looked into: one that wraps itself must not keep a test for ever.
const maxErrors = 100

// anyError says whether is holds for an error or one that it wraps.
func anyError(err error, depth int, is func(error) bool) bool {
	if isNil(err) || depth == 0 {
		return false
	}
	if holds(err, is) {
		return true
	}
	switch w := err.(type) {
	case interface{ Unwrap() error }:
		return anyError(w.Unwrap(), depth-1, is)
	case interface{ Unwrap() []error }:
		for _, e := range w.Unwrap() {
			if anyError(e, depth-1, is) {
				return true
			}
		}
	}
	return false
}

// holds is is(err), and false for an error that does not like to be asked.
func holds(err error, is func(error) bool) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return is(err)
}

// mysqlNumber gives the Number of go-sql-driver's MySQLError; 0 of any other. Other drivers have errors with a Number too,
// with another meaning.
func mysqlNumber(err error) uint64 {
	v := reflect.ValueOf(err)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct || v.Type().Name() != "MySQLError" {
		return 0
	}
	if n := v.FieldByName("Number"); n.IsValid() && n.CanUint() {
		return n.Uint()
	}
	return 0
}
