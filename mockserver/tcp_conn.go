package mockserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"sync"
	"time"
)

// tcpConn plays one connection of a TCP peer.
type tcpConn struct {
	peer   *TCP
	nc     net.Conn
	script []Step

	buf  []byte // read, and not yet expected by a step
	at   string // the step that is played
	ends error  // why no more comes; nil as long as more may come

	settled chan struct{} // closed when, after Close began, the client has nothing more to be judged
	settle  func()        // closes it, once

	mu   sync.Mutex
	info TCPConn
	open string // what to say when Close finds the connection in the middle of its script
}

func newTCPConn(p *TCP, id int, nc net.Conn, script []Step) *tcpConn {
	c := &tcpConn{peer: p, nc: nc, script: script, settled: make(chan struct{})}
	c.settle = sync.OnceFunc(func() { close(c.settled) })
	c.info = TCPConn{ID: id, RemoteAddr: nc.RemoteAddr().String(), State: ConnNew, Opened: time.Now()}
	return c
}

func (c *tcpConn) snapshot() TCPConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	info := c.info
	info.Received = bytes.Clone(info.Received)
	if info.State != ConnClosed {
		info.Age = time.Since(info.Opened)
	}
	return info
}

func (c *tcpConn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.info.State == ConnClosed
}

// unmet is what the test is failed with when Close finds the connection in the middle of its script.
func (c *tcpConn) unmet() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// play is the connection's goroutine. Everything that must happen is deferred: a t whose Errorf ends the goroutine must not
// leave the connection behind.
func (c *tcpConn) play() {
	defer c.peer.leave()
	defer c.settle()
	defer c.setState(ConnClosed)
	defer c.nc.Close()
	result := goOn
	for i, s := range c.script {
		c.enter(stepAt(c.script, i))
		if s.loop != nil {
			result = c.playLoop(s.loop)
		} else {
			result = s.play(c)
		}
		if result != goOn {
			break
		}
	}
	if result == goOn {
		c.enter("")
		result = c.behindTheEnd()
	}
	if result == mismatched {
		c.end() // the client is not to wait for an answer
	}
}

func (c *tcpConn) playLoop(steps []Step) outcome {
	loop := c.at
	for round := 1; ; round++ {
		if c.peer.isClosed() || round > 1 && c.peer.isSettling() && !steps[0].reads() {
			return stopped
		}
		for i, s := range steps {
			c.enter(fmt.Sprintf("%s, round %d, %s", loop, round, stepAt(steps, i)))
			if i == 0 && c.waitsAtTheStart(s) {
				return over
			}
			result := goOn
			if s.loop != nil {
				result = c.playLoop(s.loop)
			} else {
				result = s.play(c)
			}
			if result != goOn {
				return result
			}
			if c.gone() {
				return over
			}
		}
	}
}

// waitsAtTheStart waits for the first byte of a round and says whether there will be none. A round that begins with a
// step which does not read has nothing to wait for.
func (c *tcpConn) waitsAtTheStart(s Step) bool {
	if s.reads() {
		for len(c.buf) == 0 && c.read() {
		}
		return len(c.buf) == 0
	}
	return false
}

func (s Step) reads() bool {
	if len(s.loop) > 0 {
		return s.loop[0].reads()
	}
	return len(s.text) > 6 && s.text[:6] == "Expect"
}

// enter notes which step is played.
func (c *tcpConn) enter(step string) {
	c.at = step
	c.mu.Lock()
	defer c.mu.Unlock()
	if step != "" {
		c.info.Step = step
	}
}

func (c *tcpConn) setState(s ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.info.State = s
	if s == ConnClosed {
		c.info.Age = time.Since(c.info.Opened)
	}
}

// active wants c.mu.
func (c *tcpConn) active() {
	if c.info.State == ConnNew {
		c.info.State = ConnActive
	}
}

// read takes what comes next into buf, or returns false when nothing comes any more.
func (c *tcpConn) read() bool {
	if c.ends != nil {
		return false
	}
	var piece [4 << 10]byte
	n, err := c.next(piece[:])
	return c.took(piece[:n], err)
}

// took notes what was read.
func (c *tcpConn) took(piece []byte, err error) bool {
	n := len(piece)
	c.buf = append(c.buf, piece...)
	c.ends = err
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > 0 {
		c.active()
		c.info.ReceivedN += int64(n)
		c.info.Received = append(c.info.Received, piece[:min(n, keepTCP-len(c.info.Received))]...)
	}
	if err != nil && !errors.Is(err, net.ErrClosed) {
		c.info.ClientDone = true
	}
	return n > 0
}

// next waits for what comes. When the peer is being closed it says, before it waits, that nothing more has come.
func (c *tcpConn) next(piece []byte) (n int, err error) {
	for {
		if c.peer.isSettling() {
			c.nc.SetReadDeadline(time.Time{})
			n, ready, err := readNow(c.nc, piece)
			if ready {
				return n, err
			}
			// The deadline of Close may have come between these lines, in which case nothing was looked at.
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				c.settle()
			}
		}
		n, err = c.nc.Read(piece)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
}

