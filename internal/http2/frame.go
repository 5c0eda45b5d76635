package http2

import (
	"encoding/binary"
	"io"
	"strconv"
)

// Preface is what a client sends first.
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// FrameType is the type of a frame.
type FrameType uint8

// The frame types of RFC 9113, section 6.
const (
	FrameData         FrameType = 0x0
	FrameHeaders      FrameType = 0x1
	FramePriority     FrameType = 0x2
	FrameRSTStream    FrameType = 0x3
	FrameSettings     FrameType = 0x4
	FramePushPromise  FrameType = 0x5
	FramePing         FrameType = 0x6
	FrameGoAway       FrameType = 0x7
	FrameWindowUpdate FrameType = 0x8
	FrameContinuation FrameType = 0x9
)

var frameNames = [...]string{
	"DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY", "WINDOW_UPDATE", "CONTINUATION",
}

// String gives the name that the RFC has for the type.
func (t FrameType) String() string {
	if int(t) < len(frameNames) {
		return frameNames[t]
	}
	return "frame type 0x" + strconv.FormatUint(uint64(t), 16)
}

// The flags of a frame.
const (
	FlagEndStream  uint8 = 0x1 // DATA, HEADERS
	FlagAck        uint8 = 0x1 // SETTINGS, PING
	FlagEndHeaders uint8 = 0x4 // HEADERS, CONTINUATION
	FlagPadded     uint8 = 0x8 // DATA, HEADERS
	FlagPriority   uint8 = 0x20
)

// The settings of RFC 9113, section 6.5.2.
const (
	SettingHeaderTableSize      uint16 = 0x1
	SettingEnablePush           uint16 = 0x2
	SettingMaxConcurrentStreams uint16 = 0x3
	SettingInitialWindowSize    uint16 = 0x4
	SettingMaxFrameSize         uint16 = 0x5
	SettingMaxHeaderListSize    uint16 = 0x6
)

const (
	frameHeaderLen = 9
	minMaxFrame    = 1 << 14   // what everybody must accept, and what this server accepts
	maxMaxFrame    = 1<<24 - 1 // what a length can say
	maxWindow      = 1<<31 - 1
	defaultWindow  = 1<<16 - 1
)

// Frame is one frame.
type Frame struct {
	Type    FrameType
	Flags   uint8
	Stream  uint32
	Payload []byte
}

func (f Frame) has(flag uint8) bool { return f.Flags&flag != 0 }

// Append appends the frame as it is on the wire. The payload must be shorter than 16 MiB.
func (f Frame) Append(dst []byte) []byte {
	n := len(f.Payload)
	dst = append(dst, byte(n>>16), byte(n>>8), byte(n), byte(f.Type), f.Flags)
	dst = binary.BigEndian.AppendUint32(dst, f.Stream)
	return append(dst, f.Payload...)
}

// FrameReader reads frames, one after the other.
type FrameReader struct {
	R   io.Reader
	Max int // the longest payload, in bytes
	buf []byte
}

// Next reads one frame. Its payload is valid until the next call. io.EOF means that the stream ended between two frames.
func (r *FrameReader) Next() (Frame, error) {
	var head [frameHeaderLen]byte
	if _, err := io.ReadFull(r.R, head[:]); err != nil {
		return Frame{}, err
	}
	n := int(head[0])<<16 | int(head[1])<<8 | int(head[2])
	f := Frame{
		Type:   FrameType(head[3]),
		Flags:  head[4],
		Stream: binary.BigEndian.Uint32(head[5:]) & maxWindow, // the first bit is reserved
	}
	if n > r.Max {
		return f, connError(FrameSizeError, "a %s frame of %d bytes; at most %d are allowed", f.Type, n, r.Max)
	}
	if n > cap(r.buf) {
		r.buf = make([]byte, max(n, minMaxFrame))
	}
	f.Payload = r.buf[:n]
	if _, err := io.ReadFull(r.R, f.Payload); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return f, err
	}
	return f, nil
}

