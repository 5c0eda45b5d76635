package mockserver

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/deep/mode"
)

// inDeep is what deep mode finds of each planted client, without a harness: codes and marks of lines, or a line that has no
// mark. What has none is no leak, for the reason given.
var inDeep = []struct {
	test   string
	finds  []string
	unseen string
}{
	{test: "StatusOnly", finds: []string{"LK001 status-only"}},
	{test: "Tracked", finds: []string{"LK001 tracked"}},
	{test: "Timeout", finds: []string{"LK001 timeout"}},
	{test: "EarlyReturn", finds: []string{"LK001 early-return"}},
	{test: "Retry", finds: []string{"LK001 retry"}},
	{test: "Redirect", finds: []string{"LK001 redirect"}},
	{test: "Decode", finds: []string{"LK001 decode"}},
	{test: "Head", finds: []string{"LK001 head", "LK001 resp, err := shared.Head(url)"}},
	{test: "Copy", finds: []string{"LK001 copy"}},
	{test: "Pages", finds: []string{"LK001 pages"}},
	{test: "Swap", finds: []string{"LK001 swap"}},
	{test: "Closer", finds: []string{"LK001 resp, err := shared.Get(url)", "LK102 closer"}},
	{test: "Cancel", finds: []string{"LK102 cancel"}},
	{test: "Upgrade", finds: []string{"LK001 upgrade"}},
	{test: "Transport", finds: []string{"LK003 "}}, // an idle connection does not say who opened it,
	{test: "OverTLS", finds: []string{"LK001 tls"}},
	{test: "OverHTTP2", finds: []string{"LK001 http2"}},
	{test: "Never", finds: []string{"LK001 never"}},
	{test: "Hang", unseen: "a call that does not return is found by go test's own timeout"},
	{test: "Garbage", unseen: "a panic is no leak"},
	{test: "Endless", unseen: "a read without an end is no leak"},
	{test: "Storm", unseen: "requests without a limit are no leak"},
}

// twinsInDeep are silent.
var twinsInDeep = []string{
	"StatusOnlyFixed", "EarlyReturnFixed", "RetryFixed", "RedirectFixed", "DecodeFixed", "HeadFixed", "CopyFixed", "PagesFixed",
	"SwapFixed", "CloserFixed", "CancelFixed", "UpgradeFixed", "HangFixed", "GarbageFixed", "EndlessFixed", "StormFixed", "TransportFixed",
}

// TestSweepPlantedDeep runs the planted clients under leakgate test, in a module whose mockserver is a plain server: none of
// its lines is the harness's. Replies that a plain test does not get are out of its reach, and no test of deep mode.
func TestSweepPlantedDeep(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the standard library with the hooks in it: left out with -short")
	}
	binary, source := deepSuite(t)
	found := 0
	for _, c := range inDeep {
		if c.unseen != "" {
			t.Logf("%s: %s", c.test, c.unseen)
			continue
		}
		t.Run(c.test, func(t *testing.T) {
			out, passed := runDeep(t, binary, c.test)
			assert.False(t, passed, out)
			if assert.Equal(t, c.finds, findings(source, out), out) {
				found++
			}
		})
	}
	for _, test := range twinsInDeep {
		t.Run(test, func(t *testing.T) {
			out, passed := runDeep(t, binary, test)
			assert.True(t, passed, out)
			assert.Equal(t, "PASS\n", steady(out))
		})
	}
	t.Logf("%d of %d planted clients are found by deep mode alone", found, len(inDeep))
}

// deepSuite compiles the planted clients, and gives their lines.
func deepSuite(t *testing.T) (binary string, source []string) {
	dir := t.TempDir()
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join("testdata", "sweep", "planted_test.go"))
	require.NoError(t, err)
	clients := strings.ReplaceAll(string(text), "github.com/leakgate/leakgate/", "example.com/planted/")
	require.NotContains(t, clients, "leakgate/leakgate")
	plain, err := os.ReadFile(filepath.Join("testdata", "deep", "plain.go"))
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "mockserver"), 0o755))
	for name, text := range map[string]string{
		"go.mod": "module example.com/planted\n\ngo 1.25.0\n", "planted_test.go": clients, filepath.Join("mockserver", "plain.go"): string(plain),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	tool, binary := filepath.Join(dir, "leakgate.exe"), filepath.Join(dir, "planted.test.exe")
	build := exec.Command("go", "build", "-o", tool, "./cmd/leakgate")
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	compile := exec.Command(tool, "test", "-c", "-o", binary)
	compile.Dir = dir
	compile.Env = append(os.Environ(), "GOWORK=off", "LEAKGATE_CACHE="+filepath.Join(dir, "cache"))
	out, err = compile.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return binary, strings.Split(clients, "\n")
}

func runDeep(t *testing.T, binary, test string) (out string, passed bool) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-test.run=^Test"+test+"$", "-test.timeout=40s")
	cmd.Dir = filepath.Dir(binary)
	cmd.Env = append(os.Environ(), mode.Env+"="+mode.On)
	text, err := cmd.CombinedOutput()
	require.NoError(t, ctx.Err(), "hung: %s", text)
	return string(text), err == nil
}

var deepSite = regexp.MustCompile(`^ +(?:taken|started|opened) at +planted_test\.go:(\d+) `)

// findings are the different entries of a report.
func findings(source []string, out string) (all []string) {
	code, site := "", ""
	add := func() {
		if is := fmt.Sprintf("%s %s", code, site); code != "" && !slices.Contains(all, is) {
			all = append(all, is)
		}
		code, site = "", ""
	}
	for line := range strings.Lines(out) {
		if m := regexp.MustCompile(`^ +(LK\d{3}) \S+`).FindStringSubmatch(line); m != nil {
			add()
			code = m[1]
		}
		if m := deepSite.FindStringSubmatch(line); m != nil && site == "" {
			n, _ := strconv.Atoi(m[1])
			site = strings.TrimSpace(source[n-1])
			if _, mark, ok := strings.Cut(site, "// LINE "); ok {
				site = mark
			}
		}
	}
	add()
	slices.Sort(all)
	return all
}
