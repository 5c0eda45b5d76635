package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/deep"
)

// deepRun runs leakgate test in the module of testdata/deep.
func deepRun(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(context.Background(), append([]string{"test"}, args...), console{out: &o, err: &e, dir: filepath.Join("testdata", "deep")})
	return o.String(), e.String(), code
}

// vary are the parts of a report that are not the same in each run.
var vary = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`\b(fd|descriptor|pid) \d+`), "$1 N"},
	{regexp.MustCompile(`\d+\.\d+s`), "SECONDS"},
	{regexp.MustCompile(`\b\d+(\.\d+)?m?s\b`), "TIME"},
	{regexp.MustCompile(`\d+ looks`), "N looks"},
}

// provedHTTP1 is what is proved of the body of a response that has a connection to itself.
var provedHTTP1 = regexp.MustCompile(`(bytes read); proved: no code can release it any more(\n +also holds)`)

// measured is what a benchmark has measured, and on what.
var measured = regexp.MustCompile(`(?m)^(Benchmark[\w/]+|goos|goarch|cpu)[-:].*$`)

func steadyText(text string) string {
	for _, v := range vary {
		text = v.what.ReplaceAllString(text, v.with)
	}
	return text
}

// TestDeep is deep mode on a module that knows nothing of it. It compiles the standard library when it runs for the first time, so
// that -short leaves it out.
func TestDeep(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the standard library with the hooks in it: left out with -short")
	}
	t.Setenv("LEAKGATE_CACHE", t.TempDir())

	out, errs, code := deepRun(t, "./clean")
	assert.Equal(t, exitOK, code, "%s%s", out, errs)
	assert.Contains(t, out, "ok  \texample.com/shop/clean")

	out, _, _ = deepRun(t, "-v", "./clean")
	for _, what := range []string{"file /dev/null was never closed", "tcp4 listener was never closed", "goroutine clean.get.func1.1 has not ended"} {
		assert.Regexp(t, `process-wide, which is no leak: made once at clean_test.go:\d+: `+what, out)
	}

	out, errs, code = deepRun(t, "./leaks")
	assert.Equal(t, exitLeaks, code, "%s%s", out, errs)
	assert.Empty(t, errs, "nothing is missing in this Go version, and the overlay is there")
	if runtime.GOOS == "linux" {
		// From Go 1.27 on net/http itself refers to the body, so that nothing is proved of one that was dropped.
		before127 := strings.HasPrefix(runtime.Version(), "go1.25") || strings.HasPrefix(runtime.Version(), "go1.26")
		assert.Equal(t, before127, provedHTTP1.MatchString(out))
		golden(t, "deep.txt", steadyText(provedHTTP1.ReplaceAllString(out, "$1$2")))
	}

	out, errs, code = deepRun(t, "-run=^$", "-bench=.", "-benchtime=3x", "./clean")
	assert.Equal(t, exitOK, code, "%s%s", out, errs)
	assert.NotContains(t, out, "FAIL")
	tests, errs, code := deepRun(t, "./others")
	assert.Equal(t, exitLeaks, code, "%s%s", tests, errs)
	benchmarks, errs, code := deepRun(t, "-run=^$", "-bench=.", "-benchtime=3x", "./others")
	assert.Equal(t, exitLeaks, code, "%s%s", benchmarks, errs)
	if runtime.GOOS == "linux" {
		golden(t, "deep_others.txt", steadyText(tests+measured.ReplaceAllString(benchmarks, "$1 MEASURED")))
	}

	out, errs, code = deepRun(t, "-report", "-v", "./leaks", "-run", "TestFile|TestRows")
	assert.Equal(t, exitOK, code, "%s%s", out, errs)
	assert.Contains(t, out, "sql.Rows from db.Query at leaks.go:")
	assert.Contains(t, out, "--- PASS: TestFile")

	out, errs, code = deepRun(t, "-kinds=sql-rows", "-run", "TestFile|TestRows", "./leaks")
	assert.Equal(t, exitLeaks, code, "%s%s", out, errs)
	assert.NotContains(t, out, "--- FAIL: TestFile")
	assert.Contains(t, out, "--- FAIL: TestRows")

	_, errs, code = deepRun(t, "./broken")
	assert.Equal(t, exitCouldNot, code)
	assert.Contains(t, errs, "undefined: missing")
	assert.Contains(t, errs, "code does not compile")
}

