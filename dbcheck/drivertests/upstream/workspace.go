package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// workspace is a temporary folder in which test binaries are made with one Go toolchain. The sources stay where they are,
// in the module cache and in GOROOT: what is rewritten is laid over them.
type workspace struct {
	dir     string
	goCmd   string   // of the toolchain
	env     []string // of every go command
	modfile string
	race    bool
}

// newWorkspace makes one. The current folder is this module's, or below it. toolchain is "" for the one on PATH.
func newWorkspace(dir, toolchain string) (*workspace, error) {
	w := &workspace{dir: dir, goCmd: "go", env: []string{"GOWORK=off"}, modfile: filepath.Join(dir, "go.mod")}
	if toolchain != "" {
		w.env = append(w.env, "GOTOOLCHAIN="+toolchain)
	}
	var vars struct{ GOMOD, GOROOT, GOMODCACHE string }
	out, err := w.goTool(nil, "env", "-json", "GOMOD", "GOROOT", "GOMODCACHE")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(out), &vars); err != nil {
		return nil, err
	}
	// A copy, so that the go command may add what the drivers' tests need beside what this module needs.
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(filepath.Dir(vars.GOMOD), name))
		if err != nil {
			return nil, fmt.Errorf("%w: run it in the folder of module dbcheck/drivertests", err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return nil, err
		}
	}
	root, err := reachable(vars.GOROOT, vars.GOMODCACHE)
	if err != nil {
		return nil, err
	}
	w.goCmd = filepath.Join(root, "bin", "go")
	w.env = []string{"GOWORK=off", "GOTOOLCHAIN=local", "GOROOT=" + root}
	return w, nil
}

// reachable gives a way to a folder that does not lead through the module cache, which the go command lets nobody overlay.
// It is the same way each time, because the build cache knows a package by it.
func reachable(folder, cache string) (string, error) {
	if rel, err := filepath.Rel(cache, folder); err != nil || !filepath.IsLocal(rel) {
		return folder, nil
	}
	ways := filepath.Join(os.TempDir(), fmt.Sprintf("leakgate-upstream-%d", os.Getuid()))
	if err := os.MkdirAll(ways, 0o700); err != nil {
		return "", err
	}
	way := filepath.Join(ways, filepath.Base(folder))
	if to, err := os.Readlink(way); err == nil && to == folder {
		return way, nil
	}
	os.Remove(way)
	if err := os.Symlink(folder, way); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return way, nil
}

// use lets the module of a suite be found where its sources can be overlaid.
func (w *workspace) use(s suite) error {
	if s.module == "" {
		return nil
	}
	var m struct{ Dir, Error string }
	version, err := w.version(s)
	if err != nil {
		return err
	}
	out, err := w.goTool(nil, "mod", "download", "-json", s.module+"@"+version)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(out), &m); err != nil {
		return err
	}
	cache, err := w.goTool(nil, "env", "GOMODCACHE")
	if err != nil {
		return err
	}
	way, err := reachable(m.Dir, strings.TrimSpace(cache))
	if err != nil {
		return err
	}
	// A replacement is relative to the main module, which is where the command runs and not where the copy of go.mod is.
	_, err = w.goTool(nil, "mod", "edit", "-replace="+s.module+"="+way, w.modfile)
	return err
}

