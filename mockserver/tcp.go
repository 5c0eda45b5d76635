package mockserver

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

const (
	keepTCP      = 64 << 10        // bytes that are kept of what a client sent
	maxTCPErrors = 10              // connections of one peer that fail the test; the rest is counted
	fenceWait    = 2 * time.Second // the longest time that Dials and Conns wait for dials that are on their way
)

// TCP is a peer without HTTP, on a loopback address: a broker or a database that is dead, hangs, or says what a script
// tells it to. Make one with BlackHole, HangUp, HangUpReset, DropSYN or Script. All methods may be called from several
// goroutines at once.
//
// It is closed by t.Cleanup; when t has no Cleanup method, call Close. Its goroutines and sockets are its own: leakcheck
// reports none of them as long as it is closed, and reports a client's connection to it that is left open as the leak of
// whoever dialled.
type TCP struct {
	t    TB
	what string // "BlackHole"
	site string // file:line of the call that made it
	addr string
	ln   net.Listener // nil when nothing is accepted
	free func()       // gives back what holds the address instead of a listener

	settling chan struct{} // closed when Close begins: the connections are to read what has arrived, and no more
	done     chan struct{} // closed when the connections are cut
	ended    chan struct{} // closed when, after that, the last goroutine has ended

	mu      sync.Mutex
	closing bool     // Close was called
	closed  bool     // the connections are cut
	running int      // goroutines of this peer
	scripts [][]Step // of the connections, one after the other; the last one stays
	conns   []*tcpConn
	dials   int
	dialled chan struct{} // closed, and made anew, at each dial
	failed  int           // connections that broke their script

	fencing    sync.Mutex               // held while a fence dials: one at a time
	fences     map[string]chan struct{} // the peer's own dials that are not accepted yet, by address
	fenceDials bool                     // a fence dials, and its address is not known yet
	undecided  []net.Conn               // accepted meanwhile: one of them may be the fence
}

// TCPConn is one connection of a TCP peer as it was when Conns was called.
type TCPConn struct {
	ID         int           // from 1, in the order in which they were accepted
	RemoteAddr string        // the client's address
	State      ConnState     // ConnNew until a byte has come or gone, then ConnActive; ConnClosing and ConnClosed as for a Server; never ConnIdle
	Received   []byte        // the first 64 KiB of what the client sent
	ReceivedN  int64         // bytes that were read of it, those that are not kept too
	SentN      int64         // bytes sent
	Step       string        // the step that the script is at, or was at when it ended: "step 2 of 3, Stall()"; "" without a script
	ClientDone bool          // the client has closed its side, or reset the connection
	Opened     time.Time     // when it was accepted
	Age        time.Duration // how long it has been, or was, open
	Err        error         // how the client broke the script; nil when it has not
}

// newTCP starts a peer that accepts.
func newTCP(t TB, what string, steps []Step) *TCP {
	t.Helper()
	file, line := callerAt(3)
	p := &TCP{
		t: t, what: what, site: fmt.Sprintf("%s:%d", file, line),
		settling: make(chan struct{}), done: make(chan struct{}), ended: make(chan struct{}), dialled: make(chan struct{}),
		fences: map[string]chan struct{}{},
	}
	p.scripts = [][]Step{p.checked(what, steps)}
	ln, err := listenLoopback()
	if err != nil {
		p.fail(err)
		return p
	}
	p.ln, p.addr, p.running = ln, ln.Addr().String(), 1
	go p.accept()
	p.closeWith(t)
	return p
}

// fail makes a peer that could not be started a closed one, whose address refuses.
func (p *TCP) fail(err error) {
	p.t.Helper()
	p.addr, p.closing, p.closed = "127.0.0.1:0", true, true
	close(p.done)
	close(p.ended)
	p.t.Errorf("mockserver: %s: %v", p.what, err)
	failNow(p.t)
}

func (p *TCP) closeWith(t TB) {
	if c, ok := t.(interface{ Cleanup(func()) }); ok {
		c.Cleanup(p.Close)
	}
}

