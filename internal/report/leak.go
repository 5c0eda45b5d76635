// Package report has the model of a finished check and renders it as text.
//
// It uses the standard library alone and knows nothing of tests: leakcheck fills the model.
package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/leakgate/leakgate/internal/callsite"
)

// RoleTaken is what happened at a site when nothing else is said.
const RoleTaken = "taken at"

// Key names one resource: the kind of list that it is on and its ID there.
type Key struct {
	List string // "goroutine", "socket", "lease", "process", or a probe's kind
	ID   uint64
}

// Leak is one root cause.
type Leak struct {
	Kind     string
	Code     string
	Class    string   // what sort of resource, for the fingerprint: no address, no number
	Test     string   // the test that leaked; "" when not known
	Suspects []string // tests that could have, when Test is not known
	Nobody   string   // why there is no test, when that is known
	Summary  string
	Count    int
	Stack    []callsite.Frame // the user's frames, innermost first
	Site     callsite.Frame   // the frame to blame
	Source   string           // the text of Site's line where that is known otherwise than from the file; "" to read it
	Role     string           // what happened at Site: "taken at", "started at"
	State    string
	Holds    []string
	HoldsAs  string // what Holds is called; "" for "also holds"
	Hint     string // the missing call, as code
	Probably bool   // the hint is likely, not certain
	Why      string // a sentence that explains the state
	Unknown  string // why Site is not known, and how to get it
	Note     bool   // nothing is held now
	Baseline string // why the baseline does not hide it: a sentence without a full stop; "" when it has no entry
	Keys     []Key  // the resources that this entry covers
	Rank     int    // lower is worse
	Moving   bool   // it may still end by itself: it is not blocked
	Timed    bool   // it is blocked in something that a timer may end

	// What a matcher may look at beyond the above.
	All       []callsite.Frame // every frame, the standard library's included
	CreatedBy string           // function with the go statement
	Remotes   []string         // peers of the connections it holds
	Pairs     []string         // of responses that are not tracked: the connections, as goroutine.PairKey names them; "" where unknown

	Fingerprint string
}

// Finish fills in what follows from the rest, groups equal leaks, and sorts them worst first.
func Finish(leaks []Leak) []Leak {
	var out []Leak
	at := make(map[string]int)
	for _, l := range leaks {
		if l.Count == 0 {
			l.Count = 1
		}
		if l.Site == (callsite.Frame{}) {
			l.Site = callsite.Pick(l.Stack)
		}
		l.Identify()
		group := l.Fingerprint + "\x00" + l.Summary + "\x00" + l.Site.String() + "\x00" + l.Test + "\x00" + strings.Join(l.Suspects, ",")
		if i, ok := at[group]; ok {
			merge(&out[i], l)
			continue
		}
		at[group] = len(out)
		out = append(out, l)
	}
	slices.SortStableFunc(out, func(a, b Leak) int {
		return cmp.Or(
			boolFirst(!a.Note, !b.Note),
			cmp.Compare(a.Rank, b.Rank),
			cmp.Compare(b.Count, a.Count),
			cmp.Compare(a.Summary, b.Summary),
			cmp.Compare(a.Site.String(), b.Site.String()),
			cmp.Compare(a.Test, b.Test),
		)
	})
	return out
}

// Identify gives the leak its fingerprint, when it has none.
func (l *Leak) Identify() {
	if l.Fingerprint == "" {
		l.Fingerprint = callsite.Fingerprint(l.Kind, l.Class, fingerprintStack(*l), l.Test)
	}
}

// fingerprintStack gives the frames that name the leak. Of a goroutine that is who started it and what it runs, the outermost
// frame: where it is deeper inside is of the moment. When the standard library started it, which has one frame for all of
// them, it is the outermost frames. Of anything else it is the stack, and before it the frame to blame when that is no part of it.
func fingerprintStack(l Leak) []callsite.Frame {
	if l.Kind != "goroutine" || len(l.Stack) == 0 {
		if l.Site.Func == "" || slices.Contains(l.Stack, l.Site) {
			return l.Stack
		}
		return append([]callsite.Frame{l.Site}, l.Stack...)
	}
	runs := slices.Clone(l.Stack)
	slices.Reverse(runs)
	if l.Site.Func == "" || slices.Contains(l.Stack, l.Site) {
		return runs
	}
	return []callsite.Frame{l.Site, runs[0]}
}

func merge(into *Leak, l Leak) {
	into.Count += l.Count
	into.Moving, into.Timed = into.Moving || l.Moving, into.Timed || l.Timed
	into.Keys = append(into.Keys, l.Keys...)
	into.Pairs = append(into.Pairs, l.Pairs...)
	if len(into.Holds) == 0 {
		into.Holds = l.Holds
	}
	if into.State != l.State && !strings.HasSuffix(into.State, " (the first)") && into.State != "" {
		into.State += " (the first)"
	}
}

func boolFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// Findings is what one check came to, for whoever words it by himself.
type Findings struct {
	Leaks  []Leak // as Finish gives them
	Notes  []Leak // nothing is held now
	Ended  []Leak // responses that were held for a while and are not any more
	Waited time.Duration
	Looks  int
	Ledger Ledger
}

// Ledger is where whoever words findings by himself has them judged by the baseline, and written down.
type Ledger interface {
	// Judge takes leaks that are about to fail the test, writes them down, says which of them the baseline knows, and gives
	// the others.
	Judge(leaks []Leak) []Leak
	// Excuse writes down what a test that failed by itself still holds.
	Excuse(leaks []Leak)
	// Note writes down what holds nothing now.
	Note(leaks []Leak)
	// Fail says that the test fails for something else than a leak.
	Fail()
}
