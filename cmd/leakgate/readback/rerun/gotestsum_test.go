package rerun

import (
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gotest.tools/gotestsum/cmd"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/verdict"
	_ "github.com/leakgate/leakgate/leakcheck" // the suite has it: go test is to run this again when it has changed
)

// The test binary is gotestsum when it is told so, which needs no other binary.
func TestMain(m *testing.M) {
	if os.Getenv("BE_GOTESTSUM") == "" {
		os.Exit(m.Run())
	}
	if err := cmd.Run("gotestsum", os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const testMain = `package %s

import (
	"os"
	"testing"

	"github.com/leakgate/leakgate/leakcheck"
)

func TestMain(m *testing.M) { os.Exit(leakcheck.Main(m)) }

func leak() { go func() { select {} }() }

`

// once leaks in its first run alone.
const once = `func TestOnce(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	if f, err := os.OpenFile(os.Getenv("FIRST"), os.O_CREATE|os.O_EXCL, 0o600); err == nil {
		f.Close()
		leak()
	}
}

func TestClean(t *testing.T) { t.Cleanup(leakcheck.Verify(t)) }
`

// late is found by Main alone, which fails no test.
const late = `func TestLate(t *testing.T) { leak() }
`

type results struct {
	Cases []struct {
		Name       string  `xml:"name,attr"`
		Failure    *string `xml:"failure"`
		Properties []struct {
			Name  string `xml:"name,attr"`
			Value string `xml:"value,attr"`
		} `xml:"properties>property"`
	} `xml:"testsuite>testcase"`
}

// A rerun turns gotestsum green, and not the verdict: neither for a leak that is there once in two runs, nor for one that
// Main found, of which gotestsum runs the package again without a test.
func TestRerun(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles and runs the tests of a module")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	root, err := filepath.Abs("../../../..")
	require.NoError(t, err)
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	for name, text := range map[string]string{
		"go.mod": "module example.com/shop\n\ngo 1.25.0\n\nrequire github.com/leakgate/leakgate v0.0.0\n\n" +
			"replace github.com/leakgate/leakgate => " + root + "\n",
		"go.sum":            string(sums),
		"once/once_test.go": fmt.Sprintf(testMain, "once") + once,
		"late/late_test.go": fmt.Sprintf(testMain, "late") + late,
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	self, err := os.Executable()
	require.NoError(t, err)
	sum := exec.CommandContext(t.Context(), self, "--rerun-fails", "--packages=./...", "--junitfile=tests.xml", "--no-color", "--", "-count=1")
	sum.Dir = dir
	sum.Env = append(os.Environ(), "BE_GOTESTSUM=1", "FIRST="+filepath.Join(dir, "first"), "LEAKGATE_REPORT=leaks", "LEAKGATE_BASELINE=off",
		"GOFLAGS=-mod=mod -vet=off -ldflags=-w", "GOPROXY=off", "GOWORK=off", "PWD="+dir, "GITHUB_ACTIONS=")
	out, err := sum.CombinedOutput()
	require.NoError(t, err, "gotestsum is red when it ran failed tests again, so that docs/adopting.md is wrong:\n%s", out)
	assert.Equal(t, 1, strings.Count(string(out), "leakgate.leaks 1"), "each attribute once:\n%s", out)

	text, err := os.ReadFile(filepath.Join(dir, "tests.xml"))
	require.NoError(t, err)
	var r results
	require.NoError(t, xml.Unmarshal(text, &r))
	failed := 0
	for _, c := range r.Cases {
		if c.Failure == nil {
			continue
		}
		failed++
		got := map[string]string{}
		for _, p := range c.Properties {
			assert.NotContains(t, got, p.Name)
			got[p.Name] = p.Value
		}
		assert.Equal(t, "TestOnce", c.Name)
		assert.Equal(t, map[string]string{
			"leakgate.leaks": "1", "leakgate.known": "0",
			"leakgate.fingerprint": "goroutine | user | example.com/shop/once.leak < example.com/shop/once.leak.func* | TestOnce",
		}, got)
		assert.Contains(t, *c.Failure, "leakcheck: 1 leak: goroutine once.leak.func1 has not ended")
	}
	assert.Equal(t, 1, failed, "JUnit has the failure of the first run, and none of what Main found:\n%s", text)

	fragments, errs := fragment.ReadDir(filepath.Join(dir, "leaks"))
	require.Empty(t, errs)
	require.Len(t, fragments, 4, "two packages, each twice")
	v := verdict.Merge(verdict.Input{Fragments: fragments, Now: time.Now()})
	told := map[string]string{}
	for _, f := range v.Findings {
		told[strings.Join(f.Tests, " ")] = fmt.Sprintf("%s ×%d, %d of %d runs", f.Standing, f.Count, f.Runs, f.Of)
	}
	assert.Equal(t, map[string]string{"TestOnce": "new ×1, 1 of 2 runs", "TestLate": "new ×1, 1 of 1 runs"}, told)
}
