package http2

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestSendWindow: DATA is sent as the client's windows have room for it, and no byte more.
func TestSendWindow(t *testing.T) {
	sent := make(chan int, 1)
	p := start(t, Config{Handle: func(s *Stream) {
		if s.WriteHeaders([]Field{{":status", "200"}}, false) == nil {
			n, err := s.Write([]byte("0123456789abcdef"), true)
			if err == nil {
				sent <- n
			}
		}
	}}).greet(setting{SettingInitialWindowSize, 4})
	p.send(headers(1, true, request("GET", "/")))
	assert.Equal(t, "HEADERS 1 :status: 200,\nDATA 1 0123\n", p.upTo("DATA"))
	assert.Empty(t, p.sync())
	p.send(windowFrame(1, 2))
	assert.Equal(t, "DATA 1 45\n", p.upTo("DATA"))
	p.send(settingsFrame(setting{SettingInitialWindowSize, 2})) // below what was sent already
	assert.Equal(t, "SETTINGS 0 ACK\n", p.sync())
	p.send(windowFrame(1, 2))
	assert.Empty(t, p.sync())
	p.send(windowFrame(1, 1))
	assert.Equal(t, "DATA 1 6\n", p.upTo("DATA"))
	p.send(settingsFrame(setting{SettingInitialWindowSize, 3}))
	assert.Equal(t, "SETTINGS 0 ACK\n", p.upTo("SETTINGS"))
	assert.Equal(t, "DATA 1 7\n", p.upTo("DATA"))
	assert.Empty(t, sent)
	p.send(windowFrame(1, 100))
	assert.Equal(t, "DATA 1 89abcdef END_STREAM\n", p.upTo("DATA"))
	assert.Equal(t, 16, <-sent)
}

// TestSendConnWindow: one stream must not send what the connection has no room for, and others wait for the same window.
func TestSendConnWindow(t *testing.T) {
	p := start(t, Config{Handle: func(s *Stream) {
		s.WriteHeaders([]Field{{":status", "200"}}, false)
		s.Write(make([]byte, 60_000), true)
	}}).greet(setting{SettingInitialWindowSize, 1 << 20}, setting{SettingMaxFrameSize, 50_000})
	p.send(headers(1, true, request("GET", "/")))
	assert.Equal(t, "HEADERS 1 :status: 200,\nDATA 1 (50000 bytes)\nDATA 1 (10000 bytes) END_STREAM\n", p.upTo("DATA 1 (10000 bytes)"))
	p.send(headers(3, true, request("GET", "/")), headers(5, true, request("GET", "/")))
	got := ""
	for strings.Count(got, "\n") < 3 { // the rest of the window goes to one of them
		got += p.until(func(string) bool { return true }, false) + p.seen + "\n"
	}
	assert.Equal(t, 2, strings.Count(got, "HEADERS"), got)
	assert.Equal(t, 1, strings.Count(got, " (5535 bytes)\n"), got)
	assert.Empty(t, p.sync())
	p.send(windowFrame(0, 1<<20))
	rest := ""
	for strings.Count(rest, "END_STREAM") < 2 {
		rest += p.upTo("DATA")
	}
}

// TestRecvWindow: the client gets its window back as the handler reads, and a client that sends more is told.
func TestRecvWindow(t *testing.T) {
	read := make(chan bool)
	defer close(read)
	p := start(t, Config{Handle: func(s *Stream) {
		for range read {
			n, err := io.ReadFull(reader{s}, make([]byte, streamWindow/2))
			assert.NoError(t, err)
			assert.Equal(t, streamWindow/2, n)
		}
		<-s.Done()
	}}).greet()
	p.send(headers(1, false, request("POST", "/")))
	for range streamWindow / minMaxFrame {
		p.send(data(1, false, strings.Repeat("x", minMaxFrame)))
	}
	assert.Empty(t, p.sync())
	read <- true
	assert.Equal(t, "WINDOW_UPDATE 1 131072\n", p.upTo("WINDOW_UPDATE"))
	read <- true
	assert.Equal(t, "WINDOW_UPDATE 0 262144\nWINDOW_UPDATE 1 131072\n", p.upTo("WINDOW_UPDATE 1"))
	for range streamWindow / minMaxFrame {
		p.send(data(1, false, strings.Repeat("x", minMaxFrame)))
	}
	assert.Empty(t, p.sync())
	p.send(data(1, false, "x"))
	assert.Equal(t, "WINDOW_UPDATE 0 262145\nRST_STREAM 1 FLOW_CONTROL_ERROR\n", sortLines(p.sync()), "the connection gets back what nobody will read")
}

type reader struct{ s *Stream }

