package deep

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Sources are the sources that the agent is made of, by their paths in this module. The package at the module's root sets
// it: that is the only one that can embed them.
var Sources fs.FS

const module = "github.com/leakgate/leakgate"

// inStd is where the overlay puts the packages of this module, as a path of the standard library.
const inStd = "internal/leakgate"

// tag is the build tag that the agent's files are chosen with, besides walkTag.
const tag = "leakgate_deep"

// instead maps what the agent must not import to what takes its place.
var instead = map[string]string{
	module + "/internal/roundtrip": module + "/internal/deep/roundtrip",
	"go.uber.org/goleak":           module + "/internal/deep/goleak",
}

// housed are the packages that need a folder that is there on disk: the go command runs vet, which looks at all that the
// code under test imports, and the assembler in a package's own folder. The rest need none.
var housed = []string{
	module + "/internal/deep/hook",
	module + "/internal/callstack",
	module + "/internal/goroutine",
}

// houses are folders of the standard library that have only folders in them, so that a package can move in.
var houses = []string{"internal/syscall", "internal/types", "internal/runtime", "container", "index", "text", "archive", "debug"}

// layout says where the packages go.
type layout map[string]string

// layoutOf finds a folder for those that need one. vacant says whether a folder of the standard library is there and is no
// package.
func layoutOf(vacant func(dir string) bool) (layout, error) {
	l := make(layout)
	free := houses
	for _, pkg := range housed {
		for len(free) > 0 && !vacant(free[0]) {
			free = free[1:]
		}
		if len(free) == 0 {
			return nil, errors.New("the standard library is laid out in a way that is not known: there is no folder in it for the hooks")
		}
		l[pkg], free = free[0], free[1:]
	}
	return l, nil
}

// placed gives a path of this module as one of the standard library. The word internal is left out, because it would keep
// the standard library from importing it.
func (l layout) placed(imp string) string {
	if other, ok := instead[imp]; ok {
		imp = other
	}
	if house, ok := l[imp]; ok {
		return house
	}
	rest, ok := strings.CutPrefix(imp, module+"/")
	if !ok {
		return imp
	}
	return inStd + "/" + strings.TrimPrefix(rest, "internal/")
}

// agentFiles gives the agent's files, by their paths below the standard library's src folder: those of the package of the agent
// and of what it imports of this module.
func (l layout) agentFiles(tags []string) (map[string][]byte, error) {
	if Sources == nil {
		return nil, errors.New("this program was built without the sources of the agent")
	}
	files := make(map[string][]byte)
	done := make(map[string]bool)
	todo := []string{module + "/internal/deep/agent"}
	for len(todo) > 0 {
		pkg := todo[0]
		todo = todo[1:]
		if done[pkg] {
			continue
		}
		done[pkg] = true
		imports, err := l.addPackage(files, pkg, tags)
		if err != nil {
			return nil, err
		}
		todo = append(todo, imports...)
	}
	return files, nil
}

// addPackage adds a package's files, and gives what it imports of this module.
func (l layout) addPackage(files map[string][]byte, pkg string, tags []string) (imports []string, err error) {
	dir := strings.TrimPrefix(pkg, module+"/")
	entries, err := fs.ReadDir(Sources, dir)
	if err != nil {
		return nil, fmt.Errorf("the agent needs package %s: %w", pkg, err)
	}
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || strings.HasSuffix(name, "_test.go") || path.Ext(name) != ".go" && path.Ext(name) != ".s" {
			continue
		}
		if path.Ext(name) == ".s" && l[pkg] == "" {
			continue // an empty one, which the go command wants where functions have no body; it does not in the standard library
		}
		src, err := fs.ReadFile(Sources, path.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if path.Ext(name) == ".go" {
			var ok bool
			var own []string
			if src, own, ok, err = l.adapt(name, src, tags); err != nil {
				return nil, fmt.Errorf("%s/%s: %w", pkg, name, err)
			} else if !ok {
				continue
			}
			imports = append(imports, own...)
		}
		files[l.placed(pkg)+"/"+name] = src
	}
	return imports, nil
}

// adapt rewrites the imports of a file. It is not ok when the file is not one that is built with the tags.
func (l layout) adapt(name string, src []byte, tags []string) (out []byte, own []string, ok bool, err error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return nil, nil, false, err
	}
	var changes []change
	for _, g := range file.Comments {
		for _, c := range g.List {
			if c.Pos() > file.Package || !constraint.IsGoBuild(c.Text) || !strings.Contains(c.Text, tag) {
				continue
			}
			expr, err := constraint.Parse(c.Text)
			if err != nil {
				return nil, nil, false, err
			}
			if !expr.Eval(func(t string) bool { return slices.Contains(tags, t) }) {
				return nil, nil, false, nil
			}
			// The go command that builds the agent does not set the tag.
			changes = append(changes, change{at: fset.Position(c.Pos()).Offset, cut: len(c.Text)})
		}
	}
	for _, imp := range file.Imports {
		from, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			return nil, nil, false, err
		}
		if to := l.placed(from); to != from {
			if other, ok := instead[from]; ok {
				from = other
			}
			own = append(own, from)
			changes = append(changes, change{at: fset.Position(imp.Path.Pos()).Offset, cut: len(imp.Path.Value), text: strconv.Quote(to)})
		}
	}
	return apply(src, changes), own, true, nil
}

// hash names the content of files.
func hash(files map[string][]byte) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(h, "%d %s %d\n", len(name), name, len(files[name]))
		h.Write(files[name])
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}
