package leakcheck_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// suite builds testdata/suite once, with the race detector when this test has it.
var suite = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "leakcheck-suite")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "suite.test")
	if runtime.GOOS == "windows" {
		bin += ".exe"
	}
	args := []string{"test", "-c", "-o", bin}
	if raceEnabled {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "./testdata/suite")...).CombinedOutput()
	if err != nil {
		return "", &buildError{string(out), err}
	}
	suiteDir = dir
	return bin, nil
})

type buildError struct {
	out string
	err error
}

func (e *buildError) Error() string { return e.err.Error() + "\n" + e.out }

var suiteDir string

func TestMain(m *testing.M) {
	if os.Getenv(serviceEnv) != "" {
		serveShop()
		return
	}
	code := m.Run()
	for _, dir := range []string{suiteDir, shopDir} {
		if dir != "" {
			_ = os.RemoveAll(dir)
		}
	}
	os.Exit(code)
}

// run runs a part of the suite and gives what it printed and whether it passed.
func run(t *testing.T, main string, args ...string) (out string, passed bool) {
	t.Helper()
	bin, err := suite()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	// Tests that wait for each other need to run together, also where there is one processor.
	cmd := exec.CommandContext(ctx, bin, append([]string{"-test.parallel=8"}, args...)...)
	cmd.Dir = filepath.Join("testdata", "suite")
	cmd.Env = append(os.Environ(), "SUITE_MAIN="+main)
	text, err := cmd.CombinedOutput()
	require.NoError(t, ctx.Err(), "hung: %s", text)
	return string(text), err == nil
}

var reports = regexp.MustCompile(`leakcheck: \d+ leaks?: `)

// TestFailsWhileEnding: what is about to end is not told of a test that failed.
func TestFailsWhileEnding(t *testing.T) {
	out, passed := run(t, "", "-test.run=TestFailsWhileEnding")
	assert.False(t, passed)
	assert.Contains(t, out, "its own error")
	assert.NotContains(t, out, "still holds")
}

