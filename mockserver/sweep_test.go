package mockserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Sweep takes a *testing.T and fails it, so what it does is seen from outside: testdata/sweep has clients with planted
// bugs, their twins, and calls that misbehave. Each is run by a process of its own.

// sweepSuite builds testdata/sweep once, with the race detector when this test has it.
var sweepSuite = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "sweep-suite")
	if err != nil {
		return "", err
	}
	sweepDir = dir
	bin := filepath.Join(dir, "sweep.test")
	if runtime.GOOS == "windows" {
		bin += ".exe"
	}
	args := []string{"test", "-c", "-o", bin}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "-race" && s.Value == "true" {
				args = append(args, "-race")
			}
		}
	}
	if out, err := exec.Command("go", append(args, "./testdata/sweep")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return bin, nil
})

// sweepDir is removed by TestMain.
var sweepDir string

// runSweep runs one test of the suite, and gives what it printed and whether it passed.
func runSweep(t *testing.T, main, test string, args ...string) (out string, passed bool) {
	t.Helper()
	bin, err := sweepSuite()
	require.NoError(t, err)
	out, passed, err = sweepOf(t.Context(), bin, main, test, args...)
	require.NoError(t, err)
	return out, passed
}

func sweepOf(ctx context.Context, bin, main, test string, args ...string) (out string, passed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	// Subtests that are to run together do, also where there is one processor.
	cmd := exec.CommandContext(ctx, bin, append([]string{"-test.run=^Test" + test + "$", "-test.parallel=8"}, args...)...)
	cmd.Dir = filepath.Join("testdata", "sweep")
	cmd.Env = append(os.Environ(), "SWEEP_MAIN="+main)
	text, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return "", false, fmt.Errorf("%w: it hung: %s", ctx.Err(), text)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return "", false, err
	}
	return string(text), err == nil, nil
}

// runSweeps runs tests of the suite, several at a time, because they wait most of the time. result gives what one printed and
// whether it passed, when it is over.
func runSweeps(t *testing.T, main string, tests []string) (result func(t *testing.T, test string) (out string, passed bool)) {
	t.Helper()
	bin, err := sweepSuite()
	require.NoError(t, err)
	type ended struct {
		out    string
		passed bool
		err    error
	}
	var all sync.WaitGroup
	t.Cleanup(all.Wait)
	places := make(chan bool, 6)
	results := make(map[string]chan ended, len(tests))
	for _, test := range tests {
		end := make(chan ended, 1)
		results[test] = end
		all.Go(func() {
			places <- true
			defer func() { <-places }()
			out, passed, err := sweepOf(t.Context(), bin, main, test)
			end <- ended{out, passed, err}
		})
	}
	return func(t *testing.T, test string) (string, bool) {
		t.Helper()
		r := <-results[test]
		require.NoError(t, r.err)
		return r.out, r.passed
	}
}

// varies is what differs from run to run.
var varies = []struct {
	find *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`127\.0\.0\.1:\d{2,5}`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`\(fd \d+\)`), "(fd N)"},
	{regexp.MustCompile(`\((\d+m)?\d[\d.]*(µs|ms|s)\)(\n|$)`), "(TIME)$3"},
	{regexp.MustCompile(`still so after \d+ms \(\d+ looks\)`), "still so after TIME (N looks)"},
	{regexp.MustCompile(`\d+ (requests|connections) by one call, in [\d.]+m?s \(\d+ a second\)`), "N $1 by one call, in TIME (N a second)"},
	{regexp.MustCompile(`(\d+) were sent`), "N were sent"},
	// A server's goroutine may still be on its last instructions when the server is closed, and the test has failed.
	{regexp.MustCompile(`(?m)^ +\S+: leakcheck: not checked, because the test failed .* goroutine mockserver\.\(\*conn\)\.serve has not ended\n`), ""},
	{regexp.MustCompile(`(?m)^\d{4}/\d\d/\d\d .* Unsolicited response .*\n`), ""}, // net/http logs it
}

