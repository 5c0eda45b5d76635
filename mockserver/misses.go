package mockserver

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// misses counts the requests that failed the test, by method and path. Each of them is reported once.
type misses struct {
	count map[string]int
	more  int // requests with other paths, after maxMisses
}

const maxMisses = 10

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
