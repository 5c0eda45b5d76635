package http2

import (
	"errors"
	"io"
	"os"
	"time"
)

// Stream is one request and its reply. Its methods may be called from several goroutines, but one at a time may write.
type Stream struct {
	// Fields are the request's, pseudo-headers first. They have been checked, unless TooLarge.
	Fields []Field
	// TooLarge says that there was more than Config.MaxHeader of them, so that some are missing.
	TooLarge bool
	// Bodyless says that the request ended with its headers.
	Bodyless bool

	c        *Conn
	id       uint32
	length   int64         // what content-length says, -1 without one
	done     chan struct{} // closed when the stream is gone
	readable chan struct{} // has one element when something may have changed for Read
	writable chan struct{} // the same for Write

	// Under c.mu:
	body      []byte // received and not read
	trailer   []Field
	received  int64
	recvEnd   bool // the client has sent END_STREAM
	sentEnd   bool // we have
	gone      bool // ended on both sides, or reset
	err       error
	sendLeft  int64
	recvLeft  int
	unclaimed int
}

func newStream(c *Conn, id uint32, fields []Field, length int64) *Stream {
	return &Stream{
		Fields:   fields,
		c:        c,
		id:       id,
		length:   length,
		done:     make(chan struct{}),
		readable: make(chan struct{}, 1),
		writable: make(chan struct{}, 1),
		sendLeft: c.window,
		recvLeft: streamWindow,
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// ID gives the stream's number.
func (s *Stream) ID() uint32 { return s.id }

// Length gives what the request's content-length says, -1 when it has none.
func (s *Stream) Length() int64 { return s.length }

// Done is closed when there is nobody to answer any more: the stream was reset, or the connection has ended. It is closed too
// when the stream has ended on both sides.
func (s *Stream) Done() <-chan struct{} { return s.done }

// Err says why Done is closed: nil when the stream has ended on both sides, or is open; a StreamError when it was reset; what
// Serve returns when the connection has ended.
func (s *Stream) Err() error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.err
}

// Trailer gives the fields that came behind the body, once Read has given io.EOF.
func (s *Stream) Trailer() []Field {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.trailer
}

// Ended says whether the client has sent all of the request.
func (s *Stream) Ended() bool {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.recvEnd
}

// Read reads the request's body. When nothing comes for wait, which 0 and less does not limit, the error is
// os.ErrDeadlineExceeded, and Read may be called again.
func (s *Stream) Read(p []byte, wait time.Duration) (int, error) {
	var over <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		over = timer.C
	}
	for {
		n, err := s.tryRead(p)
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
		select {
		case <-s.readable:
		case <-s.done:
		case <-over:
			return 0, os.ErrDeadlineExceeded
		}
	}
}

func (s *Stream) tryRead(p []byte) (int, error) {
	c := s.c
	c.mu.Lock()
	n := copy(p, s.body)
	s.body = s.body[n:]
	var err error
	if n == 0 {
		switch {
		case s.err != nil:
			err = s.err
		case s.recvEnd:
			err = io.EOF
		}
	}
	if !s.gone {
		c.giveBack(s, n)
	}
	c.mu.Unlock()
	c.claim(s)
	return n, err
}

var errEnded = errors.New("the reply has ended")

// writing says whether a frame of this stream may be written. It wants mu.
func (s *Stream) writing() error {
	switch {
	case s.err != nil:
		return s.err
	case s.sentEnd:
		return errEnded
	}
	return nil
}

// end is called with the frame that has END_STREAM about to be written. It wants mu.
func (s *Stream) end() {
	s.sentEnd = true
	if s.c.cfg.Ending != nil {
		s.c.cfg.Ending()
	}
	if s.recvEnd {
		s.c.remove(s, nil)
	}
}

// WriteHeaders sends fields: a reply's head, a 1xx, or with end, trailers. It cuts the block in frames of the size that the
// client takes, and sends them without anything between them.
func (s *Stream) WriteHeaders(fields []Field, end bool) error {
	c := s.c
	return c.w.send(func() ([]byte, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if err := s.writing(); err != nil {
			return nil, err
		}
		var block []byte
		if !c.announced {
			c.announced = true
			block = append(block, noTable)
		}
		block = AppendFields(block, fields)
		if end {
			s.end()
		}
		return appendBlock(nil, s.id, block, end, c.maxFrame), nil
	})
}

// Write sends a part of the body, with end its last one. It waits until the client's windows have room for it, and returns
// how much was sent. With end and nothing in p, it sends an empty DATA frame that ends the stream.
func (s *Stream) Write(p []byte, end bool) (int, error) {
	c := s.c
	for sent := 0; ; {
		wait := false
		err := c.w.send(func() ([]byte, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			if err := s.writing(); err != nil {
				return nil, err
			}
			n := max(0, min(int64(len(p)-sent), int64(c.maxFrame), s.sendLeft, c.sendLeft))
			if n == 0 && (sent < len(p) || !end) {
				wait = sent < len(p)
				return nil, nil
			}
			f := Frame{Type: FrameData, Stream: s.id, Payload: p[sent : sent+int(n)]}
			s.sendLeft -= n
			c.sendLeft -= n
			if sent += int(n); sent == len(p) && end {
				f.Flags = FlagEndStream
				s.end()
			}
			return f.Append(make([]byte, 0, frameHeaderLen+int(n))), nil
		})
		if err != nil || sent == len(p) && !wait {
			return sent, err
		}
		if wait {
			select {
			case <-s.writable:
			case <-s.done:
			}
		}
	}
}

// Reset sends RST_STREAM, unless the stream is gone already.
func (s *Stream) Reset(code ErrCode) error {
	c := s.c
	defer c.claim(nil)
	return c.w.send(func() ([]byte, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if s.gone {
			return nil, nil
		}
		c.remember(s.id)
		c.remove(s, StreamError{s.id, code, "the server has reset it"})
		return resetFrame(s.id, code).Append(nil), nil
	})
}

// WriteRaw sends bytes as they are, between two frames of whatever stream. What they do to the connection is the caller's.
func (s *Stream) WriteRaw(b []byte) error {
	return s.c.w.send(func() ([]byte, error) { return b, nil })
}

// GoAway sends GOAWAY for the stream's connection, see Conn.GoAway.
func (s *Stream) GoAway(last uint32, code ErrCode, debug string) error {
	return s.c.GoAway(last, code, debug)
}
