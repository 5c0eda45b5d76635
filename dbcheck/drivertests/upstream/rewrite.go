package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
)

// edits is how often each thing was rewritten.
type edits struct {
	open  int // sql.Open and sql.OpenDB, which are dbcheck's now
	raw   int // functions given to sql.Conn.Raw, which ask what they get for the driver's own connection
	peeks int // database/sql's tests alone: a look at a driver.Conn, Tx or Connector that package sql keeps
}

func (e *edits) add(f edits) { e.open, e.raw, e.peeks = e.open+f.open, e.raw+f.raw, e.peeks+f.peeks }

func (e edits) String() string {
	s := fmt.Sprintf("%d sql.Open/OpenDB, %d Raw", e.open, e.raw)
	if e.peeks > 0 {
		s += fmt.Sprintf(", %d peeks", e.peeks)
	}
	return s
}

// edit replaces the bytes from at up to end.
type edit struct {
	at, end int
	text    string
}

// What the rewritten source calls the packages that it did not import.
const (
	nameDBCheck = "leakgate_dbcheck"
	nameDriver  = "leakgate_driver"
)

// rewriter finds what has to be rewritten in one file. The text is changed in place, line by line as it was, so that a
// failing test names the line of the driver's own file.
type rewriter struct {
	fset  *token.FileSet
	file  *ast.File
	edits []edit
	n     edits

	sql  string // what the file calls database/sql; "" when it does not import it
	own  bool   // the file is of package sql itself
	test bool
}

// rewrite makes the file open its databases with dbcheck. A file of package database/sql itself cannot import dbcheck, which
// imports it: it calls what the hook file declares (see hook). What the file does to a connection within sql.Conn.Raw is
// done to the driver's own connection, in tests; the driver's own code stays as it is.
func rewrite(name string, src []byte) ([]byte, edits, error) {
	r := &rewriter{fset: token.NewFileSet(), test: strings.HasSuffix(name, "_test.go")}
	var err error
	r.file, err = parser.ParseFile(r.fset, name, src, parser.ParseComments)
	if err != nil {
		return nil, edits{}, err
	}
	for _, i := range r.file.Imports {
		if i.Path.Value == `"database/sql"` {
			r.sql = "sql"
			if i.Name != nil {
				r.sql = i.Name.Name
			}
		}
	}
	r.own = r.file.Name.Name == "sql" && r.sql == ""
	ast.Inspect(r.file, r.node)
	if len(r.edits) == 0 {
		return src, r.n, nil
	}
	r.imports()
	return apply(src, r.edits), r.n, nil
}

func (r *rewriter) replace(from, to token.Pos, text string) {
	r.edits = append(r.edits, edit{r.fset.Position(from).Offset, r.fset.Position(to).Offset, text})
}

func (r *rewriter) node(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.SelectorExpr:
		if x, ok := n.X.(*ast.Ident); ok && r.sql != "" && x.Name == r.sql && x.Obj == nil && opens(n.Sel.Name) {
			r.replace(x.Pos(), x.End(), nameDBCheck)
			r.n.open++
		}
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.Ident); ok && r.own && f.Obj == nil && opens(f.Name) {
			r.replace(f.Pos(), f.Pos(), "Leakgate")
			r.n.open++
		}
		if s, ok := n.Fun.(*ast.SelectorExpr); ok && r.test && s.Sel.Name == "Raw" && len(n.Args) == 1 {
			if f, ok := n.Args[0].(*ast.FuncLit); ok {
				r.raw(f)
			}
		}
		for _, arg := range n.Args {
			r.peek(arg)
		}
	case *ast.TypeAssertExpr:
		r.peek(n.X)
	}
	return true
}

// peek lets a test of package sql look at the driver's own value where it asserts the type of what package sql keeps, or
// gives it to a function that does.
func (r *rewriter) peek(x ast.Expr) {
	if s, ok := x.(*ast.SelectorExpr); ok && r.own && r.test && kept(s.Sel.Name) {
		r.replace(x.Pos(), x.Pos(), "leakgateBelow(")
		r.replace(x.End(), x.End(), ")")
		r.n.peeks++
	}
}

func opens(name string) bool { return name == "Open" || name == "OpenDB" }

// kept says whether package sql keeps a value of the driver in a field of that name which dbcheck wraps. It does not wrap
// rowsi.
func kept(field string) bool {
	return field == "ci" || field == "txi" || field == "si" || field == "connector"
}

// raw lets a function that sql.Conn.Raw calls begin with what dbcheck's documentation tells its users to do.
func (r *rewriter) raw(f *ast.FuncLit) {
	params := f.Type.Params.List
	if len(params) != 1 || len(params[0].Names) != 1 || params[0].Names[0].Name == "_" || !isAny(params[0].Type) {
		return // it does not look at the connection
	}
	p := params[0].Names[0].Name
	r.replace(f.Body.Lbrace+1, f.Body.Lbrace+1, fmt.Sprintf(
		" if own, ok := %s.(interface{ Raw() %s.Conn }); ok { %s = own.Raw() };", p, nameDriver, p))
	r.n.raw++
}

func isAny(t ast.Expr) bool {
	switch t := t.(type) {
	case *ast.Ident:
		return t.Name == "any"
	case *ast.InterfaceType:
		return len(t.Methods.List) == 0
	}
	return false
}

// imports adds what the edits need, on the line of the package clause, and lets database/sql be used where it may not be now.
func (r *rewriter) imports() {
	text := ""
	if r.n.open > 0 && !r.own {
		text += `; import ` + nameDBCheck + ` "github.com/leakgate/leakgate/dbcheck"`
	}
	if r.n.raw > 0 {
		text += `; import ` + nameDriver + ` "database/sql/driver"`
	}
	if text != "" {
		r.replace(r.file.Name.End(), r.file.Name.End(), text)
	}
	if r.n.open > 0 && !r.own {
		r.replace(r.file.FileEnd, r.file.FileEnd, "\nvar _ "+r.sql+".DB\n")
	}
}

func apply(src []byte, all []edit) []byte {
	slices.SortStableFunc(all, func(a, b edit) int { return a.at - b.at })
	var out []byte
	from := 0
	for _, e := range all {
		out = append(out, src[from:e.at]...)
		out = append(out, e.text...)
		from = e.end
	}
	return append(out, src[from:]...)
}

// The hook of database/sql's own tests. They are in package sql, which dbcheck imports, so that they reach it by variables
// which a test outside of the package sets.
const (
	hookInside = `package sql

import (
	"database/sql/driver"
	"reflect"
	"unsafe"
)

var (
	LeakgateOpen   func(driverName, dataSourceName string) (*DB, error)
	LeakgateOpenDB func(driver.Connector) *DB
)

// leakgateBelow gives what dbcheck wraps; anything else as it is.
func leakgateBelow[T any](v T) T {
	if own, ok := leakgateOwn(v).(T); ok {
		return own
	}
	return v
}

func leakgateOwn(v any) any {
	switch w := v.(type) {
	case interface{ Raw() driver.Conn }:
		return w.Raw()
	case interface{ Unwrap() driver.Connector }:
		return w.Unwrap()
	}
	if p := reflect.ValueOf(v); p.Kind() == reflect.Pointer && p.Elem().Kind() == reflect.Struct {
		if f := p.Elem().FieldByName("below"); f.IsValid() {
			return reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem().Interface()
		}
	}
	return v
}
`
	hookOutside = `package sql_test

import (
	"database/sql"

	"github.com/leakgate/leakgate/dbcheck"
)

func init() { sql.LeakgateOpen, sql.LeakgateOpenDB = dbcheck.Open, dbcheck.OpenDB }
`
)
