package http2

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestExchange(t *testing.T) {
	p := start(t, Config{Handle: echo}).greet()

	p.send(headers(1, true, request("GET", "/a")))
	assert.Equal(t, "HEADERS 1 :status: 200,\nDATA 1 /a  END_STREAM\n", p.upTo("DATA"))

	p.send(headers(3, false, request("POST", "/b", Field{"content-length", "5"})), data(3, false, "he"), data(3, true, "llo"))
	assert.Equal(t, "HEADERS 3 :status: 200,\nDATA 3 /b hello END_STREAM\n", p.upTo("DATA"))

	p.send(headers(5, false, request("POST", "/trailers")), data(5, false, "x"), headers(5, true, []Field{{"sum", "1"}}))
	assert.Equal(t, "HEADERS 5 :status: 200,\nDATA 5 /trailers x sum=1 END_STREAM\n", p.upTo("DATA"))

	// Two at once, the second is answered first.
	p.send(headers(7, false, request("POST", "/slow")), headers(9, true, request("GET", "/fast")))
	assert.Equal(t, "HEADERS 9 :status: 200,\nDATA 9 /fast  END_STREAM\n", p.upTo("DATA"))
	p.send(data(7, true, "1"))
	assert.Equal(t, "HEADERS 7 :status: 200,\nDATA 7 /slow 1 END_STREAM\n", p.upTo("DATA"))

	// Padding, a priority, a block in three frames, frames of unknown types, and stream numbers with a hole.
	block := AppendFields(nil, request("POST", "/cut"))
	p.send(
		Frame{Type: 0xee, Flags: 0xff, Stream: 77, Payload: []byte("?")},
		Frame{Type: FramePriority, Stream: 31, Payload: make([]byte, 5)},
		Frame{Type: FrameHeaders, Flags: FlagPadded | FlagPriority, Stream: 21, Payload: append(append([]byte{3, 0, 0, 0, 0, 9}, block[:7]...), 0, 0, 0)},
		Frame{Type: FrameContinuation, Stream: 21},
		Frame{Type: FrameContinuation, Flags: FlagEndHeaders, Stream: 21, Payload: block[7:]},
		Frame{Type: FrameData, Flags: FlagPadded | FlagEndStream, Stream: 21, Payload: []byte("\x02ab\x00\x00")},
	)
	assert.Equal(t, "HEADERS 21 :status: 200,\nDATA 21 /cut ab END_STREAM\n", p.upTo("DATA"))

	assert.Empty(t, p.sync())
	p.nc.Close()
	assert.Equal(t, io.EOF, <-p.end)
	p.end <- nil
}

