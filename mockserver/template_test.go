package mockserver

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTemplate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text, method, path, body string
		want                           string
	}{
		{"path value", `{"id": {{json .Vars.id}}}`, "GET", `/users/a"b`, "", `{"id": "a\"b"}`},
		{"rest", `{{.Vars.rest}}`, "GET", "/files/a/b/c", "", "a/b/c"},
		{"query and header", `{{.Query.Get "page"}} {{.Header.Get "User-Agent"}}`, "GET", "/users/7?page=3", "", "3 test"},
		{"fields", `{{.Method}} {{.Path}} {{.Target}} {{len .Body}} {{.Stub}}`, "POST", "/users/7%20?x", "four", "POST /users/7  /users/7%20?x 4 /users/{id}"},
		{"body", `{{string .Body}}`, "POST", "/users/7", "text", "text"},
		{"body as JSON", `{{(parse .Body).user.name}} {{json (parse .Body)}} {{json .Body}}`, "POST", "/users/7", `{"user":{"name":"<Ann>"}}`, `<Ann> {"user":{"name":"<Ann>"}} "{\"user\":{\"name\":\"<Ann>\"}}"`},
		{"loop", `{{range $i, $v := .Query.v}}{{if $i}},{{end}}{{$v}}{{end}}`, "GET", "/users/7?v=1&v=2", "", "1,2"},
		{"missing query", `{{.Query.Get "none"}}|`, "GET", "/users/7", "", "|"},
		{"empty", ``, "GET", "/users/7", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			srv := New(t, AllowUnused())
			srv.On("", "/users/{id}").Reply(Template(200, "application/json", c.text))
			srv.On("", "/files/{rest...}").Reply(Template(200, "application/json", c.text))
			req, err := http.NewRequest(c.method, srv.URL+strings.ReplaceAll(c.path, `"`, "%22"), strings.NewReader(c.body))
			require.NoError(t, err)
			req.Header.Set("User-Agent", "test")
			resp, err := srv.Client().Do(req)
			require.NoError(t, err)
			got := new(strings.Builder)
			_, err = copyAndClose(got, resp)
			require.NoError(t, err)
			assert.Equal(t, c.want, got.String())
			assert.EqualValues(t, len(c.want), resp.ContentLength)
			assert.Equal(t, "application/json", resp.Header.Get("Content-Type"))
		})
	}
}

// A template goes with every modifier.
func TestTemplateWithModifiers(t *testing.T) {
	t.Parallel()
	srv := New(t)
	srv.On("GET", "/{id}").Reply(Template(403, "text/plain", "hello {{.Vars.id}}").Gzip().Trailer("X-Sum", "1"))
	srv.On("GET", "/cut/{id}").Reply(Template(403, "text/plain", "hello {{.Vars.id}}").Fault(TruncateAfter(3)))
	srv.On("GET", "/none/{id}").Reply(Template(403, "text/plain", ""))
	assert.Equal(t, "403 hello 7", read(srv.Client(), "GET", srv.URL+"/7", ""))
	assert.Equal(t, "unexpected EOF", read(srv.Client(), "GET", srv.URL+"/cut/7", ""))
	assert.Contains(t, raw(t, srv, get("/none/7")), "Transfer-Encoding: chunked", "an empty error text shows a leak")
}

func TestTemplateIsBounded(t *testing.T) {
	t.Parallel()
	ft := &fakeT{}
	srv := New(ft)
	srv.On("POST", "/").Reply(Template(200, "", `{{$b := string .Body}}{{range $i, $x := .Query.v}}{{range $.Query.v}}{{range $.Query.v}}{{$b}}{{end}}{{end}}{{end}}`))
	assert.Contains(t, read(srv.Client(), "POST", srv.URL+"/?"+strings.Repeat("v=&", 20), strings.Repeat("x", 60_000)), "the text is longer than 67108864 bytes")
	ft.end()
	assert.Len(t, ft.failures(), 1)
}
