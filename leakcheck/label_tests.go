package leakcheck

import (
	"reflect"
	"testing"
	"unsafe"

	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/report"
)

// labelTests makes every test that m is about to run carry a label, so that what it starts can be told from what others
// start, also when it does not call Verify. The testing package has no hook for that: the functions are replaced in the
// lists of the *testing.M, whose fields are found by name and type. When they are not what they were in Go 1.25 to 1.27,
// nothing is done, and tests are named by what their stacks tell.
//
// It says whether it found the tests, so that it sees each that runs.
func labelTests(m any) bool {
	tm, ok := m.(*testing.M)
	if !ok {
		return false
	}
	found := each(tm, "tests", func(x *testing.InternalTest) {
		if f := x.F; f != nil {
			x.F = func(t *testing.T) {
				run := watchTest(t)
				f(t)
				run.hasReturned()
			}
		}
	})
	each(tm, "benchmarks", func(x *testing.InternalBenchmark) {
		if f := x.F; f != nil {
			x.F = func(b *testing.B) {
				id, restore := mark(b.Name())
				defer restore()
				run := follow(b, id)
				f(b)
				run.hasReturned()
			}
		}
	})
	each(tm, "fuzzTargets", func(x *testing.InternalFuzzTarget) {
		if f := x.Fn; f != nil {
			x.Fn = func(t *testing.F) {
				id, _ := mark(t.Name())
				run := follow(t, id)
				f(t)
				run.hasReturned()
			}
		}
	})
	each(tm, "examples", func(x *testing.InternalExample) {
		if f, name := x.F, x.Name; f != nil {
			x.F = func() {
				id, restore := mark(name)
				defer restore()
				defer followExample(name, id)()
				f()
			}
		}
	})
	return found
}

// each calls f with every element of the field, a slice of T, and says whether there is such a field.
func each[T any](m *testing.M, field string, f func(*T)) bool {
	v := reflect.ValueOf(m).Elem().FieldByName(field)
	if !v.IsValid() || v.Type() != reflect.TypeFor[[]T]() {
		return false
	}
	list := *(*[]T)(unsafe.Pointer(v.UnsafeAddr()))
	for i := range list {
		f(&list[i])
	}
	return true
}

// follow has a test that Main runs written down, and ends that when its cleanups have run; nil when nobody wants to know.
func follow(t interface {
	TB
	Cleanup(func())
}, id label.ID) *testRun {
	noteInputs()
	if !watchesRuns() {
		return nil
	}
	lease.Live.Watch(id)
	run := beginRun(t, t.Name(), id, nil)
	t.Cleanup(func() { // the first to be registered is the last to run
		t.Helper()
		run.count()
		lease.Live.Unwatch(id)
		run.end(!run.returned)
	})
	return run
}

// subtest is a T of deep mode, which checks every test without having been asked. A subtest may keep what the test around
// it gives back, in a cleanup of its own or in a later subtest: what it holds at its end is no leak yet.
type subtest interface {
	TB
	Cleanup(func())
	// JudgedOutside says that it is one, and that the test around it is checked.
	JudgedOutside() bool
}

// followSubtest labels a subtest that the test around it answers for, so that what it leaks has its name.
func followSubtest(t subtest) {
	id := label.NewID()
	registry.runsOn(id)
	label.Mark(id, t.Name())
	noteInputs()
	if !watchesRuns() {
		return
	}
	lease.Live.Watch(id)
	run := beginRun(innermost(t), t.Name(), id, nil)
	t.Cleanup(func() {
		t.Helper()
		run.count()
		lease.Live.Unwatch(id)
		run.end(exiting())
	})
}

// exampleT stands for an example, which has no T.
type exampleT struct{ name string }

func (t exampleT) Helper()               {}
func (t exampleT) Name() string          { return t.name }
func (t exampleT) Errorf(string, ...any) {}
func (t exampleT) Logf(string, ...any)   {}
func (t exampleT) Failed() bool          { return false }

// followExample is follow for an example.
func followExample(name string, id label.ID) (end func()) {
	noteInputs()
	if !watchesRuns() {
		return func() {}
	}
	lease.Live.Watch(id)
	run := beginRun(exampleT{name}, name, id, nil)
	return func() {
		run.count()
		lease.Live.Unwatch(id)
		run.end(false)
	}
}

func (r *testRun) hasReturned() {
	if r != nil {
		r.returned = true
	}
}

// mark labels the calling goroutine for a test. The test's goroutine ends with it, so that the label need not be taken off.
func mark(name string) (id label.ID, restore func()) {
	id = label.NewID()
	registry.mu.Lock()
	registry.tops[name] = true
	registry.mu.Unlock()
	registry.runsOn(id)
	return id, label.Mark(id, name)
}

// watchTest labels a test, and notes which sockets and child processes first showed while it ran alone.
func watchTest(t *testing.T) *testRun {
	if registry.parallelEnded.Swap(false) {
		// With -count or -cpu a test that runs alone follows parallel ones. What is leased now is not its own, and nobody
		// knows whose: none of those ran alone. No parallel test runs at this moment.
		registry.leasedNow(goroutines.leased(), "")
	}
	id, _ := mark(t.Name())
	run := follow(t, id)
	open, err := sockets.keys()
	kids, kidsErr := children.keys()
	t.Cleanup(func() { // after those of the test
		if parallel, known := isParallel(t); parallel || !known {
			registry.parallelEnded.Store(true)
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
	return run
}
