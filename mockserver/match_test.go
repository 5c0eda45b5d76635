package mockserver

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// incomingOf reads a request as the server does. Headers are lines.
func incomingOf(t testing.TB, method, target, headers, body string) *incoming {
	t.Helper()
	text := method + " " + target + " HTTP/1.1\r\nHost: api.test\r\n"
	for _, line := range strings.Split(headers, "\n") {
		if line != "" {
			text += line + "\r\n"
		}
	}
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text + "\r\n")))
	require.NoError(t, err)
	rec := newRequest(req, 1)
	rec.Body, rec.size = []byte(body), len(body)
	return newIncoming(&rec, req.URL.EscapedPath(), keepBody)
}

const formType = "Content-Type: application/x-www-form-urlencoded"

const multipartBody = "--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nbob\r\n" +
	"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\ntext\r\n--b--\r\n"

func TestMatchersTake(t *testing.T) {
	t.Parallel()
	even := func(r Request) bool { return len(r.Body)%2 == 0 }
	for _, c := range []struct {
		m                     Matcher
		target, headers, body string
		want                  bool
	}{
		{WithQuery("page", "2"), "/?page=2", "", "", true},
		{WithQuery("page", "2"), "/?page=1&page=2", "", "", true},
		{WithQuery("page", "2"), "/?page=3", "", "", false},
		{WithQuery("page", "2"), "/?Page=2", "", "", false},
		{WithQuery("page", "2"), "/", "", "", false},
		{WithQuery("page", ""), "/?page", "", "", true},
		{WithQuery("page", ""), "/", "", "", false},
		{WithQuery("q", "a b&c"), "/?q=a+b%26c", "", "", true},
		{WithQuery("q", "a b&c"), "/?q=a%20b%26c", "", "", true},
		{WithQuery("a", "1"), "/?x=%zz&a=1", "", "", true}, // what can be read counts
		{WithQueryMatching("page", `^\d+$`), "/?page=20", "", "", true},
		{WithQueryMatching("page", `^\d+$`), "/?page=20x", "", "", false},
		{WithQueryMatching("page", `\d`), "/?page=x2x", "", "", true},
		{WithQueryMatching("page", `.*`), "/", "", "", false},
		{WithoutQuery("page"), "/?Page=2", "", "", true},
		{WithoutQuery("page"), "/?page", "", "", false},

		{WithHeader("accept", "text/html"), "/", "Accept: text/html", "", true},
		{WithHeader("Accept", "text/html"), "/", "ACCEPT: text/html", "", true},
		{WithHeader("Accept", "text/html"), "/", "Accept: Text/Html", "", false},
		{WithHeader("Accept", "b"), "/", "Accept: a\nAccept: b", "", true},
		{WithHeader("Accept", "b"), "/", "Accept: a, b", "", false},
		{WithHeader("Accept", ""), "/", "", "", false},
		{WithHeader("Accept", ""), "/", "Accept:", "", true},
		{WithHeader("host", "api.test"), "/", "", "", true},
		{WithHeader("Authorization", "Bearer x"), "/", "Authorization: Bearer x", "", true},
		{WithHeader("Authorization", "Bearer x"), "/", "Authorization: Bearer y", "", false},
		{WithHeaderMatching("Authorization", "^Bearer "), "/", "Authorization: Bearer y", "", true},
		{WithHeaderMatching("Authorization", "^Bearer "), "/", "Authorization: Basic y", "", false},
		{WithHeaderMatching("Accept", "json"), "/", "", "", false},
		{WithoutHeader("Accept"), "/", "", "", true},
		{WithoutHeader("accept"), "/", "ACCEPT: a", "", false},
		{WithoutHeader("Host"), "/", "", "", false},

		{WithCookie("sid", "1"), "/", "Cookie: a=b; sid=1", "", true},
		{WithCookie("sid", "1"), "/", "Cookie: sid=0\nCookie: sid=1", "", true},
		{WithCookie("sid", "1"), "/", `Cookie: sid="1"`, "", true},
		{WithCookie("sid", "1"), "/", "Cookie: SID=1", "", false},
		{WithCookie("sid", "1"), "/", "", "", false},

		{WithForm("name", "bob"), "/", formType, "name=bob", true},
		{WithForm("name", "bob"), "/", formType + "; charset=utf-8", "name=al&name=bob", true},
		{WithForm("name", "b b"), "/", formType, "name=b+b", true},
		{WithForm("name", "bob"), "/?name=bob", formType, "", false},
		{WithForm("name", "bob"), "/", "", "name=bob", false},
		{WithForm("name", "bob"), "/", "Content-Type: text/plain", "name=bob", false},
		{WithForm("name", "bob"), "/", "Content-Type: /", "name=bob", false},
		{WithForm("name", "bob"), "/", formType, "name=bob&x=%zz", false},
		{WithForm("name", "bob"), "/", "Content-Type: multipart/form-data; boundary=b", multipartBody, true},
		{WithForm("file", "text"), "/", "Content-Type: multipart/form-data; boundary=b", multipartBody, false},
		{WithForm("name", "bob"), "/", "Content-Type: multipart/form-data", multipartBody, false},
		{WithForm("name", "bob"), "/", "Content-Type: multipart/form-data; boundary=b", multipartBody[:90], false},

		{WithBody("a"), "/", "", "a", true},
		{WithBody("a"), "/", "", "a\n", false},
		{WithBody(""), "/", "", "", true},
		{WithBodyContaining("ell"), "/", "", "hello", true},
		{WithBodyContaining("Ell"), "/", "", "hello", false},
		{WithBodyContaining(""), "/", "", "", true},
		{WithBodyMatching("l+o$"), "/", "", "hello", true},
		{WithBodyMatching("^l"), "/", "", "hello", false},
		{WithBodyMatching("(?s)a.*b"), "/", "", "a\nb", true},

		{WithPathMatching(`^/v\d+/users$`), "/v12/users?x=y", "", "", true},
		{WithPathMatching(`^/v\d+/users$`), "/vx/users", "", "", false},
		{WithPathMatching(`^/a b$`), "/a%20b", "", "", true},
		{WithPathMatching(`^/$`), "http://api.test", "", "", true},

		{Where("even", even), "/", "", "ab", true},
		{Where("even", even), "/", "", "a", false},

		{WithJSON(`{"a": [1, "x", null, true]}`), "/", "", ` {"a":[1.0,"\u0078",null,true] }`, true},
		{WithJSON(`{"a": 1}`), "/", "", `{"a": 1, "b": 2}`, false},
		{WithJSON(`{"a": null}`), "/", "", `{}`, false},
		{WithJSON(`{}`), "/", "", `{"a": null}`, false},
		{WithJSON(`[1,2]`), "/", "", `[2,1]`, false},
		{WithJSON(`[1,2]`), "/", "", `[1,2,3]`, false},
		{WithJSON(`"x"`), "/", "", `"x"`, true},
		{WithJSON(nil), "/", "", `null`, true},
		{WithJSON(nil), "/", "", ``, false},
		{WithJSON([]byte(`{"a":1}`)), "/", "", `{"a":1}`, true},
		{WithJSON(json.RawMessage(`{"a":1}`)), "/", "", `{"a":1}`, true},
		{WithJSON(map[string]any{"id": int64(9007199254740993)}), "/", "", `{"id":9007199254740993}`, true},
		{WithJSON(map[string]any{"id": int64(9007199254740993)}), "/", "", `{"id":9007199254740992}`, false},
		{WithJSON(struct {
			Name string `json:"name"`
			Age  int    `json:"age,omitempty"`
		}{Name: "bob"}), "/", "", `{"name":"bob"}`, true},
		{WithJSON("{}"), "/", "", `{} {}`, false},
		{WithJSON("{}"), "/", "", `{`, false},
		{WithJSON(`{"a":"1"}`), "/", "", `{"a":1}`, false},

		{WithJSONSubset(`{"user":{"name":"bob"}}`), "/", "", `{"user":{"name":"bob","age":3},"x":1}`, true},
		{WithJSONSubset(`{"user":{"name":"bob"}}`), "/", "", `{"user":{"name":"alice"}}`, false},
		{WithJSONSubset(`{}`), "/", "", `{"a":1}`, true},
		{WithJSONSubset(`{}`), "/", "", `[]`, false},
		{WithJSONSubset(`[{"id":1},{}]`), "/", "", `[{"id":1,"x":2},{"y":3}]`, true},
		{WithJSONSubset(`[{"id":1}]`), "/", "", `[{"id":1},{"id":2}]`, false},
		{WithJSONSubset(`{"a":null}`), "/", "", `{}`, false},
	} {
		require.NoError(t, c.m.problem(), c.m)
		in := incomingOf(t, "POST", c.target, c.headers, c.body)
		what := fmt.Sprintf("%s: %s, %q, %q", c.m, c.target, c.headers, c.body)
		assert.Equal(t, c.want, c.m.takes(in), what)
		assert.Equal(t, c.want, c.m.takes(in), "again, %s", what)
		_, why := c.m.show(in)
		if !c.want {
			assert.NotEmpty(t, why, what)
		}
	}
}

