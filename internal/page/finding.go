package page

import (
	"bytes"
	"fmt"
	"html/template"
	"net/url"
	"path"
	"strings"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/codes"
	"github.com/leakgate/leakgate/internal/verdict"
)

// Most that one finding shows; the rest is counted.
const (
	maxFrames   = 40
	maxHolds    = 20
	maxTests    = 30
	openAtFirst = 3 // findings whose details are open when the page is
)

// Bytes of all findings together. Past the first number their stacks are cut, and past the second they are counted alone: a
// browser should open the page at once, also with a thousand leaks.
const (
	findingsFull = 5 << 19
	findingsMax  = 7 << 19
	framesCut    = 3
)

// docURL is the page that explains the codes.
const docURL = "https://github.com/leakgate/leakgate/blob/main/docs/codes.md"

// place is a line of code as a reader finds it.
type place struct {
	File   string // "store/client.go:41"
	Func   string
	Source string
	Link   string // "" for none
}

// findingView is one finding on the page.
type findingView struct {
	ID, Standing, StandingWord    string
	Found                         string // in how many runs, when not in all
	Open                          bool
	Code, Doc, Kind, Class        string
	Package, Summary, Fingerprint string
	Count, Runs                   int
	Role                          string
	Site                          *place
	Stack                         []place
	Frames                        int // not shown
	State, Why                    string
	HoldsWord                     string
	Holds                         []string
	HoldsMore                     int
	FixWord, Fix                  string
	Unknown                       string
	Tests                         []string
	TestsMore                     int
	FirstTest                     string
	OtherTests                    int
	Suspects                      []string
	SuspectsMore                  int
	Waited                        string
	Against                       string
	Reason, Owner, Added, Expires string
	Notes                         []string
	BaselineLine                  string
	Accept                        string
	Nobody                        bool
	ExampleOf                     bool
	CountWord, Where              string
}

// renderFindings renders the findings one by one, worst first, until the page is as big as a browser likes it.
func (p *view) renderFindings(t *template.Template, v *verdict.Verdict, o Options) error {
	var b, one bytes.Buffer
	for i := range v.Findings {
		f := newFinding(&v.Findings[i], v, o)
		f.Open = i < openAtFirst && v.Findings[i].Fails()
		if b.Len() > findingsFull {
			f.cut()
		}
		one.Reset()
		if err := t.ExecuteTemplate(&one, "finding", f); err != nil {
			return err
		}
		if b.Len()+one.Len() > findingsMax {
			p.LeftOut = count(len(v.Findings)-i, "leak")
			break
		}
		b.Write(one.Bytes())
		p.Shown++
	}
	p.Findings = template.HTML(b.String()) // made by the template "finding", which escapes
	return nil
}

// cut leaves of the stack what is nearest to the resource, and no links to the source.
func (f *findingView) cut() {
	if n := len(f.Stack); n > framesCut {
		f.Stack, f.Frames = f.Stack[:framesCut], f.Frames+n-framesCut
	}
	for i := range f.Stack {
		f.Stack[i].Link, f.Stack[i].Source = "", ""
	}
}

