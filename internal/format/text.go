package format

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/codes"
	"github.com/leakgate/leakgate/internal/verdict"
)

// Most that a text shows; the rest is counted.
const (
	maxShown  = 10
	maxFrames = 6
	maxHolds  = 8
	maxNames  = 10
)

// style is how a part of a text is coloured on a terminal.
type style string

const (
	plain  style = ""
	strong style = "1"
	red    style = "1;31"
	green  style = "1;32"
	yellow style = "33"
	faint  style = "2"
)

// text writes lines for people. Each is made safe for a terminal and for a runner's log.
type text struct {
	b      strings.Builder
	colour bool
}

// line writes one line, indented by levels of two blanks.
func (t *text) line(level int, st style, s string) {
	s = logLine(s)
	if s == "" {
		t.b.WriteByte('\n')
		return
	}
	t.b.WriteString(strings.Repeat("  ", level))
	t.b.WriteString(t.paint(st, s))
	t.b.WriteByte('\n')
}

func (t *text) paint(st style, s string) string {
	if !t.colour || st == plain || s == "" {
		return s
	}
	return "\x1b[" + string(st) + "m" + s + "\x1b[0m"
}

// title writes the first line of a section, after an empty one.
func (t *text) title(st style, format string, args ...any) {
	t.line(0, plain, "")
	t.line(1, st, fmt.Sprintf(format, args...))
}

// row writes a name and its text, as the report of a test does. More lines of the text stand below the first.
func (t *text) row(name string, st style, all ...string) {
	for i, s := range all {
		if i > 0 {
			name = ""
		}
		t.b.WriteString("    ")
		t.b.WriteString(t.paint(faint, fmt.Sprintf("%-11s", logLine(name))))
		t.b.WriteByte(' ')
		t.b.WriteString(t.paint(st, logLine(s)))
		t.b.WriteByte('\n')
	}
}

// Text writes the verdict for a terminal or a log: the first line says it all, then comes each leak that fails, worst first
// and ten at most unless Options.All, then what is to be done about the baseline, then what was left out and why.
func Text(w io.Writer, v *verdict.Verdict, o Options) error {
	t := &text{colour: o.Colour}
	first := green
	switch {
	case v.Red():
		first = red
	case len(v.Problems) > 0 || v.Fragments == 0:
		first = yellow
	}
	t.line(0, first, headline(v))
	t.line(1, faint, ran(v))
	t.findings(v, o)
	t.known(v)
	t.stale(v)
	t.unjudged(v)
	t.leftOut(v)
	_, err := io.WriteString(w, t.b.String())
	return err
}

func (t *text) findings(v *verdict.Verdict, o Options) {
	fails := failing(v)
	for i, f := range fails {
		if i == maxShown && !o.All {
			rest := 0
			for _, f := range fails[i:] {
				rest += f.Count
			}
			t.line(0, plain, "")
			t.line(1, plain, fmt.Sprintf("… and %s of %s more: -all shows them, and so do the formats html and json",
				plural(rest, "leak"), plural(len(fails)-i, "kind")))
			break
		}
		t.line(0, plain, "")
		t.entry(v, f)
	}
	if len(fails) > 0 {
		t.line(0, plain, "")
		t.accept(v)
	}
}

// accept says how the failing leaks come into the baseline.
func (t *text) accept(v *verdict.Verdict) {
	commands := acceptCommands(v)
	if len(commands) == 1 {
		t.line(1, plain, "to accept what is there today: "+commands[0])
		return
	}
	t.line(1, plain, "to accept what is there today:")
	for _, c := range commands {
		t.line(2, plain, c)
	}
}

