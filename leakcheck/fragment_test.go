package leakcheck_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/fragment"
)

// shop is testdata/shop as a module of its own, in a folder of its own, and its test binary.
type shop struct{ dir, bin string }

var theShop = sync.OnceValues(func() (*shop, error) {
	dir, err := os.MkdirTemp("", "leakcheck-shop")
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	s := &shop{dir: filepath.Join(dir, "shop"), bin: filepath.Join(dir, "store.test.exe")}
	shopDir = dir
	root, err := filepath.Abs("..")
	if err != nil {
		return nil, err
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		return nil, err
	}
	if err := os.CopyFS(s.dir, os.DirFS(filepath.Join("testdata", "shop"))); err != nil {
		return nil, err
	}
	mod := "module example.com/shop\n\ngo 1.25.0\n\nrequire github.com/leakgate/leakgate v0.0.0\n\nrequire go.uber.org/goleak v1.3.0 // indirect\n\n" +
		"replace github.com/leakgate/leakgate => " + filepath.ToSlash(root) + "\n"
	for name, text := range map[string]string{"go.mod": mod, "go.sum": string(sum), ".git/HEAD": ""} {
		path := filepath.Join(s.dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	return s, s.build(s.bin)
})

// shopDir is removed by TestMain.
var shopDir string

func (s *shop) build(bin string, flags ...string) error {
	args := append([]string{"test", "-c", "-o", bin}, flags...)
	if raceEnabled {
		args = append(args, "-race")
	}
	out, err := s.command("go", append(args, "./store")...).CombinedOutput()
	if err != nil {
		return &buildError{string(out), err}
	}
	return nil
}

// command runs in the module, with nothing of what steers this test.
func (s *shop) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "LEAKGATE_") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(cmd.Env, "GOWORK=off", "GOPROXY=off", "GOFLAGS=-mod=mod")
	return cmd
}

// shopRun is one run of the module's test binary.
type shopRun struct {
	bin    string // "" for the one that is built as usual
	main   string
	report string // "" for a folder of its own
	env    []string
	args   []string
}

// run gives what was printed, whether it passed, and the fragments.
func (r shopRun) run(t *testing.T) (out string, passed bool, all []*fragment.Fragment) {
	t.Helper()
	s, err := theShop()
	require.NoError(t, err)
	bin, dir := s.bin, r.report
	if r.bin != "" {
		bin = r.bin
	}
	if dir == "" {
		dir = t.TempDir()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, r.args...)
	base := s.command("")
	cmd.Dir, cmd.Env = filepath.Join(s.dir, "store"), base.Env
	cmd.Env = append(cmd.Env, "SHOP_MAIN="+r.main, "LEAKGATE_REPORT="+dir)
	cmd.Env = append(cmd.Env, r.env...)
	text, err := cmd.CombinedOutput()
	require.NoError(t, ctx.Err(), "hung: %s", text)
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(s.dir, dir)
	}
	if _, err := os.Stat(dir); err == nil {
		var errs []error
		all, errs = fragment.ReadDir(dir)
		require.Empty(t, errs)
	}
	return string(text), err == nil, all
}

// one is run for a process that has written one fragment.
func (r shopRun) one(t *testing.T) (string, bool, *fragment.Fragment) {
	t.Helper()
	out, passed, all := r.run(t)
	require.Len(t, all, 1, out)
	return out, passed, all[0]
}

// outline is what a fragment says, a line for each record. Tests come first, then leaks, each in their order.
func outline(f *fragment.Fragment) string {
	var b strings.Builder
	for _, x := range f.Tests {
		fmt.Fprintf(&b, "test %s %s\n", x.Name, x.Result)
	}
	for _, l := range f.Leaks {
		fmt.Fprintf(&b, "leak %s %s %s×%d", l.Test, l.Outcome, l.Code, l.Count)
		if l.Allowed > 0 {
			fmt.Fprintf(&b, " allowed %d", l.Allowed)
		}
		if l.Expired != "" {
			fmt.Fprintf(&b, " expired %s", l.Expired)
		}
		b.WriteByte('\n')
	}
	for _, ig := range f.Ignored {
		fmt.Fprintf(&b, "ignored %s %d %s\n", ig.Test, ig.Count, ig.Reason)
	}
	if f.End != nil {
		fmt.Fprintf(&b, "end %d\n", f.End.Code)
	}
	return b.String()
}

func lines(l ...string) string { return strings.Join(l, "\n") + "\n" }

