package callsite

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// here gives its caller's frame.
func here(t *testing.T) Frame {
	t.Helper()
	var pcs [1]uintptr
	require.Equal(t, 1, runtime.Callers(2, pcs[:]))
	return Expand(pcs[:])[0]
}

func TestSource(t *testing.T) {
	f := here(t) // this very line
	assert.Equal(t, "f := here(t) // this very line", Source(f))
	assert.Equal(t, "callsite_test.go", Short(f.File))
	assert.Equal(t, "callsite_test.go", filepath.Base(f.File))

	f.File = Module + "/internal/callsite/callsite_test.go" // as -trimpath has it
	assert.Equal(t, "f := here(t) // this very line", Source(f))

	for _, unknown := range []Frame{{}, {File: f.File}, {File: "no/such/file.go", Line: 3}, {File: f.File, Line: 1 << 20}} {
		assert.Empty(t, Source(unknown))
	}
}

func TestSourceIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "long.go")
	require.NoError(t, os.WriteFile(path, []byte("\t"+strings.Repeat("x", 1000)+"\n"), 0o600))
	assert.Equal(t, strings.Repeat("x", maxSource)+"…", Source(Frame{File: path, Line: 1}))
}

func TestPackageOf(t *testing.T) {
	for fn, pkg := range map[string]string{
		"net/http.(*Client).Do":              "net/http",
		"main.main":                          "main",
		"example.com/a/b.F.func1":            "example.com/a/b",
		"gopkg.in/yaml%2ev3.Marshal":         "gopkg.in/yaml.v3",
		"example.com/a.F[example.com/b/c.T]": "example.com/a",
		"example.com/a.F[...]":               "example.com/a",
		"nodot":                              "nodot",
	} {
		assert.Equal(t, pkg, PackageOf(fn), fn)
	}
}

func TestUser(t *testing.T) {
	std := func(fn string) Frame { return Frame{Func: fn, File: goroot() + "x/y.go"} }
	mine := Frame{Func: "example.com/app.Get", File: "/src/app/get.go", Line: 3}
	dep := Frame{Func: "example.com/lib.Do", File: "/go/pkg/mod/example.com/lib@v1.2.3/do.go", Line: 9}
	own := Frame{Func: Module + "/internal/roundtrip.(*Tracker).Do", File: "/x/internal/roundtrip/tracker.go"}
	ownTest := Frame{Func: Module + "/leakcheck_test.TestX", File: "/x/leakcheck/x_test.go"}
	example := Frame{Func: Module + "/examples/leasedconn.Get", File: "/x/examples/leasedconn/client.go"}
	runner := std("testing.tRunner")

	stack := []Frame{own, std("net/http.(*Client).Do"), dep, mine, ownTest, example, runner, mine}
	assert.Equal(t, []Frame{dep, mine, ownTest, example}, User(stack))
	assert.Equal(t, mine, Pick(User(stack)), "the user's own line comes before a library's")
	assert.Equal(t, dep, Pick([]Frame{dep}), "which is better than nothing")
	assert.Equal(t, Frame{}, Pick(nil))
	assert.Empty(t, User([]Frame{std("runtime.main")}))
}

// TestCaller: a RoundTripper of the user's own is not who forgot to close.
func TestCaller(t *testing.T) {
	std := func(fn string) Frame { return Frame{Func: fn, File: goroot() + "x/y.go"} }
	auth := Frame{Func: "example.com/app.(*auth).RoundTrip", File: "/src/app/auth.go", Line: 5}
	get := Frame{Func: "example.com/app.Get", File: "/src/app/get.go", Line: 3}
	client := std("net/http.(*Client).do")
	const prefix = "net/http.(*Client)."
	assert.Equal(t, get, Caller([]Frame{auth, std("net/http.send"), client, std("net/http.(*Client).Get"), get}, prefix))
	assert.Equal(t, auth, Caller([]Frame{client, auth, client, get}, prefix), "it fetched a token, say, with a client of its own")
	assert.Equal(t, auth, Caller([]Frame{auth, get}, prefix), "no client")
	assert.Equal(t, auth, Caller([]Frame{auth, client}, prefix), "nobody outside")
}

func TestStdByName(t *testing.T) {
	assert.True(t, stdPackage("net/http"))
	assert.True(t, stdPackage("runtime"))
	assert.False(t, stdPackage("example.com/net"))
	assert.False(t, stdPackage("network"))
	assert.NotEmpty(t, goroot())
}

