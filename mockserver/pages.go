package mockserver

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// page is the error page that a proxy has for one status.
type page struct {
	title string // of the page: code and text
	line  string // the status line, where it differs from the title
	close bool   // the proxy closes the connection after it
}

// reason is the status line without the code.
func (p page) reason() string {
	line := p.line
	if line == "" {
		line = p.title
	}
	_, reason, _ := strings.Cut(line, " ")
	return reason
}

var albPages = map[int]page{
	400: {title: "400 Bad Request", close: true},
	403: {title: "403 Forbidden"},
	413: {title: "413 Request Entity Too Large", close: true},
	414: {title: "414 Request-URI Too Large", close: true},
	500: {title: "500 Internal Server Error"},
	502: {title: "502 Bad Gateway"},
	503: {title: "503 Service Temporarily Unavailable"},
	504: {title: "504 Gateway Time-out"},
}

var nginxPages = map[int]page{
	400: {title: "400 Bad Request", close: true},
	401: {title: "401 Authorization Required", line: "401 Unauthorized"},
	403: {title: "403 Forbidden"},
	404: {title: "404 Not Found"},
	405: {title: "405 Not Allowed"},
	408: {title: "408 Request Time-out"},
	413: {title: "413 Request Entity Too Large", close: true},
	414: {title: "414 Request-URI Too Large", close: true},
	429: {title: "429 Too Many Requests"},
	500: {title: "500 Internal Server Error", close: true},
	502: {title: "502 Bad Gateway"},
	503: {title: "503 Service Temporarily Unavailable"},
	504: {title: "504 Gateway Time-out"},
}

// ALB is the error page of an AWS Application Load Balancer, header by header and byte by byte:
//
//	HTTP/1.1 403 Forbidden
//	Server: awselb/2.0
//	Date: Tue, 02 Jan 2024 15:04:05 GMT
//	Content-Type: text/html
//	Content-Length: 118
//	Connection: keep-alive
//
// It has 400 (122 bytes, closes the connection), 403 (118, what the WAF answers), 502 (122) and 504 (132), whose bytes are
// known from captures, the last one from an older form of the page; and 500 (142), 503 (162), 413 (148) and 414 (142, both
// close), which are made like them and whose lengths nobody has confirmed. Other codes cannot be sent: a fixed-response
// rule sends what its owner wrote, by default nothing, which is Status(404).Framing(Empty).
func ALB(code int) Reply {
	return fromFamily("ALB", code, "awselb/2.0", albPages, albPage)
}

// Nginx is the error page of nginx with server_tokens off. It has 400, 401, 403, 404, 405, 408, 413, 414, 429, 500, 502,
// 503 and 504; 400, 413, 414 and 500 close the connection. The bytes are those of nginx's source. A 401 has no
// WWW-Authenticate, which depends on the configuration: add it with Header. Other codes cannot be sent; nginx has no page
// for 499, for example, and sends Content-Length: 0.
//
// To browsers that say they are MSIE or Chrome, nginx sends 402 bytes more; this reply is what a Go client gets.
func Nginx(code int) Reply {
	return fromFamily("Nginx", code, "nginx", nginxPages, func(title string) []byte { return nginxPage(title, "nginx") })
}

func fromFamily(name string, code int, server string, pages map[int]page, body func(title string) []byte) Reply {
	r := Reply{name: fmt.Sprintf("%s(%d)", name, code), code: code}
	p, ok := pages[code]
	if !ok {
		return r.fail("%s has no page for this status%s", name, suggest(name, code, pages))
	}
	r.reason = p.reason()
	r.fields = usual(server, "text/html")
	r.body = body(p.title)
	r.close = p.close
	return r
}

// suggest names the nearest code and all there are.
func suggest(name string, code int, pages map[int]page) string {
	codes := slices.Sorted(maps.Keys(pages))
	near := codes[0]
	for _, c := range codes {
		if abs(c-code) < abs(near-code) {
			near = c
		}
	}
	list := make([]string, len(codes))
	for i, c := range codes {
		list[i] = strconv.Itoa(c)
	}
	return fmt.Sprintf("; did you mean %s(%d)? There are %s. For any other status write Status(%d)", name, near, strings.Join(list, ", "), code)
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// albPage and nginxPage differ in one line.
func albPage(title string) []byte { return centred(title, "") }

func nginxPage(title, signature string) []byte {
	return centred(title, "<hr><center>"+signature+"</center>\r\n")
}

func centred(title, tail string) []byte {
	return []byte("<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title + "</h1></center>\r\n" +
		tail + "</body>\r\n</html>\r\n")
}