func steady(out string) string {
	for _, v := range varies {
		out = v.find.ReplaceAllString(out, v.with)
	}
	return strings.TrimRight(out, "\n") + "\n"
}

var (
	counts = regexp.MustCompile(`\d+( of \d+)? (scenarios?) `)
	inMany = regexp.MustCompile(` in \d+ scenarios?: `)
)

// causes is the part of a summary that names the root causes. How many scenarios there are changes with the pages.
func causes(out string) string {
	out = steady(out)
	_, text, found := strings.Cut(out, "_test.go:")
	for found && !regexp.MustCompile(`^\d+: sweep: \d+`).MatchString(text) {
		_, text, found = strings.Cut(text, "_test.go:")
	}
	_, text, _ = strings.Cut(text, ": ")
	text, _, _ = strings.Cut(text, "\n          scenario ")
	text = counts.ReplaceAllString(text, "N $2 ")
	text = inMany.ReplaceAllString(text, " in N scenarios: ")
	return strings.TrimRight(text, " \n") + "\n"
}

// compare compares with a golden file, which -update writes. What is held is told in full on Linux alone.
func compareSweep(t *testing.T, name, got string) {
	t.Helper()
	golden(t, filepath.Join("testdata", "sweep", name), got)
}

// planted are the clients with a bug, and why each is worth its place.
var planted = []struct{ test, why string }{
	{"StatusOnly", "the status alone is looked at: the body of every other one stays open"},
	{"Tracked", "the same over http.DefaultTransport"},
	{"EarlyReturn", "one status, 404, has a return of its own"},
	{"Retry", "a retry forgets the response before it: any 5xx shows it"},
	{"Redirect", "redirects that are followed by hand"},
	{"Decode", "a decode error returns before the Close: the JSON must be of the wrong type, and its end come late"},
	{"Head", "GET after a HEAD that is answered with 405"},
	{"Copy", "an error of io.Copy that is not the connection's: gzip that is none"},
	{"Pages", "the second page of a list: Success says that there is a next one"},
	{"Swap", "the body is swapped for a buffer, and only that is closed"},
	{"Closer", "the Close is in a goroutine that waits for ever"},
	{"Cancel", "the caller leaves with its context, and its request does not"},
	{"Upgrade", "a 101 that is refused without a Close: a socket that no goroutine shows"},
	{"Hang", "no timeout at all"},
	{"Garbage", "null for JSON is a nil pointer"},
	{"Endless", "io.ReadAll of a body that never ends"},
	{"Storm", "a retry without a limit"},
	{"Transport", "a transport for each call keeps a connection for each"},
	{"OverTLS", "the status alone, over TLS"},
	{"OverHTTP2", "the status alone, over HTTP/2: what comes whole cannot show it, and the summary says so"},
	{"Never", "a body is not closed after a good reply either"},
	{"Mocked", "httpmock: there is no connection, the body alone shows it"},
	{"MockedTimeout", "httpmock answers from a goroutine of its own"},
	{"MockedDrained", "httpmock: read to the end and not closed"},
	{"MockedDecode", "httpmock: a decode error"},
}

// TestSweepFindsPlanted: each bug is found, at its line, and named after the simplest scenario that shows it.
func TestSweepFindsPlanted(t *testing.T) {
	if testing.Short() {
		t.Skip("sweeps some twenty clients")
	}
	var tests []string
	for _, c := range planted {
		tests = append(tests, c.test)
	}
	result := runSweeps(t, "", tests)
	found := make([]string, len(planted))
	for i, c := range planted {
		t.Run(c.test, func(t *testing.T) {
			out, passed := result(t, c.test)
			assert.False(t, passed, out)
			found[i] = fmt.Sprintf("=== %s: %s\n%s\n", c.test, c.why, causes(out))
		})
	}
	if runtime.GOOS == "linux" {
		compareSweep(t, "found.txt", strings.Join(found, ""))
	}
}

