package mockserver

import (
	"fmt"
	"net/url"
	"strings"
)

// WithQuery takes requests whose query has the name with this value. A name that is there more than once has several
// values, and one of them is enough. Both are compared decoded: "a b" is sent as a+b or a%20b.
func WithQuery(name, value string) Matcher {
	return oneOf("query "+name, queryValues(name), equal(value)).as("WithQuery", name, value)
}

// WithQueryMatching takes requests whose query has the name with a value that the regular expression matches, anywhere
// in the value unless ^ and $ say otherwise. An expression that cannot be read fails the test at On.
func WithQueryMatching(name, expr string) Matcher {
	c, err := matching(expr)
	if err != nil {
		return failing(callText("WithQueryMatching", name, expr), err)
	}
	return oneOf("query "+name, queryValues(name), c).as("WithQueryMatching", name, expr)
}

// WithoutQuery takes requests whose query does not have the name, not even without a value.
func WithoutQuery(name string) Matcher {
	return noneOf("query "+name, queryValues(name)).as("WithoutQuery", name)
}

func queryValues(name string) values {
	return func(in *incoming) (found []string, why string) {
		if found = in.Query[name]; len(found) > 0 {
			return found, ""
		}
		return nil, absent(in.Query, name)
	}
}

// absent says of a name that is not there whether it is in another case.
func absent(in url.Values, name string) string {
	for other := range in {
		if strings.EqualFold(other, name) {
			return fmt.Sprintf("is absent; there is %q", other)
		}
	}
	return "is absent"
}
