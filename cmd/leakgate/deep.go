package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "github.com/leakgate/leakgate" // the sources of the agent
	"github.com/leakgate/leakgate/internal/deep"
	"github.com/leakgate/leakgate/internal/deep/mode"
)

const deepUsage = `usage: leakgate test [flags] [go test flags] [packages]

Runs go test with the standard library's own acquire and release points hooked, so that a test that leaks fails
with the line that acquired what it leaked: response bodies, connections, transactions and rows of database/sql, sockets,
listeners, files, pipes, child processes, goroutines. The code under test needs no import and no change; all else is as
under go test, whose flags are passed on.

FLAGS

The first run with a Go version compiles the standard library once more, which takes a minute or two. It is in Go's build
cache then. Test results are not taken from the cache: -count=1 is added where there is no -count.

Exit status: 0 no test failed, 1 tests failed or leaked, 2 wrong usage, 3 could not run: no Go, no module, or code that
does not compile.
`

// deepOptions are the flags of leakgate test itself.
type deepOptions struct {
	warn     bool
	kinds    string
	baseline string
}

func deepFlags(o *deepOptions) *flag.FlagSet {
	fs := newFlags("test")
	fs.BoolVar(&o.warn, "report", false, "tell leaks in the tests' output, shown with -v, and fail nothing")
	fs.StringVar(&o.kinds, "kinds", "", "look at these `KINDS` alone, separated by commas: file, socket, http-response, sql-rows, ...")
	fs.StringVar(&o.baseline, "baseline", "", "leaks that are listed in `FILE` fail nothing (see leakgate baseline)")
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
	goCmd, err := exec.LookPath("go")
	if err != nil {
		return 0, problem{
			what: fmt.Sprintf("the go command was not found: %v", err),
			todo: "install Go 1.25 or later (https://go.dev/dl) and put its bin folder on PATH",
		}
	}
	chdir, args := cutChdir(args)
	env, err := c.goEnv(ctx, goCmd, chdir)
	if err != nil {
		return 0, err
	}
	if deep.TooOld(env.GOVERSION) {
		return 0, problem{
			what: "the module is built with " + env.GOVERSION + ", whose standard library the hooks do not fit",
			todo: "use Go 1.25 or later: install it, or let the go command fetch it with GOTOOLCHAIN=go1.26.0",
		}
	}
	cache, err := c.cacheDir()
	if err != nil {
		return 0, err
	}
	root := deep.Goroot{Dir: env.GOROOT, Version: env.GOVERSION}
	var more []string
	if within(env.GOROOT, env.GOMODCACHE) {
		// A Go that the go command has downloaded. It refuses to replace files there, and sees another name as another place.
		if root.Dir, err = deep.Alias(cache, env.GOROOT); err != nil {
			return 0, unwritable(err)
		}
		goCmd = filepath.Join(root.Dir, "bin", "go")
		more = []string{"GOROOT=" + root.Dir, "GOTOOLCHAIN=local"}
	}
	own, args := deep.OverlayFlag(args)
	if own == "" {
		own, _ = deep.OverlayFlag(strings.Fields(env.GOFLAGS))
	}
	if own != "" {
		for _, dir := range []string{strings.TrimPrefix(chdir, "-C="), c.dir} {
			if !filepath.IsAbs(own) {
				own = filepath.Join(dir, own)
			}
		}
		if root.Replaced, err = deep.ReadReplaced(own); err != nil {
			return 0, problem{what: "the file of -overlay: " + err.Error(), todo: "give -overlay a file that go test takes too"}
		}
	}
	overlay, err := makeOverlay(cache, root)
	if err != nil {
		return 0, err
	}
	for _, text := range overlay.Missing {
		fmt.Fprintf(c.err, "leakgate: %s\n", text)
	}
	if overlay.New {
		fmt.Fprintf(c.err, "leakgate: the first run with %s compiles the standard library with the hooks in it, which takes a while; later runs do not\n", env.GOVERSION)
	}
	run := []string{"test", "-overlay=" + overlay.File}
	if chdir != "" {
		run = slices.Insert(run, 1, chdir)
	}
	if !hasCount(args) {
		run = append(run, "-count=1")
	}
	return c.runDeep(ctx, goCmd, append(run, args...), more, o)
}

// cutChdir takes the flag -C out, which go test wants first, as one word.
func cutChdir(args []string) (flag string, rest []string) {
	if len(args) == 0 {
		return "", args
	}
	name, isFlag, hasValue := cutFlag(args[0])
	switch {
	case !isFlag || name != "C":
		return "", args
	case hasValue:
		_, dir, _ := strings.Cut(args[0], "=")
		return "-C=" + dir, args[1:]
	case len(args) > 1:
		return "-C=" + args[1], args[2:]
	}
	return "", args
}

