package mockserver

import (
	"regexp"
	"strings"
)

// loadedURL is what a stub of Load wants of the URL. Path and query are compared as they were sent, as WireMock does it,
// but for how a character of the path is escaped.
type loadedURL struct {
	field string         // of the mapping: "urlPathPattern"; "" where any URL will do
	re    *regexp.Regexp // nil where the pattern of the stub says it all about the path
	expr  string         // as it is in the mapping
	whole bool           // the query belongs to it
	query string         // with the question mark, in url
	names []string       // of urlPathTemplate's variables
	oneOf []string       // methods
	not   bool           // none of them
}

// takes says whether the URL is the wanted one. The pattern has taken the request.
func (u *loadedURL) takes(in *incoming) bool {
	path, query := sentURL(in)
	switch {
	case u.re == nil:
		return !u.whole || query == u.query
	case u.whole:
		return u.re.MatchString(path + query)
	}
	return u.re.MatchString(path)
}

// why says of a URL that is not taken what is wrong with it.
func (u *loadedURL) why(in *incoming) string {
	path, query := sentURL(in)
	switch {
	case u.re == nil && u.query == "":
		return "there is a query; urlPath takes any"
	case u.re == nil:
		return "the query differs"
	case u.whole:
		return u.unlike(path + query)
	}
	return u.unlike(path)
}

func (u *loadedURL) unlike(got string) string {
	if u.field == "urlPathTemplate" {
		return "does not match the template"
	}
	return partly(u.expr, got)
}

// takesMethod is for the methods that a pattern cannot say.
func (u *loadedURL) takesMethod(method string) bool {
	if u.oneOf == nil {
		return true
	}
	for _, m := range u.oneOf {
		if m == method {
			return !u.not
		}
	}
	return u.not
}

func (u *loadedURL) methods() string {
	s := strings.Join(u.oneOf, " or ")
	if u.not {
		return "not " + s
	}
	return s
}

// sentURL gives path and query as they were sent. The query has its question mark.
func sentURL(in *incoming) (path, query string) {
	target := in.Target
	if i := strings.Index(target, "://"); i >= 0 && !strings.HasPrefix(target, "/") { // a proxy's request
		target = target[i+3:]
		if i = strings.IndexAny(target, "/?"); i < 0 {
			target = "/"
		} else {
			target = target[i:]
		}
	}
	if i := strings.IndexByte(target, '?'); i >= 0 {
		return target[:i], target[i:]
	}
	return target, ""
}

// pickLoaded chooses among stubs of one priority as WireMock does: the one that was added last. It returns nil when On
// added one of them, which goes first: it is nearer to the test.
func pickLoaded(found []*Stub, priority int) *Stub {
	var best *Stub
	for _, st := range found {
		switch {
		case st.priority != priority:
		case st.url == nil:
			return nil
		case best == nil || st.id > best.id:
			best = st
		}
	}
	return best
}

// cost is how far a request's URL is from the wanted one, beside what the pattern says of the path, for the search of the
// nearest stub. An expression is compared as it is written, which finds the one with the same words in it.
func (u *loadedURL) cost(in *incoming, p pattern, far bool) int {
	n := 0
	if !u.takesMethod(in.Method) {
		n++
	}
	if far || u.takes(in) {
		return n
	}
	path, query := sentURL(in)
	if u.re != nil {
		if u.whole {
			path += query
		}
		return n + 2 + 2*distance(p.text, path)
	}
	return n + 1 // the query
}

// compare says of the URL what the pattern cannot.
func (u *loadedURL) compare(in *incoming, p pattern, method, path *row) {
	if u.oneOf != nil {
		method.want = u.methods()
		if !u.takesMethod(in.Method) {
			method.verdict = "the method differs"
		}
	}
	if u.field == "" {
		path.want = "any"
		return
	}
	path.part = u.field
	if u.whole {
		sent, query := sentURL(in)
		path.got = clip(sent+query, cell)
	}
	if p.matchesPath(in.segs) && !u.takes(in) {
		path.verdict = u.why(in)
	}
}
