package dbcheck

import "database/sql/driver"

// Which optional interfaces the driver's connection has.
const (
	hasPinger = 1 << iota
	hasPreparer
	hasBeginner
	hasChecker
	hasExecer
	hasQueryer
)

// exposed gives the connection with exactly those optional interfaces that the driver's has: database/sql behaves
// differently when one is there, even one that answers driver.ErrSkip. Go can only say so with one type for each set.
//
// Execer and Queryer without a context are given as their successors, which is how database/sql calls them.
func (c *conn) exposed() driver.Conn {
	has := 0
	if _, ok := c.below.(driver.Pinger); ok {
		has |= hasPinger
	}
	if _, ok := c.below.(driver.ConnPrepareContext); ok {
		has |= hasPreparer
	}
	if _, ok := c.below.(driver.ConnBeginTx); ok {
		has |= hasBeginner
	}
	if _, ok := c.below.(driver.NamedValueChecker); ok {
		has |= hasChecker
	}
	switch c.below.(type) {
	case driver.ExecerContext, driver.Execer: //lint:ignore SA1019 what an old driver has
		has |= hasExecer
	}
	switch c.below.(type) {
	case driver.QueryerContext, driver.Queryer: //lint:ignore SA1019 what an old driver has
		has |= hasQueryer
	}
	p, r, b, k, e, q := pinger{c}, preparer{c}, beginner{c}, checker{c}, execer{c}, queryer{c}
	switch has {
	case hasPinger:
		return struct {
			*conn
			driver.Pinger
		}{c, p}
	case hasPreparer:
		return struct {
			*conn
			driver.ConnPrepareContext
		}{c, r}
	case hasPinger | hasPreparer:
		return struct {
			*conn
			driver.Pinger
			driver.ConnPrepareContext
		}{c, p, r}
	case hasBeginner:
		return struct {
			*conn
			driver.ConnBeginTx
		}{c, b}
	case hasPinger | hasBeginner:
		return struct {
			*conn
			driver.Pinger
			driver.ConnBeginTx
		}{c, p, b}
	case hasPreparer | hasBeginner:
		return struct {
			*conn
			driver.ConnPrepareContext
			driver.ConnBeginTx
		}{c, r, b}
	case hasPinger | hasPreparer | hasBeginner:
		return struct {
			*conn
			driver.Pinger
			driver.ConnPrepareContext
			driver.ConnBeginTx
		}{c, p, r, b}
	case hasChecker:
		return struct {
			*conn
			driver.NamedValueChecker
		}{c, k}
	case hasPinger | hasChecker:
		return struct {
			*conn
			driver.Pinger
			driver.NamedValueChecker
		}{c, p, k}
	case hasPreparer | hasChecker:
		return struct {
			*conn
			driver.ConnPrepareContext
			driver.NamedValueChecker
		}{c, r, k}
	case hasPinger | hasPreparer | hasChecker:
		return struct {
			*conn
			driver.Pinger
			driver.ConnPrepareContext
			driver.NamedValueChecker
		}{c, p, r, k}
	case hasBeginner | hasChecker:
		return struct {
			*conn
			driver.ConnBeginTx
			driver.NamedValueChecker
		}{c, b, k}
	case hasPinger | hasBeginner | hasChecker:
		return struct {
			*conn
			driver.Pinger
			driver.ConnBeginTx
			driver.NamedValueChecker
		}{c, p, b, k}
	case hasPreparer | hasBeginner | hasChecker:
		return struct {
			*conn
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.NamedValueChecker
		}{c, r, b, k}
	case hasPinger | hasPreparer | hasBeginner | hasChecker:
		return struct {
			*conn
			driver.Pinger
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.NamedValueChecker
		}{c, p, r, b, k}
	case hasExecer:
		return struct {
			*conn
			driver.ExecerContext
		}{c, e}
	case hasPinger | hasExecer:
		return struct {
			*conn
			driver.Pinger
			driver.ExecerContext
		}{c, p, e}
	case hasPreparer | hasExecer:
		return struct {
			*conn
			driver.ConnPrepareContext
			driver.ExecerContext
		}{c, r, e}
	case hasPinger | hasPreparer | hasExecer:
		return struct {
			*conn
			driver.Pinger
			driver.ConnPrepareContext
			driver.ExecerContext
		}{c, p, r, e}
	case hasBeginner | hasExecer:
		return struct {
			*conn
			driver.ConnBeginTx
			driver.ExecerContext
		}{c, b, e}
	case hasPinger | hasBeginner | hasExecer:
		return struct {
			*conn
			driver.Pinger
			driver.ConnBeginTx
			driver.ExecerContext
		}{c, p, b, e}
	case hasPreparer | hasBeginner | hasExecer:
		return struct {
			*conn
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.ExecerContext
		}{c, r, b, e}
	case hasPinger | hasPreparer | hasBeginner | hasExecer:
		return struct {
			*conn
			driver.Pinger
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.ExecerContext
		}{c, p, r, b, e}
	case hasChecker | hasExecer:
		return struct {
			*conn
			driver.NamedValueChecker
			driver.ExecerContext
		}{c, k, e}
	case hasPinger | hasChecker | hasExecer:
		return struct {
			*conn
			driver.Pinger
			driver.NamedValueChecker
			driver.ExecerContext
		}{c, p, k, e}
	case hasPreparer | hasChecker | hasExecer:
		return struct {
			*conn
			driver.ConnPrepareContext
			driver.NamedValueChecker
			driver.ExecerContext
		}{c, r, k, e}
	case hasPinger | hasPreparer | hasChecker | hasExecer:
		return struct {
			*conn
			driver.Pinger
			driver.ConnPrepareContext
			driver.NamedValueChecker
			driver.ExecerContext
		}{c, p, r, k, e}
	case hasBeginner | hasChecker | hasExecer:
		return struct {
			*conn
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.ExecerContext
		}{c, b, k, e}
	case hasPinger | hasBeginner | hasChecker | hasExecer:
		return struct {
			*conn
			driver.Pinger
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.ExecerContext
		}{c, p, b, k, e}
	case hasPreparer | hasBeginner | hasChecker | hasExecer:
		return struct {
			*conn
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.ExecerContext
		}{c, r, b, k, e}
	case hasPinger | hasPreparer | hasBeginner | hasChecker | hasExecer:
		return struct {
			*conn
			driver.Pinger
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.ExecerContext
		}{c, p, r, b, k, e}
	case hasQueryer:
		return struct {
			*conn
			driver.QueryerContext
		}{c, q}
	case hasPinger | hasQueryer:
		return struct {
			*conn
			driver.Pinger
			driver.QueryerContext
		}{c, p, q}
	case hasPreparer | hasQueryer:
		return struct {
			*conn
			driver.ConnPrepareContext
			driver.QueryerContext
		}{c, r, q}
	case hasPinger | hasPreparer | hasQueryer:
		return struct {
			*conn
			driver.Pinger
			driver.ConnPrepareContext
			driver.QueryerContext
		}{c, p, r, q}
	case hasBeginner | hasQueryer:
		return struct {
			*conn
			driver.ConnBeginTx
			driver.QueryerContext
		}{c, b, q}
	case hasPinger | hasBeginner | hasQueryer:
		return struct {
			*conn
			driver.Pinger
			driver.ConnBeginTx
			driver.QueryerContext
		}{c, p, b, q}
	case hasPreparer | hasBeginner | hasQueryer:
		return struct {
			*conn
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.QueryerContext
		}{c, r, b, q}
	case hasPinger | hasPreparer | hasBeginner | hasQueryer:
		return struct {
			*conn
			driver.Pinger
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.QueryerContext
		}{c, p, r, b, q}
	case hasChecker | hasQueryer:
		return struct {
			*conn
			driver.NamedValueChecker
			driver.QueryerContext
		}{c, k, q}
	case hasPinger | hasChecker | hasQueryer:
		return struct {
			*conn
			driver.Pinger
			driver.NamedValueChecker
			driver.QueryerContext
		}{c, p, k, q}
	case hasPreparer | hasChecker | hasQueryer:
		return struct {
			*conn
			driver.ConnPrepareContext
			driver.NamedValueChecker
			driver.QueryerContext
		}{c, r, k, q}
	case hasPinger | hasPreparer | hasChecker | hasQueryer:
		return struct {
			*conn
			driver.Pinger
			driver.ConnPrepareContext
			driver.NamedValueChecker
			driver.QueryerContext
		}{c, p, r, k, q}
	case hasBeginner | hasChecker | hasQueryer:
		return struct {
			*conn
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.QueryerContext
		}{c, b, k, q}
	case hasPinger | hasBeginner | hasChecker | hasQueryer:
		return struct {
			*conn
			driver.Pinger
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.QueryerContext
		}{c, p, b, k, q}
	case hasPreparer | hasBeginner | hasChecker | hasQueryer:
		return struct {
			*conn
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.QueryerContext
		}{c, r, b, k, q}
	case hasPinger | hasPreparer | hasBeginner | hasChecker | hasQueryer:
		return struct {
			*conn
			driver.Pinger
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.QueryerContext
		}{c, p, r, b, k, q}
	case hasExecer | hasQueryer:
		return struct {
			*conn
			driver.ExecerContext
			driver.QueryerContext
		}{c, e, q}
	case hasPinger | hasExecer | hasQueryer:
		return struct {
			*conn
			driver.Pinger
			driver.ExecerContext
			driver.QueryerContext
		}{c, p, e, q}
	case hasPreparer | hasExecer | hasQueryer:
		return struct {
			*conn
			driver.ConnPrepareContext
			driver.ExecerContext
			driver.QueryerContext
		}{c, r, e, q}
	case hasPinger | hasPreparer | hasExecer | hasQueryer:
		return struct {
			*conn
			driver.Pinger
			driver.ConnPrepareContext
			driver.ExecerContext
			driver.QueryerContext
		}{c, p, r, e, q}
	case hasBeginner | hasExecer | hasQueryer:
		return struct {
			*conn
			driver.ConnBeginTx
			driver.ExecerContext
			driver.QueryerContext
		}{c, b, e, q}
	case hasPinger | hasBeginner | hasExecer | hasQueryer:
		return struct {
			*conn
			driver.Pinger
			driver.ConnBeginTx
			driver.ExecerContext
			driver.QueryerContext
		}{c, p, b, e, q}
	case hasPreparer | hasBeginner | hasExecer | hasQueryer:
		return struct {
			*conn
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.ExecerContext
			driver.QueryerContext
		}{c, r, b, e, q}
	case hasPinger | hasPreparer | hasBeginner | hasExecer | hasQueryer:
		return struct {
			*conn
			driver.Pinger
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.ExecerContext
			driver.QueryerContext
		}{c, p, r, b, e, q}
	case hasChecker | hasExecer | hasQueryer:
		return struct {
			*conn
			driver.NamedValueChecker
			driver.ExecerContext
			driver.QueryerContext
		}{c, k, e, q}
	case hasPinger | hasChecker | hasExecer | hasQueryer:
		return struct {
			*conn
			driver.Pinger
			driver.NamedValueChecker
			driver.ExecerContext
			driver.QueryerContext
		}{c, p, k, e, q}
	case hasPreparer | hasChecker | hasExecer | hasQueryer:
		return struct {
			*conn
			driver.ConnPrepareContext
			driver.NamedValueChecker
			driver.ExecerContext
			driver.QueryerContext
		}{c, r, k, e, q}
	case hasPinger | hasPreparer | hasChecker | hasExecer | hasQueryer:
		return struct {
			*conn
			driver.Pinger
			driver.ConnPrepareContext
			driver.NamedValueChecker
			driver.ExecerContext
			driver.QueryerContext
		}{c, p, r, k, e, q}
	case hasBeginner | hasChecker | hasExecer | hasQueryer:
		return struct {
			*conn
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.ExecerContext
			driver.QueryerContext
		}{c, b, k, e, q}
	case hasPinger | hasBeginner | hasChecker | hasExecer | hasQueryer:
		return struct {
			*conn
			driver.Pinger
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.ExecerContext
			driver.QueryerContext
		}{c, p, b, k, e, q}
	case hasPreparer | hasBeginner | hasChecker | hasExecer | hasQueryer:
		return struct {
			*conn
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.ExecerContext
			driver.QueryerContext
		}{c, r, b, k, e, q}
	case hasPinger | hasPreparer | hasBeginner | hasChecker | hasExecer | hasQueryer:
		return struct {
			*conn
			driver.Pinger
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.ExecerContext
			driver.QueryerContext
		}{c, p, r, b, k, e, q}
	}
	return c
}