// entry writes one finding, as the report of a test writes a leak.
func (t *text) entry(v *verdict.Verdict, f *verdict.Finding) {
	l := &f.Leak
	head := visible(l.Code) + " " + visible(l.Kind)
	if f.Count > 1 {
		head += fmt.Sprintf(" ×%d", f.Count)
	}
	t.line(1, strong, head)
	t.row("what", plain, visible(l.Summary))
	in := visible(f.Package)
	if len(f.Tests) > 0 {
		in = names(f.Tests, ", ", "and") + " in " + in
	}
	switch {
	case len(f.Tests) > 0:
		t.row("test", plain, in)
	case len(l.Suspects) > 0:
		t.row("package", plain, in)
		t.row("unattributed", plain, "could have been "+names(l.Suspects, ", ", "or")+", or a test that does not call Verify")
	default:
		t.row("package", plain, in)
		t.row("test", plain, "not known")
	}
	t.site(f)
	if l.State != "" {
		t.row("state", plain, lines(l.State)...)
	}
	if l.Why != "" {
		name := ""
		if l.State == "" {
			name = "state" // else it goes on with the one above
		}
		t.row(name, plain, lines(l.Why)...)
	}
	t.holds(f)
	if l.Waited > 0 {
		t.row("waited", plain, "still so after "+l.Waited.Round(time.Millisecond).String())
	}
	if l.Hint != "" {
		name := "fix"
		if l.Likely {
			name = "fix, likely"
		}
		t.row(name, green, lines(l.Hint)...)
	}
	if l.Unknown != "" {
		t.row("no line", plain, lines(l.Unknown)...)
	}
	if f.Runs < f.Of {
		t.row("found", plain, fmt.Sprintf("in %d of %s", f.Runs, plural(f.Of, "run")))
	}
	st := red
	if !f.Fails() {
		st = plain
	}
	t.row(string(f.Standing), st, ruling(v, f))
	if see := docURL(l.Code); see != "" {
		t.row("see", plain, see)
	}
}

// site writes the line to blame, its source, and who called it.
func (t *text) site(f *verdict.Finding) {
	l := &f.Leak
	if l.Site.Func != "" || l.Site.File != "" {
		role := visible(cmp.Or(l.Role, "taken at"))
		if l.Example {
			role = "for example"
		}
		t.row(role, plain, where(f, l.Site))
		if l.Site.Source != "" {
			t.row("", strong, "    "+visible(l.Site.Source))
		}
	}
	via := callers(l)
	for i, fr := range via {
		if i == maxFrames-1 && len(via) > maxFrames-1 {
			t.row("", plain, fmt.Sprintf("… %s more", plural(len(via)-i, "frame")))
			break
		}
		name := ""
		if i == 0 {
			name = "via"
			if l.Role == "started at" {
				name = "now in"
			}
		}
		t.row(name, plain, where(f, fr))
	}
}

// callers gives the frames that are shown below the site. What a library does between the site and the resource, such as an ORM
// between a query and its rows, is not the reader's.
func callers(l *fragment.Leak) []fragment.Frame {
	before := slices.Index(l.Stack, l.Site)
	var out []fragment.Frame
	for i, fr := range l.Stack {
		if fr != l.Site && (i > before || fr.InModule) {
			out = append(out, fr)
		}
	}
	return out
}

// where is "file:line  function", the function without the path of its package's folder.
func where(f *verdict.Finding, fr fragment.Frame) string {
	return strings.TrimSpace(fileLine(f, fr) + "  " + visible(fr.Func[strings.LastIndexByte(fr.Func, '/')+1:]))
}

// fileLine is "file:line", the file from the repository's root when it is in it.
func fileLine(f *verdict.Finding, fr fragment.Frame) string {
	file := cmp.Or(inRepo(f, fr), fr.File)
	if file == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", visible(file), fr.Line)
}

func (t *text) holds(f *verdict.Finding) {
	var all []string
	for i, h := range f.Leak.Holds {
		if i == maxHolds {
			all = append(all, fmt.Sprintf("… and %d more", len(f.Leak.Holds)-i))
			break
		}
		all = append(all, visible(h))
	}
	t.row(codes.HoldsWord(f.Leak.Code, f.Leak.Count), plain, all...)
}

// known counts what does not fail. What was noted is listed, because nothing else shows it.
func (t *text) known(v *verdict.Verdict) {
	n := v.Counts()
	if n.Known > 0 {
		t.title(plain, "known: %s of %s, in %s", plural(n.KnownLeaks, "leak"), plural(n.Known, "kind"), baselineName(v))
	}
	if n.Noted == 0 {
		return
	}
	t.title(plain, "noted: %s, which do not fail", plural(n.Noted, "finding"))
	shown := 0
	for i := range v.Findings {
		f := &v.Findings[i]
		if f.Standing != verdict.Noted {
			continue
		}
		if shown == maxShown {
			t.line(2, plain, fmt.Sprintf("… and %s more", plural(n.Noted-shown, "finding")))
			break
		}
		shown++
		t.line(2, plain, fmt.Sprintf("%s %s: %s", visible(f.Leak.Code), title(f), ruling(v, f)))
		if f.Path != "" {
			t.line(3, faint, fmt.Sprintf("%s:%d", visible(f.Path), f.Line))
		}
	}
}

