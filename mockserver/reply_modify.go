package mockserver

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"slices"
	"text/template"
	"time"
)

// extra is what few replies have.
type extra struct {
	delay     Distribution
	piece     int           // Trickle: bytes of body at a time
	chunks    []int         // Stream: the lengths of the chunks
	every     time.Duration // between two pieces or chunks
	endless   bool          // Stream: after the last chunk comes the first again
	times     int           // 0 when Times was not called
	then      []Reply
	trailers  []field
	early     []hint
	gzip      []byte // the body, compressed
	length    int
	hasLength bool
	noLength  bool
	keep      bool
	reshaped  bool // a modifier was called that a handler's reply must be recorded for
	handler   http.Handler
	template  *template.Template
	fault     WireFault
}

var none extra

// hint is a 1xx.
type hint struct {
	code   int
	fields []field
}

// with returns the reply with a changed copy of its extras. What is called after Then would be lost on the others, so it
// makes a reply that cannot be sent.
func (r Reply) with(modifier string, change func(*extra)) Reply {
	x := none
	if r.extra != nil {
		x = *r.extra
	}
	r = r.single(modifier)
	change(&x)
	r.extra = &x
	return r
}

// single refuses a modifier on a sequence.
func (r Reply) single(modifier string) Reply {
	if r.extra != nil && len(r.extra.then) > 0 {
		return r.fail("%s comes after Then, so it is not clear which of the replies it is for; write it before .Then, or on a reply in it", modifier)
	}
	return r
}

func (r Reply) fault() WireFault {
	if r.extra == nil {
		return nil
	}
	return r.extra.fault
}

func (r Reply) isHandler() bool { return r.extra != nil && r.extra.handler != nil }

// Delay returns the reply sent d later: the request is received and recorded at once, and then nothing is sent for d.
// When the client gives up meanwhile, or the server is closed, the connection is closed without a reply. A client that
// only ends its sending half counts as one that gave up. Zero and less is no delay.
func (r Reply) Delay(d time.Duration) Reply {
	return r.with("Delay", func(x *extra) { x.delay = fixed(d) })
}

// DelayBy is Delay with a time that is drawn for each request anew, from Uniform(min, max), Lognormal(median, sigma) or a
// Distribution of your own.
func (r Reply) DelayBy(d Distribution) Reply {
	if d == nil {
		return r.fail("DelayBy(nil); write DelayBy(mockserver.Uniform(min, max)), for example")
	}
	if p, ok := d.(interface{ problem() string }); ok {
		if why := p.problem(); why != "" {
			return r.fail("DelayBy: %s: %s", d, why)
		}
	}
	return r.with("DelayBy", func(x *extra) { x.delay = d })
}

// Trickle returns the reply with its body sent in pieces of that many bytes, the first one with the headers and each of
// the others after a wait of every. With Chunked each piece is a chunk. It ends early as Delay does.
func (r Reply) Trickle(bytes int, every time.Duration) Reply {
	if bytes < 1 || every <= 0 {
		return r.fail("Trickle(%d, %v): a piece has 1 byte or more, and the wait between two is longer than 0", bytes, every)
	}
	return r.with("Trickle", func(x *extra) { x.piece, x.every, x.reshaped = bytes, every, true })
}

// Times says that n requests in turn get this reply, before the one that follows it, see Then. Where none follows, every
// further request fails the test and is answered with a 501. Without Times a reply is sent once, and the last one of a
// stub again and again.
func (r Reply) Times(n int) Reply {
	if n < 1 {
		return r.fail("Times(%d): a reply is sent once or more; leave it out instead", n)
	}
	return r.with("Times", func(x *extra) { x.times = n })
}

// Then returns the reply followed by others, for the requests that come after it:
//
//	mockserver.Status(503).Times(2).Then(mockserver.JSON(200, v))
//
// answers 503, 503, and 200 from then on. Stub.Reply with the same replies does the same. What changes a reply must be
// called before Then: a sequence cannot be changed, only continued with Then.
func (r Reply) Then(replies ...Reply) Reply {
	x := none
	if r.extra != nil {
		x = *r.extra
	}
	if len(replies) == 0 {
		return r.fail("Then() has no reply; write Then(mockserver.Status(200)), for example")
	}
	x.then = append(slices.Clone(x.then), replies...)
	r.extra = &x
	return r
}

// Trailer returns the reply with a trailer, a header line behind the body, which the header Trailer announces. The reply
// is sent chunked then; with another framing it cannot be sent. An HTTP/1.0 client, HEAD, and a 204 or 304 get no trailer.
func (r Reply) Trailer(name, value string) Reply {
	if why := badHeader(name, value); why != "" {
		return r.fail("Trailer: %s", why)
	}
	switch http.CanonicalHeaderKey(name) {
	case "Transfer-Encoding", "Content-Length", "Trailer":
		return r.fail("Trailer: %s cannot be a trailer", name)
	}
	return r.with("Trailer", func(x *extra) {
		x.trailers, x.reshaped = append(slices.Clone(x.trailers), field{name: name, value: value}), true
	})
}

