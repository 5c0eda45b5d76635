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
