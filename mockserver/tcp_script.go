package mockserver

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Step is one thing that a scripted TCP peer does. Make one with Expect, ExpectMatching, ExpectClose, Send, Pause, Stall, Close,
// Reset or Loop. It is a value and can be used in several scripts.
type Step struct {
	text string // the call that makes it: `Expect("PING")`
	play func(c *tcpConn) outcome
	loop []Step // of a Loop
	last bool   // no step can follow
	err  error  // why it cannot be played
}

// outcome is what became of a step.
type outcome uint8

const (
	goOn       outcome = iota // the next step
	over                      // the connection is done with, as the script has it
	mismatched                // the client did not do what the script expects; said already
	stopped                   // the peer is being closed
)

// String gives the call that makes the step.
func (s Step) String() string {
	if s.text == "" {
		return "Step{}"
	}
	return s.text
}

// Script is a peer that plays the steps on each connection, from the beginning:
//
//	broker := mockserver.Script(t,
//		mockserver.Expect("AMQP\x00\x00\x09\x01"),
//		mockserver.Send("AMQP\x00\x00\x09\x01"),
//		mockserver.Stall(),
//	)
//	err := start(broker.URL("amqp"))
//
// A client that sends something else than is expected, that closes the connection before it has sent it, or that has not
// sent it when the peer is closed, fails the test: once for each connection, with what was expected and what came, in
// hex and as text, side by side. The connection is ended then, so that the client does not wait for an answer. What
// comes behind the last step fails the test too; end the script with Stall to let the client send what it likes.
//
// A connection that nobody makes fails nothing: see Dials and WaitDials. Without steps whatever comes fails the test.
func Script(t TB, steps ...Step) *TCP {
	t = orNoTest(t, "Script")
	t.Helper()
	return newTCP(t, "Script", steps)
}

// checked gives the steps, or when they cannot be played, fails the test and gives a script that ends the connection.
func (p *TCP) checked(call string, steps []Step) []Step {
	p.t.Helper()
	if err := check(steps); err != nil {
		p.t.Errorf("mockserver: %s (%s): %v", call, p.site, err)
		return []Step{Close()}
	}
	return steps
}

// check says what is wrong with a script.
func check(steps []Step) error {
	for i, s := range steps {
		switch {
		case s.err != nil:
			return fmt.Errorf("step %d of %d, %s: %w", i+1, len(steps), s, s.err)
		case s.play == nil && s.loop == nil:
			return fmt.Errorf("step %d of %d is an empty Step; make one with Expect or Send, for example", i+1, len(steps))
		case s.last && i < len(steps)-1:
			return fmt.Errorf("step %d of %d, %s, ends the script, so that %s is never reached; leave it out", i+1, len(steps), s, steps[i+1])
		}
	}
	return nil
}

// Expect waits for these bytes, and for no others. More than these are left to the next step.
func Expect[T ~string | ~[]byte](want T) Step {
	w := []byte(string(want))
	s := Step{text: fmt.Sprintf("Expect(%s)", quoteBytes(w))}
	if len(w) == 0 {
		s.err = errors.New("there is nothing to expect; use ExpectClose for a client that sends nothing more")
	}
	s.play = func(c *tcpConn) outcome { return c.expect(w) }
	return s
}

// ExpectMatching waits until the regular expression matches what has come since the last step, and takes all up to the
// end of the match; the rest is left to the next step. It is tried whenever something comes, so let the expression end
// with what ends the message: `^SELECT .*;\n`. Without ^ at its beginning, whatever comes before the match is skipped. It
// sees bytes, with (?s) a dot matches line breaks too. When it does not match the first 64 KiB, the test fails.
func ExpectMatching(expr string) Step {
	s := Step{text: fmt.Sprintf("ExpectMatching(%s)", quoteBytes([]byte(expr)))}
	if strconv.CanBackquote(expr) {
		s.text = "ExpectMatching(`" + expr + "`)"
	}
	re, err := regexp.Compile(expr)
	switch {
	case err != nil:
		s.err = err
	case re.MatchString(""):
		s.err = errors.New("the expression matches nothing at all, so that it does not wait for anything")
	}
	s.play = func(c *tcpConn) outcome { return c.expectMatching(re) }
	return s
}

// ExpectClose waits until the client closes its side, and fails the test when it sends anything before. It is the last step.
func ExpectClose() Step {
	return Step{text: "ExpectClose()", last: true, play: (*tcpConn).expectClose}
}