// TestConnectionErrors has what must end the connection, and the code of it. Each client has stream 1 open, and stream 3
// ended.
func TestConnectionErrors(t *testing.T) {
	get := AppendFields(nil, request("GET", "/"))
	continuations := func(n int, payload string) (frames []Frame) {
		frames = append(frames, Frame{Type: FrameHeaders, Stream: 5, Payload: get})
		for range n {
			frames = append(frames, Frame{Type: FrameContinuation, Stream: 5, Payload: []byte(payload)})
		}
		return frames
	}
	one := func(f ...Frame) []Frame { return f }
	for _, test := range []struct {
		reason string
		frames []Frame
		want   string
	}{
		{"DATA on stream 0", one(data(0, true, "x")), "PROTOCOL_ERROR a DATA frame on stream 0"},
		{"DATA on a stream that is idle", one(data(9, true, "x")), "PROTOCOL_ERROR a DATA frame on stream 9, which nobody has begun"},
		{"DATA on the server's stream", one(data(2, true, "x")), "PROTOCOL_ERROR a DATA frame on stream 2, which nobody has begun"},
		{"padding longer than DATA", one(Frame{Type: FrameData, Flags: FlagPadded, Stream: 1, Payload: []byte("\x05abcd")}),
			"PROTOCOL_ERROR a DATA frame with 5 bytes of padding in 4 bytes"},
		{"no pad length", one(Frame{Type: FrameData, Flags: FlagPadded, Stream: 1}), "FRAME_SIZE_ERROR a padded DATA frame without a pad length"},
		{"padding longer than HEADERS", one(Frame{Type: FrameHeaders, Flags: FlagPadded | FlagEndHeaders, Stream: 5, Payload: []byte{9, 0}}),
			"PROTOCOL_ERROR a HEADERS frame with 9 bytes of padding in 1 bytes"},
		{"HEADERS too short for a priority", one(Frame{Type: FrameHeaders, Flags: FlagPriority | FlagEndHeaders, Stream: 5, Payload: []byte{1}}),
			"FRAME_SIZE_ERROR a HEADERS frame with 1 bytes for a priority, which has 5"},
		{"HEADERS on stream 0", one(headers(0, true, request("GET", "/"))), "PROTOCOL_ERROR a HEADERS frame on stream 0; a client's streams are odd"},
		{"HEADERS on an even stream", one(headers(4, true, request("GET", "/"))), "PROTOCOL_ERROR a HEADERS frame on stream 4; a client's streams are odd"},
		{"HEADERS on a stream that has ended", one(headers(3, true, request("GET", "/"))), "STREAM_CLOSED a HEADERS frame on stream 3, which has ended"},
		{"a lower number", one(headers(9, true, request("GET", "/hang")), headers(7, true, request("GET", "/"))),
			"STREAM_CLOSED a HEADERS frame on stream 7, which has ended"},
		{"DATA in the middle of a block", one(Frame{Type: FrameHeaders, Stream: 5, Payload: get}, data(1, true, "x")),
			"PROTOCOL_ERROR a DATA frame on stream 1 in the middle of the header block of stream 5"},
		{"another stream's CONTINUATION", one(Frame{Type: FrameHeaders, Stream: 5, Payload: get}, Frame{Type: FrameContinuation, Stream: 1}),
			"PROTOCOL_ERROR a CONTINUATION frame on stream 1 in the middle of the header block of stream 5"},
		{"CONTINUATION of nothing", one(Frame{Type: FrameContinuation, Stream: 1}), "PROTOCOL_ERROR a CONTINUATION frame that continues no header block"},
		{"a flood of empty CONTINUATION", continuations(1025, ""), "ENHANCE_YOUR_CALM a header block in more than 1024 CONTINUATION frames"},
		{"a flood of CONTINUATION", continuations(5, strings.Repeat("\x00", 16384)), "ENHANCE_YOUR_CALM a header block of more than 65536 bytes"},
		{"a block that is none", one(Frame{Type: FrameHeaders, Flags: FlagEndHeaders, Stream: 5, Payload: []byte{0x80}}),
			"COMPRESSION_ERROR index 0; the tables have 1 to 61"},
		{"a frame that is too long", one(Frame{Type: FrameData, Stream: 1, Payload: make([]byte, 16385)}),
			"FRAME_SIZE_ERROR a DATA frame of 16385 bytes; at most 16384 are allowed"},
		{"SETTINGS on a stream", one(Frame{Type: FrameSettings, Stream: 1}), "PROTOCOL_ERROR a SETTINGS frame on stream 1"},
		{"SETTINGS of a wrong length", one(Frame{Type: FrameSettings, Payload: make([]byte, 7)}), "FRAME_SIZE_ERROR a SETTINGS frame of 7 bytes; each setting has 6"},
		{"a full acknowledgement", one(Frame{Type: FrameSettings, Flags: FlagAck, Payload: make([]byte, 6)}), "FRAME_SIZE_ERROR an acknowledgement of SETTINGS with 6 bytes"},
		{"push 2", one(settingsFrame(setting{SettingEnablePush, 2})), "PROTOCOL_ERROR SETTINGS_ENABLE_PUSH is 2; it is 0 or 1"},
		{"too large a window", one(settingsFrame(setting{SettingInitialWindowSize, 1 << 31})),
			"FLOW_CONTROL_ERROR SETTINGS_INITIAL_WINDOW_SIZE is 2147483648; at most 2147483647 is allowed"},
		{"too small a frame", one(settingsFrame(setting{SettingMaxFrameSize, 16383})), "PROTOCOL_ERROR SETTINGS_MAX_FRAME_SIZE is 16383; it is 16384 to 16777215"},
		{"too large a frame", one(settingsFrame(setting{SettingMaxFrameSize, 1 << 24})), "PROTOCOL_ERROR SETTINGS_MAX_FRAME_SIZE is 16777216; it is 16384 to 16777215"},
		{"a setting that overflows a window", one(windowFrame(1, 1<<31-1-65535), settingsFrame(setting{SettingInitialWindowSize, 65536})),
			"FLOW_CONTROL_ERROR SETTINGS_INITIAL_WINDOW_SIZE makes a stream's window larger than 2147483647"},
		{"PUSH_PROMISE", one(Frame{Type: FramePushPromise, Stream: 1, Payload: make([]byte, 4)}), "PROTOCOL_ERROR a client must not send PUSH_PROMISE"},
		{"PING on a stream", one(Frame{Type: FramePing, Stream: 1, Payload: make([]byte, 8)}), "PROTOCOL_ERROR a PING frame on stream 1"},
		{"PING of a wrong length", one(Frame{Type: FramePing, Payload: make([]byte, 7)}), "FRAME_SIZE_ERROR a PING frame of 7 bytes; it has 8"},
		{"GOAWAY on a stream", one(Frame{Type: FrameGoAway, Stream: 1, Payload: make([]byte, 8)}), "PROTOCOL_ERROR a GOAWAY frame on stream 1"},
		{"GOAWAY of a wrong length", one(Frame{Type: FrameGoAway, Payload: make([]byte, 7)}), "FRAME_SIZE_ERROR a GOAWAY frame of 7 bytes; it has at least 8"},
		{"RST_STREAM on stream 0", one(resetFrame(0, Cancel)), "PROTOCOL_ERROR a RST_STREAM frame on stream 0"},
		{"RST_STREAM on an idle stream", one(resetFrame(9, Cancel)), "PROTOCOL_ERROR a RST_STREAM frame on stream 9, which nobody has begun"},
		{"RST_STREAM of a wrong length", one(Frame{Type: FrameRSTStream, Stream: 1, Payload: make([]byte, 3)}), "FRAME_SIZE_ERROR a RST_STREAM frame of 3 bytes; it has 4"},
		{"PRIORITY on stream 0", one(Frame{Type: FramePriority, Payload: make([]byte, 5)}), "PROTOCOL_ERROR a PRIORITY frame on stream 0"},
		{"PRIORITY of a wrong length", one(Frame{Type: FramePriority, Stream: 9, Payload: make([]byte, 4)}), "FRAME_SIZE_ERROR a PRIORITY frame of 4 bytes; it has 5"},
		{"WINDOW_UPDATE of 0", one(windowFrame(0, 0)), "PROTOCOL_ERROR a WINDOW_UPDATE frame of 0"},
		{"WINDOW_UPDATE of a wrong length", one(Frame{Type: FrameWindowUpdate, Payload: make([]byte, 3)}), "FRAME_SIZE_ERROR a WINDOW_UPDATE frame of 3 bytes; it has 4"},
		{"WINDOW_UPDATE on an idle stream", one(windowFrame(9, 1)), "PROTOCOL_ERROR a WINDOW_UPDATE frame on stream 9, which nobody has begun"},
		{"the connection's window overflows", one(windowFrame(0, 1<<31-1)), "FLOW_CONTROL_ERROR WINDOW_UPDATE makes the connection's window larger than 2147483647"},
	} {
		t.Run(test.reason, func(t *testing.T) {
			ended := make(chan error, 10)
			p := start(t, Config{Handle: func(s *Stream) {
				if path(s) == "/hang" {
					_, err := readAll(s)
					if err == nil {
						<-s.Done()
						err = s.Err()
					}
					ended <- err
					return
				}
				echo(s)
			}}).greet()
			p.send(headers(1, false, request("POST", "/hang")), headers(3, true, request("GET", "/")))
			p.upTo("DATA 3")
			p.send(test.frames...)
			code, reason, _ := strings.Cut(test.want, " ")
			all := p.rest()
			last := ""
			if lines := strings.Split(strings.TrimSpace(all), "\n"); len(lines) > 0 {
				last = lines[len(lines)-1]
			}
			_, last, _ = strings.Cut(last, " 0 last=")
			_, last, _ = strings.Cut(last, " ")
			assert.Equal(t, test.want, last, all)
			p.nc.Close()
			err := <-p.end
			p.end <- err
			assert.EqualError(t, err, "HTTP/2 connection error "+code+": "+reason)
			assert.Equal(t, err, <-ended, "the handler of the stream that was open is told")
		})
	}
}

