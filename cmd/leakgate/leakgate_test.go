package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

var update = flag.Bool("update", false, "rewrite the golden files, and the demo's sources from examples")

// asProgram makes this test binary the program, for tests of what only a process has: signals, and pipes that are closed.
const asProgram = "LEAKGATE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(leakcheck.Main(m))
}

// call runs the program.
func call(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(context.Background(), args, console{out: &o, err: &e})
	return o.String(), e.String(), code
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}

// Every text that does not come from the demo itself.
func TestUsage(t *testing.T) {
	var b strings.Builder
	for _, args := range [][]string{
		{}, {"help"}, {"-h"}, {"help", "demo"}, {"help", "dmeo"}, {"help", "help"}, {"help", "a", "b"}, {"help", "-h"},
		{"dmo"}, {"DEMO"}, {"dem"}, {"versoin"}, {"frobnicate", "./..."},
		{"version", "-h"}, {"version", "x"},
		{"demo", "-h"}, {"demo", "-x"}, {"demo", "-keep"}, {"demo", "now"}, {"demo", "-keep", "incident"},
		{"help", "test"}, {"test", "-kinds"}, {"help", "report"}, {"help", "baseline"}, {"help", "baseline", "accept"}, {"help", "baseline", "prune"}, {"help", "baseline", "check"},
		{"help", "completion"}, {"help", "baseline", "acept"}, {"help", "report", "x"}, {"help", "--help"},
		{"report", "--formt", "json", "leaks"}, {"report", "-format", "jsn", "leaks"}, {"report", "-format", "xml", "leaks"},
		{"report", "-format"}, {"report", "leaks", "-format", "json"}, {"report", "leaks", "-h", "x"}, {"report", "leaks", "-p"},
		{"report", "-o", "leaks", "leaks"}, {"report", "-o", "a.html", "-o", "a.html", "leaks"}, {"report", "-o", "", "leaks"},
		{"report", "-format", "text", "-format", "json", "leaks"}, {"report", "-all=perhaps", "leaks"}, {"report", "-root", "nowhere", "leaks"},
		{"baseline"}, {"baseline", "-h"}, {"baseline", "help"}, {"baseline", "acept"}, {"baseline", "update"}, {"baseline", "./..."},
		{"baseline", "accept", "--help"}, {"baseline", "accept", "-raeson", "x"}, {"baseline", "accept", "-race", "./..."},
		{"baseline", "accept", "./...", "-reason", "x"}, {"baseline", "accept", "./...", "-race"}, {"baseline", "accept", "-expires", "soon", "./..."},
		{"baseline", "accept", "-reason", "a\nb", "./..."}, {"baseline", "accept", "-baseline", "off"},
		{"baseline", "prune", "-reason", "x"}, {"baseline", "prune", "-from", "leaks", "./..."}, {"baseline", "prune", "-from", "leaks", "--", "-race"},
		{"baseline", "check", "-n"}, {"baseline", "check", "--", "-json"}, {"baseline", "check", "--", "-c"}, {"baseline", "check", "--", "-fuzz=."},
		{"completion"}, {"completion", "bsh"}, {"completion", "pwsh"}, {"completion", "tcsh"}, {"completion", "bash", "zsh"}, {"completion", "-h"},
	} {
		out, errs, code := call(t, args...)
		fmt.Fprintf(&b, "$ %s\n", typed(args))
		b.WriteString(out)
		for line := range strings.Lines(errs) {
			fmt.Fprintf(&b, "2> %s", line)
		}
		fmt.Fprintf(&b, "exit status %d\n\n", code)
	}
	golden(t, "usage.txt", b.String())
}

func TestVersion(t *testing.T) {
	out, errs, code := call(t, "version")
	assert.Equal(t, exitOK, code)
	assert.Empty(t, errs)
	assert.Regexp(t, `^leakgate \S+ \S+ `+runtime.GOOS+"/"+runtime.GOARCH+`\n$`, out)
}

