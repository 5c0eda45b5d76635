package http2

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
)

const (
	streamWindow    = 256 << 10 // bytes of a request body that may be unread by its handler
	connWindow      = 1 << 20   // the same, of all streams together
	maxContinuation = 1 << 10   // CONTINUATION frames of one header block
	maxRemembered   = 256       // streams that the server has reset and still takes frames for
)

// Config says what a Conn does with its streams.
type Config struct {
	// Handle is called in a goroutine of its own for each request, when its headers are there. A stream that it leaves
	// neither ended nor reset stays open until the client resets it or the connection ends: that is what some tests want.
	Handle func(*Stream)

	// Malformed is told of a request that was answered with RST_STREAM because it is none, if set. It is called by Serve.
	Malformed func(fields []Field, err error)

	// Open is told how many streams are open whenever that changes, if set. It is called with locks held: it must not
	// wait, nor call the Conn. A stream is not open any more when the frame that ends it is about to be written.
	Open func(n int)

	// Ending is called when a frame that ends a reply is about to be written, if set, and before Open is told. As Open, it
	// must not wait.
	Ending func()

	// MaxStreams is how many streams a client may have open. More are refused.
	MaxStreams int

	// MaxHeader is how many bytes of a header block are read, and how large its fields may be, with 32 bytes for each.
	// A longer block ends the connection; larger fields are left out of the request, which says so in TooLarge.
	MaxHeader int
}

// Conn is one connection.
type Conn struct {
	cfg Config
	nc  net.Conn
	w   writer
	fr  FrameReader
	dec HeaderDecoder

	handlers sync.WaitGroup

	mu        sync.Mutex
	streams   map[uint32]*Stream // those that are open
	running   int                // handlers
	last      uint32             // the highest stream that the client has begun
	refuse    uint32             // streams above it are ignored, once GOAWAY is sent
	leaving   bool               // GOAWAY is sent
	reset     []uint32           // streams that the server has reset, oldest first
	err       error              // why the connection has ended
	sendLeft  int64              // what the client's window has room for
	window    int64              // the client's SETTINGS_INITIAL_WINDOW_SIZE
	maxFrame  int                // the client's SETTINGS_MAX_FRAME_SIZE
	recvLeft  int                // what our window has room for
	unclaimed int                // bytes that were read and not yet given back to the client's window
	announced bool               // that our encoder uses no table
}

// New makes the server side of a connection, on which nothing has been read.
func New(nc net.Conn, cfg Config) *Conn {
	c := &Conn{
		cfg:      cfg,
		nc:       nc,
		w:        writer{nc: nc},
		streams:  map[uint32]*Stream{},
		sendLeft: defaultWindow,
		window:   defaultWindow,
		maxFrame: minMaxFrame,
		recvLeft: connWindow,
	}
	return c
}

// Serve serves the connection until it ends. r is what is read from; it may have bytes of nc in a buffer. Serve returns
// when every handler has, and says why the connection ended:
//
//   - a ConnError, when the client made a mistake. It has been sent GOAWAY. nc is open, so that the client can read that.
//   - os.ErrDeadlineExceeded, when a read deadline of nc was over: that is how another goroutine ends Serve. Streams that
//     were open are gone, and nc is open.
//   - any other error is one of reading: io.EOF, when the client closed the connection between two frames. nc is closed.
func (c *Conn) Serve(r io.Reader) error {
	c.fr = FrameReader{R: r, Max: minMaxFrame}
	err := c.read()
	c.end(err)
	var mistake ConnError
	switch {
	case errors.As(err, &mistake):
		c.GoAway(c.LastStream(), mistake.Code, mistake.Reason)
	case errors.Is(err, os.ErrDeadlineExceeded):
	default:
		c.nc.Close() // ends the writes that a handler is in
	}
	c.handlers.Wait()
	return err
}

func (c *Conn) read() error {
	settings := settingsFrame(
		setting{SettingMaxConcurrentStreams, uint32(c.cfg.MaxStreams)},
		setting{SettingInitialWindowSize, streamWindow},
		setting{SettingMaxHeaderListSize, uint32(c.cfg.MaxHeader)},
	)
	c.w.post(settings)
	c.w.post(windowFrame(0, connWindow-defaultWindow))

	var preface [len(Preface)]byte
	for n := 0; n < len(preface); {
		more, err := c.fr.R.Read(preface[n:])
		if n += more; string(preface[:n]) != Preface[:n] {
			return connError(ProtocolError, "it begins with %q, not with the preface of HTTP/2", preface[:n])
		}
		if err != nil && n < len(preface) {
			return unexpected(err, n > 0)
		}
	}
	for first := true; ; first = false {
		f, err := c.fr.Next()
		if err != nil {
			return err
		}
		if first && (f.Type != FrameSettings || f.has(FlagAck)) {
			return connError(ProtocolError, "the first frame is %s, not SETTINGS", f.Type)
		}
		if err := c.take(f); err != nil {
			var one StreamError
			if !errors.As(err, &one) {
				return err
			}
			if err := c.abort(one); err != nil {
				return err
			}
		}
		if err := c.claim(nil); err != nil {
			return err
		}
	}
}

