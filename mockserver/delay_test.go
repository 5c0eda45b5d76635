package mockserver

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func samples(d Distribution, n int) []time.Duration {
	r := rand.New(rand.NewPCG(1, 2))
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = d.Sample(r)
	}
	slices.Sort(all)
	return all
}

func TestUniform(t *testing.T) {
	t.Parallel()
	all := samples(Uniform(10, 13), 1000)
	assert.Equal(t, []time.Duration{10, 11, 12, 13}, slices.Compact(all), "both ends are drawn, and nothing outside")
	assert.Equal(t, []time.Duration{7}, slices.Compact(samples(Uniform(7, 7), 100)))
	assert.Equal(t, []time.Duration{0}, slices.Compact(samples(Uniform(0, 0), 100)))
	assert.GreaterOrEqual(t, samples(Uniform(0, math.MaxInt64-1), 1000)[0], time.Duration(0), "no overflow")
	assert.Equal(t, "Uniform(10ms, 1s)", Uniform(10*time.Millisecond, time.Second).String())
}

func TestLognormal(t *testing.T) {
	t.Parallel()
	const n = 20_000
	median := 100 * time.Millisecond
	for _, sigma := range []float64{0.1, 0.5, 1} {
		all := samples(Lognormal(median, sigma), n)
		assert.InDelta(t, float64(median), float64(all[n/2]), 0.05*float64(median), "median, sigma %v", sigma)
		// One standard deviation up: the share below it is 84.13 %.
		assert.InDelta(t, math.Exp(sigma), float64(all[n*8413/10000])/float64(median), 0.08*math.Exp(sigma), "sigma %v", sigma)
		assert.InDelta(t, math.Exp(-sigma), float64(all[n*1587/10000])/float64(median), 0.08, "sigma %v", sigma)
		assert.Positive(t, all[0])
	}
	wide := samples(Lognormal(time.Second, 10), 1000)
	assert.Equal(t, 100*time.Second, wide[len(wide)-1], "it is cut there")
	assert.Equal(t, "Lognormal(100ms, 0.5)", Lognormal(median, 0.5).String())
}

// namedT is a test with a name.
type namedT struct {
	fakeT
	name string
}

func (t *namedT) Name() string { return t.name }

// The delays are the same in each run of a test, and others in another test.
func TestDelaysAreSeededByTheTest(t *testing.T) {
	t.Parallel()
	draw := func(name string) []time.Duration {
		ft := &namedT{name: name}
		srv := New(ft)
		defer ft.end()
		r := Status(200).DelayBy(Uniform(0, time.Hour))
		var all []time.Duration
		for range 10 {
			all = append(all, srv.delay(r))
		}
		return all
	}
	one := draw("TestOne")
	require.Equal(t, one, draw("TestOne"))
	require.NotEqual(t, one, draw("TestTwo"))
	assert.Len(t, slices.Compact(slices.Sorted(slices.Values(one))), 10, "each request draws anew")
}

// own is a user's distribution; it needs no lock.
type own struct{ n *int }

func (o own) String() string                  { return "own" }
func (o own) Sample(*rand.Rand) time.Duration { *o.n++; return time.Duration(*o.n) }

func TestOwnDistribution(t *testing.T) {
	t.Parallel()
	srv := New(t)
	n := 0
	srv.On("GET", "/").Reply(Status(204).DelayBy(own{&n}))
	done := make(chan string)
	for range 20 {
		go func() { done <- read(srv.Client(), "GET", srv.URL, "") }()
	}
	for range 20 {
		assert.Equal(t, "204 ", <-done)
	}
	srv.Close()
	assert.Equal(t, 20, n)
}
