// Package clean gives back all that it acquires.
package clean

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// opened is for the life of the process: no test has opened it.
var opened, _ = os.Open(os.DevNull)

// At their first use these open what is for the life of the process: it is not the first test's.
var (
	first  sync.Once
	shared net.Listener
	null   *os.File
	work   = make(chan func())
)

func get(t *testing.T) (net.Listener, *os.File) {
	first.Do(func() {
		shared, _ = net.Listen("tcp", "127.0.0.1:0")
		null, _ = os.Open(os.DevNull)
		go func() {
			for f := range work {
				f()
			}
		}()
	})
	if shared == nil || null == nil {
		t.Fatal("not opened")
	}
	return shared, null
}

func TestFirstUse(t *testing.T) { get(t) }

func TestLaterUse(t *testing.T) { get(t) }

func TestMain(m *testing.M) {
	if opened == nil {
		os.Exit(4)
	}
	m.Run() // the exit status is go test's to give
}

func TestClean(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}))
	defer s.Close()
	resp, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
}

func TestHTTP2(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	resp, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(body) != "HTTP/2.0" || err != nil {
		t.Fatal(string(body), err)
	}
	// It has no body that would have to be closed.
	if _, err := s.Client().Head(s.URL); err != nil {
		t.Fatal(err)
	}
}

func TestIdle(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	resp, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

func TestCommand(t *testing.T) {
	if err := exec.Command(os.Args[0], "-test.run=TestNothing").Run(); err != nil {
		t.Fatal(err)
	}
}

func TestNothing(t *testing.T) {}

func BenchmarkNothing(b *testing.B) {
	for b.Loop() {
	}
}

func FuzzNothing(f *testing.F) {
	f.Add(1)
	f.Fuzz(func(*testing.T, int) {})
}

func Example() {
	// Output:
}