func TestMatcherProblems(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		m    Matcher
		want string
	}{
		{WithQueryMatching("q", "("), "WithQueryMatching(\"q\", \"(\"): error parsing regexp: missing closing ): `(`; a regular expression is written as package regexp has it"},
		{WithHeaderMatching("A", "["), "WithHeaderMatching(\"A\", \"[\"): error parsing regexp: missing closing ]: `[`; a regular expression is written as package regexp has it"},
		{WithBodyMatching("*"), "WithBodyMatching(\"*\"): error parsing regexp: missing argument to repetition operator: `*`; a regular expression is written as package regexp has it"},
		{WithPathMatching(`\y`), "WithPathMatching(\"\\\\y\"): error parsing regexp: invalid escape sequence: `\\y`; a regular expression is written as package regexp has it"},
		{WithHeader("a b", "c"), `WithHeader("a b", "c"): "a b" is not the name of a header`},
		{WithHeader("", ""), `WithHeader("", ""): "" is not the name of a header`},
		{WithHeader("transfer-encoding", "chunked"), `WithHeader("transfer-encoding", "chunked"): this header belongs to the connection, and the server does not keep it`},
		{WithoutHeader("trailer"), `WithoutHeader("trailer"): this header belongs to the connection, and the server does not keep it`},
		{WithJSON(func() {}), "WithJSON(func()): cannot be encoded: json: unsupported type: func()"},
		{WithJSON(math.NaN()), "WithJSON(float64): cannot be encoded: json: unsupported value: NaN"},
		{WithJSON("alice"), "WithJSON(string): the text is not JSON: invalid character 'a' looking for beginning of value; a string is JSON text here, so a JSON string has quotes in it: `\"text\"`"},
		{WithJSONSubset([]byte(nil)), "WithJSONSubset([]uint8): the text is empty; a string is JSON text here, so a JSON string has quotes in it: `\"text\"`"},
		{WithJSONSubset(`{"a":1`), "WithJSONSubset(string): the text is not JSON: it ends too early; a string is JSON text here, so a JSON string has quotes in it: `\"text\"`"},
		{Where("x", nil), `Where("x"): there is no function`},
		{InState("", "x"), `InState("", "x"): the scenario has no name`},
		{Matcher{}, "a Matcher that no function made; write mockserver.WithQuery(name, value), for example"},
	} {
		assert.EqualError(t, c.m.problem(), c.want)

		ft := &fakeT{}
		srv := New(ft)
		srv.On("GET", "/x", c.m).Reply(Status(200))
		assert.Equal(t, []string{`mockserver: On("GET", "/x"): ` + c.want}, ft.failures())
		assert.Contains(t, read(srv.Client(), "GET", srv.URL+"/x", ""), "501 mockserver: unexpected request", "the stub is not used")
		ft.end()
		assert.Len(t, ft.failures(), 2)
	}
}

