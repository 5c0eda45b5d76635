package httpcheck_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// normal takes out of a report what differs from run to run, and from one Go version to the next.
var normal = []struct {
	re *regexp.Regexp
	by string
}{
	{regexp.MustCompile(`(127\.0\.0\.1|\[::1\]):\d+`), "ADDR"},
	{regexp.MustCompile(`fd \d+`), "fd N"},
	{regexp.MustCompile(`still so after \S+ \(\d+ looks?\)`), "still so after TIME (N looks)"},
	{regexp.MustCompile(`\.func\d+(\.\d+)*`), ".func*"},
	{regexp.MustCompile(`(?m)(_test\.go):\d+ `), "$1:LINE "},
	{regexp.MustCompile(`(/[^\s:]+)+/([^/\s:]+\.go)`), "PATH/$2"},
	{regexp.MustCompile(`(?m)[ \t]+$`), ""},
}

// golden compares all that a fake test was told with testdata/golden/NAME.txt, which says first why the case exists.
func golden(t *testing.T, name, reason string, ft *fakeT) {
	t.Helper()
	var b strings.Builder
	b.WriteString("# " + reason + "\n")
	for _, e := range ft.failures() {
		b.WriteString("\n--- Errorf\n" + e + "\n")
	}
	for _, l := range ft.logged() {
		b.WriteString("\n--- Logf\n" + l + "\n")
	}
	if len(ft.failures())+len(ft.logged()) == 0 {
		b.WriteString("\n--- passes\n")
	}
	got := b.String()
	for _, n := range normal {
		got = n.re.ReplaceAllString(got, n.by)
	}
	file := filepath.Join("testdata", "golden", name+".txt")
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o777))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o666))
		return
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "run go test ./httpcheck -update, and read the diff")
	assert.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), got)
}