func (r reader) Read(p []byte) (int, error) { return r.s.Read(p, 0) }

// sortLines puts WINDOW_UPDATE first.
func sortLines(s string) string {
	lines := strings.SplitAfter(s, "\n")
	var first, rest string
	for _, l := range lines {
		if strings.HasPrefix(l, "WINDOW_UPDATE") {
			first += l
		} else {
			rest += l
		}
	}
	return first + rest
}

// TestRecvConnWindow: what nobody reads of streams that are gone does not use up the connection.
func TestRecvConnWindow(t *testing.T) {
	p := start(t, Config{Handle: func(s *Stream) { s.WriteHeaders([]Field{{":status", "403"}}, true); s.Reset(NoError) }}).greet()
	for i := range 3 * connWindow / (200 << 10) {
		id := uint32(2*i + 1)
		p.send(headers(id, false, request("POST", "/")))
		for sent := 0; sent < 200<<10; sent += 10 << 10 {
			p.send(data(id, false, strings.Repeat("x", 10<<10)))
		}
		p.send(data(id, true, ""))
		assert.NotContains(t, p.sync(), "GOAWAY")
	}
	// And DATA with nothing but padding, which is given back where a handler reads.
	p = start(t, Config{Handle: echo}).greet()
	p.send(headers(1, false, request("POST", "/")))
	left, conn := streamWindow, connWindow
	for range 3 * connWindow / 256 {
		p.send(Frame{Type: FrameData, Flags: FlagPadded, Stream: 1, Payload: append([]byte{255}, make([]byte, 255)...)})
		left, conn = left-256, conn-256
		for left < 256 || conn < 256 {
			p.upTo("WINDOW_UPDATE")
			id, n := uint32(0), 0
			_, err := fmt.Sscanf(p.seen, "WINDOW_UPDATE %d %d", &id, &n)
			assert.NoError(t, err)
			if id == 0 {
				conn += n
			} else {
				left += n
			}
		}
	}
	p.send(data(1, true, "x"))
	p.upTo("DATA 1 / x END_STREAM")

	// What a handler leaves unread is given back when it resets the stream, and not with the client's next frame.
	release := make(chan bool)
	p = start(t, Config{Handle: func(s *Stream) { <-release; s.Reset(Cancel) }}).greet()
	p.send(headers(1, false, request("POST", "/")))
	for range streamWindow / minMaxFrame {
		p.send(data(1, false, strings.Repeat("x", minMaxFrame)))
	}
	assert.Empty(t, p.sync())
	close(release)
	assert.Equal(t, "RST_STREAM 1 CANCEL\nWINDOW_UPDATE 0 262144\n", p.upTo("WINDOW_UPDATE"))

	// A handler that reads nothing stops the client in the end.
	p = start(t, Config{Handle: func(s *Stream) { <-s.Done() }}).greet()
	for i := range 5 {
		id := uint32(2*i + 1)
		p.send(headers(id, false, request("POST", "/")))
		for range streamWindow / minMaxFrame {
			p.send(data(id, false, strings.Repeat("x", minMaxFrame)))
			if i == 4 {
				break
			}
		}
	}
	assert.Equal(t, "GOAWAY 0 last=9 FLOW_CONTROL_ERROR more DATA than the connection's window of 1048576 bytes has room for\n", p.upTo("GOAWAY"))
}

func TestReadWaits(t *testing.T) {
	got := make(chan error, 10)
	p := start(t, Config{Handle: func(s *Stream) {
		_, err := s.Read(make([]byte, 10), time.Millisecond)
		got <- err
		_, err = s.Read(make([]byte, 10), time.Hour)
		got <- err
		_, err = s.Read(make([]byte, 10), time.Hour)
		got <- err
		_, err = s.Write([]byte("x"), false)
		got <- err
		got <- s.WriteHeaders(nil, false)
		got <- s.Err()
	}}).greet()
	p.send(headers(1, false, request("POST", "/")))
	assert.Equal(t, os.ErrDeadlineExceeded, <-got)
	p.send(data(1, false, "x"))
	assert.NoError(t, <-got)
	p.send(resetFrame(1, Cancel))
	gone := StreamError{Stream: 1, Code: Cancel}
	for range 4 {
		assert.Equal(t, gone, <-got)
	}
	assert.Empty(t, p.sync())
}

