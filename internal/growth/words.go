package growth

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Pace says in words how a series that grows does: "1 more after each of 10 runs".
func Pace(counts []int) string {
	k := len(counts) - 1
	m := measure(counts)
	if k < 1 || len(m.rises) == 0 {
		return "no more than before"
	}
	from := m.rises[0]
	same := m.rises[len(m.rises)-1] == k
	for _, n := range m.by[from-1:] {
		same = same && n == m.by[from-1]
	}
	switch slope := Slope(counts); {
	case same && from == 1:
		return fmt.Sprintf("%d more after each of %d runs", m.by[0], k)
	case same && from < k:
		return fmt.Sprintf("%d more after each of the last %d of %d runs", m.by[from-1], k-from+1, k)
	case slope >= 1:
		return fmt.Sprintf("%d more after %d runs, about %s after each", m.total, k, number(slope))
	default:
		return fmt.Sprintf("%d more after %d runs: %d of them left something", m.total, k, len(m.rises))
	}
}

// number writes one digit after the point where that says something.
func number(f float64) string {
	return strconv.FormatFloat(math.Round(f*10)/10, 'f', -1, 64)
}

// mostShown is how many points Series shows.
const mostShown = 20

// Series shows the counts after each run, and a line that draws them. Of a long series it shows every so manieth run, and says so.
func Series(counts []int) string {
	after := counts[1:]
	every := (len(after) + mostShown - 1) / mostShown
	var shown []int
	for i := len(after) - 1; i >= 0; i -= max(every, 1) { // the last one is always shown
		shown = append(shown, after[i])
	}
	slices.Reverse(shown)
	words := make([]string, len(shown))
	for i, n := range shown {
		words[i] = strconv.Itoa(n)
	}
	what := "after each run"
	if every > 1 {
		what = fmt.Sprintf("after every %d runs", every)
	}
	return fmt.Sprintf("%d before, and %s: %s  %s", counts[0], what, strings.Join(words, " "), spark(counts[0], shown))
}

var bars = []rune("▁▂▃▄▅▆▇█")

// spark draws points as bars, the lowest bar for the lowest of the points and what there was before.
func spark(before int, points []int) string {
	low, high := before, before
	for _, n := range points {
		low, high = min(low, n), max(high, n)
	}
	var b strings.Builder
	for _, n := range points {
		at := 0
		if high > low {
			at = (n - low) * (len(bars) - 1) / (high - low)
		}
		b.WriteRune(bars[at])
	}
	return b.String()
}

// RunsUntil says how many more runs it takes from held to limit at this slope; 0 when it is there, -1 when it never is.
func RunsUntil(held, limit int, slope float64) int {
	switch {
	case held >= limit:
		return 0
	case slope <= 0:
		return -1
	}
	runs := math.Ceil(float64(limit-held)/slope - 1e-9)
	if runs > math.MaxInt32 {
		return -1
	}
	return int(runs)
}
