// Package app leaks. Lines that end in a capital word in a comment are where the test edits it.
package app

import (
	"database/sql"
	"iter"
	"net"
	"net/http"
	"os/exec"
)

// MOVED

type Client struct{ name string }

type Value struct{ url string }

func (c *Client) Get(url string) { http.Get(url) }

func (c *Client) Post(url string) { http.Post(url, "text/plain", nil) }

func (v Value) Get() { http.Get(v.url) }

// fetcher and its closure are inlined where they are called.
func fetcher(url string) func() {
	// ABOVE
	return func() { http.Get(url) }
}

func (c *Client) fetcher(url string) func() {
	// ABOVE
	return func() { http.Get(url) }
}

func (v Value) fetcher() func() {
	// ABOVE
	return func() { http.Get(v.url) }
}

func nested(url string) {
	// ABOVE
	func() {
		func() {
			func() { http.Get(url) }()
		}()
	}()
}

func decode[T any](url string) (out T) {
	func() { http.Get(url) }()
	return out
}

type Box[T any] struct{ v T }

func (b *Box[T]) Get(url string) { http.Get(url) }

var fromVariable = func(url string) { http.Get(url) }

var fromInit func(url string)

func init() {
	// ABOVE
	fromInit = func(url string) { http.Get(url) }
}

func (c *Client) pages(n int) iter.Seq[int] {
	// ABOVE
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

func (c *Client) each(url string) {
	for range c.pages(2) {
		http.Get(url)
	}
}

func (c *Client) eachByClosure(url string) {
	// ABOVE
	for range c.pages(2) {
		func() { http.Get(url) }()
	}
}

func deferred(url string) {
	for i := range 1 {
		defer func(n int) { http.Get(url) }(i)
		defer (&Client{}).Get(url)
	}
}

func recursive(url string, depth int) {
	if depth == 0 {
		http.Get(url)
		return
	}
	recursive(url, depth-1)
}

func start(stop chan int) {
	// ABOVE
	go func() { <-stop }()
}

type worker struct{ stop chan int }

func (w *worker) run() { w.wait(1) }

func (w *worker) wait(n int) {
	for range n {
		<-w.stop
	}
}

func (w worker) runValue() { <-w.stop }

func (w *worker) start() { go w.run() }

func (w *worker) startWithArguments() { go w.wait(1) }

func (w worker) startValue() { go w.runValue() }

func (w *worker) startMethodValue() {
	f := w.run
	go f()
}

func (w *worker) startInLoop() {
	// ABOVE
	for range (&Client{}).pages(1) {
		go func() { <-w.stop }()
	}
}

func starter(stop chan int) func() {
	// ABOVE
	return func() { go func() { <-stop }() }
}

func pump[T any](stop chan int, v T) { <-stop }

func startPump[T any](stop chan int, v T) { go pump(stop, v) }

func list(db *sql.DB) { db.Query("select") }

// kept is what the garbage collector would close.
var kept []any

func listen() {
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	kept = append(kept, l)
}

func dial(addr string) {
	c, _ := net.Dial("tcp", addr)
	kept = append(kept, c)
}

func child() {
	cmd := exec.Command("cat")
	in, _ := cmd.StdinPipe()
	kept = append(kept, in)
	cmd.Start()
}