func newFinding(f *verdict.Finding, v *verdict.Verdict, o Options) findingView {
	l := &f.Leak
	out := findingView{
		ID: anchor(f.ID), Standing: string(f.Standing), StandingWord: standingWord(f.Standing),
		Code: line(l.Code), Kind: line(l.Kind), Class: line(l.Class), Package: line(f.Package),
		Summary: line(l.Summary), Fingerprint: text(f.Fingerprint), Count: f.Count, Runs: f.Runs,
		State: text(l.State), Why: text(l.Why), Fix: text(l.Hint), Unknown: text(l.Unknown),
		Against: sentence(f.Ruling()), Nobody: len(f.Tests) == 0 && len(l.Suspects) == 0, ExampleOf: l.Example,
		Role: line(l.Role),
	}
	if out.Summary == "" {
		out.Summary = "a leak of kind " + out.Kind
	}
	if out.Role == "" {
		out.Role = "taken at"
	}
	if l.Code != "" {
		out.Doc = docURL + "#" + url.PathEscape(strings.ToLower(l.Code))
	}
	if l.Site != (fragment.Frame{}) {
		s := site(f, o)
		out.Site, out.Where = &s, s.File
		if s.File == "" {
			out.Where = s.Func
		}
	}
	for i, fr := range l.Stack {
		if fr == l.Site {
			continue
		}
		if len(out.Stack) == maxFrames {
			out.Frames = len(l.Stack) - i
			break
		}
		out.Stack = append(out.Stack, newPlace(fr, f.ModuleDir, o))
	}
	out.Holds, out.HoldsMore = lines(l.Holds, maxHolds)
	out.HoldsWord = codes.HoldsWord(l.Code, f.Count)
	if f.Count > 1 {
		out.CountWord = "×" + number(f.Count)
	}
	out.FixWord = "fix"
	if l.Likely {
		out.FixWord = "fix, likely"
	}
	out.Tests, out.TestsMore = lines(f.Tests, maxTests)
	if len(out.Tests) > 0 {
		out.FirstTest, out.OtherTests = out.Tests[0], len(f.Tests)-1
	} else {
		out.Suspects, out.SuspectsMore = lines(l.Suspects, maxTests)
	}
	if l.Waited > 0 {
		out.Waited = took(l.Waited)
	}
	if f.Of > f.Runs {
		out.Found = fmt.Sprintf("in %s of %s", number(f.Runs), count(f.Of, "run"))
	} else if f.Runs > 1 {
		out.Found = "in each of " + count(f.Runs, "run")
	}
	if e := f.Entry; e != nil {
		out.Reason, out.Owner, out.Added, out.Expires = text(e.Reason), line(e.Owner), line(e.Added), line(e.Expires)
		if f.Standing == verdict.Known || f.Standing == verdict.Expired {
			out.Reason = "" // Against has it
		}
		out.Notes, _ = lines(e.Notes, maxHolds)
		if e.Line > 0 && v.Baseline != "" {
			out.BaselineLine = line(fmt.Sprintf("%s:%d", v.Baseline, e.Line))
		}
	}
	if f.Fails() && f.Package != "" {
		deep := ""
		if f.Deep {
			deep = "-deep "
		}
		out.Accept = "leakgate baseline accept " + deep + `-reason "…" ` + line(f.Package)
	}
	return out
}

// site is the finding's line, named as from the root of the repository where that is known.
func site(f *verdict.Finding, o Options) place {
	s := newPlace(f.Leak.Site, f.ModuleDir, o)
	if f.Path != "" && f.Leak.Site.InModule {
		s.File = line(position(f.Path, f.Line))
	}
	return s
}

// newPlace names a frame. One of the module is named as from the root of the repository, like the site.
func newPlace(fr fragment.Frame, moduleDir string, o Options) place {
	p := place{Func: line(function(fr.Func)), Source: line(strings.TrimSpace(fr.Source))}
	file := fr.File
	if fr.InModule && moduleDir != "" && file != "" {
		file = path.Join(moduleDir, file)
		p.Link = sourceLink(o.SourceURL, file, fr.Line)
	}
	p.File = line(position(file, fr.Line))
	return p
}

// sourceLink is the address of a line of a file of the repository; "" for a file that is not below its root.
func sourceLink(base, file string, n int) string {
	if base == "" || file == ".." || strings.HasPrefix(file, "../") || path.IsAbs(file) {
		return ""
	}
	segments := strings.Split(file, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	link := strings.TrimSuffix(base, "/") + "/" + strings.Join(segments, "/")
	if n > 0 {
		link += fmt.Sprintf("#L%d", n)
	}
	return link
}

func position(file string, n int) string {
	if file == "" || n <= 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, n)
}

// anchor makes an element's id of a finding's.
func anchor(id string) string {
	return "f-" + strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, id)
}

func standingWord(s verdict.Standing) string {
	switch s {
	case verdict.New:
		return "New"
	case verdict.Over:
		return "Over"
	case verdict.Expired:
		return "Expired"
	case verdict.Known:
		return "Known"
	case verdict.Noted:
		return "Noted"
	}
	return line(string(s))
}
