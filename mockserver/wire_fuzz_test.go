package mockserver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzReply makes replies of any combination of modifiers. Each of them is either refused with a reason, or arrives as it
// was meant: a whole one can be read by net/http with the body and the trailers that it was given, a broken one ends as
// its fault says, and never hangs.
func FuzzReply(f *testing.F) {
	for i := range 9 {
		f.Add(uint16(403), "body of the reply", i, i%6, 3*i, uint8(i), i%3 == 0, i%4 == 0, i%5 == 0, "X-Sum", "1", 5*i)
	}
	f.Add(uint16(204), "", 0, 0, 0, uint8(0), true, true, true, "", "", 0)
	f.Add(uint16(200), strings.Repeat("x", 70_000), 0, 2, 65_000, uint8(1), true, false, false, "A", "b", 69_999)
	ft := &bareT{}
	srv := New(ft, withLate(time.Microsecond), AllowUnmatched(), AllowUnused())
	f.Cleanup(srv.Close)

	f.Fuzz(func(t *testing.T, code uint16, body string, fault, framing, piece int, method uint8, zip, early, http10 bool, trailer, value string, n int) {
		r := Text(int(code), body)
		if framing != 0 {
			r = r.Framing(Framing(framing))
		}
		if piece > 0 && len(body)/piece < 50 {
			r = r.Trickle(piece, time.Microsecond)
		}
		if zip {
			r = r.Gzip()
		}
		if early {
			r = r.Early(103, trailer, value)
		}
		if trailer != "" {
			r = r.Trailer(trailer, value)
		}
		whole := true
		if faults := []WireFault{nil, EmptyResponse, MalformedChunk, RandomThenClose, ConnectionReset, TruncateAfter(n), ResetAfter(n), HalfClose, WrongLength(n), Flood1xx(n % 100), GarbageStatus}; fault > 0 && fault < len(faults) {
			r = r.Fault(faults[fault])
			whole = faults[fault] == HalfClose || fault == 9
		}
		if err := r.problem(); err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		verb := []string{"GET", "HEAD", "POST"}[method%3]
		nc, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
		require.NoError(t, err)
		defer nc.Close()
		require.NoError(t, nc.SetDeadline(time.Now().Add(20*time.Second)))
		stub := srv.On("", fmt.Sprintf("/%d", time.Now().UnixNano())).Reply(r)
		proto := "HTTP/1.1\r\nHost: x\r\nConnection: close"
		if http10 {
			proto = "HTTP/1.0"
		}
		accept := ""
		if zip {
			accept = "Accept-Encoding: gzip\r\n"
		}
		fmt.Fprintf(nc, "%s %s %s\r\n%s\r\n", verb, stub.pattern.text, proto, accept)
		if !whole {
			_, err := io.Copy(io.Discard, nc)
			require.True(t, err == nil || errors.Is(err, syscall.ECONNRESET), "%s: %v", r, err)
			return
		}
		in := bufio.NewReader(nc)
		req := &http.Request{Method: verb}
		resp, err := http.ReadResponse(in, req)
		for err == nil && resp.StatusCode < 200 {
			resp, err = http.ReadResponse(in, req)
		}
		require.NoError(t, err, "%s", r)
		require.Equal(t, int(code), resp.StatusCode)
		got, err := io.ReadAll(resp.Body)
		require.NoError(t, err, "%s", r)
		want := body
		if zip && resp.Header.Get("Content-Encoding") == "gzip" {
			want = string(r.extra.gzip)
		}
		if framing == int(Empty) || verb == "HEAD" || code == 204 || code == 304 {
			want = ""
		}
		require.Equal(t, want, string(got), "%s", r)
		if len(resp.Trailer) > 0 && verb != "HEAD" {
			require.Equal(t, strings.Trim(value, " \t"), resp.Trailer.Get(trailer))
		}
		rest, err := io.ReadAll(in)
		require.NoError(t, err)
		require.Empty(t, string(rest), "%s", r)
	})
}

// FuzzTemplate gives templates any text and any request. A template that cannot be parsed is refused, and one that runs
// ends.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"", "{{", "{{.Vars.id}}", "{{json .}}", "{{parse .Body}}", "{{range .Query}}{{.}}{{end}}", "{{template \"Template\"}}", "{{(parse .Body).a.b}}", "{{.Header.Get \"A\"}}", "{{string .Body | printf \"%q\"}}"} {
		f.Add(s, "7", `{"a":{"b":1}}`)
	}
	f.Fuzz(func(t *testing.T, text, id, body string) {
		r := Template(200, "text/plain", text)
		if r.problem() != nil {
			return
		}
		render(r.extra.template, Request{Method: "GET", Path: "/" + id, Body: []byte(body)}, map[string]string{"id": id})
	})
}
