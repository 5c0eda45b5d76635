package mockserver

import (
	"fmt"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPatternMatches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, path string // the path as it is sent
		want          bool
	}{
		{"/", "/", true},
		{"/", "/a/b", true},
		{"/{$}", "/", true},
		{"/{$}", "/a", false},
		{"/a", "/a", true},
		{"/a", "/a/", false},
		{"/a", "/A", false},
		{"/a/", "/a/", true},
		{"/a/", "/a", false},
		{"/a/", "/a/b/c", true},
		{"/a/{$}", "/a/", true},
		{"/a/{$}", "/a/b", false},
		{"/a/{id}", "/a/7", true},
		{"/a/{id}", "/a/", false},
		{"/a/{id}", "/a/7/", false},
		{"/a/{id}", "/a/b%2Fc", true},
		{"/a/{id}/b", "/a/7/b", true},
		{"/a/{id}/b", "/a//b", false},
		{"/a/{rest...}", "/a/", true},
		{"/a/{rest...}", "/a", false},
		{"/a/{rest...}", "/a/b//c/", true},
		{"/a b", "/a%20b", true},
		{"/a%2Fb", "/a%2fb", true},
		{"/a%2Fb", "/a/b", false},
		{"/a//b", "/a//b", true},
		{"/a//b", "/a/b", false},
		{"/", "*", false},
		{"/", "", false},
	} {
		p, err := parsePattern("", c.pattern)
		require.NoError(t, err, c.pattern)
		assert.Equal(t, c.want, p.matchesPath(splitPath(c.path)), "%s and %s", c.pattern, c.path)
	}
}

// net/http.ServeMux says which patterns conflict and which one wins.
func TestPatternsAreServeMuxs(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewSource(1))
	pick := func(of ...string) string { return of[rnd.Intn(len(of))] }
	anyPattern := func() (method, path string) {
		for i := range rnd.Intn(4) {
			path += "/" + pick("a", "b", "%61", "c%2Fd", fmt.Sprintf("{w%d}", i))
		}
		path += pick("", "/", "/{$}", "/{rest...}", "/x")
		if path == "" {
			path = "/"
		}
		return pick("", "GET", "HEAD", "POST"), path
	}
	conflicts, matches := 0, 0
	for round := range 500 {
		mux := http.NewServeMux()
		s := &Server{t: &bareT{}}
		for range 8 {
			method, path := anyPattern()
			p, err := parsePattern(method, path)
			require.NoError(t, err)
			handler := tagged(p.String())
			panicked := func() (panicked bool) {
				defer func() { panicked = recover() != nil }()
				mux.Handle(p.String(), handler)
				return
			}()
			s.add(&Stub{pattern: p, replies: []Reply{Status(200)}}, true)
			fail := s.settle()
			require.Equal(t, panicked, len(fail) == 1, "round %d, %s: %v", round, p, fail)
			if panicked {
				conflicts++
			}
		}
		for range 20 {
			path := ""
			for range rnd.Intn(5) {
				path += "/" + pick("a", "b", "x", "y", "c%2Fd", "%62")
			}
			path += pick("", "/")
			if path == "" {
				path = "/"
			}
			req := httptest.NewRequest(pick("GET", "HEAD", "POST", "PUT"), path, nil)
			h, _ := mux.Handler(req)
			want, ok := h.(tagged)
			if !ok && h != nil && isRedirect(h, req) {
				continue // the server does not redirect
			}
			_, got, _ := s.answer(&Request{Method: req.Method, Path: req.URL.Path}, req.URL.EscapedPath())
			if got == nil {
				require.Equal(t, tagged(""), want, "%s %s", req.Method, path)
				continue
			}
			matches++
			require.Equal(t, string(want), got.pattern.String(), "%s %s", req.Method, path)
		}
	}
	assert.Greater(t, conflicts, 500)
	assert.Greater(t, matches, 500)
}

type tagged string

func (tagged) ServeHTTP(http.ResponseWriter, *http.Request) {}

func isRedirect(h http.Handler, req *http.Request) bool {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w.Code >= 300 && w.Code < 400
}

func FuzzPattern(f *testing.F) {
	for _, s := range []string{"/", "/a/{id}", "/{rest...}", "/{$}", "/{", "/%zz", "{}", "/a{b}", "/{a}/{a}", "http://x/y", "GET /x", "/a?b"} {
		f.Add("GET", s, "/a/b")
	}
	f.Fuzz(func(t *testing.T, method, text, path string) {
		p, err := parsePattern(method, text)
		if err != nil {
			assert.True(t, strings.HasPrefix(err.Error(), "mockserver: On("), err.Error())
			return
		}
		segs := splitPath(path)
		if !p.matchesPath(segs) {
			assert.NotEmpty(t, p.difference(segs))
		}
		assert.Equal(t, same, relate(p, p))
	})
}
