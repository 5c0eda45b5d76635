package page

import (
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/verdict"
)

// Most rows of the lists at the end of the page.
const maxRows = 200

// view is what the template shows.
type view struct {
	assets
	Title, Version string

	Mood     string // "fails", "gaps" or "passes": how the top is painted
	Word     string // "Fails"
	Sentence string
	Start    *findingLink
	Gaps     string
	Numbers  []figure
	Context  []figure
	When     string

	Findings  template.HTML
	Shown     int
	All       int
	LeftOut   string
	Kinds     []choice
	Standings []choice
	Packages  []choice

	Timeline timeline
	Peaks    bars
	Reuse    bars
	Tests    testTable

	Baseline     string
	Stale        []entryView
	StaleMore    int
	Prune        string
	Unjudged     []entryView
	UnjudgedMore int
	Problems     []problem
	ProblemsMore int
	Unended      []problem
	UnendedMore  int
	Ignored      []ignored
	IgnoredMore  int
	Unused       []problem
	UnusedMore   int
}

type findingLink struct{ ID, Summary, Where, Test string }

type figure struct{ Class, Number, Label, Note string }

type choice struct {
	Value, Label string
	N            int
}

type entryView struct{ Package, Fingerprint, Code, Had, Has, Reason, Owner, Where, Why string }

type problem struct{ Name, Text string }

type ignored struct{ Count, Reason string }

func newView(v *verdict.Verdict, o Options) *view {
	p := &view{Title: line(o.Title), Version: line(o.Version), All: len(v.Findings), Baseline: line(v.Baseline)}
	if p.Title == "" {
		p.Title = line(title(v))
	}
	p.head(v)
	p.choices(v)
	p.Timeline = newTimeline(v)
	p.Peaks = peakBars(v)
	p.Reuse = reuseBars(v)
	p.Tests = newTestTable(v)
	p.lists(v)
	return p
}

// title is the module, when there is one, else what the packages' paths have in common.
func title(v *verdict.Verdict) string {
	if len(v.Modules) == 1 {
		return v.Modules[0]
	}
	if len(v.Packages) == 0 {
		return ""
	}
	common := strings.Split(v.Packages[0], "/")
	for _, pkg := range v.Packages[1:] {
		parts := strings.Split(pkg, "/")
		n := 0
		for n < len(common) && n < len(parts) && common[n] == parts[n] {
			n++
		}
		common = common[:n]
	}
	return strings.Join(common, "/")
}

// tally is how many findings there are of each standing, and how many resources they are.
type tally struct{ findings, resources map[verdict.Standing]int }

func tallyOf(v *verdict.Verdict) tally {
	t := tally{findings: make(map[verdict.Standing]int), resources: make(map[verdict.Standing]int)}
	for i := range v.Findings {
		f := &v.Findings[i]
		t.findings[f.Standing]++
		t.resources[f.Standing] += f.Count
	}
	return t
}

// head fills in the verdict, first as a sentence and then in numbers.
func (p *view) head(v *verdict.Verdict) {
	t := tallyOf(v)
	gaps := gapsOf(v)
	switch {
	case v.Red():
		p.Mood, p.Word = "fails", "Fails"
		p.Sentence = redSentence(t)
		for i := range v.Findings {
			if f := &v.Findings[i]; f.Fails() {
				p.Start = startAt(f)
				break
			}
		}
	case v.Fragments == 0 && len(v.Tests) == 0:
		p.Mood, p.Word = "gaps", "Nothing was judged"
		p.Sentence = "No fragment could be read, so that nothing is known of this run."
	case len(gaps) > 0:
		p.Mood, p.Word = "gaps", "No new leak, but not everything was seen"
		p.Sentence = greenSentence(t)
	default:
		p.Mood, p.Word = "passes", "Passes"
		p.Sentence = greenSentence(t)
	}
	if len(gaps) > 0 {
		p.Gaps = list(gaps) + "."
	}
	p.numbers(v, t)
}

