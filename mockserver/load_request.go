package mockserver

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/leakgate/leakgate/internal/jsontree"
)

const whyHere = "every request of this server comes to one loopback address; leave it out"

var requestFields = schema{
	name: "a request",
	read: []string{
		"method", "url", "urlPattern", "urlPath", "urlPathPattern", "urlPathTemplate", "pathParameters", "headers", "queryParameters",
		"cookies", "formParameters", "basicAuth", "basicAuthCredentials", "bodyPatterns",
	},
	refused: map[string]string{
		"multipartPatterns": "write the stub in Go with WithForm, or Where",
		"customMatcher":     "there are no extensions; write the stub in Go with Where",
		"host":              whyHere,
		"port":              whyHere,
		"scheme":            whyHere,
		"clientIp":          whyHere,
	},
}

// request reads what a stub wants into its pattern, URL and matchers.
func (m *mappingReader) request(v *jsontree.Value, at string, st *Stub) {
	st.pattern = pattern{text: "/", segs: []segment{{kind: rest}}, exact: true}
	st.url = &loadedURL{}
	if v == nil {
		return
	}
	fields := m.object(v, at, &requestFields)
	if fields == nil {
		return
	}
	m.requestURL(fields, at, st)
	if f := fields["method"]; f != nil {
		m.method(f, under(at, "method"), st)
	}
	many := func(field, part string, from func(name string) values) {
		if fields[field] == nil {
			return
		}
		for _, f := range m.entries(fields[field], under(at, field)) {
			where := under(under(at, field), f.Name)
			if field == "headers" {
				if err := headerProblem(f.Name); err != nil {
					m.bad(where, "%v", err)
					continue
				}
			}
			secret := field == "headers" && isSecret(f.Name) || field == "cookies"
			if matcher, ok := m.values(f.Value, where, part+" "+f.Name, from(f.Name), secret, field == "cookies"); ok {
				st.matchers = append(st.matchers, matcher)
			}
		}
	}
	many("pathParameters", "path parameter", func(name string) values {
		if i := slices.Index(st.url.names, name); i >= 0 {
			return pathParameter(st.url, i)
		}
		if st.url.names != nil || st.url.field == "urlPathTemplate" {
			m.bad(under(under(at, "pathParameters"), name), "urlPathTemplate has no {%s}", name)
		}
		return nil
	})
	many("headers", "header", headerValues)
	many("queryParameters", "query", sentQuery)
	many("formParameters", "form", sentForm)
	many("cookies", "cookie", sentCookie)
	m.basicAuth(fields, at, st)
	if f := fields["bodyPatterns"]; f != nil {
		for i, one := range m.list(f, under(at, "bodyPatterns")) {
			if op := m.operator(one, item(under(at, "bodyPatterns"), i)); op != nil {
				st.matchers = append(st.matchers, bodyMatcher(op))
			}
		}
	}
}

func (m *mappingReader) method(v *jsontree.Value, at string, st *Stub) {
	if v.Kind == jsontree.Object {
		for _, f := range m.object(v, at, &schema{name: "a method", read: []string{"oneOf", "noneOf"}}) {
			st.url.not = v.Get("noneOf") != nil
			st.url.oneOf = []string{}
			for i, one := range m.list(f, at) {
				if name, ok := m.methodName(one, item(at, i)); ok {
					st.url.oneOf = append(st.url.oneOf, name)
				}
			}
		}
		if len(st.url.oneOf) == 0 {
			m.bad(at, `names no method; write "GET", or {"oneOf": ["GET", "HEAD"]}`)
		}
		return
	}
	switch name, ok := m.methodName(v, at); {
	case !ok || name == "ANY":
	case name == "GET_OR_HEAD":
		st.url.oneOf = []string{"GET", "HEAD"}
	default:
		st.pattern.method = name
	}
}

func (m *mappingReader) methodName(v *jsontree.Value, at string) (string, bool) {
	name, ok := m.str(v, at)
	switch upper := strings.ToUpper(name); {
	case !ok:
	case name != upper && (isCommonMethod(upper) || upper == "ANY"):
		m.bad(at, "methods are told apart by case; write %q", upper)
	case !isToken(name):
		m.bad(at, "%s is not a method", quote(name))
	default:
		return name, true
	}
	return "", false
}

// urlFields are the ways to say which URL, of which a request has one.
var urlFields = []string{"url", "urlPattern", "urlPath", "urlPathPattern", "urlPathTemplate"}

