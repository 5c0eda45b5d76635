package main

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/fortytw2/leaktest"
	"github.com/onsi/gomega"
	"github.com/onsi/gomega/gleak"
	"go.uber.org/goleak"

	"github.com/leakgate/leakgate/leakcheck"
)

// reporters begin a check for t and give what ends it, which reports to t.
var reporters = []struct {
	name  string
	begin func(t *recorder) (end func())
	slow  bool
}{
	{nameOurs, func(t *recorder) func() { return leakcheck.Verify(t) }, false},
	{nameGoleak, func(t *recorder) func() {
		before := goleak.IgnoreCurrent()
		return func() { goleak.VerifyNone(t, before) }
	}, false},
	{nameGleak, func(t *recorder) func() {
		before := gleak.Goroutines()
		g := gomega.NewGomega(func(message string, _ ...int) { t.Errorf("%s", message) })
		return func() { g.Eventually(gleak.Goroutines).ShouldNot(gleak.HaveLeaked(before)) }
	}, false},
	{nameLeaktest, func(t *recorder) func() { return leaktest.Check(t) }, true},
}

// reportSides measure the time from the end of a test that left one goroutine behind to its report.
func reportSides(slow bool) (sides []side) {
	for _, r := range reporters {
		if r.slow && !slow {
			continue
		}
		sides = append(sides, side{name: r.name, once: true, run: func(n int) (took time.Duration, err error) {
			for range n {
				d, e := leak(r.begin)
				took += d
				if e != nil {
					err = e
				}
			}
			return took, err
		}})
	}
	return sides
}

// leak is a test that leaves a goroutine blocked on a channel.
func leak(begin func(*recorder) func()) (time.Duration, error) {
	t := &recorder{name: "TestLeak"}
	end := begin(t)
	alone := runtime.NumGoroutine()
	blocked := make(chan struct{})
	go leaked(blocked)
	time.Sleep(time.Millisecond) // until it is blocked

	start := time.Now()
	end()
	took := time.Since(start)

	close(blocked)
	for runtime.NumGoroutine() > alone {
		time.Sleep(100 * time.Microsecond)
	}
	if !t.Failed() {
		return took, errors.New("the leak was not reported")
	}
	return took, nil
}

//go:noinline
func leaked(c chan struct{}) { <-c }

func reportComparisons(slow bool) (out []comparison) {
	for _, n := range []int{0, 100, 1000, 10000} {
		limit := 150 * time.Millisecond
		if n > 1000 {
			limit = 300 * time.Millisecond
		}
		out = append(out, comparison{
			name:  fmt.Sprintf("report/%d", n),
			what:  fmt.Sprintf("one leak, %d goroutines", n),
			goals: map[string]goal{"": {most, float64(limit)}},
			open: func() ([]side, func(), error) {
				return reportSides(slow), background(n), nil
			},
		})
	}
	return out
}
