package matrix

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/deep/mode"
)

// inDeep is what deep mode says of a scenario where it is not what leakcheck says: it knows every line.
type inDeep struct {
	taken   string   // the site is the line that ends in "// TAKEN taken"
	also    []string // further entries, "CODE kind", of what the scenario holds besides
	passes  bool     // the finding is told in the log, and the test passes
	unknown string   // why there is no line, where deep mode knows none either
}

// deepWants are by the scenario's name. A scenario that wants a line of leakcheck needs none.
var deepWants = map[string]inDeep{
	"http-pooled-connection-untracked": {taken: "own-client"},
	"http-403-untracked":               {taken: "own-transport"},
	"https-untracked":                  {taken: "own-client"},
	"http-beside-idle":                 {taken: "own-transport"},
	"http-retry-loop-untracked":        {taken: "own-client"},
	"http2-open-stream":                {taken: "own-client"},
	"http2-small-body-timeout":         {taken: "own-client"},
	"http-client-timeout-untracked":    {taken: "own-client"},
	"http-eof-not-closed-httpcheck":    {passes: true},
	"http-transport-per-call":          {unknown: "an idle connection does not say who opened it"},
	"https-transport-per-call":         {unknown: "an idle connection does not say who opened it"},
	"server-httptest":                  {taken: "httptest"},
	"server-httptest-with-clients":     {taken: "httptest-used"},

	"go-notify-context": {unknown: "it was started by os/signal.NotifyContext"},

	"tcp-dial":             {taken: "dial"},
	"tcp-dial-elsewhere":   {taken: "dial"},
	"tcp-listener":         {taken: "listen"},
	"unix-listener":        {taken: "listen"},
	"unix-dial":            {taken: "dial"},
	"udp":                  {taken: "packet"},
	"tcp-close-wait":       {taken: "dial"},
	"tcp-dropped":          {taken: "dial"},
	"tcp-dial-http-server": {taken: "dial-http"},

	// The pipe to the child is held as well.
	"exec-no-wait":           {taken: "cat", also: []string{"LK303 file"}},
	"exec-stdout-buffer":     {taken: "cat", also: []string{"LK303 file"}},
	"exec-wait-in-goroutine": {taken: "cat", also: []string{"LK303 file"}},
	"exec-context":           {taken: "exec-context"},
	"exec-stdin-pipe":        {taken: "exec-stdin"},
	"exec-exited":            {taken: "exec-exited"},

	"sql-db":         {taken: "db"},
	"sql-db-cleaner": {taken: "db-lifetime"},
	"sql-tx":         {taken: "tx"},
	"sql-rows":       {taken: "rows"},
	"sql-rows-in-tx": {taken: "tx-with-rows"},
}

// TestMatrixDeep runs the table under leakgate test. The code is that of this package without any line of the harness: what
// stands before each line is as it is here, so that lines have their numbers.
func TestMatrixDeep(t *testing.T) {
	p := newParent(t)
	p.binary = deepBinary(t)
	p.dir = filepath.Dir(p.binary)
	p.env = []string{mode.Env + "=" + mode.On}
	taken := marks(t, "TAKEN")
	used := make(map[string]bool)
	for _, s := range table() {
		d := deepWants[s.name]
		used[d.taken] = true
		if !p.chosen(s) {
			continue
		}
		if s.leak != nil {
			p.run(t, s.name+"/leak", false, func(t *testing.T, r result) { checkDeep(t, p, s, d, taken, r) })
		}
		if s.clean != nil {
			p.run(t, s.name+"/clean", false, func(t *testing.T, r result) {
				checkClean(t, r)
				assert.NotContains(t, r.text, "leakgate:")
			})
		}
	}
	for mark, at := range taken {
		assert.True(t, used[mark], "%s: no scenario wants this line", at)
	}
}

// ofHarness are the lines that are left out.
var ofHarness = regexp.MustCompile(`(?m)^\t+(?:t\.Cleanup\((?:leak|http)check\.Verify\(|"github\.com/leakgate/).*$`)

// keeper keeps what a scenario leaks where no package-level variable holds it: on the stack of a goroutine from before the tests.
const keeper = `package matrix

import "runtime"

var keeper = make(chan any)

func init() {
	go func() {
		var all []any
		for v := range keeper {
			all = append(all, v)
		}
		runtime.KeepAlive(all)
	}()
}
`

// deepBinary compiles this package's tests under leakgate test, as a module that does not know of the harness.
func deepBinary(t *testing.T) string {
	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	for _, name := range files {
		if name == "deep_test.go" {
			continue
		}
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		text = ofHarness.ReplaceAll(text, nil)
		if name == "matrix_test.go" { // what was there before the test is made before the tests begin
			for from, to := range map[string]string{
				"\tif os.Getenv(envMain) == \"\" {\n\t\tos": "\tif os.Getenv(envScenario) == \"\" {\n\t\tos",
				"leakcheck.Main(m)":                         "m.Run()",
				"\tloadChild()\n\n\tchild.run(":             "\n\n\tchild.run(",
			} {
				require.Equal(t, 1, strings.Count(string(text), from), from)
				text = []byte(strings.Replace(string(text), from, to, 1))
			}
		}
		// What a package-level variable holds is process-wide in deep mode.
		text = bytes.ReplaceAll(text, []byte("<-never"), []byte("<-make(chan struct{})"))
		text = bytes.Replace(text, []byte("func keep(v any) { kept = append(kept, v) }"), []byte("func keep(v any) { keeper <- v }"), 1)
		require.NotContains(t, string(text), "leakgate/leakgate", name)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o644))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "keeper_test.go"), []byte(keeper), 0o644))
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		text = []byte(strings.Replace(string(text), "module github.com/leakgate/leakgate", "module example.com/matrix", 1))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o644))
	}
	tool, binary := filepath.Join(dir, "leakgate"), filepath.Join(dir, "matrix.test")
	build := exec.Command("go", "build", "-o", tool, "./cmd/leakgate")
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	compile := exec.Command(tool, "test", "-c", "-mod=mod", "-o", binary)
	compile.Dir = dir
	compile.Env = append(os.Environ(), "GOWORK=off", "LEAKGATE_CACHE="+filepath.Join(dir, "cache"))
	out, err = compile.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return binary
}

// checkDeep compares a report of deep mode with what the scenario wants.
func checkDeep(t *testing.T, p *parent, s scenario, d inDeep, taken map[string]string, r result) {
	w := s.want
	exit := 1
	if w.passes || d.passes {
		exit = 0
	}
	assert.Equal(t, exit, r.exit, "exit status")
	var found []string
	var e *entry
	for i := range r.entries {
		is := r.entries[i].code + " " + r.entries[i].kind
		if e == nil && is == w.code+" "+w.kind {
			e = &r.entries[i]
			continue
		}
		found = append(found, is)
	}
	assert.ElementsMatch(t, d.also, found, "further entries")
	if !assert.NotNil(t, e, "no %s %s", w.code, w.kind) {
		return
	}
	assert.Equal(t, max(w.count, 1), e.count, "count")
	assert.NotContains(t, r.text, "the check itself failed")
	assert.NotContains(t, r.text, "panic:")
	if d.unknown != "" {
		assert.Empty(t, e.site(), "no line can be known")
		assert.Contains(t, e.text, d.unknown)
		return
	}
	want := p.marks[w.mark]
	if d.taken != "" {
		want = taken[d.taken]
	}
	if assert.NotEmpty(t, want, "no line is named for the scenario") {
		assert.Equal(t, want, e.site(), "the line that is blamed")
	}
	assert.NotContains(t, e.text, "no line ")
}