func unexpected(err error, begun bool) error {
	if err == io.EOF && begun {
		return io.ErrUnexpectedEOF
	}
	return err
}

// take handles one frame. A StreamError resets the stream, any other ends the connection.
func (c *Conn) take(f Frame) error {
	switch f.Type {
	case FrameData:
		return c.takeData(f)
	case FrameHeaders:
		return c.takeHeaders(f)
	case FramePriority:
		if f.Stream == 0 {
			return connError(ProtocolError, "a PRIORITY frame on stream 0")
		}
		return f.fixed(5) // an error of the stream, says the RFC, but the stream need not exist
	case FrameRSTStream:
		return c.takeReset(f)
	case FrameSettings:
		return c.takeSettings(f)
	case FramePushPromise:
		return connError(ProtocolError, "a client must not send PUSH_PROMISE")
	case FramePing:
		if f.Stream != 0 {
			return connError(ProtocolError, "a PING frame on stream %d", f.Stream)
		}
		if err := f.fixed(8); err != nil || f.has(FlagAck) {
			return err
		}
		return c.post(Frame{Type: FramePing, Flags: FlagAck, Payload: f.Payload})
	case FrameGoAway:
		if f.Stream != 0 {
			return connError(ProtocolError, "a GOAWAY frame on stream %d", f.Stream)
		}
		if len(f.Payload) < 8 {
			return connError(FrameSizeError, "a GOAWAY frame of %d bytes; it has at least 8", len(f.Payload))
		}
		return nil
	case FrameWindowUpdate:
		return c.takeWindow(f)
	case FrameContinuation:
		return connError(ProtocolError, "a CONTINUATION frame that continues no header block")
	}
	return nil // to be ignored, says the RFC
}

// post sends a frame from the goroutine that reads.
func (c *Conn) post(f Frame) error {
	if !c.w.post(f) {
		return connError(EnhanceYourCalm, "more than %d bytes of answers that the client does not read", maxQueue)
	}
	return nil
}

// known says whether a stream has been begun. A frame on one that has not is an error of the connection.
func (c *Conn) known(f Frame) error {
	switch {
	case f.Stream == 0:
		return connError(ProtocolError, "a %s frame on stream 0", f.Type)
	case f.Stream%2 == 0 || f.Stream > c.last:
		return connError(ProtocolError, "a %s frame on stream %d, which nobody has begun", f.Type, f.Stream)
	}
	return nil
}

func (c *Conn) takeData(f Frame) error {
	data, err := f.unpad()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.known(f); err != nil {
		return err
	}
	// All of the frame counts, padding too, whatever the stream is in.
	if c.recvLeft -= len(f.Payload); c.recvLeft < 0 {
		return connError(FlowControlError, "more DATA than the connection's window of %d bytes has room for", connWindow)
	}
	s := c.streams[f.Stream]
	if s == nil || s.recvEnd {
		c.giveBack(nil, len(f.Payload))
		if c.ignores(f.Stream) {
			return nil
		}
		return streamError(f.Stream, StreamClosed, "a DATA frame on a stream that has ended")
	}
	if s.recvLeft -= len(f.Payload); s.recvLeft < 0 {
		c.giveBack(nil, len(f.Payload))
		return streamError(f.Stream, FlowControlError, "more DATA than the stream's window of %d bytes has room for", streamWindow)
	}
	s.received += int64(len(data))
	end := f.has(FlagEndStream)
	if s.length >= 0 && (s.received > s.length || end && s.received < s.length) {
		c.giveBack(nil, len(f.Payload))
		return streamError(f.Stream, ProtocolError, "content-length is %d, and %d bytes came", s.length, s.received)
	}
	s.body = append(s.body, data...)
	c.giveBack(s, len(f.Payload)-len(data))
	if end {
		c.endRecv(s)
	}
	poke(s.readable)
	return nil
}

// ignores says whether frames on a stream that is gone are to be taken in silence: the client cannot know yet. It wants mu.
func (c *Conn) ignores(id uint32) bool {
	if c.leaving && id > c.refuse {
		return true
	}
	for _, r := range c.reset {
		if r == id {
			return true
		}
	}
	return false
}

// giveBack gives n bytes back to the client's windows: to the connection's, and where s is open, to that of s. The frames
// are sent by claim. It wants mu.
func (c *Conn) giveBack(s *Stream, n int) {
	c.unclaimed += n
	if s != nil && !s.recvEnd && !s.gone {
		s.unclaimed += n
	}
}

