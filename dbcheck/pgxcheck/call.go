package pgxcheck

import (
	"runtime"
	"strings"

	"github.com/leakgate/leakgate/internal/dbuse"
	"github.com/leakgate/leakgate/leakcheck"
)

// Codes of what is reported. docs/codes.md explains each.
const (
	codeTx     = "LK222"
	codeRows   = "LK223"
	codeConn   = "LK224"
	codeBatch  = "LK225"
	codeRow    = "LK226"
	codeClose  = "LK227"
	codeDirty  = "LK228"
	codeSingle = "LK229"
)

const (
	kindConn = string(leakcheck.PgxConn)
	kindRows = string(leakcheck.PgxRows)

	pkgPgx  = dbuse.Library
	pkgPool = pkgPgx + "/pgxpool"
	// which keeps the connections of a pool
	pkgPuddle = "github.com/jackc/puddle/"
)

// call is the function of pgx, pgxpool or database/sql that the program called.
type call struct {
	receiver, method string
	sql              dbuse.Call // of database/sql, when it stands above pgx
}

// callOf finds the call in a stack: the outermost frame of pgxpool in it, else that of pgx, of the innermost run of their
// frames.
func callOf(pcs []uintptr) (c call) {
	c.sql = dbuse.CallOf(pcs)
	if len(pcs) == 0 {
		return c
	}
	it := runtime.CallersFrames(pcs)
	pool := false
	for {
		f, more := it.Next()
		name, in := strings.CutPrefix(f.Function, pkgPool+".")
		if !in && !pool {
			if rest, ok := strings.CutPrefix(f.Function, pkgPgx+"."); ok {
				c.frame(rest)
			}
		}
		if in {
			if !pool {
				c.receiver, c.method = "", ""
			}
			pool = true
			c.frame(name)
		}
		if outside := !strings.HasPrefix(f.Function, pkgPgx) && !strings.HasPrefix(f.Function, "runtime."); outside && c.method != "" || !more {
			return c
		}
	}
}

var receivers = map[string]string{"(*Pool)": "pool", "(*Conn)": "conn", "(*Tx)": "tx", "(*dbTx)": "tx", "(*dbSimulatedNested)": "tx"}

func (c *call) frame(name string) {
	recv, method, ok := strings.Cut(name, ").")
	if !ok {
		if strings.HasPrefix(name, "Connect") {
			c.receiver = "pgx"
			c.method, _, _ = strings.Cut(name, ".")
		}
		return
	}
	method, _, _ = strings.Cut(method, ".") // a closure inside
	r := receivers[recv+")"]
	if r == "" || method == "" || method[0] < 'A' || method[0] > 'Z' || strings.HasPrefix(method, "Trace") {
		return
	}
	c.receiver, c.method = r, method
}

var (
	pgxRows      = dbuse.Thing{Kind: kindRows, Code: codeRows, Name: "pgx.Rows", End: "was never closed", Hint: "defer rows.Close()"}
	pgxRow       = dbuse.Thing{Kind: kindRows, Code: codeRow, Name: "pgx.Row", End: "was never scanned", Hint: "row.Scan(…), which closes the row; for a statement without a result use Exec"}
	batchResults = dbuse.Thing{Kind: kindRows, Code: codeBatch, Name: "pgx.BatchResults", End: "was never closed", Hint: "defer results.Close()"}
)

// lends says what the call lends to its caller, and how that is given back.
func (c call) lends() dbuse.Thing {
	if c.sql.Method != "" {
		return c.sql.Lends()
	}
	switch c.method {
	case "Query":
		return pgxRows
	case "QueryRow":
		return pgxRow
	case "SendBatch":
		return batchResults
	case "Begin", "BeginTx":
		return dbuse.Thing{Kind: kindConn, Code: codeTx, Name: "pgx.Tx", End: "was neither committed nor rolled back", Hint: "defer tx.Rollback(ctx)"}
	case "Acquire":
		return dbuse.Thing{Kind: kindConn, Code: codeConn, Name: "pgxpool.Conn", End: "was never released", Hint: "defer conn.Release()"}
	case "AcquireFunc":
		return dbuse.Thing{Kind: kindConn, Code: codeConn, Name: "pgxpool.Conn", End: "was never given back: its function has not returned", Hint: "let the function end"}
	}
	return dbuse.Thing{Kind: kindConn, Code: codeConn, Name: "a connection", End: "was never given back: the call has not returned", Hint: "give the call a context that ends"}
}

// lendsRows says what a call on a connection lends.
func (c call) lendsRows() dbuse.Thing {
	if c.sql.Method != "" {
		if t := c.sql.Lends(); t.Kind == string(leakcheck.SQLRows) {
			return t
		}
	}
	switch c.method {
	case "QueryRow":
		return pgxRow
	case "SendBatch":
		return batchResults
	case "Query":
		return pgxRows
	}
	return dbuse.Thing{Kind: kindRows, Code: codeRows, Name: "a query", End: "has not returned", Hint: "give the call a context that ends"}
}

// what names a thing by where it came from: "pgx.Rows from pool.Query at store.go:41".
func (c call) what(thing string, pcs []uintptr) string {
	switch {
	case c.sql.Method != "":
		return c.sql.What(thing, pcs)
	case c.method != "":
		thing += " from " + c.receiver + "." + c.method
	}
	return dbuse.At(thing, pcs)
}

// nameOf is what a reader calls something that a stack has made.
func nameOf(thing string, pcs []uintptr) string { return dbuse.At(thing+" made", pcs) }
