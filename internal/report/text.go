package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/leakgate/leakgate/internal/callsite"
)

// Most that a text report shows; the rest is counted.
const (
	maxShown  = 10
	maxFrames = 6
	maxHolds  = 8
)

// DocURL is the page that explains the codes.
const DocURL = "https://github.com/leakgate/leakgate/blob/main/docs/codes.md"

// Text is how a check is rendered.
type Text struct {
	Who     string        // "leakcheck"
	Scope   string        // the test that the check belongs to, so that it need not be said again
	Leaks   []Leak        // as Finish gives them
	Ignored []Ignored     // what the caller's own rules set aside
	Waited  time.Duration // how long the check looked before it gave up
	Looks   int           // how often
	Ages    bool          // say how long was waited (off where the text must not vary)
	Preface string        // one more line after the verdict; "" for none
	Accept  string        // the command that lets the baseline know these; "" to say none
	Nobody  string        // what to say of a leak that no test is known for; "" for nothing
}

// Ignored counts what one rule set aside.
type Ignored struct {
	Reason string
	Count  int
}

// Verdict is the first line, complete in itself.
func (t Text) Verdict() string {
	n, notes := 0, 0
	for _, l := range t.Leaks {
		if l.Note {
			notes += l.Count
		} else {
			n += l.Count
		}
	}
	who := t.Who
	if who == "" {
		who = "leakcheck"
	}
	if len(t.Leaks) == 0 {
		return who + ": no leaks"
	}
	first := t.Leaks[0]
	head := first.Summary
	if first.Count > 1 {
		head = fmt.Sprintf("%s (×%d)", head, first.Count)
	}
	switch {
	case n == 0:
		return fmt.Sprintf("%s: %s: %s", who, count(notes, "finding"), head)
	case len(t.Leaks) == 1:
		return fmt.Sprintf("%s: %s: %s", who, count(n, "leak"), head)
	}
	more := fmt.Sprintf("; and %s", count(len(t.Leaks)-1, "more entry"))
	return fmt.Sprintf("%s: %s: %s%s", who, count(n, "leak"), head, more)
}

// String is the whole report.
func (t Text) String() string {
	var b strings.Builder
	b.WriteString(t.Verdict())
	b.WriteByte('\n')
	if t.Preface != "" {
		fmt.Fprintf(&b, "  %s\n", t.Preface)
	}
	for i, l := range t.Leaks {
		if i == maxShown {
			rest := 0
			for _, l := range t.Leaks[i:] {
				rest += l.Count
			}
			fmt.Fprintf(&b, "\n  … and %s of %s more, not shown\n", count(rest, "leak"), count(len(t.Leaks)-i, "kind"))
			break
		}
		b.WriteByte('\n')
		t.entry(&b, l)
	}
	if t.Ages && t.Waited > 0 && len(t.Leaks) > 0 {
		fmt.Fprintf(&b, "\n  still so after %s (%s)\n", t.Waited.Round(time.Millisecond), count(t.Looks, "look"))
	}
	if t.Accept != "" {
		fmt.Fprintf(&b, "\n  to accept it into the baseline: %s\n", t.Accept)
	}
	for _, ig := range t.Ignored {
		fmt.Fprintf(&b, "\n  ignored: %d (%s)\n", ig.Count, ig.Reason)
	}
	return strings.TrimRight(b.String(), "\n")
}

// callers gives the frames that are shown below the site. What a library does between the site and the resource, such as an
// ORM between a query and its rows, is not the reader's.
func callers(l Leak) []callsite.Frame {
	before := slices.Index(l.Stack, l.Site)
	var out []callsite.Frame
	for i, f := range l.Stack {
		if f != l.Site && (i > before || !callsite.IsDependency(f)) {
			out = append(out, f)
		}
	}
	return out
}

func (t Text) entry(b *strings.Builder, l Leak) {
	fmt.Fprintf(b, "  %s %s", l.Code, l.Kind)
	if l.Count > 1 {
		fmt.Fprintf(b, " ×%d", l.Count)
	}
	if l.Test != "" && l.Test != t.Scope {
		fmt.Fprintf(b, " by %s", l.Test)
	}
	b.WriteByte('\n')
	row := func(name, text string) { fmt.Fprintf(b, "    %-11s %s\n", name, text) }

	if len(t.Leaks) > 1 {
		row("what", l.Summary)
	}
	if l.Test == "" && len(l.Suspects) > 0 {
		row("unattributed", "could have been "+list(l.Suspects)+", or a test that does not call Verify")
	}
	role := l.Role
	if role == "" {
		role = RoleTaken
	}
	if nobody := cmp.Or(l.Nobody, t.Nobody); l.Test == "" && len(l.Suspects) == 0 && nobody != "" {
		row("test", nobody)
	}
	if l.Site.Func != "" {
		row(role, where(l.Site))
		src := l.Source
		if src == "" {
			src = callsite.Source(l.Site)
		}
		if src != "" {
			row("", "    "+src)
		}
	}
	via := callers(l)
	shown := 0
	for _, f := range via {
		if shown == maxFrames-1 {
			row("", fmt.Sprintf("… %s more", count(len(via)-shown, "frame")))
			break
		}
		name := ""
		if shown == 0 {
			name = "via"
			if role == "started at" {
				name = "now in"
			}
		}
		row(name, where(f))
		shown++
	}
	if l.State != "" {
		row("state", l.State)
	}
	if l.Why != "" {
		name := ""
		if l.State == "" {
			name = "state" // else it goes on with the one above
		}
		row(name, l.Why)
	}
	for i, h := range l.Holds {
		if i == maxHolds {
			row("", fmt.Sprintf("… and %d more", len(l.Holds)-i))
			break
		}
		name := ""
		if i == 0 {
			name = "also holds"
			if l.Count > 1 {
				name = "each holds"
			}
			if l.HoldsAs != "" {
				name = l.HoldsAs
			}
		}
		row(name, h)
	}
	if l.Baseline != "" {
		row("baseline", strings.TrimPrefix(l.Baseline, "the baseline "))
	}
	if l.Hint != "" {
		name := "fix"
		if l.Probably {
			name = "fix, likely"
		}
		row(name, l.Hint)
	}
	if l.Unknown != "" {
		row("no line", l.Unknown)
	}
	row("see", DocURL+"#"+strings.ToLower(l.Code))
}

// where is "file:line  function", the function without the path of its package's folder.
func where(f callsite.Frame) string {
	fn := f.Func[strings.LastIndexByte(f.Func, '/')+1:]
	if f.File == "" {
		return fn
	}
	return fmt.Sprintf("%s:%d  %s", callsite.Short(f.File), f.Line, fn)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if s, ok := strings.CutSuffix(what, "y"); ok {
		return fmt.Sprintf("%d %sies", n, s)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func list(names []string) string {
	const most = 10
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" or %d more", len(names)-most)
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
	return names[0]
}