// TestDeepCannotRun: each reason says what to do.
func TestDeepCannotRun(t *testing.T) {
	here, err := os.Getwd()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	old := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(old, "go"), []byte("#!/bin/sh\necho '{\"GOVERSION\":\"go1.24.9\",\"GOMOD\":\"/go.mod\"}'\n"), 0o755))
	for _, c := range []struct {
		name, env, value, dir string
		args                  []string
		want                  string
	}{
		{"no go", "PATH", "", here, nil, "install Go 1.25 or later"},
		{"no module", "LEAKGATE_CACHE", file, t.TempDir(), nil, "run it in a module's folder"},
		{"no cache", "LEAKGATE_CACHE", file, here, nil, "name a folder that can be written: LEAKGATE_CACHE=DIR"},
		{"no overlay", "LEAKGATE_CACHE", t.TempDir(), here, []string{"-overlay", file}, "give -overlay a file that go test takes too"},
		{"no folder", "LEAKGATE_CACHE", file, here, []string{"-C", file}, "see what it said above"},
		{"old go", "PATH", old, here, nil, "use Go 1.25 or later: install it, or let the go command fetch it with GOTOOLCHAIN=go1.26.0"},
		{"no baseline", "LEAKGATE_CACHE", file, here, []string{"-baseline=nowhere"}, "the baseline nowhere does not exist"},
		{"no home", "HOME", "", here, nil, "name one: LEAKGATE_CACHE=DIR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if runtime.GOOS == "windows" && (c.env == "HOME" || c.value == old) {
				t.Skip("it is another variable here, or no shell's script")
			}
			if c.env == "HOME" {
				t.Setenv("LEAKGATE_CACHE", "")
				t.Setenv("XDG_CACHE_HOME", "")
				t.Setenv("GOCACHE", t.TempDir()) // the go command needs a home otherwise
				t.Setenv("GOPATH", t.TempDir())
			}
			t.Setenv(c.env, c.value)
			var out, errs strings.Builder
			code := run(context.Background(), append([]string{"test"}, c.args...), console{out: &out, err: &errs, dir: c.dir})
			assert.Equal(t, exitCouldNot, code)
			assert.Contains(t, errs.String(), c.want)
			assert.Empty(t, out.String())
		})
	}
	_, errs, code := call(t, "test", "-kinds")
	assert.Equal(t, exitUsage, code)
	assert.Contains(t, errs, "-kinds needs a value")
	_, errs, code = call(t, "test", "-report=perhaps")
	assert.Equal(t, exitUsage, code)
	assert.Contains(t, errs, "-report=perhaps")
	_, errs, code = call(t, "test", "-kinds=file,proces")
	assert.Equal(t, exitUsage, code)
	assert.Contains(t, errs, `-kinds: there is no kind "proces"; did you mean "process"?`)
	_, errs, code = call(t, "test", "-kinds=quux")
	assert.Equal(t, exitUsage, code)
	assert.Contains(t, errs, `-kinds: there is no kind "quux"; there are http-response,`)
}

// TestDeepKinds: what -kinds can name are leakcheck's own kinds, but for those of a module that is no part of this one.
func TestDeepKinds(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "leakcheck", "leak.go"))
	require.NoError(t, err)
	var kinds []string
	for _, m := range regexp.MustCompile(`(?m)^\t\w+ +Kind += "([\w-]+)"`).FindAllStringSubmatch(string(text), -1) {
		if !strings.HasPrefix(m[1], "pgx-") {
			kinds = append(kinds, m[1])
		}
	}
	assert.ElementsMatch(t, kinds, deepKinds)
}

// TestDeepArgs: own flags are taken from among those of go test, and what is the test binary's is left alone.
func TestDeepArgs(t *testing.T) {
	var o deepOptions
	rest, err := cutDeepFlags(&o, []string{"-run", "X", "-report", "./...", "--kinds", "file", "-baseline=b", "-args", "-report=false"})
	require.NoError(t, err)
	assert.Equal(t, []string{"-run", "X", "./...", "-args", "-report=false"}, rest)
	assert.Equal(t, deepOptions{warn: true, kinds: "file", baseline: "b"}, o)

	for _, c := range []struct {
		args []string
		flag string
		rest []string
	}{
		{nil, "", nil},
		{[]string{"-C", "d", "-v"}, "-C=d", []string{"-v"}},
		{[]string{"--C=d"}, "-C=d", []string{}},
		{[]string{"-v", "-C", "d"}, "", []string{"-v", "-C", "d"}},
		{[]string{"-C"}, "", []string{"-C"}},
	} {
		got, rest := cutChdir(c.args)
		assert.Equal(t, c.flag, got)
		assert.Equal(t, c.rest, rest)
	}
	assert.True(t, hasFlag("count", []string{"-v", "-count", "2"}))
	assert.False(t, hasFlag("count", []string{"-v", "-args", "-count=2"}))
}

// TestSpotter: a package that did not compile is told from one that failed, also when a line comes in pieces.
func TestSpotter(t *testing.T) {
	for text, want := range map[string]bool{
		"FAIL\texample.com/a [build failed]\n":                                          true,
		"FAIL\texample.com/a [setup failed]\nFAIL\n":                                    true,
		"FAIL\texample.com/a\t0.1s\n":                                                   false,
		"    a_test.go:3: FAIL\tx [build failed]\n":                                     false,
		`{"Action":"fail","Package":"a","Elapsed":0,"FailedBuild":"a [a.test]"}` + "\n": true,
	} {
		var out strings.Builder
		s := &spotter{to: &out}
		for _, b := range []byte(text) {
			_, err := s.Write([]byte{b})
			require.NoError(t, err)
		}
		assert.Equal(t, want, s.found, text)
		assert.Equal(t, text, out.String())
	}
}

