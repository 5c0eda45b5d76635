package mockserver

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Confidence says how well it is known that a page is what the real server sends.
type Confidence string

// The confidences of pages.
const (
	// Confirmed: status line, headers and body are those of the server's source code, or of captures whose
	// Content-Length is the length of the page here.
	Confirmed Confidence = "confirmed"

	// PartlyConfirmed: the body is known from captures or source code, or its length is and the text is our own; some of
	// the rest is not. PageInfo.Note says what.
	PartlyConfirmed Confidence = "partly confirmed"

	// NotVerified: made from documentation, or like the other pages of its server. The bytes may differ from the real ones.
	NotVerified Confidence = "not verified"
)

// PageInfo describes one page that Page can make.
type PageInfo struct {
	Name        string     // what Page takes: "alb", "envoy-uf"
	Code        int        // the status, on the wire and for Page
	Server      string     // who sends it: "AWS Application Load Balancer"
	Scenario    string     // a name for a subtest that no other page has: "alb-403-html", "envoy-503-uf-text"
	Expr        string     // the Go expression that makes it: `mockserver.ALB(403)`, `mockserver.Page("envoy-uf", 503)`
	ContentType string     // as sent, "" where there is none
	Length      int        // of the body, in bytes, before any framing
	Framing     Framing    // how the end of the body is marked
	Closes      bool       // the connection ends after it
	HidesLeak   bool       // it has no body that can be left open: net/http takes the connection back by itself, whatever the caller does
	Confidence  Confidence // how well it is known
	Note        string     // what is not verified about it, or is our own; "" where there is nothing
	Reply       Reply      // the page
}

// Page is the page that a server or proxy sends with a status, by name: Page("alb", 403) is ALB(403). The name is that of
// the function in small letters, with the variant behind a dash where there is one: "cloudfront", "haproxy-1.0",
// "envoy-uf". Case, spaces, dashes and underscores do not matter. Pages lists all names and statuses, and the sweep shows
// the same names.
//
// A name or status that there is no page for gives a reply that cannot be sent; its error names the nearest one and all
// there are.
//
// A page is the same every time it is made. Ids in it (request ids, rays, support ids) look real and have the real length,
// and do not change from one reply to the next; times in a body or a header are those of a day in 2024, except Date and
// Expires, which are the time of the reply.
func Page(name string, code int) Reply {
	asked := fmt.Sprintf("Page(%q, %d)", shorten(name), code)
	key := pageKey(name)
	if f, variant, ok := findPages(key); ok {
		full := f.fullName(variant)
		return f.choose(asked, full, fmt.Sprintf("Page(%q, %%d)", full), variant, code)
	}
	r := Reply{name: asked, code: code}
	near := ""
	if name, d := nearestPage(key); key != "" && d <= max(1, len(key)/3) {
		near = fmt.Sprintf("; did you mean %q?", name)
	} else {
		near = fmt.Sprintf("; write Page(\"alb\", %d), Page(\"nginx\", %[1]d) or Page(\"cloudflare\", %[1]d), for example.", hintCode(code))
	}
	return r.fail("there is no page of that name%s There are %s, and Pages() lists their variants", near, strings.Join(familyNames(), ", "))
}

// hintCode is a status that the pages of a hint have: the one that was asked for where they may have it, or else 503.
func hintCode(code int) int {
	switch code {
	case 403, 502, 503, 504:
		return code
	}
	return 503
}

// Pages lists every page, sorted by name and status. The list is made anew for each call and is the caller's.
func Pages() []PageInfo {
	var all []PageInfo
	for _, f := range pageFamilies() {
		for _, p := range f.pages {
			all = append(all, f.info(p))
		}
	}
	slices.SortFunc(all, func(a, b PageInfo) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Code, b.Code))
	})
	return all
}

// family is all pages of one server.
type family struct {
	fn     string // the function that makes them; in small letters it is the name that Page takes
	server string
	mixed  bool // the function also finds the pages with a variant, the first one of each status
	pages  []page
}

// page is one reply of a family. A variant has few statuses and a status has few variants, so that lists do.
type page struct {
	variant    string
	reply      Reply
	confidence Confidence
	note       string
}

