package verdict

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/codes"
)

// compareFindings puts the worst first: by standing, by how much harm that sort of leak does, by how many there are. What
// follows only makes the order total, so that it is the same for the same findings.
func compareFindings(a, b Finding) int {
	return cmp.Or(
		cmp.Compare(slices.Index(Standings(), a.Standing), slices.Index(Standings(), b.Standing)),
		cmp.Compare(codes.Rank(a.Leak.Code, a.Leak.Kind), codes.Rank(b.Leak.Code, b.Leak.Kind)),
		cmp.Compare(b.Count, a.Count),
		cmp.Compare(a.Package, b.Package),
		cmp.Compare(a.Path, b.Path),
		cmp.Compare(a.Line, b.Line),
		cmp.Compare(a.Fingerprint, b.Fingerprint),
	)
}

// outcomes, the one to show first: what failed says more than what is known.
var outcomes = []string{fragment.Fatal, fragment.Known, fragment.Excused, fragment.Noted}

func outcomeRank(l *fragment.Leak) int {
	if i := slices.Index(outcomes, l.Outcome); i >= 0 {
		return i
	}
	return 0 // one of a later version: it is judged like a failure
}

// compareLeaks puts the better example first. It is a total order of all that can be told apart.
func compareLeaks(a, b *fragment.Leak) int {
	if c := cmp.Or(
		cmp.Compare(outcomeRank(a), outcomeRank(b)),
		cmp.Compare(b.Count, a.Count),
		trueFirst(a.Site.InModule, b.Site.InModule),
		trueFirst(a.Site.Func != "", b.Site.Func != ""),
		trueFirst(a.Site.Source != "", b.Site.Source != ""),
		cmp.Compare(len(b.Stack), len(a.Stack)),
		cmp.Compare(len(b.Holds), len(a.Holds)),
		cmp.Compare(a.Test, b.Test),
		cmp.Compare(a.Summary, b.Summary),
		cmp.Compare(a.Site.File, b.Site.File),
		cmp.Compare(a.Site.Line, b.Site.Line),
		a.At.Compare(b.At),
	); c != 0 {
		return c
	}
	return cmp.Compare(fmt.Sprintf("%+v", *a), fmt.Sprintf("%+v", *b))
}

func compareTests(a, b TestRun) int {
	if c := cmp.Or(cmp.Compare(a.Package, b.Package), cmp.Compare(a.Name, b.Name)); c != 0 {
		return c
	}
	if c := cmp.Or(a.Began.Compare(b.Began), cmp.Compare(a.PID, b.PID)); c != 0 {
		return c
	}
	return cmp.Or(compareRuns(&a.Test, &b.Test), cmp.Compare(a.Leaks, b.Leaks))
}

// compareRuns puts runs of one test in their order. Those that began at one moment, by a clock that does not move, get one too.
func compareRuns(a, b *fragment.Test) int {
	if c := cmp.Or(
		a.Began.Compare(b.Began),
		cmp.Compare(a.Took, b.Took),
		cmp.Compare(a.Result, b.Result),
	); c != 0 {
		return c
	}
	return cmp.Compare(fmt.Sprintf("%+v", *a), fmt.Sprintf("%+v", *b))
}

func trueFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}
