package mockserver

import (
	"fmt"
	"io"
	"net/http"
)

// TruncateAfter sends the headers and n bytes of the body, and then the end of the connection (FIN), in front of what the
// headers promised. net/http's client reads n bytes and then gets io.ErrUnexpectedEOF, but with UntilClose the end of the
// shorter body, because nothing tells it that more was to come. A client that does not close the body is in CLOSE_WAIT.
//
// Over HTTP/2 the connection ends with every request under way on it, and net/http's client gets io.ErrUnexpectedEOF with
// any framing. To end the stream alone too early, see WrongLength.
//
// n must be less than the length of the body, which with Chunked may be sent whole: then only its terminator is missing.
func TruncateAfter(n int) WireFault { return truncateAfter(n) }

type truncateAfter int

func (f truncateAfter) String() string       { return fmt.Sprintf("TruncateAfter(%d)", int(f)) }
func (f truncateAfter) bytes() int           { return int(f) }
func (f truncateAfter) check(r Reply) string { return breaksAfter(f.String(), int(f), r) }

func (f truncateAfter) Play(w *Wire) {
	w.Head()
	w.Body(int(f))
	w.HalfClose()
}

func (f truncateAfter) playStream(w *streamWire) {
	w.head()
	w.body(int(f))
	w.hangUp()
}

func (f truncateAfter) respond(resp *http.Response, m *mocked) (*http.Response, error) {
	if m.shape.framing == UntilClose {
		return m.cut(resp, int(f), io.EOF)
	}
	return m.cut(resp, int(f), io.ErrUnexpectedEOF)
}
