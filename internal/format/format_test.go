package format

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/verdict"
	"github.com/leakgate/leakgate/internal/verdict/sample"
)

var update = flag.Bool("update", false, "write the golden files anew")

// rules are the same in each SARIF file: they are looked at once, in TestRules.
var rulesOf = regexp.MustCompile(`(?s)"rules": \[.*?\n     \]`)

// TestGolden has a file for each format, with each case and its reason, to be read from top to bottom.
func TestGolden(t *testing.T) {
	all := append(Formats(), Format{"summary", "", Summary}, Format{"text-colour", "", func(w io.Writer, v *verdict.Verdict, o Options) error {
		o.Colour, o.All = true, true
		return Text(w, v, o)
	}})
	for _, f := range all {
		t.Run(f.Name, func(t *testing.T) {
			var b strings.Builder
			for _, c := range cases() {
				fmt.Fprintf(&b, "=== %s: %s\n", c.name, c.reason)
				var out bytes.Buffer
				require.NoError(t, f.Write(&out, c.verdict, c.options))
				b.WriteString(readable(t, out.Bytes()) + "\n")
			}
			got := rulesOf.ReplaceAllString(b.String(), `"rules": [...]`)
			path := filepath.Join("testdata", f.Name+".txt")
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, string(want), got)
		})
	}
}

// readable gives JSON with one member a line, and all else as it is.
func readable(t *testing.T, out []byte) string {
	t.Helper()
	if out[0] != '{' && out[0] != '[' {
		return string(out)
	}
	var b bytes.Buffer
	require.NoError(t, json.Indent(&b, out, "", " "))
	// Up to Go 1.26 encoding/json writes the replacement character as an escape.
	return strings.ReplaceAll(b.String(), `\ufffd`, "\ufffd")
}

// TestWrite finds a format by its name, and says which there are.
func TestWrite(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Write(&b, "gitlab", base(), Options{}))
	assert.Equal(t, "[]\n", b.String())
	err := Write(io.Discard, "xml", base(), Options{})
	assert.EqualError(t, err, `there is no format "xml": it is one of text, json, sarif, gitlab, github, junit`)
}

// TestWriteError gives what the writer says, in each format.
func TestWriteError(t *testing.T) {
	full := fmt.Errorf("no space left on device")
	for _, f := range append(Formats(), Format{"summary", "", Summary}) {
		err := f.Write(writerFunc(func([]byte) (int, error) { return 0, full }), cases()[2].verdict, Options{})
		assert.ErrorIs(t, err, full, f.Name)
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestSameTwice writes the same bytes for the same verdict, whatever the order of maps.
func TestSameTwice(t *testing.T) {
	v := sample.Verdict()
	for _, f := range append(Formats(), Format{"summary", "", Summary}) {
		var first bytes.Buffer
		require.NoError(t, f.Write(&first, v, Options{Repo: repo}))
		for range 5 {
			var again bytes.Buffer
			require.NoError(t, f.Write(&again, v, Options{Repo: repo}))
			require.Equal(t, first.String(), again.String(), f.Name)
		}
	}
}

// TestPatterns keeps out of a command what a shell would read differently.
func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pkgs []string
		want string
	}{
		{[]string{"example.com/a"}, "example.com/a"},
		{[]string{"example.com/a", "example.com/a", "example.com/b"}, "example.com/a example.com/b"},
		{[]string{"a", "b", "c", "d"}, "./..."},
		{[]string{"example.com/$(rm -rf ~)"}, "./..."},
		{[]string{"-exec=sh"}, "./..."},
		{[]string{""}, "./..."},
	} {
		assert.Equal(t, c.want, patterns(c.pkgs), "%q", c.pkgs)
	}
}

// TestPlaces: a format that needs a file gets one, and never one outside of the repository.
func TestPlaces(t *testing.T) {
	at := newPlaces(Options{Repo: repo})
	none := func(change func(f *verdict.Finding)) *verdict.Finding {
		f := simple(1, verdict.New)
		f.Path, f.Line, f.Tests, f.Leak.Suspects = "", 0, nil, nil
		f.Package = "example.com/shop/api"
		change(&f)
		return &f
	}
	for _, c := range []struct {
		name string
		f    *verdict.Finding
		want place
	}{
		{"site", none(func(f *verdict.Finding) { f.Path, f.Line = "queue/start.go", 11 }), place{"queue/start.go", 11, ""}},
		{"dot", none(func(f *verdict.Finding) { f.Path, f.Line = "./queue//start.go", 11 }), place{"queue/start.go", 11, ""}},
		{"no line", none(func(f *verdict.Finding) { f.Path, f.Leak.Site.Line = "x.go", 0 }), place{"x.go", 1, ""}},
		{"caller", none(func(f *verdict.Finding) { f.Path, f.Line = "queue/send.go", 24 }), place{"queue/send.go", 24, "the innermost call in the module"}},
		{"out of the tree", none(func(f *verdict.Finding) { f.Path, f.Line = "../../etc/passwd", 1 }), place{"go.mod", 1, "go.mod, as no line is known"}},
		{"absolute", none(func(f *verdict.Finding) { f.Path, f.Line = "/etc/passwd", 1 }), place{"go.mod", 1, "go.mod, as no line is known"}},
		{"drive", none(func(f *verdict.Finding) { f.Path, f.Line = "C:/x.go", 1 }), place{"go.mod", 1, "go.mod, as no line is known"}},
		{"test", none(func(f *verdict.Finding) { f.Tests = []string{"TestOrders/7"} }), place{"api/orders_test.go", 3, "the test"}},
		{"suspect", none(func(f *verdict.Finding) { f.Leak.Suspects = []string{"TestGone", "TestOrders"} }), place{"api/orders_test.go", 3, "a test that could have"}},
		{"unknown test", none(func(f *verdict.Finding) { f.Tests = []string{"TestGone"} }), place{"go.mod", 1, "go.mod, as no line is known"}},
		{"module", none(func(f *verdict.Finding) {
			f.Module, f.Package, f.ModuleDir = "example.com/pay", "example.com/pay", "services/pay"
		}),
			place{"services/pay/go.mod", 1, "go.mod, as no line is known"}},
		{"module outside", none(func(f *verdict.Finding) { f.ModuleDir = "../elsewhere" }), place{"go.mod", 1, "go.mod, as no line is known"}},
		{"another module's name", none(func(f *verdict.Finding) { f.Package, f.Tests = "example.com/shopping/api", []string{"TestOrders"} }),
			place{"go.mod", 1, "go.mod, as no line is known"}},
		{"package outside", none(func(f *verdict.Finding) { f.Package, f.Tests = "example.com/shop/../../api", []string{"TestOrders"} }),
			place{"go.mod", 1, "go.mod, as no line is known"}},
	} {
		assert.Equal(t, c.want, at.of(c.f), c.name)
	}
	f := none(func(f *verdict.Finding) { f.Tests = []string{"TestOrders"} })
	assert.Equal(t, place{"go.mod", 1, "go.mod, as no line is known"}, newPlaces(Options{}).of(f), "without a repository")
}

// BenchmarkLarge renders 10 000 tests with 1 000 leaks.
func BenchmarkLarge(b *testing.B) {
	v := verdict.Merge(sample.Large())
	for _, f := range append(Formats(), Format{"summary", "", Summary}) {
		b.Run(f.Name, func(b *testing.B) {
			var n counter
			for b.Loop() {
				n = 0
				if err := f.Write(&n, v, Options{}); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(n))
		})
	}
}
