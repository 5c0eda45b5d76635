package mockserver

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxStubs = 20 // stubs listed in a message

// unmatched is the message for a request that no stub matches.
func unmatched(in *incoming, stubs []*Stub) string {
	var b strings.Builder
	fmt.Fprintf(&b, "mockserver: unexpected request %s %s: no stub matches, answered 501", in.Method, shorten(in.shown()))
	if near := nearest(in, stubs); near != nil {
		fmt.Fprintf(&b, "\n\tnearest: %s (%s)", near.pattern, near.site)
		b.WriteString(sideBySide(in.compare(near)))
		fmt.Fprintf(&b, "\n\tstubs (%d):", len(stubs))
		b.WriteString(listStubs(stubs))
	} else {
		b.WriteString("\n\tthe server has no stubs")
	}
	path := in.escaped
	switch {
	case in.segs == nil:
		b.WriteString("\n\tno stub can expect it: a pattern is a path")
	case len(path) == len(shorten(path)):
		if strings.HasSuffix(path, "/") {
			path += "{$}"
		}
		fmt.Fprintf(&b, "\n\tto expect it: srv.On(%q, %q).Reply(...)", in.Method, path)
	}
	return b.String()
}

func listStubs(stubs []*Stub) string {
	var b strings.Builder
	width := 0
	for _, st := range stubs[:min(len(stubs), maxStubs)] {
		width = max(width, utf8.RuneCountInString(st.title()))
	}
	for i, st := range stubs {
		if i == maxStubs {
			fmt.Fprintf(&b, "\n\t\tand %d more", len(stubs)-i)
			break
		}
		fmt.Fprintf(&b, "\n\t\t%-*s   %s", width, st.title(), st.site)
	}
	return b.String()
}

// nearest finds the stub that a request most likely was meant for: one with the path and another method, or else the one
// whose path takes the fewest edits. Where that leaves several, it is the one with the fewest matchers that do not take
// the request, and of these the first.
func nearest(in *incoming, stubs []*Stub) *Stub {
	var near []*Stub
	cost := 0
	for _, st := range stubs {
		n := 0
		if !st.pattern.matchesPath(in.segs) {
			n = 2
			path := st.pattern.fill(in.segs)
			if a, b := len(path), len(in.escaped); near != nil && max(a, b) <= 200 && n+2*(max(a, b)-min(a, b)) > cost {
				continue // it takes more edits than that
			}
			n += 2 * distance(path, in.escaped)
		}
		if st.url != nil {
			n += st.url.cost(in, st.pattern, n > 0)
		}
		if !st.pattern.matchesMethod(in.Method) {
			n++
		}
		if near == nil || n < cost {
			near, cost = near[:0], n
		}
		if n == cost {
			near = append(near, st)
		}
	}
	var best *Stub
	fewest := 0
	for _, st := range near {
		n := 0
		for i := range st.matchers {
			if !in.meets(&st.matchers[i]) {
				n++
			}
		}
		if best == nil || n < fewest {
			best, fewest = st, n
		}
	}
	return best
}

// meets is takes with the state that the scenario had when no stub was found.
func (in *incoming) meets(m *Matcher) bool {
	if m.scenario != "" {
		return stateOf(in.states, m.scenario) == m.state
	}
	return m.takes(in)
}

// row compares one part of a request with what a stub wants.
type row struct{ part, want, got, verdict string }

func (in *incoming) compare(st *Stub) []row {
	const ok = "ok"
	method := row{"method", st.pattern.method, clip(in.Method, cell), ok}
	if method.want == "" {
		method.want = "any"
	}
	if !st.pattern.matchesMethod(in.Method) {
		method.verdict = "the method differs"
	}
	path := row{"path", clip(st.pattern.text, cell), clip(in.shown(), cell), ok}
	if !st.pattern.matchesPath(in.segs) {
		path.verdict = st.pattern.difference(in.segs)
	}
	if st.url != nil {
		st.url.compare(in, st.pattern, &method, &path)
	}
	rows := []row{method, path}
	for i := range st.matchers {
		m := &st.matchers[i]
		got, why := m.show(in)
		if in.meets(m) {
			why = ok
		}
		if in.threw[m] {
			why = "the function panicked"
		}
		rows = append(rows, row{m.part, m.want, got, why})
	}
	return rows
}

// sideBySide aligns the columns.
func sideBySide(rows []row) string {
	rows = append([]row{{"", "expected", "got", ""}}, rows...)
	var part, want, got int
	for i := range rows {
		r := &rows[i]
		r.part, r.want, r.got, r.verdict = oneLine(clip(r.part, cell)), oneLine(r.want), oneLine(r.got), oneLine(r.verdict)
		part = max(part, utf8.RuneCountInString(r.part))
		want = max(want, utf8.RuneCountInString(r.want))
		got = max(got, utf8.RuneCountInString(r.got))
	}
	var b strings.Builder
	for _, r := range rows {
		line := fmt.Sprintf("%-*s   %-*s   %-*s   %s", part, r.part, want, r.want, got, r.got, r.verdict)
		b.WriteString("\n\t\t" + strings.TrimRight(line, " "))
	}
	return b.String()
}

// oneLine writes what would break a line, or a terminal, as Go does in a string.
func oneLine(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }) < 0 {
		return s
	}
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}
