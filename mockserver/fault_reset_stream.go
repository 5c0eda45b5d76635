package mockserver

import "github.com/leakgate/leakgate/internal/http2"

// ResetStream is for HTTP/2: the server answers the request with RST_STREAM and the code INTERNAL_ERROR, as a proxy does
// whose upstream is gone. net/http's client gets "stream error: stream ID 1; INTERNAL_ERROR; received from peer", and other
// requests on the connection go on. For a reset in the middle of a body, see ResetAfter.
//
// It means nothing over HTTP/1 and in a Responder; a request that comes that way fails the test.
const ResetStream = resetStream("ResetStream")

type resetStream string

func (f resetStream) String() string { return string(f) }
func (f resetStream) silent()        {}
func (f resetStream) Play(w *Wire)   { w.refuse(f) }

func (f resetStream) playStream(w *streamWire) { w.resetStream(http2.InternalError) }
