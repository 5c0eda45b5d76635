package mockserver

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// sweepScenario is one row of a sweep.
type sweepScenario struct {
	name    string   // of the subtest
	what    string   // what the server does, in words
	exprs   []string // the Go expressions of the replies
	steps   []Reply
	calls   int  // how often the call is made, 1 when it is 0
	hides   bool // a leak cannot show: net/http has the connection back before the client sees the response
	endless bool // the body never ends
}

// replies are what the stub of one run answers.
func (sc *sweepScenario) replies(r *run) []Reply {
	out := slices.Clone(sc.steps)
	if sc.endless {
		out[0] = out[0].Fault(sweptEndless{EndlessBody, r})
	}
	return out
}

// code is the status that the first reply has; 0 when it has none.
func (sc *sweepScenario) code() int {
	if _, ok := sc.steps[0].fault().(silentFault); ok {
		return 0
	}
	return sc.steps[0].code
}

// upgrades says whether the first reply is a 101.
func (sc *sweepScenario) upgrades() bool { return sc.steps[0].fault() == WireFault(SwitchingProtocols) }

// changesMethod says whether the first reply is a redirect after which net/http sends GET, whatever was sent before.
func (sc *sweepScenario) changesMethod() bool {
	c := sc.code()
	return c == 301 || c == 302 || c == 303
}

// line is the call that makes the replies of the scenario: of a stub, or of a responder.
func (sc *sweepScenario) line(method, path string, responder bool) string {
	if !responder {
		return fmt.Sprintf("srv.On(%q, %q).Reply(%s)", method, path, strings.Join(sc.exprs, ", "))
	}
	then := ""
	if len(sc.exprs) > 1 {
		then = ".Then(" + strings.Join(sc.exprs[1:], ", ") + ")"
	}
	return "respond := " + sc.exprs[0] + then + ".Responder()"
}

// mocked says whether the scenario can be played without a socket.
func (sc *sweepScenario) mocked() bool {
	for _, r := range sc.steps {
		if f := r.fault(); f != nil {
			if _, ok := f.(mockedFault); !ok {
				return false
			}
		}
	}
	return true
}

// scenarioList gathers scenarios. Reply expressions are written next to the replies that they make; a test compiles them.
type scenarioList struct {
	cfg *sweepConfig
	all []*sweepScenario
}

// add adds a scenario. The expressions of several replies are parted by bars, and SUCCESS stands for the reply that Success
// gave.
func (l *scenarioList) add(name, what, expr string, replies ...Reply) *sweepScenario {
	exprs := strings.Split(strings.ReplaceAll(expr, "SUCCESS", l.cfg.successExpr), " | ")
	sc := &sweepScenario{name: name, what: what, exprs: exprs, steps: replies}
	for _, r := range replies {
		if r.problem() != nil { // a success of the user's that cannot be framed or broken in this way
			return sc
		}
	}
	l.all = append(l.all, sc)
	return sc
}

// hide adds a negative control.
func (l *scenarioList) hide(name, what, expr string, replies ...Reply) {
	l.add(name, what, expr, replies...).hides = true
}

// sweepScenarios is everything that a sweep runs. The order is that of the table: what is simple comes first, so that a
// root cause is named after the simplest scenario that shows it.
func sweepScenarios(c *sweepConfig) []*sweepScenario {
	l := &scenarioList{cfg: c}
	l.good()
	l.pages()
	l.framings()
	l.bodies()
	l.redirects()
	l.sequences()
	l.faults()
	l.slow()
	return l.all
}

func (l *scenarioList) good() {
	ok := l.cfg.success
	l.add("ok", "a good reply: what Success gave, or an empty JSON object", "SUCCESS", ok)
	l.add("ok-four-calls", "a good reply; the call is made four times, so that what grows with each shows", "SUCCESS", ok).calls = 4
	l.hide("no-content-204", "a 204, which has no body", "mockserver.Status(204)", Status(204))
	l.hide("not-modified-304", "a 304 that was not asked for, and has no body", "mockserver.Status(304)", Status(304))
}

