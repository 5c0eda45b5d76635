package mockserver

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pageFuncs is every function that makes pages.
var pageFuncs = map[string]func(int) Reply{
	"ALB": ALB, "ClassicELB": ClassicELB, "APIGateway": APIGateway, "CloudFront": CloudFront, "S3": S3, "Nginx": Nginx, "IngressNginx": IngressNginx,
	"HAProxy": HAProxy, "Envoy": Envoy, "Istio": Istio, "Traefik": Traefik, "Caddy": Caddy, "Apache": Apache, "Cloudflare": Cloudflare,
	"Varnish": Varnish, "Fastly": Fastly, "Akamai": Akamai, "F5": F5, "AzureAppGateway": AzureAppGateway, "AzureFrontDoor": AzureFrontDoor,
	"AzureAppService": AzureAppService, "GoogleLB": GoogleLB, "GoogleRobot": GoogleRobot, "GoogleAPI": GoogleAPI, "Squid": Squid, "IIS": IIS,
	"HTTPSys": HTTPSys, "Kong": Kong, "Problem": Problem, "GitHub": GitHub, "Stripe": Stripe, "NetHTTP": NetHTTP,
}

// The lengths are those of captures and of the servers' sources, counted there; they were not taken from this code.
func TestPageLengths(t *testing.T) {
	t.Parallel()
	for _, want := range []struct {
		name    string
		lengths map[int]int
	}{
		{"alb", map[int]int{400: 122, 403: 118, 413: 148, 414: 142, 500: 142, 502: 122, 503: 162, 504: 132}},
		{"alb-old", map[int]int{400: 138, 403: 134, 500: 158, 502: 138, 503: 178, 504: 148}},
		{"alb-empty", map[int]int{404: 0, 502: 0}},
		{"classicelb", map[int]int{503: 0, 504: 0}},
		{"apigateway", map[int]int{403: 42, 429: 31, 502: 36, 504: 41}},
		{"apigateway-forbidden", map[int]int{403: 23}},
		{"apigateway-quota", map[int]int{429: 28}},
		{"apigateway-edge", map[int]int{403: 42}},
		{"apigateway-http", map[int]int{502: 35, 503: 33, 504: 40}},
		{"cloudfront", map[int]int{403: 919}},
		{"cloudfront-short", map[int]int{403: 556}},
		{"nginx", map[int]int{400: 150, 403: 146, 404: 146, 405: 150, 408: 160, 413: 176, 414: 170, 429: 162, 500: 170, 502: 150, 503: 190, 504: 160}},
		{"nginx-version", map[int]int{400: 157, 403: 153, 404: 153, 405: 157, 408: 167, 413: 183, 414: 177, 429: 169, 500: 177, 502: 157, 503: 197, 504: 167}},
		{"nginx-empty", map[int]int{499: 0}},
		{"ingressnginx", map[int]int{404: 146, 503: 190}},
		{"ingressnginx-default-backend", map[int]int{404: 21}},
		{"ingressnginx-custom-json", map[int]int{404: 63}},
		{"haproxy", map[int]int{400: 90, 401: 112, 403: 93, 404: 83, 405: 147, 407: 112, 408: 110, 413: 106, 429: 117, 500: 97, 502: 107, 503: 107, 504: 92}},
		{"haproxy-1.0", map[int]int{400: 91, 403: 94, 408: 111, 500: 97, 502: 108, 503: 108, 504: 93}}, // a newline more; "occured" in the 500
		{"envoy-uf", map[int]int{503: 91}}, {"envoy-lr", map[int]int{503: 84}}, {"envoy-uc", map[int]int{503: 95}}, {"envoy-uo", map[int]int{503: 81}},
		{"envoy-uh", map[int]int{503: 19}}, {"envoy-ut", map[int]int{504: 24}}, {"envoy-sto", map[int]int{408: 14}}, {"envoy-nr", map[int]int{404: 0}},
		{"envoy-rbac", map[int]int{403: 19}}, {"envoy-rl", map[int]int{429: 18}},
		{"envoy", map[int]int{503: 91, 504: 24, 408: 14, 404: 0, 403: 19, 429: 18}},
		{"istio", map[int]int{503: 91, 504: 24, 408: 14, 404: 0, 403: 19, 429: 18}},
		{"traefik", map[int]int{403: 9, 404: 19, 429: 17, 499: 21, 500: 21, 502: 11, 503: 20, 504: 15}},
		{"caddy", map[int]int{403: 0, 404: 0, 502: 0, 503: 0, 504: 0}},
		{"apache", map[int]int{403: 199, 404: 196, 503: 299}},
		{"cloudflare", map[int]int{400: 155, 403: 151, 413: 181, 502: 155, 503: 195}},
		{"cloudflare-text", map[int]int{403: 16, 429: 16, 502: 15, 520: 15, 521: 15, 522: 15, 524: 15, 525: 15}},
		{"varnish", map[int]int{503: 282}},
		{"fastly", map[int]int{503: 454}},
		{"akamai", map[int]int{400: 312, 408: 314}},
		{"f5", map[int]int{200: 246}},
		{"azureappgateway", map[int]int{400: 183, 403: 179, 404: 179, 502: 183, 504: 193}},
		{"azureappservice", map[int]int{403: 1895}},
		{"googlelb", map[int]int{502: 332}},
		{"googlerobot", map[int]int{404: 1566, 502: 1566}},
		{"httpsys", map[int]int{503: 326}},
		{"iis", map[int]int{403: 1233}},
		{"kong", map[int]int{401: 96, 404: 103}},
		{"kong-old", map[int]int{404: 48}},
		{"nethttp", map[int]int{404: 19}},
		{"nethttp-reverseproxy", map[int]int{502: 0}},
		{"nethttp-timeout", map[int]int{503: 77}},
	} {
		for code, length := range want.lengths {
			r := Page(want.name, code)
			require.NoError(t, r.problem())
			assert.Equal(t, code, r.code, "%s %d", want.name, code)
			assert.Len(t, r.body, length, "%s %d", want.name, code)
		}
	}

	// Pages of Fastly with other texts, from captures that give their Content-Length.
	assert.Len(t, fastlyPage("405", "Not allowed.", "cache-sjc3123-SJC 1444597345 360958686"), 429)
	assert.Len(t, fastlyPage("412", "Precondition Failed", "cache-ams4151-AMS 1494539468 4042009446"), 451)
}

