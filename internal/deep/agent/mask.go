package agent

import (
	"sort"
	"strings"
	"unicode/utf8"
)

// maskTarget gives the path and the names of the query's parameters. Values may be secrets and are left out.
func maskTarget(path, rawPath, query string) string {
	p := rawPath
	if p == "" {
		p = escape(path)
	}
	if p == "" {
		p = "/"
	}
	p = clip(p, 120)
	if query == "" {
		return p
	}
	var names []string
	seen := make(map[string]bool)
	for part := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(part, "=")
		if name = clip(name, 40) + "=…"; part != "" && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	sort.Strings(names)
	if len(names) > 6 {
		names = append(names[:6], "…")
	}
	return p + "?" + strings.Join(names, "&")
}

// escape keeps what would break a line or a report out of a path.
func escape(path string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f {
			return '_'
		}
		return r
	}, path)
}

// clip cuts a text to at most n bytes, between characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