// pageFamilies are all families. They are made when they are first needed, and never changed.
var pageFamilies = sync.OnceValue(func() []*family {
	return []*family{
		albFamily(), classicELBFamily(), apiGatewayFamily(), cloudFrontFamily(), s3Family(),
		nginxFamily(), ingressNginxFamily(), haproxyFamily(), envoyFamily("Envoy", "Envoy", "envoy"), envoyFamily("Istio", "Istio ingress gateway", "istio-envoy"),
		traefikFamily(), caddyFamily(), apacheFamily(), cloudflareFamily(), varnishFamily(), fastlyFamily(), akamaiFamily(), f5Family(),
		azureAppGatewayFamily(), azureFrontDoorFamily(), azureAppServiceFamily(), googleLBFamily(), googleRobotFamily(), googleAPIFamily(),
		squidFamily(), iisFamily(), httpSysFamily(), kongFamily(), problemFamily(), gitHubFamily(), stripeFamily(), netHTTPFamily(),
	}
})

// typedPage is the page of a family's function.
func typedPage(fn string, code int) Reply {
	for _, f := range pageFamilies() {
		if f.fn == fn {
			return f.choose(fmt.Sprintf("%s(%d)", fn, code), fn, fn+"(%d)", "", code)
		}
	}
	r := Reply{name: fmt.Sprintf("%s(%d)", fn, code), code: code}
	return r.fail("there is no such family of pages")
}

// add takes in a page and names its reply by the expression that makes it.
func (f *family) add(variant string, c Confidence, note string, r Reply) {
	r.name = fmt.Sprintf("%s(%d)", f.fn, r.code)
	if variant != "" {
		r.name = fmt.Sprintf("Page(%q, %d)", f.fullName(variant), r.code)
	}
	f.pages = append(f.pages, page{variant: variant, reply: r, confidence: c, note: note})
}

func (f *family) name() string { return strings.ToLower(f.fn) }

func (f *family) fullName(variant string) string {
	if variant == "" {
		return f.name()
	}
	return f.name() + "-" + variant
}

// choose finds the page of a status. asked is what the caller wrote, form how to write another status.
func (f *family) choose(asked, name, form, variant string, code int) Reply {
	var codes []int
	var elsewhere string
	for _, p := range f.pages {
		here := p.variant == variant || variant == "" && f.mixed
		switch {
		case here && p.reply.code == code:
			return p.reply
		case here:
			codes = append(codes, p.reply.code)
		case p.reply.code == code && elsewhere == "" && !p.reply.hidesLeak():
			elsewhere = fmt.Sprintf("With %d there is Page(%q, %d). ", code, f.fullName(p.variant), code)
		}
	}
	slices.Sort(codes)
	codes = slices.Compact(codes)
	near := slices.MinFunc(codes, func(a, b int) int { return cmp.Compare(abs(a-code), abs(b-code)) })
	there := "There are "
	if len(codes) == 1 {
		there = "There is "
	}
	for i, c := range codes {
		if i > 0 {
			there += ", "
		}
		there += strconv.Itoa(c)
	}
	r := Reply{name: asked, code: code}
	return r.fail("%s has no page for this status; did you mean "+form+"? %s. %sFor any other status write Status(%d)", name, near, there, elsewhere, code)
}

func (f *family) info(p page) PageInfo {
	sent := p.reply.plan(call{method: "GET"})
	info := PageInfo{
		Name:       f.fullName(p.variant),
		Code:       p.reply.code,
		Server:     f.server,
		Expr:       "mockserver." + p.reply.name,
		Length:     sent.length,
		Framing:    sent.framing,
		Closes:     sent.close,
		HidesLeak:  p.reply.hidesLeak(),
		Confidence: p.confidence,
		Note:       p.note,
		Reply:      p.reply,
	}
	for _, h := range p.reply.fields {
		if strings.EqualFold(h.name, "Content-Type") {
			info.ContentType = h.value
		}
	}
	parts := []string{f.name(), strconv.Itoa(info.Code)}
	kind := bodyKind(info.ContentType, info.Length)
	if p.variant != "" && p.variant != kind { // alb-404-empty says it once
		parts = append(parts, p.variant)
	}
	info.Scenario = strings.Join(append(parts, kind), "-")
	return info
}

// hidesLeak says that net/http gives http.NoBody for the reply.
func (r Reply) hidesLeak() bool {
	sent := r.plan(call{method: "GET"})
	return sent.framing == 0 || sent.framing == Empty || sent.framing == ContentLength && sent.length == 0
}