// The pages after which the connection ends. All others leave it open.
func TestPagesThatClose(t *testing.T) {
	t.Parallel()
	want := []string{
		"akamai 400", "akamai 403", "akamai 408", "akamai 503",
		"alb 400", "alb 413", "alb 414", "alb-old 400",
		"apache 503", "apache-signature 503",
		"azureappgateway 400",
		"cloudflare 400", "cloudflare 413",
		"envoy-lr 503",
		"f5 200",
		"fastly 503", "fastly-timeout 503", "fastly-unavailable 503",
		"haproxy 400", "haproxy 408",
		"haproxy-1.0 400", "haproxy-1.0 403", "haproxy-1.0 408", "haproxy-1.0 500", "haproxy-1.0 502", "haproxy-1.0 503", "haproxy-1.0 504",
		"httpsys 503",
		"istio-lr 503",
		"nethttp 431", "nethttp-host 400", "nethttp-malformed 400", "nethttp-tls 400",
		"nginx 400", "nginx 413", "nginx 414", "nginx 500", "nginx-494 400", "nginx-495 400", "nginx-496 400", "nginx-497 400",
		"nginx-version 400", "nginx-version 413", "nginx-version 414", "nginx-version 500",
		"varnish-minimal 400", "varnish-minimal 500",
	}
	var got []string
	for _, p := range Pages() {
		if p.Closes {
			got = append(got, fmt.Sprintf("%s %d", p.Name, p.Code))
		}
	}
	assert.Equal(t, want, got)
}

