package mockserver

import (
	"slices"
	"strconv"
	"strings"
)

// rivals finds the stubs that a new one may contradict, without looking at all of them: by their matchers, and of these
// by their paths. A stub of Load contradicts none, and is not in it.
type rivals map[string]*index

func (r *rivals) add(st *Stub) {
	key, ok := st.rivalry()
	if !ok {
		return
	}
	if *r == nil {
		*r = rivals{}
	}
	if (*r)[key] == nil {
		(*r)[key] = &index{}
	}
	(*r)[key].add(st)
}

// first is the one that On added first, of those that a stub contradicts, or nil.
func (r rivals) first(st *Stub) (first *Stub) {
	key, ok := st.rivalry()
	if !ok || r[key] == nil {
		return nil
	}
	r[key].overlapping(st.pattern.segs, func(old *Stub) {
		if (first == nil || old.id < first.id) && st.contradicts(old) {
			first = old
		}
	})
	return first
}

// rivalry is the same for two stubs when sameMatchers holds. ok is false when it holds for no other stub.
func (st *Stub) rivalry() (key string, ok bool) {
	if st.url != nil {
		return "", false
	}
	keys := make([]string, len(st.matchers))
	for i, m := range st.matchers {
		if m.key == "" {
			return "", false
		}
		keys[i] = strconv.Quote(m.key)
	}
	slices.Sort(keys)
	return strings.Join(keys, " "), true
}
