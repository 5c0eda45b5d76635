package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	_ "github.com/leakgate/leakgate" // the sources of the agent
	"github.com/leakgate/leakgate/internal/deep"
)

// deepSetup is how go test is run with the hooks.
type deepSetup struct {
	goCmd   string
	chdir   string // the flag -C of go test, or ""
	dir     string // where it runs; "" for the current folder
	env     goEnv
	overlay *deep.Overlay
	environ []string // what the go command needs in its environment
	build   string   // what decides how the standard library is compiled
}

// enter has the go command run in a downloaded Go by its other name, when it is to run there: for the standard library's own
// tests. By the first name it would take the files for others than those that are replaced.
func (s *deepSetup) enter(c console, alias string) error {
	here, err := c.path(strings.TrimPrefix(s.chdir, "-C="))
	if err != nil || !within(here, s.env.GOROOT) {
		return err
	}
	rel, err := filepath.Rel(s.env.GOROOT, here)
	if err != nil {
		return err
	}
	s.chdir, s.dir = "", filepath.Join(alias, rel)
	s.environ = append(s.environ, "PWD="+s.dir)
	return nil
}

// setUpDeep makes the overlay for the go command that is on PATH. It gives the arguments of go test without those that are
// taken care of.
func (c console) setUpDeep(ctx context.Context, args []string) (*deepSetup, []string, error) {
	goCmd, err := exec.LookPath("go")
	if err != nil {
		return nil, nil, problem{
			what: fmt.Sprintf("the go command was not found: %v", err),
			todo: "install Go 1.25 or later (https://go.dev/dl) and put its bin folder on PATH",
		}
	}
	s := &deepSetup{goCmd: goCmd}
	s.chdir, args = cutChdir(args)
	if s.env, err = c.goEnv(ctx, goCmd, s.chdir); err != nil {
		return nil, nil, err
	}
	if deep.TooOld(s.env.GOVERSION) {
		return nil, nil, problem{
			what: "the module is built with " + s.env.GOVERSION + ", whose standard library the hooks do not fit",
			todo: "use Go 1.25 or later: install it, or let the go command fetch it with GOTOOLCHAIN=go1.26.0",
		}
	}
	cache, err := c.cacheDir()
	if err != nil {
		return nil, nil, err
	}
	root := deep.Goroot{Dir: s.env.GOROOT, Version: s.env.GOVERSION}
	if within(root.Dir, s.env.GOMODCACHE) {
		// A Go that the go command has downloaded. It refuses to replace files there, and sees another name as another place.
		if root.Dir, err = deep.Alias(cache, s.env.GOROOT); err != nil {
			return nil, nil, unwritable(err)
		}
		s.goCmd = filepath.Join(root.Dir, "bin", "go")
		s.environ = []string{"GOROOT=" + root.Dir, "GOTOOLCHAIN=local"}
		if err := s.enter(c, root.Dir); err != nil {
			return nil, nil, err
		}
	}
	own, args := deep.OverlayFlag(args)
	if own == "" {
		own, _ = deep.OverlayFlag(deep.Words(s.env.GOFLAGS))
	}
	if own != "" {
		// The go command reads the file, and the paths in it, from the folder that it runs in.
		here, err := c.path(strings.TrimPrefix(s.chdir, "-C="))
		if err != nil {
			return nil, nil, err
		}
		if root.Replaced, err = deep.ReadReplaced(own, here); err != nil {
			return nil, nil, problem{what: "the file of -overlay: " + err.Error(), todo: "give -overlay a file that go test takes too"}
		}
	}
	if s.overlay, err = makeOverlay(cache, root); err != nil {
		return nil, nil, err
	}
	for _, text := range s.overlay.Missing {
		fmt.Fprintf(c.err, "leakgate: %s\n", text)
	}
	s.build = buildOf(&s.env, args)
	return s, args, nil
}

// goArgs are the arguments of the go command.
func (s *deepSetup) goArgs(args []string) []string {
	run := []string{"test", "-overlay=" + s.overlay.File}
	if s.chdir != "" {
		run = slices.Insert(run, 1, s.chdir)
	}
	if !hasFlag("count", args) && !hasFlag("count", deep.Words(s.env.GOFLAGS)) {
		run = append(run, "-count=1")
	}
	return append(run, args...)
}

// buildFlags are the flags of go test that the standard library is compiled anew for.
var buildFlags = []string{
	"asan", "asmflags", "buildmode", "compiler", "coverpkg", "fuzz", "gcflags", "installsuffix", "msan", "pgo", "race", "tags", "trimpath",
}

// buildOf says how the standard library is compiled: what has the same text is in the build cache after the first run.
func buildOf(env *goEnv, args []string) string {
	parts := []string{env.GOOS, env.GOARCH, env.CGO_ENABLED, env.GOEXPERIMENT, env.GOCACHE}
	for _, list := range [][]string{deep.Words(env.GOFLAGS), args} {
		for i, a := range list {
			name, isFlag, hasValue := cutFlag(a)
			if name == "args" {
				break
			}
			if !isFlag || !slices.Contains(buildFlags, name) {
				continue
			}
			switch value, _ := flagValue(list, i); {
			case name == "fuzz": // whatever it looks for
				parts = append(parts, name)
			case hasValue || !slices.Contains([]string{"asan", "msan", "race", "trimpath"}, name):
				parts = append(parts, name+"="+value)
			default:
				parts = append(parts, name)
			}
		}
	}
	return strings.Join(parts, "\n")
}

// flagValue gives the value of the flag at an index, and whether there is one.
func flagValue(args []string, i int) (value string, ok bool) {
	if _, value, ok = strings.Cut(args[i], "="); ok {
		return value, true
	}
	if i+1 < len(args) {
		return args[i+1], true
	}
	return "", false
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

// hasFlag says whether a flag is among the arguments of go test, by either of its names.
func hasFlag(want string, args []string) bool {
	for _, a := range args {
		switch name, isFlag, _ := cutFlag(a); {
		case isFlag && name == "args":
			return false
		case isFlag && (name == want || name == "test."+want):
			return true
		}
	}
	return false
}

// goEnv is what the go command says of itself.
type goEnv struct {
	GOROOT, GOVERSION, GOFLAGS, GOMOD, GOWORK, GOMODCACHE string

	GOOS, GOARCH, CGO_ENABLED, GOEXPERIMENT, GOCACHE string
}

// inModule says whether there is a module, or a workspace of modules.
func (e *goEnv) inModule() bool {
	return e.GOMOD != "" && e.GOMOD != os.DevNull || e.GOWORK != "" && e.GOWORK != off
}

func (c console) goEnv(ctx context.Context, goCmd, chdir string) (e goEnv, err error) {
	args := []string{"env"}
	if chdir != "" {
		args = append(args, chdir)
	}
	args = append(args, "-json", "GOROOT", "GOVERSION", "GOFLAGS", "GOMOD", "GOWORK", "GOMODCACHE", "GOOS", "GOARCH", "CGO_ENABLED", "GOEXPERIMENT", "GOCACHE")
	cmd := exec.CommandContext(ctx, goCmd, args...)
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
	if !e.inModule() {
		return e, problem{
			what: "there is no module here: no go.mod in this folder or above, and no go.work",
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
