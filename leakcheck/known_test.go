package leakcheck_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stanza is an entry of a baseline for what store.Watch leaks.
func stanza(test, count, more string) string {
	return "leak: goroutine | user | example.com/shop/store.Watch < example.com/shop/store.wait | " + test + "\npackage: example.com/shop/store\ncode: LK102\ncount: " + count +
		"\nreason: old\nadded: 2026-01-01\n" + more + "\n"
}

// TestBaseline says what becomes of leaks that the baseline has, and what is printed then.
func TestBaseline(t *testing.T) {
	for _, c := range []struct {
		name string
		why  string
		file string // the baseline
		env  string
		main string
		args []string

		passes bool
		want   string // the outline of the report
	}{
		{"known", "it is logged, and fails nothing", stanza("TestLeak", "1", "owner: @shop\n"), "", "", []string{"-test.run=TestLeak$", "-test.v"},
			true, lines("test TestLeak passed", "leak TestLeak known LK102×1 allowed 1")},
		{"new", "another test's entry is none", stanza("TestPass", "1", ""), "", "", []string{"-test.run=TestLeak$"},
			false, lines("test TestLeak leaked", "leak TestLeak failed LK102×1")},
		{"over", "which one is new cannot be told: both fail", stanza("TestLeakTwo", "1", ""), "", "", []string{"-test.run=TestLeakTwo"},
			false, lines("test TestLeakTwo leaked", "leak TestLeakTwo failed LK102×2 allowed 1")},
		{"fewer", "is no failure of the test", stanza("TestLeak", "3", ""), "", "", []string{"-test.run=TestLeak$"},
			true, lines("test TestLeak passed", "leak TestLeak known LK102×1 allowed 3")},
		{"expired", "says when, and whose it was", stanza("TestLeak", "1", "owner: @shop\nexpires: 2026-02-01\n"), "", "", []string{"-test.run=TestLeak$"},
			false, lines("test TestLeak leaked", "leak TestLeak failed LK102×1 allowed 1 expired 2026-02-01")},
		{"expired, in a bubble", "whose clock begins in the year 2000", strings.Replace(stanza("TestBubbleLeaks", "1", "expires: 2026-02-01\n"),
			"example.com/shop/store.Watch < example.com/shop/store.wait", "example.com/shop/store.Pass", 1), "", "", []string{"-test.run=TestBubbleLeaks"},
			false, lines("test TestBubbleLeaks leaked", "leak TestBubbleLeaks failed LK501×1 allowed 1 expired 2026-02-01")},
		{"unreadable date", "is one that has come", stanza("TestLeak", "1", "expires: soon\n"), "", "", []string{"-test.run=TestLeak$"},
			false, lines("test TestLeak leaked", "leak TestLeak failed LK102×1 allowed 1 expired soon")},
		{"malformed", "is never no baseline", stanza("TestLeak", "one", ""), "", "", []string{"-test.run=TestLeak$|TestPass$"},
			false, lines("test TestPass failed", "test TestLeak failed", "leak TestLeak failed LK102×1")},
		{"malformed, Main", "fails the run, also where no test has a check", stanza("TestLeak", "one", ""), "", "main", []string{"-test.run=TestLong$"},
			false, lines("test TestLong failed", "end 1")},
		{"off", "", stanza("TestLeak", "1", ""), "LEAKGATE_BASELINE=off", "", []string{"-test.run=TestLeak$"},
			false, lines("test TestLeak leaked", "leak TestLeak failed LK102×1")},
		{"named and missing", "is an error", "", "LEAKGATE_BASELINE=other.baseline", "", []string{"-test.run=TestPass$"},
			false, lines("test TestPass failed")},
		{"count", "a test that runs again starts anew", stanza("TestLeak", "1", ""), "", "", []string{"-test.run=TestLeak$", "-test.count=3"},
			true, lines("test TestLeak passed", "test TestLeak passed", "test TestLeak passed",
				"leak TestLeak known LK102×1 allowed 1", "leak TestLeak known LK102×1 allowed 1", "leak TestLeak known LK102×1 allowed 1")},
		{"subtests", "add up", stanza("TestSubs", "2", ""), "", "", []string{"-test.run=TestSubs", "-test.count=2"},
			true, lines("test TestSubs/a passed", "test TestSubs/b passed", "test TestSubs/a passed", "test TestSubs/b passed",
				"leak TestSubs/a known LK102×1 allowed 2", "leak TestSubs/b known LK102×1 allowed 2",
				"leak TestSubs/a known LK102×1 allowed 2", "leak TestSubs/b known LK102×1 allowed 2")},
		{"subtests over", "the one that passes the count fails", stanza("TestSubs", "1", ""), "", "", []string{"-test.run=TestSubs"},
			false, lines("test TestSubs/a passed", "test TestSubs/b leaked", "leak TestSubs/a known LK102×1 allowed 1", "leak TestSubs/b failed LK102×1 allowed 1")},
		{"Main", "its own findings too", stanza("TestUnverified", "1", ""), "", "main", []string{"-test.run=TestUnverified$"},
			true, lines("test TestUnverified passed", "leak TestUnverified known LK102×1 allowed 1", "end 0")},
		{"Main, count", "it finds what all runs have left", stanza("TestUnverified", "1", ""), "", "main", []string{"-test.run=TestUnverified$", "-test.count=2"},
			true, lines("test TestUnverified passed", "test TestUnverified passed", "leak TestUnverified known LK102×2 allowed 1", "end 0")},
		{"Main, after leaks", "tests that failed for leaks alone do not hide what others have left", stanza("TestPass", "1", ""), "", "main", []string{"-test.run=TestUnverified$|TestLeak$"},
			false, lines("test TestLeak leaked", "test TestUnverified passed", "leak TestLeak failed LK102×1", "leak TestUnverified failed LK102×1", "end 1")},
		{"Main, after a failure", "which may be the reason for what is left", stanza("TestPass", "1", ""), "", "main", []string{"-test.run=TestUnverified$|TestFails$|TestLeak$"},
			false, lines("test TestLeak leaked", "test TestFails failed", "test TestUnverified passed",
				"leak TestLeak failed LK102×1", "leak TestFails excused LK102×1", "leak TestUnverified excused LK102×1", "end 1")},
		{"sweep", "what the baseline has is no finding", "leak: http-response | tracked | example.com/shop/store.Get < example.com/shop/store.TestSweep.func* | TestSweep\n" +
			"package: example.com/shop/store\ncode: LK001\ncount: 2\nreason: old\nadded: 2026-01-01\n", "", "", []string{"-test.run=TestSweep"},
			true, lines("test TestSweep/alb-403-html passed", "test TestSweep/alb-502-html passed", "test TestSweep passed",
				"leak TestSweep/alb-403-html known LK001×1 allowed 2", "leak TestSweep/alb-502-html known LK001×1 allowed 2")},
		{"HighWater of Main", "a subtest and its parent have it once", "leak: http-conn | HighWater | - | TestPoolHigh\n" +
			"package: example.com/shop/store\ncode: LK005\ncount: 1\nreason: old\nadded: 2026-01-01\n", "", "high", []string{"-test.run=TestPoolHigh", "-test.count=2"},
			true, lines("test TestPoolHigh/inner passed", "test TestPoolHigh passed", "test TestPoolHigh/inner passed", "test TestPoolHigh passed",
				"leak TestPoolHigh/inner known LK005×1 allowed 1", "leak TestPoolHigh/inner known LK005×1 allowed 1", "end 0")},
		{"failed by itself", "is excused, with a baseline as without", stanza("TestFails", "1", ""), "", "", []string{"-test.run=TestFails$"},
			false, lines("test TestFails failed", "leak TestFails excused LK102×1")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Log(c.why)
			s, err := theShop()
			require.NoError(t, err)
			path := filepath.Join(s.dir, "leakgate.baseline")
			if c.file != "" {
				require.NoError(t, os.WriteFile(path, []byte(c.file), 0o644))
				defer os.Remove(path)
			}
			r := shopRun{main: c.main, args: c.args}
			if c.env != "" {
				r.env = []string{c.env}
			}
			out, passed, f := r.one(t)
			assert.Equal(t, c.passes, passed, out)
			assert.Equal(t, c.want, outline(f), out)
			wantFile := "leakgate.baseline"
			if c.env != "" {
				_, wantFile, _ = strings.Cut(c.env, "=")
			}
			assert.Equal(t, wantFile, f.Baseline)
			assert.Equal(t, strings.Contains(out, "the baseline") && strings.Contains(out, "cannot be used"), f.BaselineError != "")
			golden(t, "baseline-"+strings.NewReplacer(" ", "-", ",", "").Replace(c.name), withoutTimes(out, s.dir))
		})
	}
}