func TestNearest(t *testing.T) {
	for in, want := range map[string]string{
		"demo": "demo", "dmeo": "demo", "demos": "demo", "emo": "demo", "de": "demo", "hlep": "help", "ver": "version",
		"vresion": "version", "x": "", "": "", "baseline": "baseline", "baslin": "baseline",
		"reprot": "report", "rep": "report", "completions": "completion", "d": "",
	} {
		assert.Equal(t, want, nearest(in, commands()), "%q", in)
	}
}

// The demo's sources are those of the examples, byte for byte.
func TestSourcesAreTheExamples(t *testing.T) {
	examples := filepath.Join("..", "..", "examples")
	if _, err := os.Stat(examples); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the examples are a module of their own, which is not here")
	}
	files, err := sources()
	require.NoError(t, err)
	for _, in := range incidents {
		require.Contains(t, files, in.folder+"/incident_test.go")
	}
	for name, got := range files {
		want, err := os.ReadFile(filepath.Join(examples, name))
		require.NoError(t, err)
		if *update {
			require.NoError(t, os.WriteFile(filepath.Join("incident", name+".txt"), want, 0o644))
			continue // what is embedded here is the old one
		}
		assert.Equal(t, string(want), got, "go test ./cmd/leakgate -update copies examples/%s", name)
	}
}

// The reply that the demo shows is the one that is sent.
func TestPageIsTheMocks(t *testing.T) {
	req, err := http.NewRequest("GET", "http://session.test/", nil)
	require.NoError(t, err)
	resp, err := mockserver.ALB(403).Responder()(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	got := fmt.Sprintf("HTTP/1.1 %s\nServer: %s\nContent-Type: %s\nContent-Length: %d\n\n%s",
		resp.Status, resp.Header.Get("Server"), resp.Header.Get("Content-Type"), resp.ContentLength, body)
	assert.Equal(t, pageReply, strings.ReplaceAll(got, "\r\n", "\n"))
}

var varies = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`\(fd \d+\)`), "(fd N)"},
	{regexp.MustCompile(`\d+ payments a second, \d+ transactions`), "N payments a second, N transactions"},
	{regexp.MustCompile(`\d+ customers waited`), "N customers waited"},
	{regexp.MustCompile(`refused, after \S+`), "refused, after TIME"},
	// From Go 1.27 on the runtime can prove it.
	{regexp.MustCompile(`;\s+proved\s+unreachable:\s+nothing\s+that\s+still\s+runs\s+can\s+wake\s+it`), ""},
	// A report that is made of budgets alone has waited when something else was still winding down.
	{regexp.MustCompile(`\n *still so after \S+ \(\d+ looks?\)\n`), ""},
}

func normalise(s string) string {
	for _, v := range varies {
		s = v.re.ReplaceAllString(s, v.with)
	}
	return s
}

// runDemo runs the demo with these sources in place of the embedded ones.
func runDemo(t *testing.T, change map[string]func(string) string) (out, errs string, code int) {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles a module")
	}
	files, err := sources()
	require.NoError(t, err)
	for name, f := range change {
		changed := f(files[name])
		require.NotEqual(t, files[name], changed)
		files[name] = changed
	}
	var o, e bytes.Buffer
	code = demo{console: console{out: &o, err: &e}}.run(context.Background(), files)
	return o.String(), e.String(), code
}

// The complete output of the demo of deep mode, and what comes of a fault that is no more.
func TestDemoDeep(t *testing.T) {
	deepTest(t)
	files, err := sources()
	require.NoError(t, err)
	var o, e bytes.Buffer
	d := demo{console: console{out: &o, err: &e}, deep: true}
	require.Equal(t, exitOK, d.run(context.Background(), files), "%s%s", o.String(), e.String())
	for line := range strings.Lines(o.String()) {
		assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimRight(line, "\n")), width, line)
	}
	if runtime.GOOS == "linux" {
		golden(t, "demo_deep.txt", steadyText(normalise(o.String()))+"\n-- standard error --\n"+e.String())
	}

	o.Reset()
	files["leasedconn/client.go"] = addClose(files["leasedconn/client.go"])
	files["heldacross/deep_test.go"] = strings.Replace(files["heldacross/deep_test.go"], "\tdefer db.Close()\n", "", 1)
	assert.Equal(t, exitLeaks, d.run(context.Background(), files))
	assert.Contains(t, o.String(), "leakgate demo: NOT ok: 5 faults planted, 4 caught\n"+
		"   TestForbidden passed: the fault was missed\n"+
		"   TestPayAlone did not pass: there is nothing to report in it\n"+
		"   please report it, with the output of: leakgate demo -v -deep\n")
}

