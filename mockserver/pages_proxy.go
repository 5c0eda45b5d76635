package mockserver

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// HAProxy is the error page of HAProxy 2.0 and later, from its source. The names of the headers are in small letters, and
// there is neither Server nor Date:
//
//	HTTP/1.1 503 Service Unavailable
//	content-length: 107
//	cache-control: no-cache
//	content-type: text/html
//
// It has 400 and 408 (both close the connection), 401, 403, 404, 405, 407, 413, 429, 500, 502, 503 and 504.
//
// Page("haproxy-1.0", code) is the form that older versions send, and that newer ones send where the errorfiles of the
// distribution are configured: an HTTP/1.0 status line, Connection: close and no length, so that the body ends with the
// connection and a client that does not close it is left in CLOSE_WAIT. It has 400, 403, 408, 500, 502, 503 and 504.
func HAProxy(code int) Reply { return typedPage("HAProxy", code) }

func haproxyFamily() *family {
	f := &family{fn: "HAProxy", server: "HAProxy"}
	for _, p := range []struct {
		status, h1, text string
		close            bool
	}{
		{"400 Bad request", "400 Bad request", "Your browser sent an invalid request.", true},
		{"401 Unauthorized", "401 Unauthorized", "You need a valid user and password to access this content.", false},
		{"403 Forbidden", "403 Forbidden", "Request forbidden by administrative rules.", false},
		{"404 Not Found", "404 Not Found", "The resource could not be found.", false},
		{"405 Method Not Allowed", "405 Method Not Allowed", "A request was made of a resource using a request method not supported by that resource.", false},
		{"407 Unauthorized", "407 Unauthorized", "You need a valid user and password to access this content.", false},
		{"408 Request Time-out", "408 Request Time-out", "Your browser didn't send a complete request in time.", true},
		{"413 Payload Too Large", "413 Payload Too Large", "The request entity exceeds the maximum allowed.", false},
		{"429 Too Many Requests", "429 Too Many Requests", "You have sent too many requests in a given amount of time.", false},
		{"500 Internal Server Error", "500 Internal Server Error", "An internal server error occurred.", false},
		{"502 Bad Gateway", "502 Bad Gateway", "The server returned an invalid or incomplete response.", false},
		{"503 Service Unavailable", "503 Service Unavailable", "No server is available to handle this request.", false},
		{"504 Gateway Time-out", "504 Gateway Time-out", "The server didn't respond in time.", false},
	} {
		r := newPage(p.status, "content-length: {framing}\ncache-control: no-cache\nconnection: {close}\ncontent-type: text/html", haproxyPage(p.h1, p.text))
		r.close = p.close
		f.add("", Confirmed, "", r)

		if slices.Contains([]int{400, 403, 408, 500, 502, 503, 504}, r.code) {
			// The errorfiles end with one newline more, and one of them has a spelling of its own.
			text := strings.Replace(p.text, "error occurred", "error occured", 1)
			old := newPage(p.status, "Cache-Control: no-cache\nConnection: {close}\nContent-Length: {framing}\nContent-Type: text/html", haproxyPage(p.h1, text)+"\n")
			old.http10, old.usual = true, UntilClose
			f.add("1.0", Confirmed, "", old)
		}
	}
	return f
}

func haproxyPage(h1, text string) string {
	return "<html><body><h1>" + h1 + "</h1>\n" + text + "\n</body></html>\n"
}

// Envoy is what Envoy answers by itself (a "local reply"), with header names in small letters and no newline at the end of
// the body. The function takes the usual one for a status; Page takes each by the flag that Envoy logs for it:
//
//	Envoy(503), Page("envoy-uf", 503)     upstream connection failure       91 bytes
//	Page("envoy-lr", 503)                 local reset, closes                84
//	Page("envoy-uc", 503)                 upstream connection termination    95
//	Page("envoy-uo", 503)                 overflow (circuit breaking)        81
//	Page("envoy-uh", 503)                 no healthy upstream                19
//	Envoy(504), Page("envoy-ut", 504)     upstream request timeout           24
//	Envoy(408), Page("envoy-sto", 408)    stream timeout                     14
//	Envoy(404), Page("envoy-nr", 404)     no route: no body                   0
//	Envoy(403), Page("envoy-rbac", 403)   RBAC: access denied                19
//	Envoy(429), Page("envoy-rl", 429)     local rate limit                   18
//
// The texts are those of Envoy's source and tests; of UO, UT and the stream timeout only the body is known from captures.
// The 404 has Content-Length: 0 and hides the leak. Newer versions may append a "transport failure reason" to the resets.
func Envoy(code int) Reply { return typedPage("Envoy", code) }

