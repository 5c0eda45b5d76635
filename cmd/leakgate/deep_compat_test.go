package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/fragment"
)

// shop is a module that is used in every way that go test has. With LEAK in the environment TestLeak leaks, and with FUZZLEAK the
// fuzz target.
var shop = map[string]string{
	"go.mod": "module example.com/shop\n\ngo 1.25.0\n",
	"a/a.go": `package a

import "os"

func Open() (*os.File, error) { return os.Open(os.DevNull) }
`,
	"a/a_test.go": `package a

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// keeper has a goroutine that began before the tests and keeps what it is given: what a variable held would be process-wide.
var keeper = make(chan []any)

func init() {
	go func() {
		var kept []any
		for x := range keeper {
			kept = append(kept, x)
		}
		runtime.KeepAlive(kept)
	}()
}

func keep(x ...any) { keeper <- x }

func TestClean(t *testing.T) {
	f, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

func TestParallel(t *testing.T) { t.Parallel(); TestClean(t) }

func TestEnv(t *testing.T) {
	t.Setenv("SOME", "thing")
	t.Chdir(t.TempDir())
	f, err := os.Create("x")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

// TestSelf runs this binary once more, where it leaks: that one is no test's.
func TestSelf(t *testing.T) {
	if os.Getenv("SELF") != "" {
		f, err := Open()
		keep(f, err)
		return
	}
	t.Setenv("SELF", "1")
	out, err := exec.Command(os.Args[0], "-test.run=TestSelf", "-test.v").CombinedOutput()
	if err != nil || strings.Contains(string(out), "leak") {
		t.Fatal(err, string(out))
	}
}

func TestSkipped(t *testing.T) { t.Skip("skipped") }

func TestFails(t *testing.T) {
	if os.Getenv("FAILS") != "" {
		t.Error("it fails")
	}
}

func TestHangs(t *testing.T) {
	if os.Getenv("HANGS") != "" {
		println("it hangs")
		time.Sleep(time.Hour)
	}
}

func TestLeak(t *testing.T) {
	if os.Getenv("LEAK") != "" {
		f, err := Open()
		keep(f, err)
	}
}

func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		f, _ := Open()
		f.Close()
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte("a"))
	f.Fuzz(func(t *testing.T, b []byte) {
		f, err := Open()
		if err != nil {
			t.Fatal(err)
		}
		if os.Getenv("FUZZLEAK") != "" {
			keep(f)
			return
		}
		f.Close()
	})
}

func Example() {
	// Output:
}
`,
	"exits/e_test.go": `package exits

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(7) }

func TestNothing(t *testing.T) {}
`,
	"ends/e_test.go": `package ends

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		code = 4
	}
	os.Exit(code)
}

func TestNothing(t *testing.T) {}
`,
	"none/none.go": "package none\n",
	"tagged/t_test.go": `//go:build special

package tagged

import "testing"

func TestTagged(t *testing.T) { t.Log("tagged") }
`,
	"cgo/c.go": `package cgo

// static int two(void) { return 2; }
import "C"

func Two() int { return int(C.two()) }
`,
	// Where there is no C compiler the package is one of Go alone.
	"cgo/go.go": "//go:build !cgo\n\npackage cgo\n\nfunc Two() int { return 2 }\n",
	"cgo/c_test.go": `package cgo

import "testing"

func TestTwo(t *testing.T) {
	if Two() != 2 {
		t.Fatal("C")
	}
}
`,
	"broken/b_test.go": "package broken\n\nimport \"testing\"\n\nfunc TestB(t *testing.T) { missing() }\n",
}

// writeProject writes a module.
func writeProject(t *testing.T, files map[string]string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		file := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(files[name]), 0o644))
	}
	return dir
}

// deepOutcome is what came of one run of a command.
type deepOutcome struct {
	out, errs string
	code      int
}

// deepIn runs leakgate test in a folder.
func deepIn(t *testing.T, dir string, environ []string, args ...string) deepOutcome {
	t.Helper()
	return leakgateIn(t, dir, environ, append([]string{"test"}, args...)...)
}