// TestFaults is what the package is there for.
func TestFaults(t *testing.T) {
	ok := []Field{{":status", "200"}}
	for _, test := range []struct {
		reason string
		handle func(*Stream)
		want   string
	}{
		{"reset before headers", func(s *Stream) { s.Reset(InternalError); s.Reset(Cancel) }, "RST_STREAM 1 INTERNAL_ERROR\n"},
		{"reset in the body", func(s *Stream) { s.WriteHeaders(ok, false); s.Write([]byte("abc"), false); s.Reset(NoError) },
			"HEADERS 1 :status: 200,\nDATA 1 abc\nRST_STREAM 1 NO_ERROR\n"},
		{"refused", func(s *Stream) { s.Reset(RefusedStream) }, "RST_STREAM 1 REFUSED_STREAM\n"},
		{"never ended", func(s *Stream) { s.WriteHeaders(ok, false); s.Write([]byte("abc"), false) }, "HEADERS 1 :status: 200,\nDATA 1 abc\n"},
		{"headers alone", func(s *Stream) { s.WriteHeaders(ok, true) }, "HEADERS 1 :status: 200, END_STREAM\n"},
		{"an empty DATA frame ends it", func(s *Stream) { s.WriteHeaders(ok, false); s.Write(nil, true) }, "HEADERS 1 :status: 200,\nDATA 1  END_STREAM\n"},
		{"nothing is sent behind the end", func(s *Stream) {
			s.WriteHeaders(ok, true)
			s.Write([]byte("abc"), true)
			s.WriteHeaders(ok, true)
			s.Reset(Cancel)
		}, "HEADERS 1 :status: 200, END_STREAM\n"},
		{"early hints, and trailers", func(s *Stream) {
			s.WriteHeaders([]Field{{":status", "103"}, {"link", "</a>"}}, false)
			s.WriteHeaders(ok, false)
			s.Write([]byte("abc"), false)
			s.WriteHeaders([]Field{{"sum", "1"}}, true)
		}, "HEADERS 1 :status: 103, link: </a>,\nHEADERS 1 :status: 200,\nDATA 1 abc\nHEADERS 1 sum: 1, END_STREAM\n"},
		{"headers that need CONTINUATION", func(s *Stream) {
			s.WriteHeaders([]Field{{":status", "200"}, {"x", strings.Repeat("x", 40_000)}}, true)
		}, "HEADERS 1 (16384 bytes) END_STREAM\nCONTINUATION 1 (16384 bytes)\nCONTINUATION 1 (7253 bytes)\n"},
		{"bytes that are no frame of ours", func(s *Stream) { s.WriteRaw([]byte("\x00\x00\x03\x00\x00\x00\x00\x00\x09raw")) }, "DATA 9 raw\n"},
		{"GOAWAY, and no answer", func(s *Stream) { s.GoAway(0, NoError, "bye"); s.WriteHeaders(ok, true) }, "GOAWAY 0 last=0 NO_ERROR bye\n"},
		{"GOAWAY, and the answer", func(s *Stream) { s.GoAway(1, NoError, ""); s.WriteHeaders(ok, true) },
			"GOAWAY 0 last=1 NO_ERROR \nHEADERS 1 :status: 200, END_STREAM\n"},
	} {
		t.Run(test.reason, func(t *testing.T) {
			done := make(chan bool, 2)
			p := start(t, Config{Handle: func(s *Stream) { test.handle(s); done <- true }}).greet()
			p.send(headers(1, true, request("GET", "/")))
			<-done
			got := p.sync()
			assert.Equal(t, test.want, got)
			// After GOAWAY no stream is begun any more.
			p.send(headers(3, true, request("GET", "/")))
			if strings.Contains(got, "GOAWAY") {
				assert.Empty(t, p.sync())
				assert.Empty(t, done)
			} else {
				<-done
			}
		})
	}
}

// TestOpen: a stream is open until both sides have ended it, and not open any more when the client can see its end.
func TestOpen(t *testing.T) {
	var open atomic.Int64
	p := start(t, Config{
		Open: func(n int) { open.Store(int64(n)) },
		Handle: func(s *Stream) {
			switch path(s) {
			case "/leave":
				return
			case "/early":
				s.WriteHeaders([]Field{{":status", "200"}}, true)
			default:
				echo(s)
			}
		},
	}).greet()
	p.send(headers(1, true, request("GET", "/")))
	p.upTo("DATA")
	assert.Zero(t, open.Load())
	p.send(headers(3, true, request("GET", "/leave")))
	p.sync()
	assert.EqualValues(t, 1, open.Load())
	p.send(headers(5, false, request("POST", "/early")))
	p.upTo("HEADERS 5")
	assert.EqualValues(t, 2, open.Load(), "the client has not ended it")
	p.send(data(5, true, ""))
	p.sync()
	assert.EqualValues(t, 1, open.Load())
	p.send(resetFrame(3, Cancel))
	p.sync()
	assert.Zero(t, open.Load())
}

