package verdict_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/verdict"
	"github.com/leakgate/leakgate/internal/verdict/sample"
)

func poolText(v *verdict.Verdict) string {
	var b strings.Builder
	for _, u := range v.Pools() {
		reuse := "none known"
		if share, ok := u.Reuse(); ok {
			reuse = fmt.Sprintf("%.2f", share)
		}
		fmt.Fprintf(&b, "%.2f: %d of %d (limit %.2f) %s %s %s, by %s; %d requests, %d dialed, %d reused, %d early, reuse %s\n", u.Share(), u.Peak,
			u.Size, u.Limit, u.Package, u.Kind, short(fmt.Sprintf("%q", u.Name)), short(fmt.Sprintf("%q", u.Test)),
			u.Requests, u.Dialed, u.Reused, u.Early, reuse)
	}
	return b.String()
}

func TestPools(t *testing.T) {
	v := sample.Verdict()
	golden(t, "pools", poolText(v))
	assert.Empty(t, new(verdict.Verdict).Pools())
}

func TestPoolOfOneTest(t *testing.T) {
	pool := func(peak, size, requests int) []fragment.Pool {
		return []fragment.Pool{{Kind: "sql-conn", Name: "db", Peak: peak, Size: size, Requests: requests, Dialed: 1, Reused: requests - 1}}
	}
	run := func(name string, pid int, pools []fragment.Pool) verdict.TestRun {
		return verdict.TestRun{Package: "p", PID: pid, Test: fragment.Test{Name: name, Pools: pools}}
	}
	for _, c := range []struct {
		name, reason string
		tests        []verdict.TestRun
		want         verdict.PoolUse
	}{
		{
			"subtest", "the test around it has counted its use already",
			[]verdict.TestRun{run("TestA", 1, pool(3, 10, 8)), run("TestA/b", 1, pool(3, 10, 5))},
			verdict.PoolUse{Peak: 3, Size: 10, Test: "TestA", Requests: 8, Dialed: 1, Reused: 7},
		}, {
			"subtest of another process", "what a rerun of the subtest alone did is not in the first run",
			[]verdict.TestRun{run("TestA", 1, pool(3, 10, 8)), run("TestA/b/c", 2, pool(4, 10, 5))},
			verdict.PoolUse{Peak: 4, Size: 10, Test: "TestA/b/c", Requests: 13, Dialed: 2, Reused: 11},
		}, {
			"the size was changed", "nearest to its size, not the highest",
			[]verdict.TestRun{run("TestA", 1, pool(8, 10, 8)), run("TestB", 1, pool(9, 100, 9))},
			verdict.PoolUse{Peak: 8, Size: 10, Test: "TestA", Requests: 17, Dialed: 2, Reused: 15},
		}, {
			"a size that one test does not know", "a known share says more than a number",
			[]verdict.TestRun{run("TestA", 1, pool(50, 0, 8)), run("TestB", 1, pool(2, 100, 9))},
			verdict.PoolUse{Peak: 2, Size: 100, Test: "TestB", Requests: 17, Dialed: 2, Reused: 15},
		}, {
			"nothing was out of the pool whose size is known", "what was used says more",
			[]verdict.TestRun{run("TestA", 1, pool(50, 0, 8)), run("TestB", 1, pool(0, 100, 9))},
			verdict.PoolUse{Peak: 50, Test: "TestA", Requests: 17, Dialed: 2, Reused: 15},
		}, {
			"no size", "the highest",
			[]verdict.TestRun{run("TestA", 1, pool(5, 0, 8)), run("TestB", 1, pool(6, 0, 9))},
			verdict.PoolUse{Peak: 6, Test: "TestB", Requests: 17, Dialed: 2, Reused: 15},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.want.Package, c.want.Kind, c.want.Name = "p", "sql-conn", "db"
			v := verdict.Verdict{Tests: c.tests}
			require.Equal(t, []verdict.PoolUse{c.want}, v.Pools(), c.reason)
		})
	}
}

func TestReuseOfNothing(t *testing.T) {
	u := verdict.PoolUse{Peak: 3}
	share, ok := u.Reuse()
	assert.Zero(t, share)
	assert.False(t, ok)
	assert.Zero(t, u.Share(), "the size is not known")
}
