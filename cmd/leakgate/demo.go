package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const demoUsage = `usage: leakgate demo [-deep] [-v] [-keep DIR]

Shows five incidents being caught, on real code. The demo writes a small module to a temporary folder and
lets go test run its tests:

  leasedconn    a client that looks at the status code alone and forgets resp.Body.Close(): it leaks a
                connection for each 403 of a load balancer, and none with a mock that sends no page
  deadbroker    a service that still dials a message broker which was turned off: it does not come up any
                more, and leaves a goroutine; with a broker that hangs it never comes back from its start
  exhaustion    a database server that runs out of connections, and the tests that tell which of three
                causes it is: a leak, too many instances, or no pooling
  nightlysync   a worker that opens a database session for each item: with three items here, and in
                production until PostgreSQL had no slot left
  heldacross    a checkout that holds its database connection while it calls a payment service: with one
                client here, and in production until a hundred customers waited for ten connections

In each the code with the fault must fail its test at the line of the fault, and the fixed code must pass.
No database is needed: a driver inside the process stands for PostgreSQL.

With -deep the tests know nothing of the harness, and are run as leakgate test runs those of any module. It sees
what is left behind, and not what is only held too long, opened too often or dialled in vain: those are told as
what they are.

It needs the go command. The first run compiles net/http and the harness, which takes a while, and
downloads go.uber.org/goleak. After that an installed leakgate works offline; go run with @latest asks the
module proxy each time. With -deep nothing is downloaded, and the first run compiles the standard library.

FLAGS

Exit status: 0 each fault was caught and nothing else was reported, 1 one was missed or there was a false
alarm, 2 wrong usage, 3 could not run. Under go run, whatever is not 0 becomes 1.
`

func demoCommand(ctx context.Context, args []string, c console) int {
	if wantsHelp(args) {
		return help(c.out, find(commands(), "demo"), exitOK)
	}
	d := demo{console: c}
	rest, _, err := parseFlags(demoFlags(&d), args, false)
	if err == nil && len(rest) > 0 {
		err = usagef("unexpected argument %q", rest[0])
	}
	if err == nil {
		err = checkKeep(d.keep)
	}
	if err != nil {
		return wrongUsage("demo", err, c)
	}
	files, err := sources()
	if err != nil {
		return d.failed(err)
	}
	return d.run(ctx, files)
}

func demoFlags(d *demo) *flag.FlagSet {
	fs := newFlags("demo")
	fs.BoolVar(&d.verbose, "v", false, "also show the commands and everything that go test printed")
	fs.BoolVar(&d.deep, "deep", false, "show deep mode: the same code, and tests that have no harness in them")
	fs.StringVar(&d.keep, "keep", "", "write the module to `DIR` and leave it there; DIR must be empty or not exist")
	return fs
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
	deep    bool
	keep    string
}

// incidents are those that are shown.
func (d demo) incidents() []incident {
	if d.deep {
		return deepIncidents
	}
	return incidents
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
	if err := run.failure(namesOf(d.incidents())); err != nil {
		return d.failed(err)
	}
	code := d.show(run, files)
	if d.keep != "" {
		again := "go test -tags incident ./..."
		if d.deep {
			again = "leakgate test -tags deep ./..."
		}
		fmt.Fprintf(d.out, "\nThe module is in %s. Run it again: %s\n", dir, again)
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
	p.step(fmt.Sprintf("writing a module with %d incidents, their fixes and %d tests", len(d.incidents()), len(namesOf(d.incidents()))))
	var from origin
	if d.deep {
		files = withoutHarness(files)
	} else if from, err = findOrigin(ctx, goCmd); err != nil {
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
	args, env, with := goTestArgs, append(childEnv(os.Environ()), "PWD="+dir), from.String()
	if d.deep {
		with = "the hooks of deep mode"
		if goCmd, args, env, err = d.hooked(ctx, dir, env); err != nil {
			return nil, dir, err
		}
	}
	if d.verbose {
		p.end()
		fmt.Fprintf(d.err, "leakgate: in %s, with %s:\n  GOFLAGS=-mod=mod GOWORK=off %s %s\n", dir, with, goCmd, strings.Join(args, " "))
	}
	p.step("compiling it with go test (the first time takes longer)")
	running := false
	run, err = goTest(ctx, goCmd, dir, args, env, func(e event) {
		// The tests of several packages run at once, so that none is named.
		if e.Action == "run" && !running {
			running = true
			p.step("running the tests")
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
func (d demo) failed(err error) int { return couldNot("demo", err, d.console) }

// everything writes what go test printed.
func (d demo) everything(run *testRun) {
	for _, lines := range [][]string{run.build, run.other, strings.Split(strings.TrimSpace(run.stderr), "\n")} {
		for _, line := range lines {
			if line != "" {
				fmt.Fprintf(d.err, "  | %s\n", line)
			}
		}
	}
	for _, name := range namesOf(d.incidents()) {
		t := run.test(name)
		fmt.Fprintf(d.err, "  | %s: %s\n", name, t.verdict)
		for _, line := range t.output {
			fmt.Fprintf(d.err, "  | %s\n", line)
		}
	}
}
