package mockserver

// AzureAppGateway is the page of Azure Application Gateway v2, nginx's with another signature: 400 (183 bytes, closes the
// connection), 403 (179), 404 (179), 502 (183) and 504 (193). The bodies are confirmed by captures.
func AzureAppGateway(code int) Reply { return typedPage("AzureAppGateway", code) }

func azureAppGatewayFamily() *family {
	const server = "Microsoft-Azure-Application-Gateway/v2"
	f := &family{fn: "AzureAppGateway", server: "Azure Application Gateway"}
	for _, code := range []int{400, 403, 404, 502, 504} {
		f.add("", Confirmed, "", nginxLike(nginxPages[code], server, server))
	}
	return f
}

// AzureFrontDoor is what Azure Front Door sends: 400 and 503 with the short text that is seen in logs, and 403 as its WAF
// sends it, a page of our own with the real title and message. X-Azure-Ref is in the page too. The texts are known from logs
// with their tags partly stripped; framing, headers and the exact bytes are not verified.
func AzureFrontDoor(code int) Reply { return typedPage("AzureFrontDoor", code) }

func azureFrontDoorFamily() *family {
	f := &family{fn: "AzureFrontDoor", server: "Azure Front Door"}
	for _, status := range []string{"400 Bad Request", "403 Forbidden", "503 Service Unavailable"} {
		ref := "20240102T150405Z-" + madeID("front door "+status, "0123456789abcdefghijklmnopqrstuvwxyz", 49)
		body := "<h2>Our services aren't available right now</h2><p>We're working to restore all services as soon as possible. Please check back soon.</p>" + ref
		note := "tags of the body, headers, framing"
		if status == "403 Forbidden" {
			body = "<!DOCTYPE html>\n<html><head><title>Microsoft</title></head><body>\n<div id='message'><h2>The request is blocked.</h2></div>\n<div id='errorref'><span>" +
				ref + "</span></div>\n</body></html>\n"
			note = "headers, framing; the body is our own"
		}
		f.add("", NotVerified, note, newPage(status, "Date: {date}\nContent-Type: text/html\nContent-Length: {framing}\nConnection: {connection}\nx-azure-ref: "+ref+
			"\nX-Cache: CONFIG_NOCACHE", body))
	}
	return f
}

// AzureAppService is what Azure App Service answers where an access restriction forbids the caller's address: 403 with the
// status line "403 Ip Forbidden". Status line, headers and the length of 1895 bytes are known from captures; the page is our
// own.
func AzureAppService(code int) Reply { return typedPage("AzureAppService", code) }

func azureAppServiceFamily() *family {
	f := &family{fn: "AzureAppService", server: "Azure App Service"}
	f.add("", PartlyConfirmed, "the body is our own, with the real length", newPage("403 Ip Forbidden", `Content-Length: {framing}
Connection: {close}
Content-Type: text/html
x-ms-forbidden-ip: 192.0.2.17
Date: {date}`, paddedPage("403 Ip Forbidden", "The web app does not admit this address.", "\r\n", 1895)))
	return f
}

// GoogleLB is the page of a Google Cloud load balancer whose backend does not answer: 502, 332 bytes, beginning with a
// newline. The body is known from a capture with its length; the order of the headers is that of other Google pages.
func GoogleLB(code int) Reply { return typedPage("GoogleLB", code) }

const googleHeaders = `Content-Type: text/html; charset=UTF-8
Referrer-Policy: no-referrer
Content-Length: {framing}
Date: {date}
Connection: {close}`

func googleLBFamily() *family {
	f := &family{fn: "GoogleLB", server: "Google Cloud load balancer"}
	f.add("", PartlyConfirmed, "order of the headers", newPage("502 Bad Gateway", googleHeaders, `
<html><head>
<meta http-equiv="content-type" content="text/html;charset=utf-8">
<title>502 Server Error</title>
</head>
<body text=#000000 bgcolor=#ffffff>
<h1>Error: Server Error</h1>
<h2>The server encountered a temporary error and could not complete your request.<p>Please try again in 30 seconds.</h2>
<h2></h2>
</body></html>
`))
	return f
}

// GoogleRobot has the headers and the length of the page with the robot that Google's front ends send, 1566 bytes for the
// path /error, and a text of our own under the real title. It has 404, whose headers are known from captures, and 502.
func GoogleRobot(code int) Reply { return typedPage("GoogleRobot", code) }

func googleRobotFamily() *family {
	f := &family{fn: "GoogleRobot", server: "Google front end"}
	for _, p := range [][2]string{{"404 Not Found", "Error 404 (Not Found)!!1"}, {"502 Bad Gateway", "Error 502 (Server Error)!!1"}} {
		f.add("", PartlyConfirmed, "the body is our own, with the real length", newPage(p[0], googleHeaders, paddedPage(p[1], "The request for /error cannot be answered.", "\n", 1560+len("/error"))))
	}
	return f
}

// GoogleAPI is the error of a Google API: 429 RESOURCE_EXHAUSTED, as JSON in the form of the newer APIs with the list of
// errors of the older ones. The form is known from captures, where the message differs and the headers have no order.
func GoogleAPI(code int) Reply { return typedPage("GoogleAPI", code) }

func googleAPIFamily() *family {
	f := &family{fn: "GoogleAPI", server: "Google APIs"}
	f.add("", PartlyConfirmed, "the message, order of the headers", newPage("429 Too Many Requests", `Vary: Origin, X-Origin, Referer
Content-Type: application/json; charset=UTF-8
Date: {date}
Server: ESF
X-XSS-Protection: 0
X-Frame-Options: SAMEORIGIN
X-Content-Type-Options: nosniff
Content-Length: {framing}
Connection: {close}`, `{
  "error": {
    "code": 429,
    "message": "The quota of this project is used up.",
    "errors": [
      {
        "message": "The quota of this project is used up.",
        "domain": "global",
        "reason": "rateLimitExceeded"
      }
    ],
    "status": "RESOURCE_EXHAUSTED"
  }
}
`))
	return f
}