// The status lines that are not those of net/http.StatusText.
func TestPageStatusLines(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"413": "Request Entity Too Large", "414": "Request-URI Too Large",
		"alb 503": "Service Temporarily Unavailable", "alb-old 503": "Service Temporarily Unavailable",
		"alb 504": "Gateway Time-out", "alb-old 504": "Gateway Time-out",
		"apache 502":          "Proxy Error",
		"azureappgateway 504": "Gateway Time-out", "azureappservice 403": "Ip Forbidden",
		"classicelb 503": "Service Unavailable: Back-end server is at capacity", "classicelb 504": "GATEWAY_TIMEOUT",
		"cloudflare 503": "Service Temporarily Unavailable", "cloudflare-large 503": "Service Temporarily Unavailable",
		"520": "Origin Error", "521": "Origin Down", "522": "Origin Connection Time-out", "524": "Origin Time-out", "525": "Origin SSL Handshake Error",
		"fastly 503": "Backend is unhealthy", "fastly-timeout 503": "first byte timeout",
		"haproxy 400": "Bad request", "haproxy-1.0 400": "Bad request", "haproxy 407": "Unauthorized", "haproxy 413": "Payload Too Large",
		"haproxy 408": "Request Time-out", "haproxy-1.0 408": "Request Time-out", "haproxy 504": "Gateway Time-out", "haproxy-1.0 504": "Gateway Time-out",
		"ingressnginx 503": "Service Temporarily Unavailable",
		"nethttp-host 400": "Bad Request: missing required Host header",
		"nginx 405":        "Not Allowed", "nginx-version 405": "Not Allowed", "nginx 408": "Request Time-out", "nginx-version 408": "Request Time-out",
		"nginx 503": "Service Temporarily Unavailable", "nginx-version 503": "Service Temporarily Unavailable",
		"nginx 504": "Gateway Time-out", "nginx-version 504": "Gateway Time-out", "nginx-empty 499": "",
		"s3 503":      "Slow Down",
		"traefik 499": "status code 499",
		"varnish 503": "Backend fetch failed",
	}
	for _, p := range Pages() {
		reason, ok := want[fmt.Sprintf("%s %d", p.Name, p.Code)]
		if !ok {
			reason, ok = want[strconv.Itoa(p.Code)]
		}
		if !ok {
			reason = http.StatusText(p.Code)
		}
		assert.Equal(t, reason, p.Reply.reason, p.Scenario)
	}
}

func TestStatusPages(t *testing.T) {
	t.Parallel()
	for code := 400; code <= 999; code++ {
		r := Status(code)
		require.NoError(t, r.problem())
		require.NotEmpty(t, r.body)
		require.False(t, r.close, "%d", code)
		if _, ok := albPages[code]; ok {
			require.Equal(t, ALB(code).body, r.body)
			require.Equal(t, ALB(code).reason, r.reason)
		}
	}
	assert.Contains(t, string(Status(404).body), "<title>404 Not Found</title>")
	assert.Contains(t, string(Status(499).body), "<title>499</title>")
	for code := 200; code < 400; code++ {
		require.Empty(t, Status(code).body)
	}
}

// TestPages is what users of the list can rely on.
func TestPages(t *testing.T) {
	t.Parallel()
	all := Pages()
	require.Greater(t, len(all), 200)
	scenarios, exprs := map[string]bool{}, map[string]bool{}
	name := regexp.MustCompile(`^[a-z0-9.]+(-[a-z0-9.]+)*$`)
	for i, p := range all {
		require.NoError(t, p.Reply.problem())
		if i > 0 {
			last := all[i-1]
			require.True(t, last.Name < p.Name || last.Name == p.Name && last.Code < p.Code, "%s %d is behind %s %d", p.Name, p.Code, last.Name, last.Code)
		}
		assert.False(t, scenarios[p.Scenario], "%s is there twice", p.Scenario)
		scenarios[p.Scenario] = true
		assert.False(t, exprs[p.Expr], "%s is there twice", p.Expr)
		exprs[p.Expr] = true
		assert.Regexp(t, name, p.Name)
		assert.Regexp(t, name, p.Scenario)
		assert.Equal(t, p.Code, p.Reply.code, p.Scenario)
		assert.NotEmpty(t, p.Server, p.Scenario)
		assert.Equal(t, "mockserver."+p.Reply.String(), p.Expr, p.Scenario)

		assert.Equal(t, p.Reply, Page(p.Name, p.Code), p.Scenario)
		assert.Equal(t, p.Reply, evalPage(t, p.Expr), p.Scenario)
		switch p.Confidence {
		case Confirmed:
			assert.Empty(t, p.Note, p.Scenario)
		case PartlyConfirmed, NotVerified:
			assert.NotEmpty(t, p.Note, p.Scenario)
		default:
			t.Errorf("%s has confidence %q", p.Scenario, p.Confidence)
		}

		// A user who chooses another framing must get one, so that every page has a place for its length.
		framings, connections := 0, 0
		for _, f := range p.Reply.fields {
			switch f.slot {
			case slotFraming:
				framings++
			case slotConnection, slotClose:
				connections++
			}
			assert.NotContains(t, f.value, "{", p.Scenario)
			assert.NotContains(t, f.value, "%!", p.Scenario)
			assert.True(t, isToken(f.name) && !strings.ContainsAny(f.value, "\r\n"), "%s: %q: %q", p.Scenario, f.name, f.value)
		}
		assert.Equal(t, 1, framings, p.Scenario)
		assert.LessOrEqual(t, connections, 1, p.Scenario)
		assert.NotContains(t, string(p.Reply.body), "%!", p.Scenario)
	}
	for fn, make := range pageFuncs {
		assert.True(t, slices.ContainsFunc(all, func(p PageInfo) bool {
			return p.Name == strings.ToLower(fn) || strings.HasPrefix(p.Name, strings.ToLower(fn)+"-")
		}), "%s has no pages", fn)
		assert.EqualError(t, make(999).problem(), Page(strings.ToLower(fn), 999).fail("").withFunc(fn), fn)
	}
	require.Len(t, pageFamilies(), len(pageFuncs), "a function is missing in pageFuncs")
	for _, f := range pageFamilies() {
		assert.Contains(t, pageFuncs, f.fn)
	}

	all[0].Name = "changed"
	assert.NotEqual(t, "changed", Pages()[0].Name, "the list is the caller's")
}

