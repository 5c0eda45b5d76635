package leakcheck

import (
	"slices"

	"github.com/leakgate/leakgate/internal/report"
)

// Followed is the check that a Follow option takes part in.
type Followed struct {
	Test   TestID  // tells its leases and labels from those of other tests
	T      TB      // nil for Main, Take and Check
	Probes []Probe // those given with With and Instead
	Only   bool    // nothing but Probes is looked at (Instead)
	Bubble bool    // the check runs in a testing/synctest bubble, where a timer that starts again never lets time end
}

type follower struct {
	name  string
	begin func(Followed) (func() []Leak, error)
}

type ending struct {
	name string
	end  func() []Leak
	own  func() []report.Leak // in place of end, for what this package follows
}

// Follow lets a package follow a test from its beginning to its end, for what cannot be told from a look before and one
// after. begin is called when the check begins; an error of it fails the test. The function it returns is called once, when
// the test has ended, and each Leak that it gives fails the test; after a test that failed by itself they are dropped. It may be nil.
func Follow(name string, begin func(Followed) (end func() []Leak, err error)) Option {
	return func(c *config) {
		if name == "" || begin == nil {
			c.wrong("leakcheck.Follow: needs a name and a function")
			return
		}
		c.follow = append(c.follow, follower{name, begin})
	}
}

func (w *watch) startFollowers() {
	if len(w.cfg.follow) == 0 {
		return
	}
	in := Followed{Test: TestID(w.id), T: w.t, Only: w.cfg.instead, Bubble: goroutines.me().Bubble != 0}
	for _, ps := range w.probes {
		in.Probes = append(in.Probes, ps.probe)
	}
	for _, f := range w.cfg.follow {
		of := in
		of.Probes = slices.Clone(in.Probes)
		end, err := f.begin(of)
		if err != nil {
			w.cfg.errs = append(w.cfg.errs, err)
		}
		if end != nil {
			w.ends = append(w.ends, ending{name: f.name, end: end})
		}
	}
}

// endFollowers ends what follows the test, the first time that it is called, and gives what that found.
func (w *watch) endFollowers() (leaks []report.Leak) {
	ends := w.ends
	w.ends = nil
	for _, e := range ends {
		if e.own != nil {
			leaks = append(leaks, e.own()...)
			continue
		}
		for _, l := range e.end() {
			r := w.limitLeak(e.name, Usage{}, l)
			if !l.Example {
				r.Role = "at"
			}
			if l.Code == codeExhausted {
				r.HoldsAs = "held then"
			}
			r.Unknown = "" // why there is no line only the package that follows knows
			leaks = append(leaks, r)
		}
	}
	return leaks
}