// TestNormalize has names as Go 1.25, 1.26 and 1.27 give them: a line each for what is one function of the source.
func TestNormalize(t *testing.T) {
	for want, names := range map[string][]string{
		"example.com/a.F":            {"example.com/a.F", "example.com/a.F[...]", "example.com/a.F[example.com/b/c.T]", "example.com/a_test.F"},
		"example.com/a.function1":    {"example.com/a.function1"},
		"example.com/v2/a.F":         {"example.com/v2/a.F"},
		"example.com/a.v2.F":         {"example.com/a%2ev2.F"},
		"example.com/a.T.M":          {"example.com/a.T.M", "example.com/a.T[...].M"},
		"example.com/a.(*T).M":       {"example.com/a.(*T).M", "example.com/a.(*T[...]).M"},
		"example.com/a.init":         {"example.com/a.init.0", "example.com/a.init.1", "example.com/a.init"},
		"main.main":                  {"main.main"},
		"F":                          {"F"},
		"example.com/a.F.func*":      {"example.com/a.F.func1", "example.com/a.F.func2.1", "example.com/a.F.func2.3.func4", "example.com/a.G.F.func12", "example.com/a.G.func1.F.func3.1", "example.com/a.F[...].func1", "example.com/a.G.F[...].func2"},
		"example.com/a.M.func*":      {"example.com/a.T.M.func1", "example.com/a.F.T.M.func15"},
		"example.com/a.(*T).M.func*": {"example.com/a.(*T).M.func1", "example.com/a.F.(*T).M.func16", "example.com/a.(*T[...]).M.func1", "example.com/a.(*U).G.(*T).M.func1"},
		"example.com/a.init.func*":   {"example.com/a.init.func1", "example.com/a.init.0.func1", "example.com/a.init.func1.2", "example.com/a.glob..func1"},
		"example.com/a.R":            {"example.com/a.R-range1", "example.com/a.G.R-range2", "example.com/a.R-range1-range2"},
		"example.com/a.R.func*":      {"example.com/a.R.func1-range1", "example.com/a.R-range4.1", "example.com/a.R-range2.func1", "example.com/a.R.R.seq.func20.R-range2.func23", "example.com/a.R.func10"},
		"":                           {"example.com/a.F.gowrap1", "example.com/a.F.deferwrap2", "example.com/a.(*T).M-fm", "example.com/a.F.func1.gowrap2"},
	} {
		for _, name := range names {
			assert.Equal(t, want, Normalize(name), name)
		}
	}
}

func TestFingerprint(t *testing.T) {
	app := tree{"/src/app", "example.com/app"}
	stack := []Frame{
		{Func: "example.com/lib.Do", File: "/go/pkg/mod/example.com/lib@v1.2.3/do.go", Line: 9},
		{Func: "example.com/app.(*Client).get.func1", File: "/src/app/client.go", Line: 41},
		{Func: "example.com/app.(*Client).Get", File: "/src/app/client.go", Line: 33},
		{Func: "example.com/app.TestGet", File: "/src/app/client_test.go", Line: 12},
		{Func: "example.com/app.never", File: "/src/app/x.go", Line: 1},
	}
	want := "http-response | tracked | example.com/app.(*Client).get.func* < example.com/app.(*Client).Get < example.com/app.TestGet | TestGet"
	assert.Equal(t, want, app.fingerprint("http-response", "tracked", stack, "TestGet/row_7"))

	moved := slices.Clone(stack)
	for i := range moved {
		moved[i].Line += 100
		moved[i].File = strings.Replace(moved[i].File, "/src/app/client", "example.com/app/renamed", 1)
	}
	moved[1].Func = "example.com/app.(*Client).get.func3"
	assert.Equal(t, want, app.fingerprint("http-response", "tracked", moved, "TestGet/another"))
	assert.Equal(t, want, tree{module: "example.com/app"}.fingerprint("http-response", "tracked", stack, "TestGet"), "run in another folder")
	assert.Equal(t, want, tree{}.fingerprint("http-response", "tracked", stack, "TestGet"), "no go.mod, as with another build tool")

	again := slices.Insert(slices.Clone(stack), 2, stack[1], stack[1])
	assert.Equal(t, want, app.fingerprint("http-response", "tracked", again, "TestGet"), "a recursion counts once")
	assert.Equal(t, "k | - | example.com/lib.Do | -", app.fingerprint("k", "", stack[:1], ""), "a dependency where there is nothing else")
	assert.Equal(t, "k | a b | - | -", app.fingerprint("k", "a\n b", nil, ""))
}

