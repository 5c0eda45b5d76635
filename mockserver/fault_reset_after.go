package mockserver

import (
	"fmt"
	"net/http"

	"github.com/leakgate/leakgate/internal/http2"
)

// ResetAfter sends the headers and n bytes of the body, and 15 ms later, when a client that reads has them, resets the
// connection (TCP RST, by SO_LINGER 0). net/http's client reads n bytes and then gets "connection reset by peer",
// syscall.ECONNRESET; on systems that drop received bytes at a reset, a slow client gets fewer.
//
// The kernel's socket is gone then, but a client that does not close the body still holds a file descriptor and its
// goroutines, which Conns cannot show: it says ConnClosed.
//
// Over HTTP/2 it is the stream that is reset, with INTERNAL_ERROR, as a proxy does whose upstream is gone. The client
// holds nothing of it then, closed or not, and other requests on the connection go on.
//
// n must be less than the length of the body, which with Chunked and UntilClose may be sent whole.
func ResetAfter(n int) WireFault { return resetAfter(n) }

type resetAfter int

func (f resetAfter) String() string       { return fmt.Sprintf("ResetAfter(%d)", int(f)) }
func (f resetAfter) bytes() int           { return int(f) }
func (f resetAfter) check(r Reply) string { return breaksAfter(f.String(), int(f), r) }

func (f resetAfter) Play(w *Wire) {
	w.Head()
	w.Body(int(f))
	w.Reset()
}

func (f resetAfter) playStream(w *streamWire) {
	w.head()
	w.body(int(f))
	w.resetStream(http2.InternalError)
}

func (f resetAfter) respond(resp *http.Response, m *mocked) (*http.Response, error) {
	return m.cut(resp, int(f), errReset())
}
