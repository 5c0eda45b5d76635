package main

import (
	"fmt"
	"io"
	"math"
	"slices"
)

// row is one line of the table.
type row struct {
	project, version string
	packages, tests  int
	what             string // "binaries" or "command"
	plain, deep      runs
	worstRSS         float64 // ratio of the binary where it is highest; 0 where it is not asked for
}

// What a row should not be above.
const (
	goalTime = 1.10
	goalRSS  = 1.2
)

// table is what was measured.
type table struct {
	w    io.Writer
	rows []row
}

func newTable(w io.Writer) *table {
	fmt.Fprintln(w, "| project | version | packages | tests | measured | wall plain | wall deep | wall | CPU plain | CPU deep | CPU | RSS plain | RSS | size | exit |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
	return &table{w: w}
}

func (r row) wall() (plain, deep float64) {
	of := func(s sample) float64 { return s.wall.Seconds() }
	return r.plain.median(of), r.deep.median(of)
}

func (r row) cpu() (plain, deep float64) {
	of := func(s sample) float64 { return s.cpu.Seconds() }
	return r.plain.median(of), r.deep.median(of)
}

// exit tells the exit codes that the sides gave.
func (r row) exit() string {
	codes := func(rs runs) (out []int) {
		for _, s := range rs {
			out = append(out, s.code)
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	p, d := codes(r.plain), codes(r.deep)
	if slices.Equal(p, d) {
		return fmt.Sprint(p)
	}
	return fmt.Sprint(p, d)
}

// add prints a row.
func (t *table) add(r row) {
	t.rows = append(t.rows, r)
	wp, wd := r.wall()
	cp, cd := r.cpu()
	rss, size, mem := "", "", ""
	if r.worstRSS > 0 {
		of := func(s sample) float64 { return float64(s.rss) }
		mem = fmt.Sprintf("%.0f MB", r.plain.median(of)/1024)
		rss = fmt.Sprintf("%.2f", r.worstRSS)
	}
	if s := r.plain[0].size; s > 0 && r.what == "binaries" {
		size = fmt.Sprintf("%.2f", float64(r.deep[0].size)/float64(s))
	}
	fmt.Fprintf(t.w, "| %s | %s | %d | %d | %s | %.2f s | %.2f s | %.2f | %.2f s | %.2f s | %.2f | %s | %s | %s | %s |\n",
		r.project, r.version, r.packages, r.tests, r.what, wp, wd, wd/wp, cp, cd, cd/cp, mem, rss, size, r.exit())
}

// summary tells the geometric mean of the ratios, and which rows are above the goals.
func (t *table) summary() {
	for _, what := range []string{"binaries", "command"} {
		n, wall, cpu, rss, over := 0, 0.0, 0.0, 0.0, 0
		for _, r := range t.rows {
			if r.what != what {
				continue
			}
			wp, wd := r.wall()
			cp, cd := r.cpu()
			n, wall, cpu, rss = n+1, wall+math.Log(wd/wp), cpu+math.Log(cd/cp), max(rss, r.worstRSS)
			if wd/wp > goalTime {
				over++
			}
		}
		if n == 0 {
			continue
		}
		fmt.Fprintf(t.w, "\n%s: wall ×%.2f, CPU ×%.2f (geometric means of %d projects); %d above %.2f of the wall time",
			what, math.Exp(wall/float64(n)), math.Exp(cpu/float64(n)), n, over, goalTime)
		if rss > 0 {
			fmt.Fprintf(t.w, "; memory at most ×%.2f (goal %.1f)", rss, goalRSS)
		}
		fmt.Fprintln(t.w)
	}
}

// median gives the middle of the values, or the mean of the two in the middle.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	switch {
	case n == 0:
		return math.NaN()
	case n%2 == 1:
		return s[n/2]
	}
	return (s[n/2-1] + s[n/2]) / 2
}
