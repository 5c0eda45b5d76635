package pgxcheck_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck/pgxcheck"
)

// fakeT is a test that records.
type fakeT struct {
	name string

	mu           sync.Mutex
	errors, logs []string
}

func (t *fakeT) Helper()      {}
func (t *fakeT) Failed() bool { return len(t.failures()) > 0 }

func (t *fakeT) Name() string {
	if t.name == "" {
		return "TestFake"
	}
	return t.name
}

func (t *fakeT) Errorf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errors = append(t.errors, fmt.Sprintf(format, args...))
}

func (t *fakeT) Logf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.logs = append(t.logs, fmt.Sprintf(format, args...))
}

func (t *fakeT) failures() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.errors...)
}

// tracked opens a tracked pool of a server of its own. What the test leaked must be given back before its end.
func tracked(t testing.TB) *pgxpool.Pool {
	pool, err := pgxcheck.New(background, newServer(t).dsn())
	require.NoError(t, err)
	t.Cleanup(func() { pgxcheck.Close(&fakeT{}, pool) })
	return pool
}

var update = flag.Bool("update", false, "rewrite the golden files")

// normal takes out of a report what differs from run to run, and from one Go version to the next.
var normal = []struct {
	re *regexp.Regexp
	by string
}{
	{regexp.MustCompile(`\n\n  still so after \S+ \(\d+ looks?\)`), ""},                 // what settles before is not the same in each run
	{regexp.MustCompile(`\n +1 goroutine of pgx that watches the query's context`), ""}, // newer versions of pgx have none
	{regexp.MustCompile(`\n\n  ignored: \d+ \(the server of the test\)`), ""},           // its goroutine ends when it likes
	{regexp.MustCompile(`\b\d+(\.\d+)?(ns|µs|ms|s)\b( \(the first\))?`), "TIME"},
	{regexp.MustCompile(`\.func\d+(\.\d+)*`), ".func*"},
	{regexp.MustCompile(`(_test\.go):\d+`), "$1:LINE"},
	{regexp.MustCompile(`(127\.0\.0\.1):\d+`), "ADDR"},
	{regexp.MustCompile(`fd \d+`), "fd N"},
	{regexp.MustCompile(`server process \d+`), "server process N"},
	{regexp.MustCompile(`(/[^\s:]+)+/([^/\s:]+\.go)`), "PATH/$2"},
	{regexp.MustCompile(`(?m)[ \t]+$`), ""},
}

// golden compares all that a fake test was told with testdata/golden/NAME.txt, which says first why the case exists.
func golden(t *testing.T, name, reason string, ft *fakeT) {
	t.Helper()
	var b strings.Builder
	b.WriteString("# " + reason + "\n")
	ft.mu.Lock()
	for _, e := range ft.errors {
		b.WriteString("\n--- Errorf\n" + e + "\n")
	}
	for _, l := range ft.logs {
		b.WriteString("\n--- Logf\n" + l + "\n")
	}
	if len(ft.errors)+len(ft.logs) == 0 {
		b.WriteString("\n--- passes\n")
	}
	ft.mu.Unlock()
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
	require.NoError(t, err, "run go test . -update, and read the diff")
	assert.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), got)
}
