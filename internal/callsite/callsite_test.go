package callsite

import (
	"os"
	"path/filepath"
	"runtime"
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

func TestNormalize(t *testing.T) {
	for fn, want := range map[string]string{
		"example.com/a.F":                    "example.com/a.F",
		"example.com/a.F.func1":              "example.com/a.F.func*",
		"example.com/a.F.func2.1":            "example.com/a.F.func*",
		"example.com/a.F.func2.3.func4":      "example.com/a.F.func*",
		"example.com/a.F.gowrap1":            "example.com/a.F.func*",
		"example.com/a.F.deferwrap2":         "example.com/a.F.func*",
		"example.com/a.F.func1-range1":       "example.com/a.F.func*",
		"example.com/a.(*T[...]).M.func1":    "example.com/a.(*T).M.func*",
		"example.com/a.F[example.com/b/c.T]": "example.com/a.F",
		"example.com/a.function1":            "example.com/a.function1",
		"example.com/v2/a.F":                 "example.com/v2/a.F",
	} {
		assert.Equal(t, want, Normalize(fn), fn)
	}
}

func TestFingerprint(t *testing.T) {
	stack := []Frame{
		{Func: "example.com/lib.Do", File: "/go/pkg/mod/example.com/lib@v1.2.3/do.go", Line: 9},
		{Func: "example.com/app.(*Client).get.func1", File: "/src/app/client.go", Line: 41},
		{Func: "example.com/app.(*Client).Get", File: "/src/app/client.go", Line: 33},
		{Func: "example.com/app.TestGet", File: "/src/app/client_test.go", Line: 12},
		{Func: "example.com/app.never", File: "/src/app/x.go", Line: 1},
	}
	want := "http-response | tracked | example.com/app.(*Client).get.func* < example.com/app.(*Client).Get < example.com/app.TestGet | TestGet"
	assert.Equal(t, want, Fingerprint("http-response", "tracked", stack, "TestGet/row_7"))

	moved := append([]Frame(nil), stack...)
	for i := range moved {
		moved[i].Line += 100
		moved[i].File = strings.Replace(moved[i].File, "/src/app/client", "example.com/app/renamed", 1)
	}
	moved[1].Func = "example.com/app.(*Client).get.func3"
	assert.Equal(t, want, Fingerprint("http-response", "tracked", moved, "TestGet/another"))
}