// TestStreamErrors has what must reset one stream and leave the others alone.
func TestStreamErrors(t *testing.T) {
	post := func(more ...Field) []Field { return request("POST", "/", more...) }
	one := func(f ...Frame) []Frame { return f }
	for _, test := range []struct {
		reason    string
		frames    []Frame
		want      string
		malformed string // what Config.Malformed is told
	}{
		{"DATA on a stream that has ended", one(data(1, true, "x")), "RST_STREAM 1 STREAM_CLOSED\n", ""},
		{"DATA behind END_STREAM", one(headers(3, true, request("GET", "/hang")), data(3, true, "x")), "RST_STREAM 3 STREAM_CLOSED\n", ""},
		{"HEADERS behind END_STREAM", one(headers(3, true, request("GET", "/hang")), headers(3, true, nil)), "RST_STREAM 3 STREAM_CLOSED\n", ""},
		{"trailers that do not end it", one(headers(3, false, post()), headers(3, false, nil)), "RST_STREAM 3 PROTOCOL_ERROR\n", ""},
		{"a pseudo-header in the trailers", one(headers(3, false, post()), headers(3, true, []Field{{":path", "/"}})), "RST_STREAM 3 PROTOCOL_ERROR\n", ""},
		{"trailers with Connection", one(headers(3, false, post()), headers(3, true, []Field{{"connection", "close"}})), "RST_STREAM 3 PROTOCOL_ERROR\n", ""},
		{"too large trailers", one(headers(3, false, post()), Frame{Type: FrameHeaders, Flags: FlagEndStream, Stream: 3,
			Payload: AppendFields(nil, []Field{{"a", strings.Repeat("x", 16000)}})},
			Frame{Type: FrameContinuation, Stream: 3, Payload: AppendFields(nil, []Field{{"a", strings.Repeat("x", 16000)}})},
			Frame{Type: FrameContinuation, Stream: 3, Payload: AppendFields(nil, []Field{{"a", strings.Repeat("x", 16000)}})},
			Frame{Type: FrameContinuation, Flags: FlagEndHeaders, Stream: 3, Payload: []byte(strings.Repeat("\x82", 1000))}),
			"RST_STREAM 3 ENHANCE_YOUR_CALM\n", ""},
		{"more than content-length", one(headers(3, false, post(Field{"content-length", "1"})), data(3, false, "xx")), "RST_STREAM 3 PROTOCOL_ERROR\n", ""},
		{"less than content-length", one(headers(3, false, post(Field{"content-length", "3"})), data(3, true, "xx")), "RST_STREAM 3 PROTOCOL_ERROR\n", ""},
		{"less than content-length, and trailers", one(headers(3, false, post(Field{"content-length", "3"})), headers(3, true, nil)), "RST_STREAM 3 PROTOCOL_ERROR\n", ""},
		{"WINDOW_UPDATE of 0", one(headers(3, false, post()), windowFrame(3, 0)), "RST_STREAM 3 PROTOCOL_ERROR\n", ""},
		{"a window that overflows", one(headers(3, false, post()), windowFrame(3, 1<<31-1)), "RST_STREAM 3 FLOW_CONTROL_ERROR\n", ""},

		{"no fields", one(headers(3, true, nil)), "RST_STREAM 3 PROTOCOL_ERROR\n", "no :method"},
		{"no scheme", one(headers(3, true, []Field{{":method", "GET"}, {":path", "/"}})), "RST_STREAM 3 PROTOCOL_ERROR\n", "no :scheme"},
		{"no path", one(headers(3, true, []Field{{":method", "GET"}, {":scheme", "https"}})), "RST_STREAM 3 PROTOCOL_ERROR\n", `:path is ""`},
		{"a path that is none", one(headers(3, true, request("GET", "*"))), "RST_STREAM 3 PROTOCOL_ERROR\n", `:path is "*"`},
		{"a method that is none", one(headers(3, true, request("G T", "/"))), "RST_STREAM 3 PROTOCOL_ERROR\n", `"G T" is no method`},
		{"CONNECT with a path", one(headers(3, true, request("CONNECT", "/"))), "RST_STREAM 3 PROTOCOL_ERROR\n", "CONNECT has :authority, and neither :scheme nor :path"},
		{"a pseudo-header twice", one(headers(3, true, append([]Field{{":path", "/"}}, post()...))), "RST_STREAM 3 PROTOCOL_ERROR\n", ":path comes twice"},
		{"a pseudo-header behind others", one(headers(3, true, post(Field{"a", "b"}, Field{":protocol", "x"}))), "RST_STREAM 3 PROTOCOL_ERROR\n",
			":protocol comes behind a header that is none of the pseudo-headers"},
		{"a pseudo-header of a reply", one(headers(3, true, append([]Field{{":status", "200"}}, post()...))), "RST_STREAM 3 PROTOCOL_ERROR\n", `":status" is no pseudo-header of a request`},
		{"upper case", one(headers(3, true, post(Field{"X-A", "b"}))), "RST_STREAM 3 PROTOCOL_ERROR\n", "the header X-A is not in lower case"},
		{"a name that is none", one(headers(3, true, post(Field{"a b", "b"}))), "RST_STREAM 3 PROTOCOL_ERROR\n", `"a b" is not a name for a header`},
		{"a line break", one(headers(3, true, post(Field{"a", "b\r\nc"}))), "RST_STREAM 3 PROTOCOL_ERROR\n", `the value of a is "b\r\nc"`},
		{"a line break in the path", one(headers(3, true, request("GET", "/\n"))), "RST_STREAM 3 PROTOCOL_ERROR\n", `the value of :path is "/\n"`},
		{"a space around a value", one(headers(3, true, post(Field{"a", " b"}))), "RST_STREAM 3 PROTOCOL_ERROR\n", `the value of a is " b"`},
		{"Connection", one(headers(3, true, post(Field{"connection", "close"}))), "RST_STREAM 3 PROTOCOL_ERROR\n", "the header connection, which HTTP/2 does not have"},
		{"Transfer-Encoding", one(headers(3, true, post(Field{"transfer-encoding", "chunked"}))), "RST_STREAM 3 PROTOCOL_ERROR\n", "the header transfer-encoding, which HTTP/2 does not have"},
		{"TE", one(headers(3, true, post(Field{"te", "gzip"}))), "RST_STREAM 3 PROTOCOL_ERROR\n", `the header te is "gzip"; HTTP/2 has nothing but trailers`},
		{"a content-length that is none", one(headers(3, true, post(Field{"content-length", "-1"}))), "RST_STREAM 3 PROTOCOL_ERROR\n", `content-length is "-1"`},
		{"two content-lengths", one(headers(3, true, post(Field{"content-length", "1"}, Field{"content-length", "2"}))), "RST_STREAM 3 PROTOCOL_ERROR\n", `content-length is "2"`},
		{"content-length and no body", one(headers(3, true, post(Field{"content-length", "1"}))), "RST_STREAM 3 PROTOCOL_ERROR\n", "content-length promises a body, and none came"},
	} {
		t.Run(test.reason, func(t *testing.T) {
			malformed := make(chan error, 1)
			p := start(t, Config{
				Malformed: func(_ []Field, err error) { malformed <- err },
				Handle: func(s *Stream) {
					if path(s) == "/hang" {
						<-s.Done()
						return
					}
					echo(s)
				},
			}).greet()
			p.send(headers(1, true, request("GET", "/")))
			p.upTo("DATA 1")
			p.send(test.frames...)
			assert.Equal(t, test.want, p.sync())
			if test.malformed != "" {
				assert.EqualError(t, <-malformed, "HTTP/2 stream 3: PROTOCOL_ERROR: "+test.malformed)
			}
			assert.Empty(t, malformed)
			// What the client sent before it knew is taken in silence.
			if strings.HasPrefix(test.want, "RST_STREAM 3") {
				p.send(headers(3, true, post()), data(3, true, "x"))
				assert.Empty(t, p.sync())
			}
			p.send(headers(5, true, request("GET", "/next")))
			assert.Equal(t, "HEADERS 5 :status: 200,\nDATA 5 /next  END_STREAM\n", p.upTo("DATA"))
		})
	}
}

