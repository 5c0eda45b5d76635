package mockserver

import (
	"fmt"
	"os"
	"reflect"
)

// noTest stands in for a t that is nil, so that the harness says what is wrong where it would panic. There is no test that
// could be failed: what would fail it goes to standard error.
type noTest struct{}

func (noTest) Helper()                           {}
func (noTest) Name() string                      { return "(no test)" }
func (noTest) Failed() bool                      { return false }
func (noTest) Logf(format string, args ...any)   { fmt.Fprintf(os.Stderr, format+"\n", args...) }
func (noTest) Errorf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// orNoTest gives t, or when that is nil, says so and gives a noTest.
func orNoTest(t TB, function string) TB {
	if !isNilT(t) {
		return t
	}
	t = noTest{}
	t.Errorf("mockserver.%s: t is nil: pass the *testing.T of the test, as in mockserver.%[1]s(t); without one nothing is closed by itself, and failures go to standard error", function)
	return t
}

func isNilT(t TB) bool {
	if t == nil {
		return true
	}
	switch v := reflect.ValueOf(t); v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan, reflect.Interface:
		return v.IsNil()
	}
	return false
}
