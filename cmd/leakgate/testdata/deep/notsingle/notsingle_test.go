// Package notsingle leaks what is like the singletons of package singletons, and is none.
package notsingle

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"example.com/shop/singletons"
)

// serve is a server that is closed when the test ends.
func serve(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go singletons.Serve(l)
	return l.Addr().String()
}

func TestOwnPool(t *testing.T) {
	p := &singletons.Pool{Addr: serve(t)}
	t.Cleanup(func() { p.Addr = "" }) // the test holds it
	if _, err := p.Ask("hello"); err != nil {
		t.Fatal(err)
	}
}

func TestOwnBroker(t *testing.T) {
	b, err := singletons.NewBroker(serve(t))
	if err != nil {
		t.Fatal(err)
	}
	b.Ask("hello")
}

func TestOwnLog(t *testing.T) {
	l := &singletons.Logger{Name: os.DevNull}
	if err := l.Print("hello"); err != nil {
		t.Fatal(err)
	}
}

func TestOwnCache(t *testing.T) { singletons.NewCache() }

// TestOwnOnce makes the function that runs once as well.
func TestOwnOnce(t *testing.T) { singletons.Loop()() }

func TestOwnQueue(t *testing.T) { singletons.NewQueue() }

func TestOwnWorker(t *testing.T) { singletons.NewContextWorker(context.Background()) }

// nodes are used again for their memory: what they refer to is not theirs.
var nodes sync.Pool

type node struct{ of *singletons.Worker }

func TestPooled(*testing.T) {
	nodes.Put(&node{singletons.NewContextWorker(context.Background())})
}

func TestOwnChannel(t *testing.T) {
	c := make(chan int)
	go func() { <-c }()
}

func TestOwnSleep(t *testing.T) { go time.Sleep(time.Hour) }

// TestBody leaks by a client that is a package-level variable.
func TestBody(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") }))
	t.Cleanup(func() { singletons.Client.CloseIdleConnections(); s.CloseClientConnections(); s.Close() })
	if _, err := singletons.Client.Get(s.URL); err != nil {
		t.Fatal(err)
	}
}

// TestServer leaks a server.
func TestServer(t *testing.T) { httptest.NewServer(http.NotFoundHandler()) }

// What only becomes more, and is not used again.
var (
	opened []*os.File
	dialed []net.Conn
	all    []*singletons.Worker
)

func grow(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	opened = append(opened, f)
	all = append(all, singletons.NewContextWorker(context.Background()))
}

func TestGrows1(t *testing.T) { grow(t) }

func TestGrows2(t *testing.T) { grow(t) }

func TestGrows3(t *testing.T) { grow(t) }

func TestGrows4(t *testing.T) { grow(t) }

var listener, _ = net.Listen("tcp", "127.0.0.1:0")

func dial(t *testing.T) {
	c, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	dialed = append(dialed, c)
}

func TestDials1(t *testing.T) { dial(t) }

func TestDials2(t *testing.T) { dial(t) }

func TestDials3(t *testing.T) { dial(t) }