// Send sends these bytes. It waits while the client reads nothing and the buffers of the system are full. That the client
// has closed the connection is no failure.
func Send[T ~string | ~[]byte](data T) Step {
	d := []byte(string(data))
	s := Step{text: fmt.Sprintf("Send(%s)", quoteBytes(d))}
	if len(d) == 0 {
		s.err = errors.New("there is nothing to send")
	}
	s.play = func(c *tcpConn) outcome { return c.write(d) }
	return s
}

// Pause does nothing for d. What the client sends meanwhile is for the next step, and when it closes the connection, the next step
// sees it.
func Pause(d time.Duration) Step {
	s := Step{text: fmt.Sprintf("Pause(%v)", d)}
	if d <= 0 {
		s.err = errors.New("the time must be longer than 0")
	}
	s.play = func(c *tcpConn) outcome { return c.sleep(d) }
	return s
}

// Stall sends nothing more and reads what comes, whatever it is, until the client closes its side; then the connection is
// closed. It is the last step.
func Stall() Step {
	return Step{text: "Stall()", last: true, play: (*tcpConn).stall}
}

// Close ends the connection: the client reads to the end of what was sent and then gets io.EOF. The peer's own side is half open until
// the client closes the other (ConnClosing), and what the client still sends is read and dropped, so that it never gets
// a reset instead. It is the last step.
func Close() Step {
	return Step{text: "Close()", last: true, play: (*tcpConn).end}
}

// Reset resets the connection (SO_LINGER 0): the client's next read or write fails with ECONNRESET or EPIPE, and what was sent
// and not yet read is lost. It is the last step.
func Reset() Step {
	return Step{text: "Reset()", last: true, play: func(c *tcpConn) outcome {
		reset(c.nc)
		return over
	}}
}

// Loop plays the steps again and again, until one of them ends the connection. A client that closes the connection in front of
// a first step which expects something ends the loop as well as it can be ended, and fails nothing. It is the last step.
func Loop(steps ...Step) Step {
	s := Step{text: "Loop(...)", last: true, loop: steps}
	s.err = check(steps)
	if s.err == nil && len(steps) == 0 {
		s.loop, s.err = []Step{}, errors.New("there are no steps in it")
	}
	return s
}

// stepAt names a step for messages.
func stepAt(steps []Step, i int) string {
	return fmt.Sprintf("step %d of %d, %s", i+1, len(steps), steps[i])
}

// quoteBytes writes bytes as a Go string, cut when it is long.
func quoteBytes(b []byte) string {
	const most = 40
	if len(b) <= most {
		return strconv.Quote(string(b))
	}
	return strconv.Quote(string(b[:most])) + fmt.Sprintf("... %d bytes", len(b))
}

const (
	dumpRow  = 8  // bytes in a row
	dumpRows = 12 // rows of one dump
)

// bothDumps shows what was expected and what came, from a little before the first difference on. Rows that differ are marked.
func bothDumps(want, got []byte) string {
	at := 0
	for at < len(want) && at < len(got) && want[at] == got[at] {
		at++
	}
	from := max(0, at/dumpRow*dumpRow-2*dumpRow)
	var b strings.Builder
	fmt.Fprintf(&b, "\n\t             %-36s  %s", fmt.Sprintf("expected %s", count(len(want), "byte")), fmt.Sprintf("got %s", count(len(got), "byte")))
	if from > 0 {
		fmt.Fprintf(&b, "\n\t    the first %d bytes are equal", from)
	}
	end := max(len(want), len(got))
	for row := from; row < end; row += dumpRow {
		if row == from+dumpRows*dumpRow {
			fmt.Fprintf(&b, "\n\t    and so on")
			break
		}
		w, g := slice(want, row), slice(got, row)
		mark := " "
		if string(w) != string(g) {
			mark = ">"
		}
		b.WriteString(strings.TrimRight(fmt.Sprintf("\n\t  %s %6d   %-36s  %s", mark, row, dump(w), dump(g)), " "))
	}
	return b.String()
}

// oneDump shows what came.
func oneDump(got []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n\tgot %s", count(len(got), "byte"))
	for row := 0; row < len(got); row += dumpRow {
		if row == dumpRows*dumpRow {
			fmt.Fprintf(&b, "\n\t    and so on")
			break
		}
		b.WriteString(strings.TrimRight(fmt.Sprintf("\n\t    %6d   %s", row, dump(slice(got, row))), " "))
	}
	return b.String()
}

func slice(b []byte, from int) []byte {
	return b[min(from, len(b)):min(from+dumpRow, len(b))]
}

// dump writes at most dumpRow bytes in hex and as text.
func dump(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	text := []byte(string(b))
	for i, c := range text {
		if c < ' ' || c > '~' {
			text[i] = '.'
		}
	}
	return fmt.Sprintf("%-*s  %s", 3*dumpRow-1, fmt.Sprintf("% x", b), text)
}
