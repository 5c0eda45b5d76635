package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/leakgate/leakgate/internal/baseline"
	"github.com/leakgate/leakgate/internal/verdict"
)

// telling is what a subcommand of baseline says, in the shape of -json. Members are added and never change their meaning
// without a new version.
type telling struct {
	Leakgate string     `json:"leakgate"` // "baseline"
	Version  int        `json:"version"`
	Command  string     `json:"command"`
	DryRun   bool       `json:"dry_run"`
	Exit     int        `json:"exit"` // the exit status
	Files    []fileTold `json:"files"`
	Failed   []failure  `json:"failed,omitempty"`   // tests that failed by themselves
	Silent   []string   `json:"silent,omitempty"`   // packages with tests that wrote no fragment
	Problems []told     `json:"problems,omitempty"` // fragments that could not be read, or not wholly
}

// told is a fragment that could not be read.
type told struct {
	File  string `json:"file"`
	Error string `json:"error"`
}

// fileTold is one baseline.
type fileTold struct {
	Module   string       `json:"module"`
	Path     string       `json:"path"`    // from the working folder where it is below it
	Written  bool         `json:"written"` // false for -n, and when nothing changed
	Entries  int          `json:"entries"` // afterwards
	Changes  []changeTold `json:"changes"`
	Left     []changeTold `json:"left,omitempty"`     // what was left as it is, and still is to be told
	Unjudged []changeTold `json:"unjudged,omitempty"` // entries of which less was found, and the run proves nothing

	file    *baseline.File
	changed bool
	kept    int
}

// changeTold is what became of one entry, or for check what is wrong with it.
type changeTold struct {
	// Verb is added, raised, lowered, removed, renewed or recoded; for check new, over, expired or stale. In left it is kept,
	// and for prune, which leaves those to accept, new, over or expired. In unjudged it is unjudged.
	Verb        string `json:"verb"`
	Package     string `json:"package"`
	Fingerprint string `json:"fingerprint"`
	Code        string `json:"code"`
	From        int    `json:"from"`          // what the file allowed
	To          int    `json:"to"`            // what it allows now; for check and what prune leaves what was found
	Why         string `json:"why,omitempty"` // what is still to be said
	File        string `json:"file,omitempty"`
	Line        int    `json:"line,omitempty"`
	Summary     string `json:"summary,omitempty"`
}

// The verbs of check.
const (
	verbStale = "stale"
	unjudged  = string(baseline.Unjudged)
)

// leaks are the findings of a verdict by the keys that baselines have.
type leaks map[baseline.Key]*verdict.Finding

func leaksOf(v *verdict.Verdict) leaks {
	all := make(leaks, len(v.Findings))
	for i := range v.Findings {
		f := &v.Findings[i]
		all[baseline.NewKey(f.Package, f.Fingerprint)] = f
	}
	return all
}

// add takes what became of the entries.
func (ft *fileTold) add(u *upkeep, changes []baseline.Change, all leaks) {
	for _, c := range changes {
		t := changeTold{
			Verb: string(c.Verb), Package: c.Package, Fingerprint: c.Fingerprint, Code: c.Code, From: c.From, To: c.To, Why: c.Why,
		}
		f := all[c.Key]
		if f != nil {
			t.File, t.Line, t.Summary = f.Path, f.Line, f.Leak.Summary
		}
		switch {
		case c.Changed():
			ft.Changes = append(ft.Changes, t)
		case c.Verb == baseline.Unjudged:
			ft.Unjudged = append(ft.Unjudged, t)
		default:
			ft.kept++
			// For prune addNew tells what fails.
			if c.Why != "" && (u.verb != prune || f == nil || !f.Fails()) {
				ft.Left = append(ft.Left, t)
			}
		}
	}
}

