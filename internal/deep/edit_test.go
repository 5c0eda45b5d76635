package deep

import (
	"go/format"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestEdit: lines keep their numbers, and what does not fit is left as it is.
func TestEdit(t *testing.T) {
	const src = `// Copyright.

package a // the package

import "os"

type thing struct { // a thing
	n int
}

// Open opens.
func (t *thing) Open(name string, flags, _mode int) (f *os.File, err error) { // opens
	return os.Open(name)
}

func (t *thing) Close() error {
	return nil
}

func (t *thing) open(n int) {}

func Changed(n int64) {}

func unnamed(int) {}
`
	points := []point{
		{name: "thing", field: "lease any"},
		{
			name: "(*thing).Open", types: "(string, int, int) (*os.File, error)",
			wrap: "x, y := @orig@(@p0@, @p1@, @p2@)\n\thook.Opened(@recv@, x)\n\treturn x, y", tail: "\nfunc more() {}\n", imports: []string{"unsafe"},
		},
		{name: "(*thing).Close", types: "() error", enter: "hook.Closing(@recv@)"},
		{name: "(*thing).open", types: "(int)", wrap: "@orig@(@p0@)"}, // beside Open
		{name: "Changed", types: "(int)", enter: "hook.Never()"},
		{name: "unnamed", types: "(int)", enter: "hook.Never()"},
		{name: "Gone", types: "()", enter: "hook.Never()"},
	}
	out, err := edit("a.go", []byte(src), points, "internal/hook")
	require.NoError(t, err)
	assert.Equal(t, []int{0, 1, 2, 3}, out.found)
	assert.Equal(t, []int{4, 5}, out.other)
	assert.Equal(t, `// Copyright.

package a; import leakgatehook "internal/hook"; import leakgateunsafe "unsafe" // the package

import "os"

type thing struct { lease any; // a thing
	n int
}

// Open opens.
func (t *thing) leakgateOpen(name string, flags, _mode int) (f *os.File, err error) { // opens
	return os.Open(name)
}

func (t *thing) Close() error { hook.Closing(t);
	return nil
}

func (t *thing) leakgate_open(n int) {}

func Changed(n int64) {}

func unnamed(int) {}

func (t *thing) Open(name string, flags, _mode int) (f *os.File, err error) {
	x, y := t.leakgateOpen(name, flags, _mode)
	hook.Opened(t, x)
	return x, y
}

func more() {}

func (t *thing) open(n int) {
	t.leakgate_open(n)
}
`, string(out.text))
	_, err = format.Source(out.text)
	assert.NoError(t, err)

	out, err = edit("b.go", []byte("package b\n"), points, "internal/hook")
	require.NoError(t, err)
	assert.Nil(t, out.text, "nothing to put in")
	_, err = edit("c.go", []byte("not Go"), points, "internal/hook")
	assert.Error(t, err)
}

// TestTooOld: what is no release is taken for the newest.
func TestTooOld(t *testing.T) {
	for version, want := range map[string]bool{
		"go1.24.9": true, "go1.9": true, "go1.24rc1": true, "go1.25rc2": false, "go1.25": false, "go1.26.8": false, "go1.27.4": false,
		"devel go1.28-abc": false, "": false, "go1.x": false,
	} {
		assert.Equal(t, want, TooOld(version), version)
	}
}

// TestOverlayFlag: the last one counts, and what is the test binary's is left alone.
func TestOverlayFlag(t *testing.T) {
	file, rest := OverlayFlag([]string{"-v", "-overlay", "a.json", "--overlay=b.json", "./...", "-args", "-overlay", "c"})
	assert.Equal(t, "b.json", file)
	assert.Equal(t, []string{"-v", "./...", "-args", "-overlay", "c"}, rest)
	file, rest = OverlayFlag([]string{"overlay", "-overlay"})
	assert.Empty(t, file)
	assert.Equal(t, []string{"overlay"}, rest)
}

// TestMissing: a point that is not there is said once, also when it is known with several signatures.
func TestMissing(t *testing.T) {
	found := make([]bool, len(points))
	changed := make([]bool, len(points))
	for i, p := range points {
		found[i] = p.pkg != "os" && p.name != "(*DB).conn"
		changed[i] = p.name == "newFile"
	}
	assert.Equal(t, []string{
		"database/sql.(*DB).conn is not there in this Go version: who leases a connection of database/sql will not be seen",
		"os.(*root).Close is not there in this Go version: who opened an os.Root will not be seen",
		"os.StartProcess is not there in this Go version: who started a child process will not be seen",
		"os.newFile has another signature in this Go version: files will not be seen",
		"os.newRoot is not there in this Go version: who opened an os.Root will not be seen",
	}, missingOf(found, changed))
}

// TestWords: quotes of either kind keep spaces in a word.
func TestWords(t *testing.T) {
	for text, want := range map[string][]string{
		"":                               nil,
		"  -v\t-race\n":                  {"-v", "-race"},
		`'-overlay=a b.json' "-run=x'y"`: {"-overlay=a b.json", "-run=x'y"},
		`'-never ends`:                   {"-never ends"},
	} {
		assert.Equal(t, want, Words(text), text)
	}
}
