package http2

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Describe writes a frame as one line, for people and for tests: "HEADERS 1 :status: 200, END_STREAM". Header blocks that
// are in one frame are decoded with d. A long text is given by its length.
func (f Frame) Describe(d *HeaderDecoder) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d", f.Type, f.Stream)
	short := func(n int) bool {
		if len(f.Payload) < n {
			fmt.Fprintf(&b, " (%d bytes, too short)", len(f.Payload))
			return true
		}
		return false
	}
	u32 := func(at int) uint32 { return binary.BigEndian.Uint32(f.Payload[at:]) }
	switch f.Type {
	case FrameData:
		b.WriteString(" " + shorten(f.Payload))
	case FrameHeaders, FrameContinuation:
		if f.Type == FrameContinuation || !f.has(FlagEndHeaders) {
			fmt.Fprintf(&b, " (%d bytes)", len(f.Payload))
			break
		}
		block, err := f.fragment()
		if err == nil {
			err = d.Decode(block, func(f Field) { fmt.Fprintf(&b, " %s: %s,", f.Name, shorten([]byte(f.Value))) })
		}
		if err != nil {
			b.WriteString(" " + err.Error())
		}
	case FrameSettings:
		settings, err := f.settings()
		if err != nil {
			b.WriteString(" " + err.Error())
		}
		for _, s := range settings {
			fmt.Fprintf(&b, " %d=%d", s.id, s.value)
		}
	case FramePing:
		fmt.Fprintf(&b, " %q", f.Payload)
	case FrameRSTStream:
		if !short(4) {
			b.WriteString(" " + ErrCode(u32(0)).String())
		}
	case FrameWindowUpdate:
		if !short(4) {
			fmt.Fprint(&b, " ", u32(0))
		}
	case FrameGoAway:
		if !short(8) {
			fmt.Fprintf(&b, " last=%d %s %s", u32(0), ErrCode(u32(4)), f.Payload[8:])
		}
	}
	switch f.Type {
	case FrameSettings, FramePing:
		if f.has(FlagAck) {
			b.WriteString(" ACK")
		}
	case FrameData, FrameHeaders:
		if f.has(FlagEndStream) {
			b.WriteString(" END_STREAM")
		}
	}
	return b.String()
}

func shorten(text []byte) string {
	if len(text) > 60 {
		return fmt.Sprintf("(%d bytes)", len(text))
	}
	return string(text)
}
