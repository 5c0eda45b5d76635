package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// modulePath is the module that this command belongs to.
const modulePath = "github.com/leakgate/leakgate"

// embedded holds the sources of the demo, with .txt added so that the go command leaves them alone. A test keeps them the
// same as those in examples.
//
//go:embed incident
var embedded embed.FS

// sources reads the embedded files by the names that they have in the module: "leasedconn/client.go".
func sources() (map[string]string, error) {
	files := make(map[string]string)
	err := fs.WalkDir(embedded, "incident", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := embedded.ReadFile(name)
		if err != nil {
			return err
		}
		files[strings.TrimSuffix(strings.TrimPrefix(name, "incident/"), ".txt")] = string(data)
		return nil
	})
	return files, err
}

// origin says where the harness comes from that the demo's module requires: the same as this program's.
type origin struct {
	dir     string // the root of a checkout, or ""
	version string // or a version, which the go command finds in the module cache or downloads
}

func (o origin) String() string {
	if o.dir != "" {
		return o.dir
	}
	return modulePath + "@" + o.version
}

// findOrigin asks what this program was built from: a version (go run ...@latest, go install), or a checkout.
func findOrigin(ctx context.Context, goCmd string) (origin, error) {
	info, ok := debug.ReadBuildInfo()
	if ok && info.Main.Path == modulePath && info.Main.Sum != "" && info.Main.Replace == nil {
		return origin{version: info.Main.Version}, nil
	}
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		if dir := filepath.Dir(filepath.Dir(filepath.Dir(file))); isCheckout(dir) {
			return origin{dir: dir}, nil
		}
	}
	// Built with -trimpath, or moved.
	cmd := exec.CommandContext(ctx, goCmd, "env", "GOMOD")
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.Output(); err == nil {
		if dir := filepath.Dir(strings.TrimSpace(string(out))); isCheckout(dir) {
			return origin{dir: dir}, nil
		}
	}
	return origin{}, problem{
		what: "this program was built from a checkout of " + modulePath + " that is not here",
		todo: "run it in the checkout, or without one: go run " + modulePath + "/cmd/leakgate@latest demo",
	}
}

// isCheckout says whether the folder has this module's go.mod.
func isCheckout(dir string) bool {
	data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "module "); ok {
			return strings.Trim(strings.TrimSpace(name), `"`) == modulePath
		}
	}
	return false
}

// demoModule is the path of the demo's module: that of the examples, so that their files are written as they are.
const demoModule = modulePath + "/examples"

// writeModule writes the files as a module that requires the harness, or nothing when the origin is zero.
func writeModule(dir string, files map[string]string, from origin) error {
	version := from.version
	replace := ""
	var sums []byte
	if from.dir != "" {
		version = "v0.0.0"
		replace = fmt.Sprintf("\nreplace %s => %s\n", modulePath, strconv.Quote(from.dir))
		var err error
		sums, err = os.ReadFile(filepath.Join(from.dir, "go.sum"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	mod := fmt.Sprintf("module %s\n\ngo 1.25.0\n", demoModule)
	if version != "" {
		mod += fmt.Sprintf("\nrequire %s %s\n%s", modulePath, version, replace)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o644); err != nil {
		return err
	}
	if len(sums) > 0 {
		if err := os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o644); err != nil {
			return err
		}
	}
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