// pages are all pages of real servers, those of AWS's load balancer and of nginx first, and of each server the statuses
// that clients meet most.
func (l *scenarioList) pages() {
	all := Pages()
	slices.SortStableFunc(all, func(a, b PageInfo) int {
		return cmp.Or(cmp.Compare(rankServer(a.Name), rankServer(b.Name)), cmp.Compare(a.Name, b.Name), cmp.Compare(rankCode(a.Code), rankCode(b.Code)))
	})
	for _, p := range all {
		what, expr, reply := fmt.Sprintf("the %d of %s", p.Code, p.Server), p.Expr, p.Reply
		if after := reply.retryAfter(); after != "" && after != "0" {
			// A client that obeys would take longer than the deadline.
			what, expr, reply = what+", with Retry-After: 0", expr+`.Header("Retry-After", "0")`, reply.Header("Retry-After", "0")
		}
		sc := l.add(p.Scenario, what, expr, reply)
		sc.hides = p.HidesLeak
	}
}

// retryAfter is the header of a reply that says when to try again; "" when it has none.
func (r Reply) retryAfter() string {
	for _, f := range r.fields {
		if strings.EqualFold(f.name, "Retry-After") {
			return f.value
		}
	}
	return ""
}

// rankServer puts the servers first that stand in front of most clients.
func rankServer(name string) int {
	switch name {
	case "alb":
		return 0
	case "nginx":
		return 1
	}
	return 2
}

// rankCode puts the statuses first that clients meet most.
func rankCode(code int) int {
	for i, c := range []int{403, 404, 401, 400, 429, 500, 502, 503, 504} {
		if c == code {
			return i
		}
	}
	return 100 + code
}

func (l *scenarioList) framings() {
	ok := l.cfg.success
	for _, f := range []struct {
		name, what string
		framing    Framing
	}{
		{"chunked", "sent as one chunk", Chunked},
		{"chunked-late", "chunked, the last bytes in a later packet, so that a decoder stops in front of them", ChunkedLate},
		{"until-close", "without a length; the server's FIN ends it", UntilClose},
	} {
		with := ".Framing(mockserver." + f.framing.String() + ")"
		l.add("framing-200-"+f.name, "a good reply, "+f.what, "SUCCESS"+with, ok.Framing(f.framing))
		l.add("framing-403-"+f.name, "a 403 page, "+f.what, "mockserver.ALB(403)"+with, ALB(403).Framing(f.framing))
	}
	l.hide("framing-403-empty", "a 403 with Content-Length: 0", "mockserver.Status(403).Framing(mockserver.Empty)", Status(403).Framing(Empty))
	l.add("framing-403-empty-chunked", "a 403 with an empty body that is chunked", "mockserver.Text(403, \"\")", Text(403, ""))
	l.add("early-hints-103", "a 103 in front of a good reply", "SUCCESS.Early(103, \"Link\", \"</style.css>; rel=preload\")", ok.Early(103, "Link", "</style.css>; rel=preload"))
}

func (l *scenarioList) bodies() {
	typed := func(contentType, text string) Reply { return Text(200, text).Header("Content-Type", contentType) }
	expr := func(contentType, text string) string {
		return fmt.Sprintf("mockserver.Text(200, %s).Header(\"Content-Type\", %q)", text, contentType)
	}
	const asJSON = "application/json"
	for _, b := range []struct{ name, what, text string }{
		{"json-cut", "a 200 whose JSON breaks off", `{"id":1,"name":"cut`},
		{"json-null", "a 200 with null for JSON", `null`},
		{"json-list", "a 200 with a list where an object may be expected", `[]`},
		{"json-string", "a 200 with a string where an object may be expected", `"gone"`},
		{"json-twice", "a 200 with two JSON objects", `{} {}`},
	} {
		// The end comes late, so that a decoder which stops at what it does not like leaves the body open.
		l.add("body-"+b.name, b.what, expr(asJSON, fmt.Sprintf("%q", b.text))+".Framing(mockserver.ChunkedLate)", typed(asJSON, b.text).Framing(ChunkedLate))
	}
	l.add("body-html", "a 200 with a page for people: a login or maintenance page", expr("text/html", `"<html>\n"+strings.Repeat("<p>Sign in</p>\n", 256)`),
		typed("text/html", "<html>\n"+strings.Repeat("<p>Sign in</p>\n", 256)))
	l.add("body-empty-chunked", "a 200 with an empty body that is chunked", "mockserver.Text(200, \"\").Framing(mockserver.Chunked)", Text(200, "").Framing(Chunked))
	l.hide("body-none", "a 200 with Content-Length: 0", "mockserver.Text(200, \"\")", Text(200, ""))
	l.add("body-trailing-space", "a 200 with 5 KiB of spaces behind its JSON, which a decoder never reads", expr(asJSON, `"{}"+strings.Repeat(" ", 5<<10)`),
		typed(asJSON, "{}"+strings.Repeat(" ", 5<<10)))
	l.add("body-not-gzip", "a 200 that says it is gzip and is not", `mockserver.Text(200, strings.Repeat("not gzip\n", 512)).Header("Content-Encoding", "gzip")`,
		Text(200, strings.Repeat("not gzip\n", 512)).Header("Content-Encoding", "gzip"))
	l.add("body-large-500", "a 500 with 1 MiB of text", `mockserver.Text(500, strings.Repeat("error ", 1<<20/6))`, Text(500, strings.Repeat("error ", 1<<20/6)))
}