// The complete output of the demo.
func TestDemo(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	t.Setenv("TMP", tmp)
	out, errs, code := runDemo(t, nil)
	require.Equal(t, exitOK, code, "%s%s", out, errs)
	left, err := filepath.Glob(filepath.Join(tmp, "leakgate-demo-*"))
	require.NoError(t, err)
	assert.Empty(t, left, "the module is removed")

	assert.LessOrEqual(t, strings.Count(out, "\n"), 280, "somebody reads it")
	for line := range strings.Lines(out) {
		assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimRight(line, "\n")), width, line)
	}
	if runtime.GOOS != "linux" {
		t.Skip("what a socket's row says differs by system")
	}
	golden(t, "demo.txt", normalise(out)+"\n-- standard error --\n"+errs)
}

// The user's environment does not decide how the module is built.
func TestDemoInAHostileEnvironment(t *testing.T) {
	t.Setenv("GOFLAGS", "-mod=vendor -tags=nonsense -run=Nothing")
	t.Setenv("GOWORK", filepath.Join(t.TempDir(), "go.work"))
	t.Setenv("GO111MODULE", "off")
	out, errs, code := runDemo(t, nil)
	assert.Equal(t, exitOK, code, "%s%s", out, errs)
}

func addClose(s string) string {
	return strings.Replace(s, "\tswitch resp.StatusCode {", "\tdefer resp.Body.Close()\n\tswitch resp.StatusCode {", 1)
}

func dropClose(s string) string {
	return strings.Replace(s, "\tdefer resp.Body.Close()\n", "", 1)
}

// Whatever is not as it should be is exit status 1, and said. Each run has a fault for several of the incidents.
func TestDemoFailsWhenTheHarnessDoes(t *testing.T) {
	type change = map[string]func(string) string
	for name, tc := range map[string]struct {
		change change
		caught int
		says   []string
	}{
		"missed": {
			change{"leasedconn/client.go": addClose, "nightlysync/sync.go": closePool, "heldacross/incident_test.go": noBudget},
			10, []string{
				"TestForbiddenPage passed: the fault was missed",
				"TestCloseWaits passed: the fault was missed",
				"TestThreeQuarters passed: the fault was missed",
				"TestLoadWithPages passed: the fault was missed",
				"TestNightlySync passed: the fault was missed",
				"TestNightlySyncRepeat passed: the fault was missed",
				"TestNightlySyncInProduction did not pass: there is nothing to report in it", // the limit is not met any more
				"TestPay passed: the fault was missed",
			},
		},
		"a false alarm": {
			change{"leasedconn/fixed.go": dropClose, "heldacross/incident_test.go": notFixed},
			17, []string{
				"TestForbiddenPageFixed did not pass: there is nothing to report in it",
				"TestPayFixed did not pass: there is nothing to report in it",
			},
		},
		"a failure that is no report, and a budget that is kept": {
			change{"leasedconn/incident_test.go": unchecked, "nightlysync/incident_test.go": budgetOf3, "deadbroker/incident_test.go": named},
			14, []string{
				"TestForbiddenPage failed, but not with one LK001",
				"TestStartUpDialsOnlyWhatIsNamed failed, but not with one LK605, LK102",
				"TestNightlySyncDeferred passed: the fault was missed",
			},
		},
		"a report with the wrong line, and a log line that is missing": {
			change{"leasedconn/client.go": elsewhere, "heldacross/incident_test.go": silent, "deadbroker/start.go": publisherElsewhere},
			10, []string{
				"TestForbiddenPage failed with LK001, but did not name client.go:",
				"TestCloseWaits failed with LK602, but did not name client.go:",
				"TestThreeQuarters failed with LK001, LK005, but did not name client.go:",
				"TestLoadWithPages failed with LK001, but did not name client.go:",
				"TestStartUpDialsOnlyWhatIsNamed failed with LK605, LK102, but did not name start.go:",
				"TestBrokerIsGone failed with LK102, but did not name start.go:",
				"TestBrokerHangs failed with LK606, LK102, but did not name start.go:",
				`TestPayInProduction passed, but did not print "10 of 10 connections are out, 90 customers wait for one"`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, errs, code := runDemo(t, tc.change)
			assert.Equal(t, exitLeaks, code, "%s%s", out, errs)
			var want strings.Builder
			fmt.Fprintf(&want, "leakgate demo: NOT ok: 17 faults planted, %d caught\n", tc.caught)
			_, got, _ := strings.Cut(out, "\nleakgate demo: ")
			for _, line := range tc.says {
				assert.Contains(t, got, "\n   "+line)
			}
			assert.Equal(t, 2+len(tc.says), strings.Count(got, "\n"), "nothing else is wrong:\n%s", got)
			assert.Contains(t, out, want.String())
			assert.NotContains(t, out, "Now yours")
		})
	}
}