// TestSweepFindsBehindTimeout: a timeout of 100 ms frees what nobody closed, while the check still looks.
func TestSweepFindsBehindTimeout(t *testing.T) {
	if testing.Short() {
		t.Skip("sweeps a client")
	}
	t.Parallel() // it waits
	out, passed := runSweep(t, "", "Timeout")
	assert.False(t, passed, out)
	assert.Regexp(t, `1\. leak in \d+ scenarios: the body of a response was never closed\n\s+taken at    planted_test.go:\d+  sweep.TestTimeout.func1\n\s+resp, err := hasty.Get\(url\) // LINE timeout`, out)
}

// twins are well-behaved clients.
var twins = []string{
	"StatusOnlyFixed", "EarlyReturnFixed", "RetryFixed", "RedirectFixed", "DecodeFixed", "HeadFixed", "CopyFixed", "PagesFixed",
	"SwapFixed", "CloserFixed", "CancelFixed", "UpgradeFixed", "HangFixed", "GarbageFixed", "EndlessFixed", "StormFixed",
	"TransportFixed", "MockedFixed", "MockedTarget", "ParallelFixed", "VerifiedFixed", "WorkerFixed", "CallCleansUp",
	"OptionIgnores", "LimitEachCall", "TargetRedirected", "MockedTargetRedirected",
}

// TestSweepIsSilent: a client without a bug passes every scenario, also where leakcheck.Main looks at the end.
func TestSweepIsSilent(t *testing.T) {
	if testing.Short() {
		t.Skip("sweeps some twenty clients")
	}
	result := runSweeps(t, "main", twins)
	for _, test := range twins {
		t.Run(test, func(t *testing.T) {
			out, passed := result(t, test)
			assert.True(t, passed, out)
			assert.Equal(t, "PASS\n", steady(out))
		})
	}
}

// TestSweepOutput compares whole outputs. Read testdata/sweep/output.txt as a user would.
func TestSweepOutput(t *testing.T) {
	cases := []struct{ test, why string }{
		{"CallFails", "an assertion of the call's own is told apart from what the sweep finds"},
		{"CallFailsAndLeaks", "and so is what it holds then"},
		{"CallSkips", "t.Skip skips one scenario"},
		{"CallExits", "the end of the goroutine is not the end of the sweep"},
		{"CallPanics", "a panic has its line, and the sweep goes on"},
		{"CallRunsSubtests", "subtests of the call belong to the scenario"},
		{"CallIsParallel", "t.Parallel would let the sweep end before its scenarios"},
		{"CallNeverReturns", "a call that does not even return when its server is closed is left behind"},
		{"CallWaitsForItsOwn", "the line to blame is that of the goroutine which the call waits for"},
		{"CleanupHangs", "what t.Cleanup waits for may hang too"},
		{"NoRequest", "a sweep that asks nothing proves nothing"},
		{"Target", "one endpoint is swept, the others have stubs of their own; unused ones are no failure"},
		{"TargetNotCalled", "a target that is never called proves nothing"},
		{"UnexpectedRequest", "a request that has no stub"},
		{"StubTwice", "Setup has a stub for the target"},
		{"Repeat", "what several calls leave is one entry"},
		{"Worker", "a goroutine that was there before sends the requests, and is named all the same"},
		{"Verified", "a check around the sweep does not tell it twice"},
		{"MockedHang", "without a socket"},
		{"MockedEndless", "without a socket"},
		{"MockedUnused", "without a socket"},
		{"KeepsState", "a call that asks once only gets one reply of all"},
		{"KeepsStateTarget", "and so does one that asks for something else then"},
		{"SetupTakesAll", "a stub of Setup is in front of the scenario's"},
		{"KeepsStateSkips", "a scenario that the call skips needs no request"},
		{"SkipsAll", "all skipped is nothing proved"},
		{"MockedKeepsState", "without a socket"},
		{"LimitOnce", "each of four calls sends too many, which is told once"},
		{"TargetRedirectedLeak", "the reply after a redirect is the scenario's"},
		{"OptionsWrong", "every option that is wrong is told at once, and nothing is run"},
		{"OptionNothing", "no scenario is left"},
		{"OptionLeakcheck", "leakcheck's own option is wrong"},
		{"OptionNilCall", "there is nothing to call"},
	}
	outs := make([]string, len(cases))
	t.Run("all", func(t *testing.T) {
		for i, c := range cases {
			t.Run(c.test, func(t *testing.T) {
				t.Parallel()
				out, _ := runSweep(t, "", c.test)
				outs[i] = fmt.Sprintf("=== %s: %s\n%s\n", c.test, c.why, steady(out))
			})
		}
	})
	all := groupList.ReplaceAllString(strings.Join(outs, ""), "There are LIST")
	if runtime.GOOS == "linux" {
		compareSweep(t, "output.txt", all)
	}
}