// Istio is Envoy's local reply as an Istio ingress gateway sends it, with "server: istio-envoy". It has the same flags:
// Page("istio-uf", 503) and so on. The bodies are Envoy's; that the headers have the same order is not verified.
func Istio(code int) Reply { return typedPage("Istio", code) }

func envoyFamily(fn, server, header string) *family {
	f := &family{fn: fn, server: server, mixed: true}
	const reset = "upstream connect error or disconnect/reset before headers. reset reason: "
	for _, p := range []struct {
		flag, status, body string
		close              bool
		confidence         Confidence
	}{
		{"uf", "503 Service Unavailable", reset + "connection failure", false, Confirmed},
		{"lr", "503 Service Unavailable", reset + "local reset", true, Confirmed},
		{"uc", "503 Service Unavailable", reset + "connection termination", false, Confirmed},
		{"uo", "503 Service Unavailable", reset + "overflow", false, PartlyConfirmed},
		{"uh", "503 Service Unavailable", "no healthy upstream", false, Confirmed},
		{"ut", "504 Gateway Timeout", "upstream request timeout", false, PartlyConfirmed},
		{"sto", "408 Request Timeout", "stream timeout", false, PartlyConfirmed},
		{"nr", "404 Not Found", "", false, Confirmed},
		{"rbac", "403 Forbidden", "RBAC: access denied", false, Confirmed},
		{"rl", "429 Too Many Requests", "local_rate_limited", false, Confirmed},
	} {
		headers := "content-length: {framing}\ncontent-type: text/plain\ndate: {date}\nserver: " + header + "\nconnection: {close}"
		if p.body == "" {
			headers = "date: {date}\nserver: " + header + "\nconnection: {close}\ncontent-length: {framing}"
		}
		note, confidence := "", p.confidence
		if fn == "Istio" {
			confidence = PartlyConfirmed
		}
		if confidence == PartlyConfirmed {
			note = "order of the headers"
		}
		r := newPage(p.status, headers, p.body)
		r.close = p.close
		f.add(p.flag, confidence, note, r)
	}
	return f
}

// Traefik is what Traefik answers by itself, as its source makes it with net/http: 404 and 503 (no available server) with
// X-Content-Type-Options; 403 (IP allow list), 429 (rate limit, with Retry-After: 1 and X-Retry-In), 499 (the client is
// gone), 500, 502 and 504 with the text of the status and no newline. There is no Server header.
func Traefik(code int) Reply { return typedPage("Traefik", code) }

func traefikFamily() *family {
	f := &family{fn: "Traefik", server: "Traefik"}
	f.add("", Confirmed, "", goError("404 Not Found", "404 page not found\n"))
	f.add("", Confirmed, "", goError("503 Service Unavailable", "no available server\n"))
	f.add("", Confirmed, "", goWritten("403 Forbidden", "", "Forbidden"))
	f.add("", Confirmed, "", goWritten("429 Too Many Requests", "Retry-After: 1\nX-Retry-In: 812.500384ms\n", "Too Many Requests"))
	f.add("", Confirmed, "", goWritten("499 status code 499", "", "Client Closed Request"))
	f.add("", Confirmed, "", goWritten("500 Internal Server Error", "", "Internal Server Error"))
	f.add("", Confirmed, "", goWritten("502 Bad Gateway", "", "Bad Gateway"))
	f.add("", Confirmed, "", goWritten("504 Gateway Timeout", "", "Gateway Timeout"))
	return f
}

// Caddy is what Caddy answers to every error that no handle_errors directive catches: Content-Length: 0 and no body. It
// hides a leak, and is there to show that. It has 403, 404, 502, 503 and 504, from Caddy's source.
func Caddy(code int) Reply { return typedPage("Caddy", code) }

func caddyFamily() *family {
	f := &family{fn: "Caddy", server: "Caddy"}
	for _, status := range []string{"403 Forbidden", "404 Not Found", "502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"} {
		f.add("", Confirmed, "", newPage(status, "Server: Caddy\nDate: {date}\nContent-Length: {framing}\nConnection: {close}", ""))
	}
	return f
}

