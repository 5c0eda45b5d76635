package main

import (
	"bytes"
	"context"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDeepWithHarness is deep mode on a module whose tests call leakcheck, httpcheck and dbcheck themselves: each leak is told
// once, with its line, and the options of a test hold for it.
func TestDeepWithHarness(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the standard library with the hooks in it: left out with -short")
	}
	t.Setenv("LEAKGATE_CACHE", t.TempDir())
	dir, err := filepath.Abs(filepath.Join("testdata", "bridge"))
	require.NoError(t, err)
	runs := func(args ...string) (out, errs string, code int) {
		var o, e bytes.Buffer
		code = run(context.Background(), append([]string{"test"}, args...), console{out: &o, err: &e, dir: dir})
		return strings.ReplaceAll(o.String(), filepath.ToSlash(dir)+"/", ""), e.String(), code
	}

	out, errs, code := runs("-v", "./clean")
	assert.Equal(t, exitOK, code, "%s%s", out, errs)
	assert.Equal(t, 4, strings.Count(out, "leakcheck: ignored 1: kept on purpose\n")+2*strings.Count(out, "leakcheck: ignored 2: kept on purpose\n"))
	assert.Equal(t, 1, strings.Count(out, "leakgate: "), out)
	assert.Regexp(t, `leakgate: process-wide, which is no leak: made once at shop/shop\.go:\d+: file /dev/null was never closed`, out)

	out, _, code = runs("./verify", "./suite", "-skip=TestParallel")
	assert.Equal(t, exitLeaks, code)
	if runtime.GOOS == "linux" {
		golden(t, "deep_harness.txt", steadyText(out))
	}

	out, _, code = runs("./verify", "-run=TestParallel")
	assert.Equal(t, exitLeaks, code)
	assert.Equal(t, 2, strings.Count(out, "leakcheck: 1 leak: file /dev/null was never closed"), out)
	assert.Equal(t, 1, strings.Count(out, "leakgate: 1 leak: file /dev/null was never closed"), out)
}

// TestDeepOwn: what leakcheck tells from the frames of database/sql, such as who waits for a connection of a pool that has no more,
// it tells in deep mode too, where those functions have others around them.
func TestDeepOwn(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the standard library with the hooks in it: left out with -short")
	}
	t.Setenv("LEAKGATE_CACHE", t.TempDir())
	var out, errs bytes.Buffer
	code := run(context.Background(), []string{"test", "./leakcheck", "-run=^TestConcurrently", "-v"},
		console{out: &out, err: &errs, dir: filepath.Join("..", "..")})
	assert.Equal(t, exitOK, code, "%s%s", out.String(), errs.String())
	assert.Contains(t, out.String(), "--- PASS: TestConcurrentlyExhausted")
}