var groupList = regexp.MustCompile(`[Tt]here are ok, [^\n]*`)

// TestSweepParallel: what one of several scenarios at once leaves is not another's, and what nobody can be blamed for is told.
func TestSweepParallel(t *testing.T) {
	for _, c := range []struct {
		test   string
		failed []string // subtests
		says   []string
	}{
		{"ParallelBody", []string{"alb-502-html", "nginx-404-html"}, []string{"calls_test.go", "// LINE leak"}},
		{"ParallelGoroutine", []string{"nginx-404-html"}, []string{"// LINE blocked"}},
		{"ParallelDial", []string{"nginx-404-html"}, []string{"tcp4 connection within this process was never closed"}},
		{"ParallelListener", nil, []string{"sweep: leak: 1 leak: tcp4 listener was never closed", "take mockserver.Parallel out to see whose they are"}},
		{"Beside", []string{"b/alb-403-html"}, nil},
		{"MockedParallel", []string{"nginx-404-html"}, []string{"// LINE mocked-status"}},
	} {
		t.Run(c.test, func(t *testing.T) {
			if c.test == "ParallelDial" && strings.HasPrefix(runtime.Version(), "go1.25") {
				t.Skip("without labels in dumps, a connection without a goroutine may be taken for another scenario's: see Parallel")
			}
			t.Parallel()
			out, passed := runSweep(t, "", c.test)
			assert.False(t, passed, out)
			var failed []string
			for _, m := range regexp.MustCompile(`--- FAIL: Test`+c.test+`/(\S+) `).FindAllStringSubmatch(out, -1) {
				if !slicesHasPrefix(c.failed, m[1]+"/") { // its parent
					failed = append(failed, m[1])
				}
			}
			assert.ElementsMatch(t, c.failed, failed, out)
			for _, s := range c.says {
				assert.Contains(t, out, s)
			}
		})
	}
}

func slicesHasPrefix(all []string, prefix string) bool {
	for _, s := range all {
		if strings.HasPrefix(s, prefix) {
			return true
		}
	}
	return false
}

// TestSweepGivesUp: a call that always hangs does not take minutes.
func TestSweepGivesUp(t *testing.T) {
	t.Parallel() // it waits
	out, passed := runSweep(t, "", "CallAlwaysHangs")
	assert.False(t, passed)
	assert.Equal(t, maxHangs, strings.Count(out, "    --- FAIL: TestCallAlwaysHangs/"), out)
	assert.Contains(t, out, "more scenarios, because 20 scenarios did not return in time")
}

// TestSweepOne: go test -run chooses scenarios, and the first that is run tells all.
func TestSweepOne(t *testing.T) {
	out, passed := runSweep(t, "", "StatusOnly$/^nginx-404-html")
	assert.False(t, passed)
	assert.Contains(t, out, "LK001 http-response")
	assert.Contains(t, out, "sweep: 1 of 1 scenario failed, by 1 root cause")
	assert.NotContains(t, out, "alb-403")
}

