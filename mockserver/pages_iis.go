package mockserver

// HTTPSys is what Windows' HTTP.sys sends when an application pool is stopped: 503, 326 bytes, closes the connection. Body and
// length are confirmed by captures; the order of the headers is that of its other pages.
func HTTPSys(code int) Reply { return typedPage("HTTPSys", code) }

func httpSysFamily() *family {
	f := &family{fn: "HTTPSys", server: "HTTP.sys"}
	// The space that is missing between the two strings of the DTD is missing in the real page.
	r := newPage("503 Service Unavailable", `Content-Type: text/html; charset=us-ascii
Server: Microsoft-HTTPAPI/2.0
Date: {date}
Connection: {connection}
Content-Length: {framing}`, "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\"\"http://www.w3.org/TR/html4/strict.dtd\">\r\n"+
		"<HTML><HEAD><TITLE>Service Unavailable</TITLE>\r\n<META HTTP-EQUIV=\"Content-Type\" Content=\"text/html; charset=us-ascii\"></HEAD>\r\n"+
		"<BODY><h2>Service Unavailable</h2>\r\n<hr><p>HTTP Error 503. The service is unavailable.</p>\r\n</BODY></HTML>\r\n")
	r.close = true
	f.add("", PartlyConfirmed, "order of the headers", r)
	return f
}

// IIS has the status, the headers and the length, 1233 bytes, of the page that IIS 10 sends with "403 - Forbidden: Access is
// denied."; the rest of the page is our own. It has 403 only.
func IIS(code int) Reply { return typedPage("IIS", code) }

func iisFamily() *family {
	f := &family{fn: "IIS", server: "IIS"}
	f.add("", PartlyConfirmed, "the body is our own, with the real length", newPage("403 Forbidden", `Content-Type: text/html
Server: Microsoft-IIS/10.0
X-Powered-By: ASP.NET
Date: {date}
Connection: {close}
Content-Length: {framing}`, paddedPage("403 - Forbidden: Access is denied.", "The server does not let this request through.", "\r\n", 1233)))
	return f
}
