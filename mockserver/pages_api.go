package mockserver

import (
	"fmt"
	"net/http"
)

// Problem is a problem document (RFC 9457, which replaces RFC 7807) with the members type, title, status, detail and instance
// and Content-Type application/problem+json. The form is the RFC's; type is about:blank, and the text and the headers are our
// own, so there is no server whose bytes they could be. It has 400, 401, 403, 404, 409, 422, 429, 500, 502 and 503.
func Problem(code int) Reply { return typedPage("Problem", code) }

func problemFamily() *family {
	f := &family{fn: "Problem", server: "any API (RFC 9457)"}
	for _, code := range []int{400, 401, 403, 404, 409, 422, 429, 500, 502, 503} {
		title := http.StatusText(code)
		f.add("", NotVerified, "our own example of the RFC's form", newPage(fmt.Sprintf("%d %s", code, title),
			"Date: {date}\nContent-Type: application/problem+json\nContent-Length: {framing}\nConnection: {connection}",
			fmt.Sprintf(`{"type":"about:blank","title":%q,"status":%d,"detail":"The request was not carried out.","instance":"/requests/%s"}`,
				title, code, madeUUID("problem "+title))))
	}
	return f
}

// GitHub is the answer of GitHub's API to a client that has used up its rate limit: 403, and 429 with the same body. The body
// and the names of the headers are known from captures; other headers, and the order, are not verified. X-RateLimit-Reset is in
// the past, so that a client which waits for it does not wait.
func GitHub(code int) Reply { return typedPage("GitHub", code) }

func gitHubFamily() *family {
	f := &family{fn: "GitHub", server: "GitHub API"}
	for _, status := range []string{"403 Forbidden", "429 Too Many Requests"} {
		id := madeID("github "+status, "0123456789ABCDEF", 32)
		f.add("", PartlyConfirmed, "headers", newPage(status, fmt.Sprintf(`Date: {date}
Server: GitHub.com
Content-Type: application/json; charset=utf-8
X-GitHub-Media-Type: github.v3; format=json
X-RateLimit-Limit: 60
X-RateLimit-Remaining: 0
X-RateLimit-Reset: 1704207845
X-RateLimit-Used: 60
X-RateLimit-Resource: core
Content-Length: {framing}
Connection: {close}
X-GitHub-Request-Id: %s:%s:%s:%s:%s`, id[:4], id[4:10], id[10:17], id[17:24], id[24:32]),
			`{"message":"API rate limit exceeded for 192.0.2.17. (But here's the good news: Authenticated requests get a higher rate limit. `+
				`Check out the documentation for more details.)","documentation_url":"https://docs.github.com/rest/overview/resources-in-the-rest-api#rate-limiting"}`))
	}
	return f
}

// Stripe is the answer of Stripe's API to too many requests: 429. The form is that of its documentation; the message is our own
// and the bytes are not verified.
func Stripe(code int) Reply { return typedPage("Stripe", code) }

func stripeFamily() *family {
	f := &family{fn: "Stripe", server: "Stripe API"}
	f.add("", NotVerified, "headers; the message is our own", newPage("429 Too Many Requests", `Server: nginx
Date: {date}
Content-Type: application/json
Content-Length: {framing}
Connection: {connection}
Request-Id: req_`+madeID("stripe", base64ID[:62], 14), `{
  "error": {
    "code": "rate_limit",
    "message": "Too many requests came in too short a time.",
    "type": "invalid_request_error"
  }
}
`))
	return f
}
