package mockserver

import (
	"io"
	"net/http"
)

// EmptyResponse sends nothing: the connection ends (FIN) in place of a reply. net/http's client gets io.EOF; on a
// connection that it used before, it sends a request that is safe to repeat once more, on a new one. WireMock's
// EMPTY_RESPONSE.
//
// Over HTTP/2 the connection ends with every request under way on it, and net/http's client gets io.ErrUnexpectedEOF.
const EmptyResponse = emptyResponse("EmptyResponse")

type emptyResponse string

func (f emptyResponse) String() string { return string(f) }
func (f emptyResponse) silent()        {}
func (f emptyResponse) Play(w *Wire)   { w.HalfClose() }

func (f emptyResponse) playStream(w *streamWire) { w.hangUp() }

func (f emptyResponse) respond(*http.Response, *mocked) (*http.Response, error) { return nil, io.EOF }
