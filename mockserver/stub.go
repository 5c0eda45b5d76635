package mockserver

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// Stub is what the server answers to one method and pattern.
type Stub struct {
	srv     *Server
	pattern pattern
	site    string // file:line of On

	mu      sync.Mutex
	replies []Reply
	served  int
}

// On adds a stub: requests with this method, "" for any, whose path matches the pattern are answered with what Reply says.
// The package comment describes patterns. GET also answers HEAD.
//
// A pattern that cannot be read, one that an earlier stub has with the same method, and one that overlaps an earlier stub
// so that neither is more specific, fail the test. The stub that On then returns is never used.
func (s *Server) On(method, path string) *Stub {
	s.t.Helper()
	file, line := caller()
	st := &Stub{srv: s, site: fmt.Sprintf("%s:%d", file, line)}
	var err error
	if st.pattern, err = parsePattern(method, path); err == nil {
		err = s.add(st)
	}
	if err != nil {
		s.errorf("%v", err)
	}
	return st
}

func (s *Server) add(st *Stub) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, old := range s.stubs {
		switch relate(st.pattern, old.pattern) {
		case same:
			text := old.pattern.String()
			if st.pattern.text != old.pattern.text {
				text += ", which matches the same requests,"
			}
			return fmt.Errorf("mockserver: On(%q, %q): there is a stub for %s already (%s); give all replies to one stub: .Reply(first, second)",
				st.pattern.method, st.pattern.text, text, old.site)
		case crossed:
			return fmt.Errorf("mockserver: On(%q, %q): overlaps the stub %s (%s): some requests match both, and neither is more specific; change one of the two patterns or methods",
				st.pattern.method, st.pattern.text, old.pattern, old.site)
		}
	}
	s.stubs = append(s.stubs, st)
	return nil
}

// Reply adds replies to the stub. Each request is answered with the next one, and when there is no next one, with the
// last again. A reply that cannot be sent, as ALB(404), fails the test and is answered with a 501 that says why. It
// returns the stub.
func (st *Stub) Reply(replies ...Reply) *Stub {
	st.srv.t.Helper()
	if len(replies) == 0 {
		st.srv.errorf("mockserver: Reply() of %s has no reply; write Reply(mockserver.Status(200)), for example", st.pattern)
	}
	for _, r := range replies {
		if err := r.problem(); err != nil {
			st.srv.errorf("mockserver: reply of %s (%s): %v", st.pattern, st.site, err)
		}
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, r := range flatten(replies) {
		st.replies = append(st.replies, r)
		if r.isHandler() {
			st.srv.handlers.Store(true)
		}
	}
	return st
}

// next returns why there is no reply.
func (st *Stub) next() (r Reply, why string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if len(st.replies) == 0 {
		return Reply{}, fmt.Sprintf("the stub %s (%s) has no reply, answered 501\n\tcall .Reply(...) on it before the first request", st.pattern, st.site)
	}
	r, ok := nth(st.replies, st.served)
	if !ok {
		return Reply{}, spent(fmt.Sprintf("the stub %s (%s)", st.pattern, st.site), st.replies)
	}
	st.served++
	return r, ""
}

// answer finds the reply to a request. msg is what the test is failed with, "" when all is well or said before.
func (s *Server) answer(method, path string) (r Reply, st *Stub, msg string) {
	s.mu.Lock()
	stubs := slices.Clone(s.stubs)
	s.mu.Unlock()

	if path == "" && method != "CONNECT" {
		path = "/" // GET http://host HTTP/1.1
	}
	segs := splitPath(path)
	for _, one := range stubs {
		if one.pattern.matchesMethod(method) && one.pattern.matchesPath(segs) &&
			(st == nil || relate(one.pattern, st.pattern) == within) {
			st = one
		}
	}
	if st == nil {
		msg = unmatched(method, path, segs, stubs)
		r = Text(501, msg+"\n")
		if s.cfg.allowUnmatched || !s.miss(method+" "+path) {
			msg = ""
		}
		return r, nil, msg
	}

	r, why := st.next()
	if why != "" {
		msg = fmt.Sprintf("mockserver: request %s %s: %s", method, shorten(path), why)
		r = Text(501, msg+"\n")
		if !s.miss(method + " " + path) {
			msg = ""
		}
		return r, st, msg
	}
	if err := r.problem(); err != nil { // reported by Stub.Reply
		r = Text(501, fmt.Sprintf("mockserver: reply of %s (%s): %v\n", st.pattern, st.site, err))
	}
	return r, st, ""
}

// misses counts the requests that failed the test, by method and path. Each of them is reported once.
type misses struct {
	count map[string]int
	more  int // requests with other paths, after maxMisses
}

const (
	maxMisses = 10
	maxStubs  = 20 // stubs listed in a message
)

// miss says whether this is to be reported.
func (s *Server) miss(what string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &s.missed
	if m.count == nil {
		m.count = map[string]int{}
	}
	if m.count[what] == 0 && len(m.count) == maxMisses {
		m.more++
		return false
	}
	m.count[what]++
	return m.count[what] == 1
}

// missedNote says what was not reported because the like of it had been.
func (s *Server) missedNote() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(s.missed.count)) {
		if n := s.missed.count[what]; n > 1 {
			fmt.Fprintf(&b, "\n\t%s came %d times", shorten(what), n)
		}
	}
	if n := s.missed.more; n > 0 {
		fmt.Fprintf(&b, "\n\t%d more for other paths, see Requests", n)
	}
	if b.Len() == 0 {
		return ""
	}
	return "mockserver: requests that failed the test, reported once or not at all:" + b.String()
}

