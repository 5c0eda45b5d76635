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
	"strings"
	"time"

	_ "github.com/leakgate/leakgate" // the sources of the agent
	"github.com/leakgate/leakgate/internal/deep"
	"github.com/leakgate/leakgate/internal/deep/mode"
)

// build makes the leakgate command of the sources beside this.
func build(ctx context.Context, to string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", to, "github.com/leakgate/leakgate/cmd/leakgate")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the command cannot be built: %w\n%s", err, out)
	}
	return nil
}

// overlayFile makes the overlay for the Go that is on PATH.
func overlayFile(ctx context.Context, dir string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "-json", "GOROOT", "GOVERSION").Output()
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	var env struct{ GOROOT, GOVERSION string }
	if err := json.Unmarshal(out, &env); err != nil {
		return "", err
	}
	made, err := deep.Make(dir, deep.Goroot{Dir: env.GOROOT, Version: env.GOVERSION})
	if err != nil {
		return "", err
	}
	return made.File, nil
}

// bench measures one project.
type bench struct {
	options
	project
	overlay, temp string
}

// binary is the tests of a package, built both ways.
type binary struct {
	dir         string
	plain, deep string
}

// name is what the project is called: its folder, or its patterns where it is of the standard library.
func (b *bench) name() string {
	if strings.HasPrefix(b.patterns[0], ".") {
		return filepath.Base(b.dir)
	}
	return strings.Join(b.patterns, " ")
}

// sample is what one run took.
type sample struct {
	wall, cpu time.Duration
	rss       int64 // kilobytes, of the largest process; 0 where it is not known
	size      int64 // bytes of the binary
	code      int
}

func (s *sample) add(o sample) {
	s.wall += o.wall
	s.cpu += o.cpu
	s.size += o.size
	s.rss = max(s.rss, o.rss)
	s.code = max(s.code, o.code)
}

// runs are the samples of one side.
type runs []sample

func (r runs) median(of func(sample) float64) float64 {
	values := make([]float64, 0, len(r))
	for _, s := range r {
		values = append(values, of(s))
	}
	return median(values)
}

// measure gives the rows of the project.
func (b *bench) measure(ctx context.Context) (rows []row, err error) {
	bins, err := b.prebuild(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, bin := range bins {
			os.Remove(bin.plain)
			os.Remove(bin.deep)
		}
	}()
	tests := b.countTests(ctx, bins)
	var plain, withDeep runs
	worst := 0.0
	perBin := make([][2]runs, len(bins))
	for i := range b.rounds + 1 { // the first warms up
		var p, d sample
		for n, bin := range bins {
			one := [2]sample{}
			order := []int{0, 1}
			if i%2 == 1 {
				order = []int{1, 0}
			}
			for _, side := range order {
				file, environ := bin.plain, []string(nil)
				if side == 1 {
					file, environ = bin.deep, []string{mode.Env + "=" + mode.On}
				}
				if one[side], err = run(ctx, bin.dir, environ, file, b.testFlags("-test.")...); err != nil {
					return nil, err
				}
			}
			p.add(one[0])
			d.add(one[1])
			if i > 0 {
				perBin[n][0], perBin[n][1] = append(perBin[n][0], one[0]), append(perBin[n][1], one[1])
			}
		}
		if i > 0 {
			plain, withDeep = append(plain, p), append(withDeep, d)
		}
	}
	rss := func(s sample) float64 { return float64(s.rss) }
	for _, two := range perBin {
		if m := two[0].median(rss); m > 0 {
			worst = max(worst, two[1].median(rss)/m)
		}
	}
	rows = append(rows, row{
		project: b.name(), version: b.version(ctx), packages: len(bins), tests: tests,
		what: "binaries", plain: plain, deep: withDeep, worstRSS: worst,
	})
	if !b.command {
		return rows, nil
	}
	plain, withDeep = nil, nil
	for i := range b.rounds + 1 {
		var p, d sample
		for side := range 2 {
			if (i+side)%2 == 0 {
				p, err = run(ctx, b.dir, nil, "go", append(append([]string{"test", "-count=1"}, b.testFlags("-")...), b.patterns...)...)
			} else {
				d, err = run(ctx, b.dir, nil, b.tool, append(append([]string{"test", "-count=1"}, b.testFlags("-")...), b.patterns...)...)
			}
			if err != nil {
				return rows, err
			}
		}
		if i > 0 {
			plain, withDeep = append(plain, p), append(withDeep, d)
		}
	}
	return append(rows, row{
		project: b.name(), version: rows[0].version, packages: len(bins), tests: tests,
		what: "command", plain: plain, deep: withDeep,
	}), nil
}

