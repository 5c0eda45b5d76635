package redact

import "strings"

// values says which values of a name are masked.
type values int

const (
	anyValue  values = iota
	codeValue        // in quotes, or right behind the = as no formatted Go code has it
)

// named masks the values behind names such as password and token: password=x, "password": "x", token: x, apiKey := "x",
// ("X-Api-Key", "x"), WithPassword("x"), Pwd={x}.
func named(s string, which values) string {
	var b strings.Builder
	done := 0
	hide := func(from, end int, v string) {
		b.WriteString(s[done:from] + v)
		done = end
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if i < done || c != '=' && c != ':' && c != ',' && c != '(' {
			continue
		}
		name, quoted := nameBefore(s, i)
		switch {
		case name == "" || quoted && c == '(' || c == ',' && !(quoted && argument(s, i)):
			continue
		case c == ':' && !quoted && secretHeader(name): // a line of a header
			continue
		case c == ':' && !quoted && strings.EqualFold(name, "pass"): // what go test says of a test
			continue
		case !secretName(name) && !(quoted && secretHeader(name)):
			continue
		}
		// The operator, which may be := or == or =>, and the blanks behind it.
		op := i + 1
		for op < len(s) && (s[op] == '=' || s[op] == '>') && c != '(' && c != ',' {
			op++
		}
		from := op + span(s[op:], func(c byte) bool { return c == ' ' || c == '\t' })
		if from == len(s) {
			break
		}
		for _, kind := range []string{"[]byte(", "[]string"} { // []byte("x"), []string{"x"}
			if strings.HasPrefix(s[from:], kind) && from+len(kind) < len(s) {
				from += len(kind)
			}
		}
		list := from
		if s[from] == '[' || s[from] == '{' {
			list++
		}
		if open := quoteAt(s, list); open >= 0 { // a text in quotes, or a list of such texts
			for open >= 0 {
				begin := open + 1
				end := begin + quotedLength(s[begin:], s[open], open > list)
				hide(begin, end, secretValue(name, s[begin:end]))
				if list == from {
					break
				}
				list = end + span(s[end:], func(c byte) bool { return c == '\\' || c == s[open] })
				list += span(s[list:], func(c byte) bool { return c == ',' || c == ' ' })
				open = quoteAt(s, list)
			}
			continue
		}
		if c == ',' || c == '(' {
			continue
		}
		if which == codeValue && (c != '=' || op != from || op > i+1 || s[i-1] == ' ' || s[i-1] == ':') {
			continue
		}
		if list > from {
			end := len(s)
			if n := strings.IndexByte(s[list:], s[from]+2); n >= 0 { // ] and } are two behind [ and {
				end = list + n
			}
			if !placeholder(s[from:min(end+1, len(s))]) {
				hide(list, end, value(s[list:end]))
			}
			continue
		}
		end := from + bareLength(s[from:])
		end -= trailing(s[from:end])
		switch {
		case strings.EqualFold(name, "pass") && digits(s[from:end]) == end-from: // how many passed
		case op != from && end > from+1 && (s[from] == ':' || s[from] == '@'): // a parameter of a statement
		default:
			if next := behindScheme(s, name, from, end); next > end { // authorization=Bearer x
				from, end = next, next+bareLength(s[next:])
				end -= trailing(s[from:end])
			}
			hide(from, end, value(s[from:end]))
		}
	}
	if done == 0 {
		return s
	}
	return b.String() + s[done:]
}

// nameBefore gives the name that ends before i, and whether it is in quotes.
func nameBefore(s string, i int) (name string, quoted bool) {
	for n := 0; n < 8 && i > 0 && (s[i-1] == ' ' || s[i-1] == '\t' || s[i-1] == '!' || s[i-1] == ':'); n++ {
		i--
	}
	if before, ok := strings.CutSuffix(s[max(0, i-8):i], " string"); ok { // var password string = "x"
		i -= len(s[max(0, i-8):i]) - len(before)
	}
	if i > 1 && s[i-1] == ']' {
		i--
	}
	if i > 0 && isQuote(s[i-1]) {
		quoted = true
		i--
		for i > 0 && s[i-1] == '\\' {
			i--
		}
	}
	from := i
	for from > 0 && i-from < maxName && isName(s[from-1]) {
		from--
	}
	if quoted && (from == 0 || !isQuote(s[from-1])) {
		return "", false // the end of some text
	}
	return s[from:i], quoted
}

// maxName is how long a name may be, in bytes.
const maxName = 64

// argument says whether the text in quotes that ends before i is the first of a call, or of a pair: Set("name", …).
func argument(s string, i int) bool {
	from := max(0, i-maxName-8)
	open := strings.LastIndexAny(s[from:i], "({")
	if open < 0 {
		return false
	}
	quote := quoteAt(s, from+open+1)
	return quote >= 0 && quote < i && strings.Count(s[quote:i], s[quote:quote+1]) == 2
}

