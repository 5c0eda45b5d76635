package http2

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// memory is a connection that reads from a buffer and forgets what is written.
type memory struct {
	net.Conn
	in bytes.Reader
}

func (m *memory) Read(p []byte) (int, error)      { return m.in.Read(p) }
func (m *memory) Write(p []byte) (int, error)     { return len(p), nil }
func (m *memory) Close() error                    { return nil }
func (m *memory) SetReadDeadline(time.Time) error { return nil }

// FuzzConn sends anything behind the preface. Serve must return, and every handler with it.
func FuzzConn(f *testing.F) {
	whole := func(frames ...Frame) (b []byte) {
		for _, one := range frames {
			b = one.Append(b)
		}
		return b
	}
	get := headers(1, true, request("GET", "/"))
	f.Add(whole(settingsFrame(), get))
	f.Add(whole(settingsFrame(setting{SettingInitialWindowSize, 0}), get, windowFrame(1, 5), settingsFrame(setting{SettingInitialWindowSize, 1 << 30})))
	f.Add(whole(settingsFrame(), headers(1, false, request("POST", "/")), data(1, false, "abc"), headers(1, true, []Field{{"sum", "1"}})))
	f.Add(whole(settingsFrame(), headers(1, false, request("POST", "/")), resetFrame(1, Cancel), data(1, true, "abc"), get))
	f.Add(whole(settingsFrame(), Frame{Type: FrameHeaders, Flags: FlagPadded | FlagPriority, Stream: 1, Payload: make([]byte, 9)},
		Frame{Type: FrameContinuation, Flags: FlagEndHeaders, Stream: 1}, Frame{Type: FramePing, Payload: make([]byte, 8)},
		goAwayFrame(0, NoError, "x"), Frame{Type: FramePushPromise, Stream: 1}, Frame{Type: 99}))
	f.Fuzz(func(t *testing.T, b []byte) {
		nc := &memory{}
		nc.in.Reset(append([]byte(Preface), b...))
		open := 0
		c := New(nc, Config{
			MaxStreams: 3,
			MaxHeader:  1000,
			Open:       func(n int) { open = n },
			Malformed:  func([]Field, error) {},
			Handle: func(s *Stream) {
				if s.ID()%8 == 1 {
					return // left open
				}
				echo(s)
				s.Reset(NoError)
			},
		})
		err := c.Serve(nc)
		var mistake ConnError
		switch {
		case err == nil:
			t.Fatal("no error")
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		case !errors.As(err, &mistake):
			t.Fatal(err)
		}
		if open != 0 || len(c.streams) != 0 || c.running != 0 {
			t.Fatalf("%d streams are left, %d handlers", len(c.streams), c.running)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	})
}

// FuzzFrameReader reads frames out of anything, and writes them again.
func FuzzFrameReader(f *testing.F) {
	f.Add(data(1, true, "abc").Append(nil))
	f.Add(settingsFrame(setting{SettingMaxFrameSize, 16384}).Append(goAwayFrame(1, Cancel, "x").Append(nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := FrameReader{R: bytes.NewReader(b), Max: minMaxFrame}
		for at := 0; ; {
			frame, err := r.Next()
			if err != nil {
				return
			}
			again := frame.Append(nil)
			was := bytes.Clone(b[at : at+len(again)])
			was[5] &= 0x7f // reserved
			if !bytes.Equal(was, again) {
				t.Fatalf("%x became %x", was, again)
			}
			at += len(again)
			frame.unpad()
			frame.fragment()
			frame.settings()
		}
	})
}
