package page

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Most characters of one text of the data that the page shows.
const (
	maxLine = 400  // what should be one line: a name, a summary, a line of source
	maxText = 4000 // what may be a paragraph
)

// clean makes a text safe to look at: what a terminal or the bidirectional algorithm would act on is spelled out, so that a
// name cannot pass for another. It cuts what is longer than most characters and says so.
func clean(s string, most int) string {
	more := 0
	if len(s) > most {
		s, more = cut(s, most)
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	if strings.ContainsFunc(s, acts) {
		var b strings.Builder
		for _, r := range s {
			if acts(r) {
				fmt.Fprintf(&b, `\u%04x`, r)
			} else {
				b.WriteRune(r)
			}
		}
		s = b.String()
	}
	if more > 0 {
		s += fmt.Sprintf("… (%s more characters)", number(more))
	}
	return s
}

// cut gives the first characters of a text, and how many come after them.
func cut(s string, most int) (head string, more int) {
	n := 0
	for i := range s {
		if n == most {
			return s[:i], utf8.RuneCountInString(s[i:])
		}
		n++
	}
	return s, 0
}

// acts says whether a character does something to those around it instead of being seen.
func acts(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case unicode.IsControl(r):
		return true
	case r == '\u200e' || r == '\u200f' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069':
		return true // direction marks, embeddings, overrides and isolates
	case r == '\u200b' || r == '\u2060' || r == '\ufeff' || r == '\u061c':
		return true // no width
	case r == '\u2028' || r == '\u2029':
		return true // ends of lines
	}
	return false
}

var (
	oneLine  = strings.NewReplacer("\r\n", " ", "\n", " ", "\t", " ")
	anyLines = strings.NewReplacer("\r\n", "\n")
)

func line(s string) string { return clean(oneLine.Replace(s), maxLine) }
func text(s string) string { return clean(anyLines.Replace(s), maxText) }

func lines(all []string, most int) (shown []string, more int) {
	for i, s := range all {
		if i == most {
			return shown, len(all) - most
		}
		shown = append(shown, line(s))
	}
	return shown, 0
}

// number writes 12004 as 12,004.
func number(n int) string {
	s := strconv.Itoa(n)
	from := 0
	if n < 0 {
		from = 1
	}
	for i := len(s) - 3; i > from; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// count writes a number with its noun: "1 leak", "2 leaks", "3 entries".
func count(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "y"):
		return number(n) + " " + strings.TrimSuffix(noun, "y") + "ies"
	case strings.HasSuffix(noun, "s"):
		return number(n) + " " + noun + "es"
	}
	return number(n) + " " + noun + "s"
}

// list joins with commas and a last "and".
func list(parts []string) string {
	if n := len(parts); n > 1 {
		return strings.Join(parts[:n-1], ", ") + " and " + parts[n-1]
	}
	return strings.Join(parts, "")
}

// took writes a duration with at most three digits that mean something.
func took(d time.Duration) string {
	switch {
	case d < 0:
		return "–"
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

// function is a function's name without the path of its package's folder.
func function(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// sentence makes a sentence of a clause.
func sentence(s string) string {
	s = text(s)
	if s == "" {
		return ""
	}
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:] + "."
}
