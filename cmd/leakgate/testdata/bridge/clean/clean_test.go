// Package clean has tests that the agent would fail, and that their own options let pass.
package clean

import (
	"sync"
	"testing"

	"github.com/leakgate/leakgate/leakcheck"

	"example.com/harnessed/shop"
)

var kept = leakcheck.Ignore("kept on purpose", leakcheck.Site("shop.Log"))

func log(t *testing.T) {
	t.Helper()
	if err := shop.Log(); err != nil {
		t.Fatal(err)
	}
}

func TestIgnored(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t, kept))
	log(t)
}

func TestIgnoredInSubtest(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t, kept))
	t.Run("one", log)
	t.Run("parallel", func(t *testing.T) {
		t.Parallel()
		log(t)
	})
}

// What an inner check sets aside, the agent does not tell of the test around it.
func TestIgnoredBySubtest(t *testing.T) {
	t.Run("one", func(t *testing.T) {
		t.Cleanup(leakcheck.Verify(t, kept))
		log(t)
	})
}

func TestOnly(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t, leakcheck.Only(leakcheck.Goroutine)))
	log(t)
}

var first sync.Once

func TestProcessWide(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	first.Do(func() { log(t) })
}

func TestRepeat(t *testing.T) {
	var once sync.Once
	leakcheck.Repeat(t, 5, func() { once.Do(func() { log(t) }) })
}