func (m *mappingReader) requestURL(fields map[string]*jsontree.Value, at string, st *Stub) {
	var given []string
	for _, name := range urlFields {
		if fields[name] != nil {
			given = append(given, name)
		}
	}
	if len(given) > 1 {
		m.bad(at, "has %s, of which WireMock uses %s alone; leave one", strings.Join(given, " and "), given[0])
		return
	}
	if fields["pathParameters"] != nil && !slices.Equal(given, []string{"urlPathTemplate"}) {
		m.bad(under(at, "pathParameters"), "needs urlPathTemplate")
	}
	if len(given) == 0 {
		return
	}
	u, where := st.url, under(at, given[0])
	u.field = given[0]
	text, ok := m.str(fields[u.field], where)
	if !ok {
		return
	}
	st.pattern.text = text
	switch u.field {
	case "urlPattern", "urlPathPattern":
		u.re, u.expr = m.javaRegexp(fields[u.field], where)
		u.whole = u.field == "urlPattern"
		return
	}
	switch {
	case strings.Contains(text, "://"):
		hint := ""
		if parsed, err := url.Parse(text); err == nil {
			hint = "; write " + quote(parsed.RequestURI())
		}
		m.bad(where, "a URL begins with its path here, without scheme and host%s", hint)
		return
	case !strings.HasPrefix(text, "/"):
		m.bad(where, "a path begins with a slash; write %s", quote("/"+text))
		return
	case strings.Contains(text, "?") && u.field != "url":
		m.bad(where, "a path has no query; write url for %s, or queryParameters", quote(text))
		return
	}
	path := text
	switch u.field {
	case "url":
		u.whole = true
		if i := strings.IndexByte(text, '?'); i >= 0 {
			path, u.query = text[:i], text[i:]
		}
	case "urlPathTemplate":
		var err error
		if u.re, u.names, err = pathTemplate(text); err != nil {
			m.bad(where, "%v", err)
			return
		}
	}
	if segs, ok := loadedSegments(path, u.field == "urlPathTemplate"); ok {
		st.pattern.segs = segs
	}
}

// loadedSegments cuts a path as pattern has it. A template has wildcards; ok is false for one with a wildcard that is not a
// whole segment.
func loadedSegments(path string, template bool) (segs []segment, ok bool) {
	for _, part := range strings.Split(path[1:], "/") {
		if template && strings.Contains(part, "**") {
			return nil, false
		}
		if template && strings.ContainsAny(part, "{}") {
			name, closed := strings.CutSuffix(part, "}")
			if name = strings.TrimPrefix(name, "{"); !closed || len(name) != len(part)-2 || strings.ContainsAny(name, "{}") || name == "" {
				return nil, false
			}
			segs = append(segs, segment{kind: wildcard, text: name})
			continue
		}
		if s, err := url.PathUnescape(part); err == nil {
			part = s
		}
		segs = append(segs, segment{kind: literal, text: part})
	}
	return segs, true
}

var credentialFields = schema{name: "basicAuth", read: []string{"username", "password"}}

// basicAuth reads the field that WireMock reads, or the one that it writes.
func (m *mappingReader) basicAuth(fields map[string]*jsontree.Value, at string, st *Stub) {
	for _, name := range []string{"basicAuth", "basicAuthCredentials"} {
		if fields[name] == nil {
			continue
		}
		where := under(at, name)
		parts := m.object(fields[name], where, &credentialFields)
		if parts == nil {
			continue
		}
		var both [2]string
		for i, part := range credentialFields.read {
			if parts[part] == nil {
				m.bad(under(where, part), "is missing")
				continue
			}
			both[i], _ = m.str(parts[part], under(where, part))
		}
		want := base64.StdEncoding.EncodeToString([]byte(both[0] + ":" + both[1]))
		const scheme = "Basic "
		op := &operator{
			text: fmt.Sprintf("basic auth of %s", quote(both[0])),
			ok: func(got *string) bool {
				return got != nil && len(*got) > len(scheme) && strings.EqualFold((*got)[:len(scheme)], scheme) && (*got)[len(scheme):] == want
			},
		}
		st.matchers = append(st.matchers, valuesMatcher("header Authorization", headerValues("Authorization"), []*operator{op}, "", true, false))
	}
}

// values reads what a header, a query parameter or the like is to be: a matcher, or for a name that is there several times
// {"hasExactly": [...]} and {"includes": [...]}.
func (m *mappingReader) values(v *jsontree.Value, at, part string, from values, secret, single bool) (Matcher, bool) {
	if v.Kind == jsontree.Object && !single {
		for _, how := range []string{"hasExactly", "includes"} {
			list := v.Get(how)
			if list == nil {
				continue
			}
			m.object(v, at, &schema{name: "a matcher of several values", read: []string{how}})
			var ops []*operator
			before := len(m.problems)
			for i, one := range m.list(list, under(at, how)) {
				ops = append(ops, m.operator(one, item(under(at, how), i)))
			}
			return valuesMatcher(part, from, ops, how, secret, single), len(m.problems) == before
		}
	}
	op := m.operator(v, at)
	if op == nil || from == nil {
		return Matcher{}, false
	}
	return valuesMatcher(part, from, []*operator{op}, "", secret, single), true
}

