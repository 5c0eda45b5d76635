package mockserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// answered is all that a caller can see of a reply.
type answered struct {
	Err      string
	Status   string
	Proto    string
	Header   http.Header
	Length   int64
	Encoding []string
	Close    bool
	Unzipped bool
	NoBody   bool
	Declared http.Header // trailers, before the body is read
	Body     string
	ReadErr  string
	EOF      [2]bool // whether reading ended with io.EOF (none), io.ErrUnexpectedEOF
	Reset    bool
	Trailer  http.Header
	Closed   string // what reading gives after Close
	Early    []string
}

var addresses = regexp.MustCompile(`read tcp \S+->\S+: `)

// observe sends a request and reads the reply, most bytes of it.
func observe(t *testing.T, do func(*http.Request) (*http.Response, error), method, url, accept string, most int) (o answered) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
		if len(o.Early) < 5 {
			o.Early = append(o.Early, fmt.Sprint(code, header))
		}
		return nil
	}})
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	require.NoError(t, err)
	if accept != "" {
		req.Header.Set("Accept-Encoding", accept)
	}
	resp, err := do(req)
	if err != nil {
		return answered{Err: errorText(err), Reset: errors.Is(err, syscall.ECONNRESET), EOF: [2]bool{errors.Is(err, io.EOF)}}
	}
	o.Status, o.Proto, o.Header, o.Length, o.Encoding = resp.Status, resp.Proto, resp.Header.Clone(), resp.ContentLength, resp.TransferEncoding
	o.Close, o.Unzipped, o.NoBody, o.Declared = resp.Close, resp.Uncompressed, resp.Body == http.NoBody, resp.Trailer.Clone()
	assert.Same(t, req, resp.Request)
	o.Header.Del("Date")
	got := make([]byte, most)
	n, err := io.ReadFull(resp.Body, got)
	if err == nil { // there is more, or nothing at all that comes
		time.AfterFunc(20*time.Millisecond, cancel)
		_, err = resp.Body.Read(make([]byte, 1))
	} else if err == io.ErrUnexpectedEOF && n < most {
		_, err = resp.Body.Read(make([]byte, 1)) // ReadFull's own, or the body's
	}
	o.Body, o.ReadErr, o.Reset = string(got[:n]), errorText(err), errors.Is(err, syscall.ECONNRESET)
	o.EOF = [2]bool{err == io.EOF, err == io.ErrUnexpectedEOF}
	o.Trailer = resp.Trailer.Clone()
	require.NoError(t, resp.Body.Close())
	if !o.NoBody && o.ReadErr != context.Canceled.Error() {
		_, err = resp.Body.Read(make([]byte, 1))
		o.Closed = errorText(err)
	}
	return o
}

// errorText is an error without URL and addresses.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return addresses.ReplaceAllString(err.Error(), "read tcp: ")
}

