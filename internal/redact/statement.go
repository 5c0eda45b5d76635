package redact

import (
	"strings"

	"github.com/leakgate/leakgate/internal/sqltext"
)

// maxStatement is how much of one statement is looked at, in bytes. What is beyond is left out.
const maxStatement = 4 << 10

// statements masks the literals of SQL statements.
func statements(s string) string {
	if !strings.ContainsAny(s, "0123456789'\"$") { // every literal has one of them
		return s
	}
	var b strings.Builder
	done := 0
	find := finder{s: s}
	for {
		from := find.next(done, len(s))
		if from < 0 {
			break
		}
		end := statementEnd(s, from)
		b.WriteString(s[done:from] + hideStatement(s[from:end]))
		done = end
	}
	if done == 0 {
		return s
	}
	return b.String() + s[done:]
}

// hideStatement masks one statement. Where nothing was to mask, the blanks and comments stay as they are, too.
func hideStatement(q string) string {
	text := q
	if len(text) > maxStatement {
		text = text[:maxStatement]
	}
	out := sqltext.Hide(text)
	if len(text) < len(q) && !strings.HasSuffix(out, hidden) {
		out += hidden
	}
	if strings.Join(strings.Fields(q), " ") == strings.TrimRight(out, " ") {
		return q
	}
	return out + q[len(strings.TrimRight(q, " \t")):]
}

// statementEnd gives where the statement that begins at from ends: at the quote that it began with, before what a report
// says after it ("; out: …"), or with the text.
func statementEnd(s string, from int) int {
	if from > 0 && (s[from-1] == '"' || s[from-1] == '`') {
		quote := s[from-1]
		if n := strings.IndexByte(s[from:], quote); n >= 0 && strings.IndexByte(s[from+n+1:], quote) < 0 && (n == 0 || s[from+n-1] != '\\') {
			return from + n
		}
		return len(s)
	}
	within, depth := byte(0), 0
	for i := from; i < len(s) && i < from+maxStatement; i++ {
		switch c := s[i]; {
		case c == '\\', c == '$' && i+1 < len(s) && !isDigit(s[i+1]), c == '#', c == '`', strings.HasPrefix(s[i:], "--"), strings.HasPrefix(s[i:], "/*"):
			return len(s) // what is quoted is not certain
		case within != 0:
			if c == within {
				within = 0
			}
		case c == '\'' || c == '"':
			within = c
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth < 0 {
				return i
			}
		case strings.HasPrefix(s[i:], "; ") && i+2 < len(s) && s[i+2] >= 'a' && s[i+2] <= 'z':
			if word := s[i+2 : i+2+words(s[i+2:])]; !verbs[word] {
				return i
			}
		}
	}
	return len(s)
}

// verbs begin a statement.
var verbs = map[string]bool{
	"select": true, "insert": true, "update": true, "delete": true, "with": true, "values": true, "call": true, "exec": true,
	"execute": true, "set": true, "begin": true, "commit": true, "rollback": true, "alter": true, "create": true, "drop": true,
	"grant": true, "copy": true, "merge": true, "replace": true, "declare": true, "do": true, "prepare": true, "use": true,
	"show": true, "explain": true, "truncate": true, "upsert": true, "end": true, "if": true,
}

// finder finds where statements begin.
type finder struct {
	s     string
	lower string
	last  map[string]int
}

// after says whether a word, or another text in lower case, stands somewhere behind i.
func (f *finder) after(i int, texts ...string) bool {
	if f.last == nil {
		f.last = make(map[string]int)
		f.lower = lowerASCII(f.s)
	}
	for _, t := range texts {
		at, known := f.last[t]
		if !known {
			at = strings.LastIndex(f.lower, t)
			f.last[t] = at
		}
		if at > i {
			return true
		}
	}
	return false
}

// lowerASCII keeps every byte in its place.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return string(b)
}

// next gives where the first statement begins that begins at or behind i and before end; -1 for none.
func (f *finder) next(i, before int) int {
	s := f.s
	for i < before {
		c := s[i]
		if !isWord(c) {
			i++
			continue
		}
		end := i + words(s[i:])
		if isAlpha(c) && end-i <= 9 && end < len(s) && f.begins(i, end) {
			return i
		}
		i = end
	}
	return -1
}

// begins says whether the word at i begins a statement, and not a sentence or a request ("DELETE /users/1").
func (f *finder) begins(i, end int) bool {
	if !isSpace(f.s[end]) && f.s[end] != '(' {
		return false
	}
	word := f.s[i:end]
	upper := strings.ToUpper(word) == word
	rest := strings.TrimLeft(f.s[end:], " \t\r\n(")
	next := rest[:words(rest)]
	switch lowerASCII(word) {
	case "select":
		return upper || f.after(i, " from ", "\nfrom ", "\tfrom ", "'")
	case "insert", "replace", "merge", "upsert":
		return strings.EqualFold(next, "into") || f.after(i, "values")
	case "delete":
		return strings.EqualFold(next, "from")
	case "update":
		return next != "" && f.after(i, " set ", "\nset ", "\tset ") && f.after(i, "=")
	case "values":
		return strings.HasPrefix(strings.TrimLeft(f.s[end:], " \t\r\n"), "(")
	case "with":
		return f.after(i, " as (", " as materialized", "\nas (") && f.after(i, "select", "insert", "update", "delete")
	case "call", "exec", "execute", "set", "copy", "prepare", "declare", "do":
		return upper && next != "" && f.after(i, "'", "(", "\"", "=", "$$")
	case "create", "alter", "grant", "drop":
		return f.after(i, "'", "\"", "=") && strings.Contains(
			" user role table database login function index view server subscription all select on or ", " "+lowerASCII(next)+" ")
	case "where", "having", "and", "or", "on", "limit", "offset", "returning", "between", "like", "ilike", "in", "when", "then":
		return upper && f.after(i, "=", "'", "<", ">", "(", "\"") || upper && next != "" && digits(next) == len(next)
	}
	return false
}
