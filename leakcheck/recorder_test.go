package leakcheck_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

// recorder is a T that keeps what it is told.
type recorder struct {
	name     string
	deadline time.Time

	mu     sync.Mutex
	errs   []string
	logs   []string
	failed bool
}

func (r *recorder) Helper()      {}
func (r *recorder) Name() string { return r.name }

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, fmt.Sprintf(format, args...))
	r.failed = true
}

func (r *recorder) Logf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.logs = append(r.logs, fmt.Sprintf(format, args...))
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

func (r *recorder) Deadline() (time.Time, bool) { return r.deadline, !r.deadline.IsZero() }

func (r *recorder) errors() string { return strings.Join(r.errs, "\n") }

// What differs from run to run, and what a golden file has in its place.
var variable = []struct {
	re *regexp.Regexp
	to string
}{
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`\(fd \d+\)`), "(fd N)"},
	{regexp.MustCompile(`pid \d+`), "pid N"},
	{regexp.MustCompile(`still so after [^ ]+ \(\d+ looks?\)`), "still so after T (N looks)"},
	{regexp.MustCompile(`; proved unreachable: nothing that still runs can wake it`), ""}, // Go 1.27 and later
	{regexp.MustCompile(`(_test\.go):\d+`), "$1:LINE"},
}

func normalize(text string) string {
	for _, v := range variable {
		text = v.re.ReplaceAllString(text, v.to)
	}
	return text
}

// golden compares text, normalised, with the file of that name.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name+".txt")
	text = normalize(text) + "\n"
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run go test ./leakcheck -update to write it")
	require.Equal(t, string(want), text)
}