func TestTooLargeHeaders(t *testing.T) {
	p := start(t, Config{MaxHeader: testMaxHeader, Handle: func(s *Stream) {
		status := "200"
		if s.TooLarge {
			status = "431"
		}
		s.WriteHeaders([]Field{{":status", status}, {"n", path(s)}}, true)
	}}).greet()
	// A field of 4000 bytes in the table, and then one byte for each time that it comes again.
	fields := AppendFields(nil, request("GET", "/"))
	fields = append(fields, 0x40, 1, 'a')
	fields = append(appendInt(fields, 4000, 7, 0), strings.Repeat("x", 4000)...)
	small, large := append([]byte(nil), fields...), fields
	large = append(large, strings.Repeat("\xbe", 12_000)...)
	p.send(Frame{Type: FrameHeaders, Flags: FlagEndHeaders | FlagEndStream, Stream: 1, Payload: large[:16384]})
	assert.Equal(t, "HEADERS 1 :status: 431, n: /, END_STREAM\n", p.upTo("HEADERS"))
	p.send(Frame{Type: FrameHeaders, Flags: FlagEndHeaders | FlagEndStream, Stream: 3, Payload: small})
	assert.Equal(t, "HEADERS 3 :status: 200, n: /, END_STREAM\n", p.upTo("HEADERS"))
}

// TestNotReading: a client that sends a body before it reads the reply to another request gets both done.
func TestNotReading(t *testing.T) {
	p := start(t, Config{Handle: func(s *Stream) {
		if path(s) == "/big" {
			s.WriteHeaders([]Field{{":status", "200"}}, false)
			s.Write(make([]byte, 64<<20), true)
			return
		}
		echo(s)
	}}).greet(setting{SettingInitialWindowSize, 1<<31 - 1})
	p.send(windowFrame(0, 1<<31-1-defaultWindow), headers(1, true, request("GET", "/big")))
	p.upTo("DATA 1") // it has begun
	p.send(headers(3, false, request("POST", "/up")))
	for range 8 {
		p.send(data(3, false, strings.Repeat("x", minMaxFrame)))
	}
	p.send(data(3, true, ""))
	for ended := 0; ended < 2; {
		p.until(func(line string) bool { return strings.HasSuffix(line, "END_STREAM") }, false)
		ended++
	}
}

// TestClientGone: a handler that waits for a window is told when the client goes away.
func TestClientGone(t *testing.T) {
	got := make(chan error, 3)
	p := start(t, Config{Handle: func(s *Stream) {
		s.WriteHeaders([]Field{{":status", "200"}}, false)
		_, err := s.Write(make([]byte, 1<<20), true)
		got <- err
	}}).greet()
	for id := range uint32(3) {
		p.send(headers(2*id+1, true, request("GET", "/")))
	}
	p.upTo("DATA")
	p.nc.Close()
	for range 3 {
		assert.Error(t, <-got)
	}
}

// TestClientHalfGone: a client that ends its side and does not read cannot keep a handler, and with it Serve.
func TestClientHalfGone(t *testing.T) {
	begun := make(chan bool)
	p := start(t, Config{Handle: func(s *Stream) {
		s.WriteHeaders([]Field{{":status", "200"}}, false)
		close(begun)
		s.Write(make([]byte, 64<<20), true)
	}}).greet(setting{SettingInitialWindowSize, 1<<31 - 1})
	p.send(windowFrame(0, 1<<31-1-defaultWindow), headers(1, true, request("GET", "/")))
	<-begun
	assert.NoError(t, p.nc.(interface{ CloseWrite() error }).CloseWrite())
	err := <-p.end
	p.end <- err
	assert.Equal(t, io.EOF, err)
}

// slowConn is a connection whose first write takes until it is released.
type slowConn struct {
	memory
	once    sync.Once
	writing chan bool
	release chan bool
	mu      sync.Mutex
	out     []byte
}

func (c *slowConn) Write(p []byte) (int, error) {
	c.once.Do(func() { close(c.writing); <-c.release })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = append(c.out, p...)
	return len(p), nil
}

// TestPostedWhileWriting: what is posted while somebody writes is written by that one, and post does not wait for it.
func TestPostedWhileWriting(t *testing.T) {
	nc := &slowConn{writing: make(chan bool), release: make(chan bool)}
	w := &writer{nc: nc}
	sent := make(chan error)
	go func() { sent <- w.send(func() ([]byte, error) { return []byte("first"), nil }) }()
	<-nc.writing
	assert.True(t, w.post(data(1, false, "second")))
	close(nc.release)
	assert.NoError(t, <-sent)
	assert.Equal(t, "first"+string(data(1, false, "second").Append(nil)), string(nc.out))
}
