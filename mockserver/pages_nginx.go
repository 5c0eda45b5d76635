package mockserver

import (
	"fmt"
	"maps"
	"slices"
)

// Nginx is the error page of nginx with server_tokens off. It has 400, 401, 403, 404, 405, 408, 413, 414, 429, 500, 502,
// 503 and 504; 400, 413, 414 and 500 close the connection. The bytes are those of nginx's source. A 401 has no
// WWW-Authenticate, which depends on the configuration: add it with Header.
//
// It also takes the codes under which nginx logs four kinds of 400, and sends that: 494 (headers too large), 495
// (certificate error), 496 (no certificate) and 497 (plain HTTP on an HTTPS port). Page("nginx-494", 400) is the same.
// Page("nginx-version", code) has server_tokens on: "nginx/1.31.5" in the header and the page, 7 bytes more.
// Page("nginx-empty", 499) is what nginx sends for a status that it has no page for: Content-Length: 0, which hides the leak.
//
// To browsers that say they are MSIE or Chrome, nginx sends 402 bytes more; this reply is what a Go client gets.
func Nginx(code int) Reply {
	if _, ok := nginx400[code]; ok {
		return Page(fmt.Sprintf("nginx-%d", code), 400)
	}
	return typedPage("Nginx", code)
}

var nginxPages = map[int]centredPage{
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

// nginx400 is the kinds of 400 that have a code of their own inside nginx.
var nginx400 = map[int]string{
	494: "Request Header Or Cookie Too Large",
	495: "The SSL certificate error",
	496: "No required SSL certificate was sent",
	497: "The plain HTTP request was sent to HTTPS port",
}

func nginxFamily() *family {
	f := &family{fn: "Nginx", server: "nginx"}
	for _, v := range []struct{ variant, tokens string }{{"", "nginx"}, {"version", "nginx/1.31.5"}} {
		for _, code := range slices.Sorted(maps.Keys(nginxPages)) {
			f.add(v.variant, Confirmed, "", nginxLike(nginxPages[code], v.tokens, v.tokens))
		}
	}
	for _, code := range slices.Sorted(maps.Keys(nginx400)) {
		text := nginx400[code]
		r := newPage("400 Bad Request", nginxHeaders("nginx"), "<html>\r\n<head><title>400 "+text+"</title></head>\r\n<body>\r\n"+
			"<center><h1>400 Bad Request</h1></center>\r\n<center>"+text+"</center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n")
		r.close = true
		f.add(fmt.Sprint(code), Confirmed, "", r)
	}
	f.add("empty", Confirmed, "", newPage("499 ", "Server: nginx\nDate: {date}\nContent-Length: {framing}\nConnection: {connection}", ""))
	return f
}

// nginxLike is the reply of nginx, or of a server that is made of it.
func nginxLike(p centredPage, server, signature string) Reply {
	r := newPage(p.status(), nginxHeaders(server), string(nginxPage(p.title, signature)))
	r.close = p.close
	return r
}

func nginxHeaders(server string) string {
	return "Server: " + server + "\nDate: {date}\nContent-Type: text/html\nContent-Length: {framing}\nConnection: {connection}"
}

func nginxPage(title, signature string) []byte {
	return centred(title, "<hr><center>"+signature+"</center>\r\n")
}

func centred(title, tail string) []byte {
	return []byte("<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title + "</h1></center>\r\n" +
		tail + "</body>\r\n</html>\r\n")
}

// IngressNginx is what the nginx ingress controller of Kubernetes answers by itself: 404 where there is no default backend
// (146 bytes) and 503 for a service without endpoints (190). Both are nginx's pages; there is no Server header, because the
// controller takes it out.
//
// Page("ingressnginx-default-backend", 404) comes from the default backend image: 21 bytes of text.
// Page("ingressnginx-custom", 404) and Page("ingressnginx-custom-json", 404) come from the image with custom error pages.
// Of these three the body is that of the image's source, and the headers are not verified.
func IngressNginx(code int) Reply { return typedPage("IngressNginx", code) }

func ingressNginxFamily() *family {
	f := &family{fn: "IngressNginx", server: "ingress-nginx"}
	headers := func(contentType string) string {
		return "Date: {date}\nContent-Type: " + contentType + "\nContent-Length: {framing}\nConnection: {connection}"
	}
	for _, code := range []int{404, 503} {
		p := nginxPages[code]
		f.add("", Confirmed, "", newPage(p.status(), headers("text/html"), string(nginxPage(p.title, "nginx"))))
	}
	f.add("default-backend", PartlyConfirmed, "headers", newPage("404 Not Found", headers("text/plain; charset=utf-8"), "default backend - 404"))
	f.add("custom", PartlyConfirmed, "headers", newPage("404 Not Found", headers("text/html"), "<span>The page you're looking for could not be found.</span>"))
	f.add("custom-json", PartlyConfirmed, "headers", newPage("404 Not Found", headers("application/json"), `{ "message": "The page you're looking for could not be found" }`))
	return f
}