func leakgateIn(t *testing.T, dir string, environ []string, args ...string) deepOutcome {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(context.Background(), args, console{out: &out, err: &errs, dir: dir, environ: append(os.Environ(), environ...)})
	return deepOutcome{out.String(), errs.String(), code}
}

// plainIn runs go test there.
func plainIn(t *testing.T, dir string, environ []string, args ...string) deepOutcome {
	t.Helper()
	if i := slices.Index(args, "-C"); i >= 0 {
		args = append([]string{"test", args[i], args[i+1], "-count=1"}, args[i+2:]...)
	} else {
		args = append([]string{"test", "-count=1"}, args...)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), environ...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError))
	}
	return deepOutcome{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// alike makes the output of two runs comparable: what differs from run to run goes, and the order of packages' work.
func alike(text string) string {
	for _, v := range []struct{ what, with string }{
		{`\d+(\.\d+)?(m|µ|n)?s\b`, "TIME"}, {`"(Time|Elapsed)":[^,}]+,?`, ""}, {`\((\d+)/sec\)`, "(N/sec)"}, {`\d+(\.\d+)? ns/op`, "N ns/op"},
		{`new interesting: \d+ \(total: \d+\)`, "interesting"}, {`shuffle \d+`, "shuffle N"}, {`execs: \d+`, "execs"},
		{`(?m)^fuzz: elapsed.*\n`, ""}, {`\s+\d+\s+N ns/op`, " N ns/op"},
	} {
		text = regexp.MustCompile(v.what).ReplaceAllString(text, v.with)
	}
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// TestDeepAsPlain: what does not leak is as under go test, whatever flags there are: exit status, standard output, and nothing of
// our own.
func TestDeepAsPlain(t *testing.T) {
	deepTest(t)
	dir := writeProject(t, shop)
	all := []string{"./a", "./cgo", "./ends", "./exits", "./none"}
	for _, c := range []struct {
		name    string
		environ []string
		args    []string
		in      string
	}{
		{"all", nil, all, ""},
		{"no packages", nil, nil, "a"},
		{"verbose", nil, []string{"-v", "-p=1", "./a", "./cgo"}, ""},
		{"a test fails", []string{"FAILS=1"}, []string{"-v", "./a"}, ""},
		{"tags", nil, []string{"-tags", "special", "-v", "./tagged"}, ""},
		{"GOFLAGS", []string{"GOFLAGS=-tags=special '-run=Tagged|Clean' -mod=mod"}, []string{"-v", "./tagged", "./a"}, ""},
		{"list", nil, []string{"-list", ".", "./a"}, ""},
		{"bench", nil, []string{"-bench=.", "-benchtime=10x", "-run=^$", "./a"}, ""},
		{"fuzz", nil, []string{"-fuzz=FuzzOpen", "-fuzztime=100x", "-run=^$", "./a"}, ""},
		{"shuffle and others", nil, []string{"-shuffle=on", "-parallel=1", "-failfast", "-cpu=1,2", "-count=3", "-v", "-run=TestClean|TestEnv", "./a"}, ""},
		{"cover", nil, []string{"-cover", "-coverpkg=./a,./cgo", "./a", "./cgo"}, ""},
		{"json", nil, []string{"-json", "-p=1", "./a"}, ""},
		{"exec", nil, []string{"-exec", "env SOME=thing", "./a"}, ""},
		{"chdir", nil, []string{"-C", "a", "-v"}, ""},
		{"the standard library's", nil, []string{"-run=^$", "os/exec"}, ""},
		{"short", nil, []string{"-short", "-skip=Parallel", "-v", "./a"}, ""},
		{"args", nil, []string{"-run=TestClean", "./a", "-args", "word", "-report", "-kinds"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "fuzz" {
				compilesAgain(t)
			}
			in := filepath.Join(dir, c.in)
			want, got := plainIn(t, in, c.environ, c.args...), deepIn(t, in, c.environ, c.args...)
			assert.Equal(t, want.code, got.code, "%s%s", got.out, got.errs)
			assert.Equal(t, alike(want.out), alike(got.out))
			assert.Equal(t, alike(want.errs), alike(withoutFirst(got.errs)))
		})
	}
}

// deepTest begins a test that compiles the standard library with the hooks in it.
func deepTest(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles the standard library with the hooks in it: left out with -short")
	}
	t.Setenv("LEAKGATE_CACHE", t.TempDir())
	t.Setenv(reportEnv, "")
	t.Setenv(baselineEnv, "")
}

// compilesAgain leaves out what compiles the standard library once more, in another way: minutes on a small machine.
func compilesAgain(t *testing.T) {
	t.Helper()
	if os.Getenv("LEAKGATE_DEEP_ALL") == "" {
		t.Skip("compiles the standard library once more, for -race or -fuzz: LEAKGATE_DEEP_ALL=1 runs it")
	}
}

// withoutFirst leaves out what is said of a first run.
func withoutFirst(errs string) string {
	return regexp.MustCompile(`(?m)^leakgate: the first (run|result) .*\n`).ReplaceAllString(errs, "")
}

// leakAt is the line of a report that has to be there.
const leakAt = `taken at    (a/)?a\.go:5  a\.Open\n`

// TestDeepFindsAnyhow: a leak is found, with its line and the exit status, whatever flags there are.
func TestDeepFindsAnyhow(t *testing.T) {
	deepTest(t)
	dir := writeProject(t, shop)
	leak := []string{"LEAK=1"}
	for _, c := range []struct {
		name string
		args []string
	}{
		{"plain", []string{"./a"}},
		{"cover", []string{"-coverpkg=./...", "./a"}},
		{"count", []string{"-count=3", "-cpu=1,2", "./a"}},
		{"failfast", []string{"-failfast", "-shuffle=1", "./a"}},
		{"exec", []string{"-exec=env A=b", "./a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := deepIn(t, dir, leak, c.args...)
			assert.Equal(t, exitLeaks, got.code, "%s%s", got.out, got.errs)
			assert.Regexp(t, leakAt, got.out)
			assert.Contains(t, got.out, "--- FAIL: TestLeak")
			assert.NotContains(t, got.out, "--- FAIL: TestSelf")
			assert.Empty(t, withoutFirst(got.errs))
		})
	}
	t.Run("timeout", func(t *testing.T) {
		got := deepIn(t, dir, []string{"HANGS=1"}, "-timeout=3s", "-run=TestHangs", "./a")
		assert.Equal(t, exitLeaks, got.code)
		assert.Regexp(t, `panic: test timed out after 3s\n\trunning tests:\n\t\tTestHangs \(\d+s\)\n`, got.out)
		assert.Regexp(t, `example\.com/shop/a\.TestHangs\(0x[0-9a-f]+\??\)\n\t.*/a/a_test\.go:\d+`, got.out)
		assert.Empty(t, withoutFirst(got.errs))
	})
	t.Run("a binary of -c", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "a.test.exe")
		got := deepIn(t, dir, nil, "-c", "-o", file, "./a")
		require.Equal(t, exitOK, got.code, got.errs)
		assert.Empty(t, got.out)
		byHand := func(environ ...string) (string, error) {
			cmd := exec.Command(file, "-test.run=TestLeak|TestClean")
			cmd.Dir = filepath.Join(dir, "a")
			cmd.Env = append(os.Environ(), append(environ, "LEAK=1")...)
			out, err := cmd.CombinedOutput()
			return string(out), err
		}
		out, err := byHand()
		assert.NoError(t, err)
		assert.Equal(t, "PASS\n", out)
		out, err = byHand("LEAKGATE_DEEP=on")
		assert.Error(t, err)
		assert.Regexp(t, leakAt, out)
	})
	t.Run("fuzz targets", func(t *testing.T) { // the seeds are run by the binary itself, the rest by its children
		leak := []string{"FUZZLEAK=1"}
		got := deepIn(t, dir, leak, "-run=FuzzOpen", "./a")
		assert.Equal(t, exitLeaks, got.code, "%s%s", got.out, got.errs)
		assert.Regexp(t, leakAt, got.out)
		compilesAgain(t)
		got = deepIn(t, dir, leak, "-fuzz=FuzzOpen", "-fuzztime=50x", "-run=^$", "./a")
		assert.NotContains(t, got.out, "panic", "the workers go on")
	})
}