// addNew takes what the file does not allow. prune leaves it alone.
func (ft *fileTold) addNew(v *verdict.Verdict, m module, leave bool) {
	for i := range v.Findings {
		f := &v.Findings[i]
		if f.Module != m.path || !f.Fails() {
			continue
		}
		t := changeTold{
			Verb: string(f.Standing), Package: f.Package, Fingerprint: f.Fingerprint, Code: f.Leak.Code, From: f.Allowed, To: f.Count,
			File: f.Path, Line: f.Line, Summary: f.Leak.Summary,
		}
		switch f.Standing {
		case verdict.Over, verdict.Expired:
			t.Why = f.Ruling()
		}
		if leave {
			ft.Left = append(ft.Left, t)
		} else {
			ft.Changes = append(ft.Changes, t)
		}
	}
}

// addStale takes the entries that are not as they were, and those of which nothing is known.
func (ft *fileTold) addStale(v *verdict.Verdict, file *baseline.File) {
	tell := func(verb string, e *baseline.Entry, count int, why string) changeTold {
		return changeTold{Verb: verb, Package: e.Package, Fingerprint: e.Fingerprint, Code: e.Code, From: e.Count, To: count, Why: why}
	}
	for i := range v.Stale {
		if s := &v.Stale[i]; s.File == file.Path {
			ft.Changes = append(ft.Changes, tell(verbStale, &s.Entry, s.Count, fmt.Sprintf("the baseline has %d, found %d", s.Entry.Count, s.Count)))
		}
	}
	for i := range v.Unjudged {
		if s := &v.Unjudged[i]; s.File == file.Path {
			ft.Unjudged = append(ft.Unjudged, tell(unjudged, &s.Entry, s.Count, s.Why))
		}
	}
	ft.kept = len(file.Entries) - len(ft.Unjudged)
	for _, c := range ft.Changes {
		if c.Verb != string(verdict.New) {
			ft.kept--
		}
	}
}

func (t *telling) json() []byte {
	for i := range t.Files {
		if t.Files[i].Changes == nil {
			t.Files[i].Changes = []changeTold{}
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(t); err != nil {
		panic(err) // strings and numbers alone
	}
	return b.Bytes()
}

// text is the same for people.
func (t *telling) text(u *upkeep) []byte {
	var b bytes.Buffer
	for i := range t.Files {
		if i > 0 {
			b.WriteByte('\n')
		}
		t.Files[i].text(&b, u)
	}
	return b.Bytes()
}

func (ft *fileTold) text(b *bytes.Buffer, u *upkeep) {
	fmt.Fprintf(b, "%s: %s\n", ft.Path, ft.headline(u))
	for _, group := range [][]changeTold{ft.Changes, ft.Left} {
		for _, c := range group {
			c.text(b, u.console)
		}
	}
	ft.unjudgedText(b, u.console)
	if next := ft.next(u); next != "" {
		fmt.Fprintf(b, "%s\n", next)
	}
}

// manyUnjudged is from how many entries on that were not judged for one reason the reason is told once, for all of them: of a
// check of one package that is all but its own.
const manyUnjudged = 4

func (ft *fileTold) unjudgedText(b *bytes.Buffer, c console) {
	entries := make(map[string]int)
	packages := make(map[string][]string)
	for _, t := range ft.Unjudged {
		entries[t.Why]++
		if !slices.Contains(packages[t.Why], t.Package) {
			packages[t.Why] = append(packages[t.Why], t.Package)
		}
	}
	for _, t := range ft.Unjudged {
		n, in := entries[t.Why], packages[t.Why]
		if n < manyUnjudged {
			t.text(b, c)
			continue
		}
		if in == nil {
			continue // told
		}
		delete(packages, t.Why)
		where := in[0]
		if more := len(in) - 1; more > 0 {
			where += " and " + count(more, "more package", "more packages")
		}
		fmt.Fprintf(b, "  %s %d entries in %s (-json lists them)\n           %s\n", c.paint(yellow, fmt.Sprintf("%-8s", unjudged)), n, where, plain(t.Why))
	}
}

// headline says what became of the file, in one line.
func (ft *fileTold) headline(u *upkeep) string {
	verbs := make(map[string]int)
	var order []string
	for _, c := range ft.Changes {
		if verbs[c.Verb] == 0 {
			order = append(order, c.Verb)
		}
		verbs[c.Verb]++
	}
	var parts []string
	for _, verb := range []string{"new", "over", "expired", "stale", "added", "raised", "lowered", "removed", "renewed", "recoded"} {
		if n := verbs[verb]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, verb))
		}
	}
	if ft.kept > 0 {
		parts = append(parts, fmt.Sprintf("%d as before", ft.kept))
	}
	if n := len(ft.Unjudged); n > 0 {
		parts = append(parts, fmt.Sprintf("%d not judged", n))
	}
	said := strings.Join(parts, ", ")
	if said == "" {
		said = "no leak, and no entry"
	}
	switch {
	case u.verb == check && len(order) == 0:
		return said + ": up to date"
	case u.verb == check:
		return said
	case len(order) == 0:
		return said + ": nothing to " + u.verb
	case u.dry:
		return said + " (not written: -n)"
	case ft.Entries == 0:
		return said + "; no entry is left, and the file is removed"
	}
	return said
}

