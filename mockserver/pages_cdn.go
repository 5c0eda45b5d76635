package mockserver

import (
	"fmt"
	"strings"
)

// Cloudflare is the page of Cloudflare's edge in nginx's form: 400 (155 bytes, closes the connection, with "CF-RAY: -"; known
// from a capture with its length), 403 (151), 413 (181, closes), 502 (155) and 503 (195), which are made like it.
//
// Page("cloudflare-text", code) is what a client gets that is no browser, a line like "error code: 1020": 403 (1020) has its
// headers from a capture, but for its cookie; 429 (1015, with Retry-After: 30), 502, 520, 521, 522, 524 and 525 have the same
// headers, which is not verified, nor is the status line of 520. Page("cloudflare-large", code) stands for the pages for
// browsers, with a body of our own of about the same size, 6 KB, chunked: 403, 503, 520, 522 and 524, not verified.
func Cloudflare(code int) Reply { return typedPage("Cloudflare", code) }

func cloudflareFamily() *family {
	f := &family{fn: "Cloudflare", server: "Cloudflare"}
	ray := func(seed string) string { return madeID("cloudflare "+seed, hexDigits, 16) + "-FRA" }
	for _, p := range []struct {
		centredPage
		confidence Confidence
		note       string
	}{
		{centredPage{title: "400 Bad Request", close: true}, Confirmed, ""},
		{centredPage{title: "403 Forbidden"}, PartlyConfirmed, "headers"},
		{centredPage{title: "413 Request Entity Too Large", close: true}, PartlyConfirmed, "headers"},
		{centredPage{title: "502 Bad Gateway"}, PartlyConfirmed, "headers"},
		{centredPage{title: "503 Service Temporarily Unavailable"}, PartlyConfirmed, "headers"},
	} {
		id := ray(p.title)
		if p.close {
			id = "-"
		}
		r := newPage(p.status(), nginxHeaders("cloudflare")+"\nCF-RAY: "+id, string(nginxPage(p.title, "cloudflare")))
		r.close = p.close
		f.add("", p.confidence, p.note, r)
	}

	headers := func(contentType, more, seed string) string {
		return "Date: {date}\nContent-Type: " + contentType + "\nContent-Length: {framing}\nConnection: {connection}\n" + more + `X-Frame-Options: SAMEORIGIN
Referrer-Policy: same-origin
Cache-Control: private, max-age=0, no-store, no-cache, must-revalidate, post-check=0, pre-check=0
Expires: Thu, 01 Jan 1970 00:00:01 GMT
Server: cloudflare
CF-RAY: ` + ray(seed)
	}
	for _, status := range []string{"403 Forbidden", "429 Too Many Requests", "502 Bad Gateway", "520 Origin Error", "521 Origin Down",
		"522 Origin Connection Time-out", "524 Origin Time-out", "525 Origin SSL Handshake Error"} {
		code, _, _ := strings.Cut(status, " ")
		more, confidence, note := "", PartlyConfirmed, "headers"
		switch code {
		case "403":
			code, confidence, note = "1020", Confirmed, ""
		case "429":
			code, more = "1015", "Retry-After: 30\n"
		case "520":
			confidence, note = NotVerified, "status line, headers"
		}
		f.add("text", confidence, note, newPage(status, headers("text/plain; charset=UTF-8", more, "text "+status), "error code: "+code))
	}
	for _, status := range []string{"403 Forbidden", "503 Service Temporarily Unavailable", "520 Origin Error", "522 Origin Connection Time-out", "524 Origin Time-out"} {
		r := newPage(status, headers("text/html; charset=UTF-8", "", "large "+status), paddedPage(status, "The edge answered this request itself.", "\n", 6144))
		r.usual = Chunked
		f.add("large", NotVerified, "status line, headers, framing; the body is our own", r)
	}
	return f
}

// Varnish is the page that Varnish sends with "503 Backend fetch failed", from its source: 282 bytes, with Retry-After: 5
// and the transaction id in the header and one more in the page.
//
// Page("varnish-minimal", code) is what Varnish sends when it cannot go on: 400 is a status line and nothing else, 500 has
// Server and Connection as well. Neither has a length or a body, and the connection ends. Such a reply does not hide a leak:
// the end of the body is the end of the connection, so net/http cannot take it back by itself.
func Varnish(code int) Reply { return typedPage("Varnish", code) }

func varnishFamily() *family {
	f := &family{fn: "Varnish", server: "Varnish"}
	f.add("", Confirmed, "", newPage("503 Backend fetch failed", `Date: {date}
Server: Varnish
Content-Type: text/html; charset=utf-8
Retry-After: 5
X-Varnish: 32769
Age: 0
Via: 1.1 varnish-1 (Varnish/7.7)
Content-Length: {framing}
Connection: {connection}`, `<!DOCTYPE html>
<html>
  <head>
    <title>503 Backend fetch failed</title>
  </head>
  <body>
    <h1>Error 503 Backend fetch failed</h1>
    <p>Backend fetch failed</p>
    <h3>Guru Meditation:</h3>
    <p>XID: 32770</p>
    <hr>
    <p>Varnish cache server</p>
  </body>
</html>
`))
	// The place of a length is there for those who choose another framing.
	bad := newPage("400 Bad Request", "Content-Length: {framing}", "")
	bad.usual = UntilClose
	f.add("minimal", Confirmed, "", bad)
	failed := newPage("500 Internal Server Error", "Server: Varnish\nContent-Length: {framing}\nConnection: {close}", "")
	failed.usual = UntilClose
	f.add("minimal", Confirmed, "", failed)
	return f
}