// stale lists entries that must leave the baseline, and says how.
func (t *text) stale(v *verdict.Verdict) {
	if len(v.Stale) == 0 {
		return
	}
	t.title(yellow, "stale: %s of the baseline, of whose leaks fewer are left. Take them out:", plural(len(v.Stale), "entry"))
	for _, c := range pruneCommands(v) {
		t.line(2, strong, c)
	}
	for i, s := range v.Stale {
		if i == maxShown {
			t.line(2, plain, fmt.Sprintf("… and %d more", len(v.Stale)-i))
			break
		}
		now := "gone"
		if s.Count > 0 {
			now = fmt.Sprintf("%d of %d left", s.Count, s.Entry.Count)
		}
		t.line(2, plain, fmt.Sprintf("%s: %s", now, visible(s.Entry.Fingerprint)))
		t.line(3, faint, visible(s.Entry.Package)+entryAt(s.File, s.Entry.Line))
	}
}

func entryAt(file string, line int) string {
	if line <= 0 || file == "" {
		return ""
	}
	return fmt.Sprintf(", %s:%d", visible(file), line)
}

// unjudged counts by reason the entries of which the run proves nothing.
func (t *text) unjudged(v *verdict.Verdict) {
	if len(v.Unjudged) == 0 {
		return
	}
	t.title(plain, "not judged: %s of the baseline, of which this run proves nothing", plural(len(v.Unjudged), "entry"))
	n := map[string]int{}
	for _, u := range v.Unjudged {
		n[u.Why]++
	}
	t.counts(n)
}

// counts lists reasons with how often each was given, the most frequent first.
func (t *text) counts(n map[string]int) {
	var whys []string
	for why := range n {
		whys = append(whys, why)
	}
	slices.SortFunc(whys, func(a, b string) int { return cmp.Or(cmp.Compare(n[b], n[a]), cmp.Compare(a, b)) })
	for i, why := range whys {
		if i == maxShown {
			t.line(2, plain, fmt.Sprintf("… and %s more", plural(len(whys)-i, "reason")))
			break
		}
		t.line(2, plain, fmt.Sprintf("%d: %s", n[why], visible(why)))
	}
}

// leftOut says what the verdict does not cover: what was ignored, what ended too early, what could not be read.
func (t *text) leftOut(v *verdict.Verdict) {
	if len(v.Ignored) > 0 {
		n, total := map[string]int{}, 0
		for _, ig := range v.Ignored {
			n[ig.Reason] += ig.Count
			total += ig.Count
		}
		t.title(plain, "ignored: %d, by options of the tests", total)
		t.counts(n)
	}
	said := fmt.Sprintf("ignores that matched nothing: %d. Take them out", len(v.Unused))
	list(t, plain, said, v.Unused, func(u verdict.UnusedIgnore) string { return visible(u.Package) + ": " + visible(u.Ignore) })
	said = fmt.Sprintf("ended without a word: %s, killed or by a panic or os.Exit. What came after is not in the report",
		plural(len(v.Unended), "process"))
	list(t, yellow, said, v.Unended, func(h fragment.Header) string { return fmt.Sprintf("%s, process %d", visible(h.Package), h.PID) })
	list(t, yellow, fmt.Sprintf("could not be used: %s", plural(len(v.Problems), "file")), v.Problems, problem)
}

// list writes a title and a line for each, if there is any.
func list[E any](t *text, st style, title string, all []E, say func(E) string) {
	for i, e := range all {
		if i == 0 {
			t.title(st, "%s", title)
		}
		if i == maxShown {
			t.line(2, plain, fmt.Sprintf("… and %d more", len(all)-i))
			return
		}
		t.line(2, plain, say(e))
	}
}

func problem(p verdict.Problem) string {
	said := "not readable"
	if p.Err != nil {
		said = visible(p.Err.Error())
	}
	if p.File == "" || strings.Contains(said, visible(p.File)) {
		return said
	}
	return visible(p.File) + ": " + said
}

// names lists names, and counts those beyond the tenth.
func names(all []string, comma, last string) string {
	var out []string
	for i, n := range all {
		if i == maxNames {
			return strings.Join(out, comma) + fmt.Sprintf(" %s %d more", last, len(all)-i)
		}
		out = append(out, visible(n))
	}
	if n := len(out); n > 1 {
		return strings.Join(out[:n-1], comma) + " " + last + " " + out[n-1]
	}
	return strings.Join(out, "")
}