// failNow ends the test where t can do that.
func failNow(t TB) {
	if f, ok := t.(interface{ FailNow() }); ok {
		f.FailNow()
	}
}

func listenLoopback() (net.Listener, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		return ln, nil
	}
	ln, err6 := net.Listen("tcp", "[::1]:0")
	if err6 != nil {
		return nil, fmt.Errorf("cannot listen on a loopback address: %w; %w", err, err6)
	}
	return ln, nil
}

// Addr is the address to dial: "127.0.0.1:port".
func (p *TCP) Addr() string { return p.addr }

// URL is the address with a scheme: URL("amqp") is "amqp://127.0.0.1:port", without a slash at the end. "amqp://" as scheme
// is the same. What cannot be a scheme fails the test.
func (p *TCP) URL(scheme string) string {
	p.t.Helper()
	scheme = strings.TrimSuffix(scheme, "://")
	if !isScheme(scheme) && !p.isClosed() {
		p.t.Errorf("mockserver: URL(%q) of the %s (%s): this is not a scheme; write URL(\"amqp\"), for example, or use Addr for an address without one", scheme, p.what, p.site)
	}
	return scheme + "://" + p.addr
}

// isScheme follows RFC 3986: a letter, then letters, digits, "+", "-" and ".".
func isScheme(s string) bool {
	for i, c := range []byte(s) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || !('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.')) {
			return false
		}
	}
	return s != ""
}

// Dials is how many connections were made to the peer. Each dial that has returned is counted: to be sure of that, Dials
// dials the peer once itself, which is not counted. When that dial does not come through within 2 s, on a machine that is
// overloaded, the test's log says so and the dials of the last moment may be missing. It is always 0 for DropSYN, whose
// dials never arrive.
func (p *TCP) Dials() int {
	p.fence()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dials
}

// WaitDials waits until n connections were made to the peer, those before the call included, and fails the test when
// there are fewer after the timeout; with FailNow if t has it, so call it from the test's own goroutine. It says whether
// there are n.
func (p *TCP) WaitDials(n int, timeout time.Duration) bool {
	p.t.Helper()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for late := false; ; {
		p.mu.Lock()
		dials, next := p.dials, p.dialled
		p.mu.Unlock()
		switch {
		case dials >= n:
			return true
		case p.ln == nil:
			p.t.Errorf("mockserver: WaitDials(%d): the dials to a %s (%s) never arrive and cannot be counted", n, p.what, p.site)
			failNow(p.t)
			return false
		case late:
			p.t.Errorf("mockserver: WaitDials(%d): %d of %d dials came to the %s (%s) within %v", n, dials, n, p.what, p.site, timeout)
			failNow(p.t)
			return false
		}
		select {
		case <-next:
		case <-p.done:
			late = true
		case <-timer.C:
			late = true
		}
	}
}

// Conns returns the connections that were made to the peer, closed ones too, oldest first. As with Dials none is
// missing. What happened on them may lag behind: what a client has just sent or closed shows a moment later.
func (p *TCP) Conns() []TCPConn {
	p.fence()
	p.mu.Lock()
	conns := append([]*tcpConn(nil), p.conns...)
	p.mu.Unlock()
	all := make([]TCPConn, len(conns))
	for i, c := range conns {
		all[i] = c.snapshot()
	}
	return all
}

// Then gives the connections after the first another script, and called again, those after the second, and so on. The last
// script stays:
//
//	mockserver.HangUp(t).Then(mockserver.Expect("PING\r\n"), mockserver.Send("PONG\r\n"))
//
// hangs up on the first dial and answers all others. Call it before the first dial. It returns the peer.
func (p *TCP) Then(steps ...Step) *TCP {
	p.t.Helper()
	if p.ln == nil {
		p.t.Errorf("mockserver: Then: a %s (%s) accepts no connection that could have a script", p.what, p.site)
		return p
	}
	script := p.checked("Then", steps)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scripts = append(p.scripts, script)
	return p
}

