package mockserver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// The two servers answer the same request with the same JSON, to the same client: raw connections that send and read, so
// that the server is most of what is measured. Compare the two:
//
//	go test ./mockserver -run xxx -bench 'Stub|HTTPTest'

const benchBody = `{"id":7,"state":"active","name":"a plain stub"}`

func BenchmarkStub(b *testing.B) {
	srv := New(b, AllowUnused())
	srv.On("GET", "/users/{id}").Reply(Body(200, "application/json", []byte(benchBody)))
	load(b, srv.URL)
}

func BenchmarkHTTPTest(b *testing.B) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, benchBody)
	})
	srv := httptest.NewServer(mux)
	b.Cleanup(srv.Close)
	load(b, srv.URL)
}

// The handler as a reply, for those who have one.
func BenchmarkHandlerReply(b *testing.B) {
	srv := New(b, AllowUnused())
	srv.On("GET", "/users/{id}").Reply(Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, benchBody)
	})))
	load(b, srv.URL)
}

func load(b *testing.B, url string) {
	addr := strings.TrimPrefix(url, "http://")
	request := []byte("GET /users/7 HTTP/1.1\r\nHost: " + addr + "\r\nUser-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\n\r\n")
	b.SetParallelism(4)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			b.Error(err)
			return
		}
		defer nc.Close()
		in := bufio.NewReader(nc)
		for pb.Next() {
			if _, err := nc.Write(request); err != nil {
				b.Error(err)
				return
			}
			for blank := false; !blank; {
				line, err := in.ReadSlice('\n')
				if err != nil {
					b.Error(err)
					return
				}
				blank = len(line) == 2
			}
			if _, err := in.Discard(len(benchBody)); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// The same with net/http's client.
func BenchmarkStubByClient(b *testing.B) {
	srv := New(b, AllowUnused())
	srv.On("GET", "/users/{id}").Reply(Body(200, "application/json", []byte(benchBody)))
	loadClient(b, srv.URL)
}

func BenchmarkHTTPTestByClient(b *testing.B) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, benchBody)
	})
	srv := httptest.NewServer(mux)
	b.Cleanup(srv.Close)
	loadClient(b, srv.URL)
}

func loadClient(b *testing.B, url string) {
	tr := &http.Transport{MaxIdleConnsPerHost: 100}
	b.Cleanup(tr.CloseIdleConnections)
	client := &http.Client{Transport: tr}
	var failed atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, err := client.Get(url + "/users/7")
			if err != nil {
				failed.Add(1)
				continue
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	})
	require.Zero(b, failed.Load())
}

// BenchmarkNew is the start and the end of a server, with a stub and without a request.
func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		srv := New(&bareT{}, AllowUnused())
		srv.On("GET", "/").Reply(Status(200))
		srv.Close()
	}
}

// BenchmarkNewWithRequest adds a request over a new connection.
func BenchmarkNewWithRequest(b *testing.B) {
	for b.Loop() {
		srv := New(&bareT{}, AllowUnused())
		srv.On("GET", "/").Reply(Status(204))
		if got := read(srv.Client(), "GET", srv.URL, ""); got != "204 " {
			b.Fatal(got)
		}
		srv.Close()
	}
}

// BenchmarkFault is what a broken reply costs, with its connection.
func BenchmarkFault(b *testing.B) {
	for _, f := range []WireFault{EmptyResponse, ConnectionReset, TruncateAfter(64)} {
		b.Run(fmt.Sprint(f), func(b *testing.B) {
			srv := New(b, AllowUnused())
			srv.On("GET", "/").Reply(Fault(f))
			addr := strings.TrimPrefix(srv.URL, "http://")
			for b.Loop() {
				nc, err := net.Dial("tcp", addr)
				require.NoError(b, err)
				io.WriteString(nc, get("/"))
				io.Copy(io.Discard, nc)
				nc.Close()
			}
		})
	}
}
