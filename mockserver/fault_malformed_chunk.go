package mockserver

import (
	"io"
	"net/http"
)

// MalformedChunk sends a 200 with the headers of the reply, chunked whatever its framing is, then 36 bytes that are no
// chunk, and the end of the connection (FIN). The reply's own body is not sent. net/http's client gets the response, and
// io.ErrUnexpectedEOF when it reads; a client that does not close the body is in CLOSE_WAIT. WireMock's
// MALFORMED_RESPONSE_CHUNK, with its bytes.
//
// HTTP/2 has no chunks: there the bytes stand where a frame should, which is an error of the whole connection, and end it.
const MalformedChunk = malformedChunk("MalformedChunk")

// garbage is what WireMock sends.
const garbage = "lskdu018973t09sylgasjkfg1][]'./.sdlv"

type malformedChunk string

func (f malformedChunk) String() string { return string(f) }

// mend makes the reply what it is sent as: the garbage has to stand where a chunk should.
func (f malformedChunk) mend(r Reply) Reply {
	x := *r.extra
	x.hasLength, x.noLength = false, false
	r.extra = &x
	r.code, r.reason, r.framing, r.http10 = 200, http.StatusText(200), Chunked, false
	return r
}

func (f malformedChunk) Play(w *Wire) {
	w.Head()
	w.Write([]byte(garbage))
	w.HalfClose()
}

func (f malformedChunk) playStream(w *streamWire) {
	w.head()
	w.garbage()
	w.hangUp()
}

func (f malformedChunk) respond(resp *http.Response, m *mocked) (*http.Response, error) {
	return m.cut(resp, 0, io.ErrUnexpectedEOF)
}
