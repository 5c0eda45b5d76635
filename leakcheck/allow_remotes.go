package leakcheck

import (
	"fmt"
	"slices"
	"strings"

	"github.com/leakgate/leakgate/internal/outbound"
)

// codeRemote is the code of a connection, request or dial to an address that is not allowed.
const codeRemote = "LK605"

// allowRemotesName is how messages and fingerprints call it.
const allowRemotesName = "AllowRemotes"

// OwnListeners is the pattern of AllowRemotes for whatever this process listens at: the servers of net/http/httptest and of
// package mockserver, and what a test listens at itself.
const OwnListeners = outbound.OwnListeners

// AllowRemotes fails a test that connects, or tries to connect, to an address that no pattern names. Nothing is allowed but
// what is named, not even this machine; OwnListeners allows the test's own servers. So start-up code that still dials a
// service that is gone is found by a test in which that service was never mentioned.
//
//	t.Cleanup(leakcheck.Verify(t, leakcheck.AllowRemotes(leakcheck.OwnListeners, "db.internal:5432")))
//
// A pattern is a host ("db.internal", "10.1.2.3"), all hosts below a domain ("*.example.com"), or a range ("10.0.0.0/8"), each also
// with a port ("*.example.com:443", "10.0.0.0/8:5432", "[::1]:80"); a URL (srv.URL), of which host and port count; a unix socket
// ("unix:/run/app.sock", with the wildcards of path.Match); or OwnListeners. "localhost", or "loopback", is every address of the
// loopback interface, and "unix" every unix socket. A
// pattern that cannot be read is an error that fails the test, and one that nothing matches is fine. Given more than once, the patterns add up.
//
// What is seen, each with the line that it came from where that can be known:
//
//   - requests through tracked transports (package httpcheck, and http.DefaultTransport for plain http), whether they got a
//     connection or not. They are judged by the host of their URL; a proxy that takes them is not looked at.
//   - dials with DialContext, or with a function that WrapDial gave, whether they failed or not, and how they ended. They are judged by
//     the name that was dialled. A dial on a goroutine of a library (an http.Transport, a pool) has the line of the goroutine
//     that started it, as long as that is still there.
//   - TCP and unix sockets, and UDP sockets that are connected: those open when the test ends, and those that were seen by a look
//     every 10 ms, so that a dial that hangs (SYN_SENT) is seen and one that is refused at once is not. A socket has no line, and
//     no name: it is judged by its address. An address that an allowed name led to in a dial or request that was seen is
//     allowed; of other dials that is not known, so that a driver which dials a name by itself needs its address allowed, or DialContext.
//
// Not judged are connections that this process accepted, connections that were open before the check began, UDP sockets that are not
// connected, and sockets to port 53, which are look-ups of names (a dial to port 53 with DialContext is). In a synctest bubble there are no looks meanwhile.
//
// What is seen more than once is one entry with a count: retries from one line, and a dial and its socket. Whose it is is told
// by the goroutine's label, as everywhere. What has none, as a socket, is the test's own when no other ran
// beside it. Beside a parallel test it is reported as not attributed, unless one of those that ran allows it; and when one of them has no
// AllowRemotes, so that it may do what it likes, it is logged alone.
//
// Given to Main it holds for every Verify of the package, beside what the test allows itself, and Main reports what tests did
// that do not call Verify. Take and Check watch no test and refuse it with an error.
func AllowRemotes(patterns ...string) Option {
	return func(c *config) {
		if c.remotes == nil {
			c.remotes = &remotes{}
		}
		for _, text := range patterns {
			p, err := outbound.ParsePattern(text)
			if err != nil {
				c.wrong("leakcheck.AllowRemotes(%q): %v: a pattern is %s", p.String(), err, outbound.Forms)
				continue
			}
			c.remotes.patterns = append(c.remotes.patterns, p)
		}
	}
}

// remotes is what a check allows.
type remotes struct {
	patterns []outbound.Pattern
}

// add gives what both allow. Either may be nil.
func (r *remotes) add(o *remotes) *remotes {
	if o == nil {
		return r
	}
	both := &remotes{}
	if r != nil {
		both.patterns = append(both.patterns, r.patterns...)
	}
	both.patterns = append(both.patterns, o.patterns...)
	return both
}

func (r *remotes) own() bool {
	for _, p := range r.patterns {
		if p.Own() {
			return true
		}
	}
	return false
}

// allows says whether a pattern names the target.
func (r *remotes) allows(t outbound.Target) bool {
	for _, p := range r.patterns {
		if p.Matches(t) {
			return true
		}
	}
	return r.own() && hostSockets.listens(t)
}

// allowsHost says whether a pattern names the host at a port of it.
func (r *remotes) allowsHost(host string) bool {
	return slices.ContainsFunc(r.patterns, func(p outbound.Pattern) bool { return p.MatchesHost(host) })
}

// String lists what is allowed, for a report.
func (r *remotes) String() string {
	const most = 8
	names := r.names()
	if len(names) == 0 {
		return allowRemotesWord + " names no address: nothing is allowed"
	}
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	return "allowed: " + strings.Join(names, ", ") + more
}

// names are the patterns, each once.
func (r *remotes) names() (names []string) {
	for _, p := range r.patterns {
		if s := p.String(); !slices.Contains(names, s) {
			names = append(names, s)
		}
	}
	return names
}
