package mockserver

import "net/http"

// ConnectionReset sends nothing and resets the connection (TCP RST, by SO_LINGER 0). net/http's client gets "connection
// reset by peer", syscall.ECONNRESET; on a connection that it used before, it sends a request that is safe to repeat once
// more, on a new one. WireMock's CONNECTION_RESET_BY_PEER.
//
// Over HTTP/2 it is the same, for every request under way on the connection; net/http's client mostly makes an
// io.ErrUnexpectedEOF of it. To reset one stream, see ResetStream.
const ConnectionReset = connectionReset("ConnectionReset")

type connectionReset string

func (f connectionReset) String() string { return string(f) }
func (f connectionReset) silent()        {}
func (f connectionReset) Play(w *Wire)   { w.Reset() }

func (f connectionReset) playStream(w *streamWire) { w.reset() }

func (f connectionReset) respond(*http.Response, *mocked) (*http.Response, error) {
	return nil, errReset()
}
