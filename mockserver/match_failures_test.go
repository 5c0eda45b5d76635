package mockserver

import (
	"bytes"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMatchFailures compares what a test is told about requests that match no stub, and stubs that get no request. Read
// testdata/match_failures.txt as a user would.
func TestMatchFailures(t *testing.T) {
	t.Parallel()
	// send does one request, with headers as lines.
	send := func(srv *Server, method, target, headers, body string) {
		req, err := http.NewRequest(method, srv.URL+target, bytes.NewReader([]byte(body)))
		require.NoError(t, err)
		for _, line := range strings.Split(headers, "\n") {
			if name, value, ok := strings.Cut(line, ": "); ok {
				req.Header.Add(name, value)
			}
		}
		resp, err := srv.Client().Do(req)
		require.NoError(t, err)
		resp.Body.Close()
	}
	// miss sends one request to a server with one stub that does not match it.
	miss := func(headers, target, body string, m ...Matcher) func(*fakeT) {
		return func(ft *fakeT) {
			srv := New(ft, AllowUnused())
			srv.On("POST", "/orders", m...).Reply(Status(200))
			send(srv, "POST", "/orders"+target, headers, body)
		}
	}
	long := strings.Repeat("abcdefghi ", 20)

	cases := []failure{
		{"each part on a line", "what is right stands beside what is wrong", miss("Accept: text/html\n"+formType, "?page=3&dry=yes", "name=bob",
			WithQuery("page", "2"), WithQuery("dry", "yes"), WithHeader("Accept", "application/json"), WithForm("name", "alice"))},
		{"JSON by path", "the place that differs, not the whole body", miss("", "", `{"user":{"name":"bob","tags":["a"]},"n":1}`,
			WithJSON(map[string]any{"user": map[string]any{"name": "alice", "tags": []string{"a"}}, "n": 1}))},
		{"JSON, many differences", "the first three are enough", miss("", "", `{"a":1,"b":2,"c":3,"d":4,"e":5}`, WithJSON(`{"a":0,"b":0,"c":0,"d":0,"e":0}`))},
		{"JSON subset", "members that are not asked for are no difference", miss("", "", `{"id":1,"items":[{"sku":"x","n":1}]}`, WithJSONSubset(`{"items":[{"sku":"y"}]}`))},
		{"not JSON", "a form in place of JSON", miss("", "", "name=bob", WithJSON(`{"name":"bob"}`))},
		{"no body", "the most common reason why a body is not JSON", miss("", "", "", WithJSONSubset(`{"name":"bob"}`))},
		{"absent", "each kind of matcher says that nothing is there", miss("", "", "", WithQuery("page", "2"), WithHeader("X-Id", "1"), WithCookie("sid", "abc"))},
		{"name in another case", "names in a query are told apart by case", miss("", "?Page=2", "", WithQuery("page", "2"))},
		{"several values", "all that came are shown", miss("X-Id: 1\nX-Id: 2", "", "", WithHeader("X-Id", "3"))},
		{"what must not be there", "a matcher that fails because something is there", miss("X-Debug: 1", "?trace=", "", WithoutHeader("X-Debug"), WithoutQuery("trace"), WithoutQuery("x"))},
		{"secrets", "a log of a build is read by many", miss("Authorization: Bearer top-secret\nCookie: sid=very-secret", "", "",
			WithHeader("Authorization", "Bearer hush-hush!"), WithHeaderMatching("authorization", "^Basic "), WithCookie("sid", "hidden-too"), WithHeader("Cookie", "sid=hidden"), WithoutHeader("Cookie"))},
		{"a difference far in", "long values are cut, so the place is told", miss("", "", long+"end", WithBody(long+"END!"))},
		{"upper and lower case", "is hard to see", miss("X-Env: prod", "", "", WithHeader("X-Env", "Prod"))},
		{"space", "cannot be seen", miss("", "", "hello\n", WithBody("hello"))},
		{"regexps", "the expression is shown, and what nearly matches", miss("", "?page=x", "Hello", WithQueryMatching("page", `^\d+$`), WithBodyMatching("^hello"), WithBodyContaining("HELL"), WithPathMatching("^/v1/"))},
		{"not a form", "the client forgot the Content-Type", miss("Content-Type: application/json", "", "name=bob", WithForm("name", "bob"))},
		{"Where", "a function has no value to show, so its description is", miss("", "", "", Where("an id that is even", func(Request) bool { return false }))},
		{"Where that panics", "is not the same as false", miss("", "", "", Where("no index", func(Request) bool { panic("index out of range") }))},
		{"secrets without a token", "the scheme is no secret, and an empty token the usual fault", miss("Authorization: Bearer ", "", "", WithHeader("Authorization", "Bearer abcd"))},
		{"a body that is too long", "says what to do", miss("", "", strings.Repeat("x", 100_000), WithBodyContaining("y"))},
		{"the state of a scenario", "nothing of the request is wrong", func(ft *fakeT) {
			srv := New(ft, AllowUnused())
			srv.On("GET", "/cart", InState("cart", "filled")).Reply(Status(200))
			send(srv, "GET", "/cart", "", "")
		}},
		{"the nearest of several", "path and method come first, then the matchers that fail", func(ft *fakeT) {
			srv := New(ft, AllowUnused())
			srv.On("PUT", "/orders", WithQuery("a", "1"), WithQuery("b", "2")).Reply(Status(200))
			srv.On("POST", "/orders", WithQuery("a", "2"), WithQuery("b", "3")).Reply(Status(200))
			srv.On("POST", "/orders", WithQuery("a", "1"), WithQuery("b", "3")).Reply(Status(200))
			send(srv, "POST", "/orders?a=1&b=2", "", "")
		}},
		{"any method", "a stub without a method has none to differ in", func(ft *fakeT) {
			srv := New(ft, AllowUnused())
			srv.On("", "/orders", WithQuery("a", "1")).Reply(Status(200))
			send(srv, "PATCH", "/order", "", "")
		}},

		{"identical stubs", "matchers in another order are the same", func(ft *fakeT) {
			srv := New(ft)
			srv.On("GET", "/x", WithQuery("a", "1"), WithQuery("b", "2")).Optional()
			srv.On("GET", "/x", WithQuery("b", "2"), WithQuery("a", "1")).Optional()
		}},
		{"crossed stubs", "with the same matchers", func(ft *fakeT) {
			srv := New(ft)
			srv.On("GET", "/{a}/x", WithHeader("Authorization", "secret")).Optional()
			srv.On("GET", "/x/{b}", WithHeader("Authorization", "secret")).Optional()
		}},
		{"a stub with a wrong matcher", "is reported once, and not as unused", func(ft *fakeT) { New(ft).On("GET", "/x", WithQueryMatching("q", "(")) }},

		{"never called", "all stubs in one message", func(ft *fakeT) {
			srv := New(ft)
			srv.On("GET", "/users/{id}").Reply(Status(200))
			srv.On("POST", "/orders", WithJSONSubset(`{"id":1}`)).Reply(Status(200))
			srv.On("GET", "/called").Reply(Status(200))
			send(srv, "GET", "/called", "", "")
		}},
		{"another stub took it", "the usual reason in a server with many stubs", func(ft *fakeT) {
			srv := New(ft)
			srv.On("GET", "/users/{id}").Reply(Status(200))
			srv.On("GET", "/users/me").Reply(Status(200))
			send(srv, "GET", "/users/me", "", "")
		}},
		{"a state that never came", "the state in which the scenario ended tells why", func(ft *fakeT) {
			srv := New(ft)
			srv.On("GET", "/cart", InState("cart", "filled")).Reply(Status(200))
			srv.SetState("cart", "full")
		}},
		{"called too seldom", "both numbers are told", func(ft *fakeT) {
			srv := New(ft)
			srv.On("GET", "/x").Reply(Status(200)).Expect(3)
			send(srv, "GET", "/x", "", "")
		}},
		{"called too often", "fails with the request, and is not said twice", func(ft *fakeT) {
			srv := New(ft)
			srv.On("GET", "/x").Reply(Status(200)).Expect(1)
			for range 3 {
				send(srv, "GET", "/x", "", "")
			}
		}},
		{"called although it must not be", "Expect(0) is how a test says never", func(ft *fakeT) {
			srv := New(ft)
			srv.On("DELETE", "/x").Reply(Status(200)).Expect(0)
			send(srv, "DELETE", "/x", "", "")
		}},
		{"unused, and failed", "one line in the log, the failure is the cause", func(ft *fakeT) {
			srv := New(ft)
			srv.On("GET", "/users").Reply(Status(200))
			srv.On("GET", "/orders").Reply(Status(200)).Expect(2)
			send(srv, "GET", "/user", "", "")
		}},
		{"many unused", "the list is cut", func(ft *fakeT) {
			srv := New(ft)
			for i := range 23 {
				srv.On("GET", fmt.Sprint("/", i)).Reply(Status(200))
			}
		}},
		{"Expect of less than nothing", "a difference that came out wrong", func(ft *fakeT) { New(ft).On("GET", "/x").Expect(-1).Optional() }},
		{"scenarios without names", "an empty variable, perhaps", func(ft *fakeT) {
			srv := New(ft)
			srv.On("GET", "/x").Optional().Sets("", "x")
			srv.SetState("", "x")
		}},

		{"waited in vain", "the requests that came instead", func(ft *fakeT) {
			srv := New(ft, AllowUnmatched())
			stub := srv.On("POST", "/orders", WithQuery("a", "1")).Reply(Status(201)).Optional()
			srv.On("GET", "/health").Reply(Status(204))
			send(srv, "POST", "/orders?a=1", "", "")
			send(srv, "GET", "/health", "", "")
			send(srv, "POST", "/orders?a=2", "", "")
			raw(t, srv, "garbage\r\n\r\n")
			got := srv.Wait(stub, 2, time.Millisecond)
			assert.Len(t, got, 1, "a t without FailNow gets what came")
		}},
		{"waited, nothing came", "the client may not have been started", func(ft *fakeT) {
			srv := New(ft)
			srv.Wait(srv.On("POST", "/orders").Optional(), 1, time.Millisecond)
		}},
		{"waited, many others came", "the last ten", func(ft *fakeT) {
			srv := New(ft)
			srv.On("GET", "/").Reply(Status(204))
			for i := range 12 {
				send(srv, "GET", fmt.Sprint("/", i), "", "")
			}
			srv.Wait(srv.On("POST", "/orders").Optional(), 1, time.Millisecond)
		}},
		{"waited on a closed server", "to wait longer would be in vain", func(ft *fakeT) {
			srv := New(ft)
			stub := srv.On("POST", "/orders").Optional()
			srv.Close()
			srv.Wait(stub, 1, time.Hour)
		}},
		{"no stub to wait for", "a variable that was never set", func(ft *fakeT) { New(ft).Wait(nil, 1, time.Hour) }},
		{"another server's stub", "two servers in one test are mixed up easily", func(ft *fakeT) {
			other := New(ft).On("GET", "/x").Optional()
			New(ft).Calls(other)
		}},
	}
	got := failures(t, cases, nil)
	for _, secret := range []string{"top-secret", "hush-hush", "very-secret", "hidden-too", "sid=", `"secret"`} {
		assert.NotContains(t, got, secret)
	}
	golden(t, filepath.Join("testdata", "match_failures.txt"), got)
}
