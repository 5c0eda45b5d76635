package http2

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// served is a server for many connections, without TLS.
type served struct {
	url   string
	mu    sync.Mutex
	conns int
}

func serve(t *testing.T, handle func(*Stream)) *served {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := &served{url: "http://" + ln.Addr().String()}
	var wg sync.WaitGroup
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			srv.mu.Lock()
			srv.conns++
			srv.mu.Unlock()
			wg.Go(func() {
				defer nc.Close()
				var mistake ConnError
				err := New(nc, Config{Handle: handle, MaxStreams: 100, MaxHeader: 1 << 20}).Serve(nc)
				assert.False(t, errors.As(err, &mistake), "%v", err)
			})
		}
	})
	return srv
}

func (s *served) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns
}

// newClient is net/http's client, which speaks HTTP/2 from the first byte.
func newClient(t *testing.T) *http.Client {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: &p}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func TestClientExchange(t *testing.T) {
	srv := serve(t, echo)
	client := newClient(t)
	resp, err := client.Get(srv.url) // requests that start together dial a connection each
	require.NoError(t, err)
	resp.Body.Close()
	var wg sync.WaitGroup
	for i := range 25 {
		wg.Go(func() {
			body := strings.Repeat(fmt.Sprintf("%04d", i), i*3_000) // the largest is more than a stream's window
			req, err := http.NewRequest("POST", fmt.Sprintf("%s/%d", srv.url, i), io.NopCloser(strings.NewReader(body)))
			if !assert.NoError(t, err) {
				return
			}
			req.Header.Set("X-Long", strings.Repeat("h", i*2_000))
			resp, err := client.Do(req)
			if !assert.NoError(t, err) {
				return
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			assert.NoError(t, err)
			want := fmt.Sprintf("/%d %d bytes", i, len(body))
			if i == 0 {
				want = "/0 "
			}
			assert.Equal(t, want, string(b))
			assert.Equal(t, "HTTP/2.0", resp.Proto)
		})
	}
	wg.Wait()
	assert.Equal(t, 1, srv.count())
}

func TestClientLargeReplies(t *testing.T) {
	large := bytes.Repeat([]byte("0123456789"), 500_000) // more than net/http's window for a stream, 4 MiB
	srv := serve(t, func(s *Stream) {
		s.WriteHeaders([]Field{{":status", "200"}, {"content-length", fmt.Sprint(len(large))}}, false)
		s.Write(large, true)
	})
	client := newClient(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			resp, err := client.Get(srv.url)
			if assert.NoError(t, err) {
				defer resp.Body.Close()
				got, err := io.ReadAll(resp.Body)
				assert.NoError(t, err)
				assert.True(t, bytes.Equal(large, got))
			}
		})
	}
	wg.Wait()
}

func TestClientSees(t *testing.T) {
	ok := []Field{{":status", "200"}}
	long := []Field{{":status", "200"}, {"content-length", "500"}}
	for _, test := range []struct {
		reason string
		handle func(*Stream)
		err    string // of Do
		body   string
		read   string // the error of reading
	}{
		{"reset before headers", func(s *Stream) { s.Reset(InternalError) }, "stream error: stream ID 1; INTERNAL_ERROR; received from peer", "", ""},
		{"reset in the body", func(s *Stream) { s.WriteHeaders(ok, false); s.Write([]byte("abc"), false); s.Reset(InternalError) },
			"", "abc", "stream error: stream ID 1; INTERNAL_ERROR; received from peer"},
		{"less than content-length", func(s *Stream) { s.WriteHeaders(long, false); s.Write([]byte("abc"), true) }, "", "abc", "unexpected EOF"},
		{"the connection ends in the body", func(s *Stream) { s.WriteHeaders(ok, false); s.Write([]byte("abc"), false); hangUp(s) }, "", "abc", "unexpected EOF"},
		{"GOAWAY and the answer", func(s *Stream) { s.GoAway(1, NoError, ""); s.WriteHeaders(ok, false); s.Write([]byte("abc"), true) }, "", "abc", ""},
		{"GOAWAY with an error", func(s *Stream) { s.GoAway(1, EnhanceYourCalm, "slow down"); hangUp(s) },
			`server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=ENHANCE_YOUR_CALM, debug="slow down"`, "", ""},
	} {
		t.Run(test.reason, func(t *testing.T) {
			srv := serve(t, test.handle)
			resp, err := newClient(t).Get(srv.url)
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			assert.Equal(t, test.body, string(b))
			if test.read == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, test.read)
			}
		})
	}
}

// hangUp ends the server's side and waits until the client has ended its own: to close a connection with something unread
// would reset it, and the client might then see that in place of what was written.
func hangUp(s *Stream) {
	s.c.nc.(interface{ CloseWrite() error }).CloseWrite()
	<-s.Done()
}

func TestClientTrailersAndHints(t *testing.T) {
	srv := serve(t, func(s *Stream) {
		s.WriteHeaders([]Field{{":status", "103"}, {"link", "</style.css>"}}, false)
		s.WriteHeaders([]Field{{":status", "200"}, {"trailer", "sum"}}, false)
		s.Write([]byte("abc"), false)
		s.WriteHeaders([]Field{{"sum", "6"}}, true)
	})
	hints := ""
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			hints += fmt.Sprint(code, " ", h.Get("Link"))
			return nil
		},
	})
	req, err := http.NewRequestWithContext(ctx, "GET", srv.url, nil)
	require.NoError(t, err)
	resp, err := newClient(t).Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, "abc", string(b))
	assert.Equal(t, "6", resp.Trailer.Get("Sum"))
	assert.Equal(t, "103 </style.css>", hints)
}
