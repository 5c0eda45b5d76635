package servers_test

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

// normal takes out of a report what differs from run to run.
var normal = []struct {
	re *regexp.Regexp
	by string
}{
	{regexp.MustCompile(`still so after \S+ \(\d+ looks?\)`), "still so after TIME (N looks)"},
	{regexp.MustCompile(`\b\d+(\.\d+)?(ns|µs|ms|s|m\d+s)\b`), "TIME"},
	{regexp.MustCompile(`(_test\.go):\d+`), "$1:LINE"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "ADDR"},
	{regexp.MustCompile(`\bt\d+_\d+_[0-9a-f]{6}_\w+`), "DATABASE"},
	{regexp.MustCompile(`session \d+`), "session N"},
	{regexp.MustCompile(`process \d+`), "process N"},
	{regexp.MustCompile(`\d+ of (\d+) slots`), "N of $1 slots"},
	{regexp.MustCompile(`\(fd \d+\)`), "(fd N)"},
	{regexp.MustCompile(`says it is .*: `), "says it is VERSION: "},
	{regexp.MustCompile(`\.func\d+(\.\d+)*`), ".func*"},
}

func normalize(s string) string {
	for _, n := range normal {
		s = n.re.ReplaceAllString(s, n.by)
	}
	return s
}

// golden compares all that a fake test was told with testdata/golden/NAME.txt, which says first why the case exists.
func golden(t *testing.T, name, reason string, ft *fakeT) {
	t.Helper()
	var b strings.Builder
	b.WriteString("# " + reason + "\n")
	for _, e := range ft.told() {
		b.WriteString("\n--- Errorf\n" + e + "\n")
	}
	for _, l := range ft.logs {
		b.WriteString("\n--- Logf\n" + l + "\n")
	}
	if len(ft.told())+len(ft.logs) == 0 {
		b.WriteString("\n--- passes\n")
	}
	got := normalize(b.String())
	file := filepath.Join("testdata", "golden", name+".txt")
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o777))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o666))
		return
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "run go test ./servers -update, and read the diff")
	assert.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), got)
}
