package leakcheck

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/goleak"
)

// Option configures a check. Options add up: none overwrites another, and each is valid wherever options are taken. A nil
// Option is ignored.
type Option func(*config)

type config struct {
	probes  []Probe
	instead bool
	only    map[Kind]bool
	without map[Kind]bool
	wait    time.Duration
	waitSet bool
	rules   []*rule
	limits  []limit
	high    []highWater
	warn    warnPlan
	main    bool // they are Main's
	repeats bool // they are Repeat's
	warmUp  int  // of Repeat; -1 when nothing is said
	follow  []follower
	remotes *remotes // nil when any address may be dialled
	goleak  []goleak.Option
	load    plan
	openers int
	picks   *matcher // not nil: the option is asked what it picks, and sets nothing
	remote  bool     // clients of other machines may ask a Handler
	errs    []error
}

// DefaultWait is how long a check waits at most for what is winding down.
const DefaultWait = time.Second

func newConfig(opts []Option) *config {
	c := &config{wait: DefaultWait, warmUp: -1}
	for _, o := range opts {
		if o != nil {
			o(c)
		}
	}
	c.checkKinds()
	c.checkLoad()
	return c
}

// builtin are the kinds that packages of this module report.
var builtin = []Kind{HTTPResponse, HTTPConn, SQLRows, SQLTx, SQLConn, SQLStmt, PgxConn, PgxRows, Goroutine, Socket, File, Process}

// checkKinds finds kinds that nothing reports: a check limited to them would look at nothing and pass.
func (c *config) checkKinds() {
	known := make(map[Kind]bool)
	for _, k := range builtin {
		known[k] = true
	}
	for _, p := range c.probes {
		known[kindOf(p)] = true
	}
	for name, kinds := range map[string]map[Kind]bool{"Only": c.only, "Without": c.without} {
		for _, k := range slices.Sorted(maps.Keys(kinds)) {
			if !known[k] {
				c.wrong("leakcheck.%s(%q): nothing reports this kind; there are %s, and those of probes given with With", name, k, joinKinds(builtin))
			}
		}
	}
}

func joinKinds(kinds []Kind) string {
	words := make([]string, len(kinds))
	for i, k := range kinds {
		words[i] = string(k)
	}
	return strings.Join(words, ", ")
}

func (c *config) wrong(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(format, args...))
}

// err joins what was wrong with the options; nil when nothing was.
func (c *config) err() error { return errors.Join(c.errs...) }

// wants says whether resources of the kind are looked at.
func (c *config) wants(k Kind) bool {
	if c.without[k] {
		return false
	}
	return len(c.only) == 0 || c.only[k]
}

// With adds probes to those that look by default. A nil probe, or one without a kind, is an error.
func With(probes ...Probe) Option {
	return func(c *config) {
		for i, p := range probes {
			switch {
			case isNil(p):
				c.wrong("leakcheck.With: probe %d is nil: pass a value that implements leakcheck.Probe", i+1)
			case strings.TrimSpace(string(kindOf(p))) == "":
				c.wrong("leakcheck.With: probe %d (%T) has no kind: let its Kind method return a short name such as \"worker\"", i+1, p)
			default:
				c.probes = append(c.probes, p)
			}
		}
	}
}

// Instead looks with these probes alone and leaves out the default ones. Packages that check one pool build on it;
// httpcheck.Verify does.
func Instead(probes ...Probe) Option {
	return func(c *config) {
		c.instead = true
		With(probes...)(c)
	}
}

// Only looks at the kinds named and no others. Given more than once, the kinds add up.
func Only(kinds ...Kind) Option {
	return func(c *config) {
		if len(kinds) == 0 {
			c.wrong("leakcheck.Only: no kind named: leave the option out to look at all, or name some, as in Only(leakcheck.Goroutine)")
		}
		addKinds(&c.only, kinds)
	}
}

// Without leaves the kinds named out. It wins over Only.
func Without(kinds ...Kind) Option {
	return func(c *config) {
		if len(kinds) == 0 {
			c.wrong("leakcheck.Without: no kind named: leave the option out, or name some, as in Without(leakcheck.Socket)")
		}
		addKinds(&c.without, kinds)
	}
}

func addKinds(to *map[Kind]bool, kinds []Kind) {
	if *to == nil {
		*to = make(map[Kind]bool)
	}
	for _, k := range kinds {
		(*to)[k] = true
	}
}

// Wait is how long a check waits at most for what is winding down when the test has ended. It ends as soon as nothing is
// left, and in time for t.Deadline. Zero means: look once. The last Wait given counts.
//
// Without Wait it is 1 s, and it ends early when what is left is blocked and has not changed for 100 ms. A timer may still
// end such a goroutine (a context with a timeout, a ticker): with Wait given, the check gives up early only on what no timer
// can end, such as a mutex or a response that was not closed.
func Wait(max time.Duration) Option {
	return func(c *config) {
		if max < 0 {
			c.wrong("leakcheck.Wait(%v): the wait is negative: use 0 to look once, or a time such as 2*time.Second", max)
			return
		}
		c.wait, c.waitSet = max, true
	}
}

// Goleak lets options of go.uber.org/goleak (IgnoreTopFunction, IgnoreAnyFunction, IgnoreCurrent) go on working: a
// goroutine that goleak would ignore with them is no leak here. goleak.Cleanup and goleak.RunOnFailure steer goleak's own
// TestMain and are an error here.
func Goleak(opts ...goleak.Option) Option {
	return func(c *config) {
		for i, o := range opts {
			if o == nil {
				c.wrong("leakcheck.Goleak: option %d is nil", i+1)
				return
			}
		}
		if err := misfit(opts); err != nil {
			c.errs = append(c.errs, err)
			return
		}
		c.goleak = append(c.goleak, opts...)
	}
}

// limit judges what was used of each pool.
type limit struct {
	name  string
	judge func(Usage) (Leak, bool)
}

// Limit judges, when the test has ended, what it used of each pool that a Metered probe counts, and fails it with the
// Leak returned when judge returns true. name is how messages call the limit. Budgets such as httpcheck.MaxLeased are made
// of it. A limit is on what one test uses: Main, Take and Check, which watch no single test, refuse it with an error.
func Limit(name string, judge func(Usage) (Leak, bool)) Option {
	return func(c *config) {
		if name == "" || judge == nil {
			c.wrong("leakcheck.Limit: needs a name and a function")
			return
		}
		c.limits = append(c.limits, limit{name, judge})
	}
}

// Fail makes an Option that is wrong: the test fails with the error. Packages that make options use it to report bad
// arguments where the test runs, instead of a panic where the option is made.
func Fail(err error) Option {
	return func(c *config) {
		if err == nil {
			err = errors.New("leakcheck.Fail: nil error")
		}
		c.errs = append(c.errs, err)
	}
}

// Join makes one option of several. Nil ones are left out.
func Join(opts ...Option) Option {
	return func(c *config) {
		for _, o := range opts {
			if o != nil {
				o(c)
			}
		}
	}
}
