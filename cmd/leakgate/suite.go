package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// suite is the packages whose tests are run for a baseline.
type suite struct {
	goCmd    string
	dir      string
	environ  []string
	patterns []string
	extra    []string // flags for go test
	packages []listed
	modules  []module // of the packages, sorted by path
}

// listed is what go list says of one package.
type listed struct {
	ImportPath   string
	TestGoFiles  []string
	XTestGoFiles []string
	Module       *struct {
		Path, Dir string
		Main      bool
	}
}

// deepen lets the tests run with the hooks of deep mode.
func (s *suite) deepen(ctx context.Context, c console) error {
	setup, extra, err := c.setUpDeep(ctx, s.extra)
	if err != nil {
		return err
	}
	s.goCmd, s.extra = setup.goCmd, append([]string{"-overlay=" + setup.overlay.File}, extra...)
	s.environ = slices.Concat(s.environ, new(deepOptions).environ(), setup.environ)
	return nil
}

func (p *listed) tests() bool { return len(p.TestGoFiles)+len(p.XTestGoFiles) > 0 }

// findGo gives the go command.
func findGo() (string, error) {
	goCmd, err := exec.LookPath("go")
	if err != nil {
		return "", problem{
			what: "the go command was not found: it is needed to run the tests",
			todo: "install Go 1.25 or later (https://go.dev/dl) and put its bin folder on PATH, or give fragments that exist with -from DIR",
		}
	}
	return goCmd, nil
}

// listFlags are the flags of go test that go list needs too, to find the same packages; those that take a value.
var listFlags = []string{"tags", "mod", "modfile", "overlay"}

// listArgs picks them from the flags for go test.
func listArgs(extra []string) (args []string) {
	for i := 0; i < len(extra); i++ {
		name, isFlag, hasValue := cutFlag(extra[i])
		if name == "args" {
			break
		}
		if !isFlag || !slices.Contains(listFlags, name) {
			continue
		}
		args = append(args, extra[i])
		if !hasValue && i+1 < len(extra) {
			i++
			args = append(args, extra[i])
		}
	}
	return args
}

// refused are flags of go test that leave nothing to judge, and why.
var refused = map[string]string{
	"c": "compiles the tests and runs none", "list": "lists the tests and runs none", "n": "runs nothing",
	"fuzz": "looks for new inputs without end", "json": "is given already", "C": "changes the folder: go there first",
}

// checkExtra says which flag for go test cannot be.
func checkExtra(extra []string) error {
	for _, a := range extra {
		name, isFlag, _ := cutFlag(a)
		if name == "args" {
			return nil
		}
		if why, ok := refused[name]; isFlag && ok {
			return usagef("-%s after --: go test then %s", name, why)
		}
	}
	return nil
}

// find lists the packages and their modules.
func (s *suite) find(ctx context.Context) error {
	args := append([]string{"list", "-json=ImportPath,TestGoFiles,XTestGoFiles,Module"}, listArgs(s.extra)...)
	var text strings.Builder
	errs, failed, err := stream(ctx, s.goCmd, s.dir, append(append(args, "--"), s.patterns...), s.environ, func(line string) { text.WriteString(line) })
	switch {
	case errors.Is(err, context.Canceled):
		return interrupted
	case err != nil:
		return problem{what: fmt.Sprintf("go list did not run: %v", err), todo: "see whether go list ./... works here"}
	case failed != nil:
		return problem{
			what: fmt.Sprintf("go list did not find %s (%v)", strings.Join(s.patterns, " "), failed),
			said: strings.TrimSpace(errs),
			todo: "name packages as for go test; run it in the module that they belong to",
		}
	}
	dec := json.NewDecoder(strings.NewReader(text.String()))
	for {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return problem{what: fmt.Sprintf("what go list printed could not be understood: %v", err), todo: "see what go list -json prints here"}
		}
		s.packages = append(s.packages, p)
	}
	return s.findModules(strings.TrimSpace(errs))
}

func (s *suite) findModules(said string) error {
	tests := false
	for _, p := range s.packages {
		switch {
		case p.Module == nil || !p.Module.Main || p.Module.Dir == "":
			return problem{
				what: p.ImportPath + " is not of the module here: what it leaks cannot be in its baseline",
				todo: "name packages of the module alone, such as ./...",
			}
		case p.tests():
			tests = true
		}
		m := module{p.Module.Path, p.Module.Dir}
		if !slices.Contains(s.modules, m) {
			s.modules = append(s.modules, m)
		}
	}
	slices.SortFunc(s.modules, func(a, b module) int { return cmp.Compare(a.path, b.path) })
	if !tests {
		return problem{
			what: "no package of " + strings.Join(s.patterns, " ") + " has tests",
			said: said,
			todo: "name packages that have some",
		}
	}
	return nil
}

// goArgs are the arguments of the go command. Flags of the user's come after the packages, where go test hands those that it
// does not know to the tests.
func (s *suite) goArgs() []string {
	args := append([]string{"test", "-json", "-count=1"}, s.patterns...)
	return append(args, s.extra...)
}

