package mockserver

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLoadFailures compares every message about stub files. Read testdata/load.txt as a user would.
func TestLoadFailures(t *testing.T) {
	// load gives the fields of one mapping, each in a file of its own when there are several.
	load := func(mappings ...string) func(*fakeT) {
		return func(ft *fakeT) {
			files := map[string]string{"__files/ok.txt": "x"}
			for i, text := range mappings {
				files[fmt.Sprintf("mappings/%c.json", 'a'+i)] = text
			}
			New(ft).Load(writeTree(t, files))
		}
	}
	request := func(fields string) func(*fakeT) { return load(`{"request": {` + fields + `}}`) }
	body := func(pattern string) func(*fakeT) { return request(`"bodyPatterns": [` + pattern + `]`) }
	response := func(fields string) func(*fakeT) { return load(`{"response": {` + fields + `}}`) }
	tree := func(dir string, files map[string]string) func(*fakeT) {
		return func(ft *fakeT) { New(ft).Load(filepath.Join(writeTree(t, files), dir)) }
	}
	ask := func(method, target, body string, mappings ...string) func(*fakeT) {
		return func(ft *fakeT) {
			srv := New(ft)
			srv.Load(writeTree(t, map[string]string{"mappings/a.json": `{"mappings": [` + strings.Join(mappings, ",\n") + `]}`}))
			require.Empty(t, ft.failures())
			assert.Equal(t, 501, send(t, srv, method, target, body, "X-A: b", "Authorization: Basic c2VjcmV0"))
		}
	}

	cases := []failure{
		{"no directory", "a typo, or the wrong working directory", func(ft *fakeT) { New(ft).Load("testdata/wiermock") }},
		{"no directory at all", "an absolute path has no place that the test runs in", tree("nothing", map[string]string{"x": ""})},
		{"a file", "not the directory", tree("a.json", map[string]string{"a.json": "{}"})},
		{"no json", "the directory is there and empty", tree("", map[string]string{"mappings/a.txt": "{}"})},
		{"no json, no mappings", "another directory was meant", tree("", map[string]string{"a.txt": "{}"})},

		{"all problems of all files", "one run shows all that is to be done, and what is good is loaded", load(
			`{"request": {"urll": "/a", "method": "get"}, "response": {"proxyBaseUrl": "http://x", "status": 2000}}`,
			`{"request": {"url": "/b"}`,
			`{"request": {"url": "/c"}}`,
			`{"mappings": [{"request": {"url": "d"}}, {"response": {"status": 200}}, {"response": {"fault": "RESET"}}]}`)},
		{"many problems", "a message stays readable", load(`{"mappings": [` + strings.Repeat(`{"x": 1},`, 120) + `{}]}`)},

		{"malformed JSON", "line and column", load("{\n  \"request\": {\n    \"url\": \"/é\" \"method\": \"GET\"\n  }\n}")},
		{"a comma too many", "the usual slip", load("{\n  \"priority\": 1,\n}")},
		{"no quotes", "as JavaScript has it", load(`{request: {}}`)},
		{"an empty file", "a file that was made and not yet written", load(``)},
		{"not UTF-8", "an editor with another encoding", load("{\"a\": \"\xe9\"}")},
		{"a list", "WireMock has an object around it", load(`[{"request": {}}]`)},
		{"mappings without a list", "one mapping where several are expected", load(`{"mappings": {"request": {}}}`)},
		{"mappings that are null", "a file that loads nothing is a slip, of a generator for example", load(`{"mappings": null}`)},
		{"no mappings in the list", "the test would run without the stubs that it is for", load(`{"mappings": []}`)},
		{"a mapping that is none", "each of them is named by its number", load(`{"mappings": ["x", null]}`)},
		{"fields beside mappings", "the file is half one mapping and half a list of them", load(`{"mappings": [], "request": {}, "importOptions": {"duplicatePolicy": "IGNORE"}, "meta": {"total": 0}}`)},

		{"unknown field", "the nearest is named", load(`{"request": {}, "responce": {}, "zzz": 1, "scenarioname": "x"}`)},
		{"unknown field that is null", "is still a typo", load(`{"responce": null}`)},
		{"field twice", "Java takes the last one silently", load(`{"priority": 1, "priority": 2}`)},
		{"extensions", "a callback that never comes would be looked for long", load(`{"postServeActions": [{"name": "webhook"}], "serveEventListeners": [{"name": "x"}]}`)},
		{"priority", "a number is expected, and which one", load(`{"priority": "high"}`)},
		{"a state without a scenario", "WireMock ignores it", load(`{"requiredScenarioState": "x"}`)},
		{"a scenario without a name", "a state of nothing", load(`{"scenarioName": "", "newScenarioState": "x"}`)},
		{"a request that is none", "as HTTP has it", load(`{"request": "GET /"}`)},

		{"method", "one method is expected, or oneOf", request(`"method": "GET POST"`)},
		{"small method", "never matches in WireMock", request(`"method": "get"`)},
		{"no method", "such a stub can never match", request(`"method": {"oneOf": []}`)},
		{"several methods, one bad", "every problem in the object is told", request(`"method": {"oneOf": ["GET", 1], "anyOf": []}`)},
		{"two URLs", "WireMock takes one without a word", request(`"url": "/a", "urlPath": "/a"`)},
		{"whole URL", "copied from a browser", request(`"url": "http://example.com/a?b=c"`)},
		{"no slash", "never matches", request(`"urlPath": "a"`)},
		{"query in a path", "never matches in WireMock", request(`"urlPath": "/a?b=c"`)},
		{"number for a URL", "a text is expected", request(`"url": 1`)},
		{"path parameters without a template", "they belong to urlPathTemplate alone", request(`"urlPath": "/a/{b}", "pathParameters": {"b": {"equalTo": "c"}}`)},
		{"path parameter that is not in the template", "it would never match, and the names of the template are known", request(`"urlPathTemplate": "/a/{b}", "pathParameters": {"c": {"equalTo": "c"}}`)},
		{"where the request comes to", "there is one server on one port, so they say nothing", request(`"host": {"equalTo": "x"}, "port": 80, "scheme": "https", "clientIp": {"equalTo": "::1"}`)},
		{"other parts", "what is not supported is named, not ignored", request(`"multipartPatterns": [{"matchingType": "ANY"}], "customMatcher": {"name": "x"}`)},
		{"credentials", "a typo in an inner object", request(`"basicAuth": {"username": "x", "pasword": "y"}`)},
		{"headers that are a list", "as HAR files have them", request(`"headers": [{"Accept": "x"}]`)},
		{"header that is a text", "the matcher is forgotten often, so it is written out", request(`"headers": {"Accept": "x"}`)},
		{"header of the connection", "the server does not keep it", request(`"headers": {"Transfer-Encoding": {"equalTo": "chunked"}, "A B": {"absent": true}}`)},
		{"header twice", "the second would win silently", request(`"headers": {"Accept": {"equalTo": "x"}, "Accept": {"equalTo": "y"}}`)},
		{"name with dots", "the way to the field stays clear", request(`"queryParameters": {"a.b c": {"equalsTo": "x"}}`)},

		{"look-ahead", "the most usual thing that RE2 cannot do", request(`"urlPattern": "/(?!admin).*"`)},
		{"back reference", "another thing that RE2 cannot do", body(`{"matches": "(a)\\1"}`)},
		{"possessive quantifier", "one more thing that RE2 cannot do", body(`{"doesNotMatch": "a++"}`)},
		{"braces of a template in an expression", "WireMock refuses it too", request(`"urlPathPattern": "/users/{id}"`)},
		{"no operator", "it would take every body", body(`{}`)},
		{"unknown operator", "a typo of the most usual one", body(`{"equalsTo": "x"}`)},
		{"several operators", "WireMock takes the first one without a word", body(`{"contains": "a", "doesNotContain": "b"}`)},
		{"option of another operator", "it would have no effect", body(`{"contains": "a", "caseInsensitive": true}`)},
		{"operators that are not supported", "each says what to do", body(`{"equalToXml": "<a/>", "enablePlaceholders": true}, {"matchesXPath": "//a", "xPathNamespaces": {}}, {"matchesJsonSchema": "{}"}, {"before": "now"}`)},
		{"operands", "each operator says which kind it wants", body(`{"equalTo": 1}, {"matches": null}, {"equalToNumber": "x"}, {"binaryEqualTo": "%"}, {"equalToJson": "{"}, {"absent": false}, {"and": {}}, {"or": []}, {"not": "x"}`)},
		{"placeholder", "JsonUnit has more", body(`{"equalToJson": {"a": "${json-unit.matches:isDate}"}}, {"equalToJson": {"a": "${json-unit.regex}(?=a)"}}`)},
		{"JSON path", "what the subset does not have", body(`{"matchesJsonPath": "$.a.sum()"}, {"matchesJsonPath": "$.a == 'x'"}, {"matchesJsonPath": "$.a[?(@.b =~ /(?=x)/)]"}`)},
		{"JSON path with an operator", "each of its two parts may be wrong", body(`{"matchesJsonPath": {"equalTo": "x"}}, {"matchesJsonPath": {"expression": "$.a"}}, {"matchesJsonPath": {"expression": "$.a", "equalTo": "x", "contains": "y"}}, {"matchesJsonPath": {"expression": "$[", "equalToXml": "x"}}`)},
		{"no list of patterns", "one pattern where a list is expected", request(`"bodyPatterns": {"equalTo": "x"}`)},

		{"status", "the text in place of the number", response(`"status": "OK"`)},
		{"1xx", "is no final reply", response(`"status": 100`)},
		{"status message", "it would end the status line", response(`"statusMessage": "a\r\nb"`)},
		{"two bodies", "WireMock takes one without a word", response(`"body": "x", "jsonBody": {}`)},
		{"JSON as a body", "a slip that WireMock refuses too", response(`"body": {"a": 1}`)},
		{"base64", "a body that cannot be decoded", response(`"base64Body": "%%%"`)},
		{"no such file", "a typo in the name, or a file that is not committed", response(`"bodyFileName": "no.txt"`)},
		{"a file outside", "nothing else may be read", response(`"bodyFileName": "../../etc/passwd"`)},
		{"no __files", "the directory was not copied", tree("", map[string]string{"mappings/a.json": `{"response": {"bodyFileName": "x"}}`})},
		{"headers", "each header is checked, those of the framing too", response(`"headers": {"a b": "x", "X": 1, "Y": ["a", "b\nc"], "Content-Length": "x", "Transfer-Encoding": "gzip", "Trailer": "Z"}`)},
		{"delays", "a negative time, and a distribution that WireMock does not have", response(`"fixedDelayMilliseconds": -1, "delayDistribution": {"type": "normal"}`)},
		{"uniform delay", "the ends are the wrong way round", response(`"delayDistribution": {"type": "uniform", "lower": 20, "upper": 10, "median": 1}`)},
		{"lognormal delay", "a field is missing, and one is too small", response(`"delayDistribution": {"type": "lognormal", "median": 90, "maxValue": 10}`)},
		{"dribble", "no chunks at all", response(`"chunkedDribbleDelay": {"numberOfChunks": 0, "totalDuration": 10}, "body": "x"`)},
		{"dribble of nothing", "WireMock logs it and sends no chunks", response(`"chunkedDribbleDelay": {"numberOfChunks": 2, "totalDuration": 10}`)},
		{"half a dribble", "it has two fields", response(`"chunkedDribbleDelay": {"numberOfChunks": 2}, "body": "x"`)},
		{"fault", "the four names are listed", response(`"fault": "CONNECTION_RESET"`)},
		{"template", "it would be sent as it stands", response(`"body": "{{request.path}}", "transformers": ["response-template"]`)},
		{"other transformer", "it is the user's Java", response(`"transformers": ["my-thing"], "transformerParameters": {"a": 1}`)},
		{"proxy", "a test would reach the network", response(`"proxyBaseUrl": "http://x", "additionalProxyRequestHeaders": {"a": "b"}, "removeProxyRequestHeaders": []`)},

		{"unmatched: path", "the stub is named by its file and line", ask("GET", "/sesion", "", `{"request": {"method": "GET", "url": "/session"}}`, `{"request": {"url": "/users?page=1"}}`)},
		{"unmatched: query", "url wants all of it", ask("GET", "/users?page=2", "", `{"request": {"method": "GET", "url": "/session"}}`, `{"request": {"url": "/users?page=1"}}`)},
		{"unmatched: query too many", "url and urlPath are often mixed up", ask("GET", "/users?page=2", "", `{"request": {"url": "/users"}}`)},
		{"unmatched: method", "the URL is right", ask("PUT", "/a", "", `{"request": {"method": "GET", "url": "/a"}}`)},
		{"unmatched: methods", "all that are allowed are shown", ask("PUT", "/a", "", `{"request": {"method": {"oneOf": ["GET", "POST"]}, "url": "/a"}}`)},
		{"unmatched: expression", "the whole path is to match", ask("GET", "/users/7/x", "", `{"request": {"urlPathPattern": "/groups/[0-9]+"}}`, `{"request": {"urlPathPattern": "/users/[0-9]+"}}`)},
		{"unmatched: template", "the template has no regexp to show", ask("GET", "/users/7/x", "", `{"request": {"urlPathTemplate": "/users/{id}"}}`)},
		{"unmatched: headers", "secrets are not shown", ask("GET", "/a", "", `{"request": {"url": "/a", "headers": {"X-A": {"equalTo": "c"}, "X-B": {"matches": "b.*"}}, "basicAuth": {"username": "u", "password": "topsecret"}, "cookies": {"s": {"equalTo": "topsecret"}}, "queryParameters": {"q": {"absent": true}}}}`)},
		{"unmatched: body", "the first difference is told", ask("POST", "/a", `{"a": {"b": [1, 2]}}`, `{"request": {"urlPath": "/a", "bodyPatterns": [{"equalToJson": {"a": {"b": [1, 3]}}}, {"matchesJsonPath": "$.a.c"}, {"matchesJsonPath": {"expression": "$.a.b[0]", "equalTo": "x"}}, {"contains": "{"}]}}`)},
		{"unmatched: body that is too much to compare", "a comparison without an end would hold up Close; the way out is named", func(ft *fakeT) {
			want, got := "", ""
			for i := range 1500 {
				want += fmt.Sprintf(`,{"a": %d, "b": "${json-unit.ignore}"}`, i)
				got = fmt.Sprintf(`,{"a": %d, "b": 0}`, i) + got
			}
			ask("POST", "/a", "["+got[1:]+",1]", `{"request": {"urlPath": "/a", "bodyPatterns": [{"equalToJson": [`+want[1:]+`,2], "ignoreArrayOrder": true}]}}`)(ft)
		}},
		{"unmatched: path that looks at too much", "as for a comparison; the path is at fault, and not the body",
			ask("POST", "/a", strings.Repeat(`{"a":`, 900)+"1"+strings.Repeat("}", 900), `{"request": {"urlPath": "/a", "bodyPatterns": [{"matchesJsonPath": "$..*..*..*..*"}]}}`)},
		{"unmatched: body that is no JSON", "the client sent a form", ask("POST", "/a", `a=b`, `{"request": {"urlPath": "/a", "bodyPatterns": [{"equalToJson": {}}, {"matchesJsonPath": "$"}], "formParameters": {"a": {"equalTo": "b"}}}}`)},
		{"unmatched: state", "nothing of the request is wrong", ask("POST", "/a", "", `{"request": {"urlPath": "/a"}, "scenarioName": "s", "requiredScenarioState": "x"}`)},
		{"unmatched: any URL", "a stub without a URL has no path to show", ask("POST", "/a", "", `{"request": {"method": "GET"}}`)},
	}
	got := failures(t, cases, nil)
	for _, secret := range []string{"topsecret", "c2VjcmV0"} {
		assert.NotContains(t, got, secret)
	}
	got = regexp.MustCompile(`Load\("[^"]*?(/[a-z.]+)?"\)`).ReplaceAllString(strings.ReplaceAll(got, `\\`, "/"), `Load("dir$1")`)
	got = strings.ReplaceAll(got, filepath.ToSlash(os.TempDir()), "TMP")
	got = regexp.MustCompile(`TMP/\S*?/\d+`).ReplaceAllString(got, "tmp")
	got = regexp.MustCompile(`(mappings\[2\]\.x: .*\n)(?:.*mappings\[\d+\]\.x: .*\n)+`).ReplaceAllString(got, "$1\t[the same, to number 49]\n")
	golden(t, filepath.Join("testdata", "load.txt"), got)
}
