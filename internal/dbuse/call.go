package dbuse

import (
	"runtime"
	"strings"

	"github.com/leakgate/leakgate/internal/callsite"
)

// Codes of what database/sql lends. docs/codes.md explains each.
const (
	CodeTx   = "LK202"
	CodeRows = "LK203"
	CodeConn = "LK204"
	CodeRow  = "LK206"
)

// Call is the function of database/sql that the program called.
type Call struct {
	Receiver string // "db", "tx", "conn", "stmt"; "" for none
	Method   string // "QueryContext"; "" when there is no frame of database/sql
}

// CallOf finds the call in a stack: the outermost of the innermost run of frames of database/sql.
func CallOf(pcs []uintptr) (c Call) {
	if len(pcs) == 0 {
		return c
	}
	it := runtime.CallersFrames(pcs)
	in := false
	for {
		f, more := it.Next()
		name, ok := strings.CutPrefix(f.Function, "database/sql.")
		if in && !ok && !strings.HasPrefix(f.Function, "runtime.") {
			return c
		}
		if ok {
			in = true
			c.frame(name)
		}
		if !more {
			return c
		}
	}
}

var receivers = map[string]string{"(*DB)": "db", "(*Tx)": "tx", "(*Conn)": "conn", "(*Stmt)": "stmt", "(*Row)": "row", "(*Rows)": "rows"}

func (c *Call) frame(name string) {
	recv, method, ok := strings.Cut(name, ").")
	if !ok {
		return // a function such as withLock
	}
	method, _, _ = strings.Cut(method, ".") // a closure inside
	r := receivers[recv+")"]
	if r == "" {
		return // driverConn
	}
	c.Receiver, c.Method = r, method
}

// Thing is what a call lends to its caller.
type Thing struct {
	Kind, Code string
	Name       string // "sql.Rows"
	End        string // what was not done with it: "was never closed"
	Hint       string // how it is done
}

// Lends says what the call lends to its caller, and how that is given back.
func (c Call) Lends() Thing {
	switch c.Method {
	case "Query", "QueryContext":
		return Thing{"sql-rows", CodeRows, "sql.Rows", "was never closed", "defer rows.Close()"}
	case "QueryRow", "QueryRowContext":
		return Thing{"sql-rows", CodeRow, "sql.Row", "was never scanned",
			"row.Scan(…), which closes the row; for a statement without a result use Exec"}
	case "Begin", "BeginTx":
		return Thing{"sql-tx", CodeTx, "sql.Tx", "was neither committed nor rolled back", "defer tx.Rollback()"}
	case "Conn":
		return Thing{"sql-conn", CodeConn, "sql.Conn", "was never closed", "defer conn.Close()"}
	case "":
		return Thing{"sql-conn", CodeConn, "driver.Conn", "was never closed", "defer conn.Close()"}
	case "connectionOpener":
		return Thing{"sql-conn", CodeConn, "a connection", "was never given back", "close what it was taken for"}
	}
	return Thing{"sql-conn", CodeConn, "a connection", "was never given back: the call has not returned",
		"give the call a context that ends"}
}

// What names a thing by where it came from: "sql.Rows from db.QueryContext at store.go:41".
func (c Call) What(thing string, pcs []uintptr) string {
	switch {
	case c.Method == "":
	case c.Method == "connectionOpener":
		thing += " from db's background opener"
	default:
		thing += " from " + c.Receiver + "." + c.Method
	}
	return At(thing, pcs)
}

// At adds the line that a stack is to be blamed for: "sql.Rows at store.go:41". That is not what a wrapper of the driver does
// below database/sql.
func At(thing string, pcs []uintptr) string {
	if site := callsite.Pick(callsite.User(callsite.From(callsite.Expand(pcs), "database/sql."))); site.Func != "" {
		thing += " at " + Short(site)
	}
	return thing
}

// Short is the position of a frame for a sentence: the file without its folder, and the line.
func Short(f callsite.Frame) string {
	pos := f.Position()
	return pos[strings.LastIndexAny(pos, `/\`)+1:]
}
