package mockserver

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// writeTree makes files in a directory that the test removes.
func writeTree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	return dir
}

// loaded starts a server with mappings, which are good.
func loaded(t *testing.T, mappings ...string) (*Server, *fakeT) {
	t.Helper()
	ft := &fakeT{}
	srv := New(ft)
	t.Cleanup(ft.end)
	srv.Load(writeTree(t, map[string]string{"mappings/all.json": `{"mappings": [` + strings.Join(mappings, ",") + `]}`}))
	require.Empty(t, ft.failures())
	return srv, ft
}

// send writes a request as it is and gives the status of the reply: 501 when no stub matches.
func send(t *testing.T, srv *Server, method, target, body string, headers ...string) int {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n", method, target)
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	reply := raw(t, srv, b.String()+"\r\n"+body)
	code := 0
	_, err := fmt.Sscanf(reply, "HTTP/1.1 %d ", &code)
	require.NoError(t, err, reply)
	return code
}

// TestLoadFixtures uses the files as a team would.
func TestLoadFixtures(t *testing.T) {
	ft := &fakeT{}
	srv := New(ft)
	srv.Load("testdata/wiremock")
	login := `{"user": "ada", "device": "x", "roles": [{"name": "admin"}]}`
	assert.Equal(t, "HTTP/1.1 200 OK\r\nDate: {date}\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n"+
		"Content-Type: application/json\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n1a\r\n{\"token\":\"t-1\",\"ttl\":60.0}\r\n0\r\n\r\n",
		raw(t, srv, fmt.Sprintf("POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(login), login)))
	c := newClient(t)
	assert.Equal(t, "200 {\"id\": 7, \"state\": \"new\"}\n", read(c, "GET", srv.URL+"/orders/7", ""))
	assert.Equal(t, "404 ", read(c, "GET", srv.URL+"/orders/x", ""))
	assert.Equal(t, "202 ", read(c, "POST", srv.URL+"/orders/7/payment?retry=false", ""))
	assert.Equal(t, "paid", srv.State("order"))
	assert.Equal(t, "409 paid already", read(c, "POST", srv.URL+"/orders/7/payment?retry=false", ""))
	assert.Equal(t, "404 ", read(c, "POST", srv.URL+"/orders/7/payment?retry=true", ""))
	assert.Contains(t, read(c, "DELETE", srv.URL+"/orders/7?force=1", ""), "reset by peer")
	ft.end()
	assert.Empty(t, ft.failures())
}

// TestLoadRequests: each mapping with requests that it takes and that it does not take, as WireMock has it.
func TestLoadRequests(t *testing.T) {
	type request struct {
		method, target, body string
		headers              []string
	}
	get := func(target string, headers ...string) request { return request{"GET", target, "", headers} }
	post := func(body string, headers ...string) request { return request{"POST", "/x", body, headers} }
	gz := func(s string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		io.WriteString(w, s)
		w.Close()
		return b.String()
	}
	const form = "Content-Type: application/x-www-form-urlencoded"
	for _, c := range []struct {
		request string
		yes, no []request
	}{
		{`{}`, []request{get("/"), get("/x?y"), post("x"), {"PURGE", "/", "", nil}}, nil},
		{`{"method": "ANY", "url": null}`, []request{get("/"), post("x")}, nil},
		{`{"method": "GET", "url": "/x"}`, []request{get("/x"), get("http://test/x")},
			[]request{get("/"), get("/x/"), get("/x?a=b"), get("/x?"), {"HEAD", "/x", "", nil}, post("")}},
		{`{"method": {"oneOf": ["GET", "PUT"]}}`, []request{get("/x"), {"PUT", "/", "", nil}}, []request{post("")}},
		{`{"method": {"noneOf": ["GET"]}}`, []request{post("")}, []request{get("/")}},
		{`{"method": "GET_OR_HEAD"}`, []request{get("/")}, []request{post("")}},
		{`{"url": "/x?a=b&c=d"}`, []request{get("/x?a=b&c=d")}, []request{get("/x"), get("/x?c=d&a=b"), get("/x?a=b")}},
		{`{"urlPath": "/a/b"}`, []request{get("/a/b"), get("/a/b?c")}, []request{get("/a"), get("/a/b/"), get("/a%2Fb"), get("/a/B")}},
		{`{"urlPath": "/a/{b}/"}`, []request{get("/a/{b}/"), get("/a/%7Bb%7D/")}, []request{get("/a/x/"), get("/a/{b}")}},
		{`{"urlPath": "/"}`, []request{get("/"), get("/?x")}, []request{get("/x")}},
		{`{"urlPattern": "/x/[0-9]+\\?a=.*"}`, []request{get("/x/1?a=")}, []request{get("/x/1"), get("/y/x/1?a=")}},
		{`{"urlPathPattern": "/x/[0-9]+"}`, []request{get("/x/1"), get("/x/22?a=b")}, []request{get("/x/1/"), get("/x/")}},
		{`{"urlPathTemplate": "/u/{id}/p/{no}", "pathParameters": {"no": {"equalTo": "7"}}}`,
			[]request{get("/u/x/p/7"), get("/u/x/p/7?q")}, []request{get("/u/x/p/8"), get("/u//p/7"), get("/u/x/p/7/")}},
		{`{"urlPathTemplate": "/u/{id}.json"}`, []request{get("/u/a.json")}, []request{get("/u/.json"), get("/u/axjson")}},
		{`{"urlPathTemplate": "/f/**/end"}`, []request{get("/f/a/b/end"), get("/f//end")}, []request{get("/f/end")}},

		{`{"headers": {"X-A": {"equalTo": "b"}}}`, []request{get("/", "x-a: b"), get("/", "X-A: a", "X-A: b")}, []request{get("/"), get("/", "X-A: B"), get("/", "X-A: a, b")}},
		{`{"headers": {"X-A": {"equalTo": "b", "caseInsensitive": true}}}`, []request{get("/", "X-A: B")}, []request{get("/", "X-A: c"), get("/")}},
		{`{"headers": {"X-A": {"matches": "b.*"}}}`, []request{get("/", "X-A: bc")}, []request{get("/", "X-A: abc"), get("/")}},
		{`{"headers": {"X-A": {"doesNotMatch": "b.*"}}}`, []request{get("/", "X-A: c"), get("/"), get("/", "X-A: b", "X-A: c")}, []request{get("/", "X-A: bc")}},
		{`{"headers": {"X-A": {"contains": "b"}}}`, []request{get("/", "X-A: abc")}, []request{get("/", "X-A: B"), get("/")}},
		{`{"headers": {"X-A": {"doesNotContain": "b"}}}`, []request{get("/", "X-A: a"), get("/")}, []request{get("/", "X-A: abc")}},
		{`{"headers": {"X-A": {"absent": true}}}`, []request{get("/")}, []request{get("/", "X-A: b"), get("/", "X-A:")}},
		{`{"headers": {"X-A": {"anything": "(always)"}}}`, []request{get("/"), get("/", "X-A: b")}, nil},
		{`{"headers": {"X-A": {"not": {"equalTo": "b"}}}}`, []request{get("/"), get("/", "X-A: c")}, []request{get("/", "X-A: b")}},
		{`{"headers": {"X-A": {"and": [{"contains": "a"}, {"contains": "b"}]}}}`, []request{get("/", "X-A: ab")}, []request{get("/", "X-A: a"), get("/")}},
		{`{"headers": {"X-A": {"or": [{"contains": "a"}, {"absent": true}]}}}`, []request{get("/", "X-A: a"), get("/")}, []request{get("/", "X-A: b")}},
		{`{"headers": {"X-A": {"hasExactly": [{"equalTo": "a"}, {"contains": "b"}]}}}`, []request{get("/", "X-A: b", "X-A: a")}, []request{get("/"), get("/", "X-A: a"), get("/", "X-A: a", "X-A: b", "X-A: c")}},
		{`{"headers": {"X-A": {"includes": [{"equalTo": "a"}]}}}`, []request{get("/", "X-A: b", "X-A: a")}, []request{get("/"), get("/", "X-A: b")}},
		{`{"headers": {"X-A": {"greaterThanNumber": 1.5}}}`, []request{get("/", "X-A: 2"), get("/", "X-A: 1e3")}, []request{get("/", "X-A: 1.50"), get("/", "X-A: x"), get("/")}},
		{`{"headers": {"X-A": {"greaterThanEqualNumber": "1.5"}}}`, []request{get("/", "X-A: 1.50")}, []request{get("/", "X-A: 1")}},
		{`{"headers": {"X-A": {"lessThanNumber": 1}}}`, []request{get("/", "X-A: -1")}, []request{get("/", "X-A: 1")}},
		{`{"headers": {"X-A": {"lessThanEqualNumber": 1}}}`, []request{get("/", "X-A: 1.0")}, []request{get("/", "X-A: 1.1")}},
		{`{"headers": {"X-A": {"equalToNumber": 1}}}`, []request{get("/", "X-A: 1.0")}, []request{get("/", "X-A: 1.1")}},
		{`{"headers": {"X-A": {"matchesPathTemplate": "/a/{b}"}}}`, []request{get("/", "X-A: /a/x")}, []request{get("/", "X-A: /a/x/y"), get("/")}},
		{`{"headers": {"host": {"equalTo": "test"}}}`, []request{get("/")}, nil},
		{`{"basicAuth": {"username": "ada", "password": "x:y"}}`, []request{get("/", "Authorization: Basic YWRhOng6eQ=="), get("/", "Authorization: basic YWRhOng6eQ==")},
			[]request{get("/"), get("/", "Authorization: Basic ywrhong6eq=="), get("/", "Authorization: Basic")}},
		{`{"basicAuthCredentials": {"username": "ada", "password": "x:y"}}`, []request{get("/", "Authorization: Basic YWRhOng6eQ==")}, []request{get("/")}},

		{`{"queryParameters": {"a b": {"equalTo": "c d"}}}`, []request{get("/?a+b=c%20d"), get("/?x&a%20b=e&a%20b=c+d")}, []request{get("/"), get("/?a=c+d"), get("/?A+b=c+d")}},
		{`{"queryParameters": {"a": {"equalTo": ""}}}`, []request{get("/?a"), get("/?a=")}, []request{get("/?a=b"), get("/")}},
		{`{"queryParameters": {"a": {"equalTo": "b;c"}}}`, []request{get("/?a=b;c")}, []request{get("/?a=b")}},
		{`{"queryParameters": {"a": {"equalTo": "100%"}}}`, []request{get("/?a=100%25"), get("/?a=100%")}, []request{get("/?a=100")}},
		{`{"queryParameters": {"a": {"absent": true}}}`, []request{get("/?b")}, []request{get("/?a")}},
		{`{"cookies": {"c": {"equalTo": "a b"}}}`, []request{get("/", "Cookie: c=a+b"), get("/", "Cookie: x=1; c=a%20b")}, []request{get("/"), get("/", "Cookie: c=a")}},
		{`{"cookies": {"c": {"doesNotMatch": "x"}}}`, []request{get("/", "Cookie: c=a")}, []request{get("/"), get("/", "Cookie: c=x")}},
		{`{"cookies": {"c": {"absent": true}}}`, []request{get("/")}, []request{get("/", "Cookie: c=x")}},
		{`{"formParameters": {"a": {"equalTo": "b c"}}}`, []request{post("x=y&a=b+c", form), post("a=b%20c", form+"; charset=utf-8")},
			[]request{post("a=b+c"), post("a=b", form), post("", form)}},

		{`{"bodyPatterns": [{"equalTo": "x"}]}`, []request{post("x")}, []request{post("xx"), post("")}},
		{`{"bodyPatterns": [{"equalTo": "x"}]}`, []request{post(gz("x"), "Content-Encoding: gzip")}, []request{post("x", "Content-Encoding: gzip")}},
		{`{"bodyPatterns": [{"absent": true}]}`, []request{post("")}, []request{post("x")}},
		{`{"bodyPatterns": [{"matches": "a.*b"}]}`, []request{post("a\n\r\u2028b")}, []request{post("xa b"), post("")}},
		{`{"bodyPatterns": [{"contains": "a"}, {"doesNotContain": "b"}]}`, []request{post("a")}, []request{post("ab"), post("")}},
		{`{"bodyPatterns": [{"binaryEqualTo": "AAE="}]}`, []request{post("\x00\x01")}, []request{post("\x00"), post("")}},
		{`{"bodyPatterns": [{"equalToJson": "{\"a\": 1}"}]}`, []request{post(`{"a": 1.0}`)}, []request{post(`{"a": "1"}`), post(`{"a": 1, "b": 2}`), post(`{"a": 1} x`), post("")}},
		{`{"bodyPatterns": [{"equalToJson": null}]}`, []request{post("null")}, []request{post("1"), post("")}},
		{`{"bodyPatterns": [{"matchesJsonPath": "$.a"}]}`, []request{post(`{"a": false}`), post(`{"a": {}}`), post(`{"a": []}`)}, []request{post(`{"a": null}`), post(`{"b": 1}`), post(`a`), post("")}},
		{`{"bodyPatterns": [{"matchesJsonPath": "$.a[*]"}]}`, []request{post(`{"a": [null]}`)}, []request{post(`{"a": []}`), post(`{}`)}},
		{`{"bodyPatterns": [{"matchesJsonPath": "$.a[?(@.b == 'c')]"}]}`, []request{post(`{"a": [{"b": "x"}, {"b": "c"}]}`)}, []request{post(`{"a": [{"b": "x"}]}`), post(`{"a": 1}`)}},
		{`{"bodyPatterns": [{"matchesJsonPath": {"expression": "$.a", "equalTo": "1"}}]}`, []request{post(`{"a": 1}`), post(`{"a": "1"}`), post(`{"a": [0, 1]}`)}, []request{post(`{"a": 2}`), post(`{}`)}},
		{`{"bodyPatterns": [{"matchesJsonPath": {"expression": "$.a", "equalTo": "10.5"}}]}`, []request{post(`{"a": 10.50}`)}, []request{post(`{"a": 10.51}`)}},
		{`{"bodyPatterns": [{"matchesJsonPath": {"expression": "$.a", "equalToJson": "[1, {\"b\": 2}]"}}]}`, []request{post(`{"a": [1, {"b": 2}]}`)}, []request{post(`{"a": [1]}`), post(`{"a": 1}`)}},
		{`{"bodyPatterns": [{"matchesJsonPath": {"expression": "$..b", "equalToJson": [2, 3]}}]}`, []request{post(`{"a": [{"b": 2}, {"b": 3}]}`)}, []request{post(`{"b": 2}`)}},
		{`{"bodyPatterns": [{"matchesJsonPath": {"expression": "$.a", "absent": true}}]}`, []request{post(`{}`), post(`{"a": null}`), post("")}, []request{post(`{"a": 1}`), post(`no json`)}},
		{`{"bodyPatterns": [{"matchesJsonPath": {"expression": "$.a", "doesNotMatch": "x"}}]}`, []request{post(`{"a": "y"}`)}, []request{post(`{"a": "x"}`), post(`{}`)}},
		{`{"bodyPatterns": [{"not": {"matchesJsonPath": "$.a"}}]}`, []request{post(`{}`), post("")}, []request{post(`{"a": 1}`)}},
	} {
		t.Run(c.request, func(t *testing.T) {
			srv, _ := loaded(t, `{"request": `+c.request+`, "response": {"status": 299}}`)
			for _, r := range c.yes {
				assert.Equal(t, 299, send(t, srv, r.method, r.target, r.body, r.headers...), "is to take %q", r)
			}
			for _, r := range c.no {
				assert.Equal(t, 501, send(t, srv, r.method, r.target, r.body, r.headers...), "is not to take %q", r)
			}
		})
	}
}

// TestLoadJSON compares as WireMock's equalToJson does.
func TestLoadJSON(t *testing.T) {
	const order, more = `, "ignoreArrayOrder": true`, `, "ignoreExtraElements": "true"`
	for _, c := range []struct {
		want, options, got string
		why                string // "" when it is taken
	}{
		{`{"a": [1, {"b": null}]}`, "", `{"a": [1.0, {"b": null}]}`, ""},
		{`{"a": 1}`, "", `{"a": 2}`, "$.a is 2, not 1"},
		{`{"a": 1}`, "", `{}`, "$.a is missing"},
		{`{"a": null}`, "", `{}`, "$.a is missing"},
		{`{"a": 1}`, "", `{"a": 1, "b c": 2}`, `$["b c"] is not expected`},
		{`{"a": 1}`, more, `{"a": 1, "b": 2}`, ""},
		{`{"a": {"b": 1}}`, more, `{"a": {"b": 1, "c": 2}}`, ""},
		{`[1, 2]`, "", `[2, 1]`, "$[0] is 2, not 1"},
		{`[1, 2]`, order, `[2, 1]`, ""},
		{`[1, 1, 2]`, order, `[2, 2, 1]`, "$ has no item for 1"},
		{`[1, 2]`, "", `[1, 2, 3]`, "$ has 3 items, not 2"},
		{`[1, 2]`, more, `[1, 2, 3]`, ""},
		{`[1, 3]`, more, `[1, 2, 3]`, "$[1] is 2, not 3"},
		{`[3, 1]`, order + more, `[1, 2, 3]`, ""},
		{`[1, 2]`, more, `[1]`, "$ has 1 item, not 2"},
		{`[[1, 2], [3, 4]]`, order, `[[4, 3], [2, 1]]`, ""},
		{`{"a": "${json-unit.any-string}"}`, "", `{"a": "x"}`, ""},
		{`{"a": "${json-unit.any-string}"}`, "", `{"a": 1}`, "$.a is 1, not ${json-unit.any-string}"},
		{`{"a": "#{json-unit.any-number}"}`, "", `{"a": 1}`, ""},
		{`{"a": "${json-unit.any-boolean}"}`, "", `{"a": false}`, ""},
		{`{"a": "${json-unit.ignore}"}`, "", `{"a": [1]}`, ""},
		{`{"a": "${json-unit.ignore}"}`, "", `{}`, "$.a is missing"},
		{`{"a": "${json-unit.ignore-element}"}`, "", `{}`, ""},
		{`{"a": "${json-unit.regex}[a-z]+"}`, "", `{"a": "xyz"}`, ""},
		{`{"a": "${json-unit.regex}[a-z]+"}`, "", `{"a": "xyz1"}`, `$.a is "xyz1", not ${json-unit.regex}[a-z]+`},
		// The wildcard must leave 1 to the item that needs it.
		{`["${json-unit.any-number}", 1]`, order, `[1, 2]`, ""},
		{`["${json-unit.any-number}", 1, 2]`, order, `[1, 2, "x"]`, "$ has no item for 2"},
		{`{"a": 1, "a": 2}`, "", `{"a": 2}`, ""},
		{`1e2`, "", `100`, ""},
		{`100000000000000000001`, "", `100000000000000000002`, "$ is 100000000000000000002, not 100000000000000000001"},
		{`{}`, "", `[]`, "$ is [], not {}"},
		{`{}`, "", `{`, "is not JSON: line 1, column 2: the end of the text where a field name in double quotes is expected"},
	} {
		m := &mappingReader{file: "x.json"}
		doc := fmt.Sprintf(`{"request": {"bodyPatterns": [{"equalToJson": %s%s}]}}`, c.want, c.options)
		stubs, _ := m.parse(&Server{}, []byte(doc))
		require.Empty(t, m.problems)
		in := newIncoming(&Request{Method: "POST", Body: []byte(c.got)}, "/", 0)
		matcher := stubs[0].matchers[0]
		assert.Equal(t, c.why == "", matcher.takes(in), "%s takes %s", c.want, c.got)
		if _, why := matcher.show(in); c.why != "" {
			assert.Equal(t, c.why, why, "%s and %s", c.want, c.got)
		}
	}
}

// TestLoadReplies compares every byte.
func TestLoadReplies(t *testing.T) {
	const head, chunked = "Date: {date}\r\n", "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n"
	for _, c := range []struct{ response, want string }{
		{`{}`, "HTTP/1.1 200 OK\r\n" + head + chunked + "\r\n0\r\n\r\n"},
		{`null`, "HTTP/1.1 200 OK\r\n" + head + chunked + "\r\n0\r\n\r\n"},
		{`{"status": 0, "body": "x"}`, "HTTP/1.1 200 OK\r\n" + head + chunked + "\r\n1\r\nx\r\n0\r\n\r\n"},
		{`{"status": "403"}`, "HTTP/1.1 403 Forbidden\r\n" + head + chunked + "\r\n0\r\n\r\n"},
		{`{"status": 499, "statusMessage": "Gone fishing"}`, "HTTP/1.1 499 Gone fishing\r\n" + head + chunked + "\r\n0\r\n\r\n"},
		{`{"status": 204}`, "HTTP/1.1 204 No Content\r\n" + head + "Connection: keep-alive\r\n\r\n"},
		{`{"jsonBody": [1.50, "é<", null]}`, "HTTP/1.1 200 OK\r\n" + head + chunked + "\r\n11\r\n[1.50,\"é<\",null]\r\n0\r\n\r\n"},
		{`{"base64Body": "aGk=", "body": ""}`, "HTTP/1.1 200 OK\r\n" + head + chunked + "\r\n2\r\nhi\r\n0\r\n\r\n"},
		{`{"bodyFileName": "a.txt"}`, "HTTP/1.1 200 OK\r\n" + head + chunked + "\r\n4\r\nfile\r\n0\r\n\r\n"},
		{`{"bodyFileName": "/b/../a.txt"}`, "HTTP/1.1 200 OK\r\n" + head + chunked + "\r\n4\r\nfile\r\n0\r\n\r\n"},
		{`{"bodyFileName": "../__files/a.txt"}`, "HTTP/1.1 200 OK\r\n" + head + chunked + "\r\n4\r\nfile\r\n0\r\n\r\n"},
		{`{"headers": {"x-a": ["1", "2"], "Content-Type": "text/x"}}`, "HTTP/1.1 200 OK\r\n" + head + chunked + "x-a: 1\r\nx-a: 2\r\nContent-Type: text/x\r\n\r\n0\r\n\r\n"},
		{`{"body": "abc", "headers": {"content-length": "3"}}`, "HTTP/1.1 200 OK\r\n" + head + "Content-Length: 3\r\nConnection: keep-alive\r\n\r\nabc"},
		{`{"body": "abc", "headers": {"Content-Length": "2"}}`, "HTTP/1.1 200 OK\r\n" + head + "Content-Length: 2\r\nConnection: keep-alive\r\n\r\nabc"},
		{`{"body": "abc", "headers": {"Transfer-Encoding": "chunked", "Connection": "close"}}`, "HTTP/1.1 200 OK\r\n" + head + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n"},
		{`{"body": "abcdefgh", "chunkedDribbleDelay": {"numberOfChunks": 3, "totalDuration": 3}}`, "HTTP/1.1 200 OK\r\n" + head + chunked + "\r\n2\r\nab\r\n2\r\ncd\r\n4\r\nefgh\r\n0\r\n\r\n"},
		{`{"body": "ab", "chunkedDribbleDelay": {"numberOfChunks": 30, "totalDuration": 3}}`, "HTTP/1.1 200 OK\r\n" + head + chunked + "\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n"},
		{`{"body": "ab", "chunkedDribbleDelay": {"numberOfChunks": 2, "totalDuration": 0}}`, "HTTP/1.1 200 OK\r\n" + head + chunked + "\r\n2\r\nab\r\n0\r\n\r\n"},
		{`{"body": "{{x", "fixedDelayMilliseconds": 1}`, "HTTP/1.1 200 OK\r\n" + head + chunked + "\r\n3\r\n{{x\r\n0\r\n\r\n"},
		{`{"body": "x", "transformers": ["response-template"], "transformerParameters": {"a": 1}, "postServeActions": null}`, ""},
		{`{"body": "x", "transformers": ["response-template"], "transformerParameters": {"a": 1}}`, "HTTP/1.1 200 OK\r\n" + head + chunked + "\r\n1\r\nx\r\n0\r\n\r\n"},
		{`{"status": 500, "body": "x", "fault": "EMPTY_RESPONSE"}`, "-"},
	} {
		ft := &fakeT{}
		srv := New(ft)
		srv.Load(writeTree(t, map[string]string{
			"mappings/x.json": `{"response": ` + c.response + `}`,
			"__files/a.txt":   "file",
		}))
		if c.want == "" {
			assert.Len(t, ft.failures(), 1, c.response)
			ft.end()
			continue
		}
		require.Empty(t, ft.failures(), c.response)
		assert.Equal(t, strings.TrimPrefix(c.want, "-"), patient(t, srv, get("/any")), c.response)
		ft.end()
		assert.Empty(t, ft.failures(), c.response)
	}
}

// patient is raw for replies that come late: to a client that ends its sending half meanwhile they do not come.
func patient(t *testing.T, srv *Server, request string) string {
	t.Helper()
	nc := dial(t, srv)
	_, err := io.WriteString(nc, request)
	require.NoError(t, err)
	require.NoError(t, nc.SetReadDeadline(time.Now().Add(20*time.Second)))
	var all []byte
	buf := make([]byte, 4096)
	for {
		n, err := nc.Read(buf)
		all = append(all, buf[:n]...)
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		if head, body, ok := bytes.Cut(all, []byte("\r\n\r\n")); ok {
			if bytes.Contains(head, []byte("chunked")) && !bytes.HasSuffix(body, []byte("0\r\n\r\n")) {
				continue
			}
			require.NoError(t, nc.CloseWrite())
		}
	}
	return dateLine.ReplaceAllString(string(all), "Date: {date}")
}

// TestLoadDelays looks at what was read: no test waits for it.
func TestLoadDelays(t *testing.T) {
	for _, c := range []struct{ fields, want string }{
		{`"fixedDelayMilliseconds": 250`, "250ms"},
		{`"fixedDelayMilliseconds": 0`, "<nil>"},
		{`"delayDistribution": {"type": "fixed", "milliseconds": 7}, "fixedDelayMilliseconds": "3"`, "10ms"},
		{`"delayDistribution": {"type": "uniform", "lower": 10, "upper": 20}`, "Uniform(10ms, 20ms)"},
		{`"delayDistribution": {"type": "uniform", "lower": 10, "upper": 20}, "fixedDelayMilliseconds": 5`, "Uniform(10ms, 20ms), and 5ms"},
		{`"delayDistribution": {"type": "lognormal", "median": 90.5, "sigma": 0.1}`, "Lognormal(90.5ms, 0.1)"},
		{`"delayDistribution": {"type": "lognormal", "median": 90, "sigma": 0}`, "90ms"},
		{`"delayDistribution": {"type": "lognormal", "median": 90, "sigma": 2, "maxValue": 100}`, "Lognormal(90ms, 2), at most 100ms"},
		{`"delayDistribution": null`, "<nil>"},
	} {
		m := &mappingReader{file: "x.json"}
		stubs, _ := m.parse(&Server{}, []byte(`{"response": {`+c.fields+`}}`))
		require.Empty(t, m.problems)
		var d Distribution
		if x := stubs[0].replies[0].extra; x != nil {
			d = x.delay
		}
		assert.Equal(t, c.want, fmt.Sprint(d), c.fields)
	}
	var dice dice
	assert.Equal(t, 101*time.Millisecond, dice.sample(loadedDelay{fixed: time.Millisecond, random: fixed(time.Second), max: 100 * time.Millisecond}, ""))
	assert.Equal(t, 51*time.Millisecond, dice.sample(loadedDelay{fixed: time.Millisecond, random: fixed(50 * time.Millisecond), max: 100 * time.Millisecond}, ""))

	// The first chunk of a dribble waits too, and all waits add up.
	m := &mappingReader{file: "x.json"}
	stubs, _ := m.parse(&Server{}, []byte(`{"response": {"body": "abc", "fixedDelayMilliseconds": 5, "chunkedDribbleDelay": {"numberOfChunks": 3, "totalDuration": 30}}}`))
	require.Empty(t, m.problems)
	x := stubs[0].replies[0].extra
	assert.Equal(t, 15*time.Millisecond, dice.sample(x.delay, ""))
	assert.Equal(t, 10*time.Millisecond, x.every)
}

func TestLoadFaults(t *testing.T) {
	for name, want := range map[string]string{
		"EMPTY_RESPONSE":           "EOF",
		"RANDOM_DATA_THEN_CLOSE":   "malformed HTTP response",
		"CONNECTION_RESET_BY_PEER": "reset by peer",
		"MALFORMED_RESPONSE_CHUNK": "unexpected EOF",
	} {
		srv, ft := loaded(t, `{"response": {"body": "x", "fault": "`+name+`"}}`)
		got := read(newClient(t), "GET", srv.URL, "")
		if runtime.GOOS == "windows" && name == "CONNECTION_RESET_BY_PEER" {
			want = "forcibly closed"
		}
		assert.Contains(t, got, want, name)
		assert.Empty(t, ft.failures())
	}
}

// TestLoadOrder: priority, then what was added last, and On before Load.
func TestLoadOrder(t *testing.T) {
	stub := func(request, more string, code int) string {
		return fmt.Sprintf(`{"request": {%s}, "response": {"status": %d}%s}`, request, code, more)
	}
	ft := &fakeT{}
	srv := New(ft)
	srv.On("GET", "/first").Reply(Status(213)) // goes first though it is older
	srv.Load(writeTree(t, map[string]string{
		"mappings/a.json":   stub(`"urlPath": "/a", "method": "GET", "headers": {"X": {"equalTo": "y"}}`, "", 201),
		"mappings/b/c.json": `{"mappings": [` + stub(`"urlPath": "/b"`, `, "priority": 1`, 202) + "," + stub(`"urlPathPattern": "/.*"`, "", 203) + "," + stub(`"urlPath": "/b"`, "", 204) + "]}",
		"mappings/d.json":   stub(`"urlPath": "/d"`, `, "priority": "-3"`, 205),
	}))
	assert.Equal(t, 203, send(t, srv, "GET", "/a", "", "X: y"), "the last one, though the other is more specific")
	assert.Equal(t, 202, send(t, srv, "GET", "/b", ""))
	assert.Equal(t, 205, send(t, srv, "GET", "/d", ""))
	assert.Equal(t, 203, send(t, srv, "GET", "/else", ""))
	assert.Equal(t, 213, send(t, srv, "GET", "/first", ""))
	srv.On("GET", "/a").Reply(Status(210))
	srv.On("GET", "/b").Reply(Status(211))
	srv.On("GET", "/d").Priority(-4).Reply(Status(212))
	assert.Equal(t, 210, send(t, srv, "GET", "/a", ""))
	assert.Equal(t, 202, send(t, srv, "GET", "/b", ""))
	assert.Equal(t, 212, send(t, srv, "GET", "/d", ""))
	require.Empty(t, ft.failures())
	ft.end()
	require.Len(t, ft.failures(), 1, "the stub of On was never called, and those of Load need not be")
	assert.Contains(t, ft.failures()[0], "GET /b (load_test.go:")
}

// A stub twice is no contradiction: WireMock takes the last one.
func TestLoadTwice(t *testing.T) {
	dir := writeTree(t, map[string]string{"mappings/a.json": `{"request": {"urlPath": "/a"}}`})
	ft := &fakeT{}
	srv := New(ft)
	srv.Load(dir)
	srv.Load(dir)
	assert.Equal(t, 200, send(t, srv, "GET", "/a", ""))
	ft.end()
	assert.Empty(t, ft.failures())
}

func TestLoadLayouts(t *testing.T) {
	const mapping = `{"response": {"bodyFileName": "b.txt"}}`
	for name, c := range map[string]struct {
		files map[string]string
		dir   string
		site  string
	}{
		"usual":               {map[string]string{"mappings/a.json": mapping, "__files/b.txt": "hi"}, "", "mappings/a.json"},
		"in a folder":         {map[string]string{"mappings/x/y/a.JSON": mapping, "__files/b.txt": "hi"}, "", "mappings/x/y/a.JSON"},
		"files alone":         {map[string]string{"stubs/a.json": mapping, "stubs/__files/b.txt": "hi", "stubs/__files/no.json": "x"}, "stubs", "stubs/a.json"},
		"mappings itself":     {map[string]string{"mappings/a.json": mapping, "__files/b.txt": "hi"}, "mappings", "mappings/a.json"},
		"its own __files win": {map[string]string{"mappings/a.json": mapping, "mappings/__files/b.txt": "hi", "__files/b.txt": "no"}, "mappings", "mappings/a.json"},
		"other files":         {map[string]string{"mappings/a.json": mapping, "mappings/README.md": "x", "__files/b.txt": "hi"}, "", "mappings/a.json"},
	} {
		t.Run(name, func(t *testing.T) {
			ft := &fakeT{}
			srv := New(ft)
			srv.Load(filepath.Join(writeTree(t, c.files), c.dir))
			require.Empty(t, ft.failures())
			assert.Equal(t, "200 hi", read(srv.Client(), "GET", srv.URL, ""))
			assert.Equal(t, c.site, srv.stubs[0].site)
			ft.end()
		})
	}
}

// What is no file in __files must not be read: no link out of it, no pipe that nobody writes to.
func TestLoadNoOtherFiles(t *testing.T) {
	dir := writeTree(t, map[string]string{
		"mappings/a.json": `{"mappings": [{"response": {"bodyFileName": "link.txt"}}, {"response": {"bodyFileName": "pipe"}}, {"response": {"bodyFileName": "."}},
			{"response": {"bodyFileName": "../secret.txt"}}, {"response": {"bodyFileName": "a/../../secret.txt"}}, {"response": {"bodyFileName": "inner.txt"}}]}`,
		"__files/real.txt": "real",
		"secret.txt":       "secret",
	})
	if err := os.Symlink(filepath.Join("..", "secret.txt"), filepath.Join(dir, "__files", "link.txt")); err != nil {
		t.Skip(err)
	}
	require.NoError(t, os.Symlink("real.txt", filepath.Join(dir, "__files", "inner.txt")))
	if err := pipe(filepath.Join(dir, "__files", "pipe")); err != nil {
		t.Skip(err)
	}
	require.NoError(t, pipe(filepath.Join(dir, "mappings", "pipe.json")))
	ft := &fakeT{}
	srv := New(ft)
	srv.Load(dir)
	require.Len(t, ft.failures(), 1)
	got := ft.failures()[0]
	_, got, _ = strings.Cut(got, ": 6 problems, ")
	assert.Equal(t, `1 of 6 stubs loaded:
	mappings/a.json: mappings[0].response.bodyFileName: "link.txt" in __files: path escapes from parent
	mappings/a.json: mappings[1].response.bodyFileName: "pipe" in __files: is not a file
	mappings/a.json: mappings[2].response.bodyFileName: "." is not a file in __files
	mappings/a.json: mappings[3].response.bodyFileName: "../secret.txt" is not a file in __files
	mappings/a.json: mappings[4].response.bodyFileName: "a/../../secret.txt" is not a file in __files
	mappings/pipe.json: is not a file`, got)
	assert.Equal(t, "200 real", read(srv.Client(), "GET", srv.URL, ""))
	ft.end()
}

// Loading while requests come must not race.
func TestLoadWhileServing(t *testing.T) {
	dir := writeTree(t, map[string]string{"mappings/a.json": `{"request": {"urlPath": "/a", "bodyPatterns": [{"matchesJsonPath": "$.a"}]}}`})
	ft := &fakeT{}
	srv := New(ft)
	srv.Load(dir)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 20 {
			srv.Load(dir)
		}
	}()
	for range 20 {
		assert.Equal(t, "200 ", read(srv.Client(), "POST", srv.URL+"/a", `{"a": 1}`))
	}
	<-done
	ft.end()
	assert.Empty(t, ft.failures())
}

// A loaded error status without a body leaks when its body is not closed, unlike one with Content-Length: 0.
func TestLoadedErrorShowsALeak(t *testing.T) {
	srv, _ := loaded(t, `{"request": {"urlPath": "/a"}, "response": {"status": 500}}`)
	c := newClient(t)
	resp, err := c.Get(srv.URL + "/a")
	require.NoError(t, err)
	defer resp.Body.Close()
	c.CloseIdleConnections()
	assert.Equal(t, int64(-1), resp.ContentLength)
	assert.NotEqual(t, http.NoBody, resp.Body)
	assert.Equal(t, 1, open(srv))
}

// FuzzMappingTexts puts texts where a mapping has expressions, paths and values, which changed bytes seldom reach.
func FuzzMappingTexts(f *testing.F) {
	f.Add("/a/[0-9]+", "$.a[?(@.b =~ /x.*/i)]", "x", `{"a": [{"b": "xy"}]}`)
	f.Add("/a/{b}.json", "a.length()", "${json-unit.regex}[a-z]+", "/a/x.json")
	f.Add(`\p{Alpha}+(?i)x`, "$..a", "", "null")
	f.Fuzz(func(t *testing.T, url, path, want, value string) {
		if len(url)+len(path)+len(want)+len(value) > 1000 {
			t.Skip("too long to be worth its time")
		}
		one := func(op, text string) map[string]any { return map[string]any{op: text} }
		srv := &Server{t: &bareT{}}
		in := newIncoming(&Request{Method: "GET", Target: "/" + value, Body: []byte(value), Header: http.Header{"A": {value}}}, "/"+value, 0)
		for _, op := range []string{"equalTo", "contains", "matches", "doesNotMatch", "equalToJson", "matchesPathTemplate", "equalToNumber", "binaryEqualTo"} {
			for _, field := range urlFields {
				doc, err := json.Marshal(map[string]any{"request": map[string]any{
					field:     url,
					"headers": map[string]any{"A": one(op, want)},
					"bodyPatterns": []any{
						one(op, want), map[string]any{"not": one(op, want)}, one("matchesJsonPath", path),
						map[string]any{"matchesJsonPath": map[string]any{"expression": path, op: want}},
					},
				}})
				require.NoError(t, err)
				m := &mappingReader{file: "x.json"}
				stubs, n := m.parse(srv, doc)
				assert.Equal(t, 1, n)
				assert.Equal(t, len(stubs) == 0, len(m.problems) > 0, "a stub, or a problem: %q", m.problems)
				for _, st := range stubs {
					took := true
					for _, m := range st.matchers {
						took = took && m.takes(in)
					}
					assert.False(t, took && st.matchers[1].takes(in) && st.matchers[2].takes(in), "an operator and its not take one value")
					_ = unmatched(in, stubs)
				}
			}
		}
	})
}

// Whatever is in a file, there is a stub or a problem for each mapping, and no panic.
func FuzzMapping(f *testing.F) {
	for _, name := range []string{"login.json", "orders/orders.json"} {
		text, err := os.ReadFile(filepath.Join("testdata/wiremock/mappings", filepath.FromSlash(name)))
		require.NoError(f, err)
		f.Add(text, "/orders/7?a=b", []byte(`{"user": "ada", "device": "x", "roles": [{"name": "admin"}]}`))
	}
	f.Add([]byte(`{"request": {"urlPathTemplate": "/a/{b}/**", "pathParameters": {"b": {"not": {"and": [{"contains": "x"}, {"or": [{"absent": true}]}]}}},
		"headers": {"Accept": {"hasExactly": [{"equalToNumber": 1}]}}, "cookies": {"a": {"includes": []}}, "basicAuth": {"username": "a", "password": "b"},
		"formParameters": {"f": {"equalTo": "x", "caseInsensitive": true}}, "queryParameters": {"a": {"lessThanNumber": "3"}},
		"bodyPatterns": [{"binaryEqualTo": "AA=="}, {"matchesJsonPath": {"expression": "$..a", "equalToJson": "[\"${json-unit.regex}a\"]", "ignoreArrayOrder": true}}]},
		"response": {"delayDistribution": {"type": "lognormal", "median": 1, "sigma": 1, "maxValue": 3}, "body": "abc",
		"chunkedDribbleDelay": {"numberOfChunks": 2, "totalDuration": 10}, "headers": {"Content-Length": ["7"]}}}`), "/a/b/c", []byte("f=x"))
	f.Fuzz(func(t *testing.T, text []byte, target string, body []byte) {
		if len(text) > 1<<16 {
			t.Skip("too long to be worth its time")
		}
		m := &mappingReader{file: "x.json", bodies: &bodyFiles{dir: "testdata/wiremock/__files", cache: map[string][]byte{}}}
		srv := &Server{t: &bareT{}}
		stubs, n := m.parse(srv, text)
		if len(stubs) < n {
			assert.NotEmpty(t, m.problems, "what is not loaded has a problem")
		}
		for _, p := range m.problems {
			assert.True(t, strings.HasPrefix(p, "x.json: "), p)
			assert.NotContains(t, p, "\n")
		}
		if !strings.HasPrefix(target, "/") {
			target = "/" + target
		}
		for _, method := range []string{"GET", "POST"} {
			rec := &Request{Method: method, Target: target, Body: body, Header: http.Header{
				"Content-Type": {"application/x-www-form-urlencoded"}, "Cookie": {target}, "Authorization": {"Basic " + target}, "Accept": {"a", string(body)},
			}}
			path, _, _ := strings.Cut(target, "?")
			in := newIncoming(rec, path, 0)
			for _, st := range stubs {
				assert.NoError(t, st.replies[0].problem())
				assert.NoError(t, st.checkMatchers())
				took := st.takes(in)
				near := nearest(in, []*Stub{st})
				require.NotNil(t, near)
				for _, r := range in.compare(near)[2:] {
					if took && r.verdict != "ok" && st.pattern.matchesPath(in.segs) && len(in.states) == 0 && !strings.HasPrefix(r.part, "state of ") {
						t.Errorf("%q is taken and said to differ: %+v", target, r)
					}
				}
			}
		}
	})
}
