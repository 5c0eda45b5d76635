package mockserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Reply is a response as a value. Make one with Status, Text, JSON or the function of a proxy (ALB, Nginx), and change it
// with its methods, which return a copy. The zero Reply cannot be sent.
type Reply struct {
	name    string // the call that made it: "ALB(403)"
	code    int
	reason  string
	fields  []field // in the order of the wire; never changed in place
	body    []byte  // never changed
	framing Framing // as chosen with Framing
	usual   Framing // what the page has where none was chosen; 0 is ContentLength
	http10  bool    // the status line says HTTP/1.0, so the connection ends after it
	close   bool
	extra   *extra // what few replies have; nil, or never changed in place
	err     error  // why it cannot be sent
}

// Framing says how the end of a body is marked. It decides whether a body that the client does not close holds its
// connection; the table in the package comment says when.
type Framing int

// The framings. A reply that none was chosen for has ContentLength, but Chunked when it is an error with an empty text, so
// that a leak shows there too.
const (
	// ContentLength announces the length of the body. The body is not changed: where it is empty, this is as Empty.
	ContentLength Framing = iota + 1

	// Chunked sends the body as one chunk, and the terminator right behind it, in the same write as the body's end.
	Chunked

	// ChunkedLate sends the body as one chunk, and the terminator 15 ms later in a packet of its own, as servers do that
	// flush before they return. A JSON decoder stops in front of the terminator, so net/http does not see the end of the
	// body, and only Close gives the connection back. A client that reads more than 15 ms late finds the terminator there
	// already.
	ChunkedLate

	// UntilClose sends no length. The server closes its side of the connection after the body.
	UntilClose

	// Empty drops the body and sends Content-Length: 0. It hides a leak: net/http puts the connection back into its pool
	// before the caller sees the response, so an unclosed body holds nothing and no check can find it. Choose it where
	// an error reply without a body is what the test is about.
	Empty
)

// String gives the name of the constant.
func (f Framing) String() string {
	switch f {
	case 0:
		return "default"
	case ContentLength:
		return "ContentLength"
	case Chunked:
		return "Chunked"
	case ChunkedLate:
		return "ChunkedLate"
	case UntilClose:
		return "UntilClose"
	case Empty:
		return "Empty"
	}
	return "Framing(" + strconv.Itoa(int(f)) + ")"
}

// field is one header line, or the place of one that is made when the reply is sent.
type field struct {
	name, value string
	slot        slot
	own         bool // the reply's own, so that Header replaces it
}

type slot uint8

const (
	plain          slot = iota
	slotDate            // the time of the reply
	slotFraming         // Content-Length or Transfer-Encoding, in small letters where its name has them
	slotConnection      // keep-alive or close
	slotClose           // close, and no line where the connection stays open
)

// usual gives the headers that every reply has, with an optional Server in front and an optional Content-Type.
func usual(server, contentType string) []field {
	var fs []field
	if server != "" {
		fs = append(fs, field{name: "Server", value: server, own: true})
	}
	fs = append(fs, field{name: "Date", slot: slotDate, own: true})
	if contentType != "" {
		fs = append(fs, field{name: "Content-Type", value: contentType, own: true})
	}
	return append(fs, field{slot: slotFraming}, field{name: "Connection", slot: slotConnection, own: true})
}

// Status is a reply with a status and nothing else.
//
// An error status, 400 and above, comes with a page: the one that an AWS load balancer sends, or for a status it has no
// page for, the same page with the text of the status. It has a Content-Length, so that a body which is not closed holds
// its connection. Unlike ALB(400) it never asks to close the connection. Status(403).Framing(Empty) has no page, and
// hides the leak.
//
// Below 400 there is no body: Content-Length is 0, or with 204 and 304, not sent. Other codes than 200 to 999 cannot be
// sent; a 1xx is not a final reply.
func Status(code int) Reply {
	r := Reply{name: fmt.Sprintf("Status(%d)", code), code: code, reason: http.StatusText(code)}
	if code < 400 {
		r.fields = usual("", "")
		return r
	}
	title := strings.TrimSpace(strconv.Itoa(code) + " " + r.reason)
	if p, ok := albPages[code]; ok {
		title, r.reason = p.title, p.reason()
	}
	r.fields = usual("awselb/2.0", "text/html")
	r.body = albPage(title)
	return r
}

