package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// form is a format of the report.
type form struct {
	name string
	ends []string // of file names that ask for it; the first file name end of all forms that fits decides
	also []string // ends of names that it may have when it is asked for
}

var forms = []form{
	{name: "text", ends: []string{".txt", ".log"}},
	{name: "json", ends: []string{".json"}},
	{name: "sarif", ends: []string{".sarif", ".sarif.json"}, also: []string{".json"}},
	{name: "gitlab", also: []string{".json"}},
	{name: "github", also: []string{".txt", ".log"}},
	{name: "junit", ends: []string{".xml"}},
	{name: "html", ends: []string{".html", ".htm"}},
}

func formNames() (names []string) {
	for _, f := range forms {
		names = append(names, f.name)
	}
	return names
}

// formOf gives the format that a file's name asks for, or "": the one with the longest end.
func formOf(file string) (name string) {
	long := 0
	for _, f := range forms {
		for _, e := range f.ends {
			if len(e) > long && strings.HasSuffix(strings.ToLower(file), e) {
				name, long = f.name, len(e)
			}
		}
	}
	return name
}

// fits says whether a file of that name can be in the format: "report -format text -o leaks.html" wants two things.
func fits(format, file string) bool {
	own := formOf(file)
	if own == "" || own == format {
		return true
	}
	i := slices.IndexFunc(forms, func(f form) bool { return f.name == format })
	return slices.ContainsFunc(forms[i].also, func(e string) bool { return strings.HasSuffix(strings.ToLower(file), e) })
}

// output is one thing to write.
type output struct {
	format string
	file   string // "" for standard output
}

// outputs are what the flags -format and -o ask for, in their order. A format is that of the next file whose name can have
// it, and else of standard output.
type outputs struct {
	list    []output
	pending string // a format that has no file yet
}

const textOnly = "text"

// flags adds them to a set.
func (o *outputs) flags(fs *flag.FlagSet) {
	fs.Func("format", "write as `NAME`: "+strings.Join(formNames(), ", ")+
		". It is that of the next -o, unless the file's name asks for another one, and else of standard output (default text)", o.format)
	fs.Func("o", "write to `FILE`, too; may be repeated. Without -format the name decides: .html, .sarif, .json, .xml (junit), .txt", o.file)
}

func (o *outputs) format(name string) error {
	if !slices.Contains(formNames(), name) {
		if near := nearestOf(name, formNames()); near != "" {
			return fmt.Errorf("there is no such format; did you mean %q?", near)
		}
		return fmt.Errorf("there is no such format; there are %s", strings.Join(formNames(), ", "))
	}
	if err := o.settle(); err != nil {
		return err
	}
	o.pending = name
	return nil
}

func (o *outputs) file(name string) error {
	switch own := formOf(name); {
	case name == "":
		return fmt.Errorf("a file name is missing")
	case name == "-":
		if o.pending == "" {
			o.pending = textOnly
		}
		return o.settle()
	case slices.ContainsFunc(o.list, func(p output) bool { return p.file == name }):
		return fmt.Errorf("the file is named twice")
	case o.pending != "" && fits(o.pending, name):
		o.list = append(o.list, output{o.pending, name})
		o.pending = ""
	case own != "":
		o.list = append(o.list, output{own, name})
	default:
		return fmt.Errorf("the name does not say in which format: end it in .html, .sarif, .json, .xml or .txt, or put -format NAME before it")
	}
	return nil
}

// settle gives a format that found no file to standard output.
func (o *outputs) settle() error {
	if o.pending == "" {
		return nil
	}
	for _, p := range o.list {
		if p.file == "" {
			return fmt.Errorf("%s and %s cannot both go to standard output: give one of them a file with -o", p.format, o.pending)
		}
	}
	o.list = append(o.list, output{format: o.pending})
	o.pending = ""
	return nil
}

// all gives the files, and standard output last: a reader that stops reading takes no file away. Standard output has the
// text when nothing else goes there.
func (o *outputs) all() ([]output, error) {
	if err := o.settle(); err != nil {
		return nil, usageError{"-format: " + err.Error()}
	}
	list := slices.Clone(o.list)
	if !slices.ContainsFunc(list, func(p output) bool { return p.file == "" }) {
		list = append(list, output{format: textOnly})
	}
	slices.SortStableFunc(list, func(a, b output) int {
		switch {
		case a.file == "" && b.file != "":
			return 1
		case a.file != "" && b.file == "":
			return -1
		}
		return 0
	})
	return list, nil
}

// writeFile writes a file in one step, in a folder that is made when it is not there. What is no plain file (a pipe,
// /dev/stderr) is written as it is.
func writeFile(name string, data []byte) error {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		if info.IsDir() {
			return fmt.Errorf("%s is a folder: name a file in it", name)
		}
		return os.WriteFile(name, data, 0o644)
	}
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".leakgate-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // an error here says that it has been renamed
	_, err = tmp.Write(data)
	if e := tmp.Chmod(0o644); err == nil {
		err = e
	}
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	return err
}
