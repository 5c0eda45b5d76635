package mockserver

import (
	"fmt"
	"net/http"
)

// RandomThenClose sends 36 bytes that are no HTTP in place of a reply, and the end of the connection (FIN). net/http's
// client gets an error, "malformed HTTP response". WireMock's RANDOM_DATA_THEN_CLOSE, with its bytes, which are the same
// each time. Over HTTP/2 they stand where a frame should, which is an error of the whole connection.
const RandomThenClose = randomThenClose("RandomThenClose")

type randomThenClose string

func (f randomThenClose) String() string { return string(f) }
func (f randomThenClose) silent()        {}

func (f randomThenClose) Play(w *Wire) {
	w.Write([]byte(garbage))
	w.HalfClose()
}

func (f randomThenClose) playStream(w *streamWire) {
	w.garbage()
	w.hangUp()
}

func (f randomThenClose) respond(*http.Response, *mocked) (*http.Response, error) {
	return nil, broken(fmt.Sprintf("malformed HTTP response %q", garbage))
}
