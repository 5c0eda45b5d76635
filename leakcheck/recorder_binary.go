package leakcheck

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/baseline"
	"github.com/leakgate/leakgate/internal/callsite"
)

// testBinary is what a process knows of the package that it tests.
type testBinary struct {
	start     string // the working directory that it began in: go test runs it in the package's folder
	pkg       string // import path
	module    string // path of the main module; "" when it is not known
	root      string // the module's folder; "" when the process did not begin in it
	repo      string // the folder of .git at or above root; "" when there is none
	dir       string // see fragment.Header
	moduleDir string
}

// binary is asked for when something is to be written, and by every Verify.
var binary = sync.OnceValue(func() *testBinary {
	b := &testBinary{start: callsite.StartDir}
	if info, ok := debug.ReadBuildInfo(); ok {
		b.pkg, b.module = strings.TrimSuffix(info.Path, ".test"), info.Main.Path
	}
	if b.start != "" {
		// The go.mod must be that of the module: the binary may have been copied into another one's folder.
		if path, err := baseline.Locate(b.start, b.module); err == nil {
			b.root = filepath.Dir(path)
		}
	}
	if root, module := callsite.MainModule(); b.module == "" && root == b.root {
		b.module = module // go test with names of files
	}
	if b.pkg == "" || b.pkg == "command-line-arguments" {
		b.pkg = b.packageByFolder()
	}
	switch rest, ok := strings.CutPrefix(b.pkg, b.module+"/"); {
	case b.module == "":
	case ok:
		b.dir = rest
	case b.pkg == b.module:
		b.dir = "."
	}
	if b.repo = above(b.root, ".git"); b.repo != "" {
		if rel, err := filepath.Rel(b.repo, b.root); err == nil {
			b.moduleDir = filepath.ToSlash(rel)
		}
	}
	return b
})

func (b *testBinary) packageByFolder() string {
	rel, ok := below(b.root, b.start)
	switch {
	case !ok || b.module == "":
		return strings.TrimSuffix(strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe"), ".test")
	case rel == ".":
		return b.module
	}
	return b.module + "/" + rel
}

// below gives the path from a folder to what is in it, with slashes.
func below(dir, path string) (rel string, ok bool) {
	if dir == "" {
		return "", false
	}
	rel, err := filepath.Rel(dir, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

// above finds the folder, at or above dir, that has the name in it; "" when there is none.
func above(dir, name string) string {
	for dir != "" {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
	return ""
}

// frame gives a frame with the path that a report has: from the module's root where the file is below it, and also where it is
// not, as in another module of a go.work, but in the same repository.
func (b *testBinary) frame(f callsite.Frame) fragment.Frame {
	if f == (callsite.Frame{}) {
		return fragment.Frame{}
	}
	out := fragment.Frame{Func: f.Func, File: filepath.ToSlash(f.File), Line: f.Line, Source: callsite.Source(f)}
	switch rest, ok := strings.CutPrefix(out.File, b.module+"/"); {
	case f.File == "" || b.module == "":
	case ok: // -trimpath
		out.File, out.InModule = rest, true
		return out
	}
	if !filepath.IsAbs(f.File) {
		return out
	}
	if rel, ok := below(b.root, f.File); ok {
		out.File, out.InModule = rel, true
		return out
	}
	if i := strings.LastIndex(out.File, "/pkg/mod/"); i >= 0 {
		out.File = unescape(out.File[i+len("/pkg/mod/"):])
		return out
	}
	if _, ok := below(b.repo, f.File); ok {
		if rel, err := filepath.Rel(b.root, f.File); err == nil {
			out.File, out.InModule = filepath.ToSlash(rel), true
		}
	}
	return out
}

// unescape gives a path in the module cache as import paths have it: "!a" stands for "A".
func unescape(path string) string {
	if !strings.Contains(path, "!") {
		return path
	}
	var b strings.Builder
	up := false
	for _, r := range path {
		switch {
		case r == '!':
			up = true
			continue
		case up:
			b.WriteString(strings.ToUpper(string(r)))
		default:
			b.WriteRune(r)
		}
		up = false
	}
	return b.String()
}

func (b *testBinary) frames(stack []callsite.Frame) (out []fragment.Frame) {
	for _, f := range stack {
		out = append(out, b.frame(f))
	}
	return out
}