// Close stops the peer: it accepts the dials that have returned, lets each connection read and judge what its client has
// sent until now, and whether it has closed, for at most a second; then it closes the listener and every connection, and
// waits until its goroutines have ended, but not longer than 5 s. A Pause in which the client has sent something, or has
// closed, is cut short. A client that is in the middle of a script fails the test now; one that waits at the beginning of a
// Loop, in Stall or behind the last step does not. After Close the peer does not report to t any more. Close may be called
// again, and by several goroutines; every call returns when the peer is closed.
func (p *TCP) Close() {
	p.mu.Lock()
	first := !p.closing
	p.closing = true
	p.mu.Unlock()
	if first && p.ln != nil {
		p.settle()
	}
	p.mu.Lock()
	if first {
		p.closed = true
	}
	open := append([]*tcpConn(nil), p.conns...)
	p.mu.Unlock()
	if first {
		close(p.done)
		if p.free != nil {
			p.free()
			close(p.ended)
		}
		if p.ln != nil {
			p.ln.Close()
		}
		for _, c := range open {
			c.nc.Close()
		}
	}
	timer := time.NewTimer(closeWait)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
		if first {
			p.safely(func() {
				p.t.Logf("mockserver: Close: a goroutine of the %s (%s) still runs after %v", p.what, p.site, closeWait)
			})
		}
	}
	if first {
		p.reportOpen(open)
	}
}

// settle waits until each connection has read what its client sent, and is closed or waits for more that has not come. A
// test often ends in the moment in which its client has closed: without this it would depend on the scheduler whether the
// peer has seen what the client did wrong.
func (p *TCP) settle() {
	p.fence()
	p.mu.Lock()
	open := append([]*tcpConn(nil), p.conns...)
	p.mu.Unlock()
	close(p.settling)
	for _, c := range open {
		c.nc.SetReadDeadline(time.Unix(1, 0)) // a read that waits ends, and looks once more
	}
	timer := time.NewTimer(settleWait)
	defer timer.Stop()
	for _, c := range open {
		select {
		case <-c.settled:
		case <-timer.C:
			return
		}
	}
}

// reportOpen fails the test for the connections that were in the middle of their script when Close came.
func (p *TCP) reportOpen(conns []*tcpConn) {
	quiet := p.t.Failed() // then it was said already what went wrong, and this may be nothing but a consequence
	if s, ok := p.t.(interface{ Skipped() bool }); ok {
		quiet = quiet || s.Skipped()
	}
	for _, c := range conns {
		if msg := c.unmet(); msg != "" && p.countFailure() {
			p.safely(func() {
				if quiet {
					p.t.Logf("%s", msg)
				} else {
					p.t.Errorf("%s", msg)
				}
			})
		}
	}
	p.mu.Lock()
	more := p.failed - maxTCPErrors
	p.mu.Unlock()
	if more > 0 {
		p.safely(func() {
			p.t.Logf("mockserver: %s (%s): %d more connections broke the script, see Conns", p.what, p.site, more)
		})
	}
}

// countFailure says whether the failure of one more connection is to be reported.
func (p *TCP) countFailure() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed++
	return p.failed <= maxTCPErrors
}

// report fails the test from a goroutine of the peer. Close waits for those, so t is alive as long as this runs.
func (p *TCP) report(msg string) {
	if p.countFailure() {
		p.safely(func() { p.t.Errorf("%s", msg) })
	}
}

func (p *TCP) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// isSettling says whether Close has begun.
func (p *TCP) isSettling() bool {
	select {
	case <-p.settling:
		return true
	default:
		return false
	}
}

// safely is the Server's, for the same reasons.
func (p *TCP) safely(call func()) {
	defer func() { _ = recover() }()
	call()
}

