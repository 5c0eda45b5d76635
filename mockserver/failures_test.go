package mockserver

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFailures compares every message that a test can be failed with. Read testdata/failures.txt as a user would.
func TestFailures(t *testing.T) {
	request := func(method, path string, stubs ...string) func(*fakeT) {
		return func(ft *fakeT) {
			srv := New(ft, AllowUnused())
			for _, s := range stubs {
				method, path, _ := strings.Cut(s, " ")
				srv.On(method, path).Reply(Status(200))
			}
			body := raw(t, srv, method+" "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			if method != "HEAD" {
				_, text, _ := strings.Cut(body, "\r\n\r\n")
				got := ft.failures()
				require.NotEmpty(t, got)
				assert.Equal(t, got[len(got)-1]+"\n", text, "the client is told the same")
			}
		}
	}
	on := func(method, path string) func(*fakeT) {
		return func(ft *fakeT) { New(ft).On(method, path) }
	}
	reply := func(r Reply) func(*fakeT) {
		return func(ft *fakeT) {
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

	cases := []failure{
		{"another path", "a typo in the path is the usual cause", request("POST", "/sessions", "POST /session", "GET /users/{id}")},
		{"another method", "the path is right", request("DELETE", "/users/7", "GET /users", "GET /users/{id}")},
		{"path and method", "both are told", request("POST", "/session", "GET /sessions")},
		{"path in another case", "is hard to see", request("GET", "/Users/7", "GET /users/{id}")},
		{"slash too many", "ServeMux would redirect, the server does not", request("GET", "/users/", "GET /users")},
		{"slash too few", "ServeMux would redirect, the server does not", request("GET", "/users", "GET /users/")},
		{"slash too few for the exact path", "{$} is an empty segment", request("GET", "/users", "GET /users/{$}")},
		{"path too long", "which segment is too many", request("GET", "/users/7/posts/8", "GET /users/{id}")},
		{"path too short", "which segment is missing", request("GET", "/users", "GET /users/{id}/posts")},
		{"path lacks the rest", "a wildcard for the rest still wants its slash", request("GET", "/files", "GET /files/{path...}")},
		{"nothing after the slash", "a wildcard does not match an empty segment", request("GET", "/users/", "GET /users/{id}")},
		{"empty segment", "a wildcard takes no empty segment", request("GET", "/users//posts", "GET /users/{id}/posts")},
		{"more than {$}", "{$} is the end and no wildcard", request("GET", "/a", "GET /{$}")},
		{"escaped slash", "the segment is decoded, the pattern to write is not", request("GET", "/a%2Fb", "GET /a/b")},
		{"no path", "a proxy request", request("OPTIONS", "*", "GET /")},
		{"no stubs", "New and nothing else", request("GET", "/x?page=2")},
		{"many stubs", "the list is cut", request("GET", "/stubs", many...)},
		{"long path", "a line stays readable", request("GET", "/"+strings.Repeat("long", 100), "GET /x")},
		{"no reply", "On without Reply", func(ft *fakeT) {
			srv := New(ft)
			srv.On("GET", "/x")
			raw(t, srv, get("/x"))
			raw(t, srv, get("/x"))
		}},
		{"Reply without replies", "a slice that was empty, perhaps", func(ft *fakeT) { New(ft).On("GET", "/x").Reply() }},

		{"same stub", "both places are told", func(ft *fakeT) {
			srv := New(ft)
			srv.On("GET", "/x")
			srv.On("GET", "/x")
		}},
		{"same stub with other names", "names of wildcards do not tell patterns apart", func(ft *fakeT) {
			srv := New(ft)
			srv.On("GET", "/x/{id}")
			srv.On("GET", "/x/{name}")
		}},
		{"overlap", "ServeMux panics here", func(ft *fakeT) {
			srv := New(ft)
			srv.On("GET", "/{a}/x")
			srv.On("GET", "/x/{b}")
		}},
		{"overlap of method and path", "one is more specific in its method, the other in its path", func(ft *fakeT) {
			srv := New(ft)
			srv.On("", "/x")
			srv.On("GET", "/{a}")
		}},
		{"method in the pattern", "as ServeMux has it", on("", "GET /x")},
		{"small method", "methods are told apart by case", on("get", "/x")},
		{"star for any method", "as other routers have it", on("*", "/x")},
		{"no method", "two methods in one text", on("GET POST", "/x")},
		{"empty pattern", "the path is forgotten", on("GET", "")},
		{"no slash", "the usual slip", on("GET", "users/{id}")},
		{"URL", "copied from srv.URL or a browser", on("GET", "http://127.0.0.1/users")},
		{"query", "a query is matched by WithQuery", on("GET", "/users?page=2")},
		{"half wildcard", "a brace is missing", on("GET", "/users/{id")},
		{"wildcard in a segment", "other routers allow it", on("GET", "/users/u{id}")},
		{"wildcard without a name", "other routers allow it", on("GET", "/users/{}")},
		{"wildcard with a bad name", "names are Go's, as in ServeMux", on("GET", "/users/{user-id}")},
		{"wildcard name twice", "PathValue could give one only", on("GET", "/{id}/{id}")},
		{"rest in the middle", "nothing can follow it", on("GET", "/{path...}/x")},
		{"end in the middle", "nothing can follow it", on("GET", "/{$}/x")},

		{"unknown page", "the nearest is named", reply(ALB(505))},
		{"unknown nginx page", "nginx has no page for this status", reply(Nginx(499))},
		{"1xx", "is no final reply", reply(Status(103))},
		{"no status", "a zero value", reply(Text(0, "x"))},
		{"empty reply", "Reply{} was made by hand", reply(Reply{})},
		{"unencodable", "the error of encoding/json is shown", reply(JSON(200, func() {}))},
		{"length by hand", "the server writes it, and Length is for a wrong one", reply(ALB(403).Header("content-length", "1"))},
		{"bad header name", "no client could read it", reply(ALB(403).Header("a b", "1"))},
		{"bad header value", "a header must not add another", reply(ALB(403).Framing(Chunked).Header("a", "1\r\nb: 2"))},
		{"unknown framing", "the first thing that is wrong is told", reply(Status(200).Framing(9).Header("", ""))},
	}
	compareFailures(t, "failures.txt", cases)
}
