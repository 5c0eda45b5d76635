package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// median gives the middle of the values, or the mean of the two in the middle; NaN when there is none.
func median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(values))
	if n%2 == 1 {
		return s[n/2]
	}
	return (s[n/2-1] + s[n/2]) / 2
}

// spread gives how far the middle half of the values lies apart, as a share of the median: how much the machine shook.
// It is NaN for fewer than four values.
func spread(values []float64) float64 {
	n := len(values)
	if n < 4 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(values))
	return (median(s[(n+1)/2:]) - median(s[:n/2])) / median(s)
}

// unit is what a figure counts.
type unit int

const (
	nanoseconds unit = iota
	allocations
)

// text gives the figure with three digits.
func (u unit) text(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	if u == allocations {
		return digits(v)
	}
	for _, s := range []struct {
		name string
		size float64
	}{{"s", 1e9}, {"ms", 1e6}, {"µs", 1e3}} {
		if math.Abs(v) >= 0.9995*s.size { // what is rounded up to 1 of the larger unit
			return digits(v/s.size) + " " + s.name
		}
	}
	return digits(v) + " ns"
}

// digits gives v with three digits, and without the zeros behind the point that say nothing.
func digits(v float64) string {
	places := 0
	switch a := math.Abs(v); {
	case a < 9.995:
		places = 2
	case a < 99.95:
		places = 1
	}
	s := fmt.Sprintf("%.*f", places, v)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return s
}

// A goal is what a row has to reach. The zero goal asks for nothing.
type goal struct {
	kind  goalKind
	limit float64
}

type goalKind int

const (
	noGoal    goalKind = iota
	ratioMost          // ours is at most limit times the peer's
	most               // ours is at most limit
	overMost           // ours is at most limit more than the peer's
	shareMost          // ours is at most the share limit more than the peer's
)

func (g goal) met(ours, peer float64) bool {
	switch g.kind {
	case ratioMost:
		return ours <= g.limit*peer
	case most:
		return ours <= g.limit
	case overMost:
		return ours-peer <= g.limit
	case shareMost:
		return ours <= (1+g.limit)*peer
	}
	return true
}

func (g goal) text(u unit) string {
	switch g.kind {
	case ratioMost:
		return "ratio ≤ " + digits(g.limit)
	case most:
		return "≤ " + u.text(g.limit)
	case overMost:
		return "≤ peer + " + u.text(g.limit)
	case shareMost:
		return "≤ peer + " + digits(100*g.limit) + " %"
	}
	return ""
}

// row is one line of a table: the medians of two sides.
type row struct {
	what   string
	ours   float64
	peer   string // "" when ours stands alone
	theirs float64
	unit   unit
	goal   goal
	spread float64 // the larger of the two; NaN when not known
	best   string  // the best samples of the two; "" where nobody asks
	note   string  // what is wrong
}

// met says whether the goal was reached; "" when there is none.
func (r row) met() string {
	switch {
	case r.goal.kind == noGoal:
		return ""
	case r.goal.met(r.ours, r.theirs): // never so with NaN: what was not measured is not met
		return "yes"
	}
	return "NO"
}

var heading = []string{"", "ours", "peer", "", "ratio", "goal", "met", "spread", ""}

func (r row) cells() []string {
	c := []string{r.what, r.unit.text(r.ours), "", "", "", r.goal.text(r.unit), r.met(), "", cmp.Or(r.note, r.best)}
	if !math.IsNaN(r.spread) {
		c[7] = fmt.Sprintf("%.0f %%", 100*r.spread)
	}
	if r.peer != "" {
		c[2], c[3] = r.peer, r.unit.text(r.theirs)
		if ratio := r.ours / r.theirs; !math.IsNaN(ratio) && !math.IsInf(ratio, 0) {
			c[4] = digits(ratio)
			if ratio < 0.0995 {
				c[4] = fmt.Sprintf("%.2g", ratio)
			}
		}
	}
	return c
}

// right marks the columns whose cells end at the same place.
var right = [...]bool{1: true, 3: true, 4: true, 7: true, 8: false}

// printTable writes the rows in columns under a title.
func printTable(w io.Writer, title string, rows []row) error {
	lines := [][]string{heading}
	for _, r := range rows {
		lines = append(lines, r.cells())
	}
	width := make([]int, len(heading))
	for _, cells := range lines {
		for i, c := range cells {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	var b strings.Builder
	b.WriteString(title + "\n")
	for _, cells := range lines {
		var line strings.Builder
		for i, c := range cells {
			if width[i] == 0 {
				continue
			}
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(c))
			if right[i] {
				line.WriteString("  " + pad + c)
			} else {
				line.WriteString("  " + c + pad)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, b.String()+"\n")
	return err
}