// Early returns the reply with an informational response in front of it, 103 Early Hints for example, with header lines
// given as name and value in turn. Several are sent in the order of the calls, after the delay of the reply. An HTTP/1.0
// client gets none. A code that is not 1xx, 101 (which ends HTTP), and a name without a value make a reply that cannot be
// sent.
func (r Reply) Early(code int, headers ...string) Reply {
	if code < 100 || code > 199 || code == 101 {
		return r.fail("Early(%d): an informational response has a code from 100 to 199, and not 101", code)
	}
	if len(headers)%2 != 0 {
		return r.fail("Early(%d): header %s has no value; give names and values in turn", code, headers[len(headers)-1])
	}
	h := hint{code: code}
	for i := 0; i < len(headers); i += 2 {
		if why := badHeader(headers[i], headers[i+1]); why != "" {
			return r.fail("Early(%d): %s", code, why)
		}
		h.fields = append(h.fields, field{name: headers[i], value: headers[i+1]})
	}
	return r.with("Early", func(x *extra) { x.early = append(slices.Clone(x.early), h) })
}

// Gzip returns the reply with its body compressed, and Content-Encoding: gzip, for clients that accept it in
// Accept-Encoding; others get it as it was. Vary: Accept-Encoding is sent to both. net/http's client accepts it by itself
// and decompresses, unless DisableCompression is set. An empty body stays empty. To send gzip to every client, compress
// the body yourself and write Body(200, "text/plain", compressed).Header("Content-Encoding", "gzip").
func (r Reply) Gzip() Reply {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(r.body)
	w.Close() // writes to memory do not fail
	return r.with("Gzip", func(x *extra) { x.gzip, x.reshaped = b.Bytes(), true })
}

// Length returns the reply with Content-Length: n, whatever the length of the body. With a larger n than that the client
// waits for bytes that never come, and with KeepAlive(false) it sees the connection end too early. With a smaller one the
// rest of the body stands where the next reply should. It also gives a 204 or 304 a Content-Length, and still no body.
// The framing is ContentLength; another one, or an n below 0, makes a reply that cannot be sent.
func (r Reply) Length(n int) Reply {
	if n < 0 {
		return r.fail("Length(%d): a length is 0 or more", n)
	}
	return r.with("Length", func(x *extra) { x.length, x.hasLength, x.reshaped = n, true, true })
}

// NoLength returns the reply with neither Content-Length nor chunks, on a connection that stays open: nothing says where
// the body ends, and a client that reads to the end waits until it gives up. With KeepAlive(false) it is as UntilClose.
func (r Reply) NoLength() Reply {
	return r.with("NoLength", func(x *extra) { x.noLength, x.reshaped = true, true })
}

// KeepAlive returns the reply with the connection kept open after it, even where the client asked to close it, or closed
// after it. The Connection header says so. UntilClose and an HTTP/1.0 page end with the connection, so KeepAlive(true)
// makes a reply of it that cannot be sent.
func (r Reply) KeepAlive(keep bool) Reply {
	r.close = !keep
	return r.with("KeepAlive", func(x *extra) { x.keep, x.reshaped = keep, true })
}

// Reason returns the reply with another text behind the status, which may be empty. HTTP/2 has none.
func (r Reply) Reason(text string) Reply {
	if hasControl(text) {
		return r.fail("Reason: %q has a line break or another control character", text)
	}
	r.reason = text
	return r.with("Reason", func(x *extra) { x.reshaped = true })
}

// Fault returns the reply broken by f: ALB(403).Fault(ResetAfter(50)) sends the headers of that page and 50 bytes of it,
// and then resets the connection. Delay and Early come before the fault.
func (r Reply) Fault(f WireFault) Reply {
	if f == nil {
		return r.fail("Fault(nil); write Fault(mockserver.ConnectionReset), for example")
	}
	return r.with("Fault", func(x *extra) { x.fault, x.reshaped = f, true })
}

// pieces gives the lengths of the pieces that a body of n bytes is sent in, nil for one.
func (r Reply) pieces(n int) []int {
	x := r.extra
	if x == nil || n == 0 {
		return nil
	}
	if x.piece == 0 {
		return x.chunks
	}
	var all []int
	for ; n > x.piece; n -= x.piece {
		all = append(all, x.piece)
	}
	return append(all, n)
}

// problem says why the reply that has these extras cannot be sent.
func (x *extra) problem(r Reply) error {
	if x == nil {
		return nil
	}
	chunked := r.framing == 0 || r.framing == Chunked || r.framing == ChunkedLate
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%s: %s", r, fmt.Sprintf(format, args...))
	}
	switch {
	case len(x.trailers) > 0 && (!chunked || x.hasLength || x.noLength || r.http10):
		return bad("a trailer needs Chunked or ChunkedLate")
	case x.hasLength && (r.framing != 0 && r.framing != ContentLength || x.noLength || x.endless):
		return bad("Length needs the framing ContentLength")
	case x.noLength && r.framing != 0:
		return bad("NoLength and Framing are two ways to frame one body; keep one")
	case x.keep && (r.framing == UntilClose || r.framing == 0 && r.usual == UntilClose || r.http10):
		return bad("KeepAlive(true): the body ends with the connection; NoLength sends no length on a connection that stays open")
	case x.endless && (r.framing == ContentLength || r.framing == Empty):
		return bad("a stream has no length; write Framing(Chunked) or Framing(UntilClose), or nothing")
	case x.endless && x.gzip != nil:
		return bad("a stream cannot be sent with Gzip")
	case x.endless && (r.code == 204 || r.code == 304):
		return bad("a %d has no body", r.code)
	}
	if f, ok := x.fault.(checkedFault); ok {
		if why := f.check(r); why != "" {
			return bad("%s", why)
		}
	}
	for _, next := range x.then {
		if err := next.problem(); err != nil {
			return err
		}
	}
	return nil
}
