// Package verdict merges fragments with a baseline into what a report says.
//
// A finding is all that one package leaked under one fingerprint. Its count is the most that one run of its top-level test
// leaked: subtests of that run add up, and other runs of the test (-count, a rerun of failed tests, another machine) do
// not. The order in which fragments are given changes nothing, and neither does one that is given twice. Times of different
// processes are never compared to decide anything: the clocks of two machines differ.
package verdict

import (
	"time"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/baseline"
)

// Standing says what the baseline makes of a finding.
type Standing string

// Standings, worst first.
const (
	New     Standing = "new"     // the baseline has no entry
	Over    Standing = "over"    // more than the entry allows: all are shown
	Expired Standing = "expired" // its entry hides nothing any more
	Known   Standing = "known"
	Noted   Standing = "noted" // told, held by nobody now, or found in a test that failed by itself: does not fail
)

// Standings gives all of them, worst first.
func Standings() []Standing { return []Standing{New, Over, Expired, Known, Noted} }

// Finding is one root cause: all leaks of one package with one fingerprint.
type Finding struct {
	baseline.Key
	ID        string // "sha256" of the key in hex, the first 16 digits: for formats that want a short name
	Standing  Standing
	Count     int             // most in one run of the test; of a Noted one, of what was told
	Runs      int             // runs of the test in which it was found, judged or not; of one without a test, processes
	Of        int             // runs of the test in all, without those that were skipped; at least Runs
	Allowed   int             // by the baseline; 0 when it has no entry, or one that has expired
	Entry     *baseline.Entry // nil when there is none, and when what the fragments recorded of the baseline holds
	Tests     []string        // full names, sorted, without repeats
	Leak      fragment.Leak   // the worst example, whole
	Module    string
	ModuleDir string // see fragment.Header; where this process did not know it, as another one of the module has it
	Deep      bool   // leakgate test found it
	// Path is of the file to point at, from the repository's root where that is known, else from the module's: the site's, or
	// that of the first frame of the stack that is in the module when the site is not. "" when there is none.
	Path string
	Line int // in Path, from 1; 0 without a Path
	// Excused says of a Noted one that its test failed by itself; else nothing is held now.
	Excused bool
}

// Fails says whether the finding makes the verdict red.
func (f *Finding) Fails() bool {
	return f.Standing == New || f.Standing == Over || f.Standing == Expired
}

// Stale is an entry of the baseline that is not as it was recorded any more, judged by tests that ran.
type Stale struct {
	Entry baseline.Entry
	File  string // path of the baseline
	Deep  bool   // leakgate test has run the package's tests
	Count int    // how many there are now: less than Entry.Count; 0 when it is gone
}

// Unjudged is an entry of which fewer were seen than it has, and of which the run proves nothing.
type Unjudged struct {
	Entry baseline.Entry
	File  string // path of the baseline
	Count int    // how many were seen; mostly 0
	Why   string // "its test did not run", "its test was skipped", ...
}

// TestRun is a test in the report.
type TestRun struct {
	Package string
	PID     int // with Package it tells processes apart, on one machine
	fragment.Test
	Leaks int // resources that it leaked, known ones too; what its subtests leaked is theirs when they are in the report
}

// Series is what one process held over time.
type Series struct {
	Package string
	PID     int
	Began   time.Time         // of the process: what the samples' times should be shown from, as clocks of machines differ
	Samples []fragment.Sample // oldest first
}

// Problem is a fragment that could not be read, or not to its end, or a baseline that a test run could not use.
type Problem struct {
	File string
	Err  error
}

// UnusedIgnore is an Ignore option that matched nothing in a whole run of its package.
type UnusedIgnore struct {
	Package string
	Ignore  string // as leakcheck.Main prints it
}

// Verdict is the whole.
type Verdict struct {
	Findings     []Finding // worst first
	Stale        []Stale
	Unjudged     []Unjudged
	Tests        []TestRun          // by package, name and time
	Series       []Series           // by package and time
	Ignored      []fragment.Ignored // added up by reason; Test is empty
	Unused       []UnusedIgnore
	Unended      []fragment.Header // processes that had a Main and ended without saying so
	Problems     []Problem
	Packages     []string
	Modules      []string
	Fragments    int           // processes; copies of the same one count once
	Copies       int           // fragments left out because their process is there already
	Began, Ended time.Time     // earliest and latest, by the clocks of the machines
	Took         time.Duration // of the process that took longest: it depends on no two clocks
	Baseline     string        // path of the file that has entries; "" for none; several are joined by ", "
}

// Red says whether anything fails.
func (v *Verdict) Red() bool {
	for i := range v.Findings {
		if v.Findings[i].Fails() {
			return true
		}
	}
	return false
}

// Input is what a verdict is made of.
type Input struct {
	Fragments []*fragment.Fragment
	Problems  []Problem // of reading them
	// Baselines are the files by module path. Of a module that is not in it, what its own fragments say of the baseline holds:
	// their Outcome and Allowed. To turn the baseline of a module off, give an empty file.
	Baselines map[string]*baseline.File
	Now       time.Time // decides which entries have expired, by the day of its location; with the zero Time none has
}
