package main

import (
	"errors"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// fake is a side that takes the times given, one for each sample, without waiting.
func fake(name string, log *[]string, times ...time.Duration) side {
	return side{name: name, once: true, run: func(int) (time.Duration, error) {
		*log = append(*log, name)
		took := times[0]
		if len(times) > 1 {
			times = times[1:]
		}
		return took, nil
	}}
}

func TestMeasureInterleaves(t *testing.T) {
	var log []string
	sides := []side{fake("A", &log, 1, 5, 3), fake("B", &log, 10)}
	results := measure(plan{rounds: 3}, sides)
	if got, want := strings.Join(log, ""), "ABABAB"; got != want {
		t.Errorf("order = %s, want %s", got, want)
	}
	if a, b := median(results[0].times), median(results[1].times); a != 3 || b != 10 {
		t.Errorf("medians = %v and %v, want 3 and 10", a, b)
	}
}

func TestMeasureStopsAtMost(t *testing.T) {
	var log []string
	measure(plan{rounds: 2, most: 5, time: time.Hour}, []side{fake("A", &log, 1)})
	if len(log) != 5 {
		t.Errorf("%d rounds, want 5", len(log))
	}
}

func TestRunTellsMissedAndWrong(t *testing.T) {
	var log []string
	ours := fake("ours", &log, 4*time.Millisecond)
	broken := side{name: "peer", once: true, run: func(int) (time.Duration, error) {
		return 10 * time.Millisecond, errors.New("cut")
	}}
	c := comparison{
		name: "x/1", what: "x, 1",
		open:  func() ([]side, func(), error) { return []side{ours, broken}, func() {}, nil },
		goals: map[string]goal{"": {most, 5e6}, "peer": {ratioMost, 0.3}},
	}
	var b strings.Builder
	o := options{plan: plan{rounds: 2}, only: regexp.MustCompile("^x/")}
	other := comparison{name: "y/1", open: func() ([]side, func(), error) { return nil, nil, errors.New("not selected") }}
	if err := run(&b, []group{{"X", []comparison{c, other}}}, o); err != nil {
		t.Fatalf("a peer's wrong result is no error of ours: %v", err)
	}
	for _, want := range []string{
		"4 ms", "10 ms", "≤ 5 ms", "ratio ≤ 0.3", "wrong in 2 of 2: cut", "1 of 2 goals met", "missed: x, 1: 4 ms, goal ratio ≤ 0.3",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}

	c.open = func() ([]side, func(), error) { return []side{broken}, func() {}, nil }
	if err := run(&b, []group{{"X", []comparison{c}}}, o); err == nil || !strings.Contains(err.Error(), "leakgate was wrong in 2 of 2 rounds: cut") {
		t.Errorf("a wrong result of ours: err = %v", err)
	}
}

// TestAbsent: what a machine does not have is told in the table, and is no failure.
func TestAbsent(t *testing.T) {
	c := comparison{name: "x", what: "a server", open: func() ([]side, func(), error) { return nil, nil, absent("no server here") }}
	var b strings.Builder
	if err := run(&b, []group{{"X", []comparison{c}}}, options{plan: plan{rounds: 1}, only: regexp.MustCompile("")}); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"a server", "not compared: no server here", "0 of 0 goals met"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}

// TestComparisons runs each comparison once, with little in the background, so that all of them still work.
func TestComparisons(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds: peers wait")
	}
	only := regexp.MustCompile(`^(clean/.*/10|report/0|sockets/.*/10|request/.*|database/sqlite/.*|database/postgres/queryrow)$`)
	for _, g := range groups(false) {
		for _, c := range g.comparisons {
			if !only.MatchString(c.name) {
				continue
			}
			rows, err := c.rows(plan{rounds: 1, sample: time.Microsecond})
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			if len(rows) == 0 {
				t.Errorf("%s has no rows", c.name)
			}
			for _, r := range rows {
				if strings.HasPrefix(r.note, "not compared: ") && os.Getenv("LEAKGATE_REQUIRE_SERVICES") != "1" {
					t.Logf("%s: %s", c.name, r.note)
					continue
				}
				if math.IsNaN(r.ours) || r.note != "" {
					t.Errorf("%s: %+v", c.name, r)
				}
			}
		}
	}
}
