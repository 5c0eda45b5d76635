package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const reportUsage = `usage: leakgate report [flags] [DIR...]

Merges what test runs wrote down with the baseline into one verdict, and shows it.

  LEAKGATE_REPORT=leaks go test -count=1 ./...        each test binary writes a fragment to leaks
  leakgate report leaks                               as text
  leakgate report -o leaks.html -o leaks.sarif leaks  a page to open, and code scanning; text as well
  leakgate report -format github leaks                annotations and the job summary of GitHub Actions

DIR is a folder of fragments; those in folders below it count too. Several runs, shards and machines are
merged: the same test run twice is the worst of the two, not the sum. Nothing is ever removed there: begin
with an empty DIR, or leaks of the last run are shown that are fixed. Without a DIR it is $LEAKGATE_REPORT.

FLAGS

A format that is github also appends the job summary to the file that $GITHUB_STEP_SUMMARY names.

The root of the repository, from which paths are given, is the folder above that has .git, else the folder
that the CI system names ($GITHUB_WORKSPACE, $CI_PROJECT_DIR, $WORKSPACE).

Exit status: 0 no leak, or known ones alone; 1 leaks that the baseline does not allow; 2 wrong usage; 3 could
not run: no fragment was found; or nothing fails, and one could not be read or its process was killed.
`

// reportOptions are the flags of leakgate report.
type reportOptions struct {
	outputs
	baseline string
	root     string
	json     bool
	every    bool
}

func reportFlags(o *reportOptions) *flag.FlagSet {
	fs := newFlags("report")
	o.flags(fs)
	fs.StringVar(&o.baseline, "baseline", "", "read the known leaks from `FILE`; off shows everything "+
		"(default $LEAKGATE_BASELINE, else leakgate.baseline at the root of each module)")
	fs.StringVar(&o.root, "root", "", "take `DIR` for the repository's root")
	fs.BoolVar(&o.every, "all", false, "text: show every leak, and not the worst alone")
	fs.BoolVar(&o.json, "json", false, "the same as -format json")
	return fs
}

func reportCommand(ctx context.Context, args []string, c console) int {
	if wantsHelp(args) {
		return help(c.out, find(commands(), "report"), exitOK)
	}
	code, err := c.report(ctx, args)
	if err != nil {
		return ended("report", err, c)
	}
	return code
}

func (c console) report(ctx context.Context, args []string) (int, error) {
	var o reportOptions
	dirs, _, err := parseFlags(reportFlags(&o), args, false)
	if err != nil {
		return 0, err
	}
	if o.json {
		if err := o.format("json"); err != nil {
			return 0, usageError{"-json: " + err.Error()}
		}
	}
	outs, err := o.all()
	if err != nil {
		return 0, err
	}
	g, err := c.ground(o.root)
	if err != nil {
		return 0, err
	}
	if len(dirs) == 0 {
		dirs, err = c.reportDir(&g)
		if err != nil {
			return 0, err
		}
	}
	if err := c.apart(outs, dirs); err != nil {
		return 0, err
	}
	p := &progress{w: c.err, live: c.live, quiet: true}
	defer p.end()
	p.step("reading fragments")
	e, err := c.readAll(dirs)
	if err != nil {
		return 0, err
	}
	p.end()
	if len(e.fragments) == 0 {
		c.told("report", e.problems)
		return 0, noFragment("no fragment was found in " + list(dirs))
	}
	g.settle(e.fragments, o.root != "")
	if err := c.findBaselines(e, &g, o.baseline); err != nil {
		return 0, err
	}
	p.step(fmt.Sprintf("merging %d fragments", len(e.fragments)))
	v := e.merge(time.Now())
	p.end()
	c.told("report", v.Problems)
	p.step("rendering")
	r := renderer{c, g.root, o.every}
	texts := make([][]byte, len(outs))
	for i, out := range outs {
		texts[i], err = r.text(out, v)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", out.format, err)
		}
		if ctx.Err() != nil {
			return 0, problem{what: "interrupted", todo: "run it again when you like: nothing was written"}
		}
	}
	p.end()
	var failed error
	for i, out := range outs {
		failed = errors.Join(failed, c.deliver(out, texts[i]))
		if out.format == "github" {
			failed = errors.Join(failed, r.summarise(v))
		}
	}
	switch {
	case failed != nil:
		return 0, failed
	case v.Red():
		return exitLeaks, nil
	case len(v.Problems) > 0:
		fmt.Fprintf(c.err, "leakgate report: nothing fails in what was read, but %s could not be used, or not wholly\n",
			count(len(v.Problems), "file", "files"))
		return exitCouldNot, nil
	case len(v.Unended) > 0:
		fmt.Fprintf(c.err, "leakgate report: nothing fails in what was written, but %s ended before its tests did (killed, by a panic or os.Exit): mend that, and run it again\n",
			count(len(v.Unended), "process", "processes"))
		return exitCouldNot, nil
	}
	return exitOK, nil
}

// apart says when an output would be read as a fragment the next time.
func (c console) apart(outs []output, dirs []string) error {
	for _, out := range outs {
		if !strings.HasSuffix(strings.ToLower(out.file), ".json") {
			continue
		}
		file, err := c.path(out.file)
		if err != nil {
			return err
		}
		for _, name := range dirs {
			dir, err := c.path(name)
			if err != nil {
				return err
			}
			if _, in := below(dir, file); in {
				return usagef("-o %s is in %s, where it would be read as a fragment the next time: name a file elsewhere", out.file, name)
			}
		}
	}
	return nil
}

// reportDir gives the folder that the environment names, as the tests understand it.
func (c console) reportDir(g *ground) ([]string, error) {
	dir := c.env(reportEnv)
	if dir == "" {
		return nil, usagef("a folder of fragments is missing: name the one that " + reportEnv + " named when the tests ran")
	}
	if !filepath.IsAbs(dir) && g.own.dir != "" {
		dir = filepath.Join(g.own.dir, dir)
	}
	return []string{dir}, nil
}

// deliver writes one text to where it goes.
func (c console) deliver(out output, text []byte) error {
	if out.file == "" {
		return c.print(text)
	}
	name, err := c.path(out.file)
	if err == nil {
		err = writeFile(name, text)
	}
	if err != nil {
		return problem{
			what: fmt.Sprintf("%s could not be written: %v", out.file, err),
			todo: "name a file in a folder that can be written",
		}
	}
	fmt.Fprintf(c.err, "leakgate report: wrote %s (%s)\n", out.file, out.format)
	return nil
}

// appendFile adds to a file in one write, so that others who do the same lose nothing.
func appendFile(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return cmp.Or(err, f.Close())
}

// count says how many of something there are.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// list joins words: "a, b and c".
func list(words []string) string {
	switch len(words) {
	case 0:
		return "nothing"
	case 1:
		return words[0]
	}
	out := words[0]
	for _, w := range words[1 : len(words)-1] {
		out += ", " + w
	}
	return out + " and " + words[len(words)-1]
}
