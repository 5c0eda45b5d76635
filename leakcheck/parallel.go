package leakcheck

import (
	"reflect"
	"testing"
)

// isParallel says whether other tests may run beside t: it, or a test that it is part of, called t.Parallel. The
// testing package keeps that to itself, so it is read by reflection; known is false when t is no *testing.T or the fields
// are not what they were in Go 1.25 to 1.27.
func isParallel(t TB) (parallel, known bool) {
	var v reflect.Value
	switch t := t.(type) {
	case *testing.T:
		v = reflect.ValueOf(t).Elem().FieldByName("common")
	case *testing.B, *testing.F:
		return false, true // benchmarks and fuzz targets run one after the other
	default:
		return false, false
	}
	for depth := 0; v.IsValid() && depth < 100; depth++ {
		flag, parent := v.FieldByName("isParallel"), v.FieldByName("parent")
		if !flag.IsValid() || flag.Kind() != reflect.Bool || !parent.IsValid() || parent.Kind() != reflect.Pointer {
			return false, false
		}
		if flag.Bool() {
			return true, true
		}
		if parent.IsNil() {
			return false, true
		}
		v = parent.Elem()
	}
	return false, false
}
