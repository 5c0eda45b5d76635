package dbcheck_test

import "database/sql/driver"

// connSets are connections with every set of the optional interfaces that dbcheck has a type for each set of: bit 0 is
// Pinger, and so on in the order in which they appear. All have SessionResetter and Validator.
var connSets = [64]func(*fakeConn) driver.Conn{
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ConnPrepareContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ConnPrepareContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ConnBeginTx
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ConnBeginTx
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.NamedValueChecker
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.NamedValueChecker
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ConnPrepareContext
			driver.NamedValueChecker
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ConnPrepareContext
			driver.NamedValueChecker
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ExecerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ExecerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ConnPrepareContext
			driver.ExecerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ConnPrepareContext
			driver.ExecerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ConnBeginTx
			driver.ExecerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ConnBeginTx
			driver.ExecerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.ExecerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.ExecerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.NamedValueChecker
			driver.ExecerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.NamedValueChecker
			driver.ExecerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ConnPrepareContext
			driver.NamedValueChecker
			driver.ExecerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ConnPrepareContext
			driver.NamedValueChecker
			driver.ExecerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.ExecerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.ExecerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.ExecerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.ExecerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ConnPrepareContext
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ConnPrepareContext
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ConnBeginTx
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ConnBeginTx
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.NamedValueChecker
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.NamedValueChecker
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ConnPrepareContext
			driver.NamedValueChecker
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ConnPrepareContext
			driver.NamedValueChecker
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ExecerContext
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ExecerContext
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ConnPrepareContext
			driver.ExecerContext
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ConnPrepareContext
			driver.ExecerContext
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ConnBeginTx
			driver.ExecerContext
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ConnBeginTx
			driver.ExecerContext
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.ExecerContext
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.ExecerContext
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.NamedValueChecker
			driver.ExecerContext
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.NamedValueChecker
			driver.ExecerContext
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ConnPrepareContext
			driver.NamedValueChecker
			driver.ExecerContext
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ConnPrepareContext
			driver.NamedValueChecker
			driver.ExecerContext
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.ExecerContext
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.ExecerContext
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.ExecerContext
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c, c}
	},
	func(c *fakeConn) driver.Conn {
		return struct {
			bare
			driver.Pinger
			driver.ConnPrepareContext
			driver.ConnBeginTx
			driver.NamedValueChecker
			driver.ExecerContext
			driver.QueryerContext
			driver.SessionResetter
			driver.Validator
		}{bare{c}, c, c, c, c, c, c, c, c}
	},
}

// stmtSets are statements with every set of the optional interfaces: bit 0 is StmtExecContext, and so on.
var stmtSets = [16]func(*fakeStmt) driver.Stmt{
	func(s *fakeStmt) driver.Stmt { return bareStmt{s} },
	func(s *fakeStmt) driver.Stmt {
		return struct {
			bareStmt
			driver.StmtExecContext
		}{bareStmt{s}, s}
	},
	func(s *fakeStmt) driver.Stmt {
		return struct {
			bareStmt
			driver.StmtQueryContext
		}{bareStmt{s}, s}
	},
	func(s *fakeStmt) driver.Stmt {
		return struct {
			bareStmt
			driver.StmtExecContext
			driver.StmtQueryContext
		}{bareStmt{s}, s, s}
	},
	func(s *fakeStmt) driver.Stmt {
		return struct {
			bareStmt
			driver.NamedValueChecker
		}{bareStmt{s}, s}
	},
	func(s *fakeStmt) driver.Stmt {
		return struct {
			bareStmt
			driver.StmtExecContext
			driver.NamedValueChecker
		}{bareStmt{s}, s, s}
	},
	func(s *fakeStmt) driver.Stmt {
		return struct {
			bareStmt
			driver.StmtQueryContext
			driver.NamedValueChecker
		}{bareStmt{s}, s, s}
	},
	func(s *fakeStmt) driver.Stmt {
		return struct {
			bareStmt
			driver.StmtExecContext
			driver.StmtQueryContext
			driver.NamedValueChecker
		}{bareStmt{s}, s, s, s}
	},
	func(s *fakeStmt) driver.Stmt {
		return struct {
			bareStmt
			conv
		}{bareStmt{s}, s}
	},
	func(s *fakeStmt) driver.Stmt {
		return struct {
			bareStmt
			driver.StmtExecContext
			conv
		}{bareStmt{s}, s, s}
	},
	func(s *fakeStmt) driver.Stmt {
		return struct {
			bareStmt
			driver.StmtQueryContext
			conv
		}{bareStmt{s}, s, s}
	},
	func(s *fakeStmt) driver.Stmt {
		return struct {
			bareStmt
			driver.StmtExecContext
			driver.StmtQueryContext
			conv
		}{bareStmt{s}, s, s, s}
	},
	func(s *fakeStmt) driver.Stmt {
		return struct {
			bareStmt
			driver.NamedValueChecker
			conv
		}{bareStmt{s}, s, s}
	},
	func(s *fakeStmt) driver.Stmt {
		return struct {
			bareStmt
			driver.StmtExecContext
			driver.NamedValueChecker
			conv
		}{bareStmt{s}, s, s, s}
	},
	func(s *fakeStmt) driver.Stmt {
		return struct {
			bareStmt
			driver.StmtQueryContext
			driver.NamedValueChecker
			conv
		}{bareStmt{s}, s, s, s}
	},
	func(s *fakeStmt) driver.Stmt {
		return struct {
			bareStmt
			driver.StmtExecContext
			driver.StmtQueryContext
			driver.NamedValueChecker
			conv
		}{bareStmt{s}, s, s, s, s}
	},
}
