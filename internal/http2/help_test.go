package http2

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// peer is a client that sends frames as it is told.
type peer struct {
	t    testing.TB
	nc   net.Conn
	fr   FrameReader
	dec  HeaderDecoder
	conn *Conn
	end  chan error // what Serve returned
	seen string     // the last line
}

const testMaxHeader = 64 << 10

// listen gives both ends of a loopback connection.
func listen(t testing.TB) (client, server net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		nc, err := ln.Accept()
		if err == nil {
			accepted <- nc
		}
	}()
	client, err = net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	return client, <-accepted
}

// start serves one connection. When Serve has returned, the connection is closed.
func start(t testing.TB, cfg Config) *peer {
	t.Helper()
	client, server := listen(t)
	if cfg.MaxStreams == 0 {
		cfg.MaxStreams = 100
	}
	if cfg.MaxHeader == 0 {
		cfg.MaxHeader = testMaxHeader
	}
	p := &peer{t: t, nc: client, conn: New(server, cfg), end: make(chan error, 1)}
	p.fr = FrameReader{R: bufio.NewReader(client), Max: maxMaxFrame}
	go func() {
		err := p.conn.Serve(bufio.NewReader(server))
		if half, ok := server.(*net.TCPConn); ok && half.CloseWrite() == nil {
			io.Copy(io.Discard, server)
		}
		server.Close()
		p.end <- err
	}()
	t.Cleanup(func() {
		client.Close()
		select {
		case err := <-p.end:
			p.end <- err
		case <-time.After(20 * time.Second):
			buf := make([]byte, 1<<20)
			t.Errorf("Serve does not return:\n%s", buf[:runtime.Stack(buf, true)])
		}
	})
	return p
}

// greet sends the preface and SETTINGS, and reads the server's.
func (p *peer) greet(settings ...setting) *peer {
	p.t.Helper()
	p.write([]byte(Preface))
	p.send(settingsFrame(settings...))
	require.Equal(p.t, "SETTINGS 0 3=100 4=262144 6=65536\nWINDOW_UPDATE 0 983041\nSETTINGS 0 ACK\n", p.sync())
	return p
}

func (p *peer) write(b []byte) {
	p.t.Helper()
	_, err := p.nc.Write(b)
	require.NoError(p.t, err)
}

func (p *peer) send(frames ...Frame) {
	p.t.Helper()
	var b []byte
	for _, f := range frames {
		b = f.Append(b)
	}
	p.write(b)
}

// sync sends a PING and gives what comes before its answer.
func (p *peer) sync() string {
	p.t.Helper()
	p.send(Frame{Type: FramePing, Payload: []byte("syncsync")})
	return p.until(func(line string) bool { return line == `PING 0 "syncsync" ACK` }, false)
}

// rest reads to the end of the connection.
func (p *peer) rest() string {
	p.t.Helper()
	return p.until(func(string) bool { return false }, true)
}

// upTo reads until a line that begins so, with that line.
func (p *peer) upTo(prefix string) string {
	p.t.Helper()
	all := p.until(func(line string) bool { return strings.HasPrefix(line, prefix) }, false)
	return all + p.seen + "\n"
}

func (p *peer) until(stop func(line string) bool, eof bool) string {
	p.t.Helper()
	require.NoError(p.t, p.nc.SetReadDeadline(time.Now().Add(20*time.Second)))
	var all strings.Builder
	for {
		f, err := p.fr.Next()
		if errors.Is(err, io.EOF) && eof {
			return all.String()
		}
		require.NoError(p.t, err, "after:\n%s", all.String())
		line := f.Describe(&p.dec)
		p.seen = line
		if stop(line) {
			return all.String()
		}
		all.WriteString(line + "\n")
	}
}

// request gives the fields of a request.
func request(method, path string, more ...Field) []Field {
	return append([]Field{{":method", method}, {":scheme", "https"}, {":authority", "test"}, {":path", path}}, more...)
}

// headers gives a HEADERS frame with a whole block.
func headers(stream uint32, end bool, fields []Field) Frame {
	f := Frame{Type: FrameHeaders, Flags: FlagEndHeaders, Stream: stream, Payload: AppendFields(nil, fields)}
	if end {
		f.Flags |= FlagEndStream
	}
	return f
}

func data(stream uint32, end bool, text string) Frame {
	f := Frame{Type: FrameData, Stream: stream, Payload: []byte(text)}
	if end {
		f.Flags = FlagEndStream
	}
	return f
}

// echo answers with the body that it reads, or with what went wrong.
func echo(s *Stream) {
	body, err := readAll(s)
	if err != nil {
		return
	}
	text := fmt.Sprintf("%s %d bytes", path(s), len(body))
	if len(body) <= 20 {
		text = path(s) + " " + string(body)
	}
	for _, f := range s.Trailer() {
		text += fmt.Sprintf(" %s=%s", f.Name, f.Value)
	}
	if s.WriteHeaders([]Field{{":status", "200"}}, false) == nil {
		s.Write([]byte(text), true)
	}
}

func readAll(s *Stream) ([]byte, error) {
	var all []byte
	buf := make([]byte, 10_000)
	for {
		n, err := s.Read(buf, 0)
		all = append(all, buf[:n]...)
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}

func path(s *Stream) string {
	for _, f := range s.Fields {
		if f.Name == ":path" {
			return f.Value
		}
	}
	return ""
}
