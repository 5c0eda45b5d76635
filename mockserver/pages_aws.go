package mockserver

import (
	"fmt"
	"strings"
)

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
// close), which are made like them and are not verified. Other codes cannot be sent: a fixed-response rule sends what its
// owner wrote, by default nothing, which is Page("alb-empty", 404) and hides the leak.
//
// Page("alb-old", code) is the form from before 2020 with a white background, 16 bytes longer: 400, 502 and 504 are known
// from captures, 403, 500 and 503 are not verified. Page("alb-empty", code) has no body: 404, and 502, which was seen with
// gRPC targets.
func ALB(code int) Reply { return typedPage("ALB", code) }

// centredPage is a page of the form that nginx has, and others have taken over.
type centredPage struct {
	title string // code and text
	line  string // the status line, where it differs from the title
	close bool   // the connection ends after it
}

// reason is the status line without the code.
func (p centredPage) reason() string {
	_, reason, _ := strings.Cut(p.status(), " ")
	return reason
}

func (p centredPage) status() string {
	if p.line != "" {
		return p.line
	}
	return p.title
}

// albPages also gives Status its pages.
var albPages = map[int]centredPage{
	400: {title: "400 Bad Request", close: true},
	403: {title: "403 Forbidden"},
	413: {title: "413 Request Entity Too Large", close: true},
	414: {title: "414 Request-URI Too Large", close: true},
	500: {title: "500 Internal Server Error"},
	502: {title: "502 Bad Gateway"},
	503: {title: "503 Service Temporarily Unavailable"},
	504: {title: "504 Gateway Time-out"},
}

const albHeaders = `Server: awselb/2.0
Date: {date}
Content-Type: text/html
Content-Length: {framing}
Connection: {connection}`

func albFamily() *family {
	f := &family{fn: "ALB", server: "AWS Application Load Balancer"}
	add := func(variant string, code int, c Confidence, note string, body func(title string) []byte) {
		p := albPages[code]
		r := newPage(p.status(), albHeaders, string(body(p.title)))
		r.close = p.close
		f.add(variant, c, note, r)
	}
	const alike = "made like the other pages"
	add("", 400, Confirmed, "", albPage)
	add("", 403, Confirmed, "", albPage)
	add("", 413, NotVerified, alike, albPage)
	add("", 414, NotVerified, alike, albPage)
	add("", 500, NotVerified, alike, albPage)
	add("", 502, Confirmed, "", albPage)
	add("", 503, NotVerified, alike, albPage)
	add("", 504, PartlyConfirmed, "captured in the old form only", albPage)

	add("old", 400, Confirmed, "", albOldPage)
	add("old", 403, NotVerified, alike, albOldPage)
	add("old", 500, NotVerified, alike, albOldPage)
	add("old", 502, Confirmed, "", albOldPage)
	add("old", 503, NotVerified, alike, albOldPage)
	add("old", 504, Confirmed, "", albOldPage)

	const empty = "Server: awselb/2.0\nDate: {date}\nContent-Length: {framing}\nConnection: {connection}"
	f.add("empty", PartlyConfirmed, "order of the headers", newPage("404 Not Found", empty, ""))
	f.add("empty", PartlyConfirmed, "order of the headers", newPage("502 Bad Gateway", empty, ""))
	return f
}

// albPage and nginxPage differ in one line.
func albPage(title string) []byte { return centred(title, "") }

func albOldPage(title string) []byte {
	return []byte(strings.Replace(string(albPage(title)), "<body>", `<body bgcolor="white">`, 1))
}

// ClassicELB is what an AWS Classic Load Balancer sends: no body, Content-Length: 0. It hides a leak. It has 503 ("Service
// Unavailable: Back-end server is at capacity", whose status line is well known and whose headers are not verified) and
// 504 ("GATEWAY_TIMEOUT", as captured).
func ClassicELB(code int) Reply { return typedPage("ClassicELB", code) }

func classicELBFamily() *family {
	f := &family{fn: "ClassicELB", server: "AWS Classic Load Balancer"}
	const headers = "Content-Length: {framing}\nConnection: {connection}"
	f.add("", NotVerified, "headers", newPage("503 Service Unavailable: Back-end server is at capacity", headers, ""))
	f.add("", Confirmed, "", newPage("504 GATEWAY_TIMEOUT", headers, ""))
	return f
}

