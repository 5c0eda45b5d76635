package mockserver

import (
	"net/http"
)

// GarbageStatus sends the reply with a status line that has no number in it, "HTTP/1.1 abc OK", and then the end of the
// connection (FIN). net/http's client gets an error, "malformed HTTP status code". Over HTTP/2 the pseudo-header :status has
// no number, and the connection stays as it is.
const GarbageStatus = garbageStatus("GarbageStatus")

type garbageStatus string

func (f garbageStatus) String() string { return string(f) }
func (f garbageStatus) silent()        {}

func (f garbageStatus) Play(w *Wire) {
	w.headWithStatus("abc")
	w.Body(-1)
	w.Finish()
	w.HalfClose()
}

func (f garbageStatus) playStream(w *streamWire) {
	w.headers("abc", false)
	w.body(-1)
	w.finish()
}

func (f garbageStatus) respond(*http.Response, *mocked) (*http.Response, error) {
	return nil, broken(`malformed HTTP status code "abc"`)
}
