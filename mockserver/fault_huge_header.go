package mockserver

import (
	"bytes"
	"net/http"
	"strings"
)

// HugeHeader sends the reply with one header more, X-Huge, that is 11 MiB long, in front of the others. net/http's client
// reads 10 MiB, unless MaxResponseHeaderBytes says otherwise, and gives up with an error. Over HTTP/2 it is x-huge, in one
// header block.
const HugeHeader = hugeHeader("HugeHeader")

const hugeHeaderBytes = 11 << 20

type hugeHeader string

func (f hugeHeader) String() string { return string(f) }

func (f hugeHeader) Play(w *Wire) {
	line, rest, _ := bytes.Cut(w.headBytes(), []byte("\r\n"))
	w.Write(line)
	w.Write([]byte("\r\nX-Huge: "))
	piece := bytes.Repeat([]byte("x"), 64<<10)
	for n := 0; n < hugeHeaderBytes && w.Err() == nil; n += len(piece) {
		w.Write(piece)
	}
	w.Write([]byte("\r\n"))
	w.Write(rest)
	w.Body(-1)
	w.Finish()
}

func (f hugeHeader) playStream(w *streamWire) {
	w.headers(w.status(), false, field{name: "X-Huge", value: strings.Repeat("x", hugeHeaderBytes)})
	w.body(-1)
	w.finish()
}

func (f hugeHeader) respond(*http.Response, *mocked) (*http.Response, error) {
	return nil, broken(tooManyHeaders)
}
