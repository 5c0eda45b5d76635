package fragment

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ReadFile reads the fragment in a file, as Read does. Its errors are a *FileError.
func ReadFile(name string) (*Fragment, error) {
	left := int64(maxAll)
	f, err := readFile(name, &left)
	if err != nil {
		err = &FileError{File: name, Err: err}
	}
	return f, err
}

func readFile(name string, left *int64) (*Fragment, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, reason(err)
	}
	if !info.Mode().IsRegular() { // a pipe would wait for ever
		return nil, &ForeignError{Why: "it is no file, but " + info.Mode().Type().String()}
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, reason(err)
	}
	defer file.Close()
	f, err := read(file, maxFile, left)
	if f != nil {
		f.File = name
	}
	return f, err
}

// reason is the error without the path, which is said already.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// ReadDir reads the fragments in these folders and in those below them: every file whose name ends in .json. A name of a
// file is taken too. Symbolic links are followed, and what is met twice is read once.
//
// An error takes nothing from the rest: each is a *FileError, and a fragment of which a part was read is among the fragments
// and its error among the errors. A folder that does not exist is an error; one in which nothing is found is not. All
// fragments together may take 512 MiB of memory.
//
// Fragments are in the order of the folders given, and of their paths within each.
func ReadDir(dirs ...string) ([]*Fragment, []error) {
	d := directory{left: maxAll, seen: make(map[string]bool)}
	for _, dir := range dirs {
		d.walk(dir, true)
	}
	return d.out, d.errs
}

type directory struct {
	out  []*Fragment
	errs []error
	left int64
	seen map[string]bool // by the path without symbolic links
}

func (d *directory) fail(name string, err error) {
	d.errs = append(d.errs, &FileError{File: name, Err: err})
}

// walk reads a file or folder; asked says that the caller named it.
func (d *directory) walk(name string, asked bool) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && asked:
		d.fail(name, fmt.Errorf("there is no such folder (%w): the tests write it when LEAKGATE_REPORT names it, and those "+
			"whose result is cached write nothing: run go test -count=1", fs.ErrNotExist))
		return
	case err != nil:
		d.fail(name, reason(err))
		return
	}
	if !info.IsDir() && !asked && (!info.Mode().IsRegular() || !strings.EqualFold(filepath.Ext(name), ".json")) {
		return
	}
	real, err := filepath.EvalSymlinks(name)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		d.fail(name, reason(err))
		return
	}
	if d.seen[real] {
		return
	}
	d.seen[real] = true
	if !info.IsDir() {
		d.file(name)
		return
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		d.fail(name, reason(err))
	}
	for _, e := range entries {
		d.walk(filepath.Join(name, e.Name()), false)
	}
}

func (d *directory) file(name string) {
	f, err := readFile(name, &d.left)
	if f != nil {
		d.out = append(d.out, f)
	}
	if err != nil {
		d.fail(name, err)
	}
}