// suiteRun is what go test said.
type suiteRun struct {
	packages map[string]*packageRun
	builds   map[string][]string // what the compiler printed, by ImportPath
	other    []string            // lines that belong to no package
	stderr   string
	failed   error // its exit status
}

// packageRun is one package's part.
type packageRun struct {
	verdict     string // "pass", "fail" or "skip"; "" when it did not end
	failedBuild string
	tests       map[string]*testResult
	output      []string // outside of tests
}

// run runs the tests. Fragments go to the folder. on is told how many packages are done, and which one began last.
func (s *suite) run(ctx context.Context, folder string, echo io.Writer, on func(done int, current string)) (*suiteRun, error) {
	run := &suiteRun{packages: make(map[string]*packageRun), builds: make(map[string][]string)}
	env := append(slices.Clone(s.environ), reportEnv+"="+folder)
	done := 0
	var underWay []string
	var err error
	run.stderr, run.failed, err = stream(ctx, s.goCmd, s.dir, s.goArgs(), env, func(line string) {
		e, ok := run.take(line)
		if echo != nil && e.Output != "" {
			fmt.Fprint(echo, e.Output)
		} else if echo != nil && !ok {
			fmt.Fprint(echo, line)
		}
		switch {
		case !ok || e.Test != "" || e.Package == "":
			return
		case e.Action == "start":
			underWay = append(underWay, e.Package)
		case e.Action == "pass" || e.Action == "fail" || e.Action == "skip":
			done++
			underWay = slices.DeleteFunc(underWay, func(p string) bool { return p == e.Package })
		default:
			return
		}
		current := ""
		if len(underWay) > 0 {
			current = underWay[0] // the one that takes longest
		}
		on(done, current)
	})
	switch {
	case errors.Is(err, context.Canceled):
		return nil, interrupted
	case err != nil:
		return nil, problem{what: fmt.Sprintf("go test did not run: %v", err), todo: "see whether go test works here"}
	}
	return run, nil
}

var interrupted = problem{what: "interrupted; go test was stopped", todo: "run it again when you like: nothing was written"}

func (run *suiteRun) take(line string) (event, bool) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil {
		run.other = append(run.other, strings.TrimRight(line, "\r\n"))
		return e, false
	}
	text := strings.TrimRight(e.Output, "\n")
	if e.Action == "build-output" {
		run.builds[e.ImportPath] = append(run.builds[e.ImportPath], text)
	}
	if e.Package == "" {
		return e, true
	}
	p := run.packages[e.Package]
	if p == nil {
		p = &packageRun{tests: make(map[string]*testResult)}
		run.packages[e.Package] = p
	}
	ends := e.Action == "pass" || e.Action == "fail" || e.Action == "skip"
	switch {
	case e.Test == "" && ends:
		p.verdict, p.failedBuild = e.Action, e.FailedBuild
	case e.Test == "" && e.Action == "output":
		p.output = append(p.output, text)
	case e.Test == "":
	default:
		t := p.tests[e.Test]
		if t == nil {
			t = &testResult{}
			p.tests[e.Test] = t
		}
		if ends {
			t.verdict = e.Action
		}
		if head := strings.TrimLeft(text, " "); e.Action == "output" && !strings.HasPrefix(head, "=== ") && !strings.HasPrefix(head, "--- ") {
			t.output = append(t.output, text)
		}
	}
	return e, true
}

// broken says which packages did not build, and what the compiler said; nil when all did.
func (run *suiteRun) broken() error {
	var names, said []string
	told := make(map[string]bool)
	for _, name := range sorted(run.packages) {
		p := run.packages[name]
		if p.failedBuild == "" {
			continue
		}
		names = append(names, name)
		if !told[p.failedBuild] {
			told[p.failedBuild] = true
			said = append(said, run.builds[p.failedBuild]...)
		}
	}
	if len(names) == 0 && run.failed != nil && len(run.packages) == 0 {
		return problem{
			what: fmt.Sprintf("go test did not begin (%v)", run.failed),
			said: strings.TrimSpace(run.stderr + "\n" + strings.Join(run.other, "\n")),
			todo: "see what go test said above; flags for it come after --",
		}
	}
	if len(names) == 0 {
		return nil
	}
	does := "do"
	if len(names) == 1 {
		does = "does"
	}
	return problem{
		what: fmt.Sprintf("%s %s not build", list(few(names, 5)), does),
		said: strings.TrimSpace(strings.Join(said, "\n") + "\n" + run.stderr),
		todo: "correct that first: what does not build may leak, and that is not known; the baseline is as it was",
	}
}

// few shortens a list.
func few(words []string, most int) []string {
	if len(words) <= most {
		return words
	}
	return append(slices.Clone(words[:most-1]), fmt.Sprintf("%d more", len(words)-most+1))
}

// reportFolder makes the folder for the fragments of one run; the caller removes it.
func reportFolder() (string, error) {
	dir, err := os.MkdirTemp("", "leakgate-baseline-")
	if err != nil {
		return "", problem{
			what: fmt.Sprintf("a temporary folder could not be made: %v", err),
			todo: "point TMPDIR (on Windows, TMP) to a folder that can be written",
		}
	}
	return filepath.EvalSymlinks(dir)
}