// withFunc is the error of Page("alb", 999) as ALB(999) has it.
func (r Reply) withFunc(fn string) string {
	name := strings.ToLower(fn)
	text := strings.Replace(r.err.Error(), fmt.Sprintf("Page(%q, 999): %s has", name, name), fn+"(999): "+fn+" has", 1)
	return strings.Replace(text, fmt.Sprintf("did you mean Page(%q, ", name), "did you mean "+fn+"(", 1)
}

// evalPage makes the reply of an expression, which must be Go.
func evalPage(t *testing.T, expr string) Reply {
	e, err := parser.ParseExpr(expr)
	require.NoError(t, err, expr)
	call, ok := e.(*ast.CallExpr)
	require.True(t, ok, expr)
	fn, ok := call.Fun.(*ast.SelectorExpr)
	require.True(t, ok, expr)
	require.Equal(t, "mockserver", fn.X.(*ast.Ident).Name, expr)
	last := call.Args[len(call.Args)-1].(*ast.BasicLit)
	require.Equal(t, token.INT, last.Kind, expr)
	code, err := strconv.Atoi(last.Value)
	require.NoError(t, err, expr)
	if fn.Sel.Name == "Page" {
		require.Len(t, call.Args, 2, expr)
		name, err := strconv.Unquote(call.Args[0].(*ast.BasicLit).Value)
		require.NoError(t, err, expr)
		return Page(name, code)
	}
	require.Len(t, call.Args, 1, expr)
	require.Contains(t, pageFuncs, fn.Sel.Name, expr)
	return pageFuncs[fn.Sel.Name](code)
}

