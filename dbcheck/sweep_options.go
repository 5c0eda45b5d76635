package dbcheck

import (
	"fmt"
	"path"
	"time"

	"github.com/leakgate/leakgate/leakcheck"
)

// SweepOption changes what Sweep does. A nil SweepOption is ignored. An option that is wrong fails the test, and nothing is
// run.
type SweepOption func(*sweepConfig)

const (
	defaultSweepDeadline = 5 * time.Second
	defaultSweepEnds     = 2
	maxScenarios         = 5000
)

type sweepConfig struct {
	panics        bool
	only, without []string
	deadline      time.Duration
	ends          int
	check         []leakcheck.Option
	errs          []error
}

func (c *sweepConfig) wrong(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(format, args...))
}

// SweepPanics lets the code under test panic too: at each Rows.Next, as in the body of the loop, and at each ExecContext. The panic goes
// through the code under test as one of its own would, and is recovered by Sweep. At other calls database/sql itself
// does not give back what it took when a driver panics, so that nothing would be proved.
func SweepPanics() SweepOption { return func(c *sweepConfig) { c.panics = true } }

// SweepOnly runs the scenarios whose name matches one of the patterns, as path.Match has them: SweepOnly("call 3 *",
// "*, error"). Given more than once, the patterns add up. A pattern that matches no scenario fails the test.
func SweepOnly(patterns ...string) SweepOption {
	return func(c *sweepConfig) { c.patterns(&c.only, "SweepOnly", patterns) }
}

// SweepWithout leaves the scenarios out whose name matches one of the patterns. It wins over SweepOnly. A pattern that
// matches no scenario fails the test.
func SweepWithout(patterns ...string) SweepOption {
	return func(c *sweepConfig) { c.patterns(&c.without, "SweepWithout", patterns) }
}

func (c *sweepConfig) patterns(to *[]string, name string, patterns []string) {
	if len(patterns) == 0 {
		c.wrong("%s(): no pattern; leave the option out, or write %s(\"call 3 *\")", name, name)
	}
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil {
			c.wrong("%s(%q): not a pattern: %v; write a name, or a part of it and a star: \"call 3 *\"", name, p, err)
			continue
		}
		*to = append(*to, p)
	}
}

// SweepDeadline is how long one run may take, 5 s when it is not given. One that has not returned then is reported as a hang,
// with the line where it waits; but as long as it computes or calls the driver, it may take five times as long, so that a busy
// machine is no hang.
func SweepDeadline(d time.Duration) SweepOption {
	return func(c *sweepConfig) {
		if d <= 0 {
			c.wrong("SweepDeadline(%v): a run needs some time; write a time that a run may take, as SweepDeadline(10*time.Second)", d)
			return
		}
		c.deadline = d
	}
}

// SweepEnds says how many calls of a loop fail. Of calls with the same statement that are made by the same line, the
// first n and the last n do, 2 each when it is not given: what a loop does at its thousandth row is what it does at its
// second.
func SweepEnds(n int) SweepOption {
	return func(c *sweepConfig) {
		if n < 1 {
			c.wrong("SweepEnds(%d): at least the first call and the last one of a loop must fail, as in SweepEnds(1)", n)
			return
		}
		c.ends = n
	}
}

// SweepCheck gives options to the check of each run, which is Verify: budgets, such as NoNestedLease(), or what it ignores.
func SweepCheck(opts ...leakcheck.Option) SweepOption {
	return func(c *sweepConfig) { c.check = append(c.check, opts...) }
}