// A matcher is a value: many stubs, servers and requests use one at once.
func TestMatcherIsShared(t *testing.T) {
	t.Parallel()
	m := []Matcher{WithJSONSubset(`{"a":1}`), WithQuery("q", "1"), Where("post", func(r Request) bool { return r.Method == "POST" })}
	done := make(chan string)
	for range 3 {
		srv := New(t)
		srv.On("POST", "/a", m...).Reply(Text(200, "a"))
		srv.On("POST", "/b", m...).Reply(Text(200, "b"))
		for _, path := range []string{"/a", "/b"} {
			go func() { done <- read(srv.Client(), "POST", srv.URL+path+"?q=1", `{"a":1}`) }()
		}
	}
	seen := map[string]int{}
	for range 6 {
		seen[<-done]++
	}
	assert.Equal(t, map[string]int{"200 a": 3, "200 b": 3}, seen)
}

// What a Where function does with its request changes nothing.
func TestWhereGetsACopy(t *testing.T) {
	t.Parallel()
	srv := New(t)
	calls := 0
	srv.On("POST", "/", Where("changes all", func(r Request) bool {
		calls++
		r.Body[0] = 'j'
		r.Header.Set("User-Agent", "changed")
		r.Query.Set("a", "changed")
		return true
	}), WithBody("hello"), WithQuery("a", "1")).Reply(Status(201))
	require.Equal(t, "201 ", read(srv.Client(), "POST", srv.URL+"?a=1", "hello"))
	r := srv.Requests()[0]
	assert.Equal(t, "hello", string(r.Body))
	assert.Equal(t, "Go-http-client/1.1", r.Header.Get("User-Agent"))
	assert.Equal(t, "1", r.Query.Get("a"))
	assert.Equal(t, 1, calls)
}