// redirects lead to the same path, so that the target's stub answers again.
func (l *scenarioList) redirects() {
	ok := l.cfg.success
	l.add("redirect-302", "a redirect, then a good reply", `mockserver.Redirect(302, "?again=1") | SUCCESS`, Redirect(302, "?again=1"), ok)
	l.add("redirect-307", "a redirect that keeps method and body, then a good reply", `mockserver.Redirect(307, "?again=1") | SUCCESS`, Redirect(307, "?again=1"), ok)
	l.add("redirect-302-loop", "a redirect to itself, without an end", `mockserver.Redirect(302, "?again=1")`, Redirect(302, "?again=1"))
	l.add("redirect-302-then-403", "a redirect, then a 403", `mockserver.Redirect(302, "?again=1") | mockserver.ALB(403)`, Redirect(302, "?again=1"), ALB(403))
	l.add("redirect-302-large", "a redirect with 64 KiB of text, then a good reply",
		`mockserver.Text(302, strings.Repeat("moved ", 64<<10/6)).Header("Location", "?again=1") | SUCCESS`,
		Text(302, strings.Repeat("moved ", 64<<10/6)).Header("Location", "?again=1"), ok)
	l.add("redirect-302-refused", "a redirect to a port where nobody listens", `mockserver.Redirect(302, "http://127.0.0.1:1/")`, Redirect(302, "http://127.0.0.1:1/"))
	l.add("redirect-302-nowhere", "a 302 without a Location", `mockserver.Text(302, "moved")`, Text(302, "moved"))
	l.add("redirect-302-bad-location", "a 302 whose Location is no URL", `mockserver.Text(302, "moved").Header("Location", "http://[::1")`,
		Text(302, "moved").Header("Location", "http://[::1"))
}

// sequences show what only a second request shows: retries, refreshed tokens, the next page of a list.
func (l *scenarioList) sequences() {
	ok := l.cfg.success
	l.add("seq-503-ok", "a 503, then good replies", "mockserver.ALB(503) | SUCCESS", ALB(503), ok)
	l.add("seq-503-503-ok", "two 503, then good replies", "mockserver.ALB(503) | mockserver.ALB(503) | SUCCESS", ALB(503), ALB(503), ok)
	l.add("seq-429-ok", "a 429 with Retry-After: 0, then good replies", `mockserver.Nginx(429).Header("Retry-After", "0") | SUCCESS`, Nginx(429).Header("Retry-After", "0"), ok)
	l.add("seq-401-ok", "a 401, then good replies: an expired token", "mockserver.Nginx(401) | SUCCESS", Nginx(401), ok)
	l.add("seq-reset-ok", "a reset, then good replies", "mockserver.Fault(mockserver.ConnectionReset) | SUCCESS", Fault(ConnectionReset), ok)
	l.add("seq-truncated-ok", "a body that breaks off, then good replies", "mockserver.Fault(mockserver.TruncateAfter(64)) | SUCCESS", Fault(TruncateAfter(64)), ok)
	l.add("seq-ok-403", "a good reply, then 403", "SUCCESS | mockserver.ALB(403)", ok, ALB(403))
	l.add("seq-ok-503", "a good reply, then 503", "SUCCESS | mockserver.ALB(503)", ok, ALB(503))
	l.add("seq-ok-reset", "a good reply, then a reset", "SUCCESS | mockserver.Fault(mockserver.ConnectionReset)", ok, Fault(ConnectionReset))
	l.add("seq-ok-truncated", "a good reply, then a body that breaks off", "SUCCESS | mockserver.Fault(mockserver.TruncateAfter(64))", ok, Fault(TruncateAfter(64)))
}

