package redact

import (
	"encoding/base64"
	"strings"
)

// headers masks the values of header lines, "Authorization: Bearer x", and of a header map as fmt and JSON print it.
func headers(s string) string {
	var b strings.Builder
	done := 0
	inQuotes := false // in double quotes, on this line
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
			continue
		case '"':
			inQuotes = !inQuotes
			continue
		case '\n':
			inQuotes = false
			continue
		case ':':
		default:
			continue
		}
		if i < done {
			continue
		}
		end := i
		quoted := end > 0 && isQuote(s[end-1])
		if quoted {
			continue // named knows them
		}
		begin := spanBack(s, end, isName)
		name := s[begin:end]
		if !secretHeader(name) {
			continue
		}
		from := i + 1
		for from < len(s) && (s[from] == ' ' || s[from] == '\t') {
			from++
		}
		stop := len(s)
		switch {
		case from < len(s) && s[from] == '[':
			from++
			if n := strings.IndexByte(s[from:], ']'); n >= 0 {
				stop = from + n
			}
		case begin > 0 && s[begin-1] == '\'':
			if n := strings.IndexByte(s[from:], '\''); n >= 0 {
				stop = from + n
			}
		default:
			ends := "\r\n"
			if inQuotes {
				ends = "\r\n\""
			}
			if n := strings.IndexAny(s[from:], ends); n >= 0 {
				stop = from + n
			}
		}
		v := s[from:stop]
		b.WriteString(s[done:from] + headerValue(name, v))
		done = stop
		i = stop - 1
	}
	if done == 0 {
		return s
	}
	return b.String() + s[done:]
}

func headerValue(name, v string) string {
	if strings.TrimSpace(v) == "" {
		return v
	}
	if strings.HasSuffix(strings.ToLower(name), "authorization") {
		scheme, rest, _ := strings.Cut(v, " ")
		switch {
		case !authScheme(scheme) || strings.TrimSpace(rest) == "":
		case oneToken(scheme):
			blanks := len(rest) - len(strings.TrimLeft(rest, " "))
			_, after, more := strings.Cut(rest[blanks:], " ")
			if more {
				after = " " + after
			}
			return scheme + " " + hidden + after
		default:
			return scheme + " " + hidden
		}
	}
	return hidden
}

// authScheme says whether a word is a scheme of the Authorization header.
func authScheme(word string) bool {
	switch strings.ToLower(word) {
	case "digest", "negotiate", "ntlm", "hoba", "mutual", "oauth", "aws4-hmac-sha256", "signature", "gnap", "dpop":
		return true
	}
	return oneToken(word)
}

// oneToken says whether a scheme is followed by one word.
func oneToken(scheme string) bool {
	switch strings.ToLower(scheme) {
	case "bearer", "basic", "token", "apikey":
		return true
	}
	return false
}

// secretHeader says whether the header with that name carries credentials.
func secretHeader(name string) bool {
	switch strings.ToLower(name) {
	case "authorization", "proxy-authorization", "cookie", "cookie2", "set-cookie", "set-cookie2", "x-api-key", "api-key", "apikey":
		return true
	}
	return strings.Contains(name, "-") && secretName(name)
}

// credentials masks what stands behind Bearer and Basic.
func credentials(s string) string {
	var b strings.Builder
	done := 0
	for i := 0; i+6 < len(s); i++ {
		if s[i]|0x20 != 'b' || i > 0 && isWord(s[i-1]) {
			continue
		}
		var scheme string
		switch {
		case strings.EqualFold(s[i:i+6], "bearer"):
			scheme = s[i : i+6]
		case strings.EqualFold(s[i:i+5], "basic"):
			scheme = s[i : i+5]
		default:
			continue
		}
		from := i + len(scheme)
		blanks := span(s[from:], func(c byte) bool { return c == ' ' || c == '\t' })
		from += blanks
		end := from + span(s[from:], isToken)
		end -= len(s[from:end]) - len(strings.TrimRight(s[from:end], ".")) // of the sentence
		if blanks > 0 && end > from && credential(scheme, s[from:end]) {
			b.WriteString(s[done:from] + hidden)
			done = end
		}
		i = max(i, end-1)
	}
	if done == 0 {
		return s
	}
	return b.String() + s[done:]
}

func isToken(c byte) bool {
	return isAlpha(c) || isDigit(c) || strings.IndexByte("-._~+/=", c) >= 0
}

// credential says whether a word behind a scheme is one and not a word of a sentence: "Basic authentication".
func credential(scheme, word string) bool {
	mixed := strings.ContainsAny(word, "0123456789_~+/=.")
	if strings.EqualFold(scheme, "basic") {
		text, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(word, "="))
		return err == nil && strings.Contains(string(text), ":") || len(word) >= 16 && (mixed || strings.ToLower(word) != word)
	}
	switch strings.ToLower(word) {
	case "token", "tokens", "auth", "authentication", "authorization", "scheme", "header", "headers", "credential", "credentials", "error", "realm":
		return false
	}
	return scheme[0] == 'B' || mixed || len(word) >= 16
}
