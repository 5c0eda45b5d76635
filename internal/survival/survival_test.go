package survival

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/fragment"
)

var (
	update = flag.Bool("update", false, "write the golden file anew")
	golden = filepath.Join("testdata", "fingerprints.txt")
)

// change is something that a fingerprint survives: an edit of the source, or another build.
type change struct {
	name      string
	edit      func(t *testing.T, dir string)
	before    []string // arguments of the go command, before the test is built
	flags     []string
	goVersion string
	group     int // changes with the same one can be had together
}

var changes = []change{
	{name: "as it is", group: 1},
	{name: "moved lines", edit: replace("// MOVED", strings.Repeat("//\n", 40)+"\n"), group: 2},
	{name: "renamed files", edit: rename, group: 2},
	{name: "closures above", edit: replace("// ABOVE", "for range 2 {\nfunc() { defer func() { recover() }() }()\n}"), group: 2},
	{name: "another type argument", edit: replace("int /* TYPE */", "map[string]Client"), group: 2},
	{name: "renamed subtests", edit: replace(`"row `, `"another row `), group: 2},
	{name: "vendored", before: []string{"mod", "vendor"}, flags: []string{"-mod=vendor"}, group: 2},
	{name: "-trimpath", flags: []string{"-trimpath"}, group: 2},
	{name: "nothing inlined", flags: []string{"-gcflags=example.com/...=-l"}, group: 3},
	{name: "-cover", flags: []string{"-cover"}, group: 3},
	{name: "-race", flags: []string{"-race"}, group: 3},
	{name: "go1.25.0", goVersion: "go1.25.0", group: 4},
	{name: "go1.27.4", goVersion: "go1.27.4", group: 5},
}

// replace edits every file of the app.
func replace(old, new string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		n := 0
		for _, path := range sources(t, dir) {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			n += strings.Count(string(data), old)
			require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(string(data), old, new)), 0o600))
		}
		require.NotZero(t, n, "%s is nowhere", old)
	}
}

func rename(t *testing.T, dir string) {
	for _, path := range sources(t, dir) {
		require.NoError(t, os.Rename(path, filepath.Join(filepath.Dir(path), "renamed_"+filepath.Base(path))))
	}
}

func sources(t *testing.T, dir string) []string {
	all, err := filepath.Glob(filepath.Join(dir, "app", "*.go"))
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

func TestFingerprintsSurvive(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a module in many ways")
	}
	if raceEnabled {
		t.Skip("the same without -race, where a build with -race is one of the ways")
	}
	if runtime.GOOS == "windows" {
		t.Skip("the child process of a test is a Unix program")
	}
	groups := together()
	if os.Getenv("LEAKGATE_SURVIVAL") == "each" {
		groups = nil
		for _, c := range changes {
			groups = append(groups, []change{c})
		}
	}
	for _, group := range groups {
		var names []string
		for _, c := range group {
			names = append(names, c.name)
		}
		t.Run(strings.Join(names, ", "), func(t *testing.T) {
			t.Parallel()
			got := strings.Join(build(t, group), "\n") + "\n"
			if *update && group[0].name == "as it is" {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), got, "entries of baselines out there would be found no more")
		})
	}
}

// TestFingerprintsDiffer is the other direction: another function, kind or top-level test is another fingerprint, and nothing
// that changes by itself is in any.
func TestFingerprintsDiffer(t *testing.T) {
	data, err := os.ReadFile(golden)
	require.NoError(t, err)
	const tail = "example.com/app.leaks | "
	for _, line := range []string{
		"×1 http-response | tracked | example.com/app.(*Client).Get < example.com/app.TestMethod.func* < " + tail + "TestMethod",
		"×1 http-response | tracked | example.com/app.(*Client).Get < example.com/app.TestMethodAgain.func* < " + tail + "TestMethodAgain",
		"×2 http-response | tracked | example.com/app.(*Client).Get < example.com/app.TestTwoMethods.func* < " + tail + "TestTwoMethods",
		"×1 http-response | tracked | example.com/app.(*Client).Post < example.com/app.TestTwoMethods.func* < " + tail + "TestTwoMethods",
		"×1 http-response | tracked | example.com/app.TestTwoKinds.func* < example.com/app.leaks < example.com/app.TestTwoKinds | TestTwoKinds",
		"×1 goroutine | user | example.com/app.TestTwoKinds.func* | TestTwoKinds",
	} {
		assert.Contains(t, string(data), line+"\n")
	}
	seen := make(map[string]bool)
	for line := range strings.Lines(string(data)) {
		_, fingerprint, _ := strings.Cut(strings.TrimSpace(line), " ")
		assert.False(t, seen[fingerprint], "two entries: %s", fingerprint)
		seen[fingerprint] = true
		assert.NotRegexp(t, `\.go\b|0x|:\d|row \d|\d\d`, fingerprint)
	}
	for _, kind := range []string{"http-response", "goroutine", "sql-rows", "socket", "process"} {
		assert.Contains(t, string(data), " "+kind+" | ")
	}
}

