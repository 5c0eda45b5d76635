package mockserver

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files in testdata, and docs/pages.md, anew")

// golden compares with a file, or writes it when the test runs with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	wantLines, gotLines := strings.Split(strings.ReplaceAll(string(want), "\r\n", "\n"), "\n"), strings.Split(got, "\n")
	for i := range min(len(wantLines), len(gotLines)) {
		require.Equal(t, wantLines[i], gotLines[i], "%s:%d: run with -update, and read the difference", file, i+1)
	}
	require.Equal(t, len(wantLines), len(gotLines), "lines of %s: run with -update, and read the difference", file)
}

// failure is one way in which a test is failed.
type failure struct {
	name, why string // why the case is worth its place in the golden file
	run       func(*fakeT)
}

// failures is the text of all that the cases fail a test with and log. edit, which may be nil, changes one failure.
func failures(t *testing.T, cases []failure, edit func(name, text string) string) string {
	t.Helper()
	var out strings.Builder
	for _, c := range cases {
		require.NotEmpty(t, c.why, "%s: no reason is given", c.name)
		ft := &fakeT{}
		c.run(ft)
		ft.end()
		fmt.Fprintf(&out, "== %s (%s)\n", c.name, c.why)
		require.NotEmpty(t, ft.failures(), c.name)
		all := ft.failures()
		for i, text := range all {
			if i == 2 && len(all) > 3 {
				fmt.Fprintf(&out, "and %d more like it\n", len(all)-i)
				break
			}
			if edit != nil {
				text = edit(c.name, text)
			}
			out.WriteString(text + "\n")
		}
		for _, l := range ft.logged() {
			out.WriteString("log: " + l + "\n")
		}
		out.WriteString("\n")
	}
	return regexp.MustCompile(`failures_test\.go:\d+`).ReplaceAllString(out.String(), "failures_test.go:1")
}

// compareFailures compares the text of failures with a file in testdata.
func compareFailures(t *testing.T, file string, cases []failure) {
	t.Helper()
	golden(t, filepath.Join("testdata", file), failures(t, cases, nil))
}
