// Upstream runs the tests that drivers and database/sql have of themselves twice: as they are, and with every *sql.DB
// opened through dbcheck. A test that comes to something else with the wrapper is a fault of the wrapper, or is known to
// and explained.
//
//	go run ./upstream                                 every suite
//	go run ./upstream -driver database/sql -go go1.27.4
//
// Run it in the folder of this module. The suites for a server start one: see servers.go.
//
// Exit status: 0 when nothing differs without an explanation, 1 when something does, 2 when a suite could not run.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

func main() { os.Exit(command(os.Args[1:], os.Stdout, os.Stderr)) }

// again is how often a test that differed is repeated.
const again = 3

// mostLost is how many tests that did not run with the wrapper are named.
const mostLost = 3

func command(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("upstream", flag.ContinueOnError)
	flags.SetOutput(stderr)
	driver := flags.String("driver", "", "the suite: "+strings.Join(names(), ", ")+"; all of them when empty")
	toolchain := flags.String("go", "", "the Go toolchain, such as go1.27.4; the one on PATH when empty")
	only := flags.String("run", "", "run only the tests that this pattern matches")
	race := flags.Bool("race", false, "run with the race detector")
	verbose := flags.Bool("v", false, "print the output of every test that differs, and name those that fail in both runs")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *driver != "" && !slices.Contains(names(), *driver) {
		fmt.Fprintf(stderr, "upstream: no suite %q: there are %s\n", *driver, strings.Join(names(), ", "))
		return 2
	}
	status := 0
	var rows []outcome
	for _, s := range suites {
		if *driver != "" && s.name != *driver {
			continue
		}
		if *only != "" {
			s.run = *only
		}
		o, err := runSuite(s, options{toolchain: *toolchain, race: *race, log: stderr})
		if err != nil {
			fmt.Fprintf(stderr, "upstream: %s: %v\n", s.name, err)
			status = 2
			continue
		}
		rows = append(rows, o)
		if status == 0 && o.unexplained() > 0 {
			status = 1
		}
	}
	report(stdout, rows, *verbose)
	return status
}

func names() (out []string) {
	for _, s := range suites {
		out = append(out, s.name)
	}
	return out
}

type options struct {
	toolchain string
	race      bool
	log       io.Writer
}

// outcome is one row of the table.
type outcome struct {
	suite
	version, goVersion string
	server, hide       string
	n                  edits
	plain, wrapped     results
	diffs              []difference
	stale              []known // what was known and does not differ
}

func (o outcome) unexplained() (n int) {
	for _, d := range o.diffs {
		if d.unexplained() {
			n++
		}
	}
	return n + len(o.stale)
}

// runSuite builds and runs the tests both ways and compares.
func runSuite(s suite, opts options) (o outcome, err error) {
	o = outcome{suite: s}
	dir, err := os.MkdirTemp("", "upstream")
	if err != nil {
		return o, err
	}
	defer os.RemoveAll(dir)
	w, err := newWorkspace(dir, opts.toolchain)
	if err != nil {
		return o, err
	}
	w.race = opts.race
	if o.version, err = w.version(s); err != nil {
		return o, err
	}
	if o.goVersion, err = w.goVersion(); err != nil {
		return o, err
	}
	if err := w.use(s); err != nil {
		return o, err
	}
	overlay, n, err := w.overlay(s)
	if err != nil {
		return o, err
	}
	o.n = n
	fmt.Fprintf(opts.log, "%s: building\n", s.name)
	plain, err := w.build(s, "")
	if err != nil {
		return o, err
	}
	wrapped, err := w.build(s, overlay)
	if err != nil {
		return o, err
	}
	if err := w.buildConverter(); err != nil {
		return o, err
	}
	folder, err := w.folder(s)
	if err != nil {
		return o, err
	}
	srv, err := start(s)
	if err != nil {
		return o, err
	}
	defer srv.stop()
	o.server, o.hide = srv.version, srv.hide
	fmt.Fprintf(opts.log, "%s: running\n", s.name)
	if o.plain, err = w.run(s, plain, folder, srv.env, s.run); err != nil {
		return o, err
	}
	if o.wrapped, err = w.run(s, wrapped, folder, srv.env, s.run); err != nil {
		return o, err
	}
	if in := o.plain.cut(); in != "" {
		return o, fmt.Errorf("without the wrapper too the run ended before its tests did, within %s: leave that out, or the rest is not compared\n%s",
			in, tail(o.plain[whole].output, 20))
	}
	if t := o.plain.tally(); t.passed == 0 {
		return o, fmt.Errorf("no test of %s passes even without the wrapper (passed / failed / skipped: %v): there is nothing to compare\n%s",
			s.pkg, t, tail(o.plain[whole].output, 20))
	}
	o.diffs = compare(o.plain, o.wrapped)
	for i := range o.diffs {
		for _, k := range s.known {
			if k.test == o.diffs[i].test {
				o.diffs[i].why = k.why
			}
		}
	}
	if err := w.repeat(s, plain, wrapped, folder, srv.env, o.diffs); err != nil {
		return o, err
	}
	for _, k := range s.known {
		differs := slices.ContainsFunc(o.diffs, func(d difference) bool { return d.test == k.test })
		if _, ran := o.plain[k.test]; ran && !differs {
			o.stale = append(o.stale, k)
		}
	}
	return o, nil
}

