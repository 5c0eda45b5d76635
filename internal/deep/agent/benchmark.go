package agent

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/leakgate/leakgate/leakcheck"
)

// target is a fuzz target that is told of leaks, as tester is a test.
type target struct {
	*testing.F
	warn bool
}

// fuzzTarget checks one fuzz target, when its inputs have run.
func (a *agent) fuzzTarget(f *testing.F) {
	if f.Name() == "" { // the root of all
		return
	}
	defer contain()
	leakcheck.Verify(target{f, a.warn}, a.opts...)
}

// Helper does nothing: no line is shown.
func (f target) Helper() {}

// Errorf fails the target, or only tells why it would.
func (f target) Errorf(format string, args ...any) {
	f.Logf(format, args...)
	if !f.warn {
		f.F.Fail()
	}
}

// Logf tells something.
func (f target) Logf(format string, args ...any) {
	_, _ = io.WriteString(f.Output(), said(format, args...))
}

// listener is what is told of the leaks of a benchmark or an example. It has no Cleanup: whoever begins the check ends it.
type listener struct {
	name   string
	leaks  strings.Builder
	failed func() bool // by itself
}

// Helper does nothing.
func (l *listener) Helper() {}

// Name is that of the benchmark or example.
func (l *listener) Name() string { return l.name }

// Failed says whether it failed by itself.
func (l *listener) Failed() bool { return l.failed() }

// Errorf keeps what was found.
func (l *listener) Errorf(format string, args ...any) { l.leaks.WriteString(said(format, args...)) }

// Logf tells what is no leak to those who asked for more.
func (l *listener) Logf(format string, args ...any) {
	if testing.Verbose() {
		fmt.Fprintf(os.Stderr, "%s: %s", l.name, said(format, args...))
	}
}

// benchmark checks one benchmark with all its runs. It begins before the goroutines of those are started, which have its label so.
func (a *agent) benchmark(parent any, name string) (end func()) {
	defer contain()
	b, ok := parent.(*testing.B)
	if !ok || b.Name() == "" { // of package testing's own tests
		return nil
	}
	if b.Name() != rootBenchmark {
		name = b.Name() + "/" + name
	}
	before := b.Failed()
	l := &listener{name: strings.ReplaceAll(name, " ", "_"), failed: func() bool { return !before && b.Failed() }}
	check := leakcheck.Verify(l, a.opts...)
	return func() {
		defer contain()
		check()
		if l.leaks.Len() == 0 {
			return
		}
		what := "FAIL"
		if a.warn {
			what = "BENCH"
		} else {
			b.Fail()
		}
		text := strings.ReplaceAll(strings.TrimSuffix(l.leaks.String(), "\n"), "\n", "\n    ")
		fmt.Printf("--- %s: %s\n    %s\n", what, l.name, text)
	}
}

// rootBenchmark is the name of the benchmark that runs the others.
const rootBenchmark = "Main"

// example checks one example. Package testing takes what an example prints and compares it, so that what is printed there of a
// leak fails it, and is shown.
func (a *agent) example(name string, f func()) func() {
	return func() {
		l := &listener{name: name, failed: func() bool { return false }}
		check := func() {}
		func() {
			defer contain()
			check = leakcheck.Verify(l, a.opts...)
		}()
		f() // where it panics the binary ends
		defer contain()
		check()
		switch {
		case l.leaks.Len() == 0:
		case a.warn:
			l.Logf("%s", l.leaks.String())
		default:
			fmt.Print(l.leaks.String())
		}
	}
}
