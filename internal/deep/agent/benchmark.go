package agent

import (
	"fmt"
	"strings"
	"testing"

	"github.com/leakgate/leakgate/leakcheck"
)

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
