package mockserver

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// WithHeader takes requests with this header and value. The case of the name does not count, that of the value does. A
// header that is there more than once has several values, and one of them is enough. "Host" is the host of the request.
//
// Messages do not show the values of Authorization, Proxy-Authorization and Cookie, only how long they are, and the usual scheme
// in front: "(Bearer + 32 bytes, hidden)".
func WithHeader(name, value string) Matcher {
	m := oneOf("header "+name, headerValues(name), equal(value)).as("WithHeader", name, value)
	if isSecret(name) {
		m = oneOf("header "+name, headerValues(name), equalHidden(value)).masked().as("WithHeader", name, value)
		m.text = fmt.Sprintf("WithHeader(%q, %s)", name, hidden(value))
	}
	m.err = headerProblem(name)
	return m
}

// WithHeaderMatching takes requests with this header and a value that the regular expression matches, anywhere in the
// value unless ^ and $ say otherwise. An expression that cannot be read fails the test at On. What WithHeader says of
// names and secrets holds here too, and for the expression as well.
func WithHeaderMatching(name, expr string) Matcher {
	c, err := matching(expr)
	if err != nil {
		return failing(callText("WithHeaderMatching", name, expr), err)
	}
	m := oneOf("header "+name, headerValues(name), c).as("WithHeaderMatching", name, expr)
	if isSecret(name) {
		m = m.masked()
		m.text = fmt.Sprintf("WithHeaderMatching(%q, %s)", name, hidden(expr))
		m.want = "matches " + hidden(expr)
	}
	m.err = headerProblem(name)
	return m
}

// WithoutHeader takes requests that do not have this header.
func WithoutHeader(name string) Matcher {
	m := noneOf("header "+name, headerValues(name)).as("WithoutHeader", name)
	if isSecret(name) {
		m = m.masked()
	}
	m.err = headerProblem(name)
	return m
}

func headerValues(name string) values {
	name = http.CanonicalHeaderKey(name)
	return func(in *incoming) (found []string, why string) {
		if name == "Host" {
			if in.Host == "" {
				return nil, ""
			}
			return []string{in.Host}, ""
		}
		return in.Header[name], ""
	}
}

func headerProblem(name string) error {
	switch http.CanonicalHeaderKey(name) {
	case "Transfer-Encoding", "Trailer":
		return errors.New("this header belongs to the connection, and the server does not keep it")
	}
	if !isToken(name) {
		return fmt.Errorf("%q is not the name of a header", name)
	}
	return nil
}

func isSecret(header string) bool {
	switch http.CanonicalHeaderKey(header) {
	case "Authorization", "Proxy-Authorization", "Cookie":
		return true
	}
	return false
}

// equalHidden is equal for a value that is in no message.
func equalHidden(want string) condition {
	return condition{
		want: hiddenAfterScheme(want),
		ok:   func(got string) bool { return got == want },
		why:  func(string) string { return "differs" },
	}
}

// masked keeps what the request has out of messages.
func (m Matcher) masked() Matcher {
	show, from := m.show, m.from
	m.show = func(in *incoming) (got, why string) {
		_, why = show(in)
		found, _ := from(in)
		switch len(found) {
		case 0:
			return nothing, why
		case 1:
			return hiddenAfterScheme(found[0]), why
		}
		return fmt.Sprintf("(%d values, hidden)", len(found)), why
	}
	return m
}

func hidden(value string) string { return "(" + count(len(value), "byte") + ", hidden)" }

// hiddenAfterScheme is hidden for a value that may begin with a scheme of HTTP authentication, which is no secret: a token
// that is empty, or a wrong scheme, is the usual fault. Only schemes that are known are shown, since a secret may stand
// there without one.
func hiddenAfterScheme(value string) string {
	scheme, credentials, _ := strings.Cut(value, " ")
	switch strings.ToLower(scheme) {
	case "basic", "bearer", "digest", "negotiate", "ntlm", "token", "apikey", "aws4-hmac-sha256", "dpop", "hoba", "mutual", "vapid", "scram-sha-256":
		return "(" + scheme + " + " + count(len(credentials), "byte") + ", hidden)"
	}
	return hidden(value)
}
