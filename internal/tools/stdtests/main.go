// Command stdtests runs the standard library's own tests twice, plainly and under leakgate test -report, and compares what
// became of each test. It fails when one of them does not end as it does without deep mode. Run it in the root of the tree:
//
//	go run ./internal/tools/stdtests                      all of the packages, which takes minutes
//	go run ./internal/tools/stdtests -fast                those that take seconds
//	go run ./internal/tools/stdtests -toolchain go1.27.4 net/http os
//	go run ./internal/tools/stdtests -short net           with go test's -short
//	go run ./internal/tools/stdtests -leaks os            and print what deep mode tells of them
//
// Many tests fail by themselves where there is no network, and some only now and then. So what is compared is each test's
// own end, and those that differ are run more often both ways: a test that ends both ways, plainly too, is called unsteady
// and fails nothing.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

// The packages that deep mode changes, and those that lean on them most. fast are the ones that take seconds.
var (
	fast = []string{"database/sql", "internal/poll", "io", "os/exec", "sync", "testing/synctest"}
	rest = []string{
		"bufio", "context", "crypto/tls", "io/fs", "log/slog", "net", "net/http", "net/http/httptest",
		"net/http/httputil", "os", "runtime/pprof", "testing",
	}
)

// leaking are packages some of whose own tests leak, with -short too. Where deep mode tells nothing of them, it was not on.
var leaking = []string{"database/sql", "os"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "stdtests:", err)
		}
		stop()
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	toolchain string
	fast      bool
	short     bool
	leaks     bool
	again     int
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var o options
	fs := flag.NewFlagSet("stdtests", flag.ContinueOnError)
	fs.StringVar(&o.toolchain, "toolchain", "", "the Go `VERSION` whose standard library is tested, as GOTOOLCHAIN has it; empty for the one on PATH")
	fs.BoolVar(&o.fast, "fast", false, "only the packages that take seconds")
	fs.BoolVar(&o.short, "short", false, "run the tests with -short")
	fs.BoolVar(&o.leaks, "leaks", false, "print what deep mode tells of each test")
	fs.IntVar(&o.again, "again", 3, "how often tests that differ are run once more each way")
	if err := fs.Parse(args); err != nil {
		return err
	}
	pkgs := fs.Args()
	if len(pkgs) == 0 {
		pkgs = slices.Clone(fast)
		if !o.fast {
			pkgs = append(pkgs, rest...)
		}
	}
	slices.Sort(pkgs)
	dir, err := os.MkdirTemp("", "stdtests-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r := runner{ctx: ctx, tool: filepath.Join(dir, "leakgate"), short: o.short}
	if text, err := exec.CommandContext(ctx, "go", "build", "-o", r.tool, "./cmd/leakgate").CombinedOutput(); err != nil {
		return fmt.Errorf("build of leakgate: %w\n%s", err, text)
	}
	r.env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	if o.toolchain != "" {
		r.env = append(r.env, "GOTOOLCHAIN="+o.toolchain)
	}
	version, err := r.locate()
	if err != nil {
		return err
	}
	return r.compare(version, o, pkgs, out)
}

// runner runs the tests of one standard library.
type runner struct {
	ctx  context.Context
	tool string
	src  string
	env  []string
	// short says that tests are run with -short.
	short bool
}

// locate finds the standard library.
func (r *runner) locate() (version string, err error) {
	cmd := exec.CommandContext(r.ctx, "go", "env", "-json", "GOROOT", "GOVERSION")
	cmd.Env, cmd.Stderr = r.env, os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	var e struct{ GOROOT, GOVERSION string }
	if err := json.Unmarshal(text, &e); err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	r.src = filepath.Join(e.GOROOT, "src")
	return e.GOVERSION, nil
}

// A mode is one of the two ways to run tests.
type mode []string

var (
	plain = mode{"go", "test", "-json", "-count=1"}
	deep  = mode{"", "test", "-report", "-json"}
)

// args is the command line that runs tests of packages in a mode.
func (r *runner) args(m mode, pattern string, pkgs []string) []string {
	args := slices.Clone(m)
	if args[0] == "" {
		args[0] = r.tool
	}
	if r.short {
		args = append(args, "-short")
	}
	if pattern != "" {
		args = append(args, "-run="+pattern)
	}
	return append(args, pkgs...)
}

// tests runs tests of packages in a mode. That some fail is no error.
func (r *runner) tests(m mode, pattern string, pkgs []string) (results, error) {
	args := r.args(m, pattern, pkgs)
	cmd := exec.CommandContext(r.ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = r.src, r.env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	res := read(&out)
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || len(res.ends) == 0) || r.ctx.Err() != nil {
		return res, fmt.Errorf("%s: %w\n%s", strings.Join(args[:2], " "), cmp.Or(r.ctx.Err(), err), errs.Bytes())
	}
	return res, nil
}

// compare runs all both ways and prints the table.
func (r *runner) compare(version string, o options, pkgs []string, out io.Writer) error {
	before, err := r.tests(plain, "", pkgs)
	if err != nil {
		return err
	}
	with, err := r.tests(deep, "", pkgs)
	if err != nil {
		return err
	}
	differ := before.differ(with)
	unsteady, real, err := r.again(o.again, differ, before, with)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: pass/fail/skip\n\n", version)
	writeTable(out, pkgs, before, with, unsteady, real)
	for _, name := range unsteady {
		fmt.Fprintf(out, "unsteady, plainly too: %s\n", name)
	}
	for _, name := range real {
		fmt.Fprintf(out, "\nnot the same: %s is %s, and under leakgate test %s\n%s", name, before.end(name), with.end(name), with.said[name])
	}
	if o.leaks {
		writeLeaks(out, with)
	}
	if len(real) > 0 {
		return fmt.Errorf("%d tests do not end as they do without deep mode", len(real))
	}
	return with.on(pkgs)
}

// again runs tests that differ more often, and says which of them end in the same way now and then.
func (r *runner) again(times int, differ []test, before, with results) (unsteady, real []test, err error) {
	for _, name := range differ {
		ends := [2]map[string]bool{{before.end(name): true}, {with.end(name): true}}
		for range times {
			for i, m := range []mode{plain, deep} {
				res, err := r.tests(m, name.pattern(), []string{name.pkg})
				if err != nil {
					return nil, nil, err
				}
				ends[i][res.end(name)] = true
			}
		}
		// A test that ends in two ways without deep mode is unsteady; with deep mode it may end in either of them.
		if len(ends[0]) > 1 && subset(ends[1], ends[0]) {
			unsteady = append(unsteady, name)
		} else {
			real = append(real, name)
		}
	}
	return unsteady, real, nil
}

// subset says whether all of a is in b.
func subset(a, b map[string]bool) bool {
	for k := range a {
		if !b[k] {
			return false
		}
	}
	return true
}
