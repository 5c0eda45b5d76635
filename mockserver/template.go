package mockserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"text/template"
)

// Template is a reply with a text that is made for each request by text/template. The fields of Request stand for
// themselves, and Vars has what the wildcards of the stub's pattern matched:
//
//	srv.On("GET", "/users/{id}").Reply(mockserver.Template(200, "application/json",
//		`{"id": {{json .Vars.id}}, "page": {{json (.Query.Get "page")}}}`))
//
// Beside the functions of text/template there are
//
//	json v        v as JSON, strings with their quotes
//	parse b       the value that the JSON text b stands for: {{(parse .Body).name}}
//	string b      the bytes b as a text: {{string .Body}}
//
// Body is the kept part of the request's body, see Request.Truncated. A text that is no template makes a reply that cannot
// be sent. One that fails on a request, also because a map has no such key, fails the test, and the request is answered
// with a 501 that says why.
func Template(code int, contentType, text string) Reply {
	r := Body(code, contentType, nil)
	r.name = fmt.Sprintf("Template(%d)", code)
	if r.err != nil {
		return r
	}
	t, err := template.New("Template").Option("missingkey=error").Funcs(template.FuncMap{
		"json": func(v any) (string, error) {
			if b, ok := v.([]byte); ok {
				v = string(b)
			}
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			err := enc.Encode(v)
			return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), err
		},
		"parse": func(b []byte) (v any, err error) {
			err = json.Unmarshal(b, &v)
			return v, err
		},
		"string": func(b []byte) string { return string(b) },
	}).Parse(text)
	if err != nil {
		return r.fail("%v", err)
	}
	r.extra = &extra{template: t}
	return r
}

// templateData is what a template sees.
type templateData struct {
	Request
	Vars map[string]string
}

// most is the longest text that a template may make.
const maxTemplate = 64 << 20

func render(t *template.Template, rec Request, vars map[string]string) ([]byte, error) {
	out := limited{left: maxTemplate}
	if err := t.Execute(&out, templateData{Request: rec.clone(), Vars: vars}); err != nil {
		return nil, err
	}
	return out.b.Bytes(), nil
}

// limited is a buffer that a template cannot fill the memory with.
type limited struct {
	b    bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		return 0, fmt.Errorf("the text is longer than %d bytes", maxTemplate)
	}
	l.left -= len(p)
	return l.b.Write(p)
}