// gone says whether the client is known to be: it has reset the connection.
func (c *tcpConn) gone() bool { return c.ends != nil && c.ends != io.EOF }

// swallow reads a little and then nothing more, as a process does that hangs.
func (c *tcpConn) swallow() outcome {
	for len(c.buf) < keepTCP {
		if !c.read() {
			return over
		}
	}
	c.settle()
	<-c.peer.done
	return stopped
}

func (c *tcpConn) expect(want []byte) outcome {
	for {
		n := min(len(want), len(c.buf))
		if !bytes.Equal(c.buf[:n], want[:n]) {
			at := 0
			for c.buf[at] == want[at] {
				at++
			}
			return c.mismatch(fmt.Sprintf("byte %d is %s, not %s", at, char(c.buf[at]), char(want[at])), bothDumps(want, c.buf))
		}
		if n == len(want) {
			c.buf = c.buf[n:]
			return goOn
		}
		if !c.read() {
			return c.mismatch(c.why("sent all of this"), bothDumps(want, c.buf))
		}
	}
}

func (c *tcpConn) expectMatching(re *regexp.Regexp) outcome {
	for {
		if at := re.FindIndex(c.buf); at != nil {
			c.buf = c.buf[at[1]:]
			return goOn
		}
		if len(c.buf) >= keepTCP {
			return c.mismatch("no match in the first 64 KiB", oneDump(c.buf))
		}
		if !c.read() {
			return c.mismatch(c.why("sent what matches"), oneDump(c.buf))
		}
	}
}

func (c *tcpConn) expectClose() outcome {
	if len(c.buf) == 0 && !c.read() {
		return over
	}
	return c.mismatch("the client sends more where it should have closed the connection", oneDump(c.buf))
}

// behindTheEnd is where a connection is when its script is over.
func (c *tcpConn) behindTheEnd() outcome {
	if len(c.buf) == 0 && !c.read() {
		return over
	}
	return c.mismatch("the client sends more behind the last step; add Stall() if it may", oneDump(c.buf))
}

// why says why no more comes to a client that has not done so much.
func (c *tcpConn) why(much string) string {
	switch {
	case errors.Is(c.ends, net.ErrClosed):
		return "the client had not " + much + " when the peer was closed"
	case c.ends == io.EOF:
		return "the client closed the connection before it had " + much
	}
	return fmt.Sprintf("the client was gone before it had %s: %v", much, plainError(c.ends))
}

// plainError leaves out the addresses that package net puts in front.
func plainError(err error) error {
	var sys *os.SyscallError
	if errors.As(err, &sys) {
		return sys.Err
	}
	return err
}

// mismatch says how the client broke the script. When the peer is being closed, it is Close that says so.
func (c *tcpConn) mismatch(what, detail string) outcome {
	at := c.at
	if at == "" {
		at = "after the last step"
	}
	p := c.peer
	c.mu.Lock()
	id := c.info.ID
	msg := fmt.Sprintf("mockserver: %s (%s), connection %d, %s:\n\t%s%s", p.what, p.site, id, at, what, detail)
	closing := errors.Is(c.ends, net.ErrClosed)
	if closing {
		c.open = msg
	}
	c.info.Err = fmt.Errorf("%s: %s", at, what)
	c.mu.Unlock()
	if closing {
		return stopped
	}
	p.report(msg)
	return mismatched
}

// char writes one byte in hex, and as text when it is some.
func char(b byte) string {
	if b < ' ' || b > '~' {
		return fmt.Sprintf("%#02x", b)
	}
	return fmt.Sprintf("%#02x %q", b, rune(b))
}

// write is Send.
func (c *tcpConn) write(data []byte) outcome {
	n, err := c.nc.Write(data)
	c.mu.Lock()
	c.info.SentN += int64(n)
	c.active()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		c.info.ClientDone = true
	}
	c.mu.Unlock()
	switch {
	case errors.Is(err, net.ErrClosed):
		return stopped
	case err != nil && c.ends == nil:
		c.ends = err
	}
	return goOn
}

// sleep is Pause.
func (c *tcpConn) sleep(d time.Duration) outcome {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return goOn
	case <-c.peer.settling:
	}
	// The test is over. What the client has done meanwhile is still judged; a client that waits for the end of the pause is
	// left alone.
	if len(c.buf) > 0 || c.ends != nil || c.readWaiting() {
		return goOn
	}
	c.settle()
	<-c.peer.done
	return stopped
}

// readWaiting takes what has come, and says whether there was anything: bytes, or the end.
func (c *tcpConn) readWaiting() bool {
	var piece [4 << 10]byte
	for {
		c.nc.SetReadDeadline(time.Time{})
		n, ready, err := readNow(c.nc, piece[:])
		if ready {
			c.took(piece[:n], err)
			return true
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return false
		}
	}
}

// stall is Stall.
func (c *tcpConn) stall() outcome {
	for c.read() {
		c.buf = c.buf[:0]
	}
	return over
}

// end is Close.
func (c *tcpConn) end() outcome {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return over
	}
	c.setState(ConnClosing)
	return c.stall()
}
