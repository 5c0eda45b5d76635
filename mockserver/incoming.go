package mockserver

import (
	"net/http"
	"net/url"
)

// incoming is a request for which a stub is looked for. What several matchers need of it is worked out once. It belongs
// to one goroutine.
type incoming struct {
	*Request
	escaped string   // the path as it was sent
	segs    []string // nil when it is not a path
	keep    int      // bytes of the body that are kept

	states   map[string]string // of the scenarios, when no stub matched
	said     map[*Matcher]bool // what the functions of Where said
	panicked []string          // messages for the test
	threw    map[*Matcher]bool // Where whose function panicked at this request

	text    string // of the body
	hasText bool

	json    any
	jsonErr error
	hasJSON bool

	form    url.Values
	formWhy string
	hasForm bool

	cookies    []*http.Cookie
	hasCookies bool
}

func newIncoming(rec *Request, escaped string, keep int) *incoming {
	if escaped == "" && rec.Method != "CONNECT" {
		escaped = "/" // GET http://host HTTP/1.1
	}
	return &incoming{Request: rec, escaped: escaped, segs: splitPath(escaped), keep: keep}
}

// shown is the path for messages, or what came in the place of one: CONNECT has host and port.
func (in *incoming) shown() string {
	if in.escaped == "" {
		return in.Target
	}
	return in.escaped
}

// path is the decoded path.
func (in *incoming) path() string {
	if in.Path == "" && in.escaped == "/" {
		return "/"
	}
	return in.Path
}
