package verdict_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/baseline"
	"github.com/leakgate/leakgate/internal/verdict"
)

// anything makes fragments and baselines from a few names and times, so that all that can meet does.
func anything(r *rand.Rand) verdict.Input {
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	moment := func() time.Time {
		if r.IntN(8) == 0 {
			return time.Time{}
		}
		return day.Add(time.Duration(r.IntN(400)) * time.Millisecond)
	}
	name := func() string { return pick("TestA", "TestA", "TestA/x", "TestA/x/y", "TestB", "TestB/x", "") }
	print := func(test string) string {
		return pick("k | c | f | ", "k |  | f | ", "", "| |") + pick(test, "TestA", "TestB", "")
	}
	in := verdict.Input{Now: day, Baselines: map[string]*baseline.File{}}
	for range r.IntN(6) {
		f := &fragment.Fragment{Header: fragment.Header{
			Module: pick("m", "m/n", ""), Package: pick("m", "m/n", "m/n/o", "x"), PID: r.IntN(2), Began: moment(),
			ModuleDir: pick("", ".", "d", ".."),
			Main:      r.IntN(2) == 0, Short: r.IntN(5) == 0, Filtered: r.IntN(5) == 0, Baseline: pick("", "off", "leakgate.baseline", "/abs"),
			BaselineError: pick("", "", "", "leakgate.baseline:1: what"),
		}}
		for range r.IntN(8) {
			f.Tests = append(f.Tests, fragment.Test{
				Name: name(), Result: pick(fragment.Passed, fragment.Failed, fragment.Leaked, fragment.Skipped, "new"), Began: moment(),
				Took:  time.Duration(r.IntN(200)-20) * time.Millisecond,
				Pools: []fragment.Pool{{Kind: "k", Name: pick("a", "b"), Size: r.IntN(3), Peak: r.IntN(3), Dialed: r.IntN(2), Reused: r.IntN(2)}},
			})
		}
		for range r.IntN(8) {
			test := name()
			f.Leaks = append(f.Leaks, fragment.Leak{
				Kind: pick("k", ""), Code: pick("LK001", "LK102", "X", ""), Test: test, Count: r.IntN(4) - 1, At: moment(), Allowed: r.IntN(3),
				Outcome: pick(fragment.Fatal, fragment.Known, fragment.Excused, fragment.Noted, "new"), Expired: pick("", "", "2026-01-01"),
				Fingerprint: print(test), State: pick("s", "t"),
				Site: fragment.Frame{
					Func: pick("f", ""), File: pick("a.go", "", "../b.go", "/c.go", "."), Line: r.IntN(3) - 1, InModule: r.IntN(2) == 0,
				},
			})
		}
		for range r.IntN(4) {
			f.Ignored = append(f.Ignored, fragment.Ignored{Reason: pick("a", "b"), Count: r.IntN(3)})
			f.Samples = append(f.Samples, fragment.Sample{At: day.Add(time.Duration(len(f.Samples)) * time.Second), Goroutines: r.IntN(9)})
		}
		if r.IntN(2) == 0 {
			f.End = &fragment.End{At: moment(), Code: r.IntN(3), Unused: []string{pick("a", "b"), pick("a", "b")}}
		}
		in.Fragments = append(in.Fragments, f)
		if r.IntN(4) == 0 {
			in.Fragments = append(in.Fragments, f, nil)
		}
	}
	for _, module := range []string{"m", "m/n", ""} {
		if r.IntN(3) == 0 {
			continue
		}
		file := &baseline.File{Path: pick("", "leakgate.baseline", "n/leakgate.baseline")}
		seen := make(map[baseline.Key]bool)
		for range r.IntN(6) {
			e := baseline.Entry{
				Key:   baseline.NewKey(pick("m", "m/n", "m/n/o", "gone"), print(pick("TestA", "TestC"))),
				Count: r.IntN(4), Expires: pick("", "", "2026-01-01", "never"),
			}
			if !seen[e.Key] { // the file has no entry twice
				seen[e.Key] = true
				file.Entries = append(file.Entries, e)
			}
		}
		in.Baselines[module] = file
	}
	return in
}

// TestMergeAnything: whatever the fragments say, Merge gives a verdict that holds together, the same for any order of them.
func TestMergeAnything(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		in := anything(r)
		v := verdict.Merge(in)
		where := fmt.Sprintf("seed %d", seed)
		told := make(map[baseline.Key]int)
		for i := range v.Findings {
			f := &v.Findings[i]
			require.Contains(t, verdict.Standings(), f.Standing, where)
			require.Positive(t, f.Count, where)
			require.Positive(t, f.Runs, where)
			require.LessOrEqual(t, f.Runs, f.Of, where)
			require.Equal(t, f.Path == "", f.Line == 0, where)
			require.NotEmpty(t, f.Title(), where)
			require.NotEmpty(t, f.Ruling(), where)
			told[f.Key]++
			require.Equal(t, 1, told[f.Key], "%s: a key is one finding", where)
			if f.Standing == verdict.Known && f.Entry != nil {
				require.LessOrEqual(t, f.Count, f.Entry.Count, where)
			}
			if i > 0 {
				before := slices.Index(verdict.Standings(), v.Findings[i-1].Standing)
				require.LessOrEqual(t, before, slices.Index(verdict.Standings(), f.Standing), "%s: worst first", where)
			}
		}
		for _, s := range v.Stale {
			require.Less(t, s.Count, s.Entry.Count, where)
		}
		for _, u := range v.Unjudged {
			require.NotEmpty(t, u.Why, where)
		}
		c := v.Counts()
		require.Equal(t, v.Red(), c.Fail > 0, where)
		pools := v.Pools()
		for range 3 {
			shuffle(r, in.Fragments)
			for _, f := range in.Fragments {
				if f != nil {
					shuffle(r, f.Leaks)
					shuffle(r, f.Tests)
				}
			}
			again := verdict.Merge(in)
			require.Equal(t, v, again, "%s: the order matters", where)
			require.Equal(t, pools, again.Pools(), "%s: the order matters to the pools", where)
		}
	}
}