// Text is a reply with a text and Content-Type text/plain; charset=utf-8. The text is sent as it is. An error status with
// an empty text is sent chunked, unless a framing is chosen: with Content-Length: 0 a leak could not show. A 204 or 304
// is sent without its text.
func Text(code int, text string) Reply {
	return Reply{
		name:   fmt.Sprintf("Text(%d)", code),
		code:   code,
		reason: http.StatusText(code),
		fields: usual("", "text/plain; charset=utf-8"),
		body:   []byte(text),
	}
}

// JSON is a reply with v as encoding/json writes it, with no newline at the end, and Content-Type application/json. It is
// encoded at once: later changes of v do not matter. A v that cannot be encoded makes a reply that cannot be sent.
func JSON(code int, v any) Reply {
	r := Text(code, "")
	r.name = fmt.Sprintf("JSON(%d)", code)
	r.fields = usual("", "application/json")
	body, err := json.Marshal(v)
	if err != nil {
		r.err = fmt.Errorf("%s: %w", r.name, err)
	}
	r.body = body
	return r
}

// Body is a reply with these bytes and this Content-Type; with "" there is none. The bytes are copied. An error status
// with no bytes is sent chunked, as with Text.
func Body(code int, contentType string, body []byte) Reply {
	r := Text(code, "")
	r.name = fmt.Sprintf("Body(%d)", code)
	r.fields = usual("", contentType)
	if why := badHeader("Content-Type", contentType); why != "" {
		r = r.fail("%s", why)
	}
	r.body = slices.Clone(body)
	return r
}

// Redirect is a reply that sends the client elsewhere, with the header Location and a small page, so that a client which
// does not follow it and leaves the body unclosed shows. The code is 300, 301, 302, 303, 307 or 308, and to is a URL or a
// path; with others the reply cannot be sent.
func Redirect(code int, to string) Reply {
	text := http.StatusText(code)
	r := Reply{name: fmt.Sprintf("Redirect(%d)", code), code: code, reason: text, fields: usual("", "text/html; charset=utf-8")}
	switch code {
	case 300, 301, 302, 303, 307, 308:
	default:
		return r.fail("not a status that redirects; there are 300, 301, 302, 303, 307 and 308")
	}
	if _, err := url.Parse(to); err != nil || to == "" || strings.ContainsAny(to, " \r\n\x00") {
		return r.fail("%q is not a URL to redirect to", to)
	}
	r.body = []byte("<html>\n<head><title>" + text + "</title></head>\n<body><a href=\"" + html.EscapeString(to) + "\">" + text + "</a></body>\n</html>\n")
	return r.Header("Location", to)
}

// Header returns the reply with a header line more, spelled as it is given. The first line with the name of a header that
// the reply has by itself (Server, Date, Content-Type) takes its place; every other is added after all others, so that
// two calls with the same name send two lines.
//
// Header("Connection", "close") also closes the connection after the reply, and "keep-alive" keeps it open where the
// reply would close it. Content-Length and Transfer-Encoding cannot be set, because Framing does it; the reply cannot be
// sent then, nor when name or value are none that a header can have.
func (r Reply) Header(name, value string) Reply {
	r = r.single("Header")
	if why := badHeader(name, value); why != "" {
		return r.fail("%s", why)
	}
	switch {
	case strings.EqualFold(name, "Content-Length"), strings.EqualFold(name, "Transfer-Encoding"):
		return r.fail("header %s is set by the framing; write .Framing(...)", name)
	case strings.EqualFold(name, "Connection") && strings.EqualFold(value, "close"):
		r.close = true
		return r
	case strings.EqualFold(name, "Connection") && strings.EqualFold(value, "keep-alive"):
		r.close = false
		return r
	case strings.EqualFold(name, "Trailer"):
		return r.fail("header Trailer is set by the trailers; write .Trailer(name, value)")
	}
	fields := slices.Clone(r.fields)
	for i, f := range fields {
		if f.own && f.slot != slotConnection && f.slot != slotClose && strings.EqualFold(f.name, name) {
			fields[i] = field{name: name, value: value}
			r.fields = fields
			return r
		}
	}
	r.fields = append(fields, field{name: name, value: value})
	return r
}

// Framing returns the reply with its body framed as f says. 204, 304 and replies to HEAD have no body whatever the
// framing, and an HTTP/1.0 client gets UntilClose in place of Chunked and ChunkedLate.
func (r Reply) Framing(f Framing) Reply {
	if f < ContentLength || f > Empty {
		return r.fail("%s is not a framing; there are ContentLength, Chunked, ChunkedLate, UntilClose and Empty", f)
	}
	r = r.single("Framing")
	r.framing = f
	return r
}

