package mockserver

import (
	"errors"
	"fmt"
)

var errCannotDrop = errors.New("there is no reliable way to let a dial hang")

// DropSYN is an address whose dials hang, as behind a firewall that drops packets, or where a machine has gone. A dial to
// it gives up when the dialler's own timeout ends (without one after about two minutes on Linux), or is refused some time after
// Close. Nothing arrives: Dials is 0, Conns is empty, and WaitDials and Then fail the test.
//
// On Linux it listens, and its queue is full with a connection of its own, so that the kernel drops each further dial. On
// macOS, NetBSD and OpenBSD it is a socket that is bound and does not listen. Elsewhere there is no reliable way, since
// FreeBSD and Windows refuse where Linux drops: there the test is skipped, or fails when t has no Skip.
func DropSYN(t TB) *TCP {
	t = orNoTest(t, "DropSYN")
	t.Helper()
	file, line := caller()
	p := &TCP{
		t: t, what: "DropSYN", site: fmt.Sprintf("%s:%d", file, line),
		settling: make(chan struct{}), done: make(chan struct{}), ended: make(chan struct{}), dialled: make(chan struct{}),
	}
	var err error
	p.addr, p.free, err = holdDropping()
	if s, ok := t.(interface{ Skip(...any) }); ok && errors.Is(err, errCannotDrop) {
		s.Skip("mockserver: DropSYN: " + err.Error())
	}
	if err != nil {
		p.fail(err)
		return p
	}
	p.closeWith(t)
	return p
}