// TestSweepVerbose: go test -v lists every scenario, the bad ones first.
func TestSweepVerbose(t *testing.T) {
	out, _ := runSweep(t, "", "CallFails", "-test.v")
	_, table, ok := strings.Cut(out, "  scenario         outcome   held\n")
	require.True(t, ok, out)
	assert.Regexp(t, `(?s)^ +alb-403-html     failed\n +nginx-404-html   failed\n +ok               passed\n`, table)
}

// TestSweepOptions: wrong names and codes say what there is.
func TestSweepOptions(t *testing.T) {
	out, passed := runSweep(t, "", "OptionNoName")
	assert.False(t, passed)
	assert.Contains(t, out, `mockserver.Sweep: Only("alb-403"): no scenario has such a name; did you mean "alb-403-html"? There are ok, ok-*, no-*, not-*, alb-*, nginx-*,`)
	out, passed = runSweep(t, "", "OptionNoCode")
	assert.False(t, passed)
	assert.Contains(t, out, `mockserver.Sweep: Codes(418): no scenario begins with this status; there are 200, 204, 302, 304,`)
	out, passed = runSweep(t, "", "OptionCodes")
	assert.False(t, passed)
	assert.NotRegexp(t, `--- FAIL: TestOptionCodes/\S*-(404|50\d)-`, out)
	assert.NotContains(t, out, "-old-")
}

// TestSweepScenarios: every scenario can be sent, has a name of its own, and its expression makes its replies.
func TestSweepScenarios(t *testing.T) {
	cfg := defaultSweep()
	all := sweepScenarios(&cfg)
	names := make(map[string]bool)
	for _, sc := range all {
		assert.False(t, names[sc.name], sc.name)
		names[sc.name] = true
		assert.Regexp(t, `^[a-z0-9.-]+$`, sc.name)
		assert.NotEmpty(t, sc.what, sc.name)
		require.Len(t, sc.exprs, len(sc.steps), sc.name)
		for _, r := range sc.steps {
			assert.Contains(t, []string{"", "0"}, r.retryAfter(), "%s waits", sc.name)
			assert.NoError(t, r.problem(), sc.name)
		}
	}
	for _, p := range Pages() {
		assert.True(t, names[p.Scenario], "%s is not swept", p.Scenario)
	}
	for _, name := range []string{"ok", "framing-200-chunked-late", "redirect-302-loop", "seq-503-ok", "seq-ok-503", "fault-reset", "fault-endless-body", "stall-0"} {
		assert.True(t, names[name], name)
	}
}

// TestSweepLinesCompile: what is printed to be pasted makes the very replies that the scenario sends.
func TestSweepLinesCompile(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the go command")
	}
	cfg := defaultSweep()
	all := sweepScenarios(&cfg)
	var b, want strings.Builder
	b.WriteString("package main\n\nimport (\n\t\"fmt\"\n\t\"strings\"\n\t\"time\"\n\n\t\"github.com/leakgate/leakgate/mockserver\"\n)\n\nvar _ = strings.Repeat\nvar _ time.Duration\n\nfunc main() {\n")
	for _, sc := range all {
		fmt.Fprintf(&b, "\tfmt.Printf(\"%%v\\n\", []mockserver.Reply{%s})\n", strings.Join(sc.exprs, ", "))
		fmt.Fprintf(&want, "%v\n", sc.steps)
	}
	b.WriteString("}\n")
	dir, err := os.MkdirTemp("testdata", "lines") // inside the module, so that it needs no other
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(b.String()), 0o644))
	out, err := exec.Command("go", "run", "./"+filepath.ToSlash(dir)).CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Equal(t, want.String(), string(out))
}
