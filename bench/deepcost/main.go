// Command deepcost measures what deep mode costs: leakgate test beside go test -count=1, on checked-out projects, warm and in turn.
//
//	go run ./deepcost -rounds 7 DIR DIR=./a,./b ...
//
// A DIR is a folder of a module, and what follows the sign of equality the patterns of its packages, ./... without. For each
// project it prints two lines: of the test binaries, built before with and without the overlay, which tell what deep mode
// costs while tests run; and of the whole command, compiler's cache, linker and vet included. Time of processors says more than wall
// time where a machine is shared: both are of the processes themselves and of all that they started.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
)

// options are the flags.
type options struct {
	rounds  int
	run     string
	short   bool
	command bool
	tool    string
	only    []project
}

// project is a module with tests.
type project struct {
	dir      string
	patterns []string
}

// parseProject reads DIR or DIR=PATTERN,PATTERN.
func parseProject(arg string) (project, error) {
	dir, list, has := strings.Cut(arg, "=")
	p := project{dir: dir, patterns: []string{"./..."}}
	if has {
		p.patterns = strings.Split(list, ",")
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() || list == "" && has {
		return p, fmt.Errorf("%q is no folder with a module, or names no package: give DIR or DIR=PATTERN,PATTERN", arg)
	}
	return p, nil
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "measure each side so many times")
	flag.StringVar(&o.run, "run", "", "run the tests whose names match this `REGEXP` alone")
	flag.BoolVar(&o.short, "short", false, "give the tests -short")
	flag.BoolVar(&o.command, "command", true, "measure the whole command too")
	flag.StringVar(&o.tool, "leakgate", "", "use this `FILE`, and not one that is built of the sources beside this")
	flag.Parse()
	var err error
	for _, arg := range flag.Args() {
		var p project
		if p, err = parseProject(arg); err != nil {
			break
		}
		o.only = append(o.only, p)
	}
	if err == nil && (len(o.only) == 0 || o.rounds < 1) {
		err = fmt.Errorf("name at least one project's folder, and at least one round")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "deepcost:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := measureAll(ctx, os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "deepcost:", err)
		os.Exit(1)
	}
}

// measureAll measures project by project. One that cannot be measured is told, and is an error in the end.
func measureAll(ctx context.Context, w io.Writer, o options) (err error) {
	temp, err := os.MkdirTemp("", "deepcost")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if o.tool == "" {
		o.tool = filepath.Join(temp, "leakgate")
		if err := build(ctx, o.tool); err != nil {
			return err
		}
	} else if o.tool, err = filepath.Abs(o.tool); err != nil {
		return err
	}
	overlay, err := overlayFile(ctx, filepath.Join(temp, "overlay"))
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s %s/%s, %d CPUs; medians of %d rounds, plain and deep in turn%s\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), o.rounds, load())
	t := newTable(w)
	failed := 0
	for _, p := range o.only {
		b := &bench{options: o, project: p, overlay: overlay, temp: temp}
		rows, err := b.measure(ctx)
		for _, r := range rows {
			t.add(r)
		}
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			failed++
			fmt.Fprintf(w, "%s: %v\n", b.name(), err)
		}
	}
	t.summary()
	if failed > 0 {
		return fmt.Errorf("%d of %d projects could not be measured", failed, len(o.only))
	}
	return ctx.Err()
}
