package deep_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/leakgate/leakgate" // the sources
	"github.com/leakgate/leakgate/internal/deep"
	"github.com/leakgate/leakgate/internal/lease"
)

// goroot is the standard library that the tests are built with.
func goroot(t *testing.T) deep.Goroot {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT", "GOVERSION").Output()
	require.NoError(t, err)
	dir, version, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return deep.Goroot{Dir: strings.TrimSpace(dir), Version: version}
}

func replaced(t *testing.T, file string) map[string]string {
	t.Helper()
	m, err := deep.ReadReplaced(file, "")
	require.NoError(t, err)
	return m
}

// TestMake: every hook has its place in this Go version, and two that make an overlay at once get the same.
func TestMake(t *testing.T) {
	root := goroot(t)
	dir := t.TempDir()
	var made [4]*deep.Overlay
	var wg sync.WaitGroup
	for i := range made {
		wg.Go(func() {
			var err error
			made[i], err = deep.Make(dir, root)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	fresh := 0
	for _, o := range made {
		require.NotNil(t, o)
		assert.Empty(t, o.Missing)
		assert.Equal(t, made[0].File, o.File)
		if o.New {
			fresh++
		}
	}
	assert.Equal(t, 1, fresh)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 2, "the folder and what is remembered of it, and nothing half made")

	for from, to := range replaced(t, made[0].File) {
		assert.True(t, strings.HasPrefix(from, filepath.Join(root.Dir, "src")+string(filepath.Separator)), from)
		info, err := os.Stat(to)
		require.NoError(t, err)
		assert.Less(t, info.ModTime().Year(), 2011, "%s: Go 1.25 wants a file that is older than two seconds", to)
	}
}

// TestAgentImports: what the agent is made of imports nothing but the standard library, and of that neither net nor net/http,
// which would be linked into every test binary. A file of leakcheck that needs those begins with //go:build !leakgate_deep.
func TestAgentImports(t *testing.T) {
	o, err := deep.Make(t.TempDir(), goroot(t))
	require.NoError(t, err)
	n := 0
	for from, to := range replaced(t, o.File) {
		if !strings.Contains(filepath.ToSlash(from), "/internal/leakgate/") {
			continue
		}
		n++
		text, err := os.ReadFile(to)
		require.NoError(t, err)
		for _, not := range []string{"github.com/leakgate/leakgate/leakcheck\"", "github.com/leakgate/leakgate/internal", "\"net\"\n", "\"net/http\"\n", "go.uber.org/", "golang.org/x/"} {
			code, _, _ := strings.Cut(string(text), "\nfunc ") // imports, and not what a hint says
			assert.NotContains(t, code, "\t\""+strings.TrimPrefix(not, "\""), "%s", from)
		}
	}
	assert.Greater(t, n, 50)
}

// TestLeakcheckBuilds: leakcheck builds without the files that the agent leaves out. What the rest refers to of those stands in
// without_net.go.
func TestLeakcheckBuilds(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the compiler: left out with -short")
	}
	out, err := exec.Command("go", "build", "-tags", "leakgate_deep", "github.com/leakgate/leakgate/leakcheck").CombinedOutput()
	assert.NoError(t, err, "%s", out)
}

// TestMerge: the user's own overlay stays, and its version of a hooked file is the one that the hooks go into.
func TestMerge(t *testing.T) {
	root := goroot(t)
	mine := filepath.Join(t.TempDir(), "exec.go")
	std := filepath.Join(root.Dir, "src", "os", "exec.go")
	text, err := os.ReadFile(std)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(mine, append(text, "\n// my own\n"...), 0o644))
	root.Replaced = map[string]string{std: mine, "/elsewhere/a.go": "/elsewhere/b.go"}
	o, err := deep.Make(t.TempDir(), root)
	require.NoError(t, err)
	m := replaced(t, o.File)
	assert.Equal(t, "/elsewhere/b.go", m["/elsewhere/a.go"])
	text, err = os.ReadFile(m[std])
	require.NoError(t, err)
	assert.Contains(t, string(text), "// my own")
	assert.Contains(t, string(text), "leakgatehook.Started(")
}

