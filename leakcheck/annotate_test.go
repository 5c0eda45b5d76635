package leakcheck_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/leakcheck"
)

// annotated is a T of a new Go version.
type annotated struct {
	recorder
	dir   string
	asked int
	attrs []string
}

func (a *annotated) Attr(key, value string) { a.attrs = append(a.attrs, key+" = "+value) }

func (a *annotated) ArtifactDir() string {
	a.asked++
	return a.dir
}

// workers is a probe with a leak whose fingerprint is as bad as can be.
func workers(fingerprint string) leakcheck.Probe {
	var held []uint64
	return &probe{"worker", func() ([]uint64, error) {
		out := held
		held = []uint64{1} // nothing at first
		return out, nil
	}, func(uint64) (leakcheck.Leak, bool) {
		return leakcheck.Leak{Summary: "worker was not returned", Fingerprint: fingerprint}, true
	}}
}

// TestAttr: what t.Attr is told can be told, and nothing is where nothing was found.
func TestAttr(t *testing.T) {
	a := &annotated{recorder: recorder{name: "TestFake"}}
	leakcheck.Verify(a, leakcheck.Instead(workers("one\r\ntwo\u2028\xff")), leakcheck.Wait(0))()
	assert.Equal(t, []string{"leakgate.leaks = 1", "leakgate.known = 0", "leakgate.fingerprint = one  two \uFFFD"}, a.attrs)
	assert.Zero(t, a.asked, "without -artifacts no folder is asked for, which would make it")

	clean := &annotated{recorder: recorder{name: "TestFake"}}
	leakcheck.Verify(clean)()
	assert.Empty(t, clean.errs)
	assert.Empty(t, clean.attrs)
}

// TestArtifact: with -artifacts the leaks are in leaks.json of the test's folder, as a report has them.
func TestArtifact(t *testing.T) {
	if flag.Lookup("test.artifacts") == nil {
		t.Skip("this Go version has no -artifacts")
	}
	old := flag.Lookup("test.artifacts").Value.String()
	require.NoError(t, flag.Set("test.artifacts", "true"))
	defer func() { _ = flag.Set("test.artifacts", old) }()
	dir := t.TempDir()
	for range 2 {
		a := &annotated{recorder: recorder{name: "TestFake"}, dir: dir}
		leakcheck.Verify(a, leakcheck.Instead(workers("worker")), leakcheck.Wait(0))()
	}
	clean := &annotated{recorder: recorder{name: "TestFake"}, dir: dir}
	leakcheck.Verify(clean)()
	assert.Zero(t, clean.asked)

	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	assert.Equal(t, []string{filepath.Join(dir, "leaks-2.json"), filepath.Join(dir, "leaks.json")}, files)
	for _, file := range files {
		f, err := fragment.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, lines("leak TestFake failed LK501×1"), outline(f))
	}

	none := &annotated{recorder: recorder{name: "TestFake"}, dir: filepath.Join(dir, "leaks.json", "below a file")}
	leakcheck.Verify(none, leakcheck.Instead(workers("worker")), leakcheck.Wait(0))()
	assert.Len(t, none.errs, 1, "the leak, and nothing else")
	assert.Contains(t, strings.Join(none.logs, ""), "leakcheck: leaks.json cannot be written to the test's artifacts: ")
}

// TestAnnotations: what go test -json makes of them.
func TestAnnotations(t *testing.T) {
	out, _, _ := shopRun{args: []string{"-test.run=TestLeakTwo|TestPass$", "-test.v=test2json"}}.one(t)
	s, err := theShop()
	require.NoError(t, err)
	convert := s.command("go", "tool", "test2json")
	convert.Stdin = strings.NewReader(out)
	text, err := convert.Output()
	require.NoError(t, err)
	got := make(map[string]string)
	for d := json.NewDecoder(bytes.NewReader(text)); d.More(); {
		var e struct{ Action, Test, Key, Value string }
		require.NoError(t, d.Decode(&e))
		if e.Action == "attr" {
			got[e.Test+" "+e.Key] = e.Value
		}
	}
	assert.Equal(t, map[string]string{
		"TestLeakTwo leakgate.leaks": "2", "TestLeakTwo leakgate.known": "0",
		"TestLeakTwo leakgate.fingerprint": "goroutine | user | example.com/shop/store.Watch < example.com/shop/store.wait | TestLeakTwo",
	}, got)

	if flag.Lookup("test.artifacts") == nil {
		t.Log("this Go version has no -artifacts")
		return
	}
	dir := t.TempDir()
	shopRun{args: []string{"-test.run=TestLeakTwo|TestPass$", "-test.artifacts", "-test.outputdir=" + dir}}.one(t)
	var files []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	}))
	require.Len(t, files, 1)
	f, err := fragment.ReadFile(files[0])
	require.NoError(t, err)
	assert.Equal(t, lines("leak TestLeakTwo failed LK102×2"), outline(f))
	assert.Equal(t, "leaks.json", filepath.Base(files[0]))
}