// TestOutcome says, for each way that a test can end, how often a leak is reported and what is said.
func TestOutcome(t *testing.T) {
	for _, c := range []struct {
		test    string
		why     string
		passes  bool
		reports int
		says    []string
	}{
		{"TestClean$", "an idle keep-alive connection is no leak", true, 0, nil},
		{"TestLeaksBody", "the plain case", false, 1, []string{"suite_test.go:LINE-body: leakcheck: 1 leak: response body of GET /session (403) was never closed"}},
		{"TestFailsByItself", "a failed test gets one log line", false, 0, []string{"not checked, because the test failed or panicked by itself; it still holds: goroutine"}},
		{"TestFailsNow", "so does one that ended by FailNow", false, 0, []string{"not checked, because the test failed or panicked by itself; it still holds: response body of GET /session (403) was never closed"}},
		{"TestSkips", "a skipped test that leaks fails", false, 1, []string{"goroutine suite.blocked has not ended"}},
		{"TestPanics", "a panic is not covered up by a second error", false, 0, []string{"panic: on purpose", "not checked, because the test failed or panicked by itself"}},
		{"TestExitsGoroutine", "what has ended is no leak", true, 0, nil},
		{"TestNested$", "the inner check reports, the outer does not repeat", false, 1, []string{"--- FAIL: TestNested/inner"}},
		{"TestNestedParentLeaks", "the subtest is not blamed for its parent", false, 1, []string{"--- FAIL: TestNestedParentLeaks (", "leakcheck: 1 leak"}},
		{"TestSubtestWithoutVerify", "a subtest without a check belongs to its parent", false, 1, nil},
		{"TestTwice", "two checks, one report", false, 1, nil},
		{"TestParallel$", "each leak is on its own subtest", false, 2, []string{"--- FAIL: TestParallel/b", "--- FAIL: TestParallel/c"}},
		{"TestParallelSocket$", "nothing tells whose a socket is: it says so", false, 1, []string{"not attributed to one test, reported by the last that ran: TestParallelSocket/", "could have been TestParallelSocket/a or TestParallelSocket/b"}},
		{"TestParallelDial", "a dial is blamed on the test that dialled, and on no other", false, 1, []string{"--- FAIL: TestParallelDial/a", "leakcheck: 1 leak: dial of broker.internal:5672 (refused) at suite_test.go:", "allowed: cache.internal:6379\n"}},
		{"TestParallelRequest", "so is a request", false, 1, []string{"--- FAIL: TestParallelRequest/a", "leakcheck: 1 leak: GET /status to 127.0.0.1:", " at suite_test.go:LINE-gone"}},
		{"TestParallelRemoteSocket", "nothing tells whose a socket is, nor who has to have it allowed", false, 1, []string{
			"leakcheck: 2 leaks: tcp4 connection to 127.0.0.1:", "not attributed to one test, reported by the last that ran: TestParallelRemoteSocket/",
			"LK605 socket\n", "could have been TestParallelRemoteSocket/a or TestParallelRemoteSocket/b", "LK301 socket\n",
		}},
		{"TestIgnores", "an ignored leak passes", true, 0, nil},
		{"TestBubble$", "time in a synctest bubble is not waited for", true, 0, nil},
		{"TestBubbleLeaks", "a leak in a bubble is reported before the bubble's own panic", false, 1, []string{"goroutine suite.blocked has not ended", "panic: deadlock"}},
		{"FuzzLeaks", "each seed is a test", false, 1, []string{"--- FAIL: FuzzLeaks/seed#0"}},
		{"FuzzClean", "", true, 0, nil},
		{"TestMethodsOfChild", "a nil option is no option", true, 0, nil},
		{"TestForgotten$", "a check whose function was not called is made all the same", false, 1, []string{"goroutine suite.blocked has not ended"}},
		{"TestForgottenBeside|TestParallelSocket$", "and does not silence the others", false, 1, []string{"not attributed to one test"}},
		{"TestParallelProbe", "nor is a probe of one's own forgotten", false, 1, []string{"leakcheck: 1 leak: worker was not returned", "could have been TestParallelProbe/a or TestParallelProbe/b"}},
		{"TestParallelFailure", "what a neighbour leaks is still told", false, 1, []string{"its own error", "leakcheck: 1 leak: tcp4 listener was never closed"}},
		{"TestHelperName", "a helper is not a test because of its name", false, 1, []string{"suite.TestServerLoop"}},
		{"TestBoth", "two checks that look at different things", false, 1, []string{"goroutine suite.blocked has not ended"}},
		{"TestContextEnds", "the end of the context is no Close", false, 1, []string{"LK001", "was never closed: only the end of the request's context freed its connection"}},
		{"TestWaitsAsAsked", "a wait that was asked for is waited", true, 0, nil},
		{"TestTunedPool", "a tracked transport may keep what it likes", true, 0, nil},
		{"TestWrappedT", "a T in a T is a T", false, 1, []string{"tcp4 listener was never closed"}},
		{"TestAfterItsEnd", "what a test that is over cannot take is said on standard error, and does not panic", false, 2, []string{"goroutine suite.blocked has not ended"}},
		{"TestNilT", "without a T there is nothing to fail", true, 0, []string{"leakcheck.Verify: t is nil: pass the *testing.T of the test that is to be checked, as in t.Cleanup(leakcheck.Verify(t))"}},
	} {
		t.Run(c.test, func(t *testing.T) {
			t.Log(c.why)
			out, passed := run(t, "", "-test.run="+c.test)
			assert.Equal(t, c.passes, passed, out)
			assert.Len(t, reports.FindAllString(out, -1), c.reports, out)
			for _, s := range c.says {
				if i := strings.Index(s, "LINE-"); i >= 0 {
					word, _, _ := strings.Cut(s[i+len("LINE-"):], ":")
					s = strings.Replace(s, "LINE-"+word, lineOf(t, "// LINE "+word), 1)
				}
				assert.Contains(t, out, s)
			}
		})
	}
}

// lineOf finds the line of the suite that ends in the mark.
func lineOf(t *testing.T, mark string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "suite", "suite_test.go"))
	require.NoError(t, err)
	before, _, ok := strings.Cut(string(data), mark+"\n")
	require.True(t, ok, "no line ends in %s", mark)
	return strconv.Itoa(strings.Count(before, "\n") + 1)
}

