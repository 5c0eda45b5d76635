package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const demoUsage = `usage: leakgate demo [-v] [-keep DIR]

Shows one leak being caught, on real code: a client that looks at the status code alone and forgets
resp.Body.Close(). The demo writes a small module to a temporary folder and lets go test run three tests:

  TestForbiddenPage        the client against a load balancer's 403, page and all: it must fail
  TestForbiddenPageFixed   the fixed client against the same: it must pass
  TestForbiddenEmpty       the first client against a 403 without a body: it passes, which is the trap

It needs the go command. The first run compiles net/http and the harness, which takes a while, and
downloads go.uber.org/goleak. After that an installed leakgate works offline; go run with @latest asks the
module proxy each time.

  -v          also show the commands and everything that go test printed
  -keep DIR   write the module to DIR and leave it there; DIR must be empty or not exist

Exit status: 0 the leak was caught and nothing else was reported, 1 it was missed or there was a false
alarm, 2 wrong usage, 3 could not run. Under go run, whatever is not 0 becomes 1.
`

func demoCommand(ctx context.Context, args []string, c console) int {
	if wantsHelp(args) {
		fmt.Fprint(c.out, demoUsage)
		return exitOK
	}
	d := demo{console: c}
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&d.verbose, "v", false, "")
	flags.StringVar(&d.keep, "keep", "", "")
	err := flags.Parse(args)
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err == nil {
		err = checkKeep(d.keep)
	}
	if err != nil {
		fmt.Fprintf(c.err, "leakgate demo: %v\nrun \"leakgate demo -h\" for help\n", err)
		return exitUsage
	}
	files, err := sources()
	if err != nil {
		return d.failed(err)
	}
	return d.run(ctx, files)
}

// checkKeep makes sure that nothing of the user's is written over.
func checkKeep(dir string) error {
	if dir == "" {
		return nil
	}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("-keep: %w", err)
	case len(entries) > 0:
		return fmt.Errorf("-keep: %s is not empty: name a folder that is, or that does not exist", dir)
	}
	return nil
}

// demo is one run.
type demo struct {
	console
	verbose bool
	keep    string
}

// scenario is one of the tests, and what has to come of it.
type scenario struct {
	test   string
	client string
	mock   string
	leaks  bool // the harness must report it
}

const (
	leakyTest = "TestForbiddenPage"
	fixedTest = "TestForbiddenPageFixed"
	emptyTest = "TestForbiddenEmpty"

	forgets = "forgets Close"
	closes  = "closes the body"
	page    = "403 with a page"
	empty   = "403, Content-Length: 0"
)

var scenarios = []scenario{
	{leakyTest, forgets, page, true},
	{fixedTest, closes, page, false},
	{emptyTest, forgets, empty, false},
}

func names() (out []string) {
	for _, s := range scenarios {
		out = append(out, s.test)
	}
	return out
}

// run writes the module, runs its tests and shows what came of it. The files are the module's sources by name.
func (d demo) run(ctx context.Context, files map[string]string) int {
	p := &progress{w: d.err, live: d.live}
	defer p.end()
	run, dir, err := d.test(ctx, p, files)
	p.end()
	if err != nil {
		return d.failed(err)
	}
	if d.verbose {
		d.everything(run)
	}
	if err := run.failure(names()); err != nil {
		return d.failed(err)
	}
	code := d.show(run, files)
	if d.keep != "" {
		fmt.Fprintf(d.out, "\nThe module is in %s. Run it again: go test -tags incident\n", dir)
	}
	return code
}

// test writes the module, runs it, and removes it again unless it is to be kept: nothing is left when what follows is
// written to a pipe that nobody reads.
func (d demo) test(ctx context.Context, p *progress, files map[string]string) (run *testRun, dir string, err error) {
	goCmd, err := exec.LookPath("go")
	if err != nil {
		return nil, "", problem{
			what: fmt.Sprintf("the go command was not found: %v", err),
			todo: "install Go 1.25 or later (https://go.dev/dl) and put its bin folder on PATH",
		}
	}
	p.step("writing a module with the client, its fix and three tests")
	from, err := findOrigin(ctx, goCmd)
	if err != nil {
		return nil, "", err
	}
	dir, err = d.folder()
	if err == nil && d.keep == "" {
		defer os.RemoveAll(dir)
	}
	if err == nil {
		err = writeModule(dir, files, from)
	}
	if err != nil {
		return nil, "", problem{
			what: fmt.Sprintf("the module could not be written: %v", err),
			todo: "point TMPDIR (on Windows, TMP) to a folder that can be written, or name one with -keep DIR",
		}
	}
	if d.verbose {
		p.end()
		fmt.Fprintf(d.err, "leakgate: in %s, with %s:\n  GOFLAGS=-mod=mod GOWORK=off %s %s\n", dir, from, goCmd, strings.Join(goTestArgs, " "))
	}
	p.step("compiling it with go test (the first time takes longer)")
	run, err = goTest(ctx, goCmd, dir, func(e event) {
		if e.Action == "run" {
			p.step("running " + e.Test)
		}
	})
	if errors.Is(err, context.Canceled) {
		err = problem{what: "interrupted; go test was stopped", todo: "run it again when you like: nothing is left behind"}
		if d.keep != "" {
			err = problem{what: "interrupted; go test was stopped", todo: "the module is left in " + dir}
		}
	}
	return run, dir, err
}

// folder makes the module's folder and gives its full path.
func (d demo) folder() (string, error) {
	if d.keep == "" {
		return os.MkdirTemp("", "leakgate-demo-")
	}
	dir, err := filepath.Abs(d.keep)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	return dir, err
}

// failed says why the demo could not run.
func (d demo) failed(err error) int {
	var p problem
	if !errors.As(err, &p) {
		p = problem{what: err.Error(), todo: "this should not happen: please report it"}
	}
	fmt.Fprintf(d.err, "leakgate demo: could not run: %s\n", p.what)
	if p.said != "" {
		lines := strings.Split(p.said, "\n")
		const most = 20
		for _, line := range lines[:min(len(lines), most)] {
			fmt.Fprintf(d.err, "    %s\n", line)
		}
		if len(lines) > most {
			fmt.Fprintf(d.err, "    … %d lines more\n", len(lines)-most)
		}
	}
	fmt.Fprintf(d.err, "what to do: %s\n", p.todo)
	return exitCouldNot
}

// everything writes what go test printed.
func (d demo) everything(run *testRun) {
	for _, lines := range [][]string{run.build, run.other, strings.Split(strings.TrimSpace(run.stderr), "\n")} {
		for _, line := range lines {
			if line != "" {
				fmt.Fprintf(d.err, "  | %s\n", line)
			}
		}
	}
	for _, name := range names() {
		t := run.test(name)
		fmt.Fprintf(d.err, "  | %s: %s\n", name, t.verdict)
		for _, line := range t.output {
			fmt.Fprintf(d.err, "  | %s\n", line)
		}
	}
}