// testFlags gives the flags for tests, with the prefix that they have.
func (b *bench) testFlags(prefix string) (flags []string) {
	if b.run != "" {
		flags = append(flags, prefix+"run="+b.run)
	}
	if b.short {
		flags = append(flags, prefix+"short")
	}
	return flags
}

// prebuild builds the tests of all packages both ways.
func (b *bench) prebuild(ctx context.Context) (bins []binary, err error) {
	const format = "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}\t{{.Dir}}{{end}}"
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-f", format}, b.patterns...)...)
	cmd.Dir = b.dir
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	for i, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		pkg, dir, ok := strings.Cut(line, "\t")
		if !ok {
			continue
		}
		bin := binary{dir: dir, plain: filepath.Join(b.temp, fmt.Sprintf("%d.plain.test", i)), deep: filepath.Join(b.temp, fmt.Sprintf("%d.deep.test", i))}
		for file, overlay := range map[string]string{bin.plain: "", bin.deep: b.overlay} {
			// Without tables for a debugger, as go test builds them.
			args := []string{"test", "-c", "-ldflags=-s -w", "-o", file}
			if overlay != "" {
				args = append(args, "-overlay="+overlay)
			}
			cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
			cmd.Dir = b.dir
			if out, err := cmd.CombinedOutput(); err != nil {
				return bins, fmt.Errorf("%s cannot be built: %w\n%s", pkg, err, out)
			}
		}
		bins = append(bins, bin)
	}
	if len(bins) == 0 {
		return nil, errors.New("it has no tests")
	}
	return bins, nil
}

// countTests counts the tests and subtests that run.
func (b *bench) countTests(ctx context.Context, bins []binary) (n int) {
	for _, bin := range bins {
		cmd := exec.CommandContext(ctx, bin.plain, append(b.testFlags("-test."), "-test.v", "-test.paniconexit0")...)
		cmd.Dir = bin.dir
		out, _ := cmd.Output() // tests may fail
		n += bytes.Count(out, []byte("=== RUN "))
	}
	return n
}

// version says which version of the module is measured, as far as its folder tells; that of Go where it is the standard library.
func (b *bench) version(ctx context.Context) string {
	if !strings.HasPrefix(b.patterns[0], ".") {
		out, _ := exec.CommandContext(ctx, "go", "env", "GOVERSION").Output()
		return strings.TrimSpace(string(out))
	}
	if text, err := os.ReadFile(filepath.Join(b.dir, ".version")); err == nil {
		_, v, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
		return v
	}
	cmd := exec.CommandContext(ctx, "git", "describe", "--tags", "--always")
	cmd.Dir = b.dir
	out, _ := cmd.Output()
	return strings.TrimSpace(string(out))
}

// run runs a program, whose output nobody wants, and says what it took. Its exit status is no error.
func run(ctx context.Context, dir string, environ []string, name string, args ...string) (s sample, err error) {
	launch, launched, peak := name, args, func() int64 { return 0 }
	if file, done, err := peakFile(); err == nil {
		defer done()
		launch, launched = gnuTime, append([]string{"-q", "-f", "%M", "-o", file, name}, args...)
		peak = func() int64 { return readPeak(file) }
	}
	cmd := exec.CommandContext(ctx, launch, launched...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), environ...)
	start := time.Now()
	err = cmd.Run()
	s.wall = time.Since(start)
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		return s, err
	}
	s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if s.rss = peak(); s.rss == 0 {
		s.rss = maxRSS(cmd.ProcessState)
	}
	s.code = cmd.ProcessState.ExitCode()
	if info, err := os.Stat(name); err == nil {
		s.size = info.Size()
	}
	return s, nil
}