// claim tells the client what giveBack has gathered, when that is worth a frame. s may be nil.
func (c *Conn) claim(s *Stream) error {
	var frames []Frame
	c.mu.Lock()
	if c.unclaimed >= connWindow/4 {
		frames = append(frames, windowFrame(0, c.unclaimed))
		c.recvLeft += c.unclaimed
		c.unclaimed = 0
	}
	if s != nil && !s.recvEnd && !s.gone && s.unclaimed >= streamWindow/4 {
		frames = append(frames, windowFrame(s.id, s.unclaimed))
		s.recvLeft += s.unclaimed
		s.unclaimed = 0
	}
	c.mu.Unlock()
	for _, f := range frames {
		if err := c.post(f); err != nil {
			return err
		}
	}
	return nil
}

func (c *Conn) takeReset(f Frame) error {
	if err := f.fixed(4); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.known(f); err != nil {
		return err
	}
	if s := c.streams[f.Stream]; s != nil {
		c.remove(s, StreamError{Stream: s.id, Code: ErrCode(binary.BigEndian.Uint32(f.Payload))})
	}
	return nil
}

func (c *Conn) takeWindow(f Frame) error {
	if err := f.fixed(4); err != nil {
		return err
	}
	n := int64(binary.BigEndian.Uint32(f.Payload) & maxWindow)
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.Stream == 0 {
		switch {
		case n == 0:
			return connError(ProtocolError, "a WINDOW_UPDATE frame of 0")
		case c.sendLeft+n > maxWindow:
			return connError(FlowControlError, "WINDOW_UPDATE makes the connection's window larger than %d", maxWindow)
		}
		c.sendLeft += n
		for _, s := range c.streams {
			poke(s.writable)
		}
		return nil
	}
	if err := c.known(f); err != nil {
		return err
	}
	s := c.streams[f.Stream]
	switch {
	case s == nil:
		return nil
	case n == 0:
		return streamError(f.Stream, ProtocolError, "a WINDOW_UPDATE frame of 0")
	case s.sendLeft+n > maxWindow:
		return streamError(f.Stream, FlowControlError, "WINDOW_UPDATE makes the stream's window larger than %d", maxWindow)
	}
	s.sendLeft += n
	poke(s.writable)
	return nil
}

func (c *Conn) takeSettings(f Frame) error {
	settings, err := f.settings()
	if err != nil || f.has(FlagAck) {
		return err
	}
	c.mu.Lock()
	for _, one := range settings {
		switch one.id {
		case SettingInitialWindowSize:
			change := int64(one.value) - c.window
			c.window = int64(one.value)
			for _, s := range c.streams {
				if s.sendLeft += change; s.sendLeft > maxWindow {
					c.mu.Unlock()
					return connError(FlowControlError, "SETTINGS_INITIAL_WINDOW_SIZE makes a stream's window larger than %d", maxWindow)
				}
				poke(s.writable)
			}
		case SettingMaxFrameSize:
			c.maxFrame = int(one.value)
		}
	}
	c.mu.Unlock()
	return c.post(Frame{Type: FrameSettings, Flags: FlagAck})
}