// quoteAt gives where the quote is that stands at i, maybe behind backslashes; -1 for none.
func quoteAt(s string, i int) int {
	for i < len(s) && s[i] == '\\' {
		i++
	}
	if i < len(s) && isQuote(s[i]) {
		return i
	}
	return -1
}

func isName(c byte) bool { return isAlpha(c) || isDigit(c) || c == '_' || c == '-' || c == '.' }

// quotedLength is how long the text is that s begins with, up to the quote that ends it. A quote that is doubled is a part of
// it, and so is one behind a backslash, unless the quote that began it was behind one.
func quotedLength(s string, quote byte, escaped bool) int {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && escaped && i+1 < len(s) && s[i+1] == quote:
			return i
		case s[i] == '\\' && quote != '`':
			i++
		case s[i] == quote && i+1 < len(s) && s[i+1] == quote && i > 0:
			i++
		case s[i] == quote:
			return i
		}
	}
	return len(s)
}

// bareLength is how long a value is that no quote begins.
func bareLength(s string) int {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case isSpace(c), c == ';', c == '&':
			return i
		case c == '\\' && i+1 < len(s) && isQuote(s[i+1]) && closes(s, i+1):
			return i
		case c == '\\' && i+1 < len(s):
			i++
		case isQuote(c) && closes(s, i):
			return i
		}
	}
	return len(s)
}

// secretWords are words that make a name one of a secret, wherever they stand in it.
var secretWords = map[string]bool{
	"password": true, "passwd": true, "passphrase": true, "passcode": true, "pwd": true, "pass": true, "secret": true,
	"secrets": true, "token": true, "credential": true, "credentials": true, "apikey": true, "jwt": true, "sid": true,
	"authorization": true, "cookie": true, "signature": true,
}

// secretEndings make a name one of a secret when it ends with them, written without blanks: "PGPASSWORD", "accessKey".
var secretEndings = []string{
	"password", "passwd", "passphrase", "pwd", "secret", "token", "apikey", "accesskey", "privatekey", "secretkey",
	"signingkey", "encryptionkey", "accountkey", "sharedkey", "authkey", "sessionid", "sessid", "sessionkey",
}

// aboutWords are the last words of names that say something of a secret without being one: "token_type".
var aboutWords = map[string]bool{
	"file": true, "path": true, "type": true, "name": true, "length": true, "len": true, "count": true, "url": true, "uri": true,
	"ttl": true, "expiry": true, "expires": true, "field": true, "header": true, "policy": true, "min": true, "max": true,
}

// secretName says whether a name is one of a secret: "password", "DB_PASSWORD", "clientSecret", "x-api-key".
func secretName(name string) bool {
	if len(name) < 3 || !mayBeSecret(name) {
		return false
	}
	var flat strings.Builder
	found := false
	last, word := "", 0
	take := func(end int) {
		if word < end {
			last = strings.ToLower(name[word:end])
			found = found || secretWords[last]
			flat.WriteString(last)
		}
		word = end
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c == '_' || c == '-' || c == '.':
			take(i)
			word = i + 1
		case c >= 'A' && c <= 'Z' && i > word && (name[i-1] >= 'a' && name[i-1] <= 'z' || i+1 < len(name) && name[i+1] >= 'a' && name[i+1] <= 'z'):
			take(i)
		}
	}
	take(len(name))
	if aboutWords[last] {
		return false
	}
	for _, e := range secretEndings {
		found = found || strings.HasSuffix(flat.String(), e)
	}
	return found
}

// mayBeSecret leaves out most names at once: a name of a secret has one of these letters in a row.
func mayBeSecret(name string) bool {
	for i := 0; i+2 < len(name); i++ {
		switch string([]byte{name[i] | 0x20, name[i+1] | 0x20, name[i+2] | 0x20}) {
		case "pas", "pwd", "sec", "tok", "cre", "key", "jwt", "sid", "ses", "aut", "coo", "sig":
			return true
		}
	}
	return false
}

// behindScheme gives where the word begins that follows the scheme s[from:end] of an Authorization header; -1 for none.
func behindScheme(s, name string, from, end int) int {
	if !strings.HasSuffix(strings.ToLower(name), "authorization") || !authScheme(s[from:end]) {
		return -1
	}
	next := end + span(s[end:], func(c byte) bool { return c == ' ' || c == '\t' })
	if next == end || next == len(s) {
		return -1
	}
	return next
}

// secretValue masks a value in quotes; of an Authorization header the scheme stays.
func secretValue(name, v string) string {
	if strings.HasSuffix(strings.ToLower(name), "authorization") {
		if scheme, rest, ok := strings.Cut(v, " "); ok && authScheme(scheme) {
			return scheme + " " + value(rest)
		}
	}
	return value(v)
}
