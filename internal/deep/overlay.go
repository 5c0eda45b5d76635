// Package deep makes the overlay of deep mode: files of the standard library in which some functions tell an agent what is
// acquired and released, and the agent itself, which is this module's own source, as packages of the standard library. With
// go test -overlay every test binary has both, and the code under test is as it was.
//
// The files are made of the user's own GOROOT: no copy of the standard library is shipped. A function that a Go version does
// not have, or has with another signature, is left as it is and reported.
package deep

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Overlay is an overlay on disk.
type Overlay struct {
	File    string   // for go test -overlay
	Missing []string // what this Go version has not got, a sentence each
	New     bool     // it was made just now

	place string // its folder
}

// Goroot is the standard library that the overlay is for.
type Goroot struct {
	Dir     string // as go env GOROOT gives it
	Version string // as go env GOVERSION gives it
	// Replaced is the user's own overlay: paths, and what takes their place.
	Replaced map[string]string
}

// Make writes the overlay into a folder below dir, or finds the one that an earlier run has written. It is safe when two
// make one at once.
func Make(dir string, root Goroot) (*Overlay, error) {
	key, err := root.key()
	if err != nil {
		return nil, err
	}
	if o := remembered(dir, key); o != nil {
		return o, nil
	}
	l, err := layoutOf(root.vacant)
	if err != nil {
		return nil, err
	}
	tags := []string{tag}
	unfit := root.walkFits()
	if unfit == "" {
		tags = append(tags, walkTag)
	}
	files, err := l.agentFiles(tags)
	if err != nil {
		return nil, err
	}
	missing, err := root.hooked(files, l[housed[0]])
	if err != nil {
		return nil, err
	}
	if unfit == "" {
		files[walkName] = walkSource()
	} else {
		missing = append(missing, unfit+" in this Go version: "+walkSees)
	}
	place := filepath.Join(dir, "deep-"+steady(root.Version)+"-"+hash(files))
	o := &Overlay{Missing: missing, place: place}
	if o.New, err = write(place, files); err != nil {
		return nil, err
	}
	if o.New {
		prune(dir, place)
	}
	replace := make(map[string]string, len(files)+len(root.Replaced))
	for from, to := range root.Replaced {
		replace[from] = to
	}
	for name := range files {
		replace[filepath.Join(root.Dir, "src", filepath.FromSlash(name))] = filepath.Join(place, filepath.FromSlash(name)+suffix)
	}
	text, err := json.MarshalIndent(map[string]any{"Replace": replace}, "", "\t")
	if err != nil {
		return nil, err
	}
	o.File = filepath.Join(place, "overlay-"+hash(map[string][]byte{root.Dir: text})+".json")
	if err := writeFile(o.File, text); err != nil {
		return nil, err
	}
	remember(dir, key, o)
	return o, nil
}

// suffix is added to the names of files in the cache, so that no tool takes the folder for Go packages.
const suffix = ".txt"

// steady keeps a version usable as a part of a file name: development versions have spaces.
func steady(version string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '_'
	}, version)
}

// vacant says whether a folder of the standard library is there and has no Go files.
func (g Goroot) vacant(dir string) bool {
	entries, err := os.ReadDir(filepath.Join(g.Dir, "src", filepath.FromSlash(dir)))
	return err == nil && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return strings.HasSuffix(e.Name(), ".go") })
}

// hooked adds the files of the standard library with the hooks, whose import path is hook, and says which hooks have no place.
func (g Goroot) hooked(files map[string][]byte, hook string) (missing []string, err error) {
	byPkg := make(map[string][]int)
	for i, p := range points {
		byPkg[p.pkg] = append(byPkg[p.pkg], i)
	}
	found := make([]bool, len(points))
	changed := make([]bool, len(points))
	for pkg, of := range byPkg {
		dir := filepath.Join(g.Dir, "src", filepath.FromSlash(pkg))
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		mine := make([]point, len(of))
		for i, n := range of {
			mine[i] = points[n]
		}
		for _, e := range entries {
			name := e.Name()
			if e.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				continue
			}
			src, err := g.read(filepath.Join(dir, name))
			if errors.Is(err, errDeleted) {
				continue
			} else if err != nil {
				return nil, err
			}
			if !mentions(src, mine) {
				continue
			}
			out, err := edit(name, src, mine, hook)
			if err != nil {
				return nil, fmt.Errorf("%s/%s: %w", pkg, name, err)
			}
			for _, i := range out.found {
				found[of[i]] = true
			}
			for _, i := range out.other {
				changed[of[i]] = true
			}
			if out.text != nil {
				files[path.Join(pkg, name)] = out.text
			}
		}
	}
	return missingOf(found, changed), nil
}

