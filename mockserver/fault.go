package mockserver

import (
	"fmt"
	"net/http"
	"strings"
)

// WireFault is something that goes wrong with a reply on the wire. Those of this package are values, such as
// ConnectionReset and TruncateAfter(64). Where a fault counts bytes, they are bytes of the body as it is framed by the
// reply: neither headers nor the size lines of chunks count.
//
// A fault of your own is a type with these two methods. It works over HTTP/1; over HTTP/2 and in a Responder it gives an
// error.
type WireFault interface {
	// String is the Go expression that makes it: "TruncateAfter(64)".
	String() string

	// Play sends the reply, or what is left of it. It runs in a goroutine of the server, for one request at a time, and
	// perhaps for several connections at once. What it starts must have ended when it returns.
	Play(w *Wire)
}

// checkedFault is a fault that cannot break every reply.
type checkedFault interface {
	WireFault
	// check says why it cannot break this one, "" when it can. It is called when the reply is given to a stub.
	check(r Reply) string
}

// sizedFault is a fault that needs a body of some length. Fault makes one.
type sizedFault interface {
	WireFault
	bytes() int
}

// silentFault is a fault that sends no status.
type silentFault interface {
	WireFault
	silent()
}

// streamFault is a fault that means something on a stream of HTTP/2 too.
type streamFault interface {
	WireFault
	playStream(w *streamWire)
}

// mockedFault is a fault that a Responder can play.
type mockedFault interface {
	WireFault
	// respond gives what net/http's client gives. body is what the reply sends, resp has everything but its Body.
	respond(resp *http.Response, m *mocked) (*http.Response, error)
}

// Fault is a reply that breaks as f says: a 200 with a JSON body, long enough for f. To break another reply, see
// Reply.Fault.
func Fault(f WireFault) Reply {
	name := "Fault(nil)"
	size := 0
	if f != nil {
		name = "Fault(" + f.String() + ")"
	}
	if s, ok := f.(sizedFault); ok {
		size = min(s.bytes(), maxFaultBytes)
	}
	r := Body(200, "application/json", faultBody(size))
	r.name = name
	if f == nil {
		return r.fail("write Fault(mockserver.ConnectionReset), for example")
	}
	return r.Fault(f)
}

// maxFaultBytes is the largest number that a fault which counts bytes takes.
const maxFaultBytes = 16 << 20

// faultBody is a list in JSON, longer than n bytes by half a kilobyte or more, so that a fault after n bytes is in the
// middle of it.
func faultBody(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"items":[`)
	for i := 1; b.Len() < n+512; i++ {
		if i > 1 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"state":"active"}`, i)
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

// bodyOf is how many bytes of body a reply has at least, whatever the client accepts; -1 for those not known before, of
// handlers and templates.
func bodyOf(r Reply) (n int) {
	if r.extra != nil {
		if r.extra.handler != nil || r.extra.template != nil {
			return -1
		}
		if r.extra.gzip != nil {
			return min(len(r.body), len(r.extra.gzip))
		}
	}
	if r.framing == Empty || r.code == 204 || r.code == 304 {
		return 0
	}
	return len(r.body)
}

// breaksAfter is the check of the faults that happen after n bytes of body, which there must be more of: after all of it a
// body with a length is complete.
func breaksAfter(what string, n int, r Reply) string {
	if n < 0 || n > maxFaultBytes {
		return fmt.Sprintf("%s takes 0 to %d bytes of body", what, maxFaultBytes)
	}
	have := bodyOf(r)
	if have < 0 {
		return ""
	}
	sh := r.plan(call{method: "GET"})
	most := have
	if sh.framing == ContentLength || sh.framing == Empty || sh.framing == 0 {
		most--
	}
	if r.extra != nil && (r.extra.endless || r.extra.hasLength) {
		return ""
	}
	switch {
	case have == 0 && most < 0:
		return "the reply has no body to break"
	case n > most:
		return fmt.Sprintf("the body has %s, so nothing would break after %d; at most %d can be sent before", count(have, "byte"), n, most)
	}
	return ""
}