func TestPageByName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"alb", "ALB", "Alb", " a-l_b "} {
		assert.Equal(t, ALB(403), Page(name, 403), name)
	}
	assert.Equal(t, IngressNginx(404), Page("ingress-nginx", 404))
	assert.Equal(t, Page("haproxy-1.0", 503), Page("HAProxy_1.0", 503))
	assert.Equal(t, Page("envoy-uf", 503), Envoy(503))
	assert.Equal(t, Page("envoy-uf", 503), Page("envoy", 503))
	assert.Equal(t, Page("istio-ut", 504), Istio(504))
	for code := 494; code <= 497; code++ {
		assert.Equal(t, Page(fmt.Sprintf("nginx-%d", code), 400), Nginx(code))
		assert.Equal(t, 400, Nginx(code).code)
	}

	const families = "There are akamai, alb, apache, apigateway, azureappgateway, azureappservice, azurefrontdoor, caddy, classicelb, cloudflare, cloudfront, envoy, " +
		"f5, fastly, github, googleapi, googlelb, googlerobot, haproxy, httpsys, iis, ingressnginx, istio, kong, nethttp, nginx, problem, s3, squid, stripe, traefik, " +
		"varnish, and Pages() lists their variants"
	for _, c := range []struct {
		reply Reply
		want  string
	}{
		{Page("", 0), `Page("", 0): there is no page of that name; write Page("alb", 503), Page("nginx", 503) or Page("cloudflare", 503), for example. ` + families},
		{Page("alp", 403), `Page("alp", 403): there is no page of that name; did you mean "alb"? ` + families},
		{Page("cloudfare", 403), `Page("cloudfare", 403): there is no page of that name; did you mean "cloudflare"? ` + families},
		{Page("Envoy UX", 503), `Page("Envoy UX", 503): there is no page of that name; did you mean "envoy-uf"? ` + families},
		{Page("haproxy1", 503), `Page("haproxy1", 503): there is no page of that name; did you mean "haproxy"? ` + families},
		{Page("something else", 403), `Page("something else", 403): there is no page of that name; write Page("alb", 403), Page("nginx", 403) or Page("cloudflare", 403), for example. ` + families},
		{Page("alb", 505), `Page("alb", 505): alb has no page for this status; did you mean Page("alb", 504)? There are 400, 403, 413, 414, 500, 502, 503, 504. For any other status write Status(505)`},
		{Page("Envoy-UF", 504), `Page("Envoy-UF", 504): envoy-uf has no page for this status; did you mean Page("envoy-uf", 503)? There is 503. ` +
			`With 504 there is Page("envoy-ut", 504). For any other status write Status(504)`},
		{ALB(404), `ALB(404): ALB has no page for this status; did you mean ALB(403)? There are 400, 403, 413, 414, 500, 502, 503, 504. For any other status write Status(404)`},
		{Varnish(400), `Varnish(400): Varnish has no page for this status; did you mean Varnish(503)? There is 503. ` +
			`With 400 there is Page("varnish-minimal", 400). For any other status write Status(400)`},
		{Nginx(498), `Nginx(498): Nginx has no page for this status; did you mean Nginx(500)? There are 400, 401, 403, 404, 405, 408, 413, 414, 429, 500, 502, 503, 504. ` +
			`For any other status write Status(498)`},
		{Envoy(502), `Envoy(502): Envoy has no page for this status; did you mean Envoy(503)? There are 403, 404, 408, 429, 503, 504. For any other status write Status(502)`},
	} {
		assert.EqualError(t, c.reply.problem(), c.want)
	}
	long := Page(strings.Repeat("x", 1<<20), 403).problem()
	require.Error(t, long)
	assert.Less(t, len(long.Error()), 1000)
}

