// Package growth says of a series of counts, one after each run of the same thing, whether it has an end: whether each run
// leaves something, or what is left was left once.
//
// It uses the standard library alone and knows nothing of what is counted.
package growth

import "slices"

// Verdict is what a series comes to.
type Verdict int

// The verdicts.
const (
	Steady    Verdict = iota // it did not change
	Returns                  // it went up and came back
	Shrinks                  // it ends below where it began
	OneTime                  // it rose and then stayed: a cache, a pool that has filled
	Slows                    // it rises less and less: a pool that fills up to its limit
	Undecided                // it rose, and there are too few runs to say whether it goes on
	Grows                    // it goes on
)

// String names the verdict.
func (v Verdict) String() string {
	return [...]string{"steady", "returns", "shrinks", "one-time", "slows", "undecided", "grows"}[v]
}

// What it takes.
const (
	Least    = 3 // fewer runs say nothing
	fewRuns  = 7 // with fewer than this every run must have left something
	sparse   = 3 // as many rises are enough where they are evenly spread over the runs,
	uneven   = 5 // and as many where they are not
	ofChance = 10
	settled  = 2 // runs without a rise after which one rise is over
)

// Judge says what the counts come to. counts[0] is what there was before the first run, counts[i] what there was after run i.
//
// A rise is one that lasts: where the counts never come back below it. What counts is how many runs have left something, and
// how those are spread; not how much, so that one run that fills a cache does not hide a leak of one in each.
func Judge(counts []int) Verdict {
	k := len(counts) - 1
	if k < 1 {
		return Steady
	}
	first, last := counts[0], counts[k]
	switch {
	case slices.Min(counts) == slices.Max(counts):
		return Steady
	case last < first:
		return Shrinks
	case last == first:
		return Returns
	}
	s := measure(counts)
	if s.total <= s.fall { // it has come back from as high as this before
		return Returns
	}
	if len(s.rises) > 0 && s.rises[0] > s.fell && s.total <= 2*s.fall { // and this may be the same way up again
		return Undecided
	}
	if len(s.rises) == 0 || k < Least {
		return Undecided
	}
	tail := k - s.rises[len(s.rises)-1]
	widest, narrowest, mean := s.gaps()
	over := tail >= settled && tail >= 2*widest
	r := len(s.rises)
	switch {
	case k < fewRuns:
		if r < k {
			return orOver(over)
		}
	case r < sparse, tail >= widest && tail > 0, r < ofChance && float64(tail) > mean:
		return orOver(over)
	case r < uneven && (widest > 2*narrowest || s.rises[0] > 2*widest):
		return Undecided
	}
	if s.slows() {
		return Slows
	}
	return Grows
}

func orOver(over bool) Verdict {
	if over {
		return OneTime
	}
	return Undecided
}

// Clear says, of a series that is to have n runs and has fewer, whether the rest could not change the verdict: whether it
// grows, and has for longer than a cache of five takes to fill and to be seen full; or nothing that the rest may bring could
// make it grow.
func Clear(counts []int, n int) bool {
	k := len(counts) - 1
	switch {
	case k >= n:
		return true
	case k < Least:
		return false
	case k >= fewRuns && rises(counts) >= fewRuns && Judge(counts) == Grows:
		return true
	}
	return !mayGrow(counts, n)
}

// mayGrow says whether there is a rest that makes the series one that grows.
func mayGrow(counts []int, n int) bool {
	k := len(counts) - 1
	rest := n - k
	if rest >= uneven {
		return true
	}
	over := slices.Max(counts) - slices.Min(counts) // what a fall has to be outdone by
	for _, step := range []int{1, 2*over + 1} {
		for which := range 1 << rest { // of the runs that are left, those that leave something
			whole := slices.Clone(counts)
			for i := range rest {
				next := whole[len(whole)-1]
				if which>>i&1 == 1 {
					next += step
				}
				whole = append(whole, next)
			}
			if Judge(whole) == Grows {
				return true
			}
		}
	}
	return false
}

// Climbs says whether each run has left something, in Least runs or more, until there was no more to leave: whether the counts
// rise from the first run on and stay where they stop. It tells a leak that has taken all there is from one that ended by
// itself only where it is known that there is no more.
func Climbs(counts []int) bool {
	rising := true
	runs := 0
	for i := 1; i < len(counts); i++ {
		switch rise := counts[i] - counts[i-1]; {
		case rise < 0, rise > 0 && !rising:
			return false
		case rise > 0:
			runs++
		default:
			rising = false
		}
	}
	return runs >= Least
}

func rises(counts []int) int { return len(measure(counts).rises) }

// measured is a series, taken apart.
type measured struct {
	rises []int // runs after which it was higher for good
	by    []int // by how much each run has raised it for good
	total int   // how much higher it ends than it ever was
	fall  int   // the deepest fall from any height
	fell  int   // the last run after which it was lower than before; 0 for none
}

func measure(counts []int) measured {
	k := len(counts) - 1
	floor := slices.Clone(counts)
	for i := k - 1; i >= 0; i-- {
		floor[i] = min(floor[i], floor[i+1])
	}
	m := measured{total: floor[k] - floor[0], by: make([]int, k)}
	top := counts[0]
	for i := 1; i <= k; i++ {
		m.by[i-1] = floor[i] - floor[i-1]
		if floor[i] > floor[i-1] {
			m.rises = append(m.rises, i)
		}
		m.fall = max(m.fall, top-counts[i])
		if counts[i] < counts[i-1] {
			m.fell = i
		}
		top = max(top, counts[i])
	}
	return m
}

// gaps gives the number of runs from a rise to the next: the most, the fewest, and the mean. With one rise they are 1.
func (m measured) gaps() (widest, narrowest int, mean float64) {
	n := len(m.rises)
	if n < 2 {
		return 1, 1, 1
	}
	widest, narrowest = 0, m.rises[n-1]
	for i := 1; i < n; i++ {
		gap := m.rises[i] - m.rises[i-1]
		widest, narrowest = max(widest, gap), min(narrowest, gap)
	}
	return widest, narrowest, float64(m.rises[n-1]-m.rises[0]) / float64(n-1)
}

// slows says whether each third of the runs has left clearly less than the one before.
func (m measured) slows() bool {
	k := len(m.by)
	a, b := k/3, 2*k/3
	if a == 0 {
		return false
	}
	first, second, third := rate(m.by[:a]), rate(m.by[a:b]), rate(m.by[b:])
	return third <= second*2/3 && second <= first*3/4
}

func rate(by []int) float64 {
	sum := 0
	for _, n := range by {
		sum += n
	}
	return float64(sum) / float64(len(by))
}

// mostPoints bounds what Slope looks at.
const mostPoints = 200

// Slope is how many more there are after each run, from where it began to rise: the median of the slopes between any two
// points, which a single step does not move. It is 0 where nothing rose for good.
func Slope(counts []int) float64 {
	m := measure(counts)
	if len(m.rises) == 0 {
		return 0
	}
	from := counts[m.rises[0]-1:]
	step := (len(from) + mostPoints - 1) / mostPoints
	var slopes []float64
	for i := 0; i < len(from); i += step {
		for j := i + step; j < len(from); j += step {
			slopes = append(slopes, float64(from[j]-from[i])/float64(j-i))
		}
	}
	if len(slopes) == 0 {
		return float64(from[len(from)-1] - from[0])
	}
	slices.Sort(slopes)
	return (slopes[(len(slopes)-1)/2] + slopes[len(slopes)/2]) / 2
}