// TestDeepRace is -race, which compiles the standard library once more.
func TestDeepRace(t *testing.T) {
	compilesAgain(t)
	deepTest(t)
	if runtime.GOARCH == "386" {
		t.Skip("there is no -race for 386")
	}
	if out, err := exec.Command("go", "env", "CGO_ENABLED").Output(); err != nil || strings.TrimSpace(string(out)) != "1" {
		if os.Getenv("LEAKGATE_REQUIRE_SERVICES") == "1" {
			t.Fatal("-race needs cgo and a C compiler, and LEAKGATE_REQUIRE_SERVICES=1 wants it")
		}
		t.Skip("-race needs cgo, and there is none here")
	}
	dir := writeProject(t, shop)
	got := deepIn(t, dir, []string{"LEAK=1"}, "-race", "./a")
	assert.Equal(t, exitLeaks, got.code, "%s%s", got.out, got.errs)
	assert.Regexp(t, leakAt, got.out)
	assert.NotContains(t, got.out, "DATA RACE")
	got = deepIn(t, dir, nil, "-race", "-v", "./a")
	assert.Equal(t, exitOK, got.code, "%s%s", got.out, got.errs)
	assert.NotContains(t, got.out, "DATA RACE")
}

// TestDeepModules: workspaces from their root and from a member, and vendored modules.
func TestDeepModules(t *testing.T) {
	deepTest(t)
	dir := writeProject(t, map[string]string{
		"go.work":    "go 1.25.0\n\nuse ./one\nuse ./two\n",
		"one/go.mod": "module example.com/one\n\ngo 1.25.0\n",
		"one/one.go": "package one\n\nimport \"os\"\n\nfunc Open() (*os.File, error) { return os.Open(os.DevNull) }\n",
		"two/go.mod": "module example.com/two\n\ngo 1.25.0\n",
		"two/two_test.go": `package two

import (
	"runtime"
	"testing"

	"example.com/one"
)

// keeper has a goroutine that began before the tests and keeps what it is given: what a variable held would be process-wide.
var keeper = make(chan []any)

func init() {
	go func() {
		var kept []any
		for x := range keeper {
			kept = append(kept, x)
		}
		runtime.KeepAlive(kept)
	}()
}

func keep(x ...any) { keeper <- x }

func TestTwo(t *testing.T) {
	f, err := one.Open()
	keep(f, err)
}
`,
	})
	for in, args := range map[string][]string{".": {"./one/...", "./two/..."}, "two": {"./..."}, "one": {"example.com/two"}} {
		got := deepIn(t, filepath.Join(dir, in), []string{"GOWORK="}, args...) // it may be off where the tests run
		assert.Equal(t, exitLeaks, got.code, "%s: %s%s", in, got.out, got.errs)
		assert.Regexp(t, `one\.go:5  one\.Open\n`, got.out, in)
	}

	mod := filepath.Join(dir, "two", "go.mod")
	require.NoError(t, os.WriteFile(mod, []byte("module example.com/two\n\ngo 1.25.0\n\nrequire example.com/one v1.0.0\n\nreplace example.com/one => ../one\n"), 0o644))
	cmd := exec.Command("go", "mod", "vendor")
	cmd.Dir, cmd.Env = filepath.Join(dir, "two"), append(os.Environ(), "GOWORK=off")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.DirExists(t, filepath.Join(dir, "two", "vendor", "example.com", "one"))
	for _, args := range [][]string{nil, {"-mod=vendor"}} {
		got := deepIn(t, filepath.Join(dir, "two"), []string{"GOWORK=off"}, args...)
		assert.Equal(t, exitLeaks, got.code, "%s%s", got.out, got.errs)
		assert.Regexp(t, `two_test\.go:26  two\.TestTwo\n`, got.out)
	}
}

