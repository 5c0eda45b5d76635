package growth

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// series makes counts of what each run adds, from 0 on.
func series(by ...int) []int {
	out := []int{0}
	for _, n := range by {
		out = append(out, out[len(out)-1]+n)
	}
	return out
}

// every leaves one in each period-th run, the first of them in run phase (from 1).
func every(period, phase, runs int) []int {
	out := []int{0}
	for i := 1; i <= runs; i++ {
		n := out[i-1]
		if i >= phase && (i-phase)%period == 0 {
			n++
		}
		out = append(out, n)
	}
	return out
}

// TestShapes says what each way to grow comes to.
func TestShapes(t *testing.T) {
	for _, c := range []struct {
		shape  string
		counts []int
		want   Verdict
		slope  float64
	}{
		{"nothing", []int{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, Steady, 0},
		{"a constant offset", []int{7, 7, 7, 7}, Steady, 0},
		{"one in each of ten runs", every(1, 1, 10), Grows, 1},
		{"one in each of three runs: nobody asked for more", every(1, 1, 3), Grows, 1},
		{"two of three", []int{0, 1, 1, 2}, Undecided, 0.5},
		{"one of three", []int{0, 0, 0, 1}, Undecided, 1},
		{"five in each of five", series(5, 5, 5, 5, 5), Grows, 5},
		{"a cache that fills for five and stops", series(1, 1, 1, 1, 1, 0, 0, 0, 0, 0), OneTime, 0.5},
		{"the same, seen for two runs more", series(1, 1, 1, 1, 1, 0, 0), OneTime, 0.75},
		{"the same, seen for one run more", series(1, 1, 1, 1, 1, 0), Undecided, 5. / 6},
		{"a cache of five, of which the warm-up has filled one", series(1, 1, 1, 1, 0, 0, 0, 0, 0, 0), OneTime, 0.4},
		{"one in every second run, which has missed its turn", series(0, 1, 0, 1, 0, 1, 0, 0), Undecided, 0.5},
		{"five, and one more after a pause that may have begun again", series(1, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 0), Undecided, 0.5},
		{"a step once", series(0, 0, 0, 1, 0, 0, 0, 0, 0, 0), OneTime, 0},
		{"a step in the last run", series(0, 0, 0, 0, 0, 0, 0, 0, 0, 1), Undecided, 1},
		{"a step of a thousand in the first", series(1000, 0, 0, 0, 0, 0, 0), OneTime, 0},
		{"a cache that fills in one run, and a leak of one", series(40, 1, 1, 1, 1, 1, 1, 1, 1, 1), Grows, 1},
		{"every second run", every(2, 2, 10), Grows, 0.5},
		{"every second, from the first on", every(2, 1, 10), Grows, 0.5},
		{"every third run", every(3, 3, 10), Grows, 1. / 3},
		{"one in ten of thirty", every(10, 10, 30), Grows, 0.1},
		{"one in ten of ten", every(10, 5, 10), OneTime, 0},
		{"bursts", series(0, 0, 3, 0, 0, 3, 0, 0, 3, 0, 0, 3), Grows, 1},
		{"a leak below what comes and goes", []int{0, 5, 1, 6, 2, 7, 3, 8, 4, 9, 5, 10, 6}, Grows, 0.5},
		{"a saw-tooth", []int{0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0}, Returns, 0},
		{"a saw-tooth, seen at its top", []int{0, 1, 2, 3, 4, 0, 1, 2, 3, 4}, Returns, 1},
		{"a saw-tooth, seen at a new top", []int{0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5}, Undecided, 1},
		{"alternating", []int{0, 1, 0, 1, 0, 1, 0, 1, 0, 1}, Returns, 1},
		{"noise", []int{0, 2, 1, 0, 2, 0, 1, 1, 0, 2, 1}, Returns, 0},
		{"a late start: from run 6 on", series(0, 0, 0, 0, 0, 1, 1, 1, 1, 1), Grows, 1},
		{"too late to tell", series(0, 0, 0, 0, 0, 0, 0, 1, 1, 1), Undecided, 1},
		{"a pool that fills up to its limit of ten", []int{0, 5, 7, 8, 9, 9, 10, 10, 10, 10, 10}, OneTime, 0},
		{"the same, seen before it is full", []int{0, 40, 64, 78, 87, 92, 95, 97, 98, 99, 100}, Slows, 0},
		{"and in three runs", []int{0, 4, 6, 7}, Slows, 0},
		{"shrinking", []int{9, 8, 7, 6, 5, 4, 3, 2}, Shrinks, 0},
		{"shrinks, and grows back", []int{9, 0, 3, 6, 9}, Returns, 3},
		{"quadratic", series(1, 2, 3, 4, 5, 6, 7, 8), Grows, 4.5},
		{"no run", []int{3}, Steady, 0},
		{"nothing at all", nil, Steady, 0},
	} {
		t.Run(c.shape, func(t *testing.T) {
			assert.Equal(t, c.want.String(), Judge(c.counts).String(), "%v", c.counts)
			if c.want == Grows {
				assert.InDelta(t, c.slope, Slope(c.counts), 0.08, "%v", c.counts)
			}
		})
	}
}

// TestPeriods: a leak in every so manieth run is found, wherever it begins, when three of them were seen.
func TestPeriods(t *testing.T) {
	for runs := fewRuns; runs <= 60; runs++ {
		for period := 1; period <= runs; period++ {
			for phase := 1; phase <= period; phase++ {
				c := every(period, phase, runs)
				if c[runs] >= sparse {
					require.Equal(t, Grows.String(), Judge(c).String(), "period %d from %d in %d runs", period, phase, runs)
				}
			}
		}
	}
}

// TestCaches: what fills for up to five runs, each by as much as it likes, is no leak, when two runs more are seen, and is never
// taken for one before the last run.
func TestCaches(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		n, fills := 7+r.IntN(20), 1+r.IntN(5)
		c := []int{r.IntN(10)}
		for i := range n {
			by := 0
			if i < fills {
				by = 1 + r.IntN(20)
			}
			c = append(c, c[i]+by)
		}
		require.Equal(t, OneTime.String(), Judge(c).String(), "%v", c)
		for k := 1; k < n; k++ {
			require.False(t, Clear(c[:k+1], n) && Judge(c[:k+1]) == Grows, "%v is clear after %d", c, k)
		}
	}
}

