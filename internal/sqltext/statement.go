// Package sqltext gives SQL statements for a report, without what may be a secret.
//
// It uses the standard library alone.
package sqltext

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxStatement is how much of a statement a report shows, in characters.
const maxStatement = 160

// Statement gives a statement for a report: on one line, without comments, cut when it is long, and with every literal
// hidden, since it may be a secret. Where it is not certain in every dialect where a literal ends, the rest is left out.
//
// A text in double quotes is a name in one dialect and a literal in another: it is shown only where no literal can be.
func Statement(query string) string {
	out := hideLiterals(query)
	if utf8.RuneCountInString(out) > maxStatement {
		out = string([]rune(out)[:maxStatement]) + "…"
	}
	return strings.TrimRight(out, "; ")
}

// Hide gives a statement as Statement does, but not cut, however long it is.
func Hide(query string) string { return hideLiterals(query) }

// hider writes a statement without its literals.
type hider struct {
	b      strings.Builder
	space  bool   // white space was left out
	last   string // the word or character before
	before string // the one before that
	within []bool // for each parenthesis that is open: a query is in it
}

func (h *hider) write(s string) {
	if h.space && h.b.Len() > 0 {
		h.b.WriteByte(' ')
	}
	h.space = false
	h.b.WriteString(s)
	h.before, h.last = h.last, s
	switch top := len(h.within) - 1; {
	case s == "(":
		h.within = append(h.within, false)
	case s == ")" && top >= 0:
		h.within = h.within[:top]
	case top >= 0 && (strings.EqualFold(s, "SELECT") || strings.EqualFold(s, "DELETE")):
		h.within[top] = true
	}
}

func hideLiterals(q string) string {
	var h hider
	unsure := strings.Contains(q, `\'`) || strings.Contains(q, `\"`) // an escape, or the end of the literal
	for i := 0; i < len(q); {
		c, size := utf8.DecodeRuneInString(q[i:])
		switch rest := q[i:]; {
		case unicode.IsSpace(c):
			h.space = true
			i += size
		case strings.HasPrefix(rest, "--"):
			if !endsWord(rest[2:]) && moves(rest[2:lineEnd(rest)]) { // two minus signs in MySQL
				return h.cut()
			}
			h.space = true
			i += lineEnd(rest)
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 || strings.Contains(rest[2:2+end], "/*") { // comments nest in Postgres, and nowhere else
				return h.cut()
			}
			h.space = true
			i += end + 4
		case c == '#' && (!operator(rest) || moves(rest[1:lineEnd(rest)])): // a comment of MySQL, or an operator of Postgres
			return h.cut()
		case c == '\'' && !h.space && (strings.EqualFold(h.last, "q") || strings.EqualFold(h.last, "nq")): // Oracle's q'[it's]'
			return h.cut()
		case c == '\'' || c == '"':
			n, ok := quoted(rest)
			if !ok || unsure {
				return h.cut()
			}
			if c == '"' && h.name(rest[n:]) {
				h.write(rest[:n])
			} else {
				h.write(string(c) + "…" + string(c))
			}
			i += n
		case c == '`' || c == '[':
			n := strings.IndexByte(rest, map[rune]byte{'`': '`', '[': ']'}[c])
			if c == '`' {
				n = strings.IndexByte(rest[1:], '`') + 1
			}
			if n <= 0 || strings.ContainsAny(rest[:n], `'"`) {
				n = 0
				if c == '`' {
					return h.cut()
				}
			}
			if c == '[' { // a name, or an array, whose elements may be literals
				if n = strings.IndexByte(rest, ']'); n > 0 && uneven(rest[:n]) {
					return h.cut()
				}
				n = 0
			}
			h.write(rest[:n+1])
			i += n + 1
		case c == '$':
			if n, ok := dollarQuoted(rest); ok {
				if n == 0 || !h.space && isWord(h.lastRune()) { // a$b$ is a name
					return h.cut()
				}
				h.write("$…$")
				i += n
				break
			}
			n := 1 + word(rest[1:])
			h.write(rest[:n])
			i += n
		case c >= '0' && c <= '9' || c == '.' && len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9' && !isWord(h.lastRune()):
			i += number(rest)
			h.write("?")
		case c == '@' || c == ':' || c == '?':
			n := 1 + word(rest[1:]) // a parameter
			h.write(rest[:n])
			i += n
		case isWord(c):
			n := word(rest)
			h.write(rest[:n])
			i += n
		default:
			h.write(rest[:size])
			i += size
		}
	}
	return h.b.String()
}

