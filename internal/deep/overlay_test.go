package deep_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/leakgate/leakgate" // the sources
	"github.com/leakgate/leakgate/internal/deep"
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
	m, err := deep.ReadReplaced(file)
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
	assert.Len(t, entries, 1, "nothing half made is left")

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

// TestReadReplaced: a file that is no overlay is an error that names it.
func TestReadReplaced(t *testing.T) {
	file := filepath.Join(t.TempDir(), "o.json")
	require.NoError(t, os.WriteFile(file, []byte("{"), 0o644))
	_, err := deep.ReadReplaced(file)
	assert.ErrorContains(t, err, file)
	var syntax *json.SyntaxError
	assert.ErrorAs(t, err, &syntax)
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
