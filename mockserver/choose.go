package mockserver

import (
	"fmt"
	"maps"
	"slices"
)

// settle takes the stubs in that On has added since the last request. Only now is it known which priority they have, and
// so whether two of them contradict each other. It wants s.mu, and returns what is to be reported.
func (s *Server) settle() (fail []string) {
	for _, st := range s.added {
		if msg := s.conflict(st); msg != "" {
			st.dropped = true
			fail = append(fail, msg)
			continue
		}
		s.stubs = append(s.stubs, st)
		s.index.add(st)
		s.rivals.add(st)
	}
	s.added = nil
	return fail
}

// conflict says why a stub cannot be beside those that are there, or "".
func (s *Server) conflict(st *Stub) string {
	old := s.rivals.first(st)
	if old == nil {
		return ""
	}
	if relate(st.pattern, old.pattern) == crossed {
		return fmt.Sprintf("mockserver: %s (%s): overlaps the stub %s (%s): some requests match both, and neither is more specific; change one of the two patterns or methods, or give one of them a matcher or a Priority",
			st.call(), st.site, old.title(), old.site)
	}
	text := old.title()
	if st.pattern.text != old.pattern.text {
		text += ", which matches the same requests,"
	}
	advice := "give all replies to one stub, .Reply(first, second), or tell the two apart by a matcher or by Priority"
	if len(st.matchers) > 0 {
		advice = "give all replies to one stub, .Reply(first, second), or tell the two apart by other matchers or by Priority"
	}
	return fmt.Sprintf("mockserver: %s (%s): there is a stub for %s already (%s); %s", st.call(), st.site, text, old.site, advice)
}

// contradicts says that neither of two stubs can go before the other.
func (st *Stub) contradicts(old *Stub) bool {
	if old.priority != st.priority || old.url != nil || st.url != nil { // of Load the last one answers
		return false
	}
	how := relate(st.pattern, old.pattern)
	return (how == same || how == crossed) && sameMatchers(st.matchers, old.matchers)
}

// sameMatchers compares without order.
func sameMatchers(a, b []Matcher) bool {
	if len(a) != len(b) {
		return false
	}
	keys := func(ms []Matcher) []string {
		keys := make([]string, len(ms))
		for i, m := range ms {
			keys[i] = m.key
		}
		slices.Sort(keys)
		return keys
	}
	if len(a) == 0 {
		return true
	}
	x, y := keys(a), keys(b)
	return slices.Equal(x, y) && x[0] != ""
}

// choose finds the stub for a request, and counts the request and sets the states of its scenarios in one step.
func (s *Server) choose(in *incoming) (st *Stub, fail []string) {
	var room [8]*Stub
	s.mu.Lock()
	fail = s.settle()
	found := s.index.find(in.Method, in.segs, room[:0])
	if slices.ContainsFunc(found, func(st *Stub) bool { return len(st.matchers) > 0 || st.url != nil }) {
		// Without the lock: Where calls the user's code.
		s.mu.Unlock()
		found = slices.DeleteFunc(found, func(st *Stub) bool { return !st.takes(in) })
		s.mu.Lock()
		found = slices.DeleteFunc(found, func(st *Stub) bool { return !st.inState(s.states) })
	}
	defer s.mu.Unlock()

	st = pick(found)
	if st == nil {
		in.states = maps.Clone(s.states)
		return nil, fail
	}
	for _, other := range found {
		if other != st {
			other.lost++
			other.lostTo = st
		}
	}
	if st.as != nil {
		st = st.as
	}
	for scenario, state := range st.sets {
		s.enter(scenario, state)
	}
	st.chosen++
	if st.chosen == st.expected+1 && st.expects {
		fail = append(fail, fmt.Sprintf("mockserver: request %s %s: the stub %s (%s) was called more often than Expect(%d) says",
			in.Method, shorten(in.escaped), st.title(), st.site, st.expected))
	}
	return st, fail
}

// takes says whether a request whose method and path match meets the matchers too, but for states.
func (st *Stub) takes(in *incoming) bool {
	if st.url != nil && !(st.url.takesMethod(in.Method) && st.url.takes(in)) {
		return false
	}
	for i := range st.matchers {
		if !st.matchers[i].takes(in) {
			return false
		}
	}
	return true
}

// pick gives the stub that answers, of those that match: the lowest priority, of these the most specific pattern, of
// these the most matchers, and of these the one that was added last. It wants s.mu.
func pick(found []*Stub) *Stub {
	if len(found) == 0 {
		return nil
	}
	first := found[0].priority
	for _, st := range found[1:] {
		first = min(first, st.priority)
	}
	if st := pickLoaded(found, first); st != nil {
		return st
	}
	// The stubs that none is more specific than, one of each pattern. To compare by specificity and then by matchers, two
	// at a time, would not do: patterns that cross are not ordered, so the winner would depend on who meets whom.
	var room [4]*Stub
	top := room[:0]
next:
	for _, st := range found {
		if st.priority != first || st.url != nil {
			continue
		}
		for i := 0; i < len(top); i++ {
			switch relate(st.pattern, top[i].pattern) {
			case same:
				if st.before(top[i]) {
					top[i] = st
				}
				continue next
			case around:
				continue next
			case within:
				top = slices.Delete(top, i, i+1)
				i--
			}
		}
		top = append(top, st)
	}
	best := top[0]
	for _, st := range top[1:] {
		if st.before(best) {
			best = st
		}
	}
	return best
}

// before says which of two stubs answers when their patterns do not decide it.
func (st *Stub) before(other *Stub) bool {
	if len(st.matchers) != len(other.matchers) {
		return len(st.matchers) > len(other.matchers)
	}
	return st.id > other.id
}
