// Package redact masks what may be a secret in the texts of a report, and leaves the rest as it is:
//
//   - values in the query of an address, whole or relative: GET /x?token=… ;
//   - passwords in addresses and data source names: postgres://shop:…@db, shop:…@tcp(db), password=… ;
//   - values of headers that carry credentials, and Bearer and Basic credentials without their header;
//   - values behind names such as password, token, api_key, in the forms of JSON, YAML, Go and connection strings;
//   - tokens that say what they are: those of GitHub, GitLab, Slack, Stripe, Google, AWS, JSON web tokens, private keys;
//   - literals of SQL statements.
//
// It goes by form alone, so that a secret that looks like any other word is not known as one. It uses the standard library
// and sqltext.
package redact

import "strings"

// hidden stands where a secret stood.
const hidden = "…"

// rounds is how often a text is masked until nothing changes. What one rule leaves is rarely a matter for another.
const rounds = 4

// Text masks a text: a message, a statement, an address, an option. What is masked already stays as it is.
//
// The time it takes grows in proportion to the text.
func Text(s string) string {
	return settle(s, func(s string) string {
		s = userinfo(s)
		s = queries(s)
		s = dataSources(s)
		s = headers(s)
		s = named(s, anyValue)
		s = credentials(s)
		s = tokens(s)
		return statements(s)
	})
}

// settle masks until nothing changes, so that a text that was masked once stays as it is. One that does not come to rest is
// not shown.
func settle(s string, mask func(string) string) string {
	if s == "" {
		return s
	}
	for range rounds {
		masked := mask(s)
		if masked == s {
			return s
		}
		s = masked
	}
	return hidden
}

// value masks one value, unless there is none or it stands for one that is put in later.
func value(v string) string {
	if v == "" || placeholder(v) {
		return v
	}
	return hidden
}

// placeholder says whether a value is one of a format or a statement: "%s", "?", "$1", "{token}", "<token>", "nil".
func placeholder(v string) bool {
	switch v {
	case "?", "%s", "%d", "%v", "%q", "%x", "%+v", "%#v", "NULL", "null", "nil", "true", "false", "''", `""`, "{}", "***", hidden:
		return true
	}
	switch first, last := v[0], v[len(v)-1]; {
	case first == '$' && len(v) > 1 && len(v) < 5:
		return digits(v[1:]) == len(v)-1
	case first == '{' && last == '}' || first == '<' && last == '>':
		return len(v) > 2 && words(v[1:len(v)-1]) == len(v)-2
	}
	return false
}

// trailing gives how many bytes of punctuation, which belongs to the sentence around, a value has at its end.
func trailing(v string) int {
	return len(v) - len(strings.TrimRight(v, "),.;:!]}'"))
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isWord(c byte) bool  { return isAlpha(c) || isDigit(c) || c == '_' || c >= 0x80 }
func isQuote(c byte) bool { return c == '"' || c == '\'' || c == '`' }

// digits and words give how many of such bytes a text begins with.
func digits(s string) int { return span(s, isDigit) }
func words(s string) int  { return span(s, isWord) }

func span(s string, in func(byte) bool) int {
	for i := range len(s) {
		if !in(s[i]) {
			return i
		}
	}
	return len(s)
}

// spanBack gives where the bytes that end before i begin.
func spanBack(s string, i int, in func(byte) bool) int {
	for i > 0 && in(s[i-1]) {
		i--
	}
	return i
}

// closes says whether the quote at i, within a value that no quote began, ends it: "…password=abc" and not o'clock.
func closes(s string, i int) bool {
	return i+1 >= len(s) || !isWord(s[i+1])
}