// Fastly is the page of a Fastly cache, with the misspelling that it is known by ("Guru Mediation"): 503 Backend is
// unhealthy (454 bytes, begins with a newline). Page("fastly-timeout", 503) says "first byte timeout", and
// Page("fastly-unavailable", 503) "Service Unavailable". Body and headers are known from captures of different pages, two of
// them with their length; the newest is from 2022.
func Fastly(code int) Reply { return typedPage("Fastly", code) }

func fastlyFamily() *family {
	f := &family{fn: "Fastly", server: "Fastly"}
	for _, p := range [][2]string{{"", "Backend is unhealthy"}, {"timeout", "first byte timeout"}, {"unavailable", "Service Unavailable"}} {
		details := "cache-fra1920-FRA 1704207845 " + madeNumber("fastly "+p[0], 10)
		r := newPage("503 "+p[1], `Server: Varnish
Retry-After: 0
Content-Type: text/html; charset=utf-8
Content-Length: {framing}
Accept-Ranges: bytes
Date: {date}
Via: 1.1 varnish
Connection: {connection}
X-Served-By: cache-fra1920-FRA
X-Cache: MISS
X-Cache-Hits: 0
X-Timer: S1704207845.`+madeNumber("fastly timer "+p[0], 6)+`,VS0,VE1`, fastlyPage("503", p[1], details))
		r.close = true
		f.add(p[0], PartlyConfirmed, "that the headers are those of today", r)
	}
	return f
}

func fastlyPage(code, text, details string) string {
	return `
<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN"
 "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">
<html>
  <head>
    <title>` + code + " " + text + `</title>
  </head>
  <body>
    <h1>Error ` + code + " " + text + `</h1>
    <p>` + text + `</p>
    <h3>Guru Mediation:</h3>
    <p>Details: ` + details + `</p>
    <hr>
    <p>Varnish cache server</p>
  </body>
</html>
`
}

// Akamai is the page of Akamai's edge servers. 400 (Invalid URL, 312 bytes, an HTTP/1.0 status line) is known from captures
// with its length; of 403 (Access Denied) the body is. 408 (314 bytes) and 503 (Zero size object) are made like them and
// their bytes are not verified. All close the connection, and Expires is the time of the reply.
func Akamai(code int) Reply { return typedPage("Akamai", code) }

func akamaiFamily() *family {
	f := &family{fn: "Akamai", server: "Akamai"}
	for _, p := range []struct {
		status, title, h1, text, kind string
		tail                          string // of the page, behind the link
		confidence                    Confidence
		note                          string
	}{
		{"400 Bad Request", "Invalid URL", "Invalid URL", "The requested URL \"&#91;no&#32;URL&#93;\", is invalid.<p>", "9", "\n</BODY></HTML>\n", Confirmed, ""},
		{"403 Forbidden", "Access Denied", "Access Denied",
			" \nYou don't have permission to access \"http&#58;&#47;&#47;www&#46;example&#46;com&#47;\" on this server.<P>", "18", "\n</BODY>\n</HTML>\n", PartlyConfirmed, "order of the headers"},
		{"408 Request Timeout", "Request Timeout", "Request Timeout", "The server gave up waiting for a whole request.<p>", "2", "\n</BODY></HTML>\n", NotVerified, "text of the page, headers"},
		{"503 Service Unavailable", "Service Unavailable", "Service Unavailable - Zero size object", "The server is temporarily unable to service your request.<P>", "15",
			"\n</BODY></HTML>\n", NotVerified, "text of the page, headers"},
	} {
		reference := fmt.Sprintf("%s&#46;%s&#46;1704207845&#46;%s", p.kind, madeID("akamai "+p.status, hexDigits, 8), madeID("akamai rest "+p.status, hexDigits, 8))
		body := "<HTML><HEAD>\n<TITLE>" + p.title + "</TITLE>\n</HEAD><BODY>\n<H1>" + p.h1 + "</H1>\n" + p.text + "\nReference&#32;&#35;" + reference +
			"\n<P>https&#58;&#47;&#47;errors&#46;edgesuite&#46;net&#47;" + reference + "</P>" + p.tail
		r := newPage(p.status, `Server: AkamaiGHost
Mime-Version: 1.0
Content-Type: text/html
Content-Length: {framing}
Expires: {date}
Date: {date}
Connection: {connection}`, body)
		r.close = true
		r.http10 = r.code == 400
		f.add("", p.confidence, p.note, r)
	}
	return f
}
