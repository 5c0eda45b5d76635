package leakcheck

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/leakgate/leakgate/fragment"
)

// Bounds of a Series.
const (
	maxPoints    = 600 // then each two become one, and samples are taken half as often
	maxSeriesBy  = 32  // pools of different names; what others lend is in otherPools
	otherPools   = "other pools"
	sparkColumns = 40
)

// Point is what the process held in one step of a Series. With Series.Points of a short series that is one moment; in a long one
// a step stands for several samples, and each number is the most of them.
type Point struct {
	At         time.Duration  // since the Series began
	Goroutines int            // those of timers of this package left out
	Sockets    int            // in any state; -1 when they cannot be listed
	States     map[string]int // sockets by state, "CLOSE_WAIT"; nil when there are none
	Leases     map[string]int // connections that tracked pools have lent out, by the pool's name; nil when there are none
	FDs        int            // open file descriptors; -1 when it is not known
	HeapInUse  int            // bytes; 0 when it is not known

	leases int // of all pools together at one moment
}

// Of gives the number of a metric; -1 when it is not known.
func (p Point) Of(m Metric) int {
	switch m {
	case Goroutines:
		return p.Goroutines
	case Sockets:
		return p.Sockets
	case FDs:
		return p.FDs
	case HeapInUse:
		return p.HeapInUse
	case metricLeases:
		return p.leases
	}
	if name := m.pool(); name != "" {
		return p.Leases[name]
	}
	state, ok := m.state()
	if !ok || p.Sockets < 0 {
		return -1
	}
	return p.States[state]
}

// newPoint makes a point of a sample. Pools that keep does not name are added up.
func newPoint(at time.Duration, s fragment.Sample, keep func(pool string) bool) Point {
	p := Point{At: at, Goroutines: s.Goroutines, Sockets: s.Sockets, States: s.States, FDs: s.FDs, HeapInUse: int(s.HeapInUse)}
	for name, n := range s.Leased {
		if p.Leases == nil {
			p.Leases = make(map[string]int, len(s.Leased))
		}
		if !keep(name) {
			name = otherPools
		}
		p.Leases[name] += n
		p.leases += n
	}
	return p
}

// clone gives a point that shares nothing with this one.
func (p Point) clone() Point {
	p.States, p.Leases = maps.Clone(p.States), maps.Clone(p.Leases)
	return p
}

// join gives the most of both; the time is the first one's.
func (p Point) join(q Point) Point {
	p.Goroutines, p.Sockets = max(p.Goroutines, q.Goroutines), max(p.Sockets, q.Sockets)
	p.FDs, p.HeapInUse, p.leases = max(p.FDs, q.FDs), max(p.HeapInUse, q.HeapInUse), max(p.leases, q.leases)
	p.States, p.Leases = most(p.States, q.States), most(p.Leases, q.Leases)
	return p
}

func most(a, b map[string]int) map[string]int {
	if len(a) == 0 && len(b) == 0 {
		return nil
	}
	out := maps.Clone(a)
	if out == nil {
		out = make(map[string]int, len(b))
	}
	for k, n := range b {
		out[k] = max(out[k], n)
	}
	return out
}

// course is what all samples of one metric come to.
type course struct {
	min, max int
	sum      float64
	n        int
}

// Series is what Sample records. Its methods may be called from any goroutine, while it runs and after.
type Series struct {
	t     TB     // nil when there is no test to fail
	w     *watch // what it reports by
	began time.Time

	run sync.Mutex // held while a sample is taken and told, so that Stop waits for it

	mu       sync.Mutex
	points   []Point
	samples  int
	courses  map[Metric]*course
	pools    map[string]bool // that are told apart
	ceilings []Ceiling       // not passed yet
	timer    *time.Timer     // nil when no samples are taken between the first and the last
	pause    time.Duration
	stopped  bool
	took     time.Duration
}

// Points gives what was recorded, oldest first, at most 600 points.
func (s *Series) Points() []Point {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Point, len(s.points))
	for i, p := range s.points {
		out[i] = p.clone()
	}
	return out
}

// Peak is the highest number of the metric in any sample, also of those that Points does not show one by one; 0 when there was
// none of it, and -1 when it is not known on this system. A benchmark can report it:
//
//	b.ReportMetric(float64(series.Peak(leakcheck.Sockets)), "sockets-peak")
//
// What came and went between two samples is in no Series. Of leases, HighWater and the budgets of packages httpcheck and dbcheck
// count every one.
func (s *Series) Peak(m Metric) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.courses[m]; c != nil {
		return c.max
	}
	if len(s.points) > 0 {
		return s.points[0].Of(m)
	}
	return -1
}

// add takes a sample in, and gives the ceilings that it passes. s.mu is locked.
func (s *Series) add(p Point) (passed []Ceiling) {
	if len(s.points) == maxPoints {
		half := s.points[:0]
		for i := 0; i+1 < maxPoints; i += 2 {
			half = append(half, s.points[i].join(s.points[i+1]))
		}
		clear(s.points[len(half):])
		s.points, s.pause = half, 2*s.pause
	}
	s.points = append(s.points, p)
	s.count(p)
	left := s.ceilings[:0]
	for _, c := range s.ceilings {
		if p.Of(c.metric) > c.most {
			passed = append(passed, c)
		} else {
			left = append(left, c)
		}
	}
	s.ceilings = left
	return passed
}