// TestPossibleRemote: beside a test that may do what it likes, where a socket leads is logged; that it is open is a leak as always. Of a
// test that passes go test shows the log with -v alone.
func TestPossibleRemote(t *testing.T) {
	out, passed := run(t, "", "-test.v", "-test.run=TestParallelRemoteWithoutPolicy")
	assert.False(t, passed, out)
	assert.Len(t, reports.FindAllString(out, -1), 1, out)
	assert.Contains(t, out, "LK301 socket\n")
	assert.NotContains(t, out, "LK605 socket\n")
	assert.Equal(t, 1, strings.Count(out, "leakcheck: possible: tcp4 connection to 127.0.0.1:"), out)
	assert.Contains(t, out, "nothing tells whose it is, and TestParallelRemoteWithoutPolicy/b, which ran meanwhile, has no AllowRemotes (LK605)")
}

// TestCount: a leak of the first run is not blamed on the second, which reports its own.
func TestCount(t *testing.T) {
	out, passed := run(t, "", "-test.run=TestLeaksGoroutine", "-test.count=3")
	assert.False(t, passed)
	assert.Len(t, reports.FindAllString(out, -1), 3, out)
	assert.Equal(t, 3, strings.Count(out, "leakcheck: 1 leak: goroutine suite.blocked has not ended\n"), out)
}

// TestCountAfterParallel: what a parallel test has left is not blamed on the test that runs alone in the next round.
func TestCountAfterParallel(t *testing.T) {
	out, passed := run(t, "main", "-test.run=AmongParallel", "-test.count=3")
	assert.False(t, passed)
	assert.Contains(t, out, "leakcheck: 3 leaks: response body of an HTTP/1 request was never closed (×3)\n")
	assert.Contains(t, out, "LK001 http-response ×3\n    test        not known")
	assert.NotContains(t, out, "by TestAloneAmongParallel")
}

func TestBenchmarks(t *testing.T) {
	out, passed := run(t, "", "-test.run=^$", "-test.bench=Clean", "-test.benchtime=100x")
	assert.True(t, passed, out)
	out, passed = run(t, "", "-test.run=^$", "-test.bench=Leaks", "-test.benchtime=100x")
	assert.False(t, passed)
	assert.Contains(t, out, "goroutine suite.blocked has not ended")
}

// TestMainKeepsIgnores: what a test ignores is not reported at the end of the run.
func TestMainKeepsIgnores(t *testing.T) {
	out, passed := run(t, "main", "-test.run=TestIgnores")
	assert.True(t, passed, out)
	assert.Equal(t, "PASS\n", out)
}

// TestFuzzing: neither the coordinator's goroutines nor the workers' are leaks.
func TestFuzzing(t *testing.T) {
	out, passed := run(t, "main", "-test.run=^$", "-test.fuzz=FuzzClean$", "-test.fuzztime=200x", "-test.fuzzcachedir="+t.TempDir())
	assert.True(t, passed, out)
	assert.NotContains(t, out, "leakcheck:")
}

// TestProfiles: what go test itself runs for its flags is no leak.
func TestProfiles(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{
		{"-test.cpuprofile=" + filepath.Join(dir, "cpu")},
		{"-test.trace=" + filepath.Join(dir, "trace")},
		{"-test.timeout=1m"},
		{"-test.parallel=1"},
		{"-test.v", "-test.shuffle=on"},
	} {
		out, passed := run(t, "main", append(args, "-test.run=TestClean|TestExits|TestBubble$")...)
		assert.True(t, passed, "%v: %s", args, out)
		assert.NotContains(t, out, "leakcheck:", "%v", args)
	}
}

func TestMainNamesTests(t *testing.T) {
	out, passed := run(t, "main", "-test.run=TestUnverified|TestClean|TestParallelSocket")
	assert.False(t, passed)
	assert.Len(t, reports.FindAllString(out, -1), 1, out)
	for _, s := range []string{
		"leakcheck: 4 leaks: response body of GET /session (403) was never closed; and 3 more entries",
		"LK001 http-response by TestUnverifiedBody",
		"LK102 goroutine by TestUnverifiedGoroutine",
		"LK302 socket by TestUnverifiedListener",
		"LK302 socket by TestParallelSocket",
	} {
		assert.Contains(t, out, s)
	}
	golden(t, "main", out[strings.Index(out, "leakcheck:"):])
}

