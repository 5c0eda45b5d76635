package mockserver

import "github.com/leakgate/leakgate/internal/http2"

// RefuseStream is for HTTP/2: the server answers the request with RST_STREAM and the code REFUSED_STREAM, which says that
// nothing was done for it, so the client may send it again. net/http's does so, at once the first time, and then after 1, 2,
// 4, 8, 16 and 32 seconds. So that a test does not take a minute, the same request, by stub, method and path, is refused
// twice, and from then on gets the reply without the fault; the test's log says so. For one refusal, write
// Fault(RefuseStream).Then(...).
//
// It means nothing over HTTP/1 and in a Responder; a request that comes that way fails the test.
const RefuseStream = refuseStream("RefuseStream")

type refuseStream string

func (f refuseStream) String() string { return string(f) }
func (f refuseStream) silent()        {}
func (f refuseStream) limit() int     { return maxRefusals }
func (f refuseStream) Play(w *Wire)   { w.refuse(f) }

func (f refuseStream) playStream(w *streamWire) { w.resetStream(http2.RefusedStream) }