// A responder must give what net/http's client makes of the same reply on the wire.
func TestResponderOfFaultsAndModifiers(t *testing.T) {
	t.Parallel()
	text := Text(200, "some text")
	long := Text(200, strings.Repeat("long text ", 1000))
	handler := Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-A", "1")
		w.WriteHeader(418)
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %q", r.Method, b)
	})).Header("X-B", "2")
	for _, c := range []struct {
		reply Reply
		most  int // bytes to read, where it does not end
	}{
		{text, 0}, {ALB(403), 0}, {Redirect(302, "/x"), 0}, {Body(200, "", []byte("x")), 0},
		{text.Trickle(4, time.Millisecond), 0}, {text.Framing(Chunked).Trickle(4, time.Millisecond), 0},
		{text.Trailer("x-sum", "1").Trailer("X-Sum", "2").Trailer("X-Other", "3"), 0}, {text.Trailer("x-sum", "1").Fault(TruncateAfter(3)), 0},
		{text.Early(103, "Link", "</a>"), 0}, {text.Early(102).Early(103), 0},
		{long.Gzip(), 0}, {long.Gzip().Framing(Chunked), 0}, {long.Gzip().Trailer("a", "b"), 0}, {Text(200, "").Gzip(), 0},
		{text.Length(4), 0}, {text.Length(0), 0}, {text.Length(20), 9}, {text.Length(20).KeepAlive(false), 0}, {Status(204).Length(4), 0}, {Status(304).Length(4), 0},
		{text.NoLength(), 9}, {text.NoLength().KeepAlive(false), 0}, {text.KeepAlive(false), 0}, {ALB(400).KeepAlive(true), 0}, {text.Reason("Fine"), 0}, {text.Reason(""), 0},
		{Stream("text/plain", time.Millisecond, "one", "two"), 100}, {Stream("text/plain", time.Hour, "one", "two").Framing(UntilClose), 3},
		{handler, 0},
		{Template(201, "text/plain", "{{.Method}} {{.Path}} {{.Query.Get \"a\"}}"), 0},

		{Fault(EmptyResponse), 0}, {Fault(ConnectionReset), 0}, {Fault(RandomThenClose), 0}, {Fault(MalformedChunk), 0}, {ALB(403).Fault(MalformedChunk), 0}, {Fault(GarbageStatus), 0},
		{Fault(TruncateAfter(0)), 0}, {Fault(TruncateAfter(64)), 0}, {text.Framing(Chunked).Fault(TruncateAfter(9)), 0}, {text.Framing(UntilClose).Fault(TruncateAfter(4)), 0}, {text.Trickle(2, time.Millisecond).Fault(TruncateAfter(5)), 0},
		{Fault(ResetAfter(64)), 0}, {Fault(ResetAfter(0)), 0}, {text.Framing(UntilClose).Fault(ResetAfter(4)), 0}, {text.Framing(Chunked).Fault(ResetAfter(9)), 0},
		{Fault(StallAfter(0)), 0}, {Fault(StallAfter(64)), 64}, {text.Framing(Chunked).Fault(StallAfter(9)), 9}, {text.Framing(UntilClose).Fault(StallAfter(4)), 4},
		{Fault(HalfClose), 0}, {text.NoLength().Fault(HalfClose), 0}, {text.Fault(WrongLength(4)), 0}, {text.Fault(WrongLength(0)), 0}, {text.Fault(WrongLength(20)), 0}, {Fault(WrongLength(100_000)), 0},
		{text.Fault(Flood1xx(4)), 0}, {Fault(HugeHeader), 0},
		{text.Fault(EndlessBody), 200_000}, {Status(200).Fault(EndlessBody), 100}, {text.Framing(UntilClose).Fault(EndlessBody), 100},
		{handler.Fault(ResetAfter(3)), 0},
	} {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			for _, accept := range []string{"", "gzip", "br"} {
				if accept != "" && c.reply.extra != nil && c.reply.extra.gzip == nil {
					continue
				}
				t.Run(fmt.Sprintf("%s %s %s", c.reply, method, accept), func(t *testing.T) {
					t.Parallel()
					srv := New(t)
					srv.On("", "/path").Reply(c.reply)
					client := newClient(t)
					client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
					most := c.most
					if most == 0 && !strings.Contains(c.reply.String(), "StallAfter(0)") {
						most = 1 << 20
					}
					want := observe(t, client.Do, method, srv.URL+"/path?a=b", accept, most)
					got := observe(t, c.reply.Responder(), method, srv.URL+"/path?a=b", accept, most)
					assert.Equal(t, want, got)
				})
			}
		}
	}
}

