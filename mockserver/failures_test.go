package mockserver

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write testdata/failures.txt")

// TestFailures compares every message that a test can be failed with. Read testdata/failures.txt as a user would.
func TestFailures(t *testing.T) {
	request := func(method, path string, stubs ...string) func(TB) {
		return func(ft TB) {
			srv := New(ft, AllowUnused())
			for _, s := range stubs {
				method, path, _ := strings.Cut(s, " ")
				srv.On(method, path).Reply(Status(200))
			}
			body := raw(t, srv, method+" "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			if method != "HEAD" {
				_, text, _ := strings.Cut(body, "\r\n\r\n")
				got := ft.(*fakeT).failures()
				require.NotEmpty(t, got)
				assert.Equal(t, got[len(got)-1]+"\n", text, "the client is told the same")
			}
		}
	}
	on := func(method, path string) func(TB) {
		return func(ft TB) { New(ft).On(method, path) }
	}
	reply := func(r Reply) func(TB) {
		return func(ft TB) {
			srv := New(ft)
			srv.On("GET", "/x").Reply(r)
			got := raw(t, srv, get("/x"))
			assert.Contains(t, got, "HTTP/1.1 501 Not Implemented\r\n")
			assert.Contains(t, got, "mockserver: reply of GET /x (failures_test.go:")
		}
	}
	many := []string{}
	for i := range 30 {
		many = append(many, fmt.Sprintf("GET /stub/%d", i))
	}

	var out strings.Builder
	for _, c := range []struct {
		name, why string // why the case is worth its place
		run       func(TB)
	}{
		{"another path", "a typo in the path is the usual cause", request("POST", "/sessions", "POST /session", "GET /users/{id}")},
		{"another method", "the path is right", request("DELETE", "/users/7", "GET /users", "GET /users/{id}")},
		{"path and method", "both are told", request("POST", "/session", "GET /sessions")},
		{"path in another case", "is hard to see", request("GET", "/Users/7", "GET /users/{id}")},
		{"slash too many", "ServeMux would redirect, the server does not", request("GET", "/users/", "GET /users")},
		{"slash too few", "ServeMux would redirect, the server does not", request("GET", "/users", "GET /users/")},
		{"slash too few for the exact path", "{$} is an empty segment", request("GET", "/users", "GET /users/{$}")},
		{"path too long", "", request("GET", "/users/7/posts/8", "GET /users/{id}")},
		{"path too short", "", request("GET", "/users", "GET /users/{id}/posts")},
		{"path lacks the rest", "", request("GET", "/files", "GET /files/{path...}")},
		{"nothing after the slash", "a wildcard does not match an empty segment", request("GET", "/users/", "GET /users/{id}")},
		{"empty segment", "", request("GET", "/users//posts", "GET /users/{id}/posts")},
		{"more than {$}", "", request("GET", "/a", "GET /{$}")},
		{"escaped slash", "the segment is decoded, the pattern to write is not", request("GET", "/a%2Fb", "GET /a/b")},
		{"no path", "a proxy request", request("OPTIONS", "*", "GET /")},
		{"no stubs", "New and nothing else", request("GET", "/x?page=2")},
		{"many stubs", "the list is cut", request("GET", "/stubs", many...)},
		{"long path", "a line stays readable", request("GET", "/"+strings.Repeat("long", 100), "GET /x")},
		{"no reply", "On without Reply", func(ft TB) {
			srv := New(ft)
			srv.On("GET", "/x")
			raw(t, srv, get("/x"))
			raw(t, srv, get("/x"))
		}},
		{"Reply without replies", "", func(ft TB) { New(ft).On("GET", "/x").Reply() }},

		{"same stub", "", func(ft TB) {
			srv := New(ft)
			srv.On("GET", "/x")
			srv.On("GET", "/x")
		}},
		{"same stub with other names", "", func(ft TB) {
			srv := New(ft)
			srv.On("GET", "/x/{id}")
			srv.On("GET", "/x/{name}")
		}},
		{"overlap", "ServeMux panics here", func(ft TB) {
			srv := New(ft)
			srv.On("GET", "/{a}/x")
			srv.On("GET", "/x/{b}")
		}},
		{"overlap of method and path", "", func(ft TB) {
			srv := New(ft)
			srv.On("", "/x")
			srv.On("GET", "/{a}")
		}},
		{"method in the pattern", "as ServeMux has it", on("", "GET /x")},
		{"small method", "", on("get", "/x")},
		{"star for any method", "", on("*", "/x")},
		{"no method", "", on("GET POST", "/x")},
		{"empty pattern", "", on("GET", "")},
		{"no slash", "", on("GET", "users/{id}")},
		{"URL", "", on("GET", "http://127.0.0.1/users")},
		{"query", "", on("GET", "/users?page=2")},
		{"half wildcard", "", on("GET", "/users/{id")},
		{"wildcard in a segment", "", on("GET", "/users/u{id}")},
		{"wildcard without a name", "", on("GET", "/users/{}")},
		{"wildcard with a bad name", "", on("GET", "/users/{user-id}")},
		{"wildcard name twice", "", on("GET", "/{id}/{id}")},
		{"rest in the middle", "", on("GET", "/{path...}/x")},
		{"end in the middle", "", on("GET", "/{$}/x")},

		{"unknown page", "the nearest is named", reply(ALB(505))},
		{"unknown nginx page", "", reply(Nginx(499))},
		{"1xx", "", reply(Status(103))},
		{"no status", "", reply(Text(0, "x"))},
		{"empty reply", "", reply(Reply{})},
		{"unencodable", "", reply(JSON(200, func() {}))},
		{"length by hand", "", reply(ALB(403).Header("content-length", "1"))},
		{"bad header name", "", reply(ALB(403).Header("a b", "1"))},
		{"bad header value", "a header must not add another", reply(ALB(403).Framing(Chunked).Header("a", "1\r\nb: 2"))},
		{"unknown framing", "the first thing that is wrong is told", reply(Status(200).Framing(9).Header("", ""))},
	} {
		ft := &fakeT{}
		c.run(ft)
		ft.end()
		fmt.Fprintf(&out, "== %s", c.name)
		if c.why != "" {
			fmt.Fprintf(&out, " (%s)", c.why)
		}
		out.WriteString("\n")
		require.NotEmpty(t, ft.failures(), c.name)
		for _, e := range ft.failures() {
			out.WriteString(e + "\n")
		}
		for _, l := range ft.logged() {
			out.WriteString("log: " + l + "\n")
		}
		out.WriteString("\n")
	}

	got := regexp.MustCompile(`failures_test\.go:\d+`).ReplaceAllString(out.String(), "failures_test.go:1")
	file := filepath.Join("testdata", "failures.txt")
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	wantLines, gotLines := strings.Split(strings.ReplaceAll(string(want), "\r\n", "\n"), "\n"), strings.Split(got, "\n")
	for i := range min(len(wantLines), len(gotLines)) {
		require.Equal(t, wantLines[i], gotLines[i], "%s:%d: run with -update, and read the difference", file, i+1)
	}
	require.Equal(t, len(wantLines), len(gotLines), "lines of %s: run with -update, and read the difference", file)
}
