package leakcheck_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

// metered is a probe of a pool that was used as it says.
type metered struct {
	probe
	used leakcheck.Usage
}

func (m *metered) Meter(leakcheck.TestID) func() []leakcheck.Usage {
	return func() []leakcheck.Usage { return []leakcheck.Usage{m.used} }
}

func pool(kind leakcheck.Kind, size, peak int) leakcheck.Option {
	none := func() ([]uint64, error) { return nil, nil }
	return leakcheck.With(&metered{probe{kind, none, nil}, leakcheck.Usage{
		Kind: kind, Pool: "the pool", Size: size, PeakLeased: peak, Requests: 12, Dialed: peak,
	}})
}

// TestHighWater says which pools are judged, and what is said of them, once each.
func TestHighWater(t *testing.T) {
	const redis = leakcheck.Kind("redis")
	for _, c := range []struct {
		why  string
		opts []leakcheck.Option
		want []string // verdicts and codes
	}{
		{"just the share", []leakcheck.Option{pool(redis, 4, 3), leakcheck.HighWater(0.75)}, nil},
		{"one more", []leakcheck.Option{pool(redis, 4, 4), leakcheck.HighWater(0.75)},
			[]string{"leakcheck: 1 leak: the pool had 4 of its 4 connections out at once, and the budget is 75%", "LK005 redis"}},
		{"all may be out", []leakcheck.Option{pool(redis, 4, 4), leakcheck.HighWater(1)}, nil},
		{"more than all", []leakcheck.Option{pool(redis, 4, 5), leakcheck.HighWater(1)},
			[]string{"leakcheck: 1 leak: the pool had 5 of its 4 connections out at once, and the budget is 100%", "LK005 redis"}},
		{"a share that is no whole percent", []leakcheck.Option{pool(redis, 8, 6), leakcheck.HighWater(0.625)},
			[]string{"leakcheck: 1 leak: the pool had 6 of its 8 connections out at once, and the budget is 62.5%", "LK005 redis"}},
		{"no limit, or not known", []leakcheck.Option{pool(redis, 0, 400), leakcheck.HighWater(0.01)}, nil},
		{"not used", []leakcheck.Option{pool(redis, 4, 0), leakcheck.HighWater(0.01)}, nil},
		{"another kind", []leakcheck.Option{pool(redis, 4, 4), leakcheck.HighWater(0.5, leakcheck.HTTPConn, leakcheck.SQLConn)}, nil},
		{"a database has its code", []leakcheck.Option{pool(leakcheck.SQLConn, 4, 4), leakcheck.HighWater(0.5)},
			[]string{"leakcheck: 1 leak: the pool had 4 of its 4 connections out at once, and the budget is 50%", "LK214 sql-conn"}},
		{"of two the smallest share, once", []leakcheck.Option{pool(redis, 4, 4), leakcheck.HighWater(0.75), leakcheck.HighWater(0.25)},
			[]string{"leakcheck: 1 leak: the pool had 4 of its 4 connections out at once, and the budget is 25%", "LK005 redis"}},
		{"dbcheck's is the same", []leakcheck.Option{pool(leakcheck.SQLConn, 4, 4), leakcheck.HighWater(0.75), dbcheck.HighWater(0.5)},
			[]string{"leakcheck: 1 leak: the pool had 4 of its 4 connections out at once, and the budget is 50%", "LK214 sql-conn"}},
		{"and leaves other pools alone", []leakcheck.Option{pool(redis, 4, 4), dbcheck.HighWater(0.5)}, nil},
		{"0", []leakcheck.Option{leakcheck.HighWater(0)}, []string{"leakcheck.HighWater(0): the share must be above 0 and at most 1, as in HighWater(0.75)"}},
		{"75", []leakcheck.Option{leakcheck.HighWater(75)}, []string{"leakcheck.HighWater(75): the share must be above 0 and at most 1, as in HighWater(0.75)"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			r := &recorder{name: "TestFake"}
			leakcheck.Verify(r, c.opts...)()
			if c.want == nil {
				assert.Empty(t, r.errs)
				return
			}
			require.Len(t, r.errs, 1)
			for _, s := range c.want {
				assert.Contains(t, r.errs[0], s)
			}
		})
	}
	const refused = "leakcheck.HighWater judges what one test uses: give it to Verify, or to Main for every Verify of the package"
	assert.EqualError(t, leakcheck.Check(leakcheck.HighWater(0.5)), refused)
	assert.EqualError(t, leakcheck.Take(leakcheck.HighWater(0.5)).Err(), refused)
}

// TestHighWaterText: the whole report.
func TestHighWaterText(t *testing.T) {
	r := &recorder{name: "TestFake"}
	leakcheck.Verify(r, pool("redis", 4, 4), leakcheck.HighWater(0.75))()
	golden(t, "high-water", r.errors())
}

// TestHighWaterOfMain holds for every Verify of the package, and a pool is reported once for a test and its subtests.
func TestHighWaterOfMain(t *testing.T) {
	out, passed, f := shopRun{main: "high", args: []string{"-test.run=TestPool|TestUnverifiedPool", "-test.count=2"}}.one(t)
	assert.False(t, passed)
	want := ""
	for range 2 {
		want += lines("test TestUnverifiedPool passed", "test TestPool leaked", "test TestPoolHigh/inner leaked", "test TestPoolHigh leaked")
	}
	for range 2 {
		want += lines("leak TestPool failed LK005×1", "leak TestPoolHigh/inner failed LK005×1")
	}
	assert.Equal(t, want+lines("end 1"), outline(f), out)
	limits := make(map[string]float64)
	for _, x := range f.Tests {
		for _, p := range x.Pools {
			limits[fmt.Sprintf("%s %d of %d", x.Name, p.Peak, p.Size)] = p.Limit
		}
	}
	assert.Equal(t, map[string]float64{
		"TestUnverifiedPool 3 of 4": 0, "TestPool 3 of 4": 0.5, "TestPoolHigh/inner 3 of 4": 0.5, "TestPoolHigh 3 of 4": 0.5,
	}, limits)
}