// TestDeepOwnOverlay: the user's own overlay is as under go test, in each way of giving it, and its file of the standard library
// has the hooks.
func TestDeepOwnOverlay(t *testing.T) {
	deepTest(t)
	dir := writeProject(t, shop)
	write := func(name, text string) {
		t.Helper()
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	write("mine.go.txt", strings.Replace(shop["a/a.go"], "return", "println(\"mine\"); return", 1))
	// Of the standard library something that little is built on.
	write("a/sql_test.go", "package a\n\nimport _ \"database/sql\"\n")
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	require.NoError(t, err)
	std := filepath.Join(strings.TrimSpace(string(goroot)), "src", "database", "sql", "sql.go")
	text, err := os.ReadFile(std)
	require.NoError(t, err)
	write("sql.go.txt", string(text)+"\nfunc init() { println(\"mine too\") }\n")
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{"a/a.go": "mine.go.txt", std: filepath.Join(dir, "sql.go.txt"), "a/a_test.go": "a/a_test.go", "tagged/t_test.go": ""}})
	require.NoError(t, err)
	write("o.json", string(overlay))
	for _, c := range []struct {
		environ []string
		args    []string
	}{
		{nil, []string{"-overlay=o.json"}},
		{nil, []string{"-v", "-overlay", filepath.Join(dir, "o.json")}},
		{[]string{"GOFLAGS=-overlay=o.json"}, nil},
	} {
		environ := append(c.environ, "LEAK=1")
		got := deepIn(t, dir, environ, append(c.args, "-run=TestLeak", "./a")...)
		assert.Equal(t, exitLeaks, got.code, "%s%s", got.out, got.errs)
		assert.Regexp(t, `mine\n`, got.out)
		assert.Regexp(t, `mine too\n`, got.out)
		assert.Regexp(t, leakAt, got.out)
	}
}

