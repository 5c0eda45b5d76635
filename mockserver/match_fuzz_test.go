package mockserver

import (
	"bufio"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzMatchers gives every matcher any value, and any request. None may panic; a request that is not taken has a reason,
// one that is taken has none of absence; and With and Without are each other's opposite.
func FuzzMatchers(f *testing.F) {
	f.Add("page", "2", "GET /x?page=2 HTTP/1.1\r\nHost: a\r\n\r\n", "")
	f.Add("Accept", "", "GET /?a=%zz&;b HTTP/1.1\r\nHost: a\r\nAccept:\r\n\r\n", "")
	f.Add("sid", "\"a\"", "GET * HTTP/1.1\r\nHost: a\r\nCookie: sid=\"a\"; b\r\n\r\n", "x")
	f.Add("name", "bob", "POST /%2f//a HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n", "name=bob&x")
	f.Add("name", "bob", "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n", multipartBody)
	f.Add("a\nb\x1b", "\u2028x", "GET /x?a%0ab=1 HTTP/1.1\r\nHost: a\r\n\r\n", "\n")
	f.Add("a", "(", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "\xff{\"a\":1}")
	f.Add("", `{"a":[1]}`, "GET http://h HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n\r\n", `{"a":[1,2]}`)
	f.Fuzz(func(t *testing.T, name, value, head, body string) {
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
		if err != nil {
			return
		}
		rec := newRequest(req, 1)
		rec.Body, rec.size = []byte(body), len(body)
		in := newIncoming(&rec, req.URL.EscapedPath(), keepBody)

		ms := []Matcher{
			WithQuery(name, value), WithQueryMatching(name, value), WithoutQuery(name),
			WithHeader(name, value), WithHeaderMatching(name, value), WithoutHeader(name),
			WithCookie(name, value), WithForm(name, value),
			WithBody(value), WithBodyContaining(value), WithBodyMatching(value), WithPathMatching(value),
			WithJSON(value), WithJSONSubset(value), WithJSON([]string{name, value}),
			InState(name, value), Where(name, func(r Request) bool { return string(r.Body) == value }),
		}
		st := &Stub{}
		for _, m := range ms {
			assert.NotEmpty(t, m.String())
			if m.problem() != nil {
				continue
			}
			st.matchers = append(st.matchers, m)
		}
		var err2 error
		st.pattern, err2 = parsePattern("", "/{rest...}")
		require.NoError(t, err2)
		for i := range st.matchers {
			m := &st.matchers[i]
			took := in.meets(m)
			require.Equal(t, took, in.meets(m), "%s: asked twice", m)
			_, why := m.show(in)
			if !took {
				require.NotEmpty(t, why, "%s", m)
			}
		}
		msg := unmatched(in, []*Stub{st})
		require.NotContains(t, msg, "\r")
		// A line for each part, and not one more, whatever the request has in it.
		table := msg[strings.Index(msg, "\n\tnearest: "):strings.Index(msg, "\n\tstubs (1):")]
		require.Equal(t, len(st.matchers)+4, strings.Count(table, "\n"), msg)

		query, without := WithQueryMatching(name, ""), WithoutQuery(name)
		require.NotEqual(t, query.takes(in), without.takes(in))
		if headerProblem(name) == nil {
			header, without := WithHeaderMatching(name, ""), WithoutHeader(name)
			require.NotEqual(t, header.takes(in), without.takes(in))
		}
		// What can be said in two ways is the same in both.
		text, quoted := WithBody(value), WithBodyMatching(`\A`+regexp.QuoteMeta(value)+`\z`)
		if quoted.problem() == nil && strings.ToValidUTF8(value+body, "") == value+body {
			require.Equal(t, text.takes(in), quoted.takes(in))
		}
		symmetric(t, value, body)
	})
}

// symmetric: two texts are as like, or unlike, in either order.
func symmetric(t *testing.T, a, b string) {
	x := incoming{Request: &Request{Body: []byte(a)}}
	y := incoming{Request: &Request{Body: []byte(b)}}
	ab, ba := WithBody(a), WithBody(b)
	require.Equal(t, ab.takes(&y), ba.takes(&x))
	ab, ba = WithJSON(a), WithJSON(b)
	if ab.problem() == nil && ba.problem() == nil {
		require.Equal(t, ab.takes(&y), ba.takes(&x))
		if ab.key == ba.key {
			require.True(t, ab.takes(&y), "one key, one value")
		}
	}
}