// Apache is the error page of Apache httpd 2.4 with ServerSignature off, from its source: 403 (199 bytes), 404 (196), 502
// (the "502 Proxy Error" of mod_proxy), 503 (299, closes the connection) and 504. Page("apache-signature", code) has the
// signature line: 403, 404 and 503. The version in the Server header, 2.4.62, is an example.
func Apache(code int) Reply { return typedPage("Apache", code) }

func apacheFamily() *family {
	const server = "Apache/2.4.62 (Unix)"
	f := &family{fn: "Apache", server: "Apache httpd"}
	pages := map[string]string{
		"403 Forbidden": "<p>You don't have permission to access this resource.</p>\n",
		"404 Not Found": "<p>The requested URL was not found on this server.</p>\n",
		"502 Proxy Error": "<p>The proxy server received an invalid\r\nresponse from an upstream server.<br />\r\n" +
			"The proxy server could not handle the request<p>Reason: <strong>Error reading from remote server</strong></p></p>\n",
		"503 Service Unavailable": "<p>The server is temporarily unable to service your\nrequest due to maintenance downtime or capacity\nproblems. Please try again later.</p>\n",
		"504 Gateway Timeout":     "<p>The gateway did not receive a timely response\nfrom the upstream server or application.</p>\n",
	}
	for _, status := range slices.Sorted(maps.Keys(pages)) {
		for _, variant := range []string{"", "signature"} {
			signature := ""
			if variant != "" {
				signature = "<hr>\n<address>" + server + " Server at example.com Port 80</address>\n"
			}
			_, title, _ := strings.Cut(status, " ")
			r := newPage(status, "Date: {date}\nServer: "+server+"\nContent-Length: {framing}\nConnection: {close}\nContent-Type: text/html; charset=iso-8859-1",
				"<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n<title>"+status+"</title>\n</head><body>\n<h1>"+title+"</h1>\n"+
					pages[status]+signature+"</body></html>\n")
			r.close = r.code == 503
			if variant == "" || slices.Contains([]int{403, 404, 503}, r.code) {
				f.add(variant, Confirmed, "", r)
			}
		}
	}
	return f
}

// F5 is the blocking page of F5 BIG-IP ASM and NGINX App Protect: an error page behind a 200, 246 bytes with its 19 digits
// of support id. The body is known from a capture with its length; the headers are from captures of an older page, and
// their order is not verified. It has 200 only.
func F5(code int) Reply { return typedPage("F5", code) }

func f5Family() *family {
	f := &family{fn: "F5", server: "F5 BIG-IP ASM"}
	r := newPage("200 OK", "Cache-Control: no-cache\nConnection: {close}\nContent-Type: text/html; charset=utf-8\nPragma: no-cache\nContent-Length: {framing}",
		"<html><head><title>Request Rejected</title></head><body>The requested URL was rejected. Please consult with your administrator.<br><br>"+
			"Your support ID is: "+madeNumber("f5", 19)+"<br><br><a href='javascript:history.back();'>[Go Back]</a></body></html>")
	r.close = true
	f.add("", PartlyConfirmed, "order of the headers", r)
	return f
}

// Squid has the headers of an error of Squid, which are known from captures, and a short page of our own; the real one has
// about 3500 bytes, most of them a style sheet. It has 403 (ERR_ACCESS_DENIED), 503 (ERR_CONNECT_FAIL, with the errno 111)
// and 502 (ERR_ZERO_SIZE_OBJECT, whose status is not verified).
func Squid(code int) Reply { return typedPage("Squid", code) }