// closePool closes each pool with its item.
func closePool(s string) string {
	return strings.Replace(s, "\t_, err = db.ExecContext", "\tdefer db.Close()\n\t_, err = db.ExecContext", 1)
}

// budgetOf3 allows what the deferred worker needs.
func budgetOf3(s string) string {
	return strings.Replace(s, "dbcheck.MaxConns(1)", "dbcheck.MaxConns(3)", 1)
}

// noBudget takes the first budget away.
func noBudget(s string) string { return strings.Replace(s, ", dbcheck.NoCallWhileHeld()", "", 1) }

// named names the broker.
func named(s string) string {
	return strings.Replace(s, "AllowRemotes(leakcheck.OwnListeners)", "AllowRemotes(broker)", 1)
}

// publisherElsewhere lets another line start the publisher.
func publisherElsewhere(s string) string {
	return strings.Replace(s, "\tgo s.publish()\n\n", "\t// go s.publish()\n\tgo s.publish()\n", 1)
}

// notFixed lets the test of the fixed checkout use the first one.
func notFixed(s string) string {
	return strings.Replace(s, "&FixedCheckout{", "&Checkout{", 1)
}

// silent says something else.
func silent(s string) string { return strings.Replace(s, "%d customers wait", "%d people wait", 1) }

// unchecked lets the first test fail by itself.
func unchecked(s string) string {
	return strings.Replace(s, "\tt.Cleanup(leakcheck.Verify(t))\n", "\tt.Error(\"it rains\")\n", 1)
}

// elsewhere lets another line send the request.
func elsewhere(s string) string {
	return strings.Replace(s, "resp, err := http.DefaultClient.Do(req)",
		"// http.DefaultClient.Do(req)\n\tresp, err := http.DefaultClient.Do(req)", 1)
}

// Each way in which the demo cannot run says what to do.
func TestDemoCouldNotRun(t *testing.T) {
	t.Run("no go command", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		out, errs, code := runDemo(t, nil)
		assert.Equal(t, exitCouldNot, code)
		assert.Empty(t, out)
		assert.Contains(t, errs, "could not run: the go command was not found")
		assert.Contains(t, errs, "what to do: install Go 1.25 or later")
	})
	t.Run("no temporary folder", func(t *testing.T) {
		t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "gone"))
		t.Setenv("TMP", filepath.Join(t.TempDir(), "gone"))
		out, errs, code := runDemo(t, nil)
		assert.Equal(t, exitCouldNot, code)
		assert.Empty(t, out)
		assert.Contains(t, errs, "could not run: the module could not be written")
		assert.Contains(t, errs, "what to do: point TMPDIR")
	})
	t.Run("compile error", func(t *testing.T) {
		out, errs, code := runDemo(t, map[string]func(string) string{
			"leasedconn/client.go": func(s string) string { return s + "\nvar x int = true\n" },
		})
		assert.Equal(t, exitCouldNot, code)
		assert.Empty(t, out)
		assert.Contains(t, errs, "could not run: go test did not run TestForbiddenPage, TestForbiddenPageFixed, TestForbiddenEmpty, TestCloseWaits, TestThreeQuarters, TestLoadOfEmptyReplies, TestLoadWithPages (")
		assert.Contains(t, errs, "cannot use true")
		assert.Contains(t, errs, "what to do: ")
	})
	t.Run("panic", func(t *testing.T) {
		_, errs, code := runDemo(t, map[string]func(string) string{
			"leasedconn/client.go": func(s string) string { return strings.Replace(s, "\tswitch", "\tpanic(1)\n\tswitch", 1) },
		})
		assert.Equal(t, exitCouldNot, code)
		assert.Contains(t, errs, "go test did not run TestForbiddenPageFixed, TestForbiddenEmpty, TestCloseWaits, TestThreeQuarters, TestLoadOfEmptyReplies, TestLoadWithPages (")
	})
}