// TestDeepJSON: the lines of go test are as they are, and each leak is one more that other programs take for nothing.
func TestDeepJSON(t *testing.T) {
	deepTest(t)
	dir := writeProject(t, shop)
	for _, c := range []struct {
		environ []string
		args    []string
		pkg     string
	}{
		{nil, []string{"-json", "-p=1", "./a", "./ends"}, "example.com/shop/a"},
		{[]string{"GOFLAGS=-json"}, []string{"-count=2", "./a"}, "example.com/shop/a"},
		{nil, []string{"-json", "a/a.go", "a/a_test.go"}, "command-line-arguments"},
	} {
		got := deepIn(t, dir, append(c.environ, "LEAK=1"), c.args...)
		assert.Equal(t, exitLeaks, got.code, "%s%s", got.out, got.errs)
		leaks, over := 0, false
		dec := json.NewDecoder(strings.NewReader(got.out))
		for {
			var e struct {
				Action, Package, Test string
				Output                *string
				Leak                  *fragment.Leak
			}
			err := dec.Decode(&e)
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
			if e.Package == c.pkg && e.Test == "" && e.Action == "fail" {
				over = true
			}
			if e.Leak == nil {
				continue
			}
			leaks++
			assert.False(t, over, "it comes before the end of the package")
			assert.Equal(t, []string{"output", c.pkg, ""}, []string{e.Action, e.Package, e.Test})
			require.NotNil(t, e.Output)
			assert.Empty(t, *e.Output)
			assert.Equal(t, []any{"TestLeak", "LK303", "failed", "file " + os.DevNull + " was never closed"}, []any{e.Leak.Test, e.Leak.Code, e.Leak.Outcome, e.Leak.Summary})
			assert.Equal(t, 5, e.Leak.Site.Line)
		}
		want := 1
		if slices.Contains(c.args, "-count=2") {
			want = 2
		}
		assert.Equal(t, want, leaks)
		assert.True(t, over)
	}
}

