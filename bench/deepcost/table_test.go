package main

import (
	"strings"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	if got := median([]float64{3, 100, 1}); got != 3 {
		t.Errorf("median = %v, want 3", got)
	}
	if got := median([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("median = %v, want 2.5", got)
	}
}

// TestTable: the ratios are those of the medians, and exit codes that differ are both told.
func TestTable(t *testing.T) {
	var b strings.Builder
	tab := newTable(&b)
	side := func(code int, cpu ...time.Duration) (r runs) {
		for _, d := range cpu {
			r = append(r, sample{wall: 2 * d, cpu: d, rss: 10 << 10, size: 100, code: code})
		}
		return r
	}
	tab.add(row{project: "a", version: "v1", packages: 1, tests: 2, what: "binaries", worstRSS: 1.3,
		plain: side(0, time.Second, 9*time.Second, time.Second), deep: side(1, 2*time.Second, 2*time.Second, time.Second)})
	tab.summary()
	lines := strings.Split(b.String(), "\n")
	if want := "| a | v1 | 1 | 2 | binaries | 2.00 s | 4.00 s | 2.00 | 1.00 s | 2.00 s | 2.00 | 10 MB | 1.30 | 1.00 | [0] [1] |"; lines[2] != want {
		t.Errorf("row:\n%s\nwant:\n%s", lines[2], want)
	}
	if want := "binaries: wall ×2.00, CPU ×2.00 (geometric means of 1 projects); 1 above 1.10 of the wall time; memory at most ×1.30 (goal 1.2)"; lines[4] != want {
		t.Errorf("summary:\n%s\nwant:\n%s", lines[4], want)
	}
}

func TestParseProject(t *testing.T) {
	dir := t.TempDir()
	p, err := parseProject(dir + "=./a,./b")
	if err != nil || p.dir != dir || strings.Join(p.patterns, " ") != "./a ./b" {
		t.Errorf("parseProject = %v, %v", p, err)
	}
	for _, wrong := range []string{dir + "=", dir + "/none"} {
		if _, err := parseProject(wrong); err == nil {
			t.Errorf("parseProject(%q) has no error", wrong)
		}
	}
}