// TestMainTellsListenersApart: a server does not take the listener of another test.
func TestMainTellsListenersApart(t *testing.T) {
	out, passed := run(t, "main", "-test.run=TestUnverifiedListener|TestServerUnverified")
	assert.False(t, passed)
	assert.Contains(t, out, "LK302 socket by TestUnverifiedListener")
	assert.Contains(t, out, "LK101 goroutine by TestServerUnverified")
	assert.Equal(t, 2, strings.Count(out, "    see "), out)
}

// TestMainIgnoresForAll: what Main ignores, each Verify does.
func TestMainIgnoresForAll(t *testing.T) {
	out, passed := run(t, "suite", "-test.run=TestLeaksGoroutine|TestUnverifiedGoroutine")
	assert.True(t, passed, out)
}

// TestMainList: -list prints the tests and nothing else.
func TestMainList(t *testing.T) {
	out, passed := run(t, "ignores", "-test.list=TestClean")
	assert.True(t, passed)
	assert.Equal(t, "TestClean\n", out)
}

func TestMainDoesNotRepeat(t *testing.T) {
	out, passed := run(t, "main", "-test.run=TestLeaksGoroutine")
	assert.False(t, passed)
	assert.Equal(t, 1, strings.Count(out, "goroutine suite.blocked has not ended\n        \n"), out)
	assert.NotContains(t, out, "tests failed, so what is still held is not judged", "the only leak was reported by its test")
}

func TestMainAfterFailure(t *testing.T) {
	out, passed := run(t, "main", "-test.run=TestUnverifiedGoroutine|TestFailsByItself")
	assert.False(t, passed)
	assert.Contains(t, out, "leakcheck: tests failed, so what is still held is not judged: 1, the first of them: goroutine suite.blocked has not ended")
}

func TestMainOtherWays(t *testing.T) {
	out, passed := run(t, "exit", "-test.run=TestUnverifiedGoroutine")
	assert.False(t, passed, "VerifyTestMain exits with the code")
	assert.Contains(t, out, "LK102 goroutine by TestUnverifiedGoroutine")

	out, passed = run(t, "wrong", "-test.run=TestUnverifiedGoroutine")
	assert.False(t, passed)
	assert.Contains(t, out, "leakcheck.Wait(-1ns): the wait is negative: use 0 to look once, or a time such as 2*time.Second")
	assert.Contains(t, out, "LK102 goroutine by TestUnverifiedGoroutine", "a wrong option does not hide a leak")

	out, passed = run(t, "wrong", "-test.run=TestClean")
	assert.False(t, passed, "a wrong option alone fails the run: %s", out)

	out, passed = run(t, "nil")
	assert.False(t, passed)
	assert.Contains(t, out, "leakcheck.Main: m is nil")

	out, passed = run(t, "main", "-test.run=TestNilT")
	assert.False(t, passed, "a check that never was fails the run: %s", out)

	out, passed = run(t, "main", "-test.list=TestClean")
	assert.True(t, passed)
	assert.Equal(t, "TestClean\n", out)
}

// TestMainUnusedIgnores: only a whole run proves that an ignore matched nothing.
func TestMainUnusedIgnores(t *testing.T) {
	const said = "leakcheck: ignores that matched nothing in this run, and can go:\n  Ignore(\"never there\", Func(\"example.com/nowhere.Run\"))\n"
	out, passed := run(t, "ignores", "-test.run=TestClean")
	assert.True(t, passed, out)
	assert.NotContains(t, out, said)
	out, passed = run(t, "ignores", "-test.skip=.")
	assert.True(t, passed, out)
	assert.NotContains(t, out, said)

	whole := exec.Command("go", "run", "./testdata/ignores")
	text, err := whole.CombinedOutput()
	assert.NoError(t, err, string(text))
	assert.Equal(t, said, string(text))
}