// unpad takes the padding off the payload of DATA and HEADERS.
func (f Frame) unpad() ([]byte, error) {
	p := f.Payload
	if !f.has(FlagPadded) {
		return p, nil
	}
	if len(p) == 0 {
		return nil, connError(FrameSizeError, "a padded %s frame without a pad length", f.Type)
	}
	pad := int(p[0])
	if p = p[1:]; pad > len(p) {
		return nil, connError(ProtocolError, "a %s frame with %d bytes of padding in %d bytes", f.Type, pad, len(p))
	}
	return p[:len(p)-pad], nil
}

// fragment gives the part of a HEADERS frame that is of the header block.
func (f Frame) fragment() ([]byte, error) {
	p, err := f.unpad()
	if err != nil {
		return nil, err
	}
	if f.has(FlagPriority) {
		if len(p) < 5 {
			return nil, connError(FrameSizeError, "a HEADERS frame with %d bytes for a priority, which has 5", len(p))
		}
		p = p[5:]
	}
	return p, nil
}

type setting struct {
	id    uint16
	value uint32
}

func (f Frame) settings() ([]setting, error) {
	p := f.Payload
	switch {
	case f.Stream != 0:
		return nil, connError(ProtocolError, "a SETTINGS frame on stream %d", f.Stream)
	case f.has(FlagAck) && len(p) > 0:
		return nil, connError(FrameSizeError, "an acknowledgement of SETTINGS with %d bytes", len(p))
	case len(p)%6 != 0:
		return nil, connError(FrameSizeError, "a SETTINGS frame of %d bytes; each setting has 6", len(p))
	}
	all := make([]setting, 0, len(p)/6)
	for ; len(p) > 0; p = p[6:] {
		s := setting{binary.BigEndian.Uint16(p), binary.BigEndian.Uint32(p[2:])}
		switch {
		case s.id == SettingEnablePush && s.value > 1:
			return nil, connError(ProtocolError, "SETTINGS_ENABLE_PUSH is %d; it is 0 or 1", s.value)
		case s.id == SettingInitialWindowSize && s.value > maxWindow:
			return nil, connError(FlowControlError, "SETTINGS_INITIAL_WINDOW_SIZE is %d; at most %d is allowed", s.value, maxWindow)
		case s.id == SettingMaxFrameSize && (s.value < minMaxFrame || s.value > maxMaxFrame):
			return nil, connError(ProtocolError, "SETTINGS_MAX_FRAME_SIZE is %d; it is %d to %d", s.value, minMaxFrame, maxMaxFrame)
		}
		all = append(all, s)
	}
	return all, nil
}

// fixed checks a frame whose length is given.
func (f Frame) fixed(length int) error {
	if len(f.Payload) != length {
		return connError(FrameSizeError, "a %s frame of %d bytes; it has %d", f.Type, len(f.Payload), length)
	}
	return nil
}

func settingsFrame(settings ...setting) Frame {
	var p []byte
	for _, s := range settings {
		p = binary.BigEndian.AppendUint16(p, s.id)
		p = binary.BigEndian.AppendUint32(p, s.value)
	}
	return Frame{Type: FrameSettings, Payload: p}
}

func windowFrame(stream uint32, n int) Frame {
	return Frame{Type: FrameWindowUpdate, Stream: stream, Payload: binary.BigEndian.AppendUint32(nil, uint32(n))}
}

func resetFrame(stream uint32, code ErrCode) Frame {
	return Frame{Type: FrameRSTStream, Stream: stream, Payload: binary.BigEndian.AppendUint32(nil, uint32(code))}
}

func goAwayFrame(last uint32, code ErrCode, debug string) Frame {
	p := binary.BigEndian.AppendUint32(nil, last)
	p = binary.BigEndian.AppendUint32(p, uint32(code))
	return Frame{Type: FrameGoAway, Payload: append(p, debug...)}
}

// appendBlock appends a header block as HEADERS and, where one frame is too short for it, CONTINUATION.
func appendBlock(dst []byte, stream uint32, block []byte, end bool, maxFrame int) []byte {
	f := Frame{Type: FrameHeaders, Stream: stream}
	if end {
		f.Flags = FlagEndStream
	}
	for {
		n := min(len(block), maxFrame)
		f.Payload, block = block[:n], block[n:]
		if len(block) == 0 {
			f.Flags |= FlagEndHeaders
			return f.Append(dst)
		}
		dst = f.Append(dst)
		f.Type, f.Flags = FrameContinuation, 0
	}
}
