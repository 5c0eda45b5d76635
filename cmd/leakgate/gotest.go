package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// testResult is what go test said of one test.
type testResult struct {
	verdict string   // "pass", "fail" or "skip"; "" when it did not end
	output  []string // what the test printed, a line each, without go test's own lines
}

// testRun is one run of go test.
type testRun struct {
	tests  map[string]*testResult
	build  []string // what the compiler printed
	other  []string // what was printed outside of tests
	stderr string
	err    error // how go test ended; failing tests are an error too
}

// goTestArgs are the arguments of the run. vet would look at the module's code for seconds and find nothing.
var goTestArgs = []string{"test", "-json", "-tags=incident", "-count=1", "-vet=off", "-ldflags=-w", "-timeout=2m", "./..."}

// childEnv is the environment of the go command: the user's, without what would change how the module is built. GOTOOLCHAIN
// and the proxy settings stay.
func childEnv(environ []string) []string {
	own := []string{"GOFLAGS=-mod=mod", "GOWORK=off", "GO111MODULE=on"}
	out := make([]string, 0, len(environ)+len(own))
	for _, v := range environ {
		name, _, _ := strings.Cut(v, "=")
		switch strings.ToUpper(name) {
		case "GOFLAGS", "GOWORK", "GO111MODULE", "PWD":
			continue
		}
		out = append(out, v)
	}
	return append(out, own...)
}

// goTest runs go test in the folder. on is called for each event as it comes.
func goTest(ctx context.Context, goCmd, dir string, args, env []string, on func(event)) (*testRun, error) {
	run := &testRun{tests: make(map[string]*testResult)}
	var err error
	run.stderr, run.err, err = stream(ctx, goCmd, dir, args, env, func(line string) { run.take(line, on) })
	if err != nil {
		return nil, err
	}
	return run, nil
}

// stream runs the go command and calls on for each line of its standard output as it comes. failed is its exit status, when it
// is not 0; err says that it did not run to its end.
func stream(ctx context.Context, goCmd, dir string, args, env []string, on func(line string)) (stderr string, failed, err error) {
	cmd := exec.CommandContext(ctx, goCmd, args...)
	cmd.Dir, cmd.Env = dir, env
	ownGroup(cmd)
	cmd.WaitDelay = 5 * time.Second
	var errs bytes.Buffer
	cmd.Stderr = &errs
	// An io.Pipe and not StdoutPipe: Wait must not close what is still being read.
	r, w := io.Pipe()
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		w.Close()
		ended <- err
	}()
	readLines(r, on)
	failed = <-ended
	if ctx.Err() != nil {
		killGroup(cmd)
		return "", nil, context.Cause(ctx)
	}
	var exit *exec.ExitError
	if failed != nil && !errors.As(failed, &exit) {
		return "", nil, failed
	}
	return errs.String(), failed, nil
}

func readLines(r io.Reader, on func(line string)) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			on(line)
		}
		if err != nil {
			return
		}
	}
}

// event is what go test -json prints, a line each; see go doc test2json.
type event struct {
	Action      string
	Package     string
	Test        string
	Output      string
	ImportPath  string // of build-output and build-fail: "example.com/shop/store [example.com/shop/store.test]"
	FailedBuild string // of a package's fail: the ImportPath of what did not build
}

func (run *testRun) take(line string, on func(event)) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil {
		run.other = append(run.other, strings.TrimRight(line, "\n"))
		return
	}
	on(e)
	text := strings.TrimRight(e.Output, "\n")
	switch {
	case e.Action == "build-output":
		run.build = append(run.build, text)
	case e.Test == "" && e.Action == "output":
		run.other = append(run.other, text)
	case e.Test == "":
	case e.Action == "output":
		if head := strings.TrimLeft(text, " "); !strings.HasPrefix(head, "=== ") && !strings.HasPrefix(head, "--- ") {
			t := run.test(e.Test)
			t.output = append(t.output, text)
		}
	case e.Action == "pass" || e.Action == "fail" || e.Action == "skip":
		run.test(e.Test).verdict = e.Action
	}
}

func (run *testRun) test(name string) *testResult {
	t := run.tests[name]
	if t == nil {
		t = &testResult{}
		run.tests[name] = t
	}
	return t
}

// failure explains a run in which not every test ended; nil when all of them did.
func (run *testRun) failure(names []string) error {
	var missing []string
	for _, n := range names {
		if t := run.tests[n]; t == nil || t.verdict == "" {
			missing = append(missing, n)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	said := strings.TrimSpace(strings.Join(run.build, "\n") + "\n" + run.stderr)
	if said == "" {
		said = strings.TrimSpace(strings.Join(run.other, "\n"))
	}
	p := problem{
		what: fmt.Sprintf("go test did not run %s (%v)", strings.Join(missing, ", "), run.err),
		said: said,
		todo: "see what go test said above; leakgate demo -keep DIR leaves the module in DIR, where go test -tags incident ./... says it again",
	}
	has := func(texts ...string) bool {
		for _, t := range texts {
			if strings.Contains(said, t) {
				return true
			}
		}
		return false
	}
	switch {
	case has("requires go >= "):
		p.todo = "install Go 1.25 or later, or let the go command fetch it: GOTOOLCHAIN=auto leakgate demo"
	case has("module lookup disabled", "dial tcp", "no such host", "i/o timeout", "proxyconnect", "cannot find module providing"):
		p.todo = "the first run downloads go.uber.org/goleak: run it once with a network (or a GOPROXY that can be reached)"
	case has("no space left"):
		p.todo = "free some space, or point TMPDIR and GOCACHE to a disk that has it"
	case has("permission denied", "read-only file system"):
		p.todo = "point TMPDIR and GOCACHE to folders that can be written, and from which programs may be run"
	}
	return p
}
