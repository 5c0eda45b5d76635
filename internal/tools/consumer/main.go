// Command consumer holds the promise that a test helper does not move its users' production dependencies. It makes
// two throwaway modules that test with this tree, and fails if either pays more than it should:
//
//   - a new module, which imports every public package: at most 15 lines of go.sum, and no package from a module
//     other than those the design names;
//   - a realistic one, which already requires what many do, at versions of its own choice: none of them moves,
//     neither does its go directive. Only golang.org/x/sys may, if this tree requires it; then the move is printed.
//
// Both also run a test under leakcheck.Verify, so that what is judged is a module that works. Run it in the root of
// the tree; it needs the module proxy.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const (
	module      = "github.com/leakgate/leakgate"
	goDirective = "1.25.0"
	maxSumLines = 15
	sys         = "golang.org/x/sys"
)

// ownSumLines is what a user's go.sum holds for this module itself: its content and its go.mod. A module that is
// replaced by a folder, as here, has none.
const ownSumLines = 2

// runtimeModules may provide packages to what users import.
var runtimeModules = []string{module, "go.uber.org/goleak", sys}

// A dependency is one that the realistic module has before it meets this one. Each is really imported: a
// requirement that nothing imports would be tidied away.
type dependency struct{ path, version, imports string }

var realistic = []dependency{
	{"github.com/stretchr/testify", "v1.8.4", "github.com/stretchr/testify/require"},
	{"github.com/jarcoal/httpmock", "v1.3.0", "github.com/jarcoal/httpmock"},
	{"go.uber.org/goleak", "v1.3.0", "go.uber.org/goleak"},
	{"golang.org/x/net", "v0.16.0", "golang.org/x/net/http/httpguts"},
	{sys, "v0.26.0", "golang.org/x/sys/cpu"},
}

// A goMod is what `go mod edit -json` tells of a go.mod.
type goMod struct {
	Go        string
	Toolchain string
	Require   []struct {
		Path, Version string
		Indirect      bool
	}
}

func (m goMod) version(path string) string {
	for _, r := range m.Require {
		if r.Path == path {
			return r.Version
		}
	}
	return ""
}

// moved compares a user's go.mod without this module, and the one with it together with the versions then selected.
// It returns what is forced on the user, and apart from that what is allowed because this tree requires it.
func moved(before, after, ours goMod, selected map[string]string) (forced, allowed []string) {
	for _, r := range before.Require {
		now := selected[r.Path]
		// An indirect requirement may go away: it then provides no package, and nothing of it is built.
		if now == r.Version || now == "" && r.Indirect {
			continue
		}
		move := fmt.Sprintf("%s %s => %s", r.Path, r.Version, now)
		switch {
		case now == "":
			forced = append(forced, r.Path+" "+r.Version+" is no longer required")
		case r.Path == sys && ours.version(sys) != "":
			allowed = append(allowed, move)
		default:
			forced = append(forced, move)
		}
	}
	if after.Go != before.Go {
		forced = append(forced, fmt.Sprintf("go directive %s => %s", before.Go, after.Go))
	}
	if after.Toolchain != before.Toolchain {
		forced = append(forced, fmt.Sprintf("toolchain %q => %q", before.Toolchain, after.Toolchain))
	}
	return forced, allowed
}

// foreign returns the modules in list that users should not get packages from.
func foreign(list []string) []string {
	var found []string
	for _, m := range list {
		if m != "" && !slices.Contains(runtimeModules, m) && !slices.Contains(found, m) {
			found = append(found, m)
		}
	}
	slices.Sort(found)
	return found
}

// A workdir is a throwaway module.
type workdir string

func (d workdir) run(name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = string(d)
	// A user's settings, not ours: no workspace, no vendoring, no flags that change the build.
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, out.Bytes(), errs.Bytes())
	}
	return out.Bytes(), nil
}

func (d workdir) goMod() (goMod, error) {
	var m goMod
	out, err := d.run("go", "mod", "edit", "-json")
	if err == nil {
		err = json.Unmarshal(out, &m)
	}
	return m, err
}

// selected returns the version of every module in the build list.
func (d workdir) selected() (map[string]string, error) {
	out, err := d.run("go", "list", "-m", "-f", "{{.Path}} {{.Version}}", "all")
	if err != nil {
		return nil, err
	}
	versions := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		path, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		versions[path] = version
	}
	return versions, nil
}

