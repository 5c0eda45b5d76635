package mockserver

import (
	"fmt"
	"net/http"
)

// NetHTTP is what Go's own net/http sends: http.Error with the text of the status, for 400, 401, 403, 405, 429, 500, 502, 503
// and 504, http.NotFound for 404, and for 431 what the server itself sends, without a length. All are compared with the
// net/http of the Go that runs the tests.
//
// Page("nethttp-reverseproxy", 502) is httputil.ReverseProxy whose backend is down: Content-Length: 0, which hides the leak.
// Page("nethttp-timeout", 503) is http.TimeoutHandler without a message of its own. Page("nethttp-host", 400) and
// Page("nethttp-malformed", 400) answer a request without a Host header and one that is not HTTP; they end with the connection.
// Page("nethttp-tls", 400) is what a TLS server sends to plain HTTP, an HTTP/1.0 status line with no headers. A handler that
// panics sends nothing.
func NetHTTP(code int) Reply { return typedPage("NetHTTP", code) }

func netHTTPFamily() *family {
	f := &family{fn: "NetHTTP", server: "Go net/http"}
	for _, code := range []int{400, 401, 403, 404, 405, 429, 500, 502, 503, 504} {
		text := http.StatusText(code)
		body := text + "\n"
		if code == 404 {
			body = "404 page not found\n"
		}
		f.add("", Confirmed, "", goError(fmt.Sprintf("%d %s", code, text), body))
	}
	f.add("", Confirmed, "", goRefused("431 Request Header Fields Too Large"))
	f.add("host", Confirmed, "", goRefused("400 Bad Request: missing required Host header"))
	f.add("malformed", Confirmed, "", goRefused("400 Bad Request"))
	f.add("reverseproxy", Confirmed, "", newPage("502 Bad Gateway", "Date: {date}\nContent-Length: {framing}\nConnection: {close}", ""))
	f.add("timeout", Confirmed, "", newPage("503 Service Unavailable", "Date: {date}\nContent-Length: {framing}\nContent-Type: text/html; charset=utf-8\nConnection: {close}",
		"<html><head><title>Timeout</title></head><body><h1>Timeout</h1></body></html>"))
	tls := newPage("400 Bad Request", "Content-Length: {framing}", "Client sent an HTTP request to an HTTPS server.\n")
	tls.http10, tls.usual = true, UntilClose
	f.add("tls", Confirmed, "", tls)
	return f
}

// goError is http.Error. What a handler has set comes first, and then what the server adds.
func goError(status, body string) Reply {
	return newPage(status, "Content-Type: text/plain; charset=utf-8\nX-Content-Type-Options: nosniff\nDate: {date}\nContent-Length: {framing}\nConnection: {close}", body)
}

// goWritten is WriteHeader and Write, where the server finds out the Content-Type.
func goWritten(status, headers, body string) Reply {
	return newPage(status, headers+"Date: {date}\nContent-Length: {framing}\nContent-Type: text/plain; charset=utf-8\nConnection: {close}", body)
}

// goRefused is the server's answer to a request that no handler gets.
func goRefused(status string) Reply {
	r := newPage(status, "Content-Type: text/plain; charset=utf-8\nContent-Length: {framing}\nConnection: {close}", status)
	r.usual = UntilClose
	return r
}
