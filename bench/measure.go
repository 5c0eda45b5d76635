package main

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"
)

// side is one of those that are compared.
type side struct {
	name string
	// run does n operations and says how long they took. An error says that a result was wrong: the time still counts.
	run func(n int) (time.Duration, error)
	// once: an operation is long, or has to be prepared, so that a sample is one of them.
	once bool
}

// loop makes a side of one operation.
func loop(name string, op func() error) side {
	return side{name: name, run: func(n int) (time.Duration, error) {
		var err error
		start := time.Now()
		for range n {
			if e := op(); e != nil {
				err = e
			}
		}
		return time.Since(start), err
	}}
}

// result is what was measured of one side.
type result struct {
	times  []float64 // nanoseconds for each operation, one for each round
	allocs float64   // allocations for each operation
	wrong  int       // rounds with a wrong result
	err    error     // the last of them
}

// plan says how much is measured.
type plan struct {
	rounds int           // at least so many
	time   time.Duration // and more, until they took so long,
	most   int           // but not more than this
	sample time.Duration // what short operations are repeated for
}

// measure runs the sides in turn, round after round (A B C, A B C, ...), so that what the machine does meanwhile hits
// all of them. Samples are short and many: on a machine that others use too, most of them then fit between two
// interruptions, and the median is one that was not interrupted. Each sample begins after a garbage collection, so that no
// side pays for another's garbage.
func measure(p plan, sides []side) []result {
	results := make([]result, len(sides))
	count := make([]int, len(sides))
	for i, s := range sides {
		count[i] = calibrate(p.sample, s)
	}
	start := time.Now()
	for round := 0; round < p.rounds || round < p.most && time.Since(start) < p.time; round++ {
		for i, s := range sides {
			runtime.GC()
			if !s.once {
				// Fills the caches that the collection emptied, and makes what the other sides' turns started old: a
				// side must not pay for that either.
				_, _ = s.run(1)
			}
			took, err := s.run(count[i])
			r := &results[i]
			r.times = append(r.times, float64(took.Nanoseconds())/float64(count[i]))
			if err != nil {
				r.wrong++
				r.err = err
			}
		}
	}
	return results
}

// calibrate warms a side up and gives how many operations fill a sample.
func calibrate(sample time.Duration, s side) int {
	if s.once {
		return 1
	}
	_, _ = s.run(1) // the first is not like the others
	for n := 1; ; n *= 2 {
		least := time.Duration(math.MaxInt64) // of three: an interruption must not pass for a slow operation
		for range 3 {
			took, _ := s.run(n)
			least = min(least, took)
			if least > 10*sample {
				break
			}
		}
		if least >= sample/2 || n >= 1<<20 {
			return max(1, int(float64(n)*float64(sample)/float64(max(least, 1))))
		}
	}
}

// countAllocs gives the allocations of one operation: the least of several tries, since others allocate too. It counts with one
// processor, as testing.AllocsPerRun does: what goroutines do to each other meanwhile differs from try to try otherwise.
func countAllocs(s side) float64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	took, _ := s.run(1)
	n := 1
	if !s.once {
		n = int(min(100, max(1, 20*time.Millisecond/max(took, 1))))
	}
	tries := 3
	if n == 1 && !s.once && took > 100*time.Millisecond {
		tries = 1 // so many that a few of others do not matter
	}
	least := -1.0
	for range tries {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = s.run(n)
		runtime.ReadMemStats(&after)
		if per := float64(after.Mallocs-before.Mallocs) / float64(n); least < 0 || per < least {
			least = per
		}
	}
	return least
}

// comparison is sides that do the same, the first of them ours, and the rows to print of them.
type comparison struct {
	name string // what -only selects by: "clean/idle/1000"
	what string // what a reader of the table sees
	// open makes the sides ready; done ends what it started. A side that is not compared here is left out.
	open   func() (sides []side, done func(), err error)
	goals  map[string]goal // on the time, by the peer's name; "" is the goal of ours alone
	allocs map[string]goal // the same on allocations; nil: they are not counted
	least  bool            // the rows tell the best sample too: what differs is small beside what the machine adds
}

var errNoSide = errors.New("nothing to compare on this system")

// absent says what a comparison needs and this machine does not have. It is told in its row, and is no failure.
type absent string

func (a absent) Error() string { return string(a) }

// rows measures the comparison.
func (c comparison) rows(p plan) ([]row, error) {
	sides, done, err := c.open()
	if a := absent(""); errors.As(err, &a) {
		nan := math.NaN()
		return []row{{what: c.what, ours: nan, spread: nan, note: "not compared: " + string(a)}}, nil
	}
	if err != nil {
		return nil, err
	}
	defer done()
	if len(sides) == 0 {
		return nil, errNoSide
	}
	results := measure(p, sides)
	if r := results[0]; r.wrong > 0 {
		err = fmt.Errorf("leakgate was wrong in %d of %d rounds: %w", r.wrong, len(r.times), r.err)
	}
	if c.allocs != nil {
		for i, s := range sides {
			if results[i].wrong == 0 {
				results[i].allocs = countAllocs(s)
			}
		}
	}
	return c.tell(sides, results), err
}

// tell makes the rows of what was measured.
func (c comparison) tell(sides []side, results []result) (rows []row) {
	ours := results[0]
	add := func(i int, u unit, g goal) {
		r := row{what: c.what, ours: median(ours.times), unit: u, goal: g, spread: spread(ours.times), note: results[i].note()}
		if i > 0 {
			r.peer, r.theirs = sides[i].name, median(results[i].times)
			r.spread = max(r.spread, spread(results[i].times))
			if c.least {
				r.best = fmt.Sprintf("at best %s and %s", u.text(slices.Min(ours.times)), u.text(slices.Min(results[i].times)))
			}
		}
		if u == allocations {
			r.what += ", allocations"
			r.ours, r.theirs, r.spread, r.best = ours.allocs, results[i].allocs, math.NaN(), ""
		}
		rows = append(rows, r)
	}
	if g, ok := c.goals[""]; ok {
		add(0, nanoseconds, g)
	}
	for i := 1; i < len(sides); i++ {
		add(i, nanoseconds, c.goals[sides[i].name])
	}
	for i := range sides {
		name := sides[i].name
		if i == 0 {
			name = ""
		}
		if g, ok := c.allocs[name]; ok && results[i].wrong == 0 {
			add(i, allocations, g)
		}
	}
	return rows
}

func (r result) note() string {
	if r.wrong == 0 {
		return ""
	}
	return fmt.Sprintf("wrong in %d of %d: %v", r.wrong, len(r.times), r.err)
}