// TestFragment says, for each way that a test or a process can end, what the report of it has.
func TestFragment(t *testing.T) {
	for _, c := range []struct {
		name string
		why  string
		run  shopRun
		want string
	}{
		{"passes", "a test that calls Verify is listed", shopRun{args: []string{"-test.run=TestPass$"}}, lines("test TestPass passed")},
		{"passes, Main", "and once, though Main knows it too", shopRun{main: "main", args: []string{"-test.run=TestPass$"}}, lines("test TestPass passed", "end 0")},
		{"leaks", "what leaked alone has failed it", shopRun{args: []string{"-test.run=TestLeak$"}}, lines("test TestLeak leaked", "leak TestLeak failed LK102×1")},
		{"two checks", "two checks of one test are one test", shopRun{args: []string{"-test.run=TestTwoChecks"}}, lines("test TestTwoChecks leaked", "leak TestTwoChecks failed LK102×1")},
		{"fails", "by itself: what it holds is excused", shopRun{main: "main", args: []string{"-test.run=TestFails$"}}, lines("test TestFails failed", "leak TestFails excused LK102×1", "end 1")},
		{"fails now", "FailNow ends the goroutine", shopRun{args: []string{"-test.run=TestFailNow"}}, lines("test TestFailNow failed", "leak TestFailNow excused LK102×1")},
		{"subtests", "the parent of one that fails by itself failed by itself too", shopRun{args: []string{"-test.run=TestFailsAfterIts"}}, lines(
			"test TestFailsAfterIts/leaks leaked", "test TestFailsAfterIts/fails failed", "test TestFailsAfterIts failed", "leak TestFailsAfterIts/leaks failed LK102×1")},
		{"sweep", "each scenario is a test", shopRun{args: []string{"-test.run=TestSweep"}}, lines(
			"test TestSweep/alb-403-html leaked", "test TestSweep/alb-502-html leaked", "test TestSweep leaked",
			"leak TestSweep/alb-403-html failed LK001×1", "leak TestSweep/alb-502-html failed LK001×1")},
		{"sweep of a call that fails", "", shopRun{main: "main", env: []string{"SHOP_SWEEP=fails"}, args: []string{"-test.run=TestSweep/alb-403"}}, lines(
			"test TestSweep/alb-403-html failed", "test TestSweep failed", "leak TestSweep/alb-403-html excused LK001×1", "end 1")},
		{"skips", "", shopRun{args: []string{"-test.run=TestSkips"}}, lines("test TestSkips skipped")},
		{"panics", "the process ends, and what was known is there", shopRun{main: "main", args: []string{"-test.run=TestLeak$|TestPanics"}}, lines(
			"test TestLeak leaked", "test TestPanics failed", "leak TestLeak failed LK102×1", "leak TestPanics excused LK102×1")},
		{"panics without Main", "", shopRun{args: []string{"-test.run=TestPanics"}}, lines("test TestPanics failed", "leak TestPanics excused LK102×1")},
		{"Goexit", "it neither failed nor skipped its test", shopRun{main: "main", args: []string{"-test.run=TestGoexit"}}, lines("test TestGoexit failed")},
		{"Goexit without Main", "", shopRun{args: []string{"-test.run=TestGoexit"}}, lines("test TestGoexit failed")},
		{"os.Exit", "nobody runs after it", shopRun{main: "main", args: []string{"-test.run=TestLeak$|TestExits"}}, lines("test TestLeak leaked", "leak TestLeak failed LK102×1")},
		{"killed", "nor after this", shopRun{main: "main", args: []string{"-test.run=TestBody|TestKilled"}}, lines("test TestBody leaked", "leak TestBody failed LK001×1")},
		{"parallel", "", shopRun{main: "main", args: []string{"-test.run=TestParallel"}}, ""},
		{"count", "a test that runs twice is there twice", shopRun{main: "main", args: []string{"-test.run=TestLeak$|TestSkips", "-test.count=2"}}, lines(
			"test TestLeak leaked", "test TestSkips skipped", "test TestLeak leaked", "test TestSkips skipped",
			"leak TestLeak failed LK102×1", "leak TestLeak failed LK102×1", "end 1")},
		{"unverified", "Main finds what it leaks, and what it used of pools is counted", shopRun{main: "main", args: []string{"-test.run=TestUnverified"}}, lines(
			"test TestUnverified passed", "test TestUnverifiedPool passed", "leak TestUnverified failed LK102×1", "end 1")},
		{"ignores", "what is ignored is counted with its reason", shopRun{args: []string{"-test.run=TestIgnores"}}, lines("test TestIgnores passed", "ignored TestIgnores 1 lives as long as the process")},
		{"notes", "what holds nothing now", shopRun{args: []string{"-test.run=TestNotes"}}, lines("test TestNotes passed", "leak TestNotes noted LK002×1")},
		{"bubble", "clocks stand in the year 2000 there", shopRun{args: []string{"-test.run=TestBubble$"}}, lines("test TestBubble passed")},
		{"fuzz seeds", "", shopRun{main: "main", args: []string{"-test.run=FuzzLeaks"}}, lines(
			"test FuzzLeaks/seed#0 leaked", "test FuzzLeaks/seed#1 passed", "test FuzzLeaks leaked", "leak FuzzLeaks/seed#0 failed LK102×1", "end 1")},
		{"benchmark", "once for each run of its function", shopRun{args: []string{"-test.run=^$", "-test.bench=Leaks", "-test.benchtime=1x"}}, lines(
			"test BenchmarkLeaks leaked", "leak BenchmarkLeaks failed LK102×1")},
		{"example", "it has no T, and passed when the run did", shopRun{main: "main", args: []string{"-test.run=ExampleWatch"}}, lines(
			"test ExampleWatch passed", "leak ExampleWatch failed LK102×1", "end 1")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Log(c.why)
			out, _, f := c.run.one(t)
			got := outline(f)
			if c.name == "parallel" { // which comes first is not said
				all := strings.Split(strings.TrimSpace(got), "\n")
				slices.Sort(all)
				got, c.want = strings.Join(all, "\n"), "end 1\nleak TestParallel/a failed LK102×1\nleak TestParallel/b failed LK102×1\n"+
					"test TestParallel leaked\ntest TestParallel/a leaked\ntest TestParallel/b leaked"
			}
			assert.Equal(t, c.want, got, out)
			assert.Equal(t, c.run.main != "", f.Main)
			assert.Greater(t, f.Began.Year(), 2020, "a bubble's clock begins in 2000")
			for _, x := range f.Tests {
				assert.False(t, x.Began.Before(f.Began), "%s began at %s", x.Name, x.Began)
				assert.GreaterOrEqual(t, x.Goroutines.Most, max(x.Goroutines.Before, x.Goroutines.After, 1), x.Name)
				assert.GreaterOrEqual(t, x.Sockets.Most, max(x.Sockets.Before, x.Sockets.After), x.Name)
			}
		})
	}
}

