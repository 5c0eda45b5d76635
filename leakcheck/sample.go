package leakcheck

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/internal/roundtrip"
)

// leastEvery is how often a Series looks at most.
const leastEvery = time.Millisecond

// Sample records what the process holds from now on, until the end of t: goroutines, sockets by state, leases of tracked
// pools, file descriptors, and the heap in use. It takes one sample at once, one each time that every has passed, and one at the
// end. With ceilings the test fails as soon as a sample is above one, once for each, and says what is held at that moment and
// where it was taken:
//
//	series := leakcheck.Sample(t, 10*time.Millisecond, leakcheck.AtMost(leakcheck.CloseWait, 5))
//	...
//	t.Log(series)
//
// every is at least a millisecond, and what is less is taken for that. A sample took 20 µs where
// there were few sockets, and 1.5 ms with a thousand (BenchmarkMeasure, Linux, two cores). Where it takes longer than a tenth of
// every, samples are taken less often. Memory is bounded: after 600 points each two become one, and samples are taken half as often. With LEAKGATE_REPORT the samples are in the report and its plots.
//
// It counts all of the process: what parallel tests hold too, and servers that run in the test. It is for tests,
// benchmarks and soak tests. The Series ends in t's cleanup, or with Stop, which a t without a Cleanup method needs. In a synctest
// bubble, where a timer that begins anew would never let time stand still, it takes the first and the last sample alone.
//
// What is wrong with the arguments fails the test. Without a t nothing can be failed: it is said on standard error, and fails the
// run where there is a Main.
func Sample(t TB, every time.Duration, ceilings ...Ceiling) *Series {
	s := &Series{began: time.Now(), courses: make(map[Metric]*course), pools: make(map[string]bool)}
	if isNil(t) {
		s.stopped = true
		refuse("leakcheck.Sample: t is nil: pass the *testing.T or *testing.B of the test that is to be sampled")
		return s
	}
	t.Helper()
	s.t = t
	s.w = sampleWatch(t)
	var wrong []error
	if every <= 0 {
		wrong = append(wrong, fmt.Errorf("leakcheck.Sample(t, %v): the interval must be above 0, as in Sample(t, 10*time.Millisecond)", every))
	}
	for _, c := range ceilings {
		if err := c.check(); err != nil {
			wrong = append(wrong, err)
			continue
		}
		s.ceilings = append(s.ceilings, c)
		if name := c.metric.pool(); name != "" {
			s.pools[name] = true
		}
	}
	for _, err := range wrong {
		s.w.failsByItself()
		failWith(t, "%v", err)
	}
	lease.Live.Watch(s.w.id) // leases are taken as long as somebody watches
	roundtrip.CoverDefault()
	s.pause = max(every, leastEvery)
	s.take()
	s.unjudged()
	if c, ok := t.(interface{ Cleanup(func()) }); ok {
		c.Cleanup(s.Stop)
	}
	switch {
	case every <= 0:
	case goroutines.me().Bubble != 0:
		t.Logf("leakcheck: Sample takes the first and the last sample alone in a synctest bubble")
	default:
		s.mu.Lock()
		s.timer = time.AfterFunc(s.pause, s.tick)
		s.mu.Unlock()
	}
	return s
}

// Stop takes the last sample and ends the Series. It does nothing the second time, and nothing to a Series that Sample did not make.
func (s *Series) Stop() {
	if s.t == nil {
		return
	}
	s.t.Helper()
	s.run.Lock()
	defer s.run.Unlock()
	s.mu.Lock()
	over := s.stopped
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	if over {
		return
	}
	s.sample()
	s.mu.Lock()
	s.stopped = true
	if n := len(s.points); n > 0 {
		s.took = s.points[n-1].At
	}
	s.mu.Unlock()
	lease.Live.Unwatch(s.w.id)
	s.untouched()
}

// tick takes a sample, and lets the timer begin anew. goroutine.Classify knows it by its name: nobody waits between two.
func (s *Series) tick() {
	ticking.Add(1)
	defer ticking.Add(-1)
	s.run.Lock()
	defer s.run.Unlock()
	s.mu.Lock()
	over := s.stopped
	s.mu.Unlock()
	if over {
		return
	}
	began := time.Now()
	defer func() {
		took := time.Since(began)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.timer.Reset(max(s.pause-took, 9*took))
	}()
	s.sample()
}

// take is sample for the test's own goroutine, before there is a timer.
func (s *Series) take() {
	s.t.Helper()
	s.run.Lock()
	defer s.run.Unlock()
	s.sample()
}

// sample takes a sample, and fails the test for the ceilings that it passes. s.run is locked.
func (s *Series) sample() {
	s.t.Helper()
	m := measure(math.MaxInt)
	s.mu.Lock()
	p := newPoint(time.Since(s.began), m, s.keeps)
	passed := s.add(p)
	s.mu.Unlock()
	recording().add(m)
	for _, c := range passed {
		s.fail(c, p)
	}
}

// fail fails the test for a ceiling that a point passes. It may run on the timer's goroutine, where a panic would end the process.
func (s *Series) fail(c Ceiling, p Point) {
	s.t.Helper()
	defer func() {
		if r := recover(); r != nil {
			refuse(fmt.Sprintf("leakcheck: %s: %s passed it, and the test could not be told: %v", s.t.Name(), c.metric.count(p.Of(c.metric)), r))
		}
	}()
	s.w.passed(s.entry(c, p))
}

// unjudged says which ceilings are on what is not known here.
func (s *Series) unjudged() {
	s.t.Helper()
	s.mu.Lock()
	var out []Ceiling
	for _, c := range s.ceilings {
		if s.points[0].Of(c.metric) < 0 {
			out = append(out, c)
		}
	}
	s.mu.Unlock()
	for _, c := range out {
		s.t.Logf("leakcheck: %s is not judged: %s cannot be counted on this system", c, c.metric)
	}
}

// untouched says which ceilings are on pools that were never seen: their names may be wrong.
func (s *Series) untouched() {
	s.t.Helper()
	s.mu.Lock()
	var never []Ceiling
	var seen []string
	for _, c := range s.ceilings {
		if name := c.metric.pool(); name != "" && s.courses[c.metric] == nil {
			never = append(never, c)
		}
	}
	for m := range s.courses {
		if name := m.pool(); name != "" {
			seen = append(seen, fmt.Sprintf("%q", name))
		}
	}
	s.mu.Unlock()
	slices.Sort(seen)
	for _, c := range never {
		s.t.Logf("leakcheck: %s was never judged: no pool of that name has lent anything out; %s", c, listOr(seen, "nor has any other"))
	}
}

func listOr(names []string, none string) string {
	switch len(names) {
	case 0:
		return none
	case 1:
		return "there is " + names[0]
	}
	out := "there are "
	for i, n := range names {
		switch {
		case i == len(names)-1:
			out += " and "
		case i > 0:
			out += ", "
		}
		out += n
	}
	return out
}
