package main

import (
	"math"
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want float64
	}{
		{[]float64{7}, 7},
		{[]float64{9, 1}, 5},
		{[]float64{3, 100, 1}, 3},
		{[]float64{4, 1, 3, 2}, 2.5},
	} {
		in := append([]float64(nil), c.in...)
		if got := median(in); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.in, got, c.want)
		}
		for i := range in {
			if in[i] != c.in[i] {
				t.Errorf("median changed its argument from %v to %v", c.in, in)
			}
		}
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("median of nothing = %v, want NaN", got)
	}
}

func TestSpread(t *testing.T) {
	if got := spread([]float64{80, 100, 100, 120}); got != 0.2 { // 90 to 110
		t.Errorf("spread = %v, want 0.2", got)
	}
	if got := spread([]float64{5, 5, 5, 5, 1000}); got != 99.5 {
		t.Errorf("spread with an odd count = %v, want 99.5", got)
	}
	if got := spread([]float64{1, 2, 3}); !math.IsNaN(got) {
		t.Errorf("spread of three = %v, want NaN", got)
	}
}

func TestUnitText(t *testing.T) {
	for _, c := range []struct {
		unit unit
		in   float64
		want string
	}{
		{nanoseconds, 0, "0 ns"},
		{nanoseconds, 0.4, "0.4 ns"},
		{nanoseconds, 999.4, "999 ns"},
		{nanoseconds, 999.9, "1 µs"},
		{nanoseconds, 1234, "1.23 µs"},
		{nanoseconds, 99.96e3, "100 µs"},
		{nanoseconds, 12.34e6, "12.3 ms"},
		{nanoseconds, 2.2e9, "2.2 s"},
		{nanoseconds, -3e3, "-3 µs"},
		{nanoseconds, math.NaN(), "-"},
		{allocations, 11, "11"},
		{allocations, 62.25, "62.2"},
		{allocations, 90110, "90110"},
	} {
		if got := c.unit.text(c.in); got != c.want {
			t.Errorf("text(%v) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestGoals(t *testing.T) {
	for _, c := range []struct {
		goal       goal
		ours, peer float64
		met        string
		text       string
	}{
		{goal{ratioMost, 0.4}, 40, 100, "yes", "ratio ≤ 0.4"},
		{goal{ratioMost, 0.4}, 41, 100, "NO", "ratio ≤ 0.4"},
		{goal{most, 100e3}, 100e3, 0, "yes", "≤ 100 µs"},
		{goal{most, 100e3}, 100.1e3, 0, "NO", "≤ 100 µs"},
		{goal{overMost, 3e3}, 3500, 500, "yes", "≤ peer + 3 µs"},
		{goal{overMost, 3e3}, 3501, 500, "NO", "≤ peer + 3 µs"},
		{goal{shareMost, 0.05}, 104, 100, "yes", "≤ peer + 5 %"},
		{goal{shareMost, 0.05}, 106, 100, "NO", "≤ peer + 5 %"},
		{goal{ratioMost, 0.4}, math.NaN(), 100, "NO", "ratio ≤ 0.4"},
		{goal{}, 5, 1, "", ""},
	} {
		r := row{ours: c.ours, theirs: c.peer, goal: c.goal}
		if got := r.met(); got != c.met {
			t.Errorf("%+v with %v and %v: met = %q, want %q", c.goal, c.ours, c.peer, got, c.met)
		}
		if got := c.goal.text(nanoseconds); got != c.text {
			t.Errorf("%+v: text = %q, want %q", c.goal, got, c.text)
		}
	}
}

func TestPrintTable(t *testing.T) {
	var b strings.Builder
	err := printTable(&b, "Clean", []row{
		{what: "idle, 10", ours: 48e3, peer: "goleak", theirs: 326e3, goal: goal{ratioMost, 0.4}, spread: 0.12},
		{what: "idle, 10, allocations", ours: 9, peer: "goleak", theirs: 399, unit: allocations, goal: goal{most, 30}, spread: math.NaN()},
		{what: "alone", ours: 0.2e9, goal: goal{most, 0.15e9}, spread: math.NaN(), note: "wrong in 1 of 3: no report"},
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = "" +
		"Clean\n" +
		"                           ours  peer            ratio  goal         met  spread\n" +
		"  idle, 10                48 µs  goleak  326 µs   0.15  ratio ≤ 0.4  yes    12 %\n" +
		"  idle, 10, allocations       9  goleak     399  0.023  ≤ 30         yes\n" +
		"  alone                  200 ms                         ≤ 150 ms     NO           wrong in 1 of 3: no report\n" +
		"\n"
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