// TestLeakStream: what go test prints is passed on as it is, and leaks come before the end of their package.
func TestLeakStream(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []struct {
		pkg  string
		pid  int
		test string
	}{{"example.com/a", 1, "TestA"}, {"example.com/b", 2, "TestB"}, {"example.com/never", 3, "TestC"}} {
		w, err := fragment.Create(dir, fragment.Header{Package: f.pkg, PID: f.pid})
		require.NoError(t, err)
		require.NoError(t, w.Leak(fragment.Leak{Test: f.test, Kind: "file", Fingerprint: "a < b"}))
		require.NoError(t, w.Close())
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "half.json"), []byte("{"), 0o644))
	const text = `{"Action":"start","Package":"example.com/b"}
{"Action":"fail","Package":"example.com/b","Test":"TestB"}
no JSON
{"Action":"fail","Package":"example.com/b"}
{"Action":"pass", "Package":"example.com/a"}
the end`
	for _, pieces := range []int{1, 7, len(text)} {
		var out strings.Builder
		s := &leakStream{to: &out, dir: dir}
		for part := range slices.Chunk([]byte(text), pieces) {
			_, err := s.Write(part)
			require.NoError(t, err)
		}
		s.close()
		leak := func(pkg, test string) string {
			return `{"Time":"0001-01-01T00:00:00Z","Action":"output","Package":"` + pkg + `","Output":"","Leak":{"kind":"file","code":"","fingerprint":"a < b","test":"` +
				test + `","outcome":"","summary":"","count":0,"site":{},"at":"0001-01-01T00:00:00Z"}}`
		}
		assert.Equal(t, `{"Action":"start","Package":"example.com/b"}
{"Action":"fail","Package":"example.com/b","Test":"TestB"}
no JSON
`+leak("example.com/b", "TestB")+`
{"Action":"fail","Package":"example.com/b"}
`+leak("example.com/a", "TestA")+`
{"Action":"pass", "Package":"example.com/a"}
the end`+leak("example.com/never", "TestC")+"\n", out.String())
	}

	for _, c := range []struct {
		goflags string
		args    []string
		want    bool
	}{
		{"", []string{"-v", "./..."}, false}, {"", []string{"--json"}, true}, {"-json", nil, true}, {"-json", []string{"-json=false"}, false},
		{"", []string{"-args", "-json"}, false},
	} {
		assert.Equal(t, c.want, wantsJSON(c.args, c.goflags), "%v", c)
	}
}

// TestBuildOf: only what the standard library is compiled anew for is another build.
func TestBuildOf(t *testing.T) {
	env := &goEnv{GOOS: "linux", GOFLAGS: "-v '-tags=a b'"}
	same := buildOf(env, []string{"-run", "X", "./..."})
	assert.Equal(t, same, buildOf(env, []string{"-v", "-cover", "./a", "-args", "-race"}))
	seen := map[string]bool{same: true}
	for _, args := range [][]string{{"-race"}, {"-tags", "c"}, {"-tags=d"}, {"-race", "-tags=d"}, {"-trimpath"}, {"-gcflags=-N"}, {"-fuzz=A"}} {
		b := buildOf(env, args)
		assert.False(t, seen[b], "%v", args)
		seen[b] = true
	}
	assert.Equal(t, buildOf(env, []string{"-fuzz=A"}), buildOf(env, []string{"-fuzz", "B"}))
	assert.NotEqual(t, same, buildOf(&goEnv{GOOS: "windows"}, nil))
}

// TestFirstRun: it is told before, and how long it took after, once.
func TestFirstRun(t *testing.T) {
	var errs strings.Builder
	root, err := exec.Command("go", "env", "GOROOT").Output()
	require.NoError(t, err)
	o, err := deep.Make(t.TempDir(), deep.Goroot{Dir: strings.TrimSpace(string(root)), Version: runtime.Version()})
	require.NoError(t, err)
	s := &deepSetup{overlay: o, build: "race", env: goEnv{GOVERSION: "go1.99"}}
	f := s.tellFirst(console{err: &errs})
	f.began = f.began.Add(-time.Minute)
	f.over()
	f.over()
	f.done()
	assert.Equal(t, "leakgate: the first run with go1.99 and these flags compiles the standard library with the hooks in it, which takes a minute or two\n"+
		"leakgate: the first result took 60 s, because the standard library was compiled with the hooks in it; it is in Go's build cache now\n", errs.String())
	errs.Reset()
	f = s.tellFirst(console{err: &errs})
	f.done()
	assert.Empty(t, errs.String())
	s.build = "other"
	s.tellFirst(console{err: &errs}).done()
	assert.NotContains(t, errs.String(), "took", "the build cache had it")
}
