package dbcheck

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"
	"net/netip"
	"reflect"
	"sync"
	"unsafe"

	"github.com/leakgate/leakgate/internal/dbpool"
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

// connectorOf gives the place where a sql.DB keeps its connector. database/sql tells nobody, so that the field is found by
// its name and type; ok is false when it is not what it was in Go 1.25 to 1.27.
func connectorOf(db *sql.DB) (c *driver.Connector, ok bool) {
	f := reflect.ValueOf(db).Elem().FieldByName("connector")
	if !f.IsValid() || f.Type() != reflect.TypeFor[driver.Connector]() {
		return nil, false
	}
	return (*driver.Connector)(unsafe.Pointer(f.UnsafeAddr())), true
}

// maxDepth is how many pointers and structs below a driver's connection its net.Conn is looked for.
const maxDepth = 5

// paths knows for each type of a driver's connection where its net.Conn is: indexes of fields, one after the other. It
// depends on the type alone.
var paths sync.Map // reflect.Type -> [][]int

// endsOf gives the ends of the connection that a driver's connection talks through, when one of its fields, or a field of
// those, is declared as a net.Conn. Nothing but the fields on the way is read, and the driver has just made them. It is the
// zero Ends when there is none.
func endsOf(c driver.Conn) (ends dbpool.Ends) {
	defer func() {
		if recover() != nil { // a connection that does not like to be asked
			ends = dbpool.Ends{}
		}
	}()
	v := reflect.ValueOf(c)
	found, ok := paths.Load(v.Type())
	if !ok {
		found, _ = paths.LoadOrStore(v.Type(), findConn(v.Type()))
	}
	for _, path := range found.([][]int) {
		if nc := fieldAt(v, path); nc != nil {
			return dbpool.Ends{Local: address(nc.LocalAddr()), Remote: address(nc.RemoteAddr())}
		}
	}
	return dbpool.Ends{}
}

// findConn looks for fields of type net.Conn, the nearest first.
func findConn(t reflect.Type) (found [][]int) {
	type place struct {
		t    reflect.Type
		path []int
	}
	netConn := reflect.TypeFor[net.Conn]()
	seen := make(map[reflect.Type]bool)
	next := []place{{t, nil}}
	for range maxDepth {
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
				if f := t.Field(i).Type; f == netConn {
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

// fieldAt reads the field at the end of the path; nil when a pointer on the way is.
func fieldAt(v reflect.Value, path []int) net.Conn {
	for _, i := range path {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return nil
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	if !v.CanAddr() || v.IsNil() {
		return nil
	}
	return *(*net.Conn)(unsafe.Pointer(v.UnsafeAddr()))
}

func address(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

// serverPID asks a driver's connection for the number of the server's process or thread that serves it, where its type
// offers that: pgx does, by Conn().PgConn().PID(). It gives 0 when it is not known.
func serverPID(c driver.Conn) (pid uint64) {
	defer func() {
		if recover() != nil {
			pid = 0
		}
	}()
	v := reflect.ValueOf(c)
	for _, get := range []func(reflect.Value) reflect.Value{
		func(v reflect.Value) reflect.Value { return v.MethodByName("Conn") },
		func(v reflect.Value) reflect.Value { return v.MethodByName("PgConn") },
		func(v reflect.Value) reflect.Value { return v.MethodByName("PID") },
	} {
		m := get(v)
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
