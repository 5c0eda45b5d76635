// Package record has a T that takes down what a test would have reported, so that an example can prove that its leak is
// found and still pass.
package record

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// T stands for the *testing.T of a test that is expected to fail. Its methods may be called from any goroutine.
type T struct {
	name string

	mu       sync.Mutex
	errors   []string
	logs     []string
	cleanups []func()
}

// Run runs a test on the calling goroutine, then its cleanups, the last one first, as the testing package does.
func Run(name string, test func(t *T)) *T {
	t := &T{name: name}
	defer t.cleanup()
	test(t)
	return t
}

func (t *T) cleanup() {
	for {
		t.mu.Lock()
		n := len(t.cleanups)
		if n == 0 {
			t.mu.Unlock()
			return
		}
		f := t.cleanups[n-1]
		t.cleanups = t.cleanups[:n-1]
		t.mu.Unlock()
		f()
	}
}

// Helper does nothing: no line is looked up.
func (t *T) Helper() {}

// Name is what was given to Run.
func (t *T) Name() string { return t.name }

// Errorf takes an error down.
func (t *T) Errorf(format string, args ...any) { t.add(&t.errors, fmt.Sprintf(format, args...)) }

// Error takes an error down, for goleak.
func (t *T) Error(args ...any) { t.add(&t.errors, fmt.Sprint(args...)) }

// Logf takes a log line down.
func (t *T) Logf(format string, args ...any) { t.add(&t.logs, fmt.Sprintf(format, args...)) }

func (t *T) add(to *[]string, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*to = append(*to, text)
}

// Failed says whether an error was taken down.
func (t *T) Failed() bool { return len(t.Errors()) > 0 }

// Cleanup has f run when the test has ended.
func (t *T) Cleanup(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cleanups = append(t.cleanups, f)
}

// Errors gives the errors so far.
func (t *T) Errors() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.errors)
}

// Output gives errors and logs as one text.
func (t *T) Output() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(slices.Concat(t.errors, t.logs), "\n")
}
