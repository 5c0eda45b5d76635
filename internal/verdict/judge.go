package verdict

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/baseline"
)

// Why an entry was not judged. When several processes ran the package, the reason of the one that came nearest to judging it
// is given: these are sorted so, nearest first.
const (
	whyFailed      = "its test failed by itself, and may have ended before it could leak"
	whySubSkipped  = "a subtest of its test was skipped or failed"
	whySkipped     = "its test was skipped"
	whyShort       = "its test ran with -short"
	whyPartly      = "-run or -skip was given, which may have left out parts of its test"
	whyEnded       = "its process was killed or panicked before it had looked for what is left"
	whyOthers      = "it belongs to no test, and tests of the package failed by themselves"
	whyAllShort    = "it belongs to no test, and the package ran with -short"
	whyAllPartly   = "it belongs to no test, and -run or -skip left out tests of the package"
	whyAllStopped  = "it belongs to no test, and -failfast left out tests of the package"
	whyAllEnded    = "it belongs to no test, and the process of the package was killed or panicked"
	whyNoMain      = "it belongs to no test, and the package has no leakcheck.Main any more that looks when all tests are over"
	whyLeftOut     = "its test did not run: -run or -skip was given"
	whyNoTest      = "the package has no such test any more: delete the entry if the test was renamed or removed"
	whyExample     = "it is an example's, and examples are listed only when the tests of the package passed"
	whyStopped     = "its test did not run: -failfast left it out, or it was renamed or removed, and then the entry is to be deleted"
	whyBenchmark   = "its benchmark did not run: that takes -bench"
	whyNotVerified = "its test did not run or does not call leakcheck.Verify any more: delete the entry if the test is gone"
	whyExcused     = "more of it was found after a test had failed, which is told and not judged"
	whyNoFragment  = "its package wrote no fragment: go test had cached it (give -count=1), or it was not part of the run;" +
		" delete the entry if the package is gone"
)

var nearest = []string{
	"", whyFailed, whySubSkipped, whySkipped, whyShort, whyPartly, whyNoTest, whyEnded, whyNotVerified, whyLeftOut,
	whyStopped, whyExample, whyBenchmark,
	whyOthers, whyAllShort, whyAllPartly, whyAllStopped, whyAllEnded, whyNoMain, whyNoFragment,
}

// judgeEntries finds the entries of which fewer are left than they have.
func (m *merger) judgeEntries(v *Verdict, files map[string]*baseline.File) {
	for _, module := range slices.Sorted(maps.Keys(files)) {
		file := files[module]
		if file == nil {
			continue
		}
		for i := range file.Entries {
			e := &file.Entries[i]
			seen, all := 0, 0
			if g := m.groups[canonical(e.Key)]; g != nil {
				seen, _ = g.count(judged)
				all, _ = g.count(there)
			}
			if seen >= e.Count || seen == 0 && all >= e.Count {
				continue
			}
			why := m.why(e)
			if all > seen && why == "" {
				why = whyExcused
			}
			seen = max(seen, all)
			if why != "" {
				v.Unjudged = append(v.Unjudged, Unjudged{Entry: *e, File: file.Path, Count: seen, Why: why})
			} else {
				deep := slices.ContainsFunc(m.byPkg[e.Package], func(p *process) bool { return p.Deep })
				v.Stale = append(v.Stale, Stale{Entry: *e, File: file.Path, Deep: deep, Count: seen})
			}
		}
	}
	slices.SortStableFunc(v.Stale, func(a, b Stale) int {
		return cmp.Or(cmp.Compare(a.File, b.File), compareKeys(a.Entry.Key, b.Entry.Key))
	})
	slices.SortStableFunc(v.Unjudged, func(a, b Unjudged) int {
		return cmp.Or(cmp.Compare(a.File, b.File), compareKeys(a.Entry.Key, b.Entry.Key))
	})
}

func compareKeys(a, b baseline.Key) int {
	return cmp.Or(cmp.Compare(a.Package, b.Package), cmp.Compare(a.Fingerprint, b.Fingerprint))
}

// why says why no run proves that the entry's leak is gone; "" when one does.
func (m *merger) why(e *baseline.Entry) string {
	best := len(nearest) - 1
	for _, p := range m.byPkg[e.Package] {
		best = min(best, slices.Index(nearest, p.why(testOf(e.Fingerprint))))
	}
	return nearest[best]
}

// testOf gives the top-level test that a fingerprint ends in; "" when it was made without one.
func testOf(fingerprint string) string {
	i := strings.LastIndex(fingerprint, "|")
	if i < 0 {
		return ""
	}
	if test := strings.TrimSpace(fingerprint[i+1:]); test != "-" { // as callsite writes what is empty
		return test
	}
	return ""
}

// why says why this process proves nothing about a leak of the test that it did not find.
func (p *process) why(test string) string {
	if test == "" {
		return p.whyWhole()
	}
	at := p.tops[test]
	if len(at) == 0 {
		switch {
		case p.Main && p.End == nil:
			return whyEnded
		case p.Filtered:
			return whyLeftOut
		case strings.HasPrefix(test, "Benchmark"):
			return whyBenchmark
		case p.Main && p.End.Code != 0 && strings.HasPrefix(test, "Example"):
			return whyExample
		case p.Main && p.End.Code != 0:
			return whyStopped
		case p.Main:
			return whyNoTest
		}
		return whyNotVerified
	}
	whole, failed, skipped, partial := false, false, false, false
	for _, i := range at {
		t := &p.Tests[i]
		switch {
		case t.Name != test:
			partial = partial || t.Result == fragment.Skipped || t.Result == fragment.Failed
		case t.Result == fragment.Failed:
			failed = true
		case t.Result == fragment.Skipped:
			skipped = true
		default:
			whole = true
		}
	}
	switch {
	case !whole && failed:
		return whyFailed
	case !whole && skipped:
		return whySkipped
	case partial:
		return whySubSkipped
	case p.Short:
		return whyShort
	case p.Filtered:
		return whyPartly
	case p.Main && p.End == nil:
		return whyEnded // a leak of a test that does not call Verify is found at the end
	}
	return ""
}

// whyWhole is why for a leak of no test: only a whole run of the package proves anything about it.
func (p *process) whyWhole() string {
	switch {
	case !p.Main:
		return whyNoMain
	case p.End == nil:
		return whyAllEnded
	case p.Filtered:
		return whyAllPartly
	case p.End.Stopped:
		return whyAllStopped
	case p.Short:
		return whyAllShort
	case slices.ContainsFunc(p.Tests, func(t fragment.Test) bool { return t.Result == fragment.Failed }):
		return whyOthers
	}
	return ""
}
