package leakcheck_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/leakgate/leakgate/leakcheck"
)

// TestFollow: what follows a test begins with it, ends once, and what it found fails the test, unless that failed by itself.
func TestFollow(t *testing.T) {
	for _, c := range []struct {
		name  string
		fails bool
		want  int
	}{{"passes", false, 1}, {"failed by itself", true, 0}} {
		t.Run(c.name, func(t *testing.T) {
			rec := &recorder{name: "TestFake"}
			begun, ended := 0, 0
			o := leakcheck.Follow("Budget", func(f leakcheck.Followed) (func() []leakcheck.Leak, error) {
				begun++
				assert.NotZero(t, f.Test)
				assert.True(t, f.Only && !f.Bubble && f.T == leakcheck.TB(rec) && len(f.Probes) == 0)
				return func() []leakcheck.Leak {
					ended++
					return []leakcheck.Leak{{Kind: "budget", Summary: "too much of it"}}
				}, nil
			})
			check := leakcheck.Verify(rec, leakcheck.Join(leakcheck.Instead(), nil, o))
			if c.fails {
				rec.Errorf("by itself")
			}
			before := len(rec.errs)
			check()
			check()
			assert.Equal(t, []int{1, 1, c.want}, []int{begun, ended, len(rec.errs) - before})
		})
	}
}

func TestFollowRefuses(t *testing.T) {
	assert.EqualError(t, leakcheck.Check(leakcheck.Instead(), leakcheck.Follow("", nil)), "leakcheck.Follow: needs a name and a function")
	no := errors.New("not here")
	o := leakcheck.Follow("Budget", func(leakcheck.Followed) (func() []leakcheck.Leak, error) { return nil, no })
	assert.ErrorIs(t, leakcheck.Check(leakcheck.Instead(), o), no)
}

// TestFollowLine: the line of what a follower found is the one to look at, unless the follower says that it is one of many.
func TestFollowLine(t *testing.T) {
	site := leakcheck.Frame{Function: "example.com/app.Take", File: "/nowhere/app/take.go", Line: 7}
	for _, c := range []struct {
		example bool
		want    string
	}{
		{false, "    at          /nowhere/app/take.go:7  app.Take\n"},
		{true, "    for example at /nowhere/app/take.go:7  app.Take\n"},
	} {
		rec := &recorder{name: "TestFake"}
		o := leakcheck.Follow("Budget", func(leakcheck.Followed) (func() []leakcheck.Leak, error) {
			return func() []leakcheck.Leak {
				return []leakcheck.Leak{{Kind: "budget", Summary: "too much of it", Site: site, Example: c.example}}
			}, nil
		})
		leakcheck.Verify(rec, leakcheck.Instead(), o)()
		assert.Contains(t, rec.errors(), c.want)
	}
}

// TestFollowSettles: how long it was waited for something else, which ended, is not said of what a follower found.
func TestFollowSettles(t *testing.T) {
	rec := &recorder{name: t.Name()}
	held := []uint64{}
	looks := 0
	winding := &probe{"worker", func() ([]uint64, error) {
		if looks++; looks > 3 {
			return nil, nil
		}
		return held, nil
	}, func(uint64) (leakcheck.Leak, bool) { return leakcheck.Leak{Summary: "worker was not returned"}, true }}
	o := leakcheck.Follow("Budget", func(leakcheck.Followed) (func() []leakcheck.Leak, error) {
		return func() []leakcheck.Leak { return []leakcheck.Leak{{Kind: "budget", Summary: "too much of it"}} }, nil
	})
	done := leakcheck.Verify(rec, leakcheck.Instead(winding), o)
	held = append(held, 1)
	done()
	assert.Greater(t, looks, 3, "it was waited")
	assert.Contains(t, rec.errors(), "too much of it")
	assert.NotContains(t, rec.errors(), "still so after")
}