func squidFamily() *family {
	f := &family{fn: "Squid", server: "Squid"}
	for _, p := range []struct {
		status, err, text string
		confidence        Confidence
		note              string
	}{
		{"403 Forbidden", "ERR_ACCESS_DENIED 0", "Access Denied.", PartlyConfirmed, "the body is our own; the headers are confirmed"},
		{"502 Bad Gateway", "ERR_ZERO_SIZE_OBJECT 0", "The server sent nothing.", NotVerified, "the status; the body is our own"},
		{"503 Service Unavailable", "ERR_CONNECT_FAIL 111", "The connection failed.", PartlyConfirmed, "the body is our own; the headers are confirmed"},
	} {
		name, _, _ := strings.Cut(p.err, " ")
		f.add("", p.confidence, p.note, newPage(p.status, fmt.Sprintf(`Server: squid/5.7
Mime-Version: 1.0
Date: {date}
Content-Type: text/html;charset=utf-8
Content-Length: {framing}
X-Squid-Error: %s
Vary: Accept-Language
Content-Language: en
X-Cache: MISS from proxy.example.com
X-Cache-Lookup: NONE from proxy.example.com:3128
Via: 1.1 proxy.example.com (squid/5.7)
Connection: {connection}`, p.err), "<html><head><title>ERROR: The requested URL could not be retrieved</title></head>\n<body id="+name+">\n<p><b>"+p.text+"</b></p>\n</body></html>\n"))
	}
	return f
}

// Kong is what Kong Gateway 3 answers by itself, from its source: 401 (no API key), 403, 404 (no route, 103 bytes), 429
// (rate limit, with Retry-After: 1), 500, 502, 503 (no peer to balance to) and 504. 401, 404 and 429 are known from captures;
// the headers of the others are not verified.
//
// Page("kong-text", 404) is for clients that accept text/plain only. Page("kong-old", code) is the form of Kong 2, without a
// request id: 404 (48 bytes) is confirmed, 401 and 503 are not verified.
func Kong(code int) Reply { return typedPage("Kong", code) }

func kongFamily() *family {
	f := &family{fn: "Kong", server: "Kong Gateway"}
	const limits = "X-RateLimit-Limit-Minute: 3\nRateLimit-Limit: 3\nX-RateLimit-Remaining-Minute: 0\nRateLimit-Remaining: 0\nRetry-After: 1\nRateLimit-Reset: 1\n"
	const noRoute, noKey = "no Route matched with those values", "No API key found in request"
	headers := func(contentType, more, version, last string) string {
		return "Date: {date}\nContent-Type: " + contentType + "\nConnection: {connection}\n" + more +
			"Content-Length: {framing}\nX-Kong-Response-Latency: 0\nServer: kong/" + version + last
	}
	for _, p := range []struct {
		status, message, more string
		confidence            Confidence
	}{
		{"401 Unauthorized", noKey, "WWW-Authenticate: Key\n", Confirmed},
		{"403 Forbidden", "You cannot consume this service", "", PartlyConfirmed},
		{"404 Not Found", noRoute, "", Confirmed},
		{"429 Too Many Requests", "API rate limit exceeded", limits, Confirmed},
		{"500 Internal Server Error", "An unexpected error occurred", "", PartlyConfirmed},
		{"502 Bad Gateway", "An invalid response was received from the upstream server", "", PartlyConfirmed},
		{"503 Service Unavailable", "failure to get a peer from the ring-balancer", "", PartlyConfirmed},
		{"504 Gateway Timeout", "The upstream server is timing out", "", PartlyConfirmed},
	} {
		id := madeID("kong "+p.status, hexDigits, 32)
		note := ""
		if p.confidence != Confirmed {
			note = "headers"
		}
		f.add("", p.confidence, note, newPage(p.status, headers("application/json; charset=utf-8", p.more, "3.9.1", "\nX-Kong-Request-Id: "+id),
			fmt.Sprintf("{\n  \"message\":%q,\n  \"request_id\":%q\n}", p.message, id)))
	}
	id := madeID("kong text", hexDigits, 32)
	f.add("text", PartlyConfirmed, "headers", newPage("404 Not Found", headers("text/plain; charset=utf-8", "", "3.9.1", "\nX-Kong-Request-Id: "+id),
		noRoute+"\nrequest_id: "+id+"\n"))
	old := func(status, message, more string, c Confidence, note string) {
		f.add("old", c, note, newPage(status, headers("application/json; charset=utf-8", more, "2.8.5", ""), fmt.Sprintf(`{"message":%q}`, message)))
	}
	old("401 Unauthorized", noKey, "WWW-Authenticate: Key realm=\"kong\"\n", NotVerified, "made like the 404")
	old("404 Not Found", noRoute, "", Confirmed, "")
	old("503 Service Unavailable", "failure to get a peer from the ring-balancer", "", NotVerified, "made like the 404")
	return f
}
