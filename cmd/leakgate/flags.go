package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// usageError is a wrong call. The program's exit status is then exitUsage.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// newFlags makes a set whose errors are told by parseFlags and whose help is written by flagHelp: each flag has a text, with
// the name of its value in backquotes.
func newFlags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	return fs
}

// goTestFlags are those of go test that are often wanted: they are told from slips.
var goTestFlags = []string{
	"asmflags", "bench", "benchtime", "count", "cover", "coverpkg", "coverprofile", "cpu", "cpuprofile", "exec", "failfast", "fullpath",
	"gcflags", "ldflags", "mod", "modfile", "msan", "overlay", "p", "parallel", "race", "run", "short", "shuffle", "skip", "tags",
	"timeout", "trimpath", "vet",
}

// parseFlags parses the flags and gives what follows them. goTest says that the command hands flags to go test after --, which
// are given apart.
func parseFlags(fs *flag.FlagSet, args []string, goTest bool) (rest, after []string, err error) {
	if goTest {
		if i := slices.Index(args, "--"); i >= 0 {
			args, after = args[:i], args[i+1:]
		}
	}
	if err := knownFlags(fs, args, goTest); err != nil {
		return nil, nil, err
	}
	if err := fs.Parse(args); err != nil {
		return nil, nil, usageError{err.Error()}
	}
	rest = fs.Args()
	if n := len(args) - len(rest); n > 0 && args[n-1] == "--" {
		return rest, after, nil // after it everything is an argument
	}
	for i, a := range rest {
		if i > 0 && len(a) > 1 && a[0] == '-' {
			return nil, nil, lateFlag(fs, rest[0], a, goTest)
		}
	}
	return rest, after, nil
}

// knownFlags says which flag does not exist, and which one was perhaps meant.
func knownFlags(fs *flag.FlagSet, args []string, goTest bool) error {
	for i := 0; i < len(args); i++ {
		name, isFlag, hasValue := cutFlag(args[i])
		if !isFlag {
			return nil
		}
		f := fs.Lookup(name)
		switch {
		case f == nil:
			return unknownFlag(fs, name, goTest)
		case !hasValue && !isSwitch(f):
			i++
		}
	}
	return nil
}

// cutFlag takes "-name=value" apart. What is no flag ends the flags.
func cutFlag(arg string) (name string, isFlag, hasValue bool) {
	if len(arg) < 2 || arg[0] != '-' || arg == "--" {
		return "", false, false
	}
	name, _, hasValue = strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
	return name, true, hasValue
}

func isSwitch(f *flag.Flag) bool {
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

func unknownFlag(fs *flag.FlagSet, name string, goTest bool) error {
	if goTest && slices.Contains(goTestFlags, name) {
		return usagef("-%s is a flag of go test: those come last, after --: leakgate %s ./... -- -%[1]s", name, fs.Name())
	}
	if near := nearestOf(name, flagNames(fs)); near != "" {
		return usagef("unknown flag -%s; did you mean -%s?", name, near)
	}
	return usagef("unknown flag -%s", name)
}

func lateFlag(fs *flag.FlagSet, first, late string, goTest bool) error {
	name, _, _ := cutFlag(late)
	if fs.Lookup(name) == nil {
		return unknownFlag(fs, name, goTest)
	}
	return usagef("%s comes after the argument %s: flags come first: leakgate %s %[1]s ... %[2]s", late, first, fs.Name())
}

func flagNames(fs *flag.FlagSet) (names []string) {
	fs.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	return names
}

// flagHelp writes one line for each flag, or more where the text is long.
func flagHelp(fs *flag.FlagSet) string {
	type row struct{ head, text string }
	var rows []row
	wide := 0
	fs.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		head := "  -" + f.Name
		if value != "" {
			head += " " + value
		}
		rows = append(rows, row{head, text})
		wide = max(wide, len(head))
	})
	var b strings.Builder
	for _, r := range rows {
		for _, line := range wrap(fmt.Sprintf("%-*s  %s", wide, r.head, r.text), wide+2) {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// several is a flag that may be given more than once.
type several []string

func (s *several) String() string     { return strings.Join(*s, " ") }
func (s *several) Set(v string) error { *s = append(*s, v); return nil }
