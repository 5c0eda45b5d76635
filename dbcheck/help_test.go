package dbcheck_test

import (
	"database/sql"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
)

// fakeT is a test that records.
type fakeT struct {
	name string

	mu     sync.Mutex
	errors []string
	logs   []string
}

func (t *fakeT) Helper() {}

func (t *fakeT) Name() string {
	if t.name == "" {
		return "TestFake"
	}
	return t.name
}

func (t *fakeT) Failed() bool { return len(t.failures()) > 0 }

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

func (t *fakeT) logged() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.logs...)
}

// tracked opens a tracked pool of the driver; it is closed when the test ends.
func tracked(t testing.TB, f *fake) *sql.DB {
	db := dbcheck.OpenDB(f.connector())
	t.Cleanup(func() { db.Close() })
	return db
}

// plain opens a pool that is not tracked.
func plain(t testing.TB, f *fake) *sql.DB {
	db := sql.OpenDB(f.connector())
	t.Cleanup(func() { db.Close() })
	return db
}

var update = flag.Bool("update", false, "rewrite the golden files")

// normal takes out of a report what differs from run to run, and from one Go version to the next.
var normal = []struct {
	re *regexp.Regexp
	by string
}{
	{regexp.MustCompile(`still so after \S+ \(\d+ looks?\)`), "still so after TIME (N looks)"},
	{regexp.MustCompile(`\b\d+(\.\d+)?(ns|µs|ms|s)\b( \(the first\))?`), "TIME"},
	{regexp.MustCompile(`\.func\d+(\.\d+)*`), ".func*"},
	{regexp.MustCompile(`\.(Test\w+)\.Test\w+(\.func\*)`), ".$1$2"}, // Go 1.26 says both, Go 1.27 one, of what was inlined
	{regexp.MustCompile(`(_test\.go):\d+`), "$1:LINE"},
	{regexp.MustCompile(`(127\.0\.0\.1):\d+`), "ADDR"},
	{regexp.MustCompile(`fd \d+`), "fd N"},
	{regexp.MustCompile(`\((sync\.RWMutex\.Lock|sync\.Cond\.Wait)\)`), "(waits for a lock)"}, // Go 1.27 has another one there
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
	require.NoError(t, err, "run go test ./dbcheck -update, and read the diff")
	assert.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), got)
}

// lineOf finds the line of a test file that has the mark.
func lineOf(t *testing.T, mark string) int {
	t.Helper()
	_, file, _, _ := runtime.Caller(1)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for i, line := range strings.Split(string(text), "\n") {
		if strings.HasSuffix(line, "// "+mark) {
			return i + 1
		}
	}
	require.Fail(t, "no line has the mark "+mark)
	return 0
}
