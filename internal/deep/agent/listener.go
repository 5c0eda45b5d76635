package agent

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

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