// TestRemembered: an overlay that was made of the same is taken again without a look into the standard library, and is made
// anew when that has changed or a part of it is gone.
func TestRemembered(t *testing.T) {
	root, dir := goroot(t), t.TempDir()
	mine := filepath.Join(t.TempDir(), "exec.go")
	std := filepath.Join(root.Dir, "src", "os", "exec.go")
	text, err := os.ReadFile(std)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(mine, text, 0o644))
	root.Replaced = map[string]string{std: mine}
	first, err := deep.Make(dir, root)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(first.File, []byte(`{"Replace":{}}`), 0o644))
	again, err := deep.Make(dir, root)
	require.NoError(t, err)
	first.New = false
	assert.Equal(t, first, again)
	assert.Empty(t, replaced(t, again.File), "it was not made again")

	require.NoError(t, os.WriteFile(mine, append(text, "\n// changed\n"...), 0o644))
	changed, err := deep.Make(dir, root)
	require.NoError(t, err)
	assert.NotEqual(t, first.File, changed.File)
	assert.NotEmpty(t, replaced(t, changed.File))

	require.NoError(t, os.Remove(changed.File))
	again, err = deep.Make(dir, root)
	require.NoError(t, err)
	assert.Equal(t, changed.File, again.File)
	assert.NotEmpty(t, replaced(t, again.File))
}

// TestReadReplaced: a file that is no overlay is an error that names it.
func TestReadReplaced(t *testing.T) {
	file := filepath.Join(t.TempDir(), "o.json")
	require.NoError(t, os.WriteFile(file, []byte("{"), 0o644))
	_, err := deep.ReadReplaced(file, "")
	assert.ErrorContains(t, err, file)
	var syntax *json.SyntaxError
	assert.ErrorAs(t, err, &syntax)

	// Paths are from the folder that the go command runs in.
	dir := filepath.Dir(file)
	abs := filepath.Join(t.TempDir(), "abs.go")
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{"a/./b.go": "c.go", abs: abs, "gone.go": ""}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, text, 0o644))
	m, err := deep.ReadReplaced("o.json", dir)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{filepath.Join(dir, "a", "b.go"): filepath.Join(dir, "c.go"), abs: abs, filepath.Join(dir, "gone.go"): ""}, m)
}

// TestDeleted: a file of the standard library that the user's own overlay takes away is not there.
func TestDeleted(t *testing.T) {
	root := goroot(t)
	std := filepath.Join(root.Dir, "src", "os", "exec.go")
	root.Replaced = map[string]string{std: ""}
	o, err := deep.Make(t.TempDir(), root)
	require.NoError(t, err)
	assert.Equal(t, []string{"os.StartProcess is not there in this Go version: who started a child process will not be seen"}, o.Missing)
	assert.Empty(t, replaced(t, o.File)[std])
}

// TestPruned: what nobody has used for long goes when another overlay is made, and what somebody uses does not.
func TestPruned(t *testing.T) {
	dir := t.TempDir()
	root := goroot(t)
	long := time.Now().Add(-31 * 24 * time.Hour)
	age := func(name string) {
		t.Helper()
		require.NoError(t, os.Chtimes(filepath.Join(dir, name), long, long))
	}
	first, err := deep.Make(dir, root)
	require.NoError(t, err)
	place := filepath.Base(filepath.Dir(first.File))
	age(filepath.Join(place, "used"))
	again, err := deep.Make(dir, root)
	require.NoError(t, err)
	assert.False(t, again.New)
	info, err := os.Stat(filepath.Join(dir, place, "used"))
	require.NoError(t, err)
	assert.True(t, info.ModTime().After(long.Add(time.Hour)), "the use is noted")

	for _, name := range []string{"deep-old", "deep-older", "deep-used", "making-1", "making-now", "other"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, name), 0o755))
		if name != "deep-older" {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name, "used"), nil, 0o644))
		}
	}
	require.NoError(t, os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "goroot-gone")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "made-old.json"), nil, 0o644))
	for _, name := range []string{"made-old.json", "deep-old/used", "deep-old", "deep-older", "deep-used", "making-1", "other"} {
		age(name)
	}
	next := root
	next.Version += "-next"
	o, err := deep.Make(dir, next)
	require.NoError(t, err)
	require.True(t, o.New)
	var left []string
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, "made-") && name != "made-old.json" {
			name = "made"
		}
		left = append(left, name)
	}
	assert.ElementsMatch(t, []string{"made", "made", place, filepath.Base(filepath.Dir(o.File)), "deep-used", "making-now", "other"}, left)

	assert.False(t, o.Compiled("race"))
	o.SetCompiled("race")
	assert.True(t, o.Compiled("race"))
	assert.False(t, o.Compiled(""))
}