// TestClear: it stops early both ways, and what comes could not have changed it.
func TestClear(t *testing.T) {
	first := func(whole []int) int {
		for k := 1; k < len(whole); k++ {
			if Clear(whole[:k+1], len(whole)-1) {
				return k
			}
		}
		return -1
	}
	for _, c := range []struct {
		what  string
		whole []int
		after int
	}{
		{"a leak of one in each of ten", every(1, 1, 10), 7},
		{"in each of a thousand", every(1, 1, 1000), 7},
		{"in each of five: the user chose five", every(1, 1, 5), 5},
		{"in each of three", every(1, 1, 3), 3},
		{"every second of thirty", every(2, 2, 30), 14},
		{"nothing in ten: three rises could not come any more", make([]int, 11), 8},
		{"nothing in five", make([]int, 6), 3},
		{"nothing in three", make([]int, 4), 3},
		{"nothing in a hundred: a late start needs five", make([]int, 101), 98},
	} {
		assert.LessOrEqual(t, first(c.whole), c.after, c.what)
		assert.Greater(t, first(c.whole), 2, c.what)
	}
}

// TestClearIsRight: when it is clear that nothing grows, no rest makes it grow.
func TestClearIsRight(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	clear := 0
	for range 20000 {
		n := Least + r.IntN(25)
		c := []int{0}
		sort, period := r.IntN(4), 1+r.IntN(6)
		for i := range n {
			by := 0
			switch {
			case sort == 0:
				by = r.IntN(2)
			case sort == 1:
				by = r.IntN(5) - 1
			case i%period == 0:
				by = 1 + r.IntN(sort)
			}
			c = append(c, c[i]+by)
		}
		for k := Least; k < n; k++ {
			if Clear(c[:k+1], n) && Judge(c[:k+1]) != Grows {
				clear++
				require.NotEqual(t, Grows.String(), Judge(c).String(), "%v is clear after %d", c, k)
			}
		}
	}
	assert.Greater(t, clear, 1000, "it was seen")
}