// TestFingerprintOfAnotherModule: how a module comes into the build does not matter, and neither does whether its functions
// are inlined, for which Go up to 1.26 gives a closure the package of who inlines it.
func TestFingerprintOfAnotherModule(t *testing.T) {
	app := tree{"/src/app", "example.com/app"}
	test := Frame{Func: "example.com/app_test.TestGet", File: "/src/app/client_test.go", Line: 12}
	trimmed := Frame{Func: "example.com/app_test.TestGet", File: "example.com/app/client_test.go", Line: 12}
	for name, stack := range map[string][]Frame{
		"module cache":       {{Func: "example.com/Lib.Do.func1", File: "/go/pkg/mod/example.com/!lib@v1.2.3/do.go"}, test},
		"inlined":            {{Func: "example.com/app_test.TestGet.Do.func7", File: "/go/pkg/mod/example.com/!lib@v1.2.3/do.go"}, test},
		"vendored":           {{Func: "example.com/Lib.Do.func1", File: "/src/app/vendor/example.com/Lib/do.go"}, test},
		"vendored, inlined":  {{Func: "example.com/app_test.TestGet.Do.func7", File: "/src/app/vendor/example.com/Lib/do.go"}, test},
		"replaced":           {{Func: "example.com/Lib.Do.func1", File: "/src/lib/do.go"}, test},
		"replaced, inlined":  {{Func: "example.com/app_test.TestGet.Do.func7", File: "/src/lib/do.go"}, test},
		"-trimpath":          {{Func: "example.com/Lib.Do.func1", File: "example.com/Lib@v1.2.3/do.go"}, trimmed},
		"-trimpath, inlined": {{Func: "example.com/app_test.TestGet.Do.func7", File: "example.com/Lib@v1.2.3/do.go"}, trimmed},
		"-trimpath, replaced by a folder, inlined": {{Func: "example.com/app_test.TestGet.Do.func7", File: "example.com/Lib/do.go"}, trimmed},
	} {
		assert.Equal(t, "k | c | example.com/app.TestGet | TestGet", app.fingerprint("k", "c", stack, "TestGet"), name)
	}
	for name, f := range map[string]Frame{
		"own":                      {Func: "example.com/app/store.Do.func1", File: "/src/app/store/do.go"},
		"own, inlined":             {Func: "example.com/app_test.TestGet.Do.func7", File: "/src/app/store/do.go"},
		"own, -trimpath":           {Func: "example.com/app/store.Do.func1", File: "example.com/app/store/do.go"},
		"own, inlined, -trimpath":  {Func: "example.com/app_test.TestGet.Do.func7", File: "example.com/app/store/do.go"},
		"a loop's body, -trimpath": {Func: "example.com/app_test.TestGet.Do-range1.func7", File: "example.com/app/store/do.go"},
	} {
		assert.Equal(t, "k | c | example.com/app/store.Do.func* < example.com/app.TestGet | TestGet", app.fingerprint("k", "c", []Frame{f, test}, "TestGet"), name)
	}
	p, ok := app.filePackage("/go/pkg/mod/github.com/!burnt!sushi/toml/v2@v2.3.0/internal/x.go")
	assert.True(t, ok)
	assert.Equal(t, "github.com/BurntSushi/toml/v2/internal", p)
	p, _ = app.filePackage("/src/app/vendor/example.com/Lib/do.go")
	assert.Equal(t, "example.com/Lib", p)
	p, _ = app.filePackage("/src/app/main.go")
	assert.Equal(t, "example.com/app", p)
	for _, file := range []string{"", "<autogenerated>", "_cgo_gotypes.go", "/src/application/main.go"} {
		_, ok = app.filePackage(file)
		assert.False(t, ok, file)
	}
}

// TestModuleLine: the forms that a go.mod may have.
func TestModuleLine(t *testing.T) {
	for text, want := range map[string]string{
		"module `example.com/a`\n": "example.com/a", "module\texample.com/a": "example.com/a", "module \"example.com/a\"//x": "example.com/a",
		"": "", "go 1.25.0\n": "", "module\n": "", "module (\n)\n": "", "moduleexample.com\n": "", "module(\n example.com/a\n)": "example.com/a",
	} {
		assert.Equal(t, want, ModuleLine(text), "%q", text)
	}
}