// TestFragmentUnusedIgnores: where a test failed by itself, an ignore that matched nothing may be needed all the same.
func TestFragmentUnusedIgnores(t *testing.T) {
	s, err := theShop()
	require.NoError(t, err)
	bin := filepath.Join(t.TempDir(), "early.test.exe")
	text, err := s.command("go", "test", "-c", "-o", bin, "./early").CombinedOutput()
	require.NoError(t, err, string(text))
	for env, want := range map[string][]string{
		"EARLY=fatal": nil,
		"EARLY=":      {`Ignore("lives on", Func("example.com/shop/early.live"))`},
	} {
		_, passed, f := shopRun{bin: bin, env: []string{env}}.one(t)
		assert.Equal(t, want != nil, passed, env)
		assert.Equal(t, want, f.End.Unused, env)
	}
}

// TestFragmentFuzzing: the workers, which run a test a million times, write nothing.
func TestFragmentFuzzing(t *testing.T) {
	out, passed, all := shopRun{main: "main", args: []string{
		"-test.run=^$", "-test.fuzz=FuzzClean$", "-test.fuzztime=200x", "-test.fuzzcachedir=" + t.TempDir(), "-test.parallel=2",
	}}.run(t)
	assert.True(t, passed, out)
	require.Len(t, all, 1, out)
	assert.Equal(t, lines("test FuzzClean passed", "end 0"), outline(all[0]))
}

// TestFragmentHeader: what a report says of the process, however the binary was built and wherever it runs.
func TestFragmentHeader(t *testing.T) {
	s, err := theShop()
	require.NoError(t, err)
	_, _, f := shopRun{main: "main", args: []string{"-test.run=TestChdir", "-test.short"}}.one(t)
	h := f.Header
	assert.Equal(t, fragment.Header{
		Module: "example.com/shop", Package: "example.com/shop/store", Dir: "store", ModuleDir: ".", GoVersion: runtime.Version(),
		GOOS: runtime.GOOS, GOARCH: runtime.GOARCH, PID: h.PID, Began: h.Began, Main: true, Short: true, Filtered: true,
	}, h)
	require.Len(t, f.Leaks, 1)
	site := f.Leaks[0].Site
	want := fragment.Frame{
		Func: "example.com/shop/store.Watch", File: "store/store.go", Line: shopLine(t, "watch"), Source: "go wait(begun) // LINE watch", InModule: true,
	}
	assert.Equal(t, want, site, "the test has left its folder")

	trimmed := filepath.Join(filepath.Dir(s.bin), "trimmed.test.exe")
	// As -trimpath does, without compiling the standard library anew.
	require.NoError(t, s.build(trimmed, "-gcflags=example.com/shop/...=-trimpath="+s.dir+"=>example.com/shop"))
	_, _, f = shopRun{bin: trimmed, args: []string{"-test.run=TestChdir"}}.one(t)
	require.Len(t, f.Leaks, 1)
	assert.Equal(t, want, f.Leaks[0].Site, "-trimpath")
	assert.Equal(t, "example.com/shop/store", f.Package)
}