// FuzzJudge: what must hold of any series.
func FuzzJudge(f *testing.F) {
	for _, seed := range [][]byte{{1, 1, 1}, {1, 0, 1, 0, 1, 0, 1}, {5, 251, 5, 251, 6}, {0, 0, 0, 0, 0, 1, 1, 1, 1, 1}, {9, 4, 2, 1, 1, 1, 0}, {}} {
		f.Add(seed)
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		seed := make([]byte, r.IntN(30))
		for i := range seed {
			seed[i] = byte(r.IntN(7) - 3)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, steps []byte) {
		if len(steps) > 200 {
			return
		}
		by := make([]int, len(steps))
		for i, b := range steps {
			by[i] = int(int8(b))
		}
		c := series(by...)
		before := slices.Clone(c)
		v := Judge(c)
		_, _ = Slope(c), Pace(c)
		_ = Series(c)
		require.Equal(t, before, c, "it is left as it was")
		assert.Equal(t, v == Shrinks, c[len(c)-1] < c[0])

		for _, offset := range []int{-1000, 1, 1 << 30} {
			moved := slices.Clone(c)
			for i := range moved {
				moved[i] += offset
			}
			require.Equal(t, v, Judge(moved), "an offset of %d changes %v", offset, c)
			require.InDelta(t, Slope(c), Slope(moved), 1e-6)
		}
		if v != Grows {
			return
		}
		assert.Greater(t, c[len(c)-1], c[0])
		twice := Judge(series(append(slices.Clone(by), by...)...))
		require.NotContains(t, []Verdict{Steady, Returns, Shrinks, OneTime}, twice, "the same again, and it is %v: %v", twice, c)
		onward := slices.Clone(c)
		for range len(by) {
			onward = append(onward, onward[len(onward)-1]+max(1, slices.Max(by)))
			require.NotContains(t, []Verdict{Steady, Returns, Shrinks, OneTime}, Judge(onward), "more of it in each run, and it is no leak: %v", onward)
		}
		require.Equal(t, Grows.String(), Judge(onward).String(), "%v", onward)
	})
}

// TestWords says how growth is told.
func TestWords(t *testing.T) {
	for _, c := range []struct {
		counts       []int
		pace, series string
	}{
		{every(1, 1, 10), "1 more after each of 10 runs", "0 before, and after each run: 1 2 3 4 5 6 7 8 9 10  ▁▂▃▃▄▅▅▆▇█"},
		{every(1, 1, 3), "1 more after each of 3 runs", "0 before, and after each run: 1 2 3  ▃▅█"},
		{[]int{4, 7, 10, 13}, "3 more after each of 3 runs", "4 before, and after each run: 7 10 13  ▃▅█"},
		{series(0, 0, 0, 0, 0, 1, 1, 1, 1, 1), "1 more after each of the last 5 of 10 runs", "0 before, and after each run: 0 0 0 0 0 1 2 3 4 5  ▁▁▁▁▁▂▃▅▆█"},
		{every(3, 3, 10), "3 more after 10 runs: 3 of them left something", "0 before, and after each run: 0 0 1 1 1 2 2 2 3 3  ▁▁▃▃▃▅▅▅██"},
		{series(2, 3, 2, 3, 2, 3, 2, 3), "20 more after 8 runs, about 2.5 after each", "0 before, and after each run: 2 5 7 10 12 15 17 20  ▁▂▃▄▅▆▆█"},
		{every(1, 1, 40), "1 more after each of 40 runs", "0 before, and after every 2 runs: 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30 32 34 36 38 40  ▁▁▂▂▂▃▃▃▄▄▄▅▅▅▆▆▆▇▇█"},
		{make([]int, 4), "no more than before", "0 before, and after each run: 0 0 0  ▁▁▁"},
	} {
		assert.Equal(t, c.pace, Pace(c.counts))
		assert.Equal(t, c.series, Series(c.counts))
	}
	assert.Equal(t, []int{7, 0, -1, 4, -1}, []int{
		RunsUntil(3, 10, 1), RunsUntil(10, 10, 1), RunsUntil(3, 10, 0), RunsUntil(0, 10, 2.5), RunsUntil(0, 1<<30, 0.001),
	})
}

// TestClimbs: a series that rose in each run until it stopped is told from one that began late, paused or came back.
func TestClimbs(t *testing.T) {
	for _, c := range []struct {
		counts []int
		want   bool
	}{
		{nil, false},
		{[]int{0, 0, 0, 0}, false},
		{[]int{0, 1, 2}, false},
		{[]int{0, 1, 2, 3}, true},
		{[]int{0, 3, 6, 9}, true},
		{[]int{0, 1, 2, 3, 3, 3}, true},
		{[]int{0, 1, 2, 2, 2, 2}, false},
		{[]int{0, 0, 1, 2, 3}, false},
		{[]int{0, 1, 1, 2, 3}, false},
		{[]int{0, 1, 2, 3, 2}, false},
	} {
		assert.Equal(t, c.want, Climbs(c.counts), "%v", c.counts)
	}
}
