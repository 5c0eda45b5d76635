package dbcheck

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"github.com/leakgate/leakgate/internal/dbpool"
	"github.com/leakgate/leakgate/internal/socket"
)

var errNoConnector = errors.New("dbcheck: the connector is nil: pass the driver's connector, or use dbcheck.Open(driverName, dsn)")

func isNil(v any) bool {
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan:
		return r.IsNil()
	}
	return false
}

// connectorField is where a sql.DB keeps its connector in Go 1.25 to 1.27.
var connectorField = "connector"

// connectorOf gives the place where a sql.DB keeps its connector. database/sql tells nobody, so that the field is found by
// its name and type; ok is false when it is not what it was. What OpenDB and Open have made does not need it: see known.
func connectorOf(db *sql.DB) (c *driver.Connector, ok bool) {
	f := reflect.ValueOf(db).Elem().FieldByName(connectorField)
	if !f.IsValid() || f.Type() != reflect.TypeFor[driver.Connector]() {
		return nil, false
	}
	return (*driver.Connector)(unsafe.Pointer(f.UnsafeAddr())), true
}

// layers gives a driver's connection and those that it wraps, the outermost first: what its Raw method gives, as that of
// otelsql does, else what it keeps in a field declared as a driver.Conn. Connections that the program cannot wrap are alone.
func layers(c driver.Conn) (all []driver.Conn) {
	defer func() { _ = recover() }() // a connection that does not like to be asked
	for len(all) < maxDepth && !isNil(c) {
		all = append(all, c)
		if raw, ok := c.(interface{ Raw() driver.Conn }); ok {
			c = raw.Raw()
			continue
		}
		c = fieldOf[driver.Conn](c, connFields)
	}
	return all
}

// connectorBelow gives the connector that another one wraps, which it keeps in a field declared as a driver.Connector; nil
// when it does not.
func connectorBelow(c driver.Connector) (below driver.Connector) {
	defer func() {
		if recover() != nil {
			below = nil
		}
	}()
	return fieldOf[driver.Connector](c, connectors)
}

// maxDepth is how many pointers and structs below a driver's connection its net.Conn is looked for, how many wrappers, and
// how many layers of one net.Conn.
const maxDepth = 5

// paths knows for each type where the fields of another one are: indexes of fields, one after the other. They depend on the
// types alone.
type paths struct {
	found sync.Map // reflect.Type -> [][]int
	depth int
}

var (
	netConns   = &paths{depth: maxDepth} // of a driver's connection
	connFields = &paths{depth: 2}        // of one that may wrap another
	connectors = &paths{depth: 2}        // of a connector that may wrap another
)

// fieldOf reads the nearest field of v that is declared as a T and is not nil. Nothing but the fields on the way is read,
// and whoever calls has the only reference to v, or v does not change. It is nil when there is none.
func fieldOf[T any](v any, in *paths) (field T) {
	r := reflect.ValueOf(v)
	want := reflect.TypeFor[T]()
	if r.Kind() == reflect.Struct { // its fields have addresses only in a variable
		p := reflect.New(r.Type())
		p.Elem().Set(r)
		r = p
	}
	found, ok := in.found.Load(r.Type())
	if !ok {
		found, _ = in.found.LoadOrStore(r.Type(), findFields(r.Type(), want, in.depth))
	}
	for _, path := range found.([][]int) {
		if f := fieldAt(r, path); f.IsValid() && !f.IsNil() {
			return *(*T)(unsafe.Pointer(f.UnsafeAddr()))
		}
	}
	return field
}

// endsOf gives the ends of the connection that a driver's connection talks through, when one of its fields, or a field of
// those, is declared as a net.Conn. It is the zero Ends when there is none.
func endsOf(c driver.Conn) (ends dbpool.Ends) {
	defer func() {
		if recover() != nil { // a connection that does not like to be asked
			ends = dbpool.Ends{}
		}
	}()
	nc := fieldOf[net.Conn](c, netConns)
	if nc == nil {
		return dbpool.Ends{}
	}
	ends = dbpool.Ends{Local: address(nc.LocalAddr()), Remote: address(nc.RemoteAddr())}
	for range maxDepth {
		if s, ok := nc.(syscall.Conn); ok {
			ends.Socket = identity(s)
			break
		}
		below, ok := nc.(interface{ NetConn() net.Conn }) // tls.Conn
		if !ok {
			break
		}
		nc = below.NetConn()
	}
	return ends
}

func identity(s syscall.Conn) (id uint64) {
	raw, err := s.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) { id, _ = socket.Identity(int(fd)) })
	return id
}

// findFields looks for fields of a type, the nearest first.
func findFields(t, want reflect.Type, depth int) (found [][]int) {
	type place struct {
		t    reflect.Type
		path []int
	}
	seen := make(map[reflect.Type]bool)
	next := []place{{t, nil}}
	for range depth {
		var deeper []place
		for _, p := range next {
			t := p.t
			if t.Kind() == reflect.Pointer {
				t = t.Elem()
			}
			if t.Kind() != reflect.Struct || seen[t] {
				continue
			}
			seen[t] = true
			for i := range t.NumField() {
				at := append(p.path[:len(p.path):len(p.path)], i)
				if f := t.Field(i).Type; f == want {
					found = append(found, at)
				} else {
					deeper = append(deeper, place{f, at})
				}
			}
		}
		if len(found) > 0 {
			return found
		}
		next = deeper
	}
	return nil
}

// fieldAt gives the field at the end of the path; the zero Value when a pointer on the way is nil, or it has no address.
func fieldAt(v reflect.Value, path []int) reflect.Value {
	for _, i := range path {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return reflect.Value{}
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	if !v.CanAddr() {
		return reflect.Value{}
	}
	return v
}

func address(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

// serverPID gives the number of the server's process or thread that serves a driver's connection, where it can be told
// without a query. It gives 0 when it is not known.
func serverPID(c driver.Conn) (pid uint64) {
	defer func() {
		if recover() != nil {
			pid = 0
		}
	}()
	if pid := askPID(reflect.ValueOf(c)); pid != 0 {
		return pid
	}
	return fieldPID(reflect.ValueOf(c))
}

// askPID asks what pgx offers: Conn().PgConn().PID(). Any other driver's connection is not called: its method Conn may do something.
func askPID(v reflect.Value) uint64 {
	if v.Kind() != reflect.Pointer || !strings.HasPrefix(v.Type().Elem().PkgPath(), "github.com/jackc/pgx/") {
		return 0
	}
	for _, name := range []string{"Conn", "PgConn", "PID"} {
		m := v.MethodByName(name)
		if !m.IsValid() || m.Type().NumIn() != 0 || m.Type().NumOut() != 1 {
			return 0
		}
		v = m.Call(nil)[0]
	}
	if v.CanUint() {
		return v.Uint()
	}
	return 0
}

// fieldPID reads the field where lib/pq keeps what the server has sent for cancel requests: pid, or processID in older versions.
// go-sql-driver/mysql forgets the thread's number.
func fieldPID(v reflect.Value) uint64 {
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct || v.Elem().Type().PkgPath() != "github.com/lib/pq" {
		return 0
	}
	for _, name := range []string{"pid", "processID"} {
		if f := v.Elem().FieldByName(name); f.IsValid() && f.CanInt() && f.Int() > 0 {
			return uint64(f.Int())
		}
	}
	return 0
}
