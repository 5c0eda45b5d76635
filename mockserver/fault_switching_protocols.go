package mockserver

import (
	"io"
	"net"
	"net/http"
	"sync/atomic"
)

// SwitchingProtocols answers 101 Switching Protocols to a client that did not ask for it, and ends its half of the
// connection (FIN). The reply itself is not sent. net/http's client gets a response whose body is the connection: no
// timeout and no end of a context gives it back, only Close does, and a client that does not close it holds a socket in
// CLOSE_WAIT that no goroutine shows.
const SwitchingProtocols = switchingProtocols("SwitchingProtocols")

type switchingProtocols string

func (f switchingProtocols) String() string { return string(f) }
func (f switchingProtocols) silent()        {}

func (f switchingProtocols) Play(w *Wire) {
	io.WriteString(w, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	w.HalfClose()
}

func (f switchingProtocols) respond(resp *http.Response, _ *mocked) (*http.Response, error) {
	resp.StatusCode, resp.Status = http.StatusSwitchingProtocols, "101 Switching Protocols"
	resp.Header = http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}}
	resp.ContentLength, resp.TransferEncoding, resp.Close = 0, nil, false
	resp.Body = &upgraded{}
	return resp, nil
}

// upgraded is a connection whose other half has ended.
type upgraded struct{ closed atomic.Bool }

func (u *upgraded) Read([]byte) (int, error) {
	if u.closed.Load() {
		return 0, net.ErrClosed
	}
	return 0, io.EOF
}

func (u *upgraded) Write(p []byte) (int, error) {
	if u.closed.Load() {
		return 0, net.ErrClosed
	}
	return len(p), nil
}

func (u *upgraded) Close() error {
	u.closed.Store(true)
	return nil
}