// What a responder cannot give is an error that says so.
func TestResponderErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reply Reply
		want  string
	}{
		{Fault(GoAway), "mockserver: GoAway is a fault of HTTP/2, a Responder has no connection for it"},
		{Fault(RefuseStream), "mockserver: RefuseStream is a fault of HTTP/2, a Responder has no connection for it"},
		{Fault(wireFunc((*Wire).Send)), "mockserver: wireFunc has no meaning in a Responder, which has no connection; use a Server"},
		{ALB(404), "mockserver: ALB(404): ALB has no page for this status; did you mean ALB(403)? There are 400, 403, 413, 414, 500, 502, 503, 504. For any other status write Status(404)"},
		{Text(200, "x").Fault(TruncateAfter(2)), "mockserver: Text(200).Fault(TruncateAfter(2)): the body has 1 byte, so nothing would break after 2; at most 0 can be sent before"},
		{Template(200, "", "{{.Vars.id}}"), `mockserver: Template(200): template: Template:1:7: executing "Template" at <.Vars.id>: map has no entry for key "id"`},
		{Text(200, "x").Fault(Flood1xx(1_000_000)), "net/http: HTTP/1.x transport connection broken: net/http: server response headers exceeded 10485760 bytes; aborted"},
	} {
		_, err := c.reply.Responder()(nil)
		assert.EqualError(t, err, c.want)
	}
	_, err := Handler(http.HandlerFunc(panicking)).Responder()(nil)
	require.Error(t, err)
	assert.Contains(t, err.Error(), "mockserver: the handler panicked: boom\ngoroutine ")
	_, err = Fault(ConnectionReset).Responder()(nil)
	var op *net.OpError
	require.ErrorAs(t, err, &op)
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

// Whatever a responder waits for, the end of the context and Close end the wait.
func TestResponderWaits(t *testing.T) {
	t.Parallel()
	for _, r := range []Reply{Fault(StallAfter(3)), Text(200, "abcdef").Trickle(3, time.Hour), Stream("text/plain", time.Hour, "abc"), Text(200, "abc").NoLength(), Text(200, "abc").Length(4)} {
		for _, how := range []string{"context", "close"} {
			ctx, cancel := context.WithCancel(context.Background())
			req, err := http.NewRequestWithContext(ctx, "GET", "http://x/", nil)
			require.NoError(t, err)
			resp, err := r.Responder()(req)
			require.NoError(t, err)
			_, err = io.ReadFull(resp.Body, make([]byte, 3))
			require.NoError(t, err)
			var wg sync.WaitGroup
			wg.Go(func() { _, err = resp.Body.Read(make([]byte, 1)) })
			time.Sleep(10 * time.Millisecond) // so that it waits, mostly
			want := context.Canceled
			if how == "close" {
				resp.Body.Close()
				resp.Body.Close()
				want = errBodyClosed
			} else {
				cancel()
			}
			wg.Wait()
			assert.Equal(t, want, err, "%s %s", r, how)
			cancel()
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", "http://x/", nil)
	require.NoError(t, err)
	_, err = Status(200).DelayBy(Uniform(time.Hour, time.Hour)).Responder()(req)
	assert.Equal(t, context.Canceled, err)
}

func TestResponderBodyFromMany(t *testing.T) {
	t.Parallel()
	resp, err := Fault(EndlessBody).Responder()(nil)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				if _, err := resp.Body.Read(make([]byte, 1000)); err != nil {
					return
				}
			}
		})
	}
	time.Sleep(10 * time.Millisecond)
	resp.Body.Close()
	wg.Wait()
}

func TestAcceptsGzip(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "br, gzip": true, "gzip;q=0": false, "gzip; q=0.0": false, "gzip;q=0.1": true, "*": true, "*;q=0": false,
		"identity": false, "gzipped": false, "gzip;q=x": true, "br;q=1,gzip ; q=0": false,
	} {
		assert.Equal(t, want, acceptsGzip(http.Header{"Accept-Encoding": {line}}), "%q", line)
	}
	assert.True(t, acceptsGzip(http.Header{"Accept-Encoding": {"br", "gzip"}}))
	assert.False(t, acceptsGzip(nil))
}
