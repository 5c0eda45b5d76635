package baseline

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// Ruling is what the baseline says of leaks that were just found.
type Ruling string

// Rulings.
const (
	Unlisted Ruling = "unlisted" // the baseline has no entry
	Allowed  Ruling = "allowed"
	Over     Ruling = "over"   // more than the entry allows, with what the same run of the test leaked before
	Lapsed   Ruling = "lapsed" // its entry hides nothing any more
)

// Answer is a ruling and what it rests on.
type Answer struct {
	Ruling Ruling
	Entry  *Entry // nil when Unlisted
	Total  int    // found in this run of the test so far, this time included
	Why    string // for Over and Lapsed: a sentence without a full stop, for the report
}

// Ledger counts what the tests of one process leak against a baseline. It may be used from many goroutines at once.
//
// What counts is one run of a top-level test: what its subtests leak adds up, and when it runs again (-count, -cpu) the count
// starts anew. No test says by itself that it runs again. The ledger sees it by a name: within one run each subtest has a name
// of its own, so that a name that begins when it had ended, while no check of the same top-level test is under way, is of
// another run. Checks of one test that follow each other without overlap look the same; call End when the test is over rather
// than when the check is, and they do not.
type Ledger struct {
	file *File
	pkg  string
	now  time.Time

	mu   sync.Mutex
	runs map[string]*run // by top-level test
}

// run is the present run of one top-level test.
type run struct {
	open  map[string]int  // checks under way, by full name
	ended map[string]bool // names that have begun and ended
	found map[Key][]share
}

// share is what one test or subtest of a run leaked.
type share struct {
	test  string
	count int
}

// NewLedger makes the ledger of a process that tests the package. A nil file allows nothing.
func NewLedger(f *File, pkg string, now time.Time) *Ledger {
	return &Ledger{file: f, pkg: pkg, now: now, runs: make(map[string]*run)}
}

// Begin says that a test or subtest, by its full name, has begun to be checked. Checks of one test may overlap: each has a
// Begin and an End.
func (l *Ledger) Begin(test string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.run(test)
	if r.ended[test] && len(r.open) == 0 {
		delete(l.runs, top(test))
		r = l.run(test)
	}
	r.open[test]++
}

// End says that a test or subtest is over. One that has not begun is left out.
func (l *Ledger) End(test string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.run(test)
	if r.open[test] == 0 {
		return
	}
	if r.open[test]--; r.open[test] == 0 {
		delete(r.open, test)
		r.ended[test] = true
	}
}

// Add counts leaks of a test ("" when it is not known) and rules on them. The test need not have begun: a leak may be found
// by the check of another one.
func (l *Ledger) Add(test, fingerprint string, count int) Answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := NewKey(l.pkg, fingerprint)
	r := l.run(test)
	r.found[k] = append(r.found[k], share{test, count})
	a := Answer{Ruling: Unlisted}
	for _, s := range r.found[k] {
		a.Total += s.count
	}
	if l.file == nil {
		return a
	}
	if a.Entry = l.file.Find(k); a.Entry == nil {
		return a
	}
	if why, lapsed := a.Entry.Lapse(l.now); lapsed {
		a.Ruling, a.Why = Lapsed, why
		return a
	}
	if a.Ruling = Allowed; a.Total > a.Entry.Count {
		a.Ruling = Over
		a.Why = fmt.Sprintf("the baseline allows %d, found %d%s: which of them is new cannot be told",
			a.Entry.Count, a.Total, elsewhere(r.found[k], test))
	}
	return a
}

func (l *Ledger) run(test string) *run {
	name := top(test)
	r := l.runs[name]
	if r == nil {
		r = &run{open: make(map[string]int), ended: make(map[string]bool), found: make(map[Key][]share)}
		l.runs[name] = r
	}
	return r
}

// top gives the name of the top-level test.
func top(test string) string {
	name, _, _ := strings.Cut(test, "/")
	return name
}

// elsewhere names the other tests of the run that have a share.
func elsewhere(all []share, test string) string {
	var names []string
	counts := make(map[string]int)
	for _, s := range all {
		if s.test == test {
			continue
		}
		if counts[s.test] == 0 {
			names = append(names, s.test)
		}
		counts[s.test] += s.count
	}
	const most = 3
	var parts []string
	for i, name := range names {
		if i == most {
			parts = append(parts, fmt.Sprintf("and in %d more", len(names)-most))
			break
		}
		parts = append(parts, fmt.Sprintf("%d in %s", counts[name], name))
	}
	if parts == nil {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}
