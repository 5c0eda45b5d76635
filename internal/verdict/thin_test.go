package verdict_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/verdict"
)

// wander gives n samples that go up and down, with pools that come and go.
func wander(n int, r *rand.Rand) verdict.Series {
	s := verdict.Series{Package: "p"}
	now := fragment.Sample{Goroutines: 50, Sockets: 20}
	for i := range n {
		now.At = day.Add(time.Duration(i) * time.Second)
		now.Goroutines = max(1, now.Goroutines+r.IntN(7)-3)
		now.Sockets = max(-1, now.Sockets+r.IntN(5)-2)
		now.Leased = nil
		if r.IntN(3) > 0 {
			now.Leased = map[string]int{"a": r.IntN(20), "b": r.IntN(3)}
		}
		now.States, now.FDs, now.HeapInUse = nil, r.IntN(30), int64(r.IntN(1<<30))
		if now.Sockets > 0 {
			now.States = map[string]int{"LISTEN": 1, "CLOSE_WAIT": r.IntN(now.Sockets + 1)}
		}
		s.Samples = append(s.Samples, now)
	}
	return s
}

func TestThinKeepsExtremes(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := wander(1+r.IntN(3000), r)
		n := 12 + r.IntN(400)
		got := s.Thin(n)
		require.LessOrEqual(t, len(got), max(n, 2), "seed %d", seed)
		if len(s.Samples) <= n {
			require.Equal(t, s.Samples, got, "seed %d: there was room for all", seed)
			continue
		}
		require.Equal(t, s.Samples[0], got[0], "seed %d: the first", seed)
		require.Equal(t, s.Samples[len(s.Samples)-1], got[len(got)-1], "seed %d: the last", seed)
		require.True(t, slices.IsSortedFunc(got, func(a, b fragment.Sample) int { return a.At.Compare(b.At) }), "seed %d", seed)
		for name, count := range map[string]func(fragment.Sample) int{
			"CLOSE_WAIT": func(s fragment.Sample) int { return s.States["CLOSE_WAIT"] },
			"fds":        func(s fragment.Sample) int { return s.FDs },
			"heap":       func(s fragment.Sample) int { return int(s.HeapInUse >> 10) },
			"goroutines": func(s fragment.Sample) int { return s.Goroutines },
			"sockets":    func(s fragment.Sample) int { return s.Sockets },
			"pool a":     func(s fragment.Sample) int { return s.Leased["a"] },
			"pool b":     func(s fragment.Sample) int { return s.Leased["b"] },
		} {
			order := func(a, b fragment.Sample) int { return count(a) - count(b) }
			require.Equal(t, count(slices.MaxFunc(s.Samples, order)), count(slices.MaxFunc(got, order)), "seed %d: the highest of %s", seed, name)
			require.Equal(t, count(slices.MinFunc(s.Samples, order)), count(slices.MinFunc(got, order)), "seed %d: the lowest of %s", seed, name)
		}
		for _, p := range got {
			known := slices.ContainsFunc(s.Samples, func(q fragment.Sample) bool { return q.At.Equal(p.At) })
			require.True(t, known, "seed %d: nothing is made up", seed)
		}
	}
}

// TestThinFillsItsRoom: a series with one count that moves is not thinned further than asked for.
func TestThinFillsItsRoom(t *testing.T) {
	var s verdict.Series
	for i := range 5000 {
		s.Samples = append(s.Samples, fragment.Sample{At: day.Add(time.Duration(i) * time.Second), Goroutines: i * 7919 % 101, Sockets: 3})
	}
	assert.Greater(t, len(s.Thin(300)), 200)
}

func TestThinSmall(t *testing.T) {
	s := wander(10, rand.New(rand.NewPCG(1, 1)))
	assert.Len(t, s.Thin(0), 2, "the first and the last are always there")
	assert.Len(t, s.Thin(-5), 2)
	assert.Len(t, s.Thin(10), 10)
	assert.Empty(t, new(verdict.Series).Thin(5))
	sockets := func(a, b fragment.Sample) int { return a.Sockets - b.Sockets }
	long := wander(300, rand.New(rand.NewPCG(2, 1)))
	four := long.Thin(4)
	assert.Contains(t, four, slices.MaxFunc(long.Samples, sockets), "where there is room for little, sockets come first")
	assert.Contains(t, four, slices.MinFunc(long.Samples, sockets))
	before := slices.Clone(s.Samples)
	s.Thin(3)
	assert.Equal(t, before, s.Samples, "the series itself stays as it is")
}

// TestThinKeepsEachPeakAndDip: a pool that runs dry again and again shows each time, and not the worst time alone.
func TestThinKeepsEachPeakAndDip(t *testing.T) {
	var s verdict.Series
	var short []fragment.Sample
	for i := range 2000 {
		p := fragment.Sample{At: day.Add(time.Duration(i) * time.Second), Goroutines: 50, Sockets: 3}
		switch i % 200 {
		case 50:
			p.Goroutines = 90 + i/200
		case 150:
			p.Goroutines = 10 + i/200
		}
		if p.Goroutines != 50 {
			short = append(short, p)
		}
		s.Samples = append(s.Samples, p)
	}
	require.Len(t, short, 20)
	assert.Subset(t, s.Thin(80), short)
}