// unmatched is the message for a request that no stub matches.
func unmatched(method, path string, segs []string, stubs []*Stub) string {
	var b strings.Builder
	fmt.Fprintf(&b, "mockserver: unexpected request %s %s: no stub matches, answered 501", method, shorten(path))
	if near, why := nearest(method, path, segs, stubs); near != nil {
		fmt.Fprintf(&b, "\n\tnearest: %s (%s): %s", near.pattern, near.site, why)
		fmt.Fprintf(&b, "\n\tstubs (%d):", len(stubs))
		width := 0
		for _, st := range stubs[:min(len(stubs), maxStubs)] {
			width = max(width, utf8.RuneCountInString(st.pattern.String()))
		}
		for i, st := range stubs {
			if i == maxStubs {
				fmt.Fprintf(&b, "\n\t\tand %d more", len(stubs)-i)
				break
			}
			fmt.Fprintf(&b, "\n\t\t%-*s   %s", width, st.pattern, st.site)
		}
	} else {
		b.WriteString("\n\tthe server has no stubs")
	}
	switch {
	case segs == nil:
		b.WriteString("\n\tno stub can expect it: a pattern is a path")
	case len(path) == len(shorten(path)):
		if strings.HasSuffix(path, "/") {
			path += "{$}"
		}
		fmt.Fprintf(&b, "\n\tto expect it: srv.On(%q, %q).Reply(...)", method, path)
	}
	return b.String()
}

// nearest finds the stub that a request most likely was meant for: one with the path and another method, or else the one
// whose path takes the fewest edits.
func nearest(method, path string, segs []string, stubs []*Stub) (best *Stub, why string) {
	cost := 0
	for _, st := range stubs {
		n := 0
		if !st.pattern.matchesPath(segs) {
			n = 2 + 2*distance(st.pattern.fill(segs), path)
		}
		if !st.pattern.matchesMethod(method) {
			n++
		}
		if best == nil || n < cost {
			best, cost = st, n
		}
	}
	if best == nil {
		return nil, ""
	}
	if best.pattern.matchesPath(segs) {
		return best, fmt.Sprintf("the method differs: %s, not %s", method, best.pattern.method)
	}
	why = best.pattern.difference(segs)
	if !best.pattern.matchesMethod(method) {
		why += fmt.Sprintf("; the method too: %s, not %s", method, best.pattern.method)
	}
	return best, why
}

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
			return fmt.Sprintf("the path goes on with %q", shorten(strings.Join(path[i:], "/")))
		case s.kind == wildcard:
			return fmt.Sprintf("%s is empty in the path", s)
		case strings.EqualFold(s.text, path[i]):
			return fmt.Sprintf("the path differs in upper and lower case: %q, not %q", shorten(path[i]), s.text)
		default:
			return fmt.Sprintf("the path differs: %q, not %q", shorten(path[i]), s.text)
		}
	}
	if more := path[len(p.segs):]; len(more) > 1 || more[0] != "" {
		return fmt.Sprintf("the path goes on with %q", shorten(strings.Join(more, "/")))
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
