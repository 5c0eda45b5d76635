package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestDeepSingletons: what package-level variables hold is no test's, in all the ways that there are to make it, and the same things are leaks
// where a test holds them.
func TestDeepSingletons(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the standard library with the hooks in it: left out with -short")
	}
	t.Setenv("LEAKGATE_CACHE", t.TempDir())

	out, errs, code := deepRun(t, "-v", "./singletons")
	assert.Equal(t, exitOK, code, "%s%s", out, errs)
	acquired := regexp.MustCompile(`^leakgate: process-wide, which is no leak: (?:held by a package-level variable, acquired|made once) at singletons\.go:\d+: (.*?)(?: \(×\d+\))?$`)
	var listed []string
	for line := range strings.Lines(out) {
		if m := acquired.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			listed = append(listed, m[1])
		}
	}
	assert.ElementsMatch(t, []string{
		"sql.DB was opened and never closed",
		"file /dev/null was never closed",
		"goroutine singletons.Serve has not ended",
		"goroutine singletons.Serve.func1 has not ended",
		"goroutine singletons.(*Queue).work has not ended",
		"goroutine singletons.(*Broker).read has not ended",
		"goroutine singletons.(*Broker).write has not ended",
		"goroutine singletons.(*Logger).flushLoop has not ended",
		"goroutine singletons.NewCache.func1 has not ended",
		"goroutine singletons.NewContextWorker.func1 has not ended",
		"goroutine singletons.loop has not ended",
		"goroutine singletons.loop has not ended",
		"goroutine singletons.loop has not ended",
	}, listed, "%s", out)

	out, errs, code = deepRun(t, "./notsingle")
	assert.Equal(t, exitLeaks, code, "%s%s", out, errs)
	var failed []string
	for _, m := range regexp.MustCompile(`(?m)^--- FAIL: (\S+)`).FindAllStringSubmatch(out, -1) {
		failed = append(failed, m[1])
	}
	assert.Equal(t, []string{
		"TestOwnPool", "TestOwnBroker", "TestOwnLog", "TestOwnCache", "TestOwnOnce", "TestOwnQueue", "TestOwnWorker", "TestPooled", "TestOwnChannel", "TestOwnSleep",
		"TestBody", "TestServer", "TestGrows3", "TestGrows4", "TestDials3",
	}, failed, "%s", out)
	assert.Equal(t, 5, strings.Count(out, "a package-level variable holds it, as it does what the same line acquired in 2 earlier tests and nobody has used since"), "%s", out)
}
