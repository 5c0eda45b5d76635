package format

import (
	"bufio"
	"bytes"
	"io/fs"
	"path"
	"strings"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/verdict"
)

// place is where a format that needs a file shows a finding.
type place struct {
	path string // from the repository's root, with slashes
	line int    // from 1
	// what says what is there when it is not the line that took the resource: "the innermost call in the module"; "" when it is.
	what string
}

// places finds out where findings are shown.
type places struct {
	repo  fs.FS
	tests map[string]map[string]place // by folder, then by the test's name
}

func newPlaces(o Options) *places {
	return &places{repo: o.Repo, tests: map[string]map[string]place{}}
}

// of gives the finding's place: the line that the verdict points at, else its test, else go.mod, which every module has. Code
// scanning and code quality show nothing that is in no file.
func (p *places) of(f *verdict.Finding) place {
	if file := relative(f.Path); file != "" {
		what := ""
		if site := f.Leak.Site; !site.InModule || site.Line != f.Line {
			what = "the innermost call in the module"
		}
		return place{file, max(1, f.Line), what}
	}
	for _, name := range f.Tests {
		if at, ok := p.test(f, name); ok {
			return place{at.path, at.line, "the test"}
		}
	}
	for _, name := range f.Leak.Suspects {
		if at, ok := p.test(f, name); ok {
			return place{at.path, at.line, "a test that could have"}
		}
	}
	return place{relative(path.Join(moduleDir(f), "go.mod")), 1, "go.mod, as no line is known"}
}

// inRepo gives the path of a frame's file from the repository's root, "" for one that is not in the module.
func inRepo(f *verdict.Finding, fr fragment.Frame) string {
	if !fr.InModule || relative(fr.File) == "" {
		return ""
	}
	return relative(path.Join(moduleDir(f), relative(fr.File)))
}

// moduleDir is "." where it is not known: then paths are from the module's root, which is mostly the repository's.
func moduleDir(f *verdict.Finding) string {
	if dir := relative(f.ModuleDir); dir != "" {
		return dir
	}
	return "."
}

// test finds the function of a test in the repository.
func (p *places) test(f *verdict.Finding, name string) (place, bool) {
	rest, ok := strings.CutPrefix(f.Package, f.Module)
	if p.repo == nil || f.Module == "" || !ok || rest != "" && rest[0] != '/' {
		return place{}, false
	}
	dir := path.Join(moduleDir(f), strings.TrimPrefix(rest, "/"))
	found := p.tests[dir]
	if found == nil {
		found = testFunctions(p.repo, dir)
		p.tests[dir] = found
	}
	top, _, _ := strings.Cut(name, "/")
	at, ok := found[top]
	return at, ok
}

// testFunctions lists the functions of a package's test files. What cannot be read is left out: a place is a help, no finding.
func testFunctions(repo fs.FS, dir string) map[string]place {
	found := map[string]place{}
	if !fs.ValidPath(dir) {
		return found
	}
	entries, err := fs.ReadDir(repo, dir)
	if err != nil {
		return found
	}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file := path.Join(dir, e.Name())
		data, err := fs.ReadFile(repo, file)
		if err != nil {
			continue
		}
		s := bufio.NewScanner(bytes.NewReader(data))
		s.Buffer(nil, len(data)+1)
		for n := 1; s.Scan(); n++ {
			rest, ok := strings.CutPrefix(s.Text(), "func ")
			if !ok {
				continue
			}
			if name, _, ok := strings.Cut(rest, "("); ok && name != "" {
				found[name] = place{path: file, line: n}
			}
		}
	}
	return found
}