// APIGateway is what Amazon API Gateway answers by itself, for a REST API at a regional endpoint: 403 Missing
// Authentication Token (42 bytes, what an unknown path gets), 429 Too Many Requests (31), 502 Internal server error (36,
// with a space after the colon) and 504 Endpoint request timed out (41, likewise). 403 and 502 are known from captures with
// their length; of 429 and 504 the body is, and their x-amzn-ErrorType is not verified.
//
// Page("apigateway-forbidden", 403) and Page("apigateway-quota", 429) are the other reasons for these statuses,
// Page("apigateway-edge", 403) comes through an edge endpoint with the headers of CloudFront, and
// Page("apigateway-http", code) is an HTTP API: 502 (35 bytes), 503 (33) and 504 (40), without spaces; their headers are
// not verified.
func APIGateway(code int) Reply { return typedPage("APIGateway", code) }

func apiGatewayFamily() *family {
	f := &family{fn: "APIGateway", server: "Amazon API Gateway"}
	rest := func(variant, status, body, errorType string, c Confidence, note string) {
		seed := "apigateway " + variant + status
		f.add(variant, c, note, newPage(status, fmt.Sprintf(`Date: {date}
Content-Type: application/json
Content-Length: {framing}
Connection: {connection}
x-amzn-RequestId: %s
x-amzn-ErrorType: %s
x-amz-apigw-id: %s=`, madeUUID(seed), errorType, madeID(seed, base64URLID, 15)), body))
	}
	const errorType = "x-amzn-ErrorType, order of the headers"
	rest("", "403 Forbidden", `{"message":"Missing Authentication Token"}`, "MissingAuthenticationTokenException", Confirmed, "")
	rest("", "429 Too Many Requests", `{"message":"Too Many Requests"}`, "TooManyRequestsException", PartlyConfirmed, errorType)
	rest("", "502 Bad Gateway", `{"message": "Internal server error"}`, "InternalServerErrorException", Confirmed, "")
	rest("", "504 Gateway Timeout", `{"message": "Endpoint request timed out"}`, "InternalServerErrorException", PartlyConfirmed, errorType)
	rest("forbidden", "403 Forbidden", `{"message":"Forbidden"}`, "ForbiddenException", PartlyConfirmed, errorType)
	rest("quota", "429 Too Many Requests", `{"message":"Limit Exceeded"}`, "LimitExceededException", PartlyConfirmed, errorType)

	const seed = "apigateway edge"
	f.add("edge", PartlyConfirmed, "order of the headers", newPage("403 Forbidden", fmt.Sprintf(`Content-Type: application/json
Content-Length: {framing}
Connection: {connection}
Date: {date}
x-amzn-RequestId: %s
x-amzn-ErrorType: MissingAuthenticationTokenException
x-amz-apigw-id: %s=
%s`, madeUUID(seed), madeID(seed, base64URLID, 15), cloudFrontTrace(seed)), `{"message":"Missing Authentication Token"}`))

	for _, p := range [][2]string{
		{"502 Bad Gateway", `{"message":"Internal server error"}`},
		{"503 Service Unavailable", `{"message":"Service Unavailable"}`},
		{"504 Gateway Timeout", `{"message":"Endpoint request timed out"}`},
	} {
		f.add("http", PartlyConfirmed, "headers", newPage(p[0], fmt.Sprintf(`Date: {date}
Content-Type: application/json
Content-Length: {framing}
Connection: {connection}
Apigw-Requestid: %s=`, madeID("apigateway http "+p[0], base64URLID, 15)), p[1]))
	}
	return f
}

// CloudFront is the error page of Amazon CloudFront. It has 403 (919 bytes, "Request blocked.", what the WAF answers,
// known from captures with its length), 502, 503 and 504 (body known from captures, with other reasons too) and 400 (not
// verified). The id in X-Amz-Cf-Id is the one that the page shows.
//
// Page("cloudfront-short", code) is the older form of the page, without the advice: 403 has 556 bytes and is confirmed, 400
// and 502 are not verified.
func CloudFront(code int) Reply { return typedPage("CloudFront", code) }