func redSentence(t tally) string {
	var parts []string
	if n := t.findings[verdict.New]; n > 0 {
		parts = append(parts, count(n, "new leak"))
	}
	if n := t.findings[verdict.Over]; n == 1 {
		parts = append(parts, "1 known leak that grew past its baseline")
	} else if n > 0 {
		parts = append(parts, number(n)+" known leaks that grew past their baseline")
	}
	if n := t.findings[verdict.Expired]; n == 1 {
		parts = append(parts, "1 known leak whose time is up")
	} else if n > 0 {
		parts = append(parts, number(n)+" known leaks whose time is up")
	}
	return list(parts) + " must be fixed."
}

func greenSentence(t tally) string {
	s := "Nothing leaked."
	known, noted := t.findings[verdict.Known], t.findings[verdict.Noted]
	switch {
	case known == 1:
		s = "Nothing new leaked. 1 known leak is still in the baseline."
	case known > 1:
		s = fmt.Sprintf("Nothing new leaked. %s known leaks are still in the baseline.", number(known))
	case noted > 0:
		s = "Nothing leaked that counts."
	}
	if noted > 0 {
		s += fmt.Sprintf(" %s told, not judged.", was(noted, "finding"))
	}
	return s
}

func was(n int, noun string) string {
	if n == 1 {
		return count(n, noun) + " was"
	}
	return count(n, noun) + " were"
}

// gapsOf says what the verdict does not know.
func gapsOf(v *verdict.Verdict) []string {
	var gaps []string
	if n := len(v.Problems); n > 0 {
		gaps = append(gaps, count(n, "file")+" could not be read, or not to the end")
	}
	if n := len(v.Unended); n == 1 {
		gaps = append(gaps, "1 process ended without its last record (killed, or a panic)")
	} else if n > 1 {
		gaps = append(gaps, number(n)+" processes ended without their last record (killed, or a panic)")
	}
	return gaps
}

func startAt(f *verdict.Finding) *findingLink {
	s := &findingLink{ID: anchor(f.ID), Summary: line(f.Leak.Summary)}
	if f.Leak.Site != (fragment.Frame{}) {
		s.Where = site(f, Options{}).File
	}
	if len(f.Tests) > 0 {
		s.Test = line(f.Tests[0])
	}
	return s
}

func (p *view) numbers(v *verdict.Verdict, t tally) {
	for _, s := range verdict.Standings() {
		n := t.findings[s]
		if n == 0 && s != verdict.New && s != verdict.Known {
			continue
		}
		f := figure{Class: string(s), Number: number(n), Label: strings.ToLower(standingWord(s))}
		if s == verdict.Over {
			f.Label = "over the baseline"
		}
		if r := t.resources[s]; r != n {
			f.Note = count(r, "resource")
		}
		if n == 0 {
			f.Class = "none"
		}
		p.Numbers = append(p.Numbers, f)
	}
	if n := len(v.Stale); n > 0 {
		p.Numbers = append(p.Numbers, figure{Class: "stale", Number: number(n), Label: "stale in the baseline"})
	}
	c := v.Counts()
	tests := noun(c.Tests, "test")
	var notes []string
	if n := len(v.Tests); n > c.Tests {
		notes = append(notes, number(n)+" runs")
	}
	if c.Failed > 0 {
		notes = append(notes, number(c.Failed)+" failed otherwise")
	}
	if c.Skipped > 0 {
		notes = append(notes, number(c.Skipped)+" skipped")
	}
	tests.Note = strings.Join(notes, ", ")
	p.Context = append(p.Context, tests)
	p.Context = append(p.Context, noun(len(v.Packages), "package"), noun(v.Fragments, "process"))
	if v.Took > 0 {
		p.Context = append(p.Context, figure{Number: took(v.Took), Label: "in the slowest"})
	}
	p.When = when(v.Began)
	if v.Copies > 0 {
		p.Context = append(p.Context, figure{Number: number(v.Copies), Label: "given twice, counted once"})
	}
}

