package leakcheck

import (
	"reflect"
	"testing"
	"unsafe"

	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/report"
)

// labelTests makes every test that m is about to run carry a label, so that what it starts can be told from what others
// start, also when it does not call Verify. The testing package has no hook for that: the functions are replaced in the
// lists of the *testing.M, whose fields are found by name and type. When they are not what they were in Go 1.25 to 1.27,
// nothing is done, and tests are named by what their stacks tell.
func labelTests(m any) {
	tm, ok := m.(*testing.M)
	if !ok {
		return
	}
	each(tm, "tests", func(x *testing.InternalTest) {
		if f := x.F; f != nil {
			x.F = func(t *testing.T) {
				watchTest(t)
				f(t)
			}
		}
	})
	each(tm, "benchmarks", func(x *testing.InternalBenchmark) {
		if f := x.F; f != nil {
			x.F = func(b *testing.B) {
				defer mark(b.Name())()
				f(b)
			}
		}
	})
	each(tm, "fuzzTargets", func(x *testing.InternalFuzzTarget) {
		if f := x.Fn; f != nil {
			x.Fn = func(t *testing.F) {
				mark(t.Name())
				f(t)
			}
		}
	})
	each(tm, "examples", func(x *testing.InternalExample) {
		if f, name := x.F, x.Name; f != nil {
			x.F = func() {
				defer mark(name)()
				f()
			}
		}
	})
}

// each calls f with every element of the field, a slice of T.
func each[T any](m *testing.M, field string, f func(*T)) {
	v := reflect.ValueOf(m).Elem().FieldByName(field)
	if !v.IsValid() || v.Type() != reflect.TypeFor[[]T]() {
		return
	}
	list := *(*[]T)(unsafe.Pointer(v.UnsafeAddr()))
	for i := range list {
		f(&list[i])
	}
}

// mark labels the calling goroutine for a test. The test's goroutine ends with it, so that the label need not be taken off.
func mark(name string) (restore func()) {
	id := label.NewID()
	registry.mu.Lock()
	registry.tops[name] = true
	registry.mu.Unlock()
	registry.runsOn(id)
	return label.Mark(id, name)
}

// watchTest labels a test, and notes which sockets and child processes first showed while it ran alone.
func watchTest(t *testing.T) {
	mark(t.Name())
	open, err := sockets.keys()
	kids, kidsErr := children.keys()
	t.Cleanup(func() { // the first to be registered is the last to run
		if parallel, known := isParallel(t); parallel || !known {
			return
		}
		registry.leasedNow(goroutines.leased(), t.Name())
		if err == nil {
			fresh, _ := sockets.since(open)
			for _, r := range fresh {
				registry.saw(report.Key{List: "socket", ID: r.Key()}, t.Name())
			}
		}
		if kidsErr == nil {
			fresh, _ := children.since(kids)
			for _, r := range fresh {
				registry.saw(report.Key{List: "process", ID: r.ID}, t.Name())
			}
		}
	})
}