// valuesMatcher wants one of several values to be as the operator wants it. With "includes" each operator wants one, and
// with "hasExactly" there are as many values as operators.
func valuesMatcher(part string, from values, ops []*operator, how string, secret, cookie bool) Matcher {
	texts := make([]string, len(ops))
	for i, op := range ops {
		texts[i] = op.text
	}
	want := strings.Join(texts, ", ")
	if how != "" {
		want = how + " [" + want + "]"
	}
	takes := func(op *operator, found []string) bool {
		if len(found) == 0 {
			if cookie {
				return op.absent // and nothing else, not even doesNotMatch
			}
			return op.ok(nil)
		}
		return slices.ContainsFunc(found, func(s string) bool { return op.ok(&s) })
	}
	mt := Matcher{
		text: part + " " + clip(want, cell),
		part: part,
		want: clip(want, cell),
		from: from,
		test: func(in *incoming) bool {
			found, why := from(in)
			if len(found) == 0 && why != "" && in.tooLong() == why {
				return false // a form that is not all there
			}
			if how != "" && len(found) == 0 || how == "hasExactly" && len(found) != len(ops) {
				return false
			}
			for _, op := range ops {
				if !takes(op, found) {
					return false
				}
			}
			return true
		},
		show: func(in *incoming) (got, why string) {
			found, why := from(in)
			got = quoteAll(found)
			switch {
			case len(found) == 0 && why != "":
			case len(found) == 0:
				why = "is absent"
			case how == "hasExactly" && len(found) != len(ops):
				why = fmt.Sprintf("has %s, not %d", count(len(found), "value"), len(ops))
			case len(found) > 1:
				why = fmt.Sprintf("none of the %d values", len(found))
				if how != "" {
					why = "not all are there"
				}
			case len(ops) == 1 && ops[0].why != nil && !secret:
				why = ops[0].why(found[0])
			default:
				why = "does not match"
			}
			return got, why
		},
	}
	if secret {
		mt.text, mt.want = part+" (hidden)", "(hidden)"
		mt = mt.masked()
	}
	return mt
}

func bodyMatcher(op *operator) Matcher {
	return Matcher{
		text: "body " + clip(op.text, cell),
		part: "body",
		want: clip(op.text, cell),
		from: bodyText,
		test: func(in *incoming) bool {
			body, why := loadedBody(in)
			if why != "" {
				return false
			}
			if body == "" {
				return op.ok(nil)
			}
			return op.ok(&body)
		},
		show: func(in *incoming) (got, why string) {
			body, why := loadedBody(in)
			switch {
			case why != "":
				return quote(body), why
			case body == "":
				return nothing, "there is no body"
			case op.why != nil:
				return quote(body), op.why(body)
			}
			return quote(body), "does not match"
		},
	}
}

// loadedBody is the body as WireMock matches it: without gzip.
func loadedBody(in *incoming) (body, why string) {
	if why = in.tooLong(); why != "" {
		return "", why
	}
	if strings.EqualFold(strings.TrimSpace(in.Header.Get("Content-Encoding")), "gzip") {
		if text, err := gunzip(in.Body, maxUnzipped); err == nil {
			return text, ""
		} else if len(in.Body) > 0 {
			return string(in.Body), err.Error()
		}
	}
	return string(in.Body), ""
}

// sentQuery is queryValues with parameters that Go's url.ParseQuery leaves out: with a semicolon, or a wrong escape, which
// then stands for itself.
func sentQuery(name string) values {
	return func(in *incoming) (found []string, why string) {
		_, query := sentURL(in)
		all := looseQuery(strings.TrimPrefix(query, "?"))
		if found = all[name]; len(found) == 0 {
			return nil, absent(all, name)
		}
		return found, ""
	}
}

func looseQuery(query string) url.Values {
	all := url.Values{}
	for query != "" {
		var one string
		one, query, _ = strings.Cut(query, "&")
		if one == "" {
			continue
		}
		name, value, _ := strings.Cut(one, "=")
		all.Add(unescape(name), unescape(value))
	}
	return all
}

func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

func sentForm(name string) values {
	return func(in *incoming) (found []string, why string) {
		if kind := in.Header.Get("Content-Type"); !strings.Contains(kind, "application/x-www-form-urlencoded") {
			return nil, fmt.Sprintf("the body is not a form: the Content-Type is %s", quote(kind))
		}
		body, why := loadedBody(in)
		if why != "" {
			return nil, why
		}
		all := looseQuery(body)
		if found = all[name]; len(found) == 0 {
			return nil, absent(all, name)
		}
		return found, ""
	}
}

func sentCookie(name string) values {
	return func(in *incoming) (found []string, why string) {
		for _, c := range (&http.Request{Header: in.Header}).Cookies() {
			if c.Name == name {
				found = append(found, unescape(c.Value))
			}
		}
		return found, ""
	}
}

func pathParameter(u *loadedURL, i int) values {
	return func(in *incoming) (found []string, why string) {
		path, _ := sentURL(in)
		if groups := u.re.FindStringSubmatch(path); groups != nil {
			return groups[i+1 : i+2], ""
		}
		return nil, "the path does not match"
	}
}
