package mockserver

import (
	"fmt"
	"net/http"
)

// WithCookie takes requests that have a cookie with this name and value, without the quotes that may stand around it.
// Where there are several cookies of the name, one of them is enough. Messages do not show the value, only how long it is.
func WithCookie(name, value string) Matcher {
	m := oneOf("cookie "+name, cookieValues(name), equalHidden(value)).masked().as("WithCookie", name, value)
	m.text = fmt.Sprintf("WithCookie(%q, %s)", name, hidden(value))
	return m
}

func cookieValues(name string) values {
	return func(in *incoming) (found []string, why string) {
		if !in.hasCookies {
			in.hasCookies = true
			in.cookies = (&http.Request{Header: in.Header}).Cookies()
		}
		for _, c := range in.cookies {
			if c.Name == name {
				found = append(found, c.Value)
			}
		}
		return found, ""
	}
}
