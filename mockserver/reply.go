package mockserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
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
	delay   time.Duration
	close   bool
	err     error // why it cannot be sent
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

// Header returns the reply with a header line more, spelled as it is given. The first line with the name of a header that
// the reply has by itself (Server, Date, Content-Type) takes its place; every other is added after all others, so that
// two calls with the same name send two lines.
//
// Header("Connection", "close") also closes the connection after the reply, and "keep-alive" keeps it open where the
// reply would close it. Content-Length and Transfer-Encoding cannot be set, because Framing does it; the reply cannot be
// sent then, nor when name or value are none that a header can have.
func (r Reply) Header(name, value string) Reply {
	switch {
	case !isToken(name):
		return r.fail("%q is not a name for a header", name)
	case strings.ContainsAny(value, "\r\n\x00"):
		return r.fail("the value %q of header %s has a line break or a zero byte", value, name)
	case strings.EqualFold(name, "Content-Length"), strings.EqualFold(name, "Transfer-Encoding"):
		return r.fail("header %s is set by the framing; write .Framing(...)", name)
	case strings.EqualFold(name, "Connection") && strings.EqualFold(value, "close"):
		r.close = true
		return r
	case strings.EqualFold(name, "Connection") && strings.EqualFold(value, "keep-alive"):
		r.close = false
		return r
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
	r.framing = f
	return r
}

// Delay returns the reply sent d later: the request is received and recorded at once, and then nothing is sent for d.
// When the client gives up meanwhile, or the server is closed, the connection is closed without a reply. A client that
// only ends its sending half counts as one that gave up.
func (r Reply) Delay(d time.Duration) Reply {
	r.delay = d
	return r
}

// String gives the call that made the reply, "ALB(403)", with its framing where one was chosen.
func (r Reply) String() string {
	name := r.name
	if name == "" {
		name = "Reply{}"
	}
	if r.framing != 0 {
		name += ".Framing(" + r.framing.String() + ")"
	}
	return name
}

// Responder returns the reply as a function that answers without a network, for httpmock.RegisterResponder and anything
// else that takes such a function. The response is what net/http makes of the reply: the same headers, ContentLength and
// Close, and http.NoBody where there is no body. Any other body is to be closed, and gives an error when it is read after
// that; there is no connection that it holds, so only a tracked client shows that it was not closed. ChunkedLate is as
// Chunked. Delay ends early, with its error, when the request's context does. A reply that cannot be sent gives an error.
func (r Reply) Responder() func(*http.Request) (*http.Response, error) {
	return func(req *http.Request) (*http.Response, error) {
		if err := r.problem(); err != nil {
			return nil, fmt.Errorf("mockserver: %w", err)
		}
		to := call{method: "GET"}
		if req != nil {
			to.method, to.close = req.Method, req.Close
		}
		if r.delay > 0 {
			timer := time.NewTimer(r.delay)
			defer timer.Stop()
			var cancelled <-chan struct{}
			if req != nil {
				cancelled = req.Context().Done()
			}
			select {
			case <-timer.C:
			case <-cancelled:
				return nil, req.Context().Err()
			}
		}
		return r.response(to, req, time.Now()), nil
	}
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
	case r.code >= 100 && r.code < 200:
		return fmt.Errorf("%s: a 1xx status is not a final reply", r)
	case r.code < 200 || r.code > 999:
		return fmt.Errorf("%s: a status has three digits", r)
	}
	return nil
}

// call is what a reply must know of its request.
type call struct {
	method string
	http10 bool
	close  bool // the connection ends after the reply
}

// plan settles how the reply is framed for one request. framing is 0 when there is no line for it.
func (r Reply) plan(to call) (framing Framing, body []byte, close bool) {
	f, body := r.framing, r.body
	if f == 0 {
		f = r.usual
	}
	if f == 0 {
		f = ContentLength
		if r.code >= 400 && len(body) == 0 {
			f = Chunked
		}
	}
	if (to.http10 || r.http10) && (f == Chunked || f == ChunkedLate) {
		f = UntilClose
	}
	if f == Empty {
		body = nil
	}
	close = r.close || r.http10 || to.close || f == UntilClose
	if r.code == 204 || r.code == 304 {
		f, body = 0, nil
	}
	return f, body, close
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

func (r Reply) encode(to call, now time.Time) encoded {
	framing, body, close := r.plan(to)
	out := encoded{close: close}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %d %s\r\n", r.proto(), r.code, r.reason)
	for _, f := range r.fields {
		if f, ok := f.settle(framing, body, close, now); ok {
			b.WriteString(f.name + ": " + f.value + "\r\n")
		}
	}
	b.WriteString("\r\n")
	if to.method != "HEAD" {
		switch framing {
		case ContentLength, UntilClose:
			b.Write(body)
		case Chunked, ChunkedLate:
			if len(body) > 0 {
				fmt.Fprintf(&b, "%x\r\n", len(body))
				b.Write(body)
				b.WriteString("\r\n")
			}
			if framing == Chunked {
				b.WriteString("0\r\n\r\n")
			} else {
				out.late = []byte("0\r\n\r\n")
			}
		}
	}
	out.first = b.Bytes()
	return out
}

// settle gives the header line of a field, or false when there is none.
func (f field) settle(framing Framing, body []byte, close bool, now time.Time) (field, bool) {
	switch f.slot {
	case slotDate:
		f.value = now.UTC().Format(http.TimeFormat)
	case slotFraming:
		small := f.name != "" && f.name == strings.ToLower(f.name)
		switch framing {
		case ContentLength, Empty:
			f.name, f.value = "Content-Length", strconv.Itoa(len(body))
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
		if !close {
			return f, false
		}
	case slotConnection:
		f.value = "keep-alive"
		if close {
			f.value = "close"
		}
	}
	return f, true
}

// response is the reply as net/http's client would hand it out.
func (r Reply) response(to call, req *http.Request, now time.Time) *http.Response {
	framing, body, close := r.plan(to)
	resp := &http.Response{
		Status:     strconv.Itoa(r.code) + " " + r.reason,
		StatusCode: r.code,
		Proto:      r.proto(),
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     http.Header{},
		Body:       http.NoBody,
		Close:      close,
		Request:    req,
	}
	if r.http10 {
		resp.ProtoMinor = 0
	}
	for _, f := range r.fields {
		f, ok := f.settle(framing, body, close, now)
		if !ok || f.slot == slotFraming && (framing == Chunked || framing == ChunkedLate) || (f.slot == slotConnection || f.slot == slotClose) && close {
			continue // net/http takes these two out
		}
		resp.Header.Add(f.name, f.value)
	}
	switch framing {
	case ContentLength, Empty:
		resp.ContentLength = int64(len(body))
	case Chunked, ChunkedLate:
		resp.ContentLength = -1
		resp.TransferEncoding = []string{"chunked"}
	case UntilClose:
		resp.ContentLength = -1
	}
	if framing == 0 && to.method == "HEAD" {
		resp.ContentLength = -1 // net/http does not know then
	}
	if framing != 0 && to.method != "HEAD" && resp.ContentLength != 0 {
		resp.Body = &responseBody{r: bytes.NewReader(body)}
	}
	return resp
}

// responseBody is a body that knows that it is closed.
type responseBody struct {
	r      *bytes.Reader
	closed bool
}

func (b *responseBody) Read(p []byte) (int, error) {
	if b.closed {
		return 0, errors.New("http: read on closed response body")
	}
	return b.r.Read(p)
}

func (b *responseBody) Close() error {
	b.closed = true
	return nil
}
