package redact

import "strings"

// maxAddress is how far the end of the user and password of an address is looked for, in bytes.
const maxAddress = 1 << 10

// userinfo masks the passwords of addresses with a scheme, and the user of an HTTP address without a password, which is a
// token as a rule.
func userinfo(s string) string {
	var b strings.Builder
	done := 0
	for i := 0; ; {
		n := strings.Index(s[i:], "://")
		if n < 0 {
			break
		}
		sep := i + n
		i = sep + len("://")
		from := spanBack(s, sep, isScheme)
		if from == sep {
			continue
		}
		var quote byte // an address that begins right behind a quote ends with it
		if from > 0 && isQuote(s[from-1]) {
			quote = s[from-1]
		}
		end := i
		for end < len(s) && end < i+maxAddress && s[end] != quote && s[end] != '\n' && (quote != 0 || !isSpace(s[end])) &&
			(quote != 0 || s[end] != '"' && s[end] != '`' && s[end] != '<' && s[end] != '>') {
			end++
		}
		at := lastOfUser(s[i:end], httpScheme(s[from:sep]))
		if at <= 0 {
			if strings.IndexByte(s[i:end], '@') < 0 {
				i = end
			}
			continue
		}
		who := s[i : i+at]
		b.WriteString(s[done:i])
		if user, password, ok := strings.Cut(who, ":"); ok {
			b.WriteString(user + ":" + value(password))
		} else if httpScheme(s[from:sep]) {
			b.WriteString(value(who))
		} else {
			b.WriteString(who)
		}
		i += at
		done = i
	}
	if done == 0 {
		return s
	}
	return b.String() + s[done:]
}

// lastOfUser gives where the @ is that ends the user and password of what comes behind "://"; -1 when there is none.
func lastOfUser(rest string, http bool) int {
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	if http {
		if at := strings.LastIndexByte(rest[:end], '@'); at >= 0 {
			return at
		}
	} else if q := strings.IndexByte(rest, '?'); q >= 0 && strings.LastIndexByte(rest[:q], '@') >= 0 {
		return strings.LastIndexByte(rest[:q], '@')
	}
	// A password may have a / that is not escaped.
	at, colon := strings.LastIndexByte(rest, '@'), strings.IndexByte(rest, ':')
	if at < 0 || !http && at < end {
		return at
	}
	if colon < 0 || colon > end || rest[0] == '[' || http && digits(rest[colon+1:]) == end-colon-1 {
		return -1
	}
	return at
}

func isScheme(c byte) bool { return isAlpha(c) || isDigit(c) || c == '+' || c == '.' || c == '-' }

func httpScheme(scheme string) bool {
	return strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https")
}

// queries masks the values of queries: what stands behind "?name=", and behind each "&name=" after it.
func queries(s string) string {
	var b strings.Builder
	done := 0
	for i := 0; i < len(s); {
		n := strings.IndexByte(s[i:], '?')
		if n < 0 {
			break
		}
		i += n + 1
		for {
			name := span(s[i:], isParameter)
			i += name
			if i == len(s) || name == 0 {
				break
			}
			if s[i] == '=' {
				i++
				end := i + valueLength(s[i:])
				v := s[i:end]
				if end == len(s) || s[end] != '&' {
					v = v[:len(v)-trailing(v)]
				}
				b.WriteString(s[done:i] + value(v))
				i += len(v)
				done = i
			}
			if i == len(s) || s[i] != '&' {
				break
			}
			i++
		}
	}
	if done == 0 {
		return s
	}
	return b.String() + s[done:]
}

func isParameter(c byte) bool {
	return isWord(c) || strings.IndexByte("-.~%+[]$:", c) >= 0
}

// valueLength is how long the value of a parameter is that s begins with.
func valueLength(s string) int {
	for i := range len(s) {
		switch c := s[i]; {
		case isSpace(c), c == '"', c == '`', c == '<', c == '>', c == '#', c == '&':
			return i
		case c == '\\' && i+1 < len(s) && isQuote(s[i+1]):
			return i
		case c == '\'' && closes(s, i):
			return i
		}
	}
	return len(s)
}

// dataSources masks the passwords of data source names without a scheme: user:password@tcp(host)/db, user:password@host.
func dataSources(s string) string {
	if strings.IndexByte(s, '@') < 0 || strings.IndexByte(s, ':') < 0 {
		return s
	}
	var b strings.Builder
	done := 0
	line := 0       // where the text begins that may be one data source name with blanks in it
	lineColon := -1 // the first colon in it that a password may follow
	for i := 0; i < len(s); {
		if c := s[i]; isSpace(c) || c == '"' || c == '`' {
			if c == '\n' || !isSpace(c) {
				line, lineColon = i+1, -1
			}
			i++
			continue
		}
		from := i
		for i < len(s) && !isSpace(s[i]) && s[i] != '"' && s[i] != '`' {
			if lineColon < 0 && s[i] == ':' && i > line && isWord(s[i-1]) && i+1 < len(s) && !isSpace(s[i+1]) && !strings.HasPrefix(s[i:], "://") {
				lineColon = i
			}
			i++
		}
		word := s[from:i]
		at, sure := endOfUser(word)
		if at < 0 || strings.Contains(word[:at], "://") {
			continue
		}
		colon := strings.IndexByte(word[:at], ':')
		if colon < 0 && sure && lineColon >= 0 && lineColon < from { // a password with blanks
			colon = lineColon - from
		}
		if from+colon < done || colon == 0 || colon < 0 && !(sure && lineColon >= 0 && lineColon < from) {
			continue
		}
		if !sure && !password(word, colon, at) {
			continue
		}
		b.WriteString(s[done:from+colon+1] + value(s[from+colon+1:from+at]))
		done = from + at
	}
	if done == 0 {
		return s
	}
	return b.String() + s[done:]
}

// endOfUser gives where the @ is that ends user and password in a word without blanks; sure says that what follows can be
// nothing else than the address of a data source name.
func endOfUser(word string) (at int, sure bool) {
	for at = strings.LastIndexByte(word, '@'); at >= 0; at = strings.LastIndexByte(word[:at], '@') {
		after := word[at+1:]
		if name := span(after, isAlpha); strings.HasPrefix(after[name:], "(") || strings.HasPrefix(after, "/") {
			return at, true
		}
	}
	if q := strings.IndexByte(word, '?'); q >= 0 {
		if at := strings.LastIndexByte(word[:q], '@'); at >= 0 {
			return at, false
		}
	}
	return strings.LastIndexByte(word, '@'), false
}

// password says whether what stands between a colon and an @ may be one. It is none in a path with a drive, in the name of an
// image or a module with a version, and in an address of mail.
func password(word string, colon, at int) bool {
	user, after := word[:colon], word[at+1:]
	secret := word[colon+1 : at]
	switch {
	case secret == "" || after == "" || !isWord(after[0]) && after[0] != '[' && after[0] != '%':
		return false
	case colon == 1 && isAlpha(user[0]) && (secret[0] == '/' || secret[0] == '\\'):
		return false
	case strings.HasPrefix(after, "sha256:"), user == "mailto":
		return false
	case strings.ContainsAny(secret, `/\`) && len(after) > 1 && after[0] == 'v' && isDigit(after[1]):
		return false
	}
	return true
}