// The ids in a page must look like real ones, and be the same each time, or a golden file of a client's log would change.
func TestPageIDs(t *testing.T) {
	t.Parallel()
	header := func(r Reply, name string) string {
		for _, f := range r.fields {
			if f.name == name {
				return f.value
			}
		}
		return ""
	}
	for _, want := range []struct {
		reply        Reply
		name, format string
	}{
		{CloudFront(403), "X-Amz-Cf-Id", `^[\w-]{54}==$`},
		{CloudFront(403), "Via", `^1\.1 [0-9a-f]{32}\.cloudfront\.net \(CloudFront\)$`},
		{APIGateway(403), "x-amzn-RequestId", `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$`},
		{APIGateway(403), "x-amz-apigw-id", `^[\w-]{15}=$`},
		{Page("apigateway-http", 503), "Apigw-Requestid", `^[\w-]{15}=$`},
		{S3(403), "x-amz-request-id", `^[A-Z0-9]{16}$`},
		{S3(403), "x-amz-id-2", `^[A-Za-z0-9+/]{75}=$`},
		{Cloudflare(403), "CF-RAY", `^[0-9a-f]{16}-[A-Z]{3}$`},
		{Cloudflare(400), "CF-RAY", `^-$`},
		{Kong(404), "X-Kong-Request-Id", `^[0-9a-f]{32}$`},
		{Stripe(429), "Request-Id", `^req_[A-Za-z0-9]{14}$`},
		{GitHub(403), "X-GitHub-Request-Id", `^[0-9A-F]{4}:[0-9A-F]{6}:[0-9A-F]{7}:[0-9A-F]{7}:[0-9A-F]{8}$`},
		{Fastly(503), "X-Timer", `^S\d{10}\.\d{6},VS0,VE1$`},
		{AzureFrontDoor(403), "x-azure-ref", `^\d{8}T\d{6}Z-[0-9a-z]{49}$`},
	} {
		assert.Regexp(t, want.format, header(want.reply, want.name), want.reply)
	}
	assert.Regexp(t, `Your support ID is: [1-9]\d{18}<br>`, string(F5(200).body))
	assert.Regexp(t, `<p>Details: cache-fra1920-FRA \d{10} [1-9]\d{9}</p>`, string(Fastly(503).body))
	assert.Regexp(t, `\nReference&#32;&#35;18&#46;([0-9a-f]{8}&#46;\d{10}&#46;[0-9a-f]{8})\n<P>https&#58;&#47;&#47;errors&#46;edgesuite&#46;net&#47;18&#46;`, string(Akamai(403).body))

	// What is in the header is in the page too.
	for _, c := range []struct {
		reply Reply
		name  string
	}{{CloudFront(403), "X-Amz-Cf-Id"}, {S3(404), "x-amz-request-id"}, {S3(404), "x-amz-id-2"}, {Kong(503), "X-Kong-Request-Id"}, {AzureFrontDoor(503), "x-azure-ref"}} {
		id := header(c.reply, c.name)
		require.NotEmpty(t, id)
		assert.Contains(t, string(c.reply.body), id, c.reply)
	}

	ids := map[string]string{}
	for _, p := range Pages() {
		for _, name := range []string{"X-Amz-Cf-Id", "x-amzn-RequestId", "x-amz-request-id", "CF-RAY", "X-Kong-Request-Id", "x-azure-ref"} {
			if id := header(p.Reply, name); len(id) > 1 {
				assert.Empty(t, ids[id], "%s has the id of another page", p.Scenario)
				ids[id] = p.Scenario
			}
		}
	}
	require.Greater(t, len(ids), 40)
}

// TestPagesTable keeps the table of all pages that the documentation links to. Run with -update after a change, and read
// the difference.
func TestPagesTable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("<!-- Made from mockserver.Pages(): go test ./mockserver -run TestPagesTable -update -->\n\n# The error pages that mockserver has\n\n" +
		"Each row is one reply, in the package `mockserver`. The scenario is the name that `mockserver.Sweep` gives it. \"Known\" says how sure it is that the\n" +
		"bytes are those of the real server; the comment of each function says more. A page that hides a leak sends no body, so that no test can see that\n" +
		"the body was not closed.\n\n")
	b.WriteString("| scenario | reply | status line | body | framing | closes | known | not verified, or our own |\n|---|---|---|---|---|---|---|---|\n")
	for _, p := range Pages() {
		body := fmt.Sprintf("%s, %d bytes", p.ContentType, p.Length)
		switch {
		case p.HidesLeak:
			body = "none: **hides a leak**"
		case p.Length == 0:
			body = "none"
		case p.ContentType == "":
			body = fmt.Sprintf("%d bytes", p.Length)
		}
		closes := ""
		if p.Closes {
			closes = "yes"
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s %d %s | %s | %s | %s | %s | %s |\n", p.Scenario, p.Reply, p.Reply.proto(), p.Code, p.Reply.reason, body, p.Framing, closes, p.Confidence, p.Note)
	}
	golden(t, filepath.Join("..", "docs", "pages.md"), b.String())
}

func FuzzPage(f *testing.F) {
	f.Add("alb", 403)
	f.Add("HAProxy 1.0", 503)
	f.Add("envoy-ux", 0)
	f.Add("", -1)
	f.Add("\xff%s\n", 999)
	f.Fuzz(func(t *testing.T, name string, code int) {
		r := Page(name, code)
		err := r.problem()
		if err == nil {
			if r.code != code {
				t.Fatalf("Page(%q, %d) has status %d", name, code, r.code)
			}
			if again := Page(r.name, code); again.err == nil {
				t.Fatalf("the call %s is taken for a name", r.name)
			}
			return
		}
		if !strings.HasPrefix(err.Error(), "Page(") || strings.Contains(err.Error(), "%!") {
			t.Fatalf("Page(%q, %d): %v", name, code, err)
		}
	})
}
