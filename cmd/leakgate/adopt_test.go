package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/verdict"
)

// project is a module with tests of its own that requires this harness.
type project struct {
	t   *testing.T
	dir string
	s   *transcript
}

const storeGo = `package store

// Watch waits until somebody stops it.
func Watch(stop chan struct{}) { go func() { <-stop }() }
`

const mainTest = `package store

import (
	"os"
	"testing"

	"github.com/leakgate/leakgate/leakcheck"
)

func TestMain(m *testing.M) { os.Exit(leakcheck.Main(m)) }
`

const oldTest = `package store

import (
	"testing"

	"github.com/leakgate/leakgate/leakcheck"
)

func TestOld(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	stop := make(chan struct{})
	Watch(stop)
	Watch(stop)
}

func TestClean(t *testing.T) {}
`

const plantedTest = `package store

import (
	"testing"

	"github.com/leakgate/leakgate/leakcheck"
)

func TestPlanted(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	Watch(make(chan struct{}))
}
`

const fixedTest = `package store

import "testing"

func TestOld(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	Watch(stop)
	Watch(stop)
}

func TestClean(t *testing.T) {}
`

// newProject writes it, in a checkout. It builds offline, with the build cache of this machine.
func newProject(t *testing.T) *project {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles and runs the tests of a module")
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".git"), 0o755))
	write(t, dir, "shop/go.mod", "module example.com/shop\n\ngo 1.25.0\n\nrequire "+modulePath+" v0.0.0\n\nreplace "+modulePath+" => "+root+"\n")
	write(t, dir, "shop/go.sum", read(t, root, "go.sum"))
	write(t, dir, "shop/store/store.go", storeGo)
	write(t, dir, "shop/store/main_test.go", mainTest)
	write(t, dir, "shop/store/store_test.go", oldTest)
	write(t, dir, "shop/plain/plain_test.go", "package plain\n\nimport \"testing\"\n\nfunc TestPlain(t *testing.T) {}\n")
	write(t, dir, "shop/empty/empty.go", "package empty\n")
	tmp := filepath.Join(dir, "tmp")
	require.NoError(t, os.Mkdir(tmp, 0o755))
	p := &project{t: t, dir: filepath.Join(dir, "shop"), s: newTranscript(t, filepath.Join(dir, "shop"))}
	p.s.names[dir] = "REPO"
	p.s.console.environ = withoutNames(os.Environ(), "CI", "LEAKGATE_BASELINE", "LEAKGATE_REPORT", "GITHUB_WORKSPACE", "GOFLAGS", "GOWORK", "PWD")
	p.s.console.environ = append(p.s.console.environ, "GOFLAGS=-mod=mod -vet=off -ldflags=-w", "GOPROXY=off", "GOWORK=off", "GOTMPDIR=")
	return p
}

func withoutNames(environ []string, names ...string) (out []string) {
	for _, v := range environ {
		name, _, _ := strings.Cut(v, "=")
		keep := true
		for _, n := range names {
			keep = keep && n != name
		}
		if keep {
			out = append(out, v)
		}
	}
	return out
}

