package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/baseline"
	"github.com/leakgate/leakgate/internal/verdict"
)

// evidence is what a verdict is made of: fragments, and the baselines of their modules.
type evidence struct {
	fragments []*fragment.Fragment
	problems  []verdict.Problem
	baselines map[string]*baseline.File // by module path; a module of which no folder is here is not in it
}

// merge makes the verdict.
func (e *evidence) merge(now time.Time) *verdict.Verdict {
	return verdict.Merge(verdict.Input{Fragments: e.fragments, Baselines: e.baselines, Now: now, Problems: e.problems})
}

// off is what -baseline and LEAKGATE_BASELINE have for "allow nothing".
const off = "off"

// baselineEnv and reportEnv are the variables that the harness reads.
const (
	baselineEnv = "LEAKGATE_BASELINE"
	reportEnv   = "LEAKGATE_REPORT"
)

// ground is where the program runs.
type ground struct {
	dir  string // the working folder
	own  module // the module that it is in; zero for none
	root string // the repository's root; "" when it is not known
}

// ground looks around. root is the flag -root, or "".
func (c console) ground(root string) (ground, error) {
	dir, err := c.path(".")
	if err != nil {
		return ground{}, err
	}
	g := ground{dir: dir}
	g.own, _ = moduleAbove(dir)
	if root == "" {
		g.root = c.repository(dir)
		return g, nil
	}
	g.root, err = c.path(root)
	if err == nil && !isDir(g.root) {
		err = usagef("-root: %s is not a folder", root)
	}
	return g, err
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// moduleOf finds the folder of a fragment's module on this machine.
func (g *ground) moduleOf(h *fragment.Header) (module, bool) {
	if h.Module == "" || h.Module == g.own.path {
		return g.own, g.own.dir != ""
	}
	if g.root != "" && h.ModuleDir != "" {
		if m, ok := moduleAt(filepath.Join(g.root, filepath.FromSlash(h.ModuleDir))); ok && m.path == h.Module {
			return m, true
		}
	}
	return module{}, false
}

// settle gives the fragments the folder of their module where it is known here and was not where the tests ran, or where
// -root says that it is another one.
func (g *ground) settle(fragments []*fragment.Fragment, rooted bool) {
	for _, f := range fragments {
		if f.ModuleDir != "" && !rooted {
			continue
		}
		if m, ok := g.moduleOf(&f.Header); ok && g.root != "" {
			if rel, in := below(g.root, m.dir); in {
				f.ModuleDir = rel
			}
		}
	}
}

// readAll reads folders of fragments. What cannot be read takes nothing from the rest.
func (c console) readAll(names []string) (*evidence, error) {
	var dirs []string
	for _, name := range names {
		dir, err := c.path(name)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return nil, noFragment(name + " does not exist")
		}
		dirs = append(dirs, dir)
	}
	e := &evidence{}
	e.read(c, dirs...)
	return e, nil
}

func (e *evidence) read(c console, dirs ...string) {
	fragments, errs := fragment.ReadDir(dirs...)
	e.fragments = fragments
	for _, err := range errs {
		p := verdict.Problem{Err: err}
		var at *fragment.FileError
		if errors.As(err, &at) {
			p = verdict.Problem{File: c.shown(at.File), Err: at.Err}
		}
		e.problems = append(e.problems, p)
	}
}

// noFragment says that there is nothing to report.
func noFragment(what string) error {
	return problem{
		what: what,
		todo: "run the tests so that they write there: " + reportEnv + "=DIR go test -count=1 ./...\n" +
			"  A package writes when it calls leakcheck.Main in TestMain, or leakcheck.Verify in a test.\n" +
			"  go test runs nothing that it has cached, and then nothing is written: -count=1 prevents that.\n" +
			"  A DIR that is no full path is meant from the module's root.",
	}
}

// told writes the fragments that could not be read, or not wholly.
func (c console) told(path string, problems []verdict.Problem) {
	for _, p := range problems {
		fmt.Fprintf(c.err, "leakgate %s: %s: %s\n", path, cmp.Or(p.File, "a fragment"), problemText(p))
	}
}

func problemText(p verdict.Problem) string {
	if p.Err == nil {
		return "it could not be read"
	}
	return p.Err.Error()
}

// baselineFile reads a module's baseline; one that is not there is empty.
func (c console) baselineFile(path string, must bool) (*baseline.File, error) {
	file, err := baseline.Load(path)
	var malformed *baseline.Error
	switch {
	case err == nil:
		file.Path = path
		return file, nil
	case errors.Is(err, fs.ErrNotExist) && !must:
		return &baseline.File{Path: path}, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, problem{
			what: fmt.Sprintf("the baseline %s does not exist", c.shown(path)),
			todo: "name one that does, or -baseline off to see everything; without -baseline it is " + baseline.Name + " beside go.mod",
		}
	case errors.As(err, &malformed):
		malformed.Path = c.shown(path)
		return nil, problem{
			what: "the baseline cannot be understood",
			said: malformed.Error(),
			todo: "correct the file; nothing is judged by half a baseline",
		}
	}
	return nil, problem{what: err.Error(), todo: "make it a file that can be read"}
}

// named is a baseline's path as reports have it: from the repository's root, with slashes, where it is in it.
func (g *ground) named(path string) string {
	if g.root != "" {
		if rel, in := below(g.root, path); in {
			return rel
		}
	}
	return path
}

// findBaselines reads the baselines of the fragments' modules. name is the flag -baseline, or "".
func (c console) findBaselines(e *evidence, g *ground, name string) error {
	e.baselines = make(map[string]*baseline.File)
	defer func() {
		for _, f := range e.baselines {
			if f.Path != "" {
				f.Path = g.named(f.Path)
			}
		}
	}()
	each, must := baseline.Name, false // from the root of each module
	if name == "" {
		name = c.env(baselineEnv)
		if name != "" && name != off && !filepath.IsAbs(name) {
			name, each, must = "", name, true // as the tests read it
		}
	}
	if name != "" && name != off {
		path, err := c.path(name)
		if err != nil {
			return err
		}
		file, err := c.baselineFile(path, true)
		if err != nil {
			return err
		}
		e.divide(file, g.own.path)
		return nil
	}
	for _, f := range e.fragments {
		if _, ok := e.baselines[f.Module]; ok {
			continue
		}
		if name == off {
			e.baselines[f.Module] = &baseline.File{}
			continue
		}
		m, ok := g.moduleOf(&f.Header)
		if !ok {
			continue
		}
		file, err := c.baselineFile(filepath.Join(m.dir, each), must)
		if err != nil {
			return err
		}
		e.baselines[f.Module] = file
	}
	return nil
}

// divide gives each module the entries of its own packages, so that none is judged twice.
func (e *evidence) divide(file *baseline.File, own string) {
	for _, f := range e.fragments {
		if e.baselines[f.Module] == nil {
			e.baselines[f.Module] = &baseline.File{Path: file.Path}
		}
	}
	modules := slices.Sorted(maps.Keys(e.baselines))
	if len(modules) == 0 {
		return
	}
	if _, ok := e.baselines[own]; !ok {
		own = modules[0]
	}
	for _, entry := range file.Entries {
		of := own
		long := -1
		for _, m := range modules {
			if len(m) > long && (entry.Package == m || strings.HasPrefix(entry.Package, m+"/")) {
				of, long = m, len(m)
			}
		}
		e.baselines[of].Entries = append(e.baselines[of].Entries, entry)
	}
}