func cloudFrontFamily() *family {
	f := &family{fn: "CloudFront", server: "Amazon CloudFront"}
	add := func(variant, status, reason string, c Confidence, note string) {
		code, _, _ := strings.Cut(status, " ")
		seed := "cloudfront " + variant + status
		advice := "\n"
		if variant == "" {
			advice = "We can't connect to the server for this app or website at this time. There might be too much traffic or a configuration error. " +
				"Try again later, or contact the app or website owner.\n<BR clear=\"all\">\n" +
				"If you provide content to customers through CloudFront, you can find steps to troubleshoot and help prevent this error by reviewing " +
				"the CloudFront documentation.\n"
		}
		f.add(variant, c, note, newPage(status, `Server: CloudFront
Date: {date}
Content-Type: text/html
Content-Length: {framing}
Connection: {connection}
`+cloudFrontTrace(seed), `<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN" "http://www.w3.org/TR/html4/loose.dtd">
<HTML><HEAD><META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=iso-8859-1">
<TITLE>ERROR: The request could not be satisfied</TITLE>
</HEAD><BODY>
<H1>`+code+` ERROR</H1>
<H2>The request could not be satisfied.</H2>
<HR noshade size="1px">
`+reason+"\n"+advice+`<BR clear="all">
<HR noshade size="1px">
<PRE>
Generated by cloudfront (CloudFront)
Request ID: `+cloudFrontID(seed)+`
</PRE>
<ADDRESS>
</ADDRESS>
</BODY></HTML>`))
	}
	const bad, origin = "Bad request.", "CloudFront wasn't able to connect to the origin."
	const other = "the reason that the page gives"
	add("", "400 Bad Request", bad, NotVerified, "made like the other pages")
	add("", "403 Forbidden", "Request blocked.", Confirmed, "")
	add("", "502 Bad Gateway", origin, PartlyConfirmed, other)
	add("", "503 Service Unavailable", origin, PartlyConfirmed, other)
	add("", "504 Gateway Timeout", origin, PartlyConfirmed, other)
	add("short", "400 Bad Request", bad, NotVerified, "made like the 403")
	add("short", "403 Forbidden", bad, Confirmed, "")
	add("short", "502 Bad Gateway", origin, NotVerified, "made like the 403")
	return f
}

// cloudFrontTrace is the headers that CloudFront adds to what passes through it.
func cloudFrontTrace(seed string) string {
	return fmt.Sprintf(`X-Cache: Error from cloudfront
Via: 1.1 %s.cloudfront.net (CloudFront)
X-Amz-Cf-Pop: IAD55-P1
X-Amz-Cf-Id: %s`, madeID(seed+" via", hexDigits, 32), cloudFrontID(seed))
}

func cloudFrontID(seed string) string { return madeID(seed+" cf", base64URLID, 54) + "==" }

// S3 is an error of Amazon S3: 403 AccessDenied, 404 NoSuchKey, 503 SlowDown, and 200 with an InternalError in its body,
// as S3 answers when a long operation fails after the status has been sent. The bodies are known from captures; that they
// are sent chunked, and the order of the headers, is not verified. The ids in the headers are those in the body. To a HEAD
// request S3 sends no body, as every reply here.
func S3(code int) Reply { return typedPage("S3", code) }

func s3Family() *family {
	f := &family{fn: "S3", server: "Amazon S3"}
	for _, e := range []struct{ status, code, message, key string }{
		{"200 OK", "InternalError", "We encountered an internal error. Please try again.", ""},
		{"403 Forbidden", "AccessDenied", "Access Denied", ""},
		{"404 Not Found", "NoSuchKey", "The specified key does not exist.", "<Key>report.csv</Key>"},
		{"503 Slow Down", "SlowDown", "Please reduce your request rate.", ""},
	} {
		request, host := madeID("s3 "+e.code, upperID, 16), madeID("s3 host "+e.code, base64ID, 75)+"="
		r := newPage(e.status, fmt.Sprintf(`x-amz-request-id: %s
x-amz-id-2: %s
Content-Type: application/xml
Transfer-Encoding: {framing}
Date: {date}
Connection: {close}
Server: AmazonS3`, request, host), fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>%s</Code><Message>%s</Message>%s<RequestId>%s</RequestId><HostId>%s</HostId></Error>`, e.code, e.message, e.key, request, host))
		r.usual = Chunked
		note := "framing, order of the headers"
		if r.code == 503 {
			note = "status line, " + note
		}
		f.add("", PartlyConfirmed, note, r)
	}
	return f
}