func (d workdir) sumLines() (int, error) {
	data, err := os.ReadFile(filepath.Join(string(d), "go.sum"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	return bytes.Count(data, []byte("\n")), err
}

func (d workdir) write(name, text string) error {
	return os.WriteFile(filepath.Join(string(d), name), []byte(text), 0o644)
}

// create makes a module in its own folder under parent, with the given dependencies.
func create(parent, name string, deps []dependency) (workdir, error) {
	d := workdir(filepath.Join(parent, name))
	if err := os.Mkdir(string(d), 0o755); err != nil {
		return d, err
	}
	mod := "module example.com/" + name + "\n\ngo " + goDirective + "\n"
	var imports []string
	for _, dep := range deps {
		mod += "require " + dep.path + " " + dep.version + "\n"
		imports = append(imports, dep.imports)
	}
	if err := d.write("go.mod", mod); err != nil {
		return d, err
	}
	if err := d.write("user.go", blankImports("user", imports)); err != nil {
		return d, err
	}
	_, err := d.run("go", "mod", "tidy")
	return d, err
}

// adopt lets the module test with the tree, and runs its test.
func (d workdir) adopt(tree string, packages []string) error {
	err := errors.Join(
		d.write("leak_test.go", `package user

import (
	"testing"

	"`+module+`/leakcheck"
)

func TestClean(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
}
`),
		d.write("imports_test.go", blankImports("user", packages)))
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		{"mod", "edit", "-require=" + module + "@v0.0.0", "-replace=" + module + "=" + tree},
		{"mod", "tidy"},
		{"vet", "./..."},
		{"test", "./..."},
	} {
		if _, err := d.run("go", args...); err != nil {
			return err
		}
	}
	return nil
}

func blankImports(pkg string, imports []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "package %s\n", pkg)
	for _, path := range imports {
		fmt.Fprintf(&b, "\nimport _ %q\n", path)
	}
	return b.String()
}

// publicPackages returns the packages that a user may import. All but dbcheck must be there.
func publicPackages(tree string) ([]string, error) {
	var list []string
	for _, name := range []string{"leakcheck", "httpcheck", "mockserver", "dbcheck"} {
		files, err := filepath.Glob(filepath.Join(tree, name, "*.go"))
		if err != nil {
			return nil, err
		}
		switch {
		case len(files) > 0:
			list = append(list, module+"/"+name)
		case name == "dbcheck":
			fmt.Println("dbcheck: not in this tree, left out")
		default:
			return nil, fmt.Errorf("no package %s here; run this in the root of the tree", name)
		}
	}
	return list, nil
}

// check runs both parts and returns what is wrong.
func check(tree, tmp string) (faults []string, err error) {
	packages, err := publicPackages(tree)
	if err != nil {
		return nil, err
	}
	ours, err := workdir(tree).goMod()
	if err != nil {
		return nil, err
	}

	fresh, err := create(tmp, "fresh", nil)
	if err != nil {
		return nil, err
	}
	if err := fresh.adopt(tree, packages); err != nil {
		return nil, err
	}
	after, err := fresh.goMod()
	if err != nil {
		return nil, err
	}
	lines, err := fresh.sumLines()
	if err != nil {
		return nil, err
	}
	lines += ownSumLines
	fmt.Printf("new module: %d lines of go.sum (at most %d), %d requirements, go %s\n",
		lines, maxSumLines, len(after.Require), after.Go)
	if lines > maxSumLines {
		faults = append(faults, fmt.Sprintf("new module: %d lines of go.sum, at most %d are promised", lines, maxSumLines))
	}
	if after.Go != goDirective {
		faults = append(faults, fmt.Sprintf("new module: go directive %s => %s", goDirective, after.Go))
	}
	out, err := fresh.run("go", append([]string{"list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}"}, packages...)...)
	if err != nil {
		return nil, err
	}
	for _, m := range foreign(strings.Fields(string(out))) {
		faults = append(faults, "public packages import packages of "+m)
	}

	user, err := create(tmp, "realistic", realistic)
	if err != nil {
		return nil, err
	}
	before, err := user.goMod()
	if err != nil {
		return nil, err
	}
	for _, dep := range realistic {
		if v := before.version(dep.path); v != dep.version {
			return nil, fmt.Errorf("the realistic module has %s %s before it meets ours, want %s", dep.path, v, dep.version)
		}
	}
	if err := user.adopt(tree, packages); err != nil {
		return nil, err
	}
	after, err = user.goMod()
	if err != nil {
		return nil, err
	}
	selected, err := user.selected()
	if err != nil {
		return nil, err
	}
	forced, allowed := moved(before, after, ours, selected)
	fmt.Printf("realistic module: %d of its %d requirements moved\n", len(forced)+len(allowed), len(before.Require))
	for _, m := range allowed {
		fmt.Println("  allowed, this tree requires it:", m)
	}
	for _, m := range forced {
		faults = append(faults, "realistic module: "+m)
	}
	return faults, nil
}

func run() (faults []string, err error) {
	tree, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp("", "consumer")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	return check(tree, tmp)
}

func main() {
	faults, err := run()
	if err != nil {
		fmt.Println("consumer: could not run:", err)
		os.Exit(2)
	}
	for _, f := range faults {
		fmt.Println("consumer: fault:", f)
	}
	if len(faults) > 0 {
		os.Exit(1)
	}
	fmt.Println("consumer: ok")
}
