package mockserver

import (
	"fmt"
	"strings"
)

// fill writes a request's segments in place of the wildcards, so that only the rest counts as different.
func (p pattern) fill(path []string) string {
	var b strings.Builder
	for i, s := range p.segs {
		b.WriteByte('/')
		switch {
		case s.kind == literal:
			b.WriteString(s.text)
		case s.kind == rest && i < len(path):
			b.WriteString(strings.Join(path[i:], "/"))
		case i < len(path):
			b.WriteString(path[i])
		default:
			b.WriteString(s.text)
		}
	}
	return b.String()
}

// difference says where a path leaves the pattern that it does not match.
func (p pattern) difference(path []string) string {
	if path == nil {
		return "the request has no path"
	}
	for i, s := range p.segs {
		switch {
		case i >= len(path) && s.kind == rest && s.text == "",
			i >= len(path) && s.kind == literal && s.text == "":
			return "the path lacks the slash at the end"
		case i >= len(path):
			return fmt.Sprintf("the path ends before %s", s)
		case s.kind == rest:
			return "" // matches
		case s.matches(path[i]):
			continue
		case path[i] == "" && i == len(path)-1:
			return fmt.Sprintf("the path ends before %s", s)
		case s.kind == literal && s.text == "":
			return fmt.Sprintf("the path goes on with %q", clip(strings.Join(path[i:], "/"), cell))
		case s.kind == wildcard:
			return fmt.Sprintf("%s is empty in the path", s)
		case strings.EqualFold(s.text, path[i]):
			return fmt.Sprintf("the path differs in upper and lower case: %q, not %q", clip(path[i], cell), s.text)
		default:
			return fmt.Sprintf("the path differs: %q, not %q", clip(path[i], cell), s.text)
		}
	}
	if more := path[len(p.segs):]; len(more) > 1 || more[0] != "" {
		return fmt.Sprintf("the path goes on with %q", clip(strings.Join(more, "/"), cell))
	}
	return "the path has a slash at the end"
}

// String writes a segment as it stands in a pattern.
func (s segment) String() string {
	switch s.kind {
	case wildcard:
		return "{" + s.text + "}"
	case rest:
		return "{" + s.text + "...}"
	}
	return fmt.Sprintf("%q", s.text)
}

// distance is the number of bytes to insert, delete or replace. It looks at the first 200 of each text.
func distance(a, b string) int {
	a, b = a[:min(len(a), 200)], b[:min(len(b), 200)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			n := diagonal
			if a[i] != b[j] {
				n = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], n
		}
	}
	return row[len(b)]
}

// shorten keeps a line readable when a path is very long.
func shorten(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
