package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/fortytw2/leaktest"
	"github.com/onsi/gomega/gleak"
	"go.uber.org/goleak"

	"github.com/leakgate/leakgate/leakcheck"
)

const (
	nameOurs     = "leakgate"
	nameGoleak   = "goleak"
	nameGleak    = "gleak"
	nameLeaktest = "leaktest"
)

// checkers take a snapshot, run what is between, and check. Nothing leaks, so that a report is a wrong result.
var checkers = []struct {
	name  string
	check func(between func()) error
}{
	{nameOurs, func(between func()) error {
		s := leakcheck.Take()
		between()
		if leaks := s.Leaks(); len(leaks) > 0 {
			return fmt.Errorf("reported without a leak: %s", leaks[0].Summary)
		}
		return s.Err()
	}},
	{nameGoleak, func(between func()) error {
		before := goleak.IgnoreCurrent()
		between()
		return goleak.Find(before)
	}},
	{nameGleak, func(between func()) error {
		before := gleak.Goroutines()
		between()
		leaked, err := gleak.HaveLeaked(before).Match(gleak.Goroutines())
		if leaked {
			err = errors.New("reported without a leak")
		}
		return err
	}},
	{nameLeaktest, func(between func()) error {
		t := &recorder{name: "TestClean"}
		done := leaktest.CheckTimeout(t, time.Second)
		between()
		done()
		return t.clean()
	}},
}

// variant is how a clean check is run.
type variant struct {
	name   string
	run    func(check func(between func()) error) error
	before func() // not timed; may be nil
}

var variants = []variant{
	// Nothing is started between the snapshot and the check, nor since the last check.
	{name: "idle", run: func(check func(func()) error) error { return check(func() {}) }},
	// Each check runs on a goroutine of its own, as tests do.
	{name: "test", run: func(check func(func()) error) error {
		var err error
		done := make(chan struct{})
		go func() {
			defer close(done)
			err = check(func() {})
		}()
		<-done
		return err
	}},
	// One goroutine is started and ends in between.
	{name: "started", run: func(check func(func()) error) error { return check(startAndEnd) }},
	// And another before the snapshot: the worst case, in which ours lists twice.
	{name: "busy", run: func(check func(func()) error) error { return check(startAndEnd) }, before: startAndEnd},
}

// cleanGoals are what ours may cost at most, as a share of goleak, by the number of goroutines in the background.
var cleanGoals = map[int]float64{10: 0.4, 100: 0.3, 1000: 0.15, 10000: 0.12}

const maxAllocs = 30

// cleanSides time the snapshot and the check, and not what is between them.
func cleanSides(v variant) (sides []side) {
	for _, c := range checkers {
		sides = append(sides, side{name: c.name, run: func(n int) (time.Duration, error) {
			var err error
			var other time.Duration
			start := time.Now()
			for range n {
				if v.before != nil {
					start := time.Now()
					v.before()
					other += time.Since(start)
				}
				e := v.run(func(between func()) error {
					return c.check(func() {
						start := time.Now()
						between()
						other += time.Since(start)
					})
				})
				if e != nil {
					err = e
				}
			}
			return time.Since(start) - other, err
		}})
	}
	return sides
}

func cleanComparisons() (out []comparison) {
	for _, v := range variants {
		for _, n := range []int{10, 100, 1000, 10000} {
			c := comparison{
				name:   fmt.Sprintf("clean/%s/%d", v.name, n),
				what:   fmt.Sprintf("%s, %d goroutines", v.name, n),
				goals:  map[string]goal{},
				allocs: map[string]goal{nameGoleak: {}},
				open: func() ([]side, func(), error) {
					return cleanSides(v), background(n), nil
				},
			}
			if v.name == "idle" {
				c.goals[nameGoleak] = goal{ratioMost, cleanGoals[n]}
				c.allocs[nameGoleak] = goal{most, maxAllocs}
			}
			out = append(out, c)
		}
	}
	return out
}
