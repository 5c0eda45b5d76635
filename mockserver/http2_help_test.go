package mockserver

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/http2"
)

// h2peer is a client of HTTP/2 that sends frames as it is told, and takes whatever comes.
type h2peer struct {
	t   *testing.T
	nc  *tls.Conn
	tcp *net.TCPConn
	fr  http2.FrameReader
	dec http2.HeaderDecoder
}

// h2dial connects and has the greetings behind it. The client's windows are large.
func h2dial(t *testing.T, srv *Server) *h2peer {
	t.Helper()
	nc, tcp := dialTLS(t, srv, "h2")
	require.Equal(t, "h2", nc.ConnectionState().NegotiatedProtocol)
	p := &h2peer{t: t, nc: nc, tcp: tcp}
	p.fr = http2.FrameReader{R: bufio.NewReader(nc), Max: 1 << 20}
	_, err := io.WriteString(nc, http2.Preface)
	require.NoError(t, err)
	p.send(
		http2.Frame{Type: http2.FrameSettings, Payload: []byte{0, 4, 0x40, 0, 0, 0}},
		http2.Frame{Type: http2.FrameWindowUpdate, Payload: []byte{0x40, 0, 0, 0}},
	)
	require.Equal(t, "SETTINGS 0 3=250 4=262144 6=1048576\nWINDOW_UPDATE 0 983041\nSETTINGS 0 ACK\n", p.sync())
	return p
}

func (p *h2peer) send(frames ...http2.Frame) {
	p.t.Helper()
	var b []byte
	for _, f := range frames {
		b = f.Append(b)
	}
	_, err := p.nc.Write(b)
	require.NoError(p.t, err)
}

// request sends a request, whole when body is "-".
func (p *h2peer) request(stream uint32, method, path, body string, more ...http2.Field) {
	p.t.Helper()
	fields := []http2.Field{{Name: ":method", Value: method}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "test"}, {Name: ":path", Value: path}}
	f := http2.Frame{Type: http2.FrameHeaders, Flags: http2.FlagEndHeaders, Stream: stream, Payload: http2.AppendFields(nil, append(fields, more...))}
	if body == "-" {
		f.Flags |= http2.FlagEndStream
		p.send(f)
		return
	}
	p.send(f, http2.Frame{Type: http2.FrameData, Flags: http2.FlagEndStream, Stream: stream, Payload: []byte(body)})
}

func (p *h2peer) reset(stream uint32) {
	p.t.Helper()
	p.send(http2.Frame{Type: http2.FrameRSTStream, Stream: stream, Payload: binary.BigEndian.AppendUint32(nil, uint32(http2.Cancel))})
}

// sync sends a PING and gives what comes before its answer.
func (p *h2peer) sync() string {
	p.t.Helper()
	p.send(http2.Frame{Type: http2.FramePing, Payload: []byte("syncsync")})
	return p.until(func(line string) bool { return line == `PING 0 "syncsync" ACK` })
}

// upTo reads until a line that begins so, with that line.
func (p *h2peer) upTo(prefix string) string {
	p.t.Helper()
	last := ""
	all := p.until(func(line string) bool { last = line; return strings.HasPrefix(line, prefix) })
	require.True(p.t, strings.HasPrefix(last, prefix), "no %s in:\n%s", prefix, all)
	return all + last + "\n"
}

var streamDate = regexp.MustCompile(`date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT`)

// until reads frames as lines. The end of the connection is a line too.
func (p *h2peer) until(stop func(line string) bool) string {
	p.t.Helper()
	var all strings.Builder
	for {
		require.NoError(p.t, p.nc.SetReadDeadline(time.Now().Add(20*time.Second)))
		f, err := p.fr.Next()
		line := streamDate.ReplaceAllString(f.Describe(&p.dec), "date: {date}")
		switch {
		case errors.Is(err, io.EOF):
			if line = "FIN"; stop(line) {
				return all.String()
			}
			return all.String() + line + "\n"
		case errors.Is(err, syscall.ECONNRESET), isWindowsReset(err):
			return all.String() + "RST\n"
		case err != nil:
			return all.String() + err.Error() + "\n"
		}
		if stop(line) {
			return all.String()
		}
		all.WriteString(line + "\n")
	}
}

var lineNumbers = regexp.MustCompile(`_test\.go:\d+`)
