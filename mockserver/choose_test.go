package mockserver

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhichStubAnswers(t *testing.T) {
	t.Parallel()
	one, two := WithQuery("a", "1"), WithHeaderMatching("User-Agent", "Go")
	type stub struct {
		path     string
		matchers []Matcher
		priority int
	}
	for _, c := range []struct {
		name  string
		stubs []stub
		want  int // index in stubs
	}{
		{"priority before all", []stub{{"/x/y", []Matcher{one, two}, 5}, {"/", nil, 4}}, 1},
		{"the default is 5", []stub{{"/x/y", nil, usualPriority}, {"/", nil, 6}}, 0},
		{"a priority may be negative", []stub{{"/x/y", nil, -1}, {"/", nil, -2}}, 1},
		{"one pattern, two priorities", []stub{{"/x/y", nil, 1}, {"/x/y", nil, 5}}, 0},
		{"the path before matchers", []stub{{"/x/y", nil, 5}, {"/x/{b}", []Matcher{one, two}, 5}}, 0},
		{"more matchers", []stub{{"/x/y", []Matcher{one, two}, 5}, {"/x/y", []Matcher{two}, 5}, {"/x/y", nil, 5}}, 0},
		{"the last", []stub{{"/x/y", []Matcher{one}, 5}, {"/x/y", []Matcher{two}, 5}}, 1},
		{"crossed with matchers", []stub{{"/{a}/y", []Matcher{one}, 5}, {"/x/{b}", nil, 5}}, 0},
		{"crossed with priority", []stub{{"/{a}/y", nil, 4}, {"/x/{b}", nil, 5}}, 0},
		{"crossed and the last", []stub{{"/x/{b}", []Matcher{one}, 5}, {"/{a}/y", []Matcher{two}, 5}}, 1},
		{"one within a crossed one", []stub{{"/x/{b}", []Matcher{one, two}, 5}, {"/{a}/y", []Matcher{one}, 5}, {"/x/y", nil, 5}}, 2},
		// The first is more specific than the second, the second has more matchers than the third, and the third more
		// than the first: the second is out, because the first answers in its place.
		{"a ring", []stub{{"/{a}/y", nil, 5}, {"/{a}/{b}", []Matcher{one, two}, 5}, {"/x/{b}", []Matcher{one}, 5}}, 2},
	} {
		rnd := rand.New(rand.NewSource(1))
		for range 10 {
			ft := &fakeT{}
			srv := New(ft, AllowUnused())
			order := rnd.Perm(len(c.stubs))
			if strings.Contains(c.name, "last") {
				slices.Sort(order)
			}
			for _, i := range order {
				st := c.stubs[i]
				srv.On("GET", st.path, st.matchers...).Reply(Text(200, fmt.Sprint(i))).Priority(st.priority)
			}
			assert.Equal(t, fmt.Sprint("200 ", c.want), read(srv.Client(), "GET", srv.URL+"/x/y?a=1", ""), "%s: %v", c.name, order)
			ft.end()
			assert.Empty(t, ft.failures(), c.name)
		}
	}
}

// Stubs of one pattern are told apart by their matchers.
func TestOnePatternManyStubs(t *testing.T) {
	t.Parallel()
	srv := New(t)
	for i := range 3 {
		srv.On("GET", "/users", WithQuery("page", fmt.Sprint(i))).Reply(Text(200, fmt.Sprint("page ", i)))
	}
	srv.On("GET", "/users").Reply(Text(404, "none"))
	for i := range 3 {
		assert.Equal(t, fmt.Sprint("200 page ", i), read(srv.Client(), "GET", fmt.Sprint(srv.URL, "/users?page=", i), ""))
	}
	assert.Equal(t, "404 none", read(srv.Client(), "GET", srv.URL+"/users?page=3", ""))
}

// Priority may come after other stubs, and after Reply.
func TestPriorityComesLate(t *testing.T) {
	t.Parallel()
	srv := New(t)
	usual := srv.On("GET", "/x").Reply(Text(200, "usual")).Optional()
	special := srv.On("GET", "/x").Reply(Text(200, "special"))
	special.Priority(1)
	assert.Equal(t, "200 special", read(srv.Client(), "GET", srv.URL+"/x", ""))
	usual.Priority(0)
	assert.Equal(t, "200 usual", read(srv.Client(), "GET", srv.URL+"/x", ""), "a change counts at once")
}

// Of two that contradict each other the first answers.
func TestConflictIsReportedWithTheRequest(t *testing.T) {
	t.Parallel()
	ft := &fakeT{}
	srv := New(ft, AllowUnused())
	srv.On("GET", "/x", WithQuery("a", "1"), WithQuery("b", "2")).Reply(Text(200, "first"))
	srv.On("GET", "/x", WithQuery("b", "2"), WithQuery("a", "1")).Reply(Text(200, "second"))
	assert.Empty(t, ft.failures())
	for range 2 {
		assert.Equal(t, "200 first", read(srv.Client(), "GET", srv.URL+"/x?a=1&b=2", ""))
	}
	require.Len(t, ft.failures(), 1)
	assert.Contains(t, ft.failures()[0], `there is a stub for GET /x WithQuery("a", "1") WithQuery("b", "2") already`)
	ft.end()
	assert.Len(t, ft.failures(), 1)
}

// The index finds what a look at every stub finds.
func TestIndexFindsAll(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewSource(2))
	pick := func(of ...string) string { return of[rnd.Intn(len(of))] }
	found := 0
	for range 300 {
		var ix index
		var stubs []*Stub
		for i := range 30 {
			path := ""
			for j := range rnd.Intn(4) {
				path += "/" + pick("a", "b", "%61", "", fmt.Sprintf("{w%d}", j))
			}
			path += pick("/", "/{$}", "/{rest...}", "/x", "/{z}")
			p, err := parsePattern(pick("", "GET", "POST"), path)
			require.NoError(t, err)
			st := &Stub{id: i, pattern: p}
			stubs = append(stubs, st)
			ix.add(st)
		}
		for range 50 {
			path := ""
			for range rnd.Intn(5) {
				path += "/" + pick("a", "b", "x", "y", "")
			}
			method, segs := pick("GET", "HEAD", "PUT"), splitPath(path)
			var want []*Stub
			for _, st := range stubs {
				if st.pattern.matchesMethod(method) && st.pattern.matchesPath(segs) {
					want = append(want, st)
				}
			}
			got := ix.find(method, segs, nil)
			slices.SortFunc(got, func(a, b *Stub) int { return a.id - b.id })
			require.Equal(t, want, got, "%s %s", method, path)
			found += len(got)
		}
	}
	assert.Greater(t, found, 1000)
}

func TestManyStubsWhileRequestsCome(t *testing.T) {
	t.Parallel()
	ft := &fakeT{}
	srv := New(ft, AllowUnused())
	srv.On("GET", "/n/{n}").Reply(Text(200, "any"))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 100 {
				assert.Equal(t, "200 any", read(srv.Client(), "GET", fmt.Sprintf("%s/n/%d", srv.URL, i), ""))
			}
		})
	}
	for i := range 100 {
		srv.On("GET", fmt.Sprintf("/m/%d", i), WithQuery("a", "1")).Reply(Text(200, "one")).Priority(4).Optional().Sets("s", "t")
		srv.State("s")
	}
	wg.Wait()
	ft.end()
	assert.Empty(t, ft.failures())
}
