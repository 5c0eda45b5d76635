package mockserver

import (
	"fmt"
	"net/http"
)

// StallAfter sends the headers and n bytes of the body, and then nothing more, on a connection that stays open until the
// client closes it or the server closes. net/http's client reads n bytes, and then waits for as long as its timeouts
// allow; without one, for ever. The connection is ConnActive meanwhile. To stall before the headers, write
// Delay(time.Hour).
//
// Over HTTP/2 it is the stream that stalls: END_STREAM is never sent. A client that does not close the body holds one of
// the connection's streams, and the connection is ConnActive; other requests on it go on.
//
// n must be less than the length of the body, which with Chunked and UntilClose may be sent whole.
func StallAfter(n int) WireFault { return stallAfter(n) }

type stallAfter int

func (f stallAfter) String() string       { return fmt.Sprintf("StallAfter(%d)", int(f)) }
func (f stallAfter) bytes() int           { return int(f) }
func (f stallAfter) check(r Reply) string { return breaksAfter(f.String(), int(f), r) }

func (f stallAfter) Play(w *Wire) {
	w.Head()
	w.Body(int(f))
	w.Stall()
}

func (f stallAfter) playStream(w *streamWire) {
	w.head()
	w.body(int(f))
	w.stall()
}

func (f stallAfter) respond(resp *http.Response, m *mocked) (*http.Response, error) {
	return m.cut(resp, int(f), errStall)
}