func TestFailureSaysWhatToDo(t *testing.T) {
	for said, todo := range map[string]string{
		"go: go.mod requires go >= 1.25.0 (running go 1.22.1; GOTOOLCHAIN=local)":           "install Go 1.25",
		"go: go.uber.org/goleak@v1.3.0: module lookup disabled by GOPROXY=off":              "run it once with a network",
		"go: go.uber.org/goleak@v1.3.0: Get \"https://proxy.test/\": dial tcp: i/o timeout": "run it once with a network",
		"fork/exec /tmp/go-build1/b001/leasedconn.test: permission denied":                  "point TMPDIR and GOCACHE",
		"mkdir /tmp/go-build1/: no space left on device":                                    "free some space",
		"something that nobody has thought of":                                              "leakgate demo -keep DIR",
	} {
		var p problem
		require.ErrorAs(t, (&testRun{stderr: said, err: errors.New("exit status 1")}).failure(namesOf(incidents)), &p)
		assert.Contains(t, p.todo, todo)
		assert.Equal(t, said, p.said)
	}
}

// cancelOn cancels when the text is written.
type cancelOn struct {
	bytes.Buffer
	mu     sync.Mutex
	text   string
	cancel func()
}

func (w *cancelOn) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if strings.Contains(string(p), w.text) {
		w.cancel()
	}
	return w.Buffer.Write(p)
}

// An interrupt stops go test and leaves nothing behind.
func TestDemoIsInterrupted(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a module")
	}
	if runtime.GOOS == "windows" {
		t.Skip("there the console interrupts go test's children, and here is none")
	}
	files, err := sources()
	require.NoError(t, err)
	files["leasedconn/incident_test.go"] = strings.Replace(files["leasedconn/incident_test.go"], "\tt.Cleanup(", "\tselect {}\n\tt.Cleanup(", 1)
	for _, at := range []string{"compiling", "running"} {
		t.Run(at, func(t *testing.T) {
			tmp := t.TempDir()
			t.Setenv("TMPDIR", tmp)
			t.Setenv("TMP", tmp)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			errs := &cancelOn{text: at, cancel: cancel}
			var out bytes.Buffer
			code := demo{console: console{out: &out, err: errs}}.run(ctx, files)
			assert.Equal(t, exitCouldNot, code)
			assert.Contains(t, errs.String(), "could not run: interrupted")
			assert.Empty(t, out.String())
			left, err := filepath.Glob(filepath.Join(tmp, "*"))
			require.NoError(t, err)
			assert.Empty(t, left)
		})
	}
}

// What -keep leaves is a module that go test runs as it is, with the same result.
func TestDemoKeep(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a module")
	}
	dir := filepath.Join(t.TempDir(), "a folder", "kept")
	out, errs, code := call(t, "demo", "-v", "-keep", dir)
	require.Equal(t, exitOK, code, "%s%s", out, errs)
	assert.Contains(t, out, "The module is in "+dir)
	assert.Contains(t, errs, "GOFLAGS=-mod=mod GOWORK=off")
	assert.Contains(t, errs, "  | TestForbiddenPage: fail")

	cmd := exec.CommandContext(context.Background(), "go", "test", "-tags", "incident", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	again, err := cmd.CombinedOutput()
	assert.Error(t, err)
	for _, line := range []string{"LK001 http-response", "LK201 goroutine ×3", "LK215 sql-conn"} {
		assert.Contains(t, string(again), line)
	}
	assert.NotContains(t, string(again), "go: updates to go.mod needed")

	_, errs, code = call(t, "demo", "-keep", dir)
	assert.Equal(t, exitUsage, code)
	assert.Contains(t, errs, "is not empty")
}

