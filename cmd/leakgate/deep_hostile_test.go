package main

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestDeepHostile: tests that look closely at the standard library end in deep mode as they do without, and what they print
// behind "same:", such as how many allocations something takes, is the same.
func TestDeepHostile(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the standard library with the hooks in it: left out with -short")
	}
	t.Setenv("LEAKGATE_CACHE", t.TempDir())
	dir := filepath.Join("testdata", "hostile")

	cmd := exec.Command("go", "test", "-v", "-count=1", "./...")
	cmd.Dir = dir
	plain, err := cmd.CombinedOutput()
	assert.NoError(t, err, "%s", plain)

	var out, errs bytes.Buffer
	code := run(context.Background(), []string{"test", "-v", "./..."}, console{out: &out, err: &errs, dir: dir})
	assert.Equal(t, exitOK, code, "%s%s", out.String(), errs.String())
	assert.Equal(t, 1, strings.Count(out.String(), "leakgate: "), "nothing but what -v lists: %s", out.String())
	assert.Contains(t, out.String(), "leakgate: process-wide, which is no leak: made once at once_test.go:47: file /dev/null was never closed (×1)\n")

	want, got := marked(string(plain)), marked(out.String())
	assert.Len(t, want, 4)
	assert.Equal(t, want, got)
}

// marked gives the lines of a test's output that must be the same.
func marked(text string) (out []string) {
	for line := range strings.Lines(text) {
		if _, what, ok := strings.Cut(line, "same: "); ok {
			out = append(out, what)
		}
	}
	return out
}