func (l *scenarioList) faults() {
	fault := func(name, what string, f WireFault) {
		l.add("fault-"+name, what, "mockserver.Fault(mockserver."+f.String()+")", Fault(f))
	}
	fault("empty-response", "the connection ends without a reply", EmptyResponse)
	fault("reset", "the connection is reset without a reply", ConnectionReset)
	fault("random-then-close", "bytes that are no HTTP", RandomThenClose)
	fault("garbage-status", "a status line without a number", GarbageStatus)
	fault("malformed-chunk", "a 200 with a chunk that is none", MalformedChunk)
	fault("truncate-0", "a 200 that ends behind its headers", TruncateAfter(0))
	fault("truncate-64", "a 200 that ends in the middle of its body", TruncateAfter(64))
	fault("reset-0", "a 200 that is reset behind its headers", ResetAfter(0))
	fault("reset-64", "a 200 that is reset in the middle of its body", ResetAfter(64))
	fault("half-close", "a whole 200 on a connection that ends unannounced", HalfClose)
	fault("huge-header", "11 MiB of headers", HugeHeader)
	fault("flood-1xx", "100 informational replies in front of a 200", Flood1xx(100))
	l.add("fault-longer-length", "a Content-Length that is larger than the body", `mockserver.Text(200, "short").Fault(mockserver.WrongLength(4096))`, Text(200, "short").Fault(WrongLength(4096)))
	l.add("fault-403-truncate", "a 403 page that breaks off", "mockserver.ALB(403).Fault(mockserver.TruncateAfter(50))", ALB(403).Fault(TruncateAfter(50)))
	l.add("fault-500-reset", "a 500 page that is reset in the middle", "mockserver.ALB(500).Fault(mockserver.ResetAfter(50))", ALB(500).Fault(ResetAfter(50)))
	if l.cfg.http2() {
		fault("go-away", "a GOAWAY in place of a reply, up to 10 times", GoAway)
		fault("refuse-stream", "a REFUSED_STREAM in place of a reply, twice", RefuseStream)
		fault("reset-stream", "a RST_STREAM in place of a reply", ResetStream)
	} else {
		fault("switching-protocols", "a 101 that was not asked for", SwitchingProtocols)
	}
	l.add("fault-endless-body", "a 200 whose body never ends", "mockserver.Fault(mockserver.EndlessBody)", Fault(EndlessBody)).endless = true
	l.add("fault-endless-space", "a 200 with spaces without an end in front of its JSON",
		`mockserver.Text(200, strings.Repeat(" ", 1024)).Header("Content-Type", "application/json").Fault(mockserver.EndlessBody)`,
		Text(200, strings.Repeat(" ", 1024)).Header("Content-Type", "application/json").Fault(EndlessBody)).endless = true
}

// slow are the scenarios that a client sits out until its own timeout: few, because they take the time of the sweep.
func (l *scenarioList) slow() {
	ok := l.cfg.success
	l.add("stall-no-reply", "no reply at all", "mockserver.Status(200).Delay(time.Hour)", Status(200).Delay(time.Hour))
	l.add("stall-0", "a 200 that stops behind its headers", "mockserver.Fault(mockserver.StallAfter(0))", Fault(StallAfter(0)))
	l.add("stall-64", "a 200 that stops in the middle of its body", "mockserver.Fault(mockserver.StallAfter(64))", Fault(StallAfter(64)))
	l.add("stall-403", "a 403 page that stops in the middle", "mockserver.ALB(403).Fault(mockserver.StallAfter(50))", ALB(403).Fault(StallAfter(50)))
	l.add("stall-no-length", "a whole body that nothing says the end of", "SUCCESS.NoLength()", ok.NoLength())
	l.add("trickle-502", "a 502 page, 10 bytes each 10 ms", "mockserver.ALB(502).Trickle(10, 10*time.Millisecond)", ALB(502).Trickle(10, 10*time.Millisecond))
}
