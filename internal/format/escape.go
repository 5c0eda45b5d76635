package format

import (
	"fmt"
	"html"
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxField bounds one string of the data where people read it, in bytes. Sources of the data keep theirs far shorter; a
// fragment from elsewhere need not.
const maxField = 600

// visible gives the text in one line in which nothing acts: control characters, marks that turn the direction of text, and
// bytes that are no UTF-8 are written as escapes. It is cut after maxField bytes.
func visible(s string) string {
	return visibleIn(cut(s, maxField))
}

func visibleIn(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n <= 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\t':
			b.WriteByte(' ')
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case acts(r):
			if r < 0x80 {
				fmt.Fprintf(&b, `\x%02x`, r)
			} else {
				fmt.Fprintf(&b, `\u%04x`, r)
			}
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// acts says whether a character is an instruction instead of a sign.
func acts(r rune) bool {
	switch {
	case unicode.IsControl(r), r == 0x2028, r == 0x2029, r == 0xfeff, r == 0xfffe, r == 0xffff:
		return true
	case r == 0x61c, r == 0x200e, r == 0x200f, 0x202a <= r && r <= 0x202e, 0x2066 <= r && r <= 0x2069: // Unicode's Bidi_Control
		return true
	}
	return false
}

// lines gives a text of several lines, each as visible gives it, without empty ones around them.
func lines(s string) []string {
	all := strings.Split(strings.Trim(strings.ReplaceAll(cut(s, 8*maxField), "\r\n", "\n"), "\n"), "\n")
	for i := range all {
		all[i] = visible(all[i])
	}
	return all
}

// cut shortens a text to at most n bytes, at a character's end, and says so.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	s = s[:n]
	for len(s) > 0 {
		r, size := utf8.DecodeLastRuneInString(s)
		if r != utf8.RuneError || size > 1 || len(s) < n-utf8.UTFMax {
			break
		}
		s = s[:len(s)-1]
	}
	return s + "…"
}

// Runners take lines of a log as commands: GitHub's when a line begins with "::", or has "##[" anywhere; Azure's "##vso[" and
// TeamCity's "##teamcity[" likewise. Each is given a space that keeps it readable.
var runnerCommand = regexp.MustCompile(`##([\w.]*\[)`)

// logLine makes a line of a log that no runner takes as a command.
func logLine(s string) string {
	if strings.Contains(s, "##") {
		s = runnerCommand.ReplaceAllString(s, "# #$1")
	}
	trimmed := strings.TrimLeftFunc(s, unicode.IsSpace)
	if rest, ok := strings.CutPrefix(trimmed, "::"); ok {
		s = s[:len(s)-len(trimmed)] + ": :" + rest
	}
	return s
}

// GitHub's runner (src/Runner.Common/ActionCommand.cs in actions/runner) ends a command's properties at "::", parts them at
// commas and takes each at its first "=". It undoes these escapes after that, "%" last.
var (
	annotationData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	annotationProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// codeBlock gives lines as a fenced block of Markdown. The fence is longer than any in the text, so that none can end it.
func codeBlock(language, text string) string {
	fence := strings.Repeat("`", max(3, longestRun(text, '`')+1))
	return fence + language + "\n" + strings.TrimRight(text, "\n") + "\n" + fence + "\n"
}

func longestRun(s string, c byte) int {
	most, run := 0, 0
	for i := range len(s) {
		if s[i] == c {
			run++
			most = max(most, run)
		} else {
			run = 0
		}
	}
	return most
}

// htmlCode gives a text as HTML for a place where Markdown is not read, such as the line of a <summary>. In <code> GitHub looks
// for neither mentions nor references to issues.
func htmlCode(s string) string {
	return "<code>" + html.EscapeString(strings.TrimSpace(visible(s))) + "</code>"
}

// relative cleans a path with slashes. It is "" for one that leads out of the tree it is relative to.
func relative(p string) string {
	if p == "" || strings.ContainsRune(p, 0) {
		return ""
	}
	p = path.Clean(strings.ToValidUTF8(p, "\uFFFD"))
	if p == "." || p == ".." || strings.HasPrefix(p, "../") || strings.HasPrefix(p, "/") || isDrive(p) {
		return ""
	}
	return p
}

func isDrive(p string) bool {
	return len(p) > 1 && p[1] == ':' && ('a' <= p[0]|0x20 && p[0]|0x20 <= 'z')
}

// relativeURI gives a path as a URI reference (RFC 3986): percent-encoded, colons too, of which one would end a scheme.
func relativeURI(p string) string {
	parts := strings.Split(p, "/")
	for i := range parts {
		parts[i] = strings.ReplaceAll(url.PathEscape(parts[i]), ":", "%3A")
	}
	return strings.Join(parts, "/")
}

var xmlSpecial = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")

// xmlAttribute is for what xmlText gave. A parser makes blanks of line ends and tabs in an attribute that stand as they are.
var xmlAttribute = strings.NewReplacer(`"`, "&#34;", "\n", "&#xA;", "\t", "&#x9;")

// xmlText gives a text as the content of an element, with U+FFFD for what XML 1.0 has no way to write: bytes that are no
// UTF-8, and most control characters.
func xmlText(s string) string {
	if !isPlain(s) {
		s = strings.Map(func(r rune) rune {
			switch {
			case r == '\t', r == '\n', r == '\r', 0x20 <= r && r <= 0xd7ff, 0xe000 <= r && r <= 0xfffd, 0x10000 <= r && r <= 0x10ffff:
				return r
			}
			return '\uFFFD'
		}, strings.ToValidUTF8(s, "\uFFFD"))
	}
	return xmlSpecial.Replace(s)
}
