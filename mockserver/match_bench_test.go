package mockserver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// BenchmarkPlainStub is a request to a server with one stub, beside the same reply from httptest.
func BenchmarkPlainStub(b *testing.B) {
	b.Run("mockserver", func(b *testing.B) {
		srv := New(b)
		srv.On("GET", "/session").Reply(Text(200, "hello"))
		keepAsking(b, srv.URL)
	})
	b.Run("httptest", func(b *testing.B) {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			io.WriteString(w, "hello")
		}))
		b.Cleanup(srv.Close)
		keepAsking(b, srv.URL)
	})
}

// keepAsking does requests on one connection, with as little work on the client's side as can be.
func keepAsking(b *testing.B, url string) {
	nc, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	in := bufio.NewReader(nc)
	ask := []byte("GET /session HTTP/1.1\r\nHost: test\r\n\r\n")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := nc.Write(ask); err != nil {
			b.Fatal(err)
		}
		for end := false; !end; { // the line with the body has no end
			line, err := in.ReadSlice('\n')
			if err != nil {
				b.Fatal(err)
			}
			end = len(line) == 2
		}
		if _, err := in.Discard(len("hello")); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAnswer is what matching costs, without a connection.
func BenchmarkAnswer(b *testing.B) {
	for _, c := range []struct {
		name  string
		stubs func(srv *Server)
	}{
		{"1 stub", func(srv *Server) { srv.On("GET", "/api/users/{id}").Reply(Status(200)) }},
		{"1000 paths", func(srv *Server) {
			for i := range 1000 {
				srv.On("GET", fmt.Sprintf("/api/users/%d", i)).Reply(Status(200))
			}
		}},
		{"1000 wildcards", func(srv *Server) {
			for i := range 1000 {
				srv.On("GET", fmt.Sprintf("/{a}/users/{b}/%d", i)).Reply(Status(200))
			}
			srv.On("GET", "/api/users/{id}").Reply(Status(200))
		}},
		{"1000 queries", func(srv *Server) {
			for i := range 1000 {
				srv.On("GET", "/api/users/{id}", WithQuery("page", fmt.Sprint(i))).Reply(Status(200))
			}
		}},
		{"1000 JSON bodies", func(srv *Server) {
			for i := range 1000 {
				srv.On("GET", "/api/users/{id}", WithJSONSubset(map[string]any{"user": map[string]any{"id": i}})).Reply(Status(200))
			}
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			srv := New(&bareT{}, AllowUnused())
			defer srv.Close()
			c.stubs(srv)
			in := incomingOf(b, "GET", "/api/users/500?page=500", "", `{"user":{"id":500,"name":"bob"}}`)
			b.ReportAllocs()
			for b.Loop() {
				rec := *in.Request
				if _, st, _ := srv.answer(&rec, in.escaped); st == nil {
					b.Fatal("no stub")
				}
			}
		})
	}
}

// BenchmarkUnmatched is what the message of a request costs that none of 1,000 stubs matches.
func BenchmarkUnmatched(b *testing.B) {
	srv := New(&bareT{}, AllowUnused())
	defer srv.Close()
	for i := range 1000 {
		srv.On("GET", fmt.Sprintf("/api/users/%d/orders", i), WithJSONSubset(map[string]any{"id": i})).Reply(Status(200))
	}
	in := incomingOf(b, "GET", "/api/users/500/order", "", `{"id":500}`)
	for b.Loop() {
		rec := *in.Request
		if _, st, _ := srv.answer(&rec, in.escaped); st != nil {
			b.Fatal("a stub")
		}
	}
}