// TestDeepReports: fragments, the report and baselines are as without deep mode, also where the module has the harness in it.
func TestDeepReports(t *testing.T) {
	deepTest(t)
	dir := writeProject(t, shop)
	leaks := filepath.Join(dir, "leaks")
	leak := []string{"LEAK=1", "CI="}

	got := deepIn(t, dir, append(leak, reportEnv+"=leaks"), "./a", "./cgo")
	require.Equal(t, exitLeaks, got.code, "%s%s", got.out, got.errs)
	fragments, errs := fragment.ReadDir(leaks)
	require.Empty(t, errs)
	require.Len(t, fragments, 2)
	for _, f := range fragments {
		assert.NotNil(t, f.End)
		assert.True(t, f.Main, "it sees tests that do not call Verify")
		assert.True(t, f.Deep)
	}
	got = leakgateIn(t, dir, leak, "report", "leaks")
	assert.Equal(t, exitLeaks, got.code)
	assert.Contains(t, got.out, "leakgate: 1 leak: file "+os.DevNull+" was never closed\n")
	assert.Regexp(t, leakAt, got.out)
	assert.Contains(t, got.out, "to accept what is there today: leakgate baseline accept -deep -reason \"why it stays\" example.com/shop/a\n")

	file := filepath.Join(dir, "leakgate.baseline")
	got = leakgateIn(t, dir, leak, "baseline", "accept", "-deep", "./a", "./cgo")
	require.Equal(t, exitOK, got.code, "%s%s", got.out, got.errs)
	assert.Contains(t, got.out, "leakgate.baseline: 1 added\n")
	require.FileExists(t, file)
	got = deepIn(t, dir, leak, "./a", "./cgo")
	assert.Equal(t, exitOK, got.code, "%s%s", got.out, got.errs)
	got = leakgateIn(t, dir, leak, "baseline", "check", "-deep", "./a", "./cgo")
	assert.Equal(t, exitOK, got.code, "%s%s", got.out, got.errs)
	got = deepIn(t, dir, leak, "-baseline=off", "./a")
	assert.Equal(t, exitLeaks, got.code)

	// Under another name it is a baseline all the same.
	other := filepath.Join(dir, "other")
	require.NoError(t, os.Rename(file, other))
	got = deepIn(t, dir, leak, "./a")
	assert.Equal(t, exitLeaks, got.code)
	got = deepIn(t, dir, leak, "-baseline", "other", "./a")
	assert.Equal(t, exitOK, got.code, "%s%s", got.out, got.errs)
	require.NoError(t, os.Rename(other, file))

	// A leak that it does not have says how it comes in: by a run as this one.
	got = deepIn(t, dir, append(leak, "FUZZLEAK=1"), "./a")
	assert.Equal(t, exitLeaks, got.code)
	assert.Contains(t, got.out, "to accept it into the baseline: leakgate baseline accept -deep -reason \"why it stays\" example.com/shop/a\n")

	got = leakgateIn(t, dir, []string{"CI="}, "baseline", "check", "-deep", "./a", "./cgo")
	assert.Equal(t, exitLeaks, got.code, "it is stale: %s%s", got.out, got.errs)
	assert.Contains(t, got.out, "what to do: leakgate baseline prune -deep takes out what is gone; commit the file\n")
	got = deepIn(t, dir, []string{reportEnv + "=gone"}, "./a", "./cgo")
	require.Equal(t, exitOK, got.code, "%s%s", got.out, got.errs)
	got = leakgateIn(t, dir, []string{"CI="}, "report", "gone")
	assert.Contains(t, got.out, "leakgate baseline prune -deep example.com/shop/a\n")
	got = leakgateIn(t, dir, []string{"CI="}, "baseline", "prune", "-deep", "./a", "./cgo", "--", "-v")
	assert.Equal(t, exitOK, got.code, "%s%s", got.out, got.errs)
	assert.NoFileExists(t, file)
}
