package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// events gives what go test -json prints of these lines: "action package test output".
func events(t *testing.T, lines ...string) *tests {
	t.Helper()
	var b strings.Builder
	for _, l := range lines {
		f := strings.SplitN(l, " ", 4)
		e := event{Action: f[0], Package: f[1]}
		if len(f) > 2 {
			e.Test = f[2]
		}
		if len(f) > 3 {
			e.Output = f[3] + "\n"
		}
		data, err := json.Marshal(e)
		require.NoError(t, err)
		b.Write(append(data, '\n'))
	}
	got, err := readTests(strings.NewReader(b.String() + "no JSON\n"))
	require.NoError(t, err)
	return got
}

// TestDifferences: a leak may fail a test and those around it, and nothing else may.
func TestDifferences(t *testing.T) {
	plain := events(t, "pass p A", "pass p B", "pass p B/one", "fail p C", "skip p D", "fail p", "pass p E")
	assert.Equal(t, counts{Pass: 4, Fail: 1, Skip: 1}, plain.counts())
	assert.Empty(t, differences(plain, plain, "told", false))
	assert.Empty(t, differences(events(t, "pass p T/file='/tmp/T1036950983/001/x'_a"), events(t, "pass p T/file='/tmp/T1054524364/001/x'_a"), "told", false))

	deep := events(t, "pass p A", "output p B leakgate: 1 leak: file x was never closed", "fail p B", "pass p B/one", "fail p C",
		"skip p D", "fail p", "fail p E", "output p  leakcheck: process-wide, which is no leak: made once at a.go:1: x (×1)")
	assert.Equal(t, []string{"made once at a.go:1: x (×1)"}, deep.shared)
	lines := func(list []difference) (out []string) {
		for _, d := range list {
			out = append(out, d.String())
		}
		return out
	}
	assert.Equal(t, []string{"p E: pass plain, fail with leaks failing"}, lines(differences(plain, deep, "failing", true)))
	assert.Equal(t, []string{"p B: pass plain, fail with leaks told", "p E: pass plain, fail with leaks told"}, lines(differences(plain, deep, "told", false)))

	deep.also(events(t, "pass p E"))
	assert.Empty(t, differences(plain, deep, "failing", true), "it ends either way in deep mode")
	assert.Equal(t, []string{"p Z: not run plain, the check itself failed with leaks told"},
		lines(differences(plain, events(t, "pass p A", "pass p B", "pass p B/one", "fail p C", "skip p D", "fail p", "pass p E", "output p Z leakgate: the check itself failed, please report it: x"), "told", false)))
	assert.Equal(t, []string{"B", "E"}, topTests([]difference{{Test: "E"}, {Test: "B/one"}, {Test: "B"}, {Package: "p"}}))
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"a.go F", "a.go F", true}, {"a.go F", "a.go F2", false}, {"a.go *", "a.go F.func1", true}, {"*_test.go T*1", "x_test.go T21", true},
		{"*_test.go T*1", "x_test.go T2", false}, {"*", "", true},
	} {
		assert.Equal(t, c.want, matches(c.pattern, c.text), "%s %s", c.pattern, c.text)
	}
}

// TestTell: what nobody has classed, and what differs, is not clean; the page has it all.
func TestTell(t *testing.T) {
	p := &project{Module: "example.com/m", Version: "v1.0.0", Needs: []string{"redis"}, Note: "without TestX", Reports: []class{
		{At: "a.go Open", Kind: "file", Class: "project", Why: "nobody closes it | at all"}, {At: "gone.go F", Kind: "file", Class: "tests"},
	}}
	r := &result{
		project: p, Module: p.Module, Version: p.Version, Go: "go1.26", Date: "2026-01-02",
		Plain: counts{Pass: 3, Seconds: 1}, Deep: counts{Pass: 3, Seconds: 1.5}, Failing: counts{Pass: 2, Fail: 1, Seconds: 2}, Shared: []string{"x"},
		Findings: []finding{
			{Kind: "file", Title: "file x was never closed", File: "a.go", Line: 3, Func: "Open", Source: "os.Open(x)", Tests: []string{"TestA"}},
			{Kind: "file", Title: "file y was never closed", File: "a.go", Line: 3, Func: "Open", Source: "os.Open(x)", Tests: []string{"TestA", "TestB"}},
		},
		Unsteady: []difference{{Package: "p", Test: "TestU/one"}},
	}
	var out strings.Builder
	assert.True(t, r.tell(&out, p))
	assert.Equal(t, `
example.com/m v1.0.0, go1.26
  plain        3 passed    0 failed    0 skipped     1.0 s
  told         3 passed    0 failed    0 skipped     1.5 s
  failing      2 passed    1 failed    0 skipped     2.0 s
  unsteady, plain or not: TestU
  project      a.go:3 Open
               file ×2: file x was never closed
               os.Open(x)
               2 tests: TestA TestB
  not found    file gone.go F
  1 process-wide
`, out.String())

	text := page([]*result{r})
	assert.Contains(t, text, "| example.com/m v1.0.0 | redis | 3 | 0 | 0 | yes, but for unsteady ones | 1 | 1 | 0 | 0 | 0 |\n")
	assert.Contains(t, text, "1 projects, 3 tests passed. Call sites: 1 in projects, 0 in tests, 0 process-wide, 0 false.\n")
	assert.Contains(t, text, "### example.com/m v1.0.0\n\n2026-01-02, go1.26. without TestX. Listed as process-wide, and failing nothing: 1.\n"+
		"Tests whose result changes from run to run, plain as well: TestU.\n")
	assert.Contains(t, text, "| `a.go:3` Open | file | project | nobody closes it \\| at all |\n")

	r.Findings[1].Line = 4
	r.Findings[1].Func = "Other"
	out.Reset()
	assert.False(t, r.tell(&out, p))
	assert.Contains(t, out.String(), "NO CLASS     a.go:4 Other\n")

	r.Findings = nil
	r.Differs = []difference{{Package: "p", Test: "TestD", Was: "pass", How: "told"}}
	out.Reset()
	assert.False(t, r.tell(&out, p))
	assert.Contains(t, out.String(), "  DIFFERS  p TestD: pass plain, not run with leaks told\n")
}

// TestList: the list in the tree can be read, and no wrong one.
func TestList(t *testing.T) {
	list, err := readList("projects.json")
	require.NoError(t, err)
	assert.GreaterOrEqual(t, len(list), 12)
	file := filepath.Join(t.TempDir(), "list.json")
	for _, c := range []struct{ text, want string }{
		{`[{"module": "m", "modul": "x"}]`, `unknown field "modul"`},
		{`[{"module": "m", "reports": [{"at": "a", "class": "perhaps"}]}]`, `"perhaps" is no class`},
	} {
		require.NoError(t, os.WriteFile(file, []byte(c.text), 0o644))
		_, err := readList(file)
		assert.ErrorContains(t, err, c.want)
	}
}

// TestService: a server that does not start is told with what it said.
func TestService(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash starts the servers")
	}
	_, _, _, err := startService(t.Context(), "none")
	assert.ErrorContains(t, err, "no such server: none")
}