// Outside of a checkout the module requires the version that this program has.
func TestModuleRequiresTheSameVersion(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, writeModule(dir, nil, origin{version: "v1.2.3"}))
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	require.NoError(t, err)
	assert.Equal(t, "module github.com/leakgate/leakgate/examples\n\ngo 1.25.0\n\nrequire github.com/leakgate/leakgate v1.2.3\n", string(mod))
}

// Tests are told apart by their names alone, and each has its place.
func TestIncidents(t *testing.T) {
	seen := make(map[string]bool)
	for _, name := range slices.Concat(namesOf(incidents), namesOf(deepIncidents)) {
		assert.False(t, seen[name], "two tests are called %s", name)
		seen[name] = true
	}
	for i, in := range slices.Concat(incidents, deepIncidents) {
		files, err := sources()
		require.NoError(t, err)
		own, all := files[in.folder+"/incident_test.go"], namesOf(incidents)
		if i >= len(incidents) {
			own, all = files[in.folder+"/"+deepTestFile], namesOf(deepIncidents)
			assert.NotContains(t, own, modulePath+"/leakcheck")
			assert.Equal(t, incidents[i-len(incidents)].folder, in.folder)
		}
		assert.Equal(t, len(in.tests), strings.Count(own, "\nfunc Test"), "%s: tests that nobody judges", in.folder)
		for _, s := range in.tests {
			assert.Contains(t, own, "\nfunc "+s.test+"(")
			for _, p := range []place{s.want, s.too} {
				if p.code != "" {
					assert.NotZero(t, lineOf(files[in.folder+"/"+p.file], p.statement), s.test)
				}
			}
		}
		for _, b := range in.beside {
			assert.Contains(t, all, b.test)
		}
	}
}

func TestWrap(t *testing.T) {
	long := "    what        " + strings.Repeat("word ", 30)
	for _, line := range wrap(long, 16) {
		assert.LessOrEqual(t, len(line), width)
	}
	assert.Equal(t, []string{"short"}, wrap("short", 4))
	one := strings.Repeat("x", 150)
	assert.Equal(t, []string{one}, wrap(one, 4))
	assert.Equal(t, []string{"    " + one}, wrap("    "+one, 4))
}

func TestColour(t *testing.T) {
	env := func(kv ...string) func(string) string {
		return func(k string) string {
			for i := 0; i < len(kv); i += 2 {
				if kv[i] == k {
					return kv[i+1]
				}
			}
			return ""
		}
	}
	assert.False(t, wantsColour(env("NO_COLOR", "1", "TERM", "xterm")))
	assert.True(t, wantsColour(env("TERM", "xterm")))
	assert.Equal(t, "\x1b[31mFAIL\x1b[0m", console{colour: true}.paint(red, "FAIL"))
	assert.Equal(t, "FAIL", console{}.paint(red, "FAIL"))
}

// The spinner writes over one line and leaves nothing of it.
func TestSpinner(t *testing.T) {
	var b bytes.Buffer
	p := &progress{w: &b, live: true}
	p.step("one")
	p.step("two")
	p.end()
	p.end()
	assert.Contains(t, b.String(), "one")
	assert.Contains(t, b.String(), "two")
	assert.True(t, strings.HasSuffix(b.String(), "\r\x1b[K"))
	assert.NotContains(t, b.String(), "\n")
}

// A step's text may change, and never breaks the line.
func TestSpinnerChanges(t *testing.T) {
	p := &progress{w: io.Discard}
	p.change("go test: 1 of 2 packages done  example.com/shop")
	assert.Equal(t, "go test: 1 of 2 packages done  example.com/shop", p.now())
	p.change(strings.Repeat("ä", 200))
	assert.Equal(t, narrow, utf8.RuneCountInString(p.now()))
	assert.True(t, strings.HasSuffix(p.now(), "…"))
}

// What runs long says nothing where nobody watches.
func TestQuietProgress(t *testing.T) {
	var b bytes.Buffer
	p := &progress{w: &b, quiet: true}
	p.step("one")
	p.change("two")
	p.end()
	assert.Empty(t, b.String())
}
