// Command projects runs the tests of public projects under deep mode and plain, and says what differs: the result of any
// test, and what deep mode reports. The projects, what they need, and how somebody who has read the code has classed each
// report are in projects.json. With -doc it writes the page of the documentation that lists all this.
//
//	go run ./internal/tools/projects                  all of them; an hour or more
//	go run ./internal/tools/projects pgx redigo       those whose path has the word
//	go run ./internal/tools/projects -render          nothing is run: the page from what was found before
//
// It downloads modules, and starts the servers that a project needs from this machine's own binaries, each run with empty
// ones: postgres, mariadbd, redis-server, memcached, rabbitmq-server, mosquitto. A project whose server is not there is left out and
// told. The exit status is 1 when a result differs or a report has no class.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func main() {
	var o options
	flag.StringVar(&o.list, "list", filepath.Join("internal", "tools", "projects", "projects.json"), "the list of projects")
	flag.StringVar(&o.dir, "dir", filepath.Join(os.TempDir(), "leakgate-projects"), "where sources and results are kept")
	flag.StringVar(&o.doc, "doc", "", "write the page of the documentation to this file")
	flag.BoolVar(&o.render, "render", false, "run nothing: use the results in -dir")
	flag.BoolVar(&o.race, "race", false, "run with -race, for differences alone: the results are not kept")
	flag.BoolVar(&o.reread, "reread", false, "run no tests: read again what go test printed before, which is kept in -dir")
	flag.StringVar(&o.tool, "leakgate", "", "the leakgate to use; none builds it from this tree")
	flag.Parse()
	o.words = flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	clean, err := o.run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "projects:", err)
		os.Exit(2)
	}
	if !clean {
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	list, dir, doc, tool string
	render, reread, race bool
	words                []string
}

// run does all of it, and says whether nothing differs and each report has a class.
func (o options) run(ctx context.Context) (clean bool, err error) {
	list, err := readList(o.list)
	if err != nil {
		return false, err
	}
	if o.dir, err = filepath.Abs(o.dir); err != nil {
		return false, err
	}
	if err := os.MkdirAll(filepath.Join(o.dir, "results"), 0o755); err != nil {
		return false, err
	}
	if o.tool == "" && !o.render {
		o.tool = filepath.Join(o.dir, "leakgate")
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", o.tool, "./cmd/leakgate").CombinedOutput(); err != nil {
			return false, fmt.Errorf("go build ./cmd/leakgate: %w\n%s", err, out)
		}
	}
	clean = true
	var all []*result
	for _, p := range list {
		file := filepath.Join(o.dir, "results", p.name()+".json")
		var r *result
		if chosen := o.chosen(p); chosen && !o.render {
			r, err = o.project(ctx, p)
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			if err == nil && !o.race {
				err = writeJSON(file, r)
			}
		} else if o.doc == "" && !chosen {
			continue
		} else {
			r, err = readResult(file)
		}
		var gone *absentError
		switch {
		case errors.As(err, &gone), errors.Is(err, os.ErrNotExist) && r == nil:
			fmt.Printf("%s: left out: %v\n", p.Module, err)
			continue
		case err != nil:
			fmt.Printf("%s: could not be run: %v\n", p.Module, err)
			clean = false
			continue
		}
		if !r.tell(os.Stdout, p) {
			clean = false
		}
		r.project = p
		all = append(all, r)
	}
	if o.doc != "" {
		err = os.WriteFile(o.doc, []byte(page(all)), 0o644)
	}
	return clean, err
}

// chosen says whether the command line asks for the project.
func (o options) chosen(p *project) bool {
	return len(o.words) == 0 || slices.ContainsFunc(o.words, func(w string) bool { return strings.Contains(p.Module, w) })
}
