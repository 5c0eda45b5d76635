package goroutine_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/goroutine"
	"github.com/leakgate/leakgate/internal/goroutine/testdata/scenario"
)

var update = flag.Bool("update", false, "write the golden file anew from the captured dumps")

const goldenFile = "testdata/golden.txt"

// otherReasons says why the dumps are there that are not of a scenario.
var otherReasons = map[string]string{
	"waits-forever":          "states that nothing ends: nil channels and a select without cases",
	"labels-http1-leased":    "labels with every escape, in the headers of net/http's goroutines too",
	"labels-waits":           "labels after every state",
	"labels-sql":             "labels in the headers of database/sql's goroutines",
	"ancestors-http1-leased": "GODEBUG=tracebackancestors: the goroutine's own creator decides, not an ancestor's",
	"ancestors-shapes":       "GODEBUG=tracebackancestors with labels",
	"test-parallel":          "parallel subtests: the runners that wait for their turn, and the group that waits for them",
	"test-cleanup":           "in a cleanup, under -cpuprofile",
	"test-synctest":          "in a synctest bubble, under -trace",
	"test-bench":             "a parallel benchmark",
	"test-example":           "an example, whose output is read by a goroutine of package testing",
	"test-fuzz-seed":         "a fuzz target run on its seeds",
	"test-fuzz-coordinator":  "the process that hands out work to fuzz workers",
	"test-fuzz-worker":       "a process that runs a fuzz target",
}

func reason(t *testing.T, name string) string {
	t.Helper()
	for _, s := range scenario.All {
		if s.Name == name {
			return s.Reason
		}
	}
	require.Contains(t, otherReasons, name, "every captured dump needs a reason")
	return otherReasons[name]
}

func dumpFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/dumps/*/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	sort.Strings(files)
	return files
}

// readDump reads a captured dump, whatever line ends the checkout gave it.
func readDump(t testing.TB, file string) []byte {
	t.Helper()
	dump, err := os.ReadFile(file)
	require.NoError(t, err)
	return bytes.ReplaceAll(dump, []byte("\r\n"), []byte("\n"))
}

// TestGolden reads and classifies the captured dumps of every Go version, and compares with the golden file.
func TestGolden(t *testing.T) {
	var out strings.Builder
	for _, file := range dumpFiles(t) {
		version := filepath.Base(filepath.Dir(file))
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		fmt.Fprintf(&out, "== %s %s: %s\n", version, name, reason(t, name))
		describe(t, &out, readDump(t, file))
		out.WriteString("\n")
	}
	if *update {
		require.NoError(t, os.WriteFile(goldenFile, []byte(out.String()), 0o666))
	}
	want := string(readDump(t, goldenFile))
	if out.String() == want {
		return
	}
	got, wanted := strings.Split(out.String(), "\n"), strings.Split(want, "\n")
	for i := range min(len(got), len(wanted)) {
		require.Equal(t, wanted[i], got[i], "%s:%d; see it with -update", goldenFile, i+1)
	}
	require.Len(t, got, len(wanted))
}

// describe writes one line for each goroutine.
func describe(t *testing.T, out *strings.Builder, dump []byte) {
	pairs := map[string]string{}
	goroutine.Scan(dump, func(h goroutine.Head) bool {
		g, err := goroutine.Parse(h.Block)
		require.NoError(t, err, "%s", h.Block)
		assert.Equal(t, h.ID, g.ID)
		assert.Equal(t, string(h.State), g.State)
		assert.Len(t, g.Args, len(g.Frames))
		assert.NotEmpty(t, g.Frames)
		for i, f := range g.Frames {
			assert.NotEmpty(t, f.Func)
			assert.NotEmpty(t, f.File, "frame %d of %s", i, h.Block)
			assert.NotZero(t, f.Line)
		}
		role := goroutine.Classify(&g)
		assert.Equal(t, role == goroutine.RoleClientLeased, h.Leased)
		assert.Equal(t, h.Leased || role == goroutine.RoleClientIdle || role == goroutine.RoleClientWrite ||
			role == goroutine.RoleH2ClientConn, h.Transport)

		fmt.Fprintf(out, "%-18s %-22s", role, g.State)
		start := g.Frames[len(g.Frames)-1].Func
		fmt.Fprintf(out, " %s", short(start))
		if g.CreatedBy.Func != "" {
			// Timers start goroutines without being one.
			assert.Equal(t, g.CreatedBy.Func == "time.goFunc", g.CreatorID == 0, "%s", h.Block)
			assert.NotEmpty(t, g.CreatedBy.File)
			fmt.Fprintf(out, " <- %s", short(g.CreatedBy.Func))
		}
		if key := goroutine.PairKey(&g); key != "" {
			if pairs[key] == "" {
				pairs[key] = string(rune('A' + len(pairs)))
			}
			fmt.Fprintf(out, " pair=%s", pairs[key])
		}
		for _, flag := range []struct {
			set  bool
			name string
		}{{g.Leaked, "leaked"}, {g.Durable, "durable"}, {g.Scan, "scan"}, {g.Locked, "locked"}} {
			if flag.set {
				fmt.Fprintf(out, " %s", flag.name)
			}
		}
		if g.Bubble != 0 {
			fmt.Fprintf(out, " bubble=%d", g.Bubble)
		}
		if g.Elided != 0 {
			fmt.Fprintf(out, " elided=%d", g.Elided)
		}
		if len(g.Ancestors) != 0 {
			fmt.Fprintf(out, " ancestors=%d", len(g.Ancestors))
		}
		for _, l := range g.Labels {
			fmt.Fprintf(out, " %q=%q", l.Key, l.Value)
		}
		out.WriteString("\n")
		return true
	})
	for key, pair := range pairs {
		assert.Equal(t, 2, strings.Count(out.String()[strings.LastIndex(out.String(), "=="):], " pair="+pair), "pair %s", key)
	}
}

// short leaves this module's path out.
func short(name string) string {
	return strings.TrimPrefix(name, "github.com/leakgate/leakgate/internal/goroutine/testdata/")
}
