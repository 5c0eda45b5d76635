package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/leakgate/leakgate/internal/deep/mode"
)

const deepUsage = `usage: leakgate test [flags] [go test flags] [packages]

Runs go test with the standard library's own acquire and release points hooked, so that a test that leaks fails
with the line that acquired what it leaked: response bodies, connections, transactions and rows of database/sql,
sockets, listeners, files, pipes, child processes, goroutines. The code under test needs no import and no change;
all else is as under go test, whose flags are passed on.

  leakgate test ./...                      all packages of the module
  leakgate test -race -run TestPay ./pay   flags of go test, as ever
  leakgate baseline accept -deep ./...     write down what leaks today; from then on only more fails

FLAGS

A flag of these names that is meant for the tests comes after -args. Of go test's:

  -json       each leak is a line more, before the one that ends its package: an output of nothing, with a member
              Leak, as docs/fragment.md has it
  -c          the test binary is as without leakgate until LEAKGATE_DEEP=on is in its environment
  -overlay F  is merged; where F replaces a file that is hooked, the hooks go into F's
  -count N    is 1 where it is not given: nothing is taken from the cache of test results

With LEAKGATE_REPORT=DIR each test binary writes a fragment there, for leakgate report.

The first run compiles the standard library once more, which takes a minute or two; so does that with another Go
version, or another flag that changes how things are compiled (-race, -tags). It is in Go's build cache then. The
overlay is in the user's cache folder, or in LEAKGATE_CACHE.

Exit status: 0 no test failed, 1 tests failed or leaked, 2 wrong usage, 3 could not run: no Go, no module, or code
that does not compile.
`

// deepOptions are the flags of leakgate test itself.
type deepOptions struct {
	warn     bool
	kinds    string
	baseline string
	dial     dialOptions
	dials    string // what the agent is told of them
}

func deepFlags(o *deepOptions) *flag.FlagSet {
	fs := newFlags("test")
	fs.BoolVar(&o.warn, "report", false, "tell leaks in the tests' output, shown with -v, and fail nothing")
	fs.StringVar(&o.kinds, "kinds", "", "look at these `KINDS` alone, separated by commas: file, socket, http-response, sql-rows, ...")
	fs.StringVar(&o.baseline, "baseline", "", "leaks that are listed in `FILE` fail nothing (see leakgate baseline)")
	dialFlags(fs, &o.dial)
	return fs
}

// cutDeepFlags takes the command's own flags out of those of go test, in any order with them.
func cutDeepFlags(o *deepOptions, args []string) (rest []string, err error) {
	fs := deepFlags(o)
	for i := 0; i < len(args); i++ {
		name, isFlag, hasValue := cutFlag(args[i])
		if name == "args" {
			return append(rest, args[i:]...), nil
		}
		f := fs.Lookup(name)
		if !isFlag || f == nil {
			rest = append(rest, args[i])
			continue
		}
		_, value, _ := strings.Cut(args[i], "=")
		switch {
		case hasValue:
		case isSwitch(f):
			value = "true"
		case i+1 < len(args):
			i++
			value = args[i]
		default:
			return nil, usagef("-%s needs a value", name)
		}
		if err := fs.Set(name, value); err != nil {
			return nil, usagef("-%s=%s: %v", name, value, err)
		}
	}
	return rest, nil
}

func deepCommand(ctx context.Context, args []string, c console) int {
	own := args
	if i := slices.IndexFunc(args, func(a string) bool { return a == "-args" || a == "--args" }); i >= 0 {
		own = args[:i]
	}
	if wantsHelp(own) {
		return help(c.out, find(commands(), "test"), exitOK)
	}
	var o deepOptions
	rest, err := cutDeepFlags(&o, args)
	if err == nil {
		o.dials, err = o.dial.environ()
	}
	if err != nil {
		return wrongUsage("test", err, c)
	}
	code, err := c.deepTest(ctx, o, rest)
	if err != nil {
		return ended("test", err, c)
	}
	return code
}

// deepTest makes the overlay and runs go test with it.
func (c console) deepTest(ctx context.Context, o deepOptions, args []string) (int, error) {
	if err := c.checkDeep(&o); err != nil {
		return 0, err
	}
	s, args, err := c.setUpDeep(ctx, args)
	if err != nil {
		return 0, err
	}
	return c.runDeep(ctx, s, args, o)
}