func TestPreface(t *testing.T) {
	for _, test := range []struct{ reason, send, want string }{
		{"HTTP/1", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", `it begins with "`},
		{"one wrong byte", Preface[:23] + "x", `it begins with "PRI`},
		{"no SETTINGS", Preface + string(Frame{Type: FramePing, Payload: make([]byte, 8)}.Append(nil)), "the first frame is PING, not SETTINGS"},
		{"an acknowledgement first", Preface + string(Frame{Type: FrameSettings, Flags: FlagAck}.Append(nil)), "the first frame is SETTINGS, not SETTINGS"},
	} {
		t.Run(test.reason, func(t *testing.T) {
			p := start(t, Config{Handle: echo})
			p.write([]byte(test.send))
			assert.Contains(t, p.rest(), "GOAWAY 0 last=0 PROTOCOL_ERROR "+test.want)
			p.nc.Close()
			err := <-p.end
			p.end <- err
			assert.ErrorContains(t, err, "HTTP/2 connection error PROTOCOL_ERROR: "+test.want)
		})
	}
	for _, test := range []struct {
		reason, send string
		want         error
	}{
		{"nothing", "", io.EOF},
		{"half a preface", Preface[:9], io.ErrUnexpectedEOF},
		{"half a frame's header", Preface + "\x00\x00", io.ErrUnexpectedEOF},
		{"half a frame", Preface + "\x00\x00\x06\x04\x00\x00\x00\x00\x00abc", io.ErrUnexpectedEOF},
		{"a frame without its payload", Preface + "\x00\x00\x06\x04\x00\x00\x00\x00\x00", io.ErrUnexpectedEOF},
		{"half a header block", Preface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\x00\x00\x00\x01\x00\x00\x00\x00\x01", io.ErrUnexpectedEOF},
		{"a whole preface", Preface, io.EOF},
	} {
		t.Run(test.reason, func(t *testing.T) {
			p := start(t, Config{Handle: echo})
			p.write([]byte(test.send))
			require.NoError(t, p.nc.(interface{ CloseWrite() error }).CloseWrite())
			err := <-p.end
			p.end <- err
			assert.Equal(t, test.want, err)
		})
	}
}

// TestReadDeadline: whoever uses a Conn ends an idle one with a deadline.
func TestReadDeadline(t *testing.T) {
	p := start(t, Config{Handle: echo}).greet()
	p.send(headers(1, true, request("GET", "/")))
	p.upTo("DATA")
	require.NoError(t, p.conn.nc.SetReadDeadline(time.Unix(1, 0)))
	assert.Empty(t, p.rest())
	p.nc.Close()
	err := <-p.end
	p.end <- err
	assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
	assert.EqualValues(t, 1, p.conn.LastStream())
}

func TestRefusesStreams(t *testing.T) {
	p := start(t, Config{Handle: func(s *Stream) { <-s.Done() }, MaxStreams: 100}).greet()
	for i := range 100 {
		p.send(headers(uint32(2*i+1), true, request("GET", "/")))
	}
	p.send(headers(201, true, request("GET", "/")))
	assert.Equal(t, "RST_STREAM 201 REFUSED_STREAM\n", p.sync())
	p.send(resetFrame(1, Cancel), headers(203, true, request("GET", "/")))
	assert.Empty(t, p.sync(), "there is room again")
}

// TestRapidReset: streams that are reset at once do not count as open, but their handlers run.
func TestRapidReset(t *testing.T) {
	release := make(chan bool)
	p := start(t, Config{Handle: func(s *Stream) { <-release }}).greet()
	defer close(release)
	for i := range 201 {
		p.send(headers(uint32(2*i+1), true, request("GET", "/")), resetFrame(uint32(2*i+1), Cancel))
	}
	assert.Equal(t, "GOAWAY 0 last=401 ENHANCE_YOUR_CALM streams are begun and reset faster than the server can follow\n", p.upTo("GOAWAY"))
}

// TestPingFlood: answers that nobody reads are not gathered without end.
func TestPingFlood(t *testing.T) {
	w := &writer{}
	w.mu.Lock() // somebody is writing
	n := 0
	for w.post(Frame{Type: FramePing, Flags: FlagAck, Payload: make([]byte, 8)}) {
		n++
	}
	assert.Equal(t, maxQueue/17+1, n)
}

func TestErrorTexts(t *testing.T) {
	assert.Equal(t, "HTTP_1_1_REQUIRED", HTTP11Required.String())
	assert.Equal(t, "0xe", ErrCode(14).String())
	assert.Equal(t, "0xffffffff", ErrCode(1<<32-1).String())
	assert.Equal(t, "CONTINUATION", FrameContinuation.String())
	assert.Equal(t, "frame type 0xa", FrameType(10).String())
	assert.Equal(t, "HTTP/2 stream 3: the client reset it with CANCEL", StreamError{Stream: 3, Code: Cancel}.Error())
	assert.False(t, errors.Is(StreamError{Stream: 3}, io.EOF))
}