func noun(n int, s string) figure {
	_, label, _ := strings.Cut(count(n, s), " ")
	return figure{Number: number(n), Label: label}
}

// choices are what the filter offers, each with the number of findings that it would show.
func (p *view) choices(v *verdict.Verdict) {
	kinds, packages := make(map[string]int), make(map[string]int)
	t := tallyOf(v)
	for i := range v.Findings {
		kinds[line(v.Findings[i].Leak.Kind)]++
		packages[line(v.Findings[i].Package)]++
	}
	p.Kinds, p.Packages = sortedChoices(kinds), sortedChoices(packages)
	for _, s := range verdict.Standings() {
		if n := t.findings[s]; n > 0 {
			p.Standings = append(p.Standings, choice{Value: string(s), Label: standingWord(s), N: n})
		}
	}
}

func sortedChoices(counts map[string]int) []choice {
	var out []choice
	for value, n := range counts {
		label := value
		if label == "" {
			label = "(none)"
		}
		out = append(out, choice{Value: value, Label: label, N: n})
	}
	slices.SortFunc(out, func(a, b choice) int { return strings.Compare(a.Value, b.Value) })
	return out
}

// lists fills in what stands at the end: entries of the baseline, and what could not be read or was set aside.
func (p *view) lists(v *verdict.Verdict) {
	for i := range v.Stale {
		if i == maxRows {
			p.StaleMore = len(v.Stale) - i
			break
		}
		s := &v.Stale[i]
		e := newEntry(s.Entry.Package, s.Entry.Fingerprint, s.Entry.Code)
		e.Had, e.Has, e.Reason, e.Owner = number(s.Entry.Count), number(s.Count), text(s.Entry.Reason), line(s.Entry.Owner)
		e.Where = line(position(s.File, s.Entry.Line))
		p.Stale = append(p.Stale, e)
	}
	if len(v.Stale) > 0 {
		p.Prune = "leakgate baseline prune"
		if slices.ContainsFunc(v.Stale, func(s verdict.Stale) bool { return s.Deep }) {
			p.Prune += " -deep"
		}
	}
	for i := range v.Unjudged {
		if i == maxRows {
			p.UnjudgedMore = len(v.Unjudged) - i
			break
		}
		u := &v.Unjudged[i]
		e := newEntry(u.Entry.Package, u.Entry.Fingerprint, u.Entry.Code)
		e.Why, e.Reason, e.Owner = text(u.Why), text(u.Entry.Reason), line(u.Entry.Owner)
		e.Had, e.Has = number(u.Entry.Count), number(u.Count)
		e.Where = line(position(u.File, u.Entry.Line))
		p.Unjudged = append(p.Unjudged, e)
	}
	for i, x := range v.Problems {
		if i == maxRows {
			p.ProblemsMore = len(v.Problems) - i
			break
		}
		said := ""
		if x.Err != nil {
			said = text(x.Err.Error())
		}
		p.Problems = append(p.Problems, problem{Name: line(x.File), Text: said})
	}
	for i := range v.Unended {
		if i == maxRows {
			p.UnendedMore = len(v.Unended) - i
			break
		}
		h := &v.Unended[i]
		said := fmt.Sprintf("process %d", h.PID)
		if began := when(h.Began); began != "" {
			said += ", began " + began
		}
		p.Unended = append(p.Unended, problem{Name: line(h.Package), Text: said})
	}
	for i, x := range v.Ignored {
		if i == maxRows {
			p.IgnoredMore = len(v.Ignored) - i
			break
		}
		p.Ignored = append(p.Ignored, ignored{Count: number(x.Count), Reason: text(x.Reason)})
	}
	for i, x := range v.Unused {
		if i == maxRows {
			p.UnusedMore = len(v.Unused) - i
			break
		}
		p.Unused = append(p.Unused, problem{Name: line(x.Package), Text: text(x.Ignore)})
	}
}

func newEntry(pkg, fingerprint, code string) entryView {
	return entryView{Package: line(pkg), Fingerprint: text(fingerprint), Code: line(code)}
}