// goTool runs the go command and gives what it prints.
func (w *workspace) goTool(env []string, args ...string) (string, error) {
	cmd := exec.Command(w.goCmd, args...)
	cmd.Env = append(append(os.Environ(), w.env...), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

// goVersion is the toolchain's.
func (w *workspace) goVersion() (string, error) {
	v, err := w.goTool(nil, "env", "GOVERSION")
	return strings.TrimSpace(v), err
}

// version is the suite's module's, from go.mod.
func (w *workspace) version(s suite) (string, error) {
	if s.module == "" {
		return w.goVersion()
	}
	v, err := w.goTool(nil, "list", "-m", "-mod=mod", "-modfile="+w.modfile, "-f", "{{.Version}}", s.module)
	return strings.TrimSpace(v), err
}

// source is what the go command says of a package.
type source struct {
	Dir                                          string
	GoFiles, CgoFiles, TestGoFiles, XTestGoFiles []string
	Module                                       *struct{ Dir string }
}

func (w *workspace) sourceOf(s suite, pkg string) (source, error) {
	out, err := w.goTool(s.env, "list", "-mod=mod", "-modfile="+w.modfile, "-tags="+s.tags, "-json", pkg)
	if err != nil {
		return source{}, err
	}
	var src source
	return src, json.Unmarshal([]byte(out), &src)
}

// overlay rewrites the sources of a suite and gives the name of the file that lays them over the driver's.
func (w *workspace) overlay(s suite) (name string, n edits, err error) {
	over := make(map[string]string)
	lay := func(at string, text []byte) error {
		to := filepath.Join(w.dir, fmt.Sprintf("over%d_%s", len(over), filepath.Base(at)))
		over[at] = to
		return os.WriteFile(to, text, 0o644)
	}
	for i, pkg := range append([]string{s.pkg}, s.also...) {
		src, err := w.sourceOf(s, pkg)
		if err != nil {
			return "", n, err
		}
		files := append(src.TestGoFiles, src.XTestGoFiles...)
		if i > 0 || s.opening {
			files = append(files, append(src.GoFiles, src.CgoFiles...)...)
		}
		for _, f := range files {
			at := filepath.Join(src.Dir, f)
			old, err := os.ReadFile(at)
			if err != nil {
				return "", n, err
			}
			text, did, err := rewrite(at, old)
			if err != nil {
				return "", n, err
			}
			n.add(did)
			if !bytes.Equal(text, old) {
				if err := lay(at, text); err != nil {
					return "", n, err
				}
			}
		}
		if s.module == "" {
			err = errors.Join(lay(filepath.Join(src.Dir, "leakgate_hook_test.go"), []byte(hookInside)),
				lay(filepath.Join(src.Dir, "leakgate_install_test.go"), []byte(hookOutside)))
			if err != nil {
				return "", n, err
			}
		}
	}
	if n.open == 0 {
		return "", n, fmt.Errorf("%s: nothing in its tests opens a database: there is nothing to compare", s.pkg)
	}
	b, err := json.Marshal(map[string]any{"Replace": over})
	if err != nil {
		return "", n, err
	}
	name = filepath.Join(w.dir, "overlay.json")
	return name, n, os.WriteFile(name, b, 0o644)
}

// build makes a test binary; overlay is "" for the plain one.
func (w *workspace) build(s suite, overlay string) (binary string, err error) {
	binary = filepath.Join(w.dir, "plain.test.exe")
	args := []string{"test", "-c", "-vet=off", "-mod=mod", "-modfile=" + w.modfile, "-tags=" + s.tags}
	if overlay != "" {
		binary = filepath.Join(w.dir, "wrapped.test.exe")
		args = append(args, "-overlay="+overlay)
	}
	if w.race {
		args = append(args, "-race")
	}
	_, err = w.goTool(s.env, append(args, "-o", binary, s.pkg)...)
	return binary, err
}

// buildConverter makes the program that reads the output of a test binary.
func (w *workspace) buildConverter() error {
	_, err := w.goTool(nil, "build", "-o", filepath.Join(w.dir, "test2json.exe"), "cmd/test2json")
	return err
}

// folder gives a folder to run the tests in: a copy of the driver's without its sources, so that they may write into it.
func (w *workspace) folder(s suite) (string, error) {
	src, err := w.sourceOf(s, s.pkg)
	if err != nil {
		return "", err
	}
	if src.Module == nil {
		return src.Dir, nil
	}
	to := filepath.Join(w.dir, "run")
	from, err := filepath.EvalSymlinks(src.Module.Dir)
	if err != nil {
		return "", err
	}
	err = filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch filepath.Ext(path) {
		case ".go", ".c", ".h":
			return nil
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o600)
	})
	rel, err2 := filepath.Rel(src.Module.Dir, src.Dir)
	return filepath.Join(to, rel), errors.Join(err, err2)
}

// run runs a test binary. A failing test is no error.
func (w *workspace) run(s suite, binary, dir string, env []string, only string) (results, error) {
	args := []string{"-test.v=test2json", "-test.timeout=" + s.limit.String(), "-test.run=" + only}
	if !s.long {
		args = append(args, "-test.short")
	}
	var skips []string
	for _, k := range s.skip {
		skips = append(skips, k.pattern)
	}
	if len(skips) > 0 {
		args = append(args, "-test.skip="+strings.Join(skips, "|"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.limit+time.Minute)
	defer cancel()
	tests := exec.CommandContext(ctx, binary, args...)
	tests.Dir = dir
	tests.Env = append(append(os.Environ(), "PWD="+dir), env...)
	tests.WaitDelay = 10 * time.Second
	convert := exec.CommandContext(ctx, filepath.Join(w.dir, "test2json.exe"), "-p", s.pkg)
	in, out := io.Pipe()
	tests.Stdout, tests.Stderr = out, out
	convert.Stdin = in
	var text, errs bytes.Buffer
	convert.Stdout, convert.Stderr = &text, &errs
	if err := convert.Start(); err != nil {
		return nil, err
	}
	err := tests.Run()
	out.Close()
	if err := convert.Wait(); err != nil {
		return nil, fmt.Errorf("go tool test2json: %w: %s", err, errs.String())
	}
	got, errRead := readResults(&text)
	if errRead != nil {
		return nil, errRead
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, fmt.Errorf("%s: %w", binary, err)
	}
	return got, nil
}