// repeat repeats the tests that differed without a reason, and marks those that never differ again.
func (w *workspace) repeat(s suite, plain, wrapped, folder string, env []string, diffs []difference) error {
	var tests []string
	for _, d := range diffs {
		if top, _, _ := strings.Cut(d.test, "/"); d.unexplained() && d.test != whole {
			tests = append(tests, regexp.QuoteMeta(top))
		}
	}
	if len(tests) == 0 {
		return nil
	}
	only := "^(" + strings.Join(tests, "|") + ")$"
	differs := make(map[string]bool)
	for range again {
		p, err := w.run(s, plain, folder, env, only)
		if err != nil {
			return err
		}
		q, err := w.run(s, wrapped, folder, env, only)
		if err != nil {
			return err
		}
		for _, d := range compare(p, q) {
			differs[d.test] = true
		}
	}
	for i, d := range diffs {
		diffs[i].unsteady = d.unexplained() && d.test != whole && !differs[d.test]
	}
	return nil
}

// report prints the table, and below it what differs.
func report(w io.Writer, rows []outcome, verbose bool) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintln(w, "| suite | Go | server | rewritten | passed / failed / skipped | wrapped | known | unexplained |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|")
	for _, o := range rows {
		knownOnes := 0
		for _, d := range o.diffs {
			if !d.unexplained() {
				knownOnes++
			}
		}
		name := o.pkg
		if o.module != "" {
			name += " " + o.version
		}
		server := o.server
		if server == "" {
			server = "–"
		}
		fmt.Fprintf(w, "| %s | %s | %s | %v | %v | %v | %d | %d |\n", name, o.goVersion, server, o.n,
			o.plain.tally(), o.wrapped.tally(), knownOnes, o.unexplained())
	}
	for _, o := range rows {
		tail := func(s string, n int) string {
			if o.hide != "" {
				s = strings.ReplaceAll(s, o.hide, "…")
			}
			return tail(s, n)
		}
		for _, k := range o.skip {
			fmt.Fprintf(w, "\n%s: left out in both runs: %s: %s\n", o.name, k.pattern, k.why)
		}
		lost := 0 // the first that go wrong say more than those which a run that ended early never came to
		for _, d := range o.diffs {
			if d.wrapped == "absent" {
				if lost++; lost > mostLost {
					continue
				}
			}
			fmt.Fprintf(w, "\n%s: %v\n", o.name, d)
			if d.output != "" && (d.unexplained() || verbose) {
				fmt.Fprintln(w, tail(d.output, 20))
			}
		}
		if lost > mostLost {
			fmt.Fprintf(w, "\n%s: and %d more that did not run\n", o.name, lost-mostLost)
		}
		for _, k := range o.stale {
			fmt.Fprintf(w, "\n%s: %s is said to differ and does not: take it out of the list of known differences\n", o.name, k.test)
		}
		if verbose {
			var both []string
			for name := range o.plain {
				if name != whole && verdict(o.plain, name) != "pass" && verdict(o.plain, name) != "skip" && verdict(o.wrapped, name) == verdict(o.plain, name) {
					both = append(both, name)
				}
			}
			slices.Sort(both)
			for _, name := range both {
				fmt.Fprintf(w, "\n%s: fails in both runs: %s\n%s\n", o.name, name, tail(o.plain[name].output, 6))
			}
		}
	}
}

// tail gives the last lines of a text, indented.
func tail(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return "    " + strings.Join(lines, "\n    ")
}
