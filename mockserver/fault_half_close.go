package mockserver

import "net/http"

// HalfClose sends the whole reply, which says that the connection stays open, and ends it all the same (FIN). The server
// goes on reading and drops what comes. It is what a server's idle timeout does in the worst moment: a client that closes
// the body never notices, one that holds it unread is in CLOSE_WAIT, and the reply is still readable. With
// NoLength the end is that of the body, as with UntilClose.
//
// Over HTTP/2 the connection ends with every request under way on it, and without GOAWAY.
const HalfClose = halfClose("HalfClose")

type halfClose string

func (f halfClose) String() string { return string(f) }

func (f halfClose) Play(w *Wire) {
	w.Send()
	w.HalfClose()
}

func (f halfClose) playStream(w *streamWire) {
	w.send()
	w.hangUp()
}

func (f halfClose) respond(resp *http.Response, m *mocked) (*http.Response, error) {
	m.shape.close = true // the end comes, whatever the framing lets wait for
	return m.whole(resp), nil
}