// badHeader says why a header line cannot be sent, "" when it can.
func badHeader(name, value string) string {
	if !isToken(name) {
		return fmt.Sprintf("%q is not a name for a header", name)
	}
	if strings.ContainsAny(value, "\r\n\x00") {
		return fmt.Sprintf("the value %q of header %s has a line break or a zero byte", value, name)
	}
	if hasControl(value) {
		return fmt.Sprintf("the value %q of header %s has a control character", value, name)
	}
	return ""
}

// hasControl says whether a text has a control character other than the tab, which no line of a header can have.
func hasControl(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) >= 0
}

// String gives the call that made the reply, "ALB(403)", with its framing and its fault where it has them:
// "ALB(403).Framing(Chunked).Fault(ResetAfter(50))".
func (r Reply) String() string {
	name := r.name
	if name == "" {
		name = "Reply{}"
	}
	if r.framing != 0 {
		name += ".Framing(" + r.framing.String() + ")"
	}
	if f := r.fault(); f != nil && !strings.HasPrefix(name, "Fault(") {
		name += ".Fault(" + f.String() + ")"
	}
	return name
}

// fail keeps the first thing that is wrong with a reply.
func (r Reply) fail(format string, args ...any) Reply {
	if r.err == nil {
		r.err = fmt.Errorf("%s: %s", r, fmt.Sprintf(format, args...))
	}
	return r
}

// problem says why the reply cannot be sent.
func (r Reply) problem() error {
	switch {
	case r.err != nil:
		return r.err
	case r.name == "":
		return errors.New("an empty Reply; make one with Status, Text or JSON, for example")
	case r.isHandler():
	case r.code >= 100 && r.code < 200:
		return fmt.Errorf("%s: a 1xx status is not a final reply", r)
	case r.code < 200 || r.code > 999:
		return fmt.Errorf("%s: a status has three digits", r)
	}
	return r.extra.problem(r)
}

// call is what a reply must know of its request.
type call struct {
	method string
	http10 bool
	close  bool // the connection ends after the reply
	gzip   bool // the client takes gzip
}

// noLength is the framing of NoLength: no line says where the body ends, and nothing ends it.
const noLength Framing = -1

// shape is how a reply goes out to one request.
type shape struct {
	framing Framing // 0 when there is neither a body nor a line for it
	body    []byte  // what is written, nothing to HEAD
	length  int     // the Content-Length, with ContentLength and Empty
	close   bool    // the connection ends after it
	gzip    bool    // body is compressed
	head    bool    // the request was HEAD
}

func (r Reply) plan(to call) shape {
	x := r.extra
	if x == nil {
		x = &none
	}
	out := shape{framing: r.framing, body: r.body}
	if x.gzip != nil && to.gzip && len(r.body) > 0 {
		out.body, out.gzip = x.gzip, true
	}
	if out.framing == 0 && !x.hasLength && len(x.trailers) == 0 && !x.endless {
		out.framing = r.usual
	}
	if out.framing == 0 {
		out.framing = ContentLength
		if !x.hasLength && (r.code >= 400 && len(out.body) == 0 || len(x.trailers) > 0 || x.endless) {
			out.framing = Chunked
		}
	}
	if x.noLength {
		out.framing = noLength
	}
	if (to.http10 || r.http10) && (out.framing == Chunked || out.framing == ChunkedLate) {
		out.framing = UntilClose
	}
	if out.framing == Empty {
		out.body = nil
	}
	out.length = len(out.body)
	if x.hasLength {
		out.length = x.length
	}
	out.close = r.close || r.http10 || to.close && !x.keep || out.framing == UntilClose
	if r.code == 204 || r.code == 304 {
		out.body = nil
		if !x.hasLength {
			out.framing = 0
		}
	}
	if to.method == "HEAD" {
		out.body, out.head = nil, true
	}
	return out
}

// proto is the version in the status line.
func (r Reply) proto() string {
	if r.http10 {
		return "HTTP/1.0"
	}
	return "HTTP/1.1"
}

// encoded is a reply as it is written.
type encoded struct {
	first []byte
	late  []byte // what follows a moment later
	close bool   // the connection ends after it
}