// TestCacheIsReadOnly: an overlay that is there serves also where nothing can be written.
func TestCacheIsReadOnly(t *testing.T) {
	dir := t.TempDir()
	root := goroot(t)
	o, err := deep.Make(dir, root)
	require.NoError(t, err)
	long := time.Now().Add(-31 * 24 * time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join(filepath.Dir(o.File), "used"), long, long))
	for _, name := range []string{filepath.Dir(o.File), dir} {
		require.NoError(t, os.Chmod(name, 0o555))
		defer os.Chmod(name, 0o755)
	}
	again, err := deep.Make(dir, root)
	require.NoError(t, err)
	assert.Equal(t, o.File, again.File)
	again.SetCompiled("race") // it cannot, or it can where the user may write everywhere
}

// TestAlias: it is made once, and made anew when it leads elsewhere.
func TestAlias(t *testing.T) {
	dir, goroot := filepath.Join(t.TempDir(), "cache"), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(goroot, "VERSION"), []byte("go1.27.4"), 0o644))
	for range 2 {
		link, err := deep.Alias(dir, goroot)
		require.NoError(t, err)
		text, err := os.ReadFile(filepath.Join(link, "VERSION"))
		require.NoError(t, err)
		assert.Equal(t, "go1.27.4", string(text))
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Len(t, entries, 1)
	}
}

// TestWalkLeftOut: where package runtime is another than the one that the walk is written for, it is left out and said, and the rest is there.
func TestWalkLeftOut(t *testing.T) {
	root := goroot(t)
	name := filepath.Join(root.Dir, "src", "runtime", "mheap.go")
	src, err := os.ReadFile(name)
	require.NoError(t, err)
	other := filepath.Join(t.TempDir(), "mheap.go")
	require.NoError(t, os.WriteFile(other, []byte(strings.Replace(string(src), "\telemsize ", "\tsizeOfElement ", 1)), 0o644))

	all, err := deep.Make(t.TempDir(), root)
	require.NoError(t, err)
	root.Replaced = map[string]string{name: other}
	less, err := deep.Make(t.TempDir(), root)
	require.NoError(t, err)
	assert.Equal(t, []string{"runtime/mheap.go is without elemsize uintptr in this Go version: " +
		"what package-level variables hold will be told as the leak of the first test that used it"}, less.Missing)

	src1, src2 := filepath.Join(root.Dir, "src", "runtime", "leakgate_walk.go"), filepath.Join(root.Dir, "src", "internal", "leakgate", "deep", "agent")
	for o, want := range map[*deep.Overlay]bool{all: true, less: false} {
		has := replaced(t, o.File)
		_, walk := has[src1]
		_, calls := has[filepath.Join(src2, "walk_runtime.go")]
		_, none := has[filepath.Join(src2, "walk_none.go")]
		assert.Equal(t, []bool{want, want, !want}, []bool{walk, calls, none})
	}
}

// TestBridge: net/http asks a request's context for what a tracked transport has put there, by the name that this has for it.
func TestBridge(t *testing.T) {
	o, err := deep.Make(t.TempDir(), goroot(t))
	require.NoError(t, err)
	found := 0
	for from, to := range replaced(t, o.File) {
		text, err := os.ReadFile(to)
		require.NoError(t, err)
		switch filepath.Base(from) {
		case "transport.go", "roundtrip.go":
			found += strings.Count(string(text), fmt.Sprintf("Slot: req.Context().Value(%q)", lease.Slot))
		case "testing.go":
			found += strings.Count(string(text), "func (m *M) LeakgateAgent() map[string]any {")
		}
	}
	assert.Equal(t, 2, found)
}