// bodyKind is a word for a body.
func bodyKind(contentType string, length int) string {
	switch {
	case length == 0:
		return "empty"
	case strings.Contains(contentType, "json"):
		return "json"
	case strings.Contains(contentType, "xml"):
		return "xml"
	case strings.Contains(contentType, "html"):
		return "html"
	}
	return "text"
}

// pageKey is a name as names are compared.
func pageKey(name string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(name))
}

func findPages(key string) (f *family, variant string, ok bool) {
	for _, f := range pageFamilies() {
		if key == pageKey(f.name()) {
			return f, "", true
		}
		for _, p := range f.pages {
			if key == pageKey(f.fullName(p.variant)) {
				return f, p.variant, true
			}
		}
	}
	return nil, "", false
}

// nearestPage is the name that is most like a key, and how far from it.
func nearestPage(key string) (best string, least int) {
	for _, f := range pageFamilies() {
		for _, variant := range append([]string{""}, f.variants()...) {
			name := f.fullName(variant)
			if d := distance(pageKey(name), key); best == "" || d < least {
				best, least = name, d
			}
		}
	}
	return best, least
}

func (f *family) variants() []string {
	var vs []string
	for _, p := range f.pages {
		if p.variant != "" && !slices.Contains(vs, p.variant) {
			vs = append(vs, p.variant)
		}
	}
	return vs
}

func familyNames() []string {
	var names []string
	for _, f := range pageFamilies() {
		names = append(names, f.name())
	}
	slices.Sort(names)
	return names
}

// newPage makes the reply of a page from its status line ("403 Forbidden"), its header lines and its body. Without a body
// it sends Content-Length: 0.
func newPage(status, headers, body string) Reply {
	code, reason, _ := strings.Cut(status, " ")
	r := Reply{reason: reason, fields: headerLines(headers), body: []byte(body)}
	r.code, _ = strconv.Atoi(code)
	if body == "" {
		r.usual = Empty
	}
	return r
}

// headerLines reads headers as they are on the wire, a line for each. A value in braces is made when the reply is sent:
// {date}, {framing} (the line is Content-Length or Transfer-Encoding, or there is none), {connection} (keep-alive or close)
// and {close} (close, or there is no line).
func headerLines(text string) []field {
	var fs []field
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		f := field{name: name, value: value, own: true}
		switch value {
		case "":
			continue
		case "{date}":
			f.slot = slotDate
		case "{framing}":
			f.slot, f.own = slotFraming, false
		case "{connection}":
			f.slot = slotConnection
		case "{close}":
			f.slot = slotClose
		}
		if f.slot != plain {
			f.value = ""
		}
		fs = append(fs, f)
	}
	return fs
}

// The letters of ids.
const (
	hexDigits   = "0123456789abcdef"
	decimals    = "0123456789"
	base64ID    = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	base64URLID = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	upperID     = "ABCDEFGHJKMNPQRSTVWXYZ0123456789"
)

// madeID is an id of n letters that is the same for the same seed.
func madeID(seed, letters string, n int) string {
	var id []byte
	for sum := sha256.Sum256([]byte(seed)); len(id) < n; sum = sha256.Sum256(sum[:]) {
		for _, b := range sum {
			id = append(id, letters[int(b)%len(letters)])
		}
	}
	return string(id[:n])
}

// madeNumber is a number of n digits that does not begin with 0.
func madeNumber(seed string, n int) string {
	return madeID(seed, "123456789", 1) + madeID(seed+" rest", decimals, n-1)
}

// madeUUID is a random UUID (version 4).
func madeUUID(seed string) string {
	h := madeID(seed, hexDigits, 32)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

// paddedPage is a page of our own with the length that the real one has, for pages whose text is not ours to send. The
// padding is a comment; a page that is longer already stays as it is.
func paddedPage(title, text, newline string, length int) string {
	top := "<!DOCTYPE html>" + newline + "<html><head><title>" + title + "</title></head>" + newline +
		"<body>" + newline + "<h1>" + title + "</h1>" + newline + "<p>" + text + "</p>" + newline + "<!-- "
	bottom := " -->" + newline + "</body></html>" + newline
	const filler = "this page stands for the one of the real server, which has the same length. "
	n := max(0, length-len(top)-len(bottom))
	return top + strings.Repeat(filler, n/len(filler)+1)[:n] + bottom
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