// encode is for replies without extras; Wire writes the others.
func (r Reply) encode(sh shape, now time.Time) encoded {
	out := encoded{close: sh.close}
	b := r.appendHead(make([]byte, 0, 512+len(sh.body)), sh, now)
	if !sh.head {
		switch sh.framing {
		case ContentLength, UntilClose:
			b = append(b, sh.body...)
		case Chunked, ChunkedLate:
			if len(sh.body) > 0 {
				b = strconv.AppendInt(b, int64(len(sh.body)), 16)
				b = append(b, "\r\n"...)
				b = append(b, sh.body...)
				b = append(b, "\r\n"...)
			}
			if sh.framing == Chunked {
				b = append(b, lastChunk...)
			} else {
				out.late = []byte(lastChunk)
			}
		}
	}
	out.first = b
	return out
}

const lastChunk = "0\r\n\r\n"

// appendHead appends the status line, the headers and the empty line behind them.
func (r Reply) appendHead(b []byte, sh shape, now time.Time) []byte {
	b = append(b, r.proto()...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(r.code), 10)
	b = append(b, ' ')
	b = append(b, r.reason...)
	b = append(b, "\r\n"...)
	r.eachLine(sh, now, func(f field) {
		b = append(b, f.name...)
		b = append(b, ": "...)
		b = append(b, f.value...)
		b = append(b, "\r\n"...)
	})
	return append(b, "\r\n"...)
}

// eachLine calls do for each header line, in order.
func (r Reply) eachLine(sh shape, now time.Time, do func(field)) {
	for _, f := range r.fields {
		if f, ok := f.settle(sh, now); ok {
			do(f)
		}
	}
	if r.extra == nil {
		return
	}
	if r.extra.gzip != nil {
		if sh.gzip {
			do(field{name: "Content-Encoding", value: "gzip"})
		}
		do(field{name: "Vary", value: "Accept-Encoding"})
	}
	if t := r.extra.trailers; len(t) > 0 && (sh.framing == Chunked || sh.framing == ChunkedLate) {
		names := make([]string, len(t))
		for i, f := range t {
			names[i] = f.name
		}
		do(field{name: "Trailer", value: strings.Join(names, ", ")})
	}
}

// settle gives the header line of a field, or false when there is none.
func (f field) settle(sh shape, now time.Time) (field, bool) {
	switch f.slot {
	case slotDate:
		f.value = now.UTC().Format(http.TimeFormat)
	case slotFraming:
		small := f.name != "" && f.name == strings.ToLower(f.name)
		switch sh.framing {
		case ContentLength, Empty:
			f.name, f.value = "Content-Length", strconv.Itoa(sh.length)
		case Chunked, ChunkedLate:
			f.name, f.value = "Transfer-Encoding", "chunked"
		default:
			return f, false
		}
		if small {
			f.name = strings.ToLower(f.name)
		}
	case slotClose:
		f.value = "close"
		if !sh.close {
			return f, false
		}
	case slotConnection:
		f.value = "keep-alive"
		if sh.close {
			f.value = "close"
		}
	}
	return f, true
}

// view is a reply to one request with nothing in it that only HTTP/1 has, for other protocols to send. Its delay comes
// from Server.delay, and templates and handlers are settled by Server.prepare before.
type view struct {
	code     int
	header   []field // name and value, in order and as spelled; Content-Length too, but neither Connection nor Transfer-Encoding
	body     []byte  // nothing to HEAD and in a 204 or 304
	pieces   []int   // the lengths of the pieces that the body is sent in; nil for all at once
	every    time.Duration
	endless  bool    // after the last piece comes the first again
	late     bool    // the end of the body comes a moment after the last byte
	never    bool    // the end never comes (NoLength)
	trailers []field // name and value
	early    []hint  // 1xx, before all else
	fault    WireFault
	handler  http.Handler // writes the reply itself: only code, early and delay count beside it
}

func (r Reply) view(to call, now time.Time) view {
	sh := r.plan(to)
	v := view{code: r.code, body: sh.body, late: sh.framing == ChunkedLate, never: sh.framing == noLength}
	r.eachLine(sh, now, func(f field) {
		if f.slot != slotConnection && f.slot != slotClose && !strings.EqualFold(f.name, "Transfer-Encoding") {
			v.header = append(v.header, f)
		}
	})
	if x := r.extra; x != nil {
		v.pieces, v.every, v.endless = r.pieces(len(sh.body)), x.every, x.endless
		v.trailers, v.early, v.fault, v.handler = x.trailers, x.early, x.fault, x.handler
	}
	return v
}
