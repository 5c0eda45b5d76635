package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
		golden(t, "deep.txt", steadyText(out))
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
	} {
		t.Run(c.name, func(t *testing.T) {
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
	assert.True(t, hasCount([]string{"-v", "-count", "2"}))
	assert.False(t, hasCount([]string{"-v", "-args", "-count=2"}))
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
