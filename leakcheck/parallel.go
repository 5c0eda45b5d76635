package leakcheck

import (
	"reflect"
	"testing"
)

// embedded gives the T that a wrapper such as struct{ *testing.T } embeds, as quicktest's and many suites' do; nil when
// there is none that can be seen.
func embedded(t TB) TB {
	v := reflect.ValueOf(t)
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return nil
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.Anonymous || !f.IsExported() || !v.Field(i).CanInterface() {
			continue
		}
		if inner, ok := v.Field(i).Interface().(TB); ok && !isNil(inner) {
			return inner
		}
	}
	return nil
}

// isParallel says whether other tests may run beside t: it, or a test that it is part of, called t.Parallel. The
// testing package keeps that to itself, so it is read by reflection; known is false when t is no *testing.T or the fields
// are not what they were in Go 1.25 to 1.27.
func isParallel(t TB) (parallel, known bool) {
	switch t.(type) {
	case *testing.T:
	case *testing.B, *testing.F:
		return false, true // benchmarks and fuzz targets run one after the other
	default:
		if inner := embedded(t); inner != nil {
			return isParallel(inner)
		}
		return false, false
	}
	v, _ := commonOf(t)
	for depth := 0; v.IsValid() && depth < maxDepth; depth++ {
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

// maxDepth bounds how many tests around a test are looked at.
const maxDepth = 100

// commonOf gives what testing has in common of all kinds of tests, as the lists of their fields have it.
func commonOf(t TB) (v reflect.Value, ok bool) {
	switch t.(type) {
	case *testing.T, *testing.B, *testing.F:
		v = reflect.ValueOf(t).Elem().FieldByName("common")
		return v, v.IsValid()
	}
	return reflect.Value{}, false
}