func hasCount(args []string) bool {
	for _, a := range args {
		switch name, isFlag, _ := cutFlag(a); {
		case isFlag && name == "args":
			return false
		case isFlag && (name == "count" || name == "test.count"):
			return true
		}
	}
	return false
}

// goEnv is what the go command says of itself.
type goEnv struct{ GOROOT, GOVERSION, GOFLAGS, GOMOD, GOMODCACHE string }

func (c console) goEnv(ctx context.Context, goCmd, chdir string) (e goEnv, err error) {
	args := []string{"env"}
	if chdir != "" {
		args = append(args, chdir)
	}
	cmd := exec.CommandContext(ctx, goCmd, append(args, "-json", "GOROOT", "GOVERSION", "GOFLAGS", "GOMOD", "GOMODCACHE")...)
	cmd.Dir, cmd.Env = c.dir, c.environ
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &e)
	}
	if err != nil {
		return e, problem{
			what: fmt.Sprintf("go env failed: %v", err), said: strings.TrimSpace(said.String()),
			todo: "see what it said above; go env in the same folder says it again",
		}
	}
	if e.GOMOD == "" || e.GOMOD == os.DevNull {
		return e, problem{
			what: "there is no module here: no go.mod in this folder or above",
			todo: "run it in a module's folder, or name one first: leakgate test -C DIR ./...",
		}
	}
	return e, nil
}

// cacheDir is where overlays are kept.
func (c console) cacheDir() (string, error) {
	if dir := c.env("LEAKGATE_CACHE"); dir != "" {
		return c.path(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", problem{what: "there is no cache folder: " + err.Error(), todo: "name one: LEAKGATE_CACHE=DIR"}
	}
	return filepath.Join(dir, "leakgate"), nil
}

// within says whether a path is below a folder.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return dir != "" && err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// makeOverlay writes the overlay to the cache folder.
func makeOverlay(cache string, root deep.Goroot) (*deep.Overlay, error) {
	o, err := deep.Make(cache, root)
	var path *os.PathError
	var link *os.LinkError
	switch {
	case err == nil:
		return o, nil
	case errors.As(err, &link), errors.As(err, &path) && !within(path.Path, root.Dir):
		return nil, unwritable(err)
	case path != nil:
		return nil, problem{what: "the standard library cannot be read: " + err.Error(), todo: "look at go env GOROOT: it must name a Go installation with its sources"}
	}
	return nil, problem{what: err.Error(), todo: "please report this with the output of go version"}
}

// unwritable is why nothing can be put into the cache folder.
func unwritable(err error) error {
	return problem{what: "the overlay cannot be written: " + err.Error(), todo: "name a folder that can be written: LEAKGATE_CACHE=DIR"}
}

// runDeep runs go test and passes on what it prints.
func (c console) runDeep(ctx context.Context, goCmd string, args, more []string, o deepOptions) (int, error) {
	environ := c.environ
	if environ == nil {
		environ = os.Environ()
	}
	cmd := exec.CommandContext(ctx, goCmd, args...)
	cmd.Dir = c.dir
	cmd.Env = append(slices.Clone(environ), mode.Env+"="+mode.On, mode.Kinds+"="+o.kinds, mode.Warn+"=")
	cmd.Env = append(cmd.Env, more...)
	if o.warn {
		cmd.Env = append(cmd.Env, mode.Warn+"=1")
	}
	if o.baseline != "" {
		file, err := c.path(o.baseline)
		if err != nil {
			return 0, err
		}
		cmd.Env = append(cmd.Env, "LEAKGATE_BASELINE="+file)
	}
	cmd.Stdin = os.Stdin
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	broken := &spotter{to: c.out}
	cmd.Stdout, cmd.Stderr = broken, c.err
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return 0, problem{what: "it was interrupted", todo: "run it again"}
	case err == nil:
		return exitOK, nil
	case !errors.As(err, &exit):
		return 0, problem{what: "go test could not be run: " + err.Error(), todo: "try go test in the same folder"}
	case exit.ExitCode() == exitUsage:
		return exitUsage, nil
	case broken.found:
		return 0, problem{
			what: "code does not compile, see above",
			todo: "go test says the same without leakgate; if it does not, please report it with the output of go version",
		}
	}
	return exitLeaks, nil
}

// spotter passes on what go test prints, and spots the packages that did not compile.
type spotter struct {
	to    io.Writer
	tail  []byte // the beginning of the last line
	found bool
}

func (s *spotter) Write(p []byte) (int, error) {
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
