package incidents

import (
	"fmt"
	"sync"
	"time"
)

const (
	waitFor = 30 * time.Second
	tick    = 10 * time.Millisecond
)

// fakeT is a test that records what it is told.
type fakeT struct {
	name string

	mu    sync.Mutex
	texts []string
	fails bool
}

func (t *fakeT) Helper()      {}
func (t *fakeT) Name() string { return t.name }

func (t *fakeT) Failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fails
}

func (t *fakeT) Errorf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.texts = append(t.texts, fmt.Sprintf(format, args...))
	t.fails = true
}

func (t *fakeT) Logf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.texts = append(t.texts, fmt.Sprintf(format, args...))
}

// told gives errors and logs.
func (t *fakeT) told() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.texts...)
}