// mentions says whether the file's text has the name of one of the points: most have none, and need not be parsed.
func mentions(src []byte, all []point) bool {
	text := string(src)
	return slices.ContainsFunc(all, func(p point) bool {
		name := p.name[strings.LastIndexByte(p.name, '.')+1:]
		return strings.Contains(text, name)
	})
}

// read reads a file as the user's own overlay has it.
func (g Goroot) read(name string) ([]byte, error) {
	if to, ok := g.Replaced[name]; ok {
		name = to
		if to == "" {
			return nil, errDeleted
		}
	}
	return os.ReadFile(name)
}

// errDeleted says that the user's own overlay takes a file away.
var errDeleted = errors.New("the overlay has it deleted")

// missingOf says what is not seen. A point with several signatures is there when one of them is.
func missingOf(found, changed []bool) (out []string) {
	there := make(map[string]bool)
	for i, p := range points {
		if found[i] {
			there[p.pkg+"."+p.name] = true
		}
	}
	for i, p := range points {
		key := p.pkg + "." + p.name
		if there[key] {
			continue
		}
		there[key] = true
		why := "is not there"
		if changed[i] {
			why = "has another signature"
		}
		out = append(out, fmt.Sprintf("%s %s in this Go version: %s will not be seen", key, why, p.sees))
	}
	slices.Sort(out)
	return out
}

// write writes the files to a folder that is not there yet, all or none.
func write(place string, files map[string][]byte) (fresh bool, err error) {
	if inUse(place) {
		return false, nil
	}
	if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
		return false, err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(place), "making-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(tmp)
	for name, text := range files {
		file := filepath.Join(tmp, filepath.FromSlash(name)+suffix)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return false, err
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return false, err
		}
		when := changed(text)
		if err := os.Chtimes(file, when, when); err != nil {
			return false, err
		}
	}
	if err := os.WriteFile(filepath.Join(tmp, used), nil, 0o644); err != nil {
		return false, err
	}
	if err := os.Rename(tmp, place); err != nil {
		if inUse(place) { // somebody else was faster
			return false, nil
		}
		return false, err
	}
	return true, nil
}

// changed gives a file of the overlay the time of its last change: some time before this century's second decade, another for
// each content. The go command keeps an index of a package by its files' times and sizes, and none of files that changed in
// the last two seconds; without one, Go 1.25 does not take a package of an overlay for one of the standard library.
func changed(text []byte) time.Time {
	h := fnv.New64a()
	_, _ = h.Write(text)
	return time.Unix(978307200+int64(h.Sum64()%(9*365*24*60*60)), 0)
}

// writeFile writes a file that others may be reading or writing too, with the same content.
func writeFile(name string, text []byte) error {
	if inUse(name) {
		return nil
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), "making-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(text); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}

// ReadReplaced reads the file of a -overlay flag. Paths that are relative, that of the file too, are meant from dir, the folder
// that the go command runs in. "" takes the place of a file that is deleted.
func ReadReplaced(file, dir string) (map[string]string, error) {
	from := func(name string) string {
		if name == "" || filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(dir, name)
	}
	text, err := os.ReadFile(from(file))
	if err != nil {
		return nil, err
	}
	var o struct{ Replace map[string]string }
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	replaced := make(map[string]string, len(o.Replace))
	for name, to := range o.Replace {
		replaced[filepath.Clean(from(name))] = from(to)
	}
	return replaced, nil
}

// Alias gives another name, below dir, for the folder of a Go installation.
func Alias(dir, goroot string) (string, error) {
	link := filepath.Join(dir, "goroot-"+hash(map[string][]byte{goroot: nil}))
	if to, err := os.Readlink(link); err == nil && to == goroot {
		return link, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(dir, "making-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err := os.Symlink(goroot, filepath.Join(tmp, "link")); err != nil {
		return "", err
	}
	return link, os.Rename(filepath.Join(tmp, "link"), link)
}