// checkDeep looks at the values of the command's own flags, which every test binary would only say are wrong.
func (c console) checkDeep(o *deepOptions) error {
	for kind := range strings.SplitSeq(o.kinds, ",") {
		kind = strings.TrimSpace(kind)
		if kind == "" || slices.Contains(deepKinds, kind) {
			continue
		}
		if near := nearestOf(kind, deepKinds); near != "" {
			return usagef("-kinds: there is no kind %q; did you mean %q?", kind, near)
		}
		return usagef("-kinds: there is no kind %q; there are %s", kind, strings.Join(deepKinds, ", "))
	}
	if o.baseline == "" || o.baseline == off {
		return nil
	}
	file, err := c.path(o.baseline)
	if err == nil {
		_, err = c.baselineFile(file, true)
	}
	o.baseline = file
	return err
}

// deepKinds are what -kinds can name.
var deepKinds = []string{
	"http-response", "http-conn", "sql-rows", "sql-tx", "sql-conn", "sql-stmt", "goroutine", "socket", "file", "process",
}

// environ is what the test binaries are told.
func (o *deepOptions) environ() []string {
	env := []string{mode.Env + "=" + mode.On, mode.Kinds + "=" + o.kinds, mode.Warn + "="}
	if o.warn {
		env = append(env, mode.Warn+"=1")
	}
	if o.dials != "" {
		env = append(env, o.dials)
	}
	if o.baseline != "" {
		env = append(env, baselineEnv+"="+o.baseline)
	}
	return env
}

// runDeep runs go test and passes on what it prints.
func (c console) runDeep(ctx context.Context, s *deepSetup, args []string, o deepOptions) (int, error) {
	cmd := exec.Command(s.goCmd, s.goArgs(args)...)
	cmd.Dir, cmd.Stdin = cmp.Or(s.dir, c.dir), os.Stdin
	environ := c.environ
	if environ == nil {
		environ = os.Environ()
	}
	cmd.Env = slices.Concat(environ, o.environ(), s.environ)
	out := &spotter{to: c.out}
	cmd.Stdout = out
	if wantsJSON(args, s.env.GOFLAGS) {
		dir, err := leakFolder()
		if err != nil {
			return 0, err
		}
		defer os.RemoveAll(dir)
		lines := &leakStream{to: c.out, dir: dir}
		defer lines.close()
		out.to = lines
		cmd.Env = append(cmd.Env, mode.Leaks+"="+dir)
	}
	first := s.tellFirst(c)
	out.first = first.over
	cmd.Stderr = &notice{to: c.err, first: first.quiet}
	// A program that a test has left behind may keep the pipe open. It is waited for no longer than this.
	cmd.WaitDelay = 5 * time.Second
	err := relay(ctx, cmd)
	first.quiet()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return 0, problem{what: "it was interrupted", todo: "run it again"}
	case errors.Is(err, exec.ErrWaitDelay): // go test itself has ended well
		err = nil
	case err != nil && !errors.As(err, &exit):
		return 0, problem{what: "go test could not be run: " + err.Error(), todo: "try go test in the same folder"}
	}
	switch {
	case err == nil:
		first.done()
		return exitOK, nil
	case exit.ExitCode() == exitUsage:
		return exitUsage, nil
	case out.found:
		return 0, problem{
			what: "code does not compile, or a package could not be loaded; see above",
			todo: "go test says the same without leakgate; if it does not, please report it with the output of go version",
		}
	case !out.some:
		return 0, problem{
			what: "go test has run nothing; see above",
			todo: "go test says the same without leakgate; if it does not, please report it with the output of go version",
		}
	}
	first.done()
	return exitLeaks, nil
}

// spotter passes on what go test prints, and spots the packages that did not compile.
type spotter struct {
	to    io.Writer
	first func() // called before the first line; may be nil
	tail  []byte // the beginning of the last line
	found bool
	some  bool // there was output
}

func (s *spotter) Write(p []byte) (int, error) {
	if !s.some && s.first != nil {
		s.first()
	}
	s.some = true
	for line := range bytes.Lines(p) {
		s.tail = append(s.tail, line...)
		if !bytes.HasSuffix(s.tail, []byte("\n")) {
			continue
		}
		text := bytes.TrimRight(s.tail, "\r\n")
		if bytes.HasPrefix(text, []byte("FAIL\t")) && (bytes.HasSuffix(text, []byte(" [build failed]")) || bytes.HasSuffix(text, []byte(" [setup failed]"))) ||
			bytes.HasPrefix(text, []byte(`{"`)) && bytes.Contains(text, []byte(`"FailedBuild":"`)) {
			s.found = true
		}
		s.tail = s.tail[:0]
	}
	return s.to.Write(p)
}
