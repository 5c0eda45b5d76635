package mockserver

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// illegalHeader says why net/http's server would refuse a header that http.ReadRequest takes.
func illegalHeader(req *http.Request) error {
	if strings.ContainsFunc(req.Host, func(r rune) bool { return !validInHost(r) }) {
		return fmt.Errorf("invalid Host header: %q", req.Host)
	}
	for name, values := range req.Header {
		if !isToken(name) {
			return fmt.Errorf("invalid header name: %q", name)
		}
		for _, v := range values {
			if hasControl(v) {
				return fmt.Errorf("invalid value of the header %s: %q", name, v)
			}
		}
	}
	return nil
}

// validInHost says whether a Host header may have r: what RFC 3986 allows in a host, and what stands around it.
func validInHost(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("!$%&'()*+,-.:;=[]_~", r)
}

// unknownCoding says whether http.ReadRequest did not know a transfer coding. Its error has no exported type.
func unknownCoding(err error) bool {
	return strings.HasPrefix(err.Error(), "unsupported transfer encoding") || strings.HasPrefix(err.Error(), "too many transfer encodings")
}

// noRequest is what the test is failed with for something that is no HTTP request, "" when it is not: each kind is
// reported once. What broke off, because the client went away, is no mistake of this kind, whatever the error says of the
// line that was cut.
func (c *conn) noRequest(code int, err error) string {
	const tlsHandshake = 0x16
	cfg, seen := c.srv.cfg, c.in.seen
	if cfg.allowUnmatched || cfg.allowBad || code == 408 || c.in.over || len(seen) > 0 && seen[0] == tlsHandshake {
		return ""
	}
	why := err.Error()
	kind, _, _ := strings.Cut(why, ": ")
	kind, _, _ = strings.Cut(kind, ` "`)
	if !c.srv.miss(fmt.Sprintf("what is no HTTP request (%d, %s)", code, kind)) {
		return ""
	}
	begins := strconv.Quote(string(seen))
	if len(seen) == keepSeen {
		begins += "..."
	}
	if len(why) > 2*keepSeen {
		why = why[:2*keepSeen] + "..."
	}
	return fmt.Sprintf("mockserver: connection %d, from %s: the client sent what is no HTTP request that the server takes, answered %d: %s\n"+
		"\tit begins: %s\n"+
		"\tto let it pass: mockserver.AllowUnmatched()", c.info.ID, c.info.RemoteAddr, code, why, begins)
}