// goTest runs go test as a user does, with more in the environment.
func (p *project) goTest(environ ...string) (string, error) {
	cmd := exec.CommandContext(p.t.Context(), "go", "test", "-count=1", "./store")
	cmd.Dir = p.dir
	cmd.Env = append(append([]string{}, p.s.console.environ...), environ...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// noTemporary asserts that nothing is left in the folder for temporary files.
func noTemporary(t *testing.T, tmp string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(tmp, "leakgate-*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

// From a suite that leaks to one that does not: what was there is accepted, what is new fails, what is gone leaves.
func TestAdopt(t *testing.T) {
	p := newProject(t)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	t.Setenv("TMP", tmp)
	p.s.console.dir = filepath.Join(p.dir, "store") // below the module's root: the file is written there all the same
	assert.Equal(t, exitOK, p.s.call("adopt, from a folder below the root", "baseline", "accept", "./..."))
	p.s.console.dir = p.dir
	p.s.show("leakgate.baseline")
	out, err := p.goTest()
	require.NoError(t, err, "what is known does not fail:\n%s", out)

	write(t, p.dir, "store/planted_test.go", plantedTest)
	leaks := filepath.Join(p.dir, "leaks")
	out, err = p.goTest("LEAKGATE_REPORT=leaks")
	require.Error(t, err)
	assert.Contains(t, out, "--- FAIL: TestPlanted")
	assert.NotContains(t, out, "--- FAIL: TestOld")
	e, err := p.s.console.readAll([]string{leaks})
	require.NoError(t, err)
	g, err := p.s.console.ground("")
	require.NoError(t, err)
	require.NoError(t, p.s.console.findBaselines(e, &g, ""))
	standings := make(map[verdict.Standing]int)
	for _, f := range e.merge(time.Now()).Findings {
		standings[f.Standing]++
	}
	assert.Equal(t, map[verdict.Standing]int{verdict.New: 1, verdict.Known: 1}, standings, "exactly one is new")
	assert.Equal(t, exitLeaks, p.s.short("the report has one new leak", "report", "leaks"))
	assert.Equal(t, exitLeaks, p.s.call("and so says check", "baseline", "check", "-from", "leaks"))

	require.NoError(t, os.Remove(filepath.Join(p.dir, "store", "planted_test.go")))
	write(t, p.dir, "store/store_test.go", fixedTest)
	assert.Equal(t, exitLeaks, p.s.call("both are fixed: the entry is stale", "baseline", "check"))
	assert.Equal(t, exitOK, p.s.call("a filter proves nothing of what it leaves out", "baseline", "prune", "./...", "--", "-run=TestClean"))
	assert.Equal(t, exitOK, p.s.call("prune takes it out", "baseline", "prune", "./..."))
	p.s.show("leakgate.baseline")
	p.s.golden("adopt.txt")
	noTemporary(t, tmp)
}

// What fails by itself is told, and its entries stay; what a package leaks that died is not known.
func TestAcceptWhereTestsFail(t *testing.T) {
	p := newProject(t)
	write(t, p.dir, "store/wrong_test.go", `package store

import "testing"

func TestWrong(t *testing.T) {
	Watch(make(chan struct{}))
	t.Run("sub", func(t *testing.T) { t.Error("2 + 2 = 5") })
}
`)
	write(t, p.dir, "dead/dead_test.go", "package dead\n\nimport \"testing\"\n\nfunc TestDead(t *testing.T) { panic(\"out of luck\") }\n")
	require.NoError(t, os.RemoveAll(filepath.Join(p.dir, "plain")))
	code := p.s.call("one leaks, one fails, one panics", "baseline", "accept", "./...")
	assert.Equal(t, exitCouldNot, code)
	text := read(t, p.dir, "leakgate.baseline")
	assert.Contains(t, text, "| TestOld\n")
	assert.NotContains(t, text, "TestWrong")
	p.s.golden("failures.txt")
}

// Nothing is written when a package does not build, and the compiler's words are shown.
func TestAcceptWhereNothingBuilds(t *testing.T) {
	p := newProject(t)
	write(t, p.dir, "store/store.go", "package store\n\nvar x int = true\n")
	assert.Equal(t, exitCouldNot, p.s.call("a package does not build", "baseline", "accept", "./..."))
	assert.Equal(t, exitCouldNot, p.s.call("a file is no Go", "baseline", "check", "-json", "./store", "--", "-tags=x"))
	write(t, p.dir, "plain/plain_test.go", "package plain\n\nimport \"example.com/shop/gone\"\n")
	assert.Equal(t, exitCouldNot, p.s.call("an import that is not there", "baseline", "check", "./plain"))
	assert.Equal(t, exitCouldNot, p.s.call("no such package", "baseline", "check", "./nowhere"))
	assert.Equal(t, exitCouldNot, p.s.call("no tests", "baseline", "check", "./empty"))
	assert.Equal(t, exitCouldNot, p.s.call("not of this module", "baseline", "accept", "strings"))
	assert.Equal(t, exitCouldNot, p.s.call("a flag that go test does not have", "baseline", "check", "./plain", "--", "-p=x"))
	write(t, p.dir, "plain/plain_test.go", "package plain\n\nimport \"testing\"\n\nfunc TestPlain(t *testing.T) {}\n")
	assert.Equal(t, exitCouldNot, p.s.call("tests without the harness", "baseline", "check", "./plain"))
	assert.NoFileExists(t, filepath.Join(p.dir, "leakgate.baseline"))
	p.s.golden("nobuild.txt")

	p.s.console.live = true
	assert.Equal(t, exitCouldNot, p.s.call("on a terminal", "baseline", "check", "./plain"))
	assert.Regexp(t, `go test: \d of 1 package done`, p.s.errs)
}

// Packages of a workspace are of several modules.
func TestSuiteOfAWorkspace(t *testing.T) {
	p := newProject(t)
	up := filepath.Dir(p.dir)
	write(t, up, "tools/go.mod", "module example.com/tools\n\ngo 1.25.0\n")
	write(t, up, "tools/gen/gen_test.go", "package gen\n\nimport \"testing\"\n\nfunc TestGen(t *testing.T) {}\n")
	write(t, up, "go.work", "go 1.25.0\n\nuse ./shop\nuse ./tools\n")
	env := append(p.s.console.environ, "GOWORK="+filepath.Join(up, "go.work"), "GOFLAGS=")
	s := &suite{goCmd: "go", dir: up, environ: env, patterns: []string{"./shop/...", "./tools/..."}, extra: []string{"-run", "x", "-tags", "a,b"}}
	require.NoError(t, s.find(t.Context()))
	assert.Equal(t, []module{{"example.com/shop", filepath.Join(up, "shop")}, {"example.com/tools", filepath.Join(up, "tools")}}, s.modules)
	assert.Len(t, s.packages, 4)
	assert.Equal(t, []string{"-tags", "a,b"}, listArgs(s.extra))
}

// Ctrl-C ends go test and its children, and leaves nothing: no folder, no file and no process.
func TestBaselineIsInterrupted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there the console interrupts go test's children, and here is none")
	}
	p := newProject(t)
	tmp := t.TempDir()
	p.s.console.environ = append(p.s.console.environ, "TMPDIR="+tmp)
	write(t, p.dir, "store/store_test.go", `package store

import (
	"fmt"
	"os"
	"testing"
)

func TestForEver(t *testing.T) {
	fmt.Println("here is", os.Getpid())
	select {}
}
`)
	cmd := p.program(t.Context(), "baseline", "accept", "-v", "./store")
	var out strings.Builder
	cmd.Stdout = &out
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var errs strings.Builder
	pid := 0
	readLines(stderr, func(line string) {
		errs.WriteString(line)
		if rest, ok := strings.CutPrefix(line, "here is "); ok {
			pid, err = strconv.Atoi(strings.TrimSpace(rest))
			require.NoError(t, err)
			require.NoError(t, cmd.Process.Signal(os.Interrupt))
		}
	})
	_ = cmd.Wait()
	assert.Equal(t, exitCouldNot, cmd.ProcessState.ExitCode(), errs.String())
	assert.Contains(t, errs.String(), "leakgate baseline accept: could not run: interrupted; go test was stopped\n"+
		"what to do: run it again when you like: nothing was written\n")
	assert.Empty(t, out.String())
	noTemporary(t, tmp)
	assert.NoFileExists(t, filepath.Join(p.dir, "leakgate.baseline"))
	require.NotZero(t, pid)
	assert.Eventually(t, func() bool { return !alive(pid) }, 10*time.Second, 10*time.Millisecond, "the test binary is gone")
}

// program is the program itself, in a process of its own: this test binary, which TestMain turns into it.
func (p *project) program(ctx context.Context, args ...string) *exec.Cmd {
	return program(ctx, p.s.console, args...)
}

func program(ctx context.Context, c console, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Dir = c.dir
	cmd.Env = append(append([]string{}, c.environ...), asProgram+"=1")
	return cmd
}

// alive says whether there is such a process.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	return p.Signal(syscall.Signal(0)) == nil
}