func TestWherePanics(t *testing.T) {
	t.Parallel()
	ft := &fakeT{}
	srv := New(ft, AllowUnused(), AllowUnmatched())
	calls := 0
	srv.On("GET", "/x", Where("panics", func(Request) bool { calls++; panic("oh no") }))
	for range 2 {
		assert.Contains(t, read(srv.Client(), "GET", srv.URL+"/x", ""), "501 mockserver: unexpected request GET /x")
	}
	ft.end()
	assert.Equal(t, []string{"mockserver: Where(\"panics\") panicked at request GET /x, and so does not match: oh no\n\tit is reported once"}, ft.failures())
	assert.Equal(t, 2, calls, "once for each request, also for the message")
}

// A function of Where may call the server.
func TestWhereCallsBack(t *testing.T) {
	t.Parallel()
	srv := New(t)
	srv.On("GET", "/x", Where("first", func(Request) bool {
		srv.Conns()
		return len(srv.Requests()) == 0 && srv.State("s") == "Started"
	})).Reply(Text(200, "first"))
	srv.On("GET", "/x").Sets("s", "t").Reply(Text(200, "later"))
	assert.Equal(t, "200 first", read(srv.Client(), "GET", srv.URL+"/x", ""))
	assert.Equal(t, "200 later", read(srv.Client(), "GET", srv.URL+"/x", ""))
	assert.Equal(t, "t", srv.State("s"))
}

// Where that ends its goroutine ends the connection, and nothing hangs.
func TestWhereEndsTheGoroutine(t *testing.T) {
	t.Parallel()
	ft := &fakeT{}
	srv := New(ft, AllowUnused())
	srv.On("GET", "/x", Where("require", func(Request) bool { require.True(stopT{}, false); return true }))
	srv.On("GET", "/y").Reply(Text(200, "y"))
	assert.Contains(t, read(newClient(t), "GET", srv.URL+"/x", ""), "EOF")
	assert.Equal(t, "200 y", read(srv.Client(), "GET", srv.URL+"/y", ""))
	ft.end()
	assert.Empty(t, ft.failures())
	assert.Zero(t, running(srv))
}

func TestKeepBodies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		keep   []Option
		length int
		want   string
	}{
		{nil, 64 << 10, "200 "},
		{nil, 64<<10 + 1, "the body has 65537 bytes, and 65536 are kept; keep more with New(t, mockserver.KeepBodies(65537))"},
		{[]Option{KeepBodies(10)}, 10, "200 "},
		{[]Option{KeepBodies(10)}, 11, "the body has 11 bytes, and 10 are kept; keep more with New(t, mockserver.KeepBodies(11))"},
		{[]Option{KeepBodies(0)}, 0, "200 "},
		{[]Option{KeepBodies(0)}, 1, "the body has 1 byte, and 0 are kept; keep more with New(t, mockserver.KeepBodies(1))"},
		{[]Option{KeepBodies(1 << 20)}, 1 << 20, "200 "},
		{[]Option{KeepBodies(1 << 20), withMaxBody(1000)}, 100_000, "the body has more than 67108864 bytes, the most that the server reads"},
	} {
		ft := &fakeT{}
		srv := New(ft, append(c.keep, AllowUnused())...)
		srv.On("PUT", "/", WithBodyMatching("^x*$")).Reply(Status(200))
		got := read(srv.Client(), "PUT", srv.URL, strings.Repeat("x", c.length))
		assert.Contains(t, got, c.want)
		assert.Equal(t, c.want != "200 ", srv.Requests()[0].Truncated)
		if c.want != "200 " {
			assert.Contains(t, got, nothing, "what is not whole is not shown")
		}
		ft.end()
	}
	ft := &fakeT{}
	New(ft, KeepBodies(-1)).Close()
	assert.Equal(t, []string{"mockserver: KeepBodies(-1): a number of bytes is 0 or more"}, ft.failures())

	for _, m := range []Matcher{WithBody("x"), WithBodyContaining("x"), WithForm("a", "1"), WithJSON("1"), WithJSONSubset("1")} {
		in := incomingOf(t, "POST", "/", formType, "x")
		in.Truncated, in.size, in.keep = true, 9, 1
		assert.False(t, m.takes(in), m)
		_, why := m.show(in)
		assert.Equal(t, "the body has 9 bytes, and 1 are kept; keep more with New(t, mockserver.KeepBodies(9))", why, m)
	}
	in := incomingOf(t, "POST", "/", "", "x")
	in.Truncated, in.size, in.keep = true, 0, 8
	assert.Equal(t, "the body has more than the 8 bytes that are kept; keep more with New(t, mockserver.KeepBodies(n))", in.tooLong())
}

// stopT ends the goroutine at a failure, as *testing.T does in the goroutine of a test.
type stopT struct{}

func (stopT) Errorf(string, ...any) {}
func (stopT) FailNow()              { runtime.Goexit() }
