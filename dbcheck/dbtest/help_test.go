package dbtest

import (
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

	"github.com/leakgate/leakgate/leakcheck"
)

// The whole run is under leakcheck.Main: what dbtest leaves in a test's process would fail it here.
func TestMain(m *testing.M) { os.Exit(leakcheck.Main(m)) }

// fakeTB is a test that records. The method that is not overridden here is not called.
type fakeTB struct {
	testing.TB
	name string

	mu       sync.Mutex
	said     []string
	cleanups []func()
}

func (t *fakeTB) Helper()          {}
func (t *fakeTB) Name() string     { return t.name }
func (t *fakeTB) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

func (t *fakeTB) say(how, format string, args []any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.said = append(t.said, "--- "+how+"\n"+fmt.Sprintf(format, args...)+"\n")
}

func (t *fakeTB) Logf(format string, args ...any)   { t.say("Logf", format, args) }
func (t *fakeTB) Errorf(format string, args ...any) { t.say("Errorf", format, args) }
func (t *fakeTB) Fatalf(format string, args ...any) { t.say("Fatalf", format, args); runtime.Goexit() }
func (t *fakeTB) Skipf(format string, args ...any)  { t.say("Skipf", format, args); runtime.Goexit() }

// run calls f as a test is called, with its cleanups, and gives what was said.
func (t *fakeTB) run(f func()) string {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
	for i := len(t.cleanups) - 1; i >= 0; i-- {
		t.cleanups[i]()
	}
	if len(t.said) == 0 {
		return "--- passes\n"
	}
	return strings.Join(t.said, "\n")
}

var update = flag.Bool("update", false, "rewrite the golden files")

// normal takes out of a message what differs from run to run.
var normal = []struct {
	re *regexp.Regexp
	by string
}{
	{regexp.MustCompile(`127\.0\.0\.1:[1-9]\d{4}`), "ADDR"},
	{regexp.MustCompile(`'root'@'[0-9.]+'`), "'root'@'IP'"},
	{regexp.MustCompile(`/[^\s:"]*/leakgate-dbtest-\d+`), "DIR"},
	{regexp.MustCompile(`t\d+_\d+_[0-9a-f]{6}_`), "tPID_N_RANDOM_"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \w+ \[\d+\]`), "TIME [PID]"},
}

// golden compares what was said with testdata/golden/NAME.txt, which says first why the case exists.
func golden(t *testing.T, name, reason, got string) {
	t.Helper()
	got = "# " + reason + "\n\n" + got
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
	require.NoError(t, err, "run go test -update, and read the diff")
	assert.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), got)
}
