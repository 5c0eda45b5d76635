package redact

import "strings"

// Code masks a line of Go source, or of a text within it, so that it can still be read as one: what stands in quotes is masked as Text
// does, and behind a name of a secret as a whole; names, calls and operators stay.
func Code(s string) string {
	return settle(s, func(s string) string {
		s = named(s, codeValue)
		s = userPassword(s)
		var b strings.Builder
		find := finder{s: s}
		for i := 0; i < len(s); {
			n := strings.IndexAny(s[i:], "\"`'/")
			if n < 0 {
				n = len(s) - i
			}
			outside, query := bareCode(&find, i, i+n)
			b.WriteString(outside)
			if query {
				return b.String()
			}
			if i += n; i == len(s) {
				break
			}
			switch c := s[i]; {
			case c == '/' && strings.HasPrefix(s[i:], "//") && (i == 0 || s[i-1] != ':'):
				b.WriteString(Text(s[i:]))
				return b.String()
			case c == '/':
				b.WriteByte(c)
				i++
			case c == '\'':
				n, text := single(s, i)
				b.WriteString(text)
				i += n
			default:
				n := quotedEnd(s[i+1:], c)
				b.WriteByte(c)
				b.WriteString(Text(s[i+1 : i+1+n]))
				i += 1 + n
				if i < len(s) {
					b.WriteByte(c)
					i++
				}
			}
		}
		return b.String()
	})
}

// quotedEnd is how long a Go literal is, without its quotes.
func quotedEnd(s string, quote byte) int {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quote == '"':
			i++
		case s[i] == quote:
			return i
		}
	}
	return len(s)
}

// bareCode masks what stands outside of quotes, from one place to another. It may be a line of a text in back quotes that
// begins further up: a statement goes on to the end of the line, with what follows.
func bareCode(find *finder, from, end int) (text string, query bool) {
	s := find.s[from:end]
	for i := find.next(from, end); i >= 0; i = find.next(i+1, end) {
		word := find.s[i : i+words(find.s[i:])]
		if strings.ToUpper(word) == word { // Go has no such words
			return credentials(tokens(find.s[from:i])) + hideStatement(find.s[i:]), true
		}
	}
	return credentials(tokens(queries(userinfo(s)))), false
}

// single masks what stands in single quotes at i, unless it is a rune or an apostrophe.
func single(s string, i int) (n int, text string) {
	rest := s[i+1:]
	end := quotedEnd(rest, '\'')
	if len(rest) > 2 && rest[0] == '\\' { // '\'', '\n', '\x00'
		if n := strings.IndexByte(rest[2:], '\''); n >= 0 && n <= 8 {
			return n + 4, s[i : i+n+4]
		}
	}
	word := spanBack(s, i, isWord)
	if end == len(rest) || end == 0 || i-word > 1 {
		return 1, "'"
	}
	if len([]rune(rest[:end])) == 1 {
		return end + 2, s[i : i+end+2]
	}
	return end + 2, "'" + value(rest[:end]) + "'"
}

// userPassword masks the second text of calls that take a user and a password.
func userPassword(s string) string {
	for _, call := range []string{"SetBasicAuth(", "UserPassword("} {
		i := strings.Index(s, call)
		if i < 0 {
			continue
		}
		i += len(call)
		comma := strings.IndexByte(s[i:], ',')
		if i < len(s) && s[i] == '"' {
			n := 1 + quotedEnd(s[i+1:], '"')
			comma = strings.IndexByte(s[min(i+n, len(s)):], ',')
			i = min(i+n, len(s))
		}
		if comma < 0 {
			continue
		}
		i += comma + 1
		i += span(s[i:], isSpace)
		if i < len(s) && (s[i] == '"' || s[i] == '`') {
			end := i + 1 + quotedEnd(s[i+1:], s[i])
			s = s[:i+1] + value(s[i+1:end]) + s[end:]
		}
	}
	return s
}
