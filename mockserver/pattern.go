package mockserver

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// pattern is the method and path of a stub. The syntax is that of net/http.ServeMux without the host.
type pattern struct {
	method string // "" is any
	text   string // as the user wrote it
	segs   []segment
	exact  bool // GET does not answer HEAD
}

type segment struct {
	kind segmentKind
	text string // a literal, decoded; the name of a wildcard
}

type segmentKind uint8

const (
	literal  segmentKind = iota
	wildcard             // {name}: one segment that is not empty
	rest                 // {name...} or a slash at the end: all that follows, also when it is empty
)

func (p pattern) String() string {
	if p.method == "" {
		return p.text
	}
	return p.method + " " + p.text
}

// parsePattern returns an error that says what to write instead.
func parsePattern(method, text string) (pattern, error) {
	p := pattern{method: method, text: text}
	fail := func(format string, args ...any) (pattern, error) {
		return p, fmt.Errorf("mockserver: On(%q, %q): %s", method, text, fmt.Sprintf(format, args...))
	}
	if m, path, ok := strings.Cut(text, " "); ok && isToken(m) && strings.HasPrefix(path, "/") {
		return fail("the method is an argument of its own; write On(%q, %q)", m, path)
	}
	switch {
	case method == "*":
		return fail(`a stub for any method has none; write On("", %q)`, text)
	case method != "" && !isToken(method):
		return fail(`%q is not a method; write "GET", for example, or "" for any`, method)
	case method != strings.ToUpper(method) && isCommonMethod(strings.ToUpper(method)):
		return fail("methods are told apart by case; write On(%q, %q)", strings.ToUpper(method), text)
	case strings.Contains(text, "://"):
		if u, err := url.Parse(text); err == nil {
			return fail("the pattern is a path, without scheme and host; write On(%q, %q)", method, "/"+strings.TrimPrefix(u.Path, "/"))
		}
		return fail("the pattern is a path, without scheme and host")
	case !strings.HasPrefix(text, "/"):
		return fail("a path begins with a slash; write On(%q, %q)", method, "/"+text)
	case strings.Contains(text, "?"):
		path, _, _ := strings.Cut(text, "?")
		return fail("the pattern has no query; write On(%q, %q)", method, path)
	}

	names := map[string]bool{}
	parts := strings.Split(text[1:], "/")
	for i, part := range parts {
		end := i == len(parts)-1
		if !strings.ContainsAny(part, "{}") {
			if part == "" && end {
				p.segs = append(p.segs, segment{kind: rest})
				break
			}
			s, err := url.PathUnescape(part)
			if err != nil {
				return fail("%q has a %% that no two hexadecimal digits follow; write a literal one as %%25: On(%q, %q)", part, method, mendEscapes(text))
			}
			part = s
			p.segs = append(p.segs, segment{kind: literal, text: part})
			continue
		}
		name, ok := strings.CutPrefix(part, "{")
		if ok {
			name, ok = strings.CutSuffix(name, "}")
		}
		if !ok || strings.ContainsAny(name, "{}") {
			return fail("a wildcard is a whole segment, which %q is not; write {name} between two slashes", part)
		}
		if name == "$" {
			if !end {
				return fail("{$} stands for the end of the path, so nothing can follow it")
			}
			p.segs = append(p.segs, segment{kind: literal})
			break
		}
		kind := wildcard
		if n, multi := strings.CutSuffix(name, "..."); multi {
			if name, kind = n, rest; !end {
				return fail("{%s...} takes the rest of the path, so nothing can follow it; write {%s} for one segment", name, name)
			}
		}
		switch {
		case name == "":
			return fail("the wildcard %s has no name; write {id}, for example", part)
		case !isIdentifier(name):
			return fail("%q is not a name for a wildcard; write letters, digits and _, with no digit in front", name)
		case names[name]:
			return fail("two wildcards have the name %q", name)
		}
		names[name] = true
		p.segs = append(p.segs, segment{kind: kind, text: name})
	}
	return p, nil
}

var strayPercent = regexp.MustCompile(`%([0-9A-Fa-f]{2})?`)

// mendEscapes writes each % that begins no escape as %25.
func mendEscapes(text string) string {
	return strayPercent.ReplaceAllStringFunc(text, func(found string) string {
		if found == "%" {
			return "%25"
		}
		return found
	})
}

// splitPath cuts an escaped path into decoded segments: "/a/b%2Fc/" into "a", "b/c", "". Nil when it is not a path, as in
// OPTIONS * and CONNECT.
func splitPath(escaped string) []string {
	path, ok := strings.CutPrefix(escaped, "/")
	if !ok {
		return nil
	}
	segs := strings.Split(path, "/")
	for i, s := range segs {
		if u, err := url.PathUnescape(s); err == nil {
			segs[i] = u
		}
	}
	return segs
}

func (p pattern) matchesMethod(method string) bool {
	return p.method == "" || p.method == method || p.method == "GET" && method == "HEAD" && !p.exact
}

func (p pattern) matchesPath(path []string) bool {
	if path == nil {
		return false
	}
	for i, s := range p.segs {
		switch {
		case i >= len(path):
			return false
		case s.kind == rest:
			return true
		case !s.matches(path[i]):
			return false
		}
	}
	return len(p.segs) == len(path)
}

func (s segment) matches(text string) bool {
	if s.kind == literal {
		return s.text == text
	}
	return s.kind == rest || text != ""
}

// relation says how the requests that match two patterns lie to each other.
type relation uint8

const (
	apart   relation = iota // no request matches both
	same                    // the same requests
	within                  // the first is more specific: all its requests match the second
	around                  // the second is more specific
	crossed                 // some match both, and each has some of its own
)

func relate(a, b pattern) relation {
	m, p := relateMethods(a.method, b.method), relatePaths(a.segs, b.segs)
	switch {
	case m == apart || p == apart:
		return apart
	case m == p || p == same:
		return m
	case m == same:
		return p
	}
	return crossed
}

func relateMethods(a, b string) relation {
	switch {
	case a == b:
		return same
	case b == "" || b == "GET" && a == "HEAD":
		return within
	case a == "" || a == "GET" && b == "HEAD":
		return around
	}
	return apart
}

func relatePaths(a, b []segment) relation {
	var aMore, bMore bool // where each of them asks for more than the other
	for i := 0; ; i++ {
		if i == len(a) && i == len(b) {
			break
		}
		if i == len(a) || i == len(b) {
			return apart
		}
		x, y := a[i], b[i]
		if x.kind == literal && y.kind == literal && x.text != y.text ||
			x.kind == wildcard && y.kind == literal && y.text == "" ||
			y.kind == wildcard && x.kind == literal && x.text == "" {
			return apart
		}
		aMore = aMore || x.kind < y.kind
		bMore = bMore || y.kind < x.kind
		if x.kind == rest || y.kind == rest {
			break
		}
	}
	switch {
	case aMore && bMore:
		return crossed
	case aMore:
		return within
	case bMore:
		return around
	}
	return same
}

func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}

func isCommonMethod(m string) bool {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE":
		return true
	}
	return false
}

func isIdentifier(s string) bool {
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	return s != ""
}
