package mockserver

import (
	"fmt"
	"io"
	"net/http"
)

// WrongLength sends the reply with Content-Length: n, and after the body the end of the connection (FIN). With an n
// larger than the body, net/http's client reads it and then gets io.ErrUnexpectedEOF, and is in CLOSE_WAIT when it does
// not close it. With a smaller n it gets the first n bytes, and logs the rest as an unsolicited response. For a wrong
// length on a connection that stays open, see Reply.Length.
//
// Over HTTP/2 the stream ends in order, and the connection stays open. net/http's client gets io.ErrUnexpectedEOF with a
// larger n, and "server replied with more than declared Content-Length; truncated" with a smaller one.
//
// n is 0 or more and not the length of the body; the reply has no other framing than ContentLength.
func WrongLength(n int) WireFault { return wrongLength(n) }

type wrongLength int

func (f wrongLength) String() string { return fmt.Sprintf("WrongLength(%d)", int(f)) }

func (f wrongLength) check(r Reply) string {
	switch have := bodyOf(r); {
	case f < 0:
		return fmt.Sprintf("%s takes 0 or more", f)
	case r.framing != 0 && r.framing != ContentLength:
		return fmt.Sprintf("%s needs the framing ContentLength", f)
	case have == int(f):
		return fmt.Sprintf("the body has %s, so %s would be right", count(have, "byte"), f)
	}
	return ""
}

func (f wrongLength) mend(r Reply) Reply {
	x := *r.extra
	x.length, x.hasLength, x.noLength = int(f), true, false
	r.extra = &x
	return r
}

func (f wrongLength) Play(w *Wire) {
	w.Send()
	w.HalfClose()
}

func (f wrongLength) playStream(w *streamWire) { w.send() }

func (f wrongLength) respond(resp *http.Response, m *mocked) (*http.Response, error) {
	if int(f) > len(m.shape.body) {
		return m.cut(resp, len(m.shape.body), io.ErrUnexpectedEOF)
	}
	return m.cut(resp, int(f), io.EOF)
}