// next says what to do.
func (ft *fileTold) next(u *upkeep) string {
	fails, expired, stale := false, false, false
	for _, c := range slices.Concat(ft.Changes, ft.Left) {
		switch c.Verb {
		case "new", "over":
			fails = true
		case "expired", string(baseline.Kept):
			expired = true
		case verbStale:
			stale = true
		}
	}
	if u.verb == accept && expired {
		return "what to do: fix what fails again, or give it another date: -expires DATE"
	}
	how, prune := "leakgate baseline accept", "leakgate baseline prune"
	if u.deep {
		how, prune = how+" -deep", prune+" -deep"
	}
	if fails {
		how += " -reason TEXT"
	}
	if expired {
		how += " -expires DATE"
	}
	switch {
	case u.verb == check && (fails || expired) && stale:
		return "what to do: fix what fails, or say why it may stay for now: " + how + "; " + prune + " takes out what is gone"
	case u.verb == check && stale:
		return "what to do: " + prune + " takes out what is gone; commit the file"
	case fails || expired:
		return "what to do: fix what fails, or say why it may stay for now: " + how
	case ft.Written && ft.Entries > 0:
		return "commit it: one leak more than it has fails from now on, and what is gone must leave it (" + prune + ")"
	}
	return ""
}

func (t *changeTold) text(b *bytes.Buffer, c console) {
	counts := fmt.Sprintf("×%d", t.To)
	switch {
	case t.Verb == string(baseline.Removed) || t.Verb == verbStale && t.To == 0:
		counts = fmt.Sprintf("×%d", t.From)
	case t.From != t.To && t.From > 0 && t.Verb != unjudged && t.Verb != string(verdict.Expired):
		counts = fmt.Sprintf("%d → %d", t.From, t.To)
	case t.Verb == unjudged:
		counts = fmt.Sprintf("×%d", t.From)
	}
	colour := yellow
	switch t.Verb {
	case "new", "over", "expired":
		colour = red
	case "removed", "lowered", verbStale:
		colour = green
	}
	fmt.Fprintf(b, "  %s %s %s in %s\n", c.paint(colour, fmt.Sprintf("%-8s", t.Verb)), t.Code, counts, t.Package)
	if t.Summary != "" {
		at := ""
		if t.File != "" {
			at = fmt.Sprintf("%s:%d: ", t.File, t.Line)
		}
		fmt.Fprintf(b, "           %s%s\n", at, plain(t.Summary))
	}
	fmt.Fprintf(b, "           %s\n", plain(t.Fingerprint))
	if t.Why != "" {
		fmt.Fprintf(b, "           %s\n", plain(t.Why))
	}
}

// plain makes text from a program under test one line that no terminal obeys.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || 0x7f <= r && r < 0xa0 || r == 0x2028 || r == 0x2029 || 0x202a <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069 {
			return ' '
		}
		return r
	}, s)
}