func (c *Conn) takeHeaders(f Frame) error {
	if f.Stream%2 == 0 {
		return connError(ProtocolError, "a HEADERS frame on stream %d; a client's streams are odd", f.Stream)
	}
	fragment, err := f.fragment()
	if err != nil {
		return err
	}
	id, end := f.Stream, f.has(FlagEndStream)
	block := append([]byte(nil), fragment...)
	for n := 1; !f.has(FlagEndHeaders); n++ {
		if f, err = c.fr.Next(); err != nil {
			return unexpected(err, true)
		}
		switch {
		case f.Type != FrameContinuation || f.Stream != id:
			return connError(ProtocolError, "a %s frame on stream %d in the middle of the header block of stream %d", f.Type, f.Stream, id)
		case n > maxContinuation:
			return connError(EnhanceYourCalm, "a header block in more than %d CONTINUATION frames", maxContinuation)
		case len(block)+len(f.Payload) > c.cfg.MaxHeader:
			return connError(EnhanceYourCalm, "a header block of more than %d bytes", c.cfg.MaxHeader)
		}
		block = append(block, f.Payload...)
	}
	// The block is decoded whatever becomes of it: the next one may refer to what it puts into the table.
	var fields []Field
	size, tooLarge := 0, false
	if err := c.dec.Decode(block, func(f Field) {
		if size += f.size(); size > c.cfg.MaxHeader {
			tooLarge = true
			return
		}
		fields = append(fields, f)
	}); err != nil {
		return connError(CompressionError, "%v", err)
	}

	c.mu.Lock()
	if id <= c.last {
		defer c.mu.Unlock()
		s := c.streams[id]
		switch {
		case s == nil && c.ignores(id):
			return nil
		case s == nil:
			return connError(StreamClosed, "a HEADERS frame on stream %d, which has ended", id)
		case s.recvEnd:
			return streamError(id, StreamClosed, "a HEADERS frame on a stream that has ended")
		case !end:
			return streamError(id, ProtocolError, "a second HEADERS frame without END_STREAM")
		case tooLarge:
			return streamError(id, EnhanceYourCalm, "trailers of more than %d bytes", c.cfg.MaxHeader)
		case s.length >= 0 && s.received < s.length:
			return streamError(id, ProtocolError, "content-length is %d, and %d bytes came", s.length, s.received)
		}
		if err := checkTrailer(fields); err != nil {
			return streamError(id, ProtocolError, "%v", err)
		}
		s.trailer = fields
		c.endRecv(s)
		poke(s.readable)
		return nil
	}

	c.last = id
	if c.leaving && id > c.refuse {
		c.mu.Unlock()
		return nil
	}
	if len(c.streams) >= c.cfg.MaxStreams {
		c.mu.Unlock()
		return streamError(id, RefusedStream, "more than %d streams at once", c.cfg.MaxStreams)
	}
	if c.running >= 2*c.cfg.MaxStreams {
		c.mu.Unlock()
		return connError(EnhanceYourCalm, "streams are begun and reset faster than the server can follow")
	}
	length, err := checkRequest(fields)
	if err == nil && end && length > 0 && !tooLarge {
		err = errLength
	}
	if err != nil && !tooLarge {
		c.mu.Unlock()
		err = streamError(id, ProtocolError, "%v", err)
		if c.cfg.Malformed != nil {
			c.cfg.Malformed(fields, err)
		}
		return err
	}
	s := newStream(c, id, fields, length)
	s.TooLarge, s.Bodyless = tooLarge, end
	c.streams[id] = s
	c.running++
	c.tell()
	if end {
		c.endRecv(s)
	}
	c.handlers.Add(1)
	c.mu.Unlock()
	go c.handle(s)
	return nil
}

// handle runs the handler of one stream.
func (c *Conn) handle(s *Stream) {
	defer c.handlers.Done()
	defer func() {
		c.mu.Lock()
		c.running--
		c.mu.Unlock()
	}()
	c.cfg.Handle(s)
}

// abort resets a stream because of what the client did.
func (c *Conn) abort(e StreamError) error {
	c.mu.Lock()
	if s := c.streams[e.Stream]; s != nil {
		c.remove(s, e)
	}
	c.remember(e.Stream)
	c.mu.Unlock()
	return c.post(resetFrame(e.Stream, e.Code))
}

// remember wants mu.
func (c *Conn) remember(id uint32) {
	if len(c.reset) >= maxRemembered {
		c.reset = append(c.reset[:0], c.reset[1:]...)
	}
	c.reset = append(c.reset, id)
}

// remove takes a stream out of those that are open. It wants mu.
func (c *Conn) remove(s *Stream, err error) {
	if s.gone {
		return
	}
	s.gone, s.err = true, err
	delete(c.streams, s.id)
	close(s.done)
	// What nobody will read is given back now. What is read later is not given back again.
	c.giveBack(nil, len(s.body))
	if err != nil {
		s.body = nil
	}
	c.tell()
}

// endRecv: the client has sent all of the request. It wants mu.
func (c *Conn) endRecv(s *Stream) {
	s.recvEnd = true
	if s.sentEnd {
		c.remove(s, nil)
	}
}

// tell wants mu.
func (c *Conn) tell() {
	if c.cfg.Open != nil {
		c.cfg.Open(len(c.streams))
	}
}

// end ends every stream.
func (c *Conn) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	for _, s := range c.streams {
		c.remove(s, err)
	}
}

// LastStream gives the highest stream that was begun and not ignored.
func (c *Conn) LastStream() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaving {
		return min(c.last, c.refuse)
	}
	return c.last
}

// GoAway sends GOAWAY. Streams above last are not answered, open ones neither, and later ones are ignored. The connection
// stays open: what else is to happen to it is up to the caller, and the client.
func (c *Conn) GoAway(last uint32, code ErrCode, debug string) error {
	return c.w.send(func() ([]byte, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.leaving || last < c.refuse {
			c.leaving, c.refuse = true, last
		}
		for id, s := range c.streams {
			if id > last {
				c.remove(s, StreamError{id, code, "the server has sent GOAWAY"})
			}
		}
		return goAwayFrame(last, code, debug).Append(nil), nil
	})
}
