// Command bench compares leakgate with its peers, side by side, in one run:
//
//	go run .                      everything
//	go run . -quick               fewer rounds: an idea in a minute
//	go run . -only 'clean/idle'   the comparisons whose names match
//	go run . -slow                leaktest too where it waits for five seconds
//
// It prints one table for each question. README.md says what the rows compare. It fails when a result of leakgate's own was
// wrong, and does not when a goal was missed: that may be the machine.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"runtime"
	"time"
)

// group is one table.
type group struct {
	title       string
	comparisons []comparison
}

func groups(slow bool) []group {
	return []group{
		{"Clean: snapshot and check, nothing leaks; ours with all default probes (goals on idle)", cleanComparisons()},
		{"Report: from the end of a test to the report of its leak", reportComparisons(slow)},
		{"Sockets: what is open, nothing leaks", socketComparisons()},
		{"Requests: what tracking adds", requestComparisons()},
		{"Databases: what tracking adds to SELECT 1 through database/sql", databaseComparisons()},
	}
}

type options struct {
	plan
	only *regexp.Regexp
	slow bool
}

func main() {
	quick := flag.Bool("quick", false, "fewer rounds")
	rounds := flag.Int("rounds", 0, "rounds of each comparison (default 5, and up to 301 in two seconds)")
	only := flag.String("only", "", "run the comparisons whose names match this regular expression, such as clean/idle")
	slow := flag.Bool("slow", false, "include leaktest in report: it waits for 5 s each time")
	flag.Parse()
	o := options{plan: plan{rounds: 5, most: 301, time: 2 * time.Second, sample: time.Millisecond}, slow: *slow}
	if *quick {
		o.plan = plan{rounds: 3, most: 31, time: 200 * time.Millisecond, sample: time.Millisecond}
	}
	if *rounds > 0 {
		o.rounds, o.most = *rounds, *rounds
	}
	var err error
	if o.only, err = regexp.Compile(*only); err == nil && flag.NArg() > 0 {
		err = fmt.Errorf("unknown argument %q", flag.Arg(0))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	if err := run(os.Stdout, groups(o.slow), o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures and prints group by group.
func run(w io.Writer, gs []group, o options) error {
	start := time.Now()
	fmt.Fprintf(w, "%s %s/%s, %d CPUs; medians of %d to %d rounds, one side after the other in each\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), o.rounds, max(o.rounds, o.most))
	var wrong []error
	var missed []string
	goals := 0
	for _, g := range gs {
		var rows []row
		for _, c := range g.comparisons {
			if !o.only.MatchString(c.name) {
				continue
			}
			rs, err := c.rows(o.plan)
			if err != nil {
				wrong = append(wrong, fmt.Errorf("%s: %w", c.name, err))
			}
			rows = append(rows, rs...)
		}
		for _, r := range rows {
			switch r.met() {
			case "":
				continue
			case "NO":
				missed = append(missed, fmt.Sprintf("%s: %s, goal %s", r.what, r.unit.text(r.ours), r.goal.text(r.unit)))
			}
			goals++
		}
		if len(rows) > 0 {
			if err := printTable(w, g.title, rows); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(w, "%d of %d goals met, in %.0f s\n", goals-len(missed), goals, math.Ceil(time.Since(start).Seconds()))
	for _, m := range missed {
		fmt.Fprintln(w, "  missed:", m)
	}
	return errors.Join(wrong...)
}
