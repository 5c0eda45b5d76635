package mockserver

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The nearest stub is the one that a look at every stub, without any short cut, finds.
func TestNearest(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewSource(3))
	pick := func(of ...string) string { return of[rnd.Intn(len(of))] }
	word := func() string { return strings.Repeat(pick("a", "ab", "user", "x"), rnd.Intn(60)/(1+rnd.Intn(20))) }
	notFirst := 0
	for range 500 {
		var stubs []*Stub
		for i := range 12 {
			p, err := parsePattern(pick("", "GET", "POST"), "/"+word()+pick("", "/{id}", "/{id}/x", "/", "/y"))
			require.NoError(t, err)
			st := &Stub{id: i, pattern: p}
			for range rnd.Intn(3) {
				st.matchers = append(st.matchers, WithQuery("q", pick("1", "2")))
			}
			stubs = append(stubs, st)
		}
		in := incomingOf(t, pick("GET", "PUT"), "/"+word()+pick("", "/7", "/", "/y")+"?q=1", "", "")
		cost := func(st *Stub) (path, matchers int) {
			if !st.pattern.matchesPath(in.segs) {
				path = 2 + 2*distance(st.pattern.fill(in.segs), in.escaped)
			}
			if !st.pattern.matchesMethod(in.Method) {
				path++
			}
			for _, m := range st.matchers {
				if !m.takes(in) {
					matchers++
				}
			}
			return path, matchers
		}
		best := stubs[0]
		for _, st := range stubs[1:] {
			path, matchers := cost(st)
			if p, m := cost(best); path < p || path == p && matchers < m {
				best = st
			}
		}
		got := nearest(in, stubs)
		require.Equal(t, best.id, got.id, "%s %s: %s, not %s", in.Method, in.escaped, got.title(), best.title())
		if got != stubs[0] {
			notFirst++
		}
	}
	assert.Greater(t, notFirst, 300)
	assert.Nil(t, nearest(incomingOf(t, "GET", "/", "", ""), nil))
}

// Messages do not grow with the request.
func TestUnmatchedMessageIsBounded(t *testing.T) {
	t.Parallel()
	srv := New(&bareT{}, AllowUnused(), AllowUnmatched())
	defer srv.Close()
	huge := strings.Repeat("x", 50_000)
	for i := range 100 {
		srv.On("POST", "/a", WithBody(huge+fmt.Sprint(i)), WithHeader("X-Huge", huge), WithJSON(`{"`+huge+`":"`+huge+`"}`), WithCookie(huge, huge))
	}
	in := incomingOf(t, "POST", "/a?"+huge, "X-Huge: "+huge[1:], `{"`+huge+`":1}`)
	_, st, fail := srv.answer(in.Request, in.escaped)
	require.Nil(t, st)
	assert.Empty(t, fail)
	msg := unmatched(in, srv.stubs)
	assert.Less(t, len(msg), 10_000)
	for _, line := range strings.Split(msg, "\n") {
		assert.Less(t, len(line), 500, line)
	}
}
