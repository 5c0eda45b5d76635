package dbcheck

import "database/sql/driver"

// Which optional interfaces the driver's statement has.
const (
	hasStmtExecer = 1 << iota
	hasStmtQueryer
	hasStmtChecker
	hasStmtConverter
)

// converter is driver.ColumnConverter under a name that its method does not have: embedded as itself, it would hide it.
type converter interface {
	ColumnConverter(i int) driver.ValueConverter
}

// exposed gives the statement with exactly those optional interfaces that the driver's has: see conn.exposed.
func (s *stmt) exposed() driver.Stmt {
	has := 0
	if _, ok := s.below.(driver.StmtExecContext); ok {
		has |= hasStmtExecer
	}
	if _, ok := s.below.(driver.StmtQueryContext); ok {
		has |= hasStmtQueryer
	}
	if _, ok := s.below.(driver.NamedValueChecker); ok {
		has |= hasStmtChecker
	}
	if _, ok := s.below.(converter); ok {
		has |= hasStmtConverter
	}
	e, q, k, v := stmtExecer{s}, stmtQueryer{s}, stmtChecker{s}, stmtConverter{s}
	switch has {
	case hasStmtExecer:
		return struct {
			*stmt
			driver.StmtExecContext
		}{s, e}
	case hasStmtQueryer:
		return struct {
			*stmt
			driver.StmtQueryContext
		}{s, q}
	case hasStmtExecer | hasStmtQueryer:
		return struct {
			*stmt
			driver.StmtExecContext
			driver.StmtQueryContext
		}{s, e, q}
	case hasStmtChecker:
		return struct {
			*stmt
			driver.NamedValueChecker
		}{s, k}
	case hasStmtExecer | hasStmtChecker:
		return struct {
			*stmt
			driver.StmtExecContext
			driver.NamedValueChecker
		}{s, e, k}
	case hasStmtQueryer | hasStmtChecker:
		return struct {
			*stmt
			driver.StmtQueryContext
			driver.NamedValueChecker
		}{s, q, k}
	case hasStmtExecer | hasStmtQueryer | hasStmtChecker:
		return struct {
			*stmt
			driver.StmtExecContext
			driver.StmtQueryContext
			driver.NamedValueChecker
		}{s, e, q, k}
	case hasStmtConverter:
		return struct {
			*stmt
			converter
		}{s, v}
	case hasStmtExecer | hasStmtConverter:
		return struct {
			*stmt
			driver.StmtExecContext
			converter
		}{s, e, v}
	case hasStmtQueryer | hasStmtConverter:
		return struct {
			*stmt
			driver.StmtQueryContext
			converter
		}{s, q, v}
	case hasStmtExecer | hasStmtQueryer | hasStmtConverter:
		return struct {
			*stmt
			driver.StmtExecContext
			driver.StmtQueryContext
			converter
		}{s, e, q, v}
	case hasStmtChecker | hasStmtConverter:
		return struct {
			*stmt
			driver.NamedValueChecker
			converter
		}{s, k, v}
	case hasStmtExecer | hasStmtChecker | hasStmtConverter:
		return struct {
			*stmt
			driver.StmtExecContext
			driver.NamedValueChecker
			converter
		}{s, e, k, v}
	case hasStmtQueryer | hasStmtChecker | hasStmtConverter:
		return struct {
			*stmt
			driver.StmtQueryContext
			driver.NamedValueChecker
			converter
		}{s, q, k, v}
	case hasStmtExecer | hasStmtQueryer | hasStmtChecker | hasStmtConverter:
		return struct {
			*stmt
			driver.StmtExecContext
			driver.StmtQueryContext
			driver.NamedValueChecker
			converter
		}{s, e, q, k, v}
	}
	return s
}