// count takes a sample into what all of them come to. s.mu is locked.
func (s *Series) count(p Point) {
	for _, m := range []Metric{Goroutines, Sockets, FDs, HeapInUse, metricLeases} {
		s.course(m)
	}
	for state := range p.States {
		s.course(SocketsIn(state))
	}
	for name := range p.Leases {
		s.course(Leases(name))
	}
	for m, c := range s.courses {
		n := p.Of(m)
		if c.n == 0 {
			c.min, c.max = n, n
		}
		c.min, c.max = min(c.min, n), max(c.max, n)
		c.sum += float64(n)
		c.n++
	}
	s.samples++
}

// course gives what is known of a metric, of which there was none before when it is new. s.mu is locked.
func (s *Series) course(m Metric) *course {
	c := s.courses[m]
	if c == nil {
		c = &course{n: s.samples}
		s.courses[m] = c
	}
	return c
}

// keeps says whether the leases of a pool are told apart from those of others. s.mu is locked.
func (s *Series) keeps(pool string) bool {
	if !s.pools[pool] {
		if len(s.pools) >= maxSeriesBy {
			return false
		}
		s.pools[pool] = true
	}
	return true
}

// order puts metrics in the order in which they are shown.
func order(m Metric) string {
	rank := "6"
	switch {
	case m == metricLeases:
		rank = "1"
	case m.pool() != "":
		rank = "2"
	case m == Sockets:
		rank = "3"
	case m == FDs:
		rank = "5"
	case m == Goroutines:
		rank = "6"
	case m == HeapInUse:
		rank = "7"
	default:
		rank = "4"
	}
	return rank + string(m)
}

// String is a table of what has changed: the least, the mean and the most of each metric, and how it went, with one line of
// what stayed the same. Numbers are of all samples.
func (s *Series) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	metrics := slices.SortedFunc(maps.Keys(s.courses), func(a, b Metric) int { return strings.Compare(order(a), order(b)) })
	if len(s.pools) <= 1 { // the pool's row says the same
		metrics = slices.DeleteFunc(metrics, func(m Metric) bool { return m == metricLeases })
	}
	var still, unknown []string
	table := [][]string{{"", "least", "mean", "most"}}
	for _, m := range metrics {
		switch c := s.courses[m]; {
		case c.max < 0:
			unknown = append(unknown, string(m))
		case c.min == c.max:
			still = append(still, m.count(c.max))
		default:
			mean := c.sum / float64(c.n)
			text := m.value(int(mean + 0.5))
			if m != HeapInUse && mean < 100 {
				text = fmt.Sprintf("%.1f", mean)
			}
			table = append(table, []string{string(m), m.value(c.min), text, m.value(c.max), s.spark(m)})
		}
	}
	var b strings.Builder
	if len(table) > 1 {
		columns(&b, table)
	}
	if len(still) > 0 {
		fmt.Fprintf(&b, "unchanged: %s\n", strings.Join(still, ", "))
	}
	if len(unknown) > 0 {
		fmt.Fprintf(&b, "not known on this system: %s\n", strings.Join(unknown, ", "))
	}
	fmt.Fprintf(&b, "%s in %v", many(s.samples, "sample"), s.span())
	return b.String()
}

// columns writes rows of at most five cells: a name, three numbers, and a sparkline.
func columns(b *strings.Builder, rows [][]string) {
	var width [4]int
	for _, row := range rows {
		for i, cell := range row[:4] {
			width[i] = max(width[i], len(cell))
		}
	}
	for _, row := range rows {
		fmt.Fprintf(b, "%-*s  %*s  %*s  %*s", width[0], row[0], width[1], row[1], width[2], row[2], width[3], row[3])
		if len(row) > 4 {
			b.WriteString("  " + row[4])
		}
		b.WriteByte('\n')
	}
}

// span is how long the series is. s.mu is locked.
func (s *Series) span() time.Duration {
	took := s.took
	if n := len(s.points); n > 0 && !s.stopped {
		took = s.points[n-1].At
	}
	return roundTo3(took)
}

// roundTo3 gives about three digits of a duration.
func roundTo3(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d/unit >= 1000 && unit < time.Minute {
		unit *= 10
	}
	return d.Round(unit)
}

// bars are the eight heights of a sparkline.
var bars = []rune("▁▂▃▄▅▆▇█")

// spark draws a metric over time in at most 40 columns, each as high as the most in it, between 0 and the highest. s.mu is
// locked.
func (s *Series) spark(m Metric) string {
	n := min(len(s.points), sparkColumns)
	values := make([]int, n)
	top := 0
	for i := range values {
		for _, p := range s.points[i*len(s.points)/n : (i+1)*len(s.points)/n] {
			values[i] = max(values[i], p.Of(m))
		}
		top = max(top, values[i])
	}
	out := make([]rune, n)
	for i, v := range values {
		out[i] = bars[0]
		if top > 0 {
			out[i] = bars[(v*(len(bars)-1)+top/2)/top]
		}
	}
	return string(out)
}
