package http2

import (
	"fmt"
	"strconv"
)

// ErrCode is an error code of RFC 9113, section 7.
type ErrCode uint32

// The error codes.
const (
	NoError            ErrCode = 0x0
	ProtocolError      ErrCode = 0x1
	InternalError      ErrCode = 0x2
	FlowControlError   ErrCode = 0x3
	SettingsTimeout    ErrCode = 0x4
	StreamClosed       ErrCode = 0x5
	FrameSizeError     ErrCode = 0x6
	RefusedStream      ErrCode = 0x7
	Cancel             ErrCode = 0x8
	CompressionError   ErrCode = 0x9
	ConnectError       ErrCode = 0xa
	EnhanceYourCalm    ErrCode = 0xb
	InadequateSecurity ErrCode = 0xc
	HTTP11Required     ErrCode = 0xd
)

var codeNames = [...]string{
	"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
	"FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
	"INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
}

// String gives the name that the RFC has for the code.
func (c ErrCode) String() string {
	if int64(c) < int64(len(codeNames)) {
		return codeNames[c]
	}
	return "0x" + strconv.FormatUint(uint64(c), 16)
}

// ConnError is what the client did wrong so that the connection cannot go on.
type ConnError struct {
	Code   ErrCode
	Reason string
}

// Error says what was wrong, with the code that the client is sent.
func (e ConnError) Error() string {
	return fmt.Sprintf("HTTP/2 connection error %s: %s", e.Code, e.Reason)
}

// StreamError is why one stream ended before its time.
type StreamError struct {
	Stream uint32
	Code   ErrCode
	Reason string // "" when the client reset the stream
}

// Error says why, with the code that was sent or received.
func (e StreamError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("HTTP/2 stream %d: the client reset it with %s", e.Stream, e.Code)
	}
	return fmt.Sprintf("HTTP/2 stream %d: %s: %s", e.Stream, e.Code, e.Reason)
}

func connError(code ErrCode, format string, args ...any) error {
	return ConnError{code, fmt.Sprintf(format, args...)}
}

func streamError(id uint32, code ErrCode, format string, args ...any) error {
	return StreamError{id, code, fmt.Sprintf(format, args...)}
}