// shopLine finds the line of store.go that ends in the mark.
func shopLine(t *testing.T, mark string) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "shop", "store", "store.go"))
	require.NoError(t, err)
	before, _, ok := strings.Cut(string(data), "// LINE "+mark+"\n")
	require.True(t, ok)
	return strings.Count(before, "\n") + 1
}

// TestFragmentPools: what a test used of each pool is exact, with Verify and without.
func TestFragmentPools(t *testing.T) {
	_, _, f := shopRun{main: "main", args: []string{"-test.run=TestPool$|TestUnverifiedPool"}}.one(t)
	require.Len(t, f.Tests, 2)
	for _, x := range f.Tests {
		require.Len(t, x.Pools, 1, x.Name)
		p := x.Pools[0]
		assert.Equal(t, fragment.Pool{Kind: "http-conn", Name: "*http.Transport", Size: 4, Requests: 3, Peak: 3, Dialed: p.Dialed, Reused: 3 - p.Dialed, Early: p.Early}, p, x.Name)
	}
}

// TestFragmentSamples: there are points between the beginning and the end of a test that takes its time.
func TestFragmentSamples(t *testing.T) {
	for _, main := range []string{"", "main"} {
		_, _, f := shopRun{main: main, args: []string{"-test.run=TestLong"}}.one(t)
		require.GreaterOrEqual(t, len(f.Samples), 4, main)
		for i, s := range f.Samples {
			assert.Positive(t, s.Goroutines)
			if i > 0 {
				assert.False(t, s.At.Before(f.Samples[i-1].At), "in order of time")
			}
		}
		require.Len(t, f.Tests, 1)
		assert.Greater(t, f.Tests[0].Goroutines.Most, f.Tests[0].Goroutines.Before)
	}
}

// TestFragmentFails: a report that cannot be written fails the run, with one clear error.
func TestFragmentFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	for _, main := range []string{"", "main"} {
		out, passed, _ := shopRun{main: main, report: filepath.Join(file, "out"), args: []string{"-test.run=TestPass$|TestSkips"}}.run(t)
		assert.False(t, passed)
		assert.Equal(t, 1, strings.Count(out, "leakgate: no report can be written to "), out)
		assert.Contains(t, out, file)
	}
}

// TestFragmentBlank: a variable with nothing but blanks in it, as a script may leave it, names no folder.
func TestFragmentBlank(t *testing.T) {
	s, err := theShop()
	require.NoError(t, err)
	out, passed, all := shopRun{report: " ", args: []string{"-test.run=TestPass$"}}.run(t)
	assert.True(t, passed, out)
	assert.Empty(t, all)
	assert.NoDirExists(t, filepath.Join(s.dir, " "))
}

// TestFragmentNotCached: go test runs anew what has passed when a report is asked for, and not when none is.
func TestFragmentNotCached(t *testing.T) {
	if testing.Short() {
		t.Skip("it links a binary with go test")
	}
	s, err := theShop()
	require.NoError(t, err)
	outside := t.TempDir()
	test := func(env ...string) string {
		cmd := s.command("go", "test", "-run=TestPass$", "./store")
		cmd.Env = append(cmd.Env, env...)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	const with, without = "SHOP_MAIN=main", "SHOP_MAIN="
	test(without)
	assert.Contains(t, test(without), "(cached)", "without a report")
	for _, c := range [][2]string{{with, outside}, {without, outside}, {with, "reports"}} { // outside of the module, and in it
		for range 2 {
			assert.NotContains(t, test(c[0], "LEAKGATE_REPORT="+c[1]), "(cached)", "%v", c)
		}
	}
	for dir, n := range map[string]int{outside: 4, filepath.Join(s.dir, "reports"): 2} {
		all, errs := fragment.ReadDir(dir)
		assert.Empty(t, errs)
		assert.Len(t, all, n, dir)
	}
}

// withoutTimes takes out of what a process printed what differs from run to run.
func withoutTimes(out, dir string) string {
	out = strings.ReplaceAll(out, dir, "SHOP")
	out = regexp.MustCompile(`\(\d+\.\d+s\)`).ReplaceAllString(out, "(T)")
	out = regexp.MustCompile(`testing\.go:\d+`).ReplaceAllString(out, "store_test.go:0") // in a bubble, by Go version
	return strings.TrimRight(regexp.MustCompile(`(store\.go|Watch):\d+`).ReplaceAllString(out, "$1:LINE"), "\n")
}
