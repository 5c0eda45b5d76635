package page

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/verdict"
)

var start = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

func after(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

func ran(name string, pid, ms, took, leaks int) verdict.TestRun {
	return verdict.TestRun{
		Package: "example.com/p", PID: pid, Leaks: leaks,
		Test: fragment.Test{Name: name, Result: fragment.Passed, Began: after(ms), Took: time.Duration(took) * time.Millisecond},
	}
}

func goroutines(s *fragment.Sample) int { return s.Goroutines }

// levels gives every level that a path of draw goes through.
func levels(d string) (out []int) {
	for _, m := range regexp.MustCompile(`(?:^M\d+ |V)(\d+)`).FindAllStringSubmatch(d, -1) {
		n, _ := strconv.Atoi(m[1])
		out = append(out, n)
	}
	return out
}

// TestDraw: a value holds until the next, and the first moment is where the line begins.
func TestDraw(t *testing.T) {
	p := newProcess(&verdict.Series{Began: start, Samples: []fragment.Sample{
		{At: after(0), Goroutines: 2}, {At: after(500), Goroutines: 10}, {At: after(750), Goroutines: 10}, {At: after(1000), Goroutines: 5},
	}})
	d, area, most, last, at := p.draw(track{of: goroutines}, 10)
	assert.Equal(t, "M0 800H500V0H1000V500", d)
	assert.Equal(t, d+"V1000H0Z", area)
	assert.Equal(t, []any{10, 5, 500 * time.Millisecond}, []any{most, last, at})

	for name, samples := range map[string][]fragment.Sample{
		"one":               {{At: start, Goroutines: 3}},
		"none known":        {{At: start, Goroutines: -1}, {At: after(9), Goroutines: -1}},
		"at the same time":  {{At: start, Goroutines: 3}, {At: start, Goroutines: 4}},
		"before it began":   {{At: after(-60_000), Goroutines: 3}, {At: start, Goroutines: 4}},
		"with a gap inside": {{At: start, Goroutines: 3}, {At: after(5), Goroutines: -1}, {At: after(9), Goroutines: 1}},
	} {
		p := newProcess(&verdict.Series{Began: start, Samples: samples})
		d, _, _, _, _ := p.draw(track{of: goroutines}, 4)
		if name == "none known" {
			assert.Empty(t, d)
			continue
		}
		assert.Regexp(t, `^M\d+ \d+([HV]\d+)*$`, d, name)
		for _, y := range levels(d) {
			assert.True(t, y >= 0 && y <= unit, "%s: %d in %s", name, y, d)
		}
	}
}

// TestDrawThin: of a hundred thousand samples the line keeps the one that was high, and the one that was low.
func TestDrawThin(t *testing.T) {
	var samples []fragment.Sample
	for i := range 100_000 {
		samples = append(samples, fragment.Sample{At: after(i), Goroutines: 40 + i%7})
	}
	samples[33_333].Goroutines, samples[66_666].Goroutines = 100, 0
	p := newProcess(&verdict.Series{Began: start, Samples: samples})
	d, _, most, _, _ := p.draw(track{of: goroutines}, 100)
	assert.Less(t, len(d), 8_000)
	assert.Equal(t, 100, most)
	assert.Contains(t, levels(d), 0)
	assert.Contains(t, levels(d), unit)
	v := p.view(0, nil)
	assert.LessOrEqual(t, len(v.Samples), maxSamples)
	assert.True(t, v.Thinned)
	assert.Contains(t, fmt.Sprint(v.Samples), "{33.3 s [0 100]}", "the table has the peak too")
}

// TestAssign: a test is drawn in its own process, or in none.
func TestAssign(t *testing.T) {
	held := []fragment.Sample{{At: after(0), Goroutines: 1}, {At: after(1000), Goroutines: 2}}
	later := []fragment.Sample{{At: after(60_000), Goroutines: 1}, {At: after(61_000), Goroutines: 2}}
	v := &verdict.Verdict{
		Series: []verdict.Series{{Package: "example.com/p", PID: 1, Samples: held}, {Package: "example.com/p", PID: 2, Samples: held}},
		Tests:  []verdict.TestRun{ran("TestA", 1, 100, 100, 2), ran("TestB", 2, 500, 100, 0), ran("TestElse", 3, 500, 100, 0)},
	}
	got := newTimeline(v)
	require.Len(t, got.Processes, 2)
	assert.Equal(t, "1", got.Processes[0].PID, "the one that leaked comes first")
	assert.Equal(t, []int{100}, got.Processes[0].Ticks)
	assert.Equal(t, []span{{X: 100, Width: 100, Letter: "A", Text: "TestA leaked 2"}}, got.Processes[0].Leaky)
	assert.Equal(t, []int{500}, got.Processes[1].Ticks)

	// Containers number their processes alike: then the time tells,
	v.Series[1].PID, v.Series[1].Samples = 1, later
	v.Tests = []verdict.TestRun{ran("TestA", 1, 100, 100, 0), ran("TestB", 1, 60_500, 100, 0)}
	got = newTimeline(v)
	assert.Equal(t, []int{100}, got.Processes[0].Ticks)
	assert.Equal(t, []int{500}, got.Processes[1].Ticks)

	// and where it does not, nothing is claimed.
	v.Series[1].Samples = held
	got = newTimeline(v)
	assert.Empty(t, got.Processes[0].Ticks)
	assert.Contains(t, got.Processes[0].Note, "which tests ran here cannot be told")
}

// TestLetters: names that would lie on each other are joined.
func TestLetters(t *testing.T) {
	spans := []span{{X: 500, Width: 10}, {X: 100, Width: 4}, {X: 110, Width: 4}, {X: 120, Width: 4}, {X: 0, Width: 1000, Text: "all"}}
	got := letter(spans)
	assert.Equal(t, []lettering{{X: "11.2%", Text: "A–C"}, {X: "50.2%", Text: "D–E"}}, got)
	assert.Equal(t, "all", spans[3].Text, "from left to right by their middles")
}

// TestPanels: pools past the fourth are added up, the size of the largest is drawn where it matters, and sockets that cannot
// be counted are not drawn as none.
func TestPanels(t *testing.T) {
	var samples []fragment.Sample
	for i := range 10 {
		samples = append(samples, fragment.Sample{At: after(100 * i), Goroutines: 1, Sockets: -1, Leased: map[string]int{
			"a": i, "b": 3, "c": 2, "d": 2, "e": 1,
		}})
	}
	v := &verdict.Verdict{
		Series: []verdict.Series{{Package: "example.com/p", PID: 1, Samples: samples}},
		Tests:  []verdict.TestRun{ran("TestA", 1, 0, 900, 0)},
	}
	v.Tests[0].Pools = []fragment.Pool{{Name: "a", Size: 10}}
	panels := newTimeline(v).Processes[0].Panels
	require.Len(t, panels, 2)
	var names []string
	for _, l := range panels[0].Lines {
		names = append(names, l.Name+" "+l.Most)
	}
	assert.Equal(t, []string{"a 9", "b 3", "c 2", "2 other pools 3"}, names)
	assert.Equal(t, &gridLine{Y: "0%", Label: "size of a: 10"}, panels[0].Limit)
	assert.Equal(t, "a: at most 9, first reached after 900 ms, and 9 at the end; b: at most 3, first reached after 0 µs, and 3 at the end; "+
		"c: at most 2, first reached after 0 µs, and 2 at the end; 2 other pools: at most 3, first reached after 0 µs, and 3 at the end. "+
		"The pool's size is 10.", panels[0].Desc)
	assert.Equal(t, "Goroutines", panels[1].Title)

	v.Tests[0].Pools[0].Size = 1000
	assert.Nil(t, newTimeline(v).Processes[0].Panels[0].Limit, "the lines would lie on the ground")
}

// TestStatePanels: sockets are drawn by state, CLOSE_WAIT first and in its own colour, with descriptors and the heap; what older
// files do not have is not drawn as none.
func TestStatePanels(t *testing.T) {
	held := []fragment.Sample{
		{At: after(0), Goroutines: 1, Sockets: 3}, // of an older version
		{At: after(100), Goroutines: 1, Sockets: 9, FDs: 20, HeapInUse: 3 << 20, States: map[string]int{
			"ESTABLISHED": 4, "LISTEN": 2, "CLOSE_WAIT": 1, "SYN_SENT": 1, "FIN_WAIT2": 1,
		}},
		{At: after(200), Goroutines: 1, Sockets: 4, FDs: -1, HeapInUse: 9 << 20, States: map[string]int{"CLOSE_WAIT": 4}},
	}
	p := newTimeline(&verdict.Verdict{Series: []verdict.Series{{Package: "example.com/p", PID: 1, Samples: held}}}).Processes[0]
	var titles, lines []string
	for _, panel := range p.Panels {
		titles = append(titles, panel.Title)
		for _, l := range panel.Lines {
			lines = append(lines, l.Class+" "+l.Name+" "+l.Most)
		}
	}
	assert.Equal(t, []string{"Sockets by state", "File descriptors", "Goroutines", "Heap in use, KiB"}, titles)
	assert.Equal(t, []string{
		"waits CLOSE_WAIT 4", "l2 ESTABLISHED 4", "l3 LISTEN 2", "l4 2 other states 2", "l1 file descriptors 20", "l1 goroutines 1",
		"l1 heap in use, KiB 9,216",
	}, lines)
	assert.True(t, strings.HasPrefix(p.Panels[0].Desc, "CLOSE_WAIT: at most 4, first reached after 200 ms, and 4 at the end; "), p.Panels[0].Desc)
	assert.Equal(t, []string{"After", "sockets", "in CLOSE_WAIT", "in ESTABLISHED", "in LISTEN", "file descriptors", "goroutines", "heap in use, KiB"}, p.Head)
	assert.Equal(t, []sampleRow{
		{"0 µs", []string{"3", "–", "–", "–", "–", "1", "–"}},
		{"100 ms", []string{"9", "1", "4", "2", "20", "1", "3,072"}},
		{"200 ms", []string{"4", "4", "0", "0", "–", "1", "9,216"}},
	}, p.Samples)

	big := []fragment.Sample{{At: after(0), HeapInUse: 64 << 20}, {At: after(100), HeapInUse: 1 << 50}}
	p = newTimeline(&verdict.Verdict{Series: []verdict.Series{{Package: "example.com/p", PID: 1, Samples: big}}}).Processes[0]
	assert.Equal(t, "Heap in use, MiB", p.Panels[len(p.Panels)-1].Title)
}

// TestManyTests: with hundreds of tests there are marks, and no wall of lines.
func TestManyTests(t *testing.T) {
	v := &verdict.Verdict{Series: []verdict.Series{{Package: "example.com/p", PID: 1, Samples: []fragment.Sample{{At: start}, {At: after(10_000)}}}}}
	for i := range 1000 {
		v.Tests = append(v.Tests, ran(fmt.Sprintf("Test%03d", i), 1, 10*i, 10, i%10))
	}
	p := newTimeline(v).Processes[0]
	assert.LessOrEqual(t, len(p.Ticks), columns)
	assert.Empty(t, p.Boundaries)
	assert.Len(t, p.Leaky, maxLetters)
	assert.True(t, strings.HasSuffix(p.Note, " 888 more that leaked are not named."), p.Note)
}

// TestRoundUpEnds: the scale of the largest number is one, and finding it ends.
func TestRoundUpEnds(t *testing.T) {
	for _, n := range []int{math.MaxInt, math.MaxInt / 2, math.MaxInt / 10, math.MaxInt/100 + 1} {
		assert.GreaterOrEqual(t, roundUp(n), n)
	}
	assert.Equal(t, 10, roundUp(7))
	assert.Equal(t, 2, roundUp(0))
}
