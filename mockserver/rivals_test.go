package mockserver

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stubOf is a stub that no server has.
func stubOf(t *testing.T, id int, method, path string, matchers ...Matcher) *Stub {
	t.Helper()
	p, err := parsePattern(method, path)
	require.NoError(t, err)
	return &Stub{id: id, pattern: p, matchers: matchers, priority: usualPriority}
}

// TestRivals: what is found by way of the tree is what a look at all stubs finds.
func TestRivals(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewSource(1))
	pick := func(of ...string) string { return of[rnd.Intn(len(of))] }
	even := Where("even", func(Request) bool { return true })
	matchers := []Matcher{WithQuery("a", "1"), WithQuery("b", "2"), WithHeader("A", strings.Repeat("x", 100)), WithHeader("A", strings.Repeat("x", 100)+"y"), even}
	found := map[relation]int{}
	none := 0
	for range 2000 {
		var all []*Stub
		var tree rivals
		for id := 1; id <= 12; id++ {
			path := ""
			for i := range rnd.Intn(4) {
				path += "/" + pick("a", "b", "", fmt.Sprintf("{w%d}", i))
			}
			path += pick("", "", "/", "/{$}", "/{rest...}", "/a")
			if path == "" {
				path = "/"
			}
			st := stubOf(t, id, pick("", "GET", "HEAD", "POST"), path)
			for range rnd.Intn(2) {
				st.matchers = append(st.matchers, matchers[rnd.Intn(len(matchers))])
			}
			st.priority += rnd.Intn(2)
			if rnd.Intn(8) == 0 {
				st.url = &loadedURL{}
			}
			var want *Stub
			for _, old := range all {
				if st.contradicts(old) {
					want = old
					break
				}
			}
			require.Same(t, want, tree.first(st), "%s", st.pattern)
			if want == nil {
				none++
			} else {
				found[relate(st.pattern, want.pattern)]++
			}
			if want == nil || rnd.Intn(2) == 0 { // some of those that contradict too, so that there is a first one of several
				all = append(all, st)
				tree.add(st)
			}
		}
	}
	assert.Greater(t, none, 1000)
	assert.Greater(t, found[same], 50)
	assert.Greater(t, found[crossed], 50)
}

// A server with many stubs must not compare each with each, when it has its lock.
func TestRivalsOfManyStubs(t *testing.T) {
	t.Parallel()
	const n = 4000
	for name, stub := range map[string]func(i int) *Stub{
		"names":       func(i int) *Stub { return stubOf(t, i, "GET", fmt.Sprintf("/users/%d", i)) },
		"names, rest": func(i int) *Stub { return stubOf(t, i, "", fmt.Sprintf("/users/%d/", i)) },
		"wildcards":   func(i int) *Stub { return stubOf(t, i, "GET", fmt.Sprintf("/{tenant}/users%d/{id}", i)) },
		"matchers": func(i int) *Stub {
			return stubOf(t, i, "GET", "/users", WithHeader("Authorization", strings.Repeat("x", 200)+fmt.Sprint(i)))
		},
		"functions": func(i int) *Stub {
			return stubOf(t, i, "GET", "/users", Where("x", func(Request) bool { return true }))
		},
	} {
		var tree rivals
		visits := 0
		for i := range n {
			st := stub(i)
			if key, ok := st.rivalry(); ok && tree[key] != nil {
				tree[key].overlapping(st.pattern.segs, func(*Stub) { visits++ })
			}
			require.Nil(t, tree.first(st))
			tree.add(st)
		}
		assert.LessOrEqual(t, visits, n, name)
	}
}
