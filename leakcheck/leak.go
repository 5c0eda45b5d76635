package leakcheck

import (
	"strconv"

	"github.com/leakgate/leakgate/internal/callsite"
)

// Kind is a kind of resource. A probe of your own may use any other text.
type Kind string

// The kinds that the packages of this module report.
const (
	HTTPResponse Kind = "http-response" // a response body that was not closed
	HTTPConn     Kind = "http-conn"     // connections that a transport keeps or used against a budget
	SQLRows      Kind = "sql-rows"
	SQLTx        Kind = "sql-tx"
	SQLConn      Kind = "sql-conn"
	SQLStmt      Kind = "sql-stmt"
	PgxConn      Kind = "pgx-conn"
	PgxRows      Kind = "pgx-rows"
	Goroutine    Kind = "goroutine"
	Socket       Kind = "socket"
	File         Kind = "file"
	Process      Kind = "process"
)

// Frame is one call: a function and its line. The zero Frame means "not known".
type Frame struct {
	Function string // package path and function, as the runtime prints it
	File     string // as the compiler recorded it: absolute, or module path and file under -trimpath
	Line     int    // from 1; 0 when not known
	Source   string // the text of the line without its indentation; "" when the file cannot be read
}

// String gives "file:line function", or the function alone.
func (s Frame) String() string {
	if s.File == "" {
		return s.Function
	}
	return s.File + ":" + strconv.Itoa(s.Line) + " " + s.Function
}

// Leak is one root cause: resources of one kind, taken at one place by one test, that were not given back.
type Leak struct {
	Kind     Kind
	Test     string   // the test that leaked; "" when it is not known
	Suspects []string // when Test is not known, the tests that ran meanwhile and could have leaked it
	Summary  string   // one sentence: what it is and what was not done with it
	Count    int      // how many of the same, at least 1
	Site     Frame    // the user's line that took it; the zero Frame when it is not known
	Stack    []Frame  // the user's frames, innermost first; Site is the first of them
	State    string   // what it is doing now
	Holds    []string // what it holds besides itself, a line each
	Hint     string   // the missing call, as code, or how to get the line when Site is not known
	Code     string   // "LK001": stable, explained in docs/codes.md

	// Fingerprint names this leak from one run to the next: kind, class, functions and top-level test, and no line,
	// file, address or number that changes when code moves.
	Fingerprint string

	// Note says that nothing is held now, so that it is told but does not fail a test by itself.
	Note bool

	// Example says that Site is one place of several and no more to blame than the others, as where a limit was passed by all
	// of them together. It is read of what a Follow gives; of a Limit it is always so.
	Example bool

	// What matchers look at beyond the above.
	all       []callsite.Frame
	createdBy string
	remotes   []string
}

// LeakError is what Check returns when something is held.
type LeakError struct {
	Leaks []Leak
	text  string
}

// Error is the whole report, the verdict on the first line.
func (e *LeakError) Error() string { return e.text }
