package agent

import (
	"io"
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
