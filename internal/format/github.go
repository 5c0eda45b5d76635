package format

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"strings"

	"github.com/leakgate/leakgate/internal/verdict"
)

// Limits of GitHub Actions: of a step's annotations ten errors are shown (actions/toolkit, docs/problem-matchers.md), and a
// job summary of more than 1 MiB is not shown at all.
const (
	maxAnnotations = 10
	maxTitle       = 200
	maxMessage     = 4000
	maxSummary     = 1 << 20
	maxDetails     = 50
)

// GitHub writes annotations for the log of a GitHub Actions step: an error for each of the ten worst findings that fail, and
// a warning for what is to be done beside that. Print it once in a step: GitHub shows ten of a step's errors, whoever wrote
// them.
func GitHub(w io.Writer, v *verdict.Verdict, o Options) error {
	var b strings.Builder
	at := newPlaces(o)
	b.WriteString(logLine(headline(v)) + "\n")
	fails := failing(v)
	for i, f := range fails {
		if i == maxAnnotations {
			rest := 0
			for _, f := range fails[i:] {
				rest += f.Count
			}
			warn(&b, "and %s of %s more: see the job summary", plural(rest, "leak"), plural(len(fails)-i, "kind"))
			break
		}
		annotateFinding(&b, v, f, at.of(f))
	}
	if n := len(v.Stale); n > 0 {
		warn(&b, "%s of the baseline, of whose leaks fewer are left. Take them out:\n%s",
			plural(n, "stale entry"), strings.Join(pruneCommands(v), "\n"))
	}
	if n := len(v.Unended); n > 0 {
		warn(&b, "%s ended without a word: what came after is not in the report", plural(n, "process"))
	}
	for i, p := range v.Problems {
		if i == maxAnnotations-4 { // as many as are shown beside the three above
			warn(&b, "and %d more files could not be used", len(v.Problems)-i)
			break
		}
		annotation(&b, "warning", place{}, "Leakgate could not use a file", problem(p))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func warn(b *strings.Builder, said string, args ...any) {
	annotation(b, "warning", place{}, "Leakgate", fmt.Sprintf(said, args...))
}

func annotateFinding(b *strings.Builder, v *verdict.Verdict, f *verdict.Finding, at place) {
	l := &f.Leak
	head := visible(l.Code) + " " + visible(l.Kind)
	if f.Count > 1 {
		head += fmt.Sprintf(" ×%d", f.Count)
	}
	said := sentences(v, f, at)
	if at.what != "" {
		said = append(said, "Shown at "+at.what+".")
	}
	if see := docURL(l.Code); see != "" {
		said = append(said, "See "+see)
	}
	annotation(b, "error", at, head, strings.Join(said, "\n"))
}

// annotation writes one command for GitHub's runner.
func annotation(b *strings.Builder, level string, at place, head, message string) {
	b.WriteString("::" + level)
	sep := " "
	property := func(name, value string) {
		if value != "" {
			b.WriteString(sep + name + "=" + annotationProperty.Replace(value))
			sep = ","
		}
	}
	property("file", visible(at.path))
	if at.line > 0 {
		property("line", fmt.Sprint(at.line))
		property("endLine", fmt.Sprint(at.line))
	}
	property("title", cut(head, maxTitle))
	b.WriteString("::" + annotationData.Replace(cut(message, maxMessage)) + "\n")
}

// Summary writes the verdict in Markdown for the job summary of GitHub Actions (GITHUB_STEP_SUMMARY), in less than the 1 MiB
// that GitHub takes. What does not fit is counted.
func Summary(w io.Writer, v *verdict.Verdict, o Options) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "## Leakgate: %s\n\n", verdictWord(v))
	b.WriteString("<p>" + htmlCode(headline(v)) + "</p>\n\n")
	n := v.Counts()
	b.WriteString("| fail | new | over | expired | known | noted | stale entries | not judged | tests | packages |\n")
	b.WriteString("|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	fmt.Fprintf(&b, "| %d | %d | %d | %d | %d | %d | %d | %d | %d | %d |\n\n",
		n.Fail, n.New, n.Over, n.Expired, n.Known, n.Noted, n.Stale, n.Unjudged, n.Tests, n.Packages)

	tail := summaryTail(v)
	room := maxSummary - b.Len() - len(tail) - 200 // of the line that counts the rest
	at := newPlaces(o)
	fails := failing(v)
	if len(fails) > 0 {
		b.WriteString("### What fails\n\n")
	}
	for i, f := range fails {
		part := summaryFinding(v, f, at.of(f), o, i < maxDetails)
		if room -= len(part); room < 0 {
			fmt.Fprintf(&b, "\n… and %s more, for which there is no room here.\n\n", plural(len(fails)-i, "kind"))
			break
		}
		b.WriteString(part)
	}
	b.WriteString(tail)
	_, err := w.Write(b.Bytes())
	return err
}

func verdictWord(v *verdict.Verdict) string {
	switch {
	case v.Red():
		return "failed"
	case v.Fragments == 0:
		return "nothing was judged"
	case len(v.Problems) > 0:
		return "passed, but not all could be read"
	}
	return "passed"
}

// summaryFinding is a line that opens, or, without details, a line.
func summaryFinding(v *verdict.Verdict, f *verdict.Finding, at place, o Options, details bool) string {
	head := fmt.Sprintf("<b>%s</b> %s", html.EscapeString(visible(f.Leak.Code)), htmlCode(cut(title(f), 300)))
	where := htmlCode(fmt.Sprintf("%s:%d", at.path, at.line))
	if o.Blob != "" {
		to := fmt.Sprintf("%s%s#L%d", o.Blob, relativeURI(at.path), at.line)
		where = `<a href="` + html.EscapeString(to) + `">` + where + "</a>"
	}
	head += ", " + where + ", " + string(f.Standing)
	if !details {
		return "<p>" + head + "</p>\n\n"
	}
	t := &text{}
	t.entry(v, f)
	return "<details><summary>" + head + "</summary>\n\n" + codeBlock("text", t.b.String()) + "\n</details>\n\n"
}

// summaryTail is what is said after the findings, without their number the same length for any report.
func summaryTail(v *verdict.Verdict) string {
	t := &text{}
	t.known(v)
	t.stale(v)
	t.unjudged(v)
	t.leftOut(v)
	if v.Red() {
		t.line(0, plain, "")
		t.accept(v)
	}
	said := strings.TrimLeft(t.b.String(), "\n")
	if strings.TrimSpace(said) == "" {
		return ""
	}
	return "### Beside that\n\n" + codeBlock("text", cut(said, maxSummary/4))
}
