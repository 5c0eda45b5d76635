package mockserver

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is no HTTP request that net/http's server would take fails the test, and says what came.
func TestIllegalRequests(t *testing.T) {
	for _, c := range []struct{ request, want string }{ // without a text the error is net/http's, which differs between versions of Go
		{"hello\r\n\r\n", `400: `},
		{"GET /\r\n\r\n", `400: `},
		{"GET / HTTP/1.1\r\nno colon\r\n\r\n", `400: `},
		{"GET / HTTP/1.1\r\n\r\n", `400: no Host header`},
		{"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", `400: invalid Host header: "a b"`},
		{"GET / HTTP/1.1\r\nHost: a\r\nFoo Bar: x\r\n\r\n", `400: invalid header name: "Foo Bar"`},
		{"GET / HTTP/1.1\r\nHost: a\r\nFoo : x\r\n\r\n", `400: invalid header name: "Foo "`},
		{"GET / HTTP/1.1\r\nHost: a\r\nFoo: a\x01b\r\n\r\n", `400: `},
		{"GET / HTTP/2.0\r\nHost: a\r\n\r\n", `505: HTTP/2.0: the server speaks HTTP/1.1`},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: magic\r\n\r\nx", `417: Expect: "magic": the server knows 100-continue alone`},
		{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", `501: `},
		{"GET / HTTP/1.1\r\nHost: a\r\nA: " + strings.Repeat("a", 2<<20) + "\r\n\r\n", `431: more than 1 MiB of headers`},
	} {
		ft := &fakeT{}
		srv := New(ft, AllowUnused())
		srv.On("", "/").Reply(Status(200))
		for range 2 { // reported once
			got := raw(t, srv, c.request)
			code, _, _ := strings.Cut(c.want, ":")
			assert.True(t, strings.HasPrefix(got, "HTTP/1.1 "+code+" "), "%.100q: %.100q", c.request, got)
		}
		got := srv.Requests()[0].Err.Error()
		code, text, _ := strings.Cut(c.want, ": ")
		if text != "" {
			assert.Equal(t, text, got)
		}
		from := srv.Conns()[0].RemoteAddr
		ft.end()
		begins := fmt.Sprintf("%q", c.request)
		if len(c.request) > keepSeen {
			begins = fmt.Sprintf("%q...", c.request[:keepSeen])
		}
		assert.Equal(t, []string{"mockserver: connection 1, from " + from + ": the client sent what is no HTTP request that the server takes, answered " + code + ": " + got +
			"\n\tit begins: " + begins + "\n\tto let it pass: mockserver.AllowUnmatched()"}, ft.failures(), "%.100q", c.request)

		ft = &fakeT{}
		srv = New(ft, AllowUnused(), AllowUnmatched())
		raw(t, srv, c.request)
		ft.end()
		assert.Empty(t, ft.failures(), "AllowUnmatched: %.100q", c.request)
	}
}

// A client that went away in the middle of a request, and one that speaks TLS, are not reported.
func TestBrokenRequestsPass(t *testing.T) {
	for _, request := range []string{
		"GET", "GET / HTTP/1.1\r\nHost: a\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nx", "\x16\x03\x01 hello\r\n\r\n",
	} {
		ft := &fakeT{}
		srv := New(ft)
		raw(t, srv, request)
		assert.Len(t, srv.Requests(), 1, "%q", request)
		ft.end()
		assert.Empty(t, ft.failures(), "%q", request)
	}
}

// Some clients send an empty line behind the body of a POST.
func TestEmptyLineAfterPost(t *testing.T) {
	srv := New(t)
	srv.On("", "/").Reply(Text(200, "here"))
	post := "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\r\n"
	assert.Equal(t, 2, strings.Count(raw(t, srv, post+get("/")), "HTTP/1.1 200 OK"))

	nc := dial(t, srv)
	_, err := io.WriteString(nc, post)
	require.NoError(t, err)
	eventually(t, func() bool { c := srv.Conns(); return len(c) == 2 && c[1].State == ConnIdle }, "the empty line is no request")
	nc.Close()
	eventually(t, func() bool { return open(srv) == 0 })
	assert.Len(t, srv.Requests(), 3)
}
