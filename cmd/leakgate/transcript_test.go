package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/fragment"
)

// transcript is a golden file of calls: what was typed, what was written and the exit status, each with the reason why it is
// there.
type transcript struct {
	t       *testing.T
	console console
	names   map[string]string // what differs from run to run, and what stands for it
	text    strings.Builder
	out     string // of the last call
	errs    string
}

// newTranscript works in a folder, and with no more of the environment than a name or two.
func newTranscript(t *testing.T, dir string, environ ...string) *transcript {
	return &transcript{
		t: t, console: console{dir: dir, environ: append([]string{"HOME=" + dir}, environ...)},
		names: map[string]string{dir: "DIR", time.Now().Format(time.DateOnly): "TODAY"},
	}
}

// call runs the program and gives its exit status. Formats belong to others: with short their text is counted alone.
func (s *transcript) call(why string, args ...string) int { return s.run(why, false, args...) }

func (s *transcript) short(why string, args ...string) int { return s.run(why, true, args...) }

func (s *transcript) run(why string, short bool, args ...string) int {
	s.t.Helper()
	var o, e bytes.Buffer
	s.console.out, s.console.err = &o, &e
	code := run(context.Background(), args, s.console)
	s.out, s.errs = o.String(), e.String()
	fmt.Fprintf(&s.text, "# %s\n$ %s\n", why, typed(args))
	if short && s.out != "" {
		first, _, _ := strings.Cut(s.out, "\n")
		fmt.Fprintf(&s.text, "%s\n...\n", first)
	} else {
		s.text.WriteString(s.out)
	}
	for line := range strings.Lines(s.errs) {
		fmt.Fprintf(&s.text, "2> %s", line)
	}
	fmt.Fprintf(&s.text, "exit status %d\n\n", code)
	return code
}

// show adds a file.
func (s *transcript) show(name string) {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.console.dir, name))
	if err != nil {
		fmt.Fprintf(&s.text, "$ cat %s\n2> it is not there\n\n", name)
		return
	}
	fmt.Fprintf(&s.text, "$ cat %s\n%s\n", name, data)
}

// golden compares the whole.
func (s *transcript) golden(name string) {
	s.t.Helper()
	text := s.text.String()
	long := slices.SortedFunc(maps.Keys(s.names), func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, from := range long {
		text = strings.ReplaceAll(text, from, s.names[from])
	}
	golden(s.t, name, text)
}

// typed quotes arguments as a shell wants them.
func typed(args []string) string {
	out := "leakgate"
	for _, a := range args {
		if strings.ContainsAny(a, " \n\"") || a == "" {
			a = "'" + a + "'"
		}
		out += " " + a
	}
	return out
}

// write makes a file in a folder.
func write(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name))
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
}

// checkout makes a repository with a module in the folder shop.
func checkout(t *testing.T) (dir string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".git"), 0o755))
	write(t, dir, "shop/go.mod", "module example.com/shop // the shop\n\ngo 1.25.0\n")
	return dir
}

// leak is one of the package's leaks, in a test.
func leak(pkg, test, fn string, count int) fragment.Leak {
	name := pkg + "." + fn
	return fragment.Leak{
		Kind: "http-response", Code: "LK001", Class: "GET", Count: count, Test: test, Outcome: fragment.Fatal, Role: "taken at",
		Fingerprint: "http-response | GET | " + name + " < " + pkg + "." + test + " | " + test,
		Summary:     "response body of GET /" + strings.ToLower(fn) + " (403) was never closed",
		Site:        fragment.Frame{Func: name, File: "store/client.go", Line: 42, Source: "resp, err := c.hc.Do(req)", InModule: true},
		Hint:        "defer resp.Body.Close()",
	}
}

// ran writes a fragment of a package of the shop whose tests passed or leaked.
func ran(t *testing.T, dir, pkg string, tests []string, leaks ...fragment.Leak) {
	t.Helper()
	at := time.Date(2026, 11, 21, 10, 0, 0, len(tests)*1000+len(leaks), time.UTC)
	w, err := fragment.Create(dir, fragment.Header{
		Module: "example.com/shop", Package: pkg, Dir: strings.TrimPrefix(pkg, "example.com/shop/"), ModuleDir: "shop",
		GoVersion: "go1.26.8", GOOS: "linux", GOARCH: "amd64", PID: 7, Began: at, Main: true,
	})
	require.NoError(t, err)
	for _, name := range tests {
		result := fragment.Passed
		for _, l := range leaks {
			if l.Test == name {
				result = fragment.Leaked
			}
		}
		require.NoError(t, w.Test(fragment.Test{Name: name, Result: result, Began: at, Took: time.Millisecond}))
	}
	code := 0
	for _, l := range leaks {
		require.NoError(t, w.Leak(l))
		code = 1
	}
	require.NoError(t, w.End(fragment.End{At: at.Add(time.Second), Code: code}))
	require.NoError(t, w.Close())
}