// accept runs until the listener is closed.
func (p *TCP) accept() {
	defer p.leave()
	for {
		nc, err := p.ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			select {
			case <-p.done:
				return
			case <-time.After(5 * time.Millisecond): // out of descriptors, or a client that is gone already
				continue
			}
		}
		p.take(nc)
	}
}

// take plays a connection, or sets it aside as long as it may be a fence whose address is not known yet. It does not wait
// for that: the fence's own dial cannot come through while a full queue is not accepted.
func (p *TCP) take(nc net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fenceDials {
		p.undecided = append(p.undecided, nc)
		return
	}
	p.takeKnown(nc)
}

// takeKnown wants p.mu.
func (p *TCP) takeKnown(nc net.Conn) {
	if seen, ok := p.fences[nc.RemoteAddr().String()]; ok {
		delete(p.fences, nc.RemoteAddr().String())
		close(seen)
		reset(nc)
		return
	}
	if p.closed {
		nc.Close()
		return
	}
	go p.admit(nc).play()
}

// admit counts a connection in. It wants p.mu.
func (p *TCP) admit(nc net.Conn) *tcpConn {
	p.running++
	p.dials++
	if len(p.conns) >= 2*keepLog {
		p.conns = forgetClosedTCP(p.conns, len(p.conns)-keepLog)
	}
	c := newTCPConn(p, p.dials, nc, p.scripts[min(p.dials, len(p.scripts))-1])
	p.conns = append(p.conns, c)
	close(p.dialled)
	p.dialled = make(chan struct{})
	return c
}

// forgetClosedTCP drops at most n closed connections, oldest first.
func forgetClosedTCP(conns []*tcpConn, n int) []*tcpConn {
	kept := make([]*tcpConn, 0, len(conns))
	for _, c := range conns {
		if n > 0 && c.isClosed() {
			n--
			continue
		}
		kept = append(kept, c)
	}
	return kept
}

// leave counts a goroutine out.
func (p *TCP) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running--
	if p.running == 0 { // the accept loop is one of them, so this is after Close
		close(p.ended)
	}
}

// fence waits until every dial that has returned by now is admitted. A dial returns when the kernel has made the
// connection, which may be before the accept loop has it; but connections are accepted in their order, so that a dial of
// the peer's own, once it is accepted, has none before it.
func (p *TCP) fence() {
	if p.ln == nil || p.isClosed() {
		return
	}
	nc, seen, err := p.dialFence()
	if err != nil {
		p.safely(func() {
			p.t.Logf("mockserver: %s (%s): the peer's own dial failed, so that connections of the last moment may not be counted: %v", p.what, p.site, err)
		})
		return
	}
	mine := nc.LocalAddr().String()
	defer func() {
		reset(nc) // leaves no TIME_WAIT behind
		p.mu.Lock()
		delete(p.fences, mine)
		p.mu.Unlock()
	}()
	timer := time.NewTimer(fenceWait)
	defer timer.Stop()
	select {
	case <-seen:
	case <-p.done:
	case <-timer.C:
	}
}

// dialFence dials the peer. The connections that are accepted meanwhile are sorted out when the address is known.
func (p *TCP) dialFence() (nc net.Conn, seen chan struct{}, err error) {
	p.fencing.Lock()
	defer p.fencing.Unlock()
	p.mu.Lock()
	p.fenceDials = true
	p.mu.Unlock()

	nc, err = net.DialTimeout("tcp", p.addr, fenceWait)

	p.mu.Lock()
	defer p.mu.Unlock()
	p.fenceDials = false
	if err == nil {
		seen = make(chan struct{})
		p.fences[nc.LocalAddr().String()] = seen
	}
	waiting := p.undecided
	p.undecided = nil
	for _, other := range waiting {
		p.takeKnown(other)
	}
	return nc, seen, err
}

// reset closes a connection with an RST in place of the FIN.
func reset(nc net.Conn) {
	if tc, ok := nc.(*net.TCPConn); ok {
		tc.SetLinger(0)
	}
	nc.Close()
}