func together() (groups [][]change) {
	for _, c := range changes {
		if len(groups) < c.group {
			groups = append(groups, nil)
		}
		groups[c.group-1] = append(groups[c.group-1], c)
	}
	return groups
}

// canRace says whether there is a C compiler, which -race needs, and sets the environment for it.
func canRace(t *testing.T, env *[]string) bool {
	t.Helper()
	out, err := exec.Command("go", "env", "CC").Output()
	require.NoError(t, err)
	cc := strings.TrimSpace(string(out))
	if _, err := exec.LookPath(cc); err == nil {
		*env = append(*env, "CGO_ENABLED=1")
		return true
	}
	if os.Getenv("LEAKGATE_REQUIRE_SERVICES") == "1" {
		t.Fatalf("there is no C compiler %s for -race, and LEAKGATE_REQUIRE_SERVICES=1 wants it", cc)
	}
	t.Logf("left out: -race, because there is no C compiler %s", cc)
	return false
}

// build makes the module, with the changes, runs its tests, and gives what they found, sorted: "×2 http-response | ...".
func build(t *testing.T, group []change) []string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata")))
	modules(t, dir)
	env := append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=false", "LEAKGATE_BASELINE=off")
	args := []string{"test", "-c", "-vet=off", "-o", filepath.Join(dir, "app.test")}
	for _, c := range group {
		if slices.Contains(c.flags, "-race") && !canRace(t, &env) {
			continue
		}
		if c.edit != nil {
			c.edit(t, dir)
		}
		if c.goVersion != "" {
			env = append(env, "GOTOOLCHAIN="+c.goVersion)
			needVersion(t, dir, env, c.goVersion)
		}
		if c.before != nil {
			out, err := command(dir, env, "go", c.before...)
			require.NoError(t, err, "%s", out)
		}
		args = append(args, c.flags...)
	}
	out, err := command(dir, env, "go", append(args, ".")...)
	require.NoError(t, err, "%s", out)

	report := filepath.Join(dir, "report")
	// The race detector would sleep a second at the end.
	out, err = command(dir, append(env, "LEAKGATE_REPORT="+report, "GORACE=atexit_sleep_ms=0"), filepath.Join(dir, "app.test"), "-test.timeout=60s")
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "the tests leak, and fail: %s", out)
	fragments, errs := fragment.ReadDir(report)
	require.Empty(t, errs)
	require.Len(t, fragments, 1, "%s", out)
	var found []string
	for _, l := range fragments[0].Leaks {
		found = append(found, fmt.Sprintf("×%d %s", l.Count, l.Fingerprint))
	}
	for _, test := range fragments[0].Tests {
		if test.Result != fragment.Leaked && test.Name != "TestSubtests" {
			assert.Fail(t, "a test of the app did not leak", "%s %s", test.Name, test.Result)
		}
	}
	slices.Sort(found)
	return found
}

// modules writes the go.mod files. What this module requires is required by the app at the same version, so that nothing has
// to be looked up.
func modules(t *testing.T, dir string) {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	ours, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	var b strings.Builder
	b.WriteString("module example.com/app\n\ngo 1.25.0\n\nrequire (\n\texample.com/lib v1.2.3\n\tgithub.com/leakgate/leakgate v0.0.0\n)\n\nrequire (\n")
	for line := range strings.Lines(string(ours)) {
		if path, version, ok := strings.Cut(strings.TrimSpace(line), " v"); ok && strings.Contains(path, "goleak") {
			version, _, _ = strings.Cut(version, " ")
			fmt.Fprintf(&b, "\t%s v%s // indirect\n", path, version)
		}
	}
	fmt.Fprintf(&b, ")\n\nreplace (\n\texample.com/lib => ../lib\n\tgithub.com/leakgate/leakgate => %s\n)\n", root)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "app", "go.mod"), []byte(b.String()), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "lib", "go.mod"), []byte("module example.com/lib\n\ngo 1.25.0\n"), 0o600))
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "app", "go.sum"), sum, 0o600))
}

func needVersion(t *testing.T, dir string, env []string, version string) {
	t.Helper()
	out, err := command(dir, env, "go", "version")
	if err == nil {
		require.Contains(t, out, version)
		return
	}
	if os.Getenv("LEAKGATE_REQUIRE_SERVICES") == "1" {
		t.Fatalf("%s cannot be had, and LEAKGATE_REQUIRE_SERVICES=1 wants it: %s", version, out)
	}
	t.Skipf("%s cannot be had: %s", version, out)
}

// command runs a program in the app's folder.
func command(dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = filepath.Join(dir, "app")
	cmd.Env = append(env, "PWD="+cmd.Dir)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return string(out) + err.Error(), err
	}
	return string(out), err
}