func (h *hider) cut() string {
	h.write("…")
	return h.b.String()
}

func (h *hider) lastRune() rune {
	r, _ := utf8.DecodeLastRuneInString(h.last)
	return r
}

// name says whether a text in double quotes that comes now, with after behind it, can only be a name.
func (h *hider) name(after string) bool {
	if h.last == "." || strings.HasPrefix(after, ".") {
		return true
	}
	switch strings.ToUpper(h.last) {
	case "FROM": // not that of TRIM(… FROM "…"), and of IS DISTINCT FROM "…"
		top := len(h.within) - 1
		return (top < 0 || h.within[top]) && !strings.EqualFold(h.before, "DISTINCT")
	case "JOIN", "INTO", "UPDATE", "TABLE":
		return true
	}
	return false
}

// endsWord says whether what comes now is white space, or nothing.
func endsWord(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return s == "" || unicode.IsSpace(r)
}

// operator says whether s begins with an operator of Postgres on JSON: #>, #>> or #-. Any other # may begin a comment.
func operator(s string) bool { return strings.HasPrefix(s, "#>") || strings.HasPrefix(s, "#-") }

// moves says whether a text, which is a comment in one dialect and none in another, has something in it that a literal or a
// comment could begin with.
func moves(s string) bool { return strings.ContainsAny(s, "'\"`$[") || strings.Contains(s, "/*") }

// uneven says whether a text, which is a name in one dialect and none in another, may have a quote open at its end.
func uneven(s string) bool {
	one, two := strings.Count(s, "'"), strings.Count(s, `"`)
	return one%2 != 0 || two%2 != 0 || one > 0 && two > 0
}

func lineEnd(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i
	}
	return len(s)
}

// quoted gives the length of the quoted text that s begins with; a doubled quote is a part of it.
func quoted(s string) (n int, ok bool) {
	for i := 1; i < len(s); i++ {
		if s[i] != s[0] {
			continue
		}
		if i+1 < len(s) && s[i+1] == s[0] {
			i++
			continue
		}
		return i + 1, true
	}
	return len(s), false
}

// dollarQuoted gives the length of $tag$…$tag$; ok is false when s does not begin one, and the length 0 when it has no end.
func dollarQuoted(s string) (n int, ok bool) {
	end := strings.IndexByte(s[1:], '$')
	if end < 0 {
		return 0, false
	}
	tag := s[:end+2]
	if word(tag[1:]) != len(tag)-2 || len(tag) > 2 && tag[1] >= '0' && tag[1] <= '9' {
		return 0, false
	}
	rest := strings.Index(s[len(tag):], tag)
	if rest < 0 {
		return 0, true
	}
	return rest + 2*len(tag), true
}

func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// word gives the length of the letters, digits and underscores that s begins with.
func word(s string) int {
	for i, r := range s {
		if !isWord(r) {
			return i
		}
	}
	return len(s)
}

// number gives the length of a number: 12, 1.5, 1e-9, 0xff.
func number(s string) int {
	i := 0
	for i < len(s) {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case isWord(r) || r == '.':
		case (r == '-' || r == '+') && i > 0 && (s[i-1] == 'e' || s[i-1] == 'E') && !strings.HasPrefix(s, "0x"):
		default:
			return i
		}
		i += size
	}
	return i
}
