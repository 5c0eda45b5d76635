package mockserver

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// countedBody counts how often it is closed, and what was read of it.
type countedBody struct {
	io.Reader
	read   int
	closed int
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.read += n
	return n, err
}

func (b *countedBody) Close() error {
	b.closed++
	return nil
}

// A RoundTripper must read the body, or give its error, and close it in each case.
func TestResponderTakesTheBody(t *testing.T) {
	const text = "a body"
	var handled string
	once := Status(200).Times(1).Responder()
	_, err := once(nil)
	require.NoError(t, err)
	for name, respond := range map[string]func(*http.Request) (*http.Response, error){
		"plain":            ALB(403).Responder(),
		"header":           ALB(403).Header("X", "y").Responder(),
		"fault":            Fault(ConnectionReset).Responder(),
		"own distribution": Status(200).DelayBy(badDelay{}).Responder(),
		"HTTP/2 fault":     Fault(GoAway).Responder(),
		"cannot be sent":   ALB(999).Responder(),
		"used up":          once,
		"template":         Template(200, "text/plain", "{{len .Body}}").Responder(),
		"bad template":     Template(200, "text/plain", "{{index .Body 99}}").Responder(),
		"handler": Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			handled = string(b)
		})).Responder(),
		"handler that does not read": Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).Responder(),
		"handler that closes":        Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { r.Body.Close() })).Responder(),
		"handler that panics":        Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("no") })).Responder(),
	} {
		body := &countedBody{Reader: strings.NewReader(text)}
		resp, err := respond(must(http.NewRequest("POST", "http://x/", body)))
		if err == nil {
			resp.Body.Close()
		}
		assert.Equal(t, 1, body.closed, "%s: closed once", name)
		if name != "cannot be sent" && name != "used up" {
			assert.Equal(t, len(text), body.read, "%s: read whole", name)
		}
	}
	assert.Equal(t, text, handled)
}

func TestResponderBodyErrors(t *testing.T) {
	respond := ALB(403).Responder()

	// A pipe, whose writer would wait for ever.
	pr, pw := io.Pipe()
	wrote := make(chan error)
	go func() {
		_, err := io.WriteString(pw, "hello")
		pw.Close()
		wrote <- err
	}()
	resp, err := respond(must(http.NewRequest("POST", "http://x/", pr)))
	require.NoError(t, err)
	resp.Body.Close()
	assert.NoError(t, <-wrote)

	// A body that breaks is the error of the call, as with net/http.
	broken := errors.New("the disk is gone")
	pr, pw = io.Pipe()
	pw.CloseWithError(broken)
	_, err = respond(must(http.NewRequest("POST", "http://x/", pr)))
	assert.ErrorIs(t, err, broken)

	// One that does not come ends with the context.
	pr, pw = io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		io.WriteString(pw, "hello")
		cancel()
	}()
	_, err = respond(must(http.NewRequestWithContext(ctx, "POST", "http://x/", pr)))
	assert.ErrorIs(t, err, context.Canceled)
	_, err = io.WriteString(pw, "more")
	assert.ErrorIs(t, err, io.ErrClosedPipe)

	// No more is read than a server reads.
	body := &countedBody{Reader: zeros{}}
	resp, err = respond(must(http.NewRequest("POST", "http://x/", body)))
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, 1, body.closed)
	assert.LessOrEqual(t, body.read, maxBody+bodyBuffer)
}

// zeros has no end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// Nothing is sent to an HTTP/1.0 client before the reply, so no error would end a long flood.
func TestFloodOfHTTP10(t *testing.T) {
	srv := New(t)
	srv.On("GET", "/").Reply(Text(200, "after it").Fault(Flood1xx(math.MaxInt32)))
	assert.Contains(t, raw(t, srv, "GET / HTTP/1.0\r\n\r\n"), "\r\n\r\nafter it")
}

// A client that asks for each 1xx has no limit to them, but its context.
func TestFloodInAResponderEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error {
		if n++; n == 10 {
			cancel()
		}
		return nil
	}})
	_, err := Fault(Flood1xx(math.MaxInt32)).Responder()(must(http.NewRequestWithContext(ctx, "GET", "http://x/", nil)))
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 10, n)
}

func TestHandlerThatIsNil(t *testing.T) {
	for _, h := range []http.Handler{nil, http.HandlerFunc(nil)} {
		ft := &fakeT{}
		srv := New(ft, AllowUnused())
		srv.On("GET", "/").Reply(Handler(h))
		ft.end()
		require.Len(t, ft.failures(), 1)
		assert.Contains(t, ft.failures()[0], "Handler(): the handler is nil")
	}
}

// The target of CONNECT is no path, and is told all the same.
func TestUnmatchedTargets(t *testing.T) {
	for request, want := range map[string]string{
		"CONNECT other:443 HTTP/1.1\r\nHost: other:443\r\n\r\n": "mockserver: unexpected request CONNECT other:443: no stub matches, answered 501\n\tthe server has no stubs\n\tno stub can expect it: a pattern is a path",
		"OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n":              "mockserver: unexpected request OPTIONS *: no stub matches, answered 501\n\tthe server has no stubs\n\tno stub can expect it: a pattern is a path",
	} {
		ft := &fakeT{}
		srv := New(ft)
		raw(t, srv, request)
		ft.end()
		assert.Equal(t, []string{want}, ft.failures())
	}
}
