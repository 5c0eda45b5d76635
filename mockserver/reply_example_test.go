package mockserver_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/leakgate/leakgate/mockserver"
)

// show does a request and prints what the caller sees.
func show(c *http.Client, url string) {
	resp, err := c.Get(url)
	if err != nil {
		fmt.Println("error from Get:", errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF))
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode, len(body), err)
}

// An upstream that fails twice and then recovers.
func ExampleReply_Then() {
	t := exampleT{}
	srv := mockserver.New(t)
	defer srv.Close()
	srv.On("GET", "/job").Reply(mockserver.Status(503).Times(2).Then(mockserver.JSON(200, "done")))
	for range 4 {
		show(srv.Client(), srv.URL+"/job")
	}
	// Output:
	// 503 162 <nil>
	// 503 162 <nil>
	// 200 6 <nil>
	// 200 6 <nil>
}

// A page that breaks in the middle.
func ExampleReply_Fault() {
	t := exampleT{}
	srv := mockserver.New(t)
	defer srv.Close()
	srv.On("GET", "/cut").Reply(mockserver.ALB(403).Fault(mockserver.TruncateAfter(50)))
	srv.On("GET", "/empty").Reply(mockserver.Fault(mockserver.EmptyResponse))
	srv.On("GET", "/reset").Reply(mockserver.Fault(mockserver.ConnectionReset))
	show(srv.Client(), srv.URL+"/cut")
	show(srv.Client(), srv.URL+"/empty")
	show(srv.Client(), srv.URL+"/reset")
	// Output:
	// 403 50 unexpected EOF
	// error from Get: false true
	// error from Get: true false
}

// duplicateHead is a fault of one's own: it sends the headers twice.
type duplicateHead struct{}

func (duplicateHead) String() string { return "duplicateHead{}" }

func (duplicateHead) Play(w *mockserver.Wire) {
	w.Head()
	w.Send()
	w.HalfClose()
}

func ExampleWireFault() {
	t := exampleT{}
	srv := mockserver.New(t)
	defer srv.Close()
	srv.On("GET", "/").Reply(mockserver.Text(200, strings.Repeat("body ", 10)).Fault(duplicateHead{}))
	resp, err := srv.Client().Get(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Printf("%.15s\n", body)
	// Output:
	// HTTP/1.1 200 OK
}

func ExampleTemplate() {
	t := exampleT{}
	srv := mockserver.New(t)
	defer srv.Close()
	srv.On("GET", "/users/{id}").Reply(mockserver.Template(200, "application/json", `{"id":{{json .Vars.id}},"page":{{json (.Query.Get "page")}}}`))
	resp, err := srv.Client().Get(srv.URL + "/users/7?page=2")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(string(body))
	// Output:
	// {"id":"7","page":"2"}
}

func ExampleHandler() {
	t := exampleT{}
	srv := mockserver.New(t)
	defer srv.Close()
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello", r.PathValue("name"))
	})
	srv.On("GET", "/hello/{name}").Reply(mockserver.Handler(hello))
	srv.On("GET", "/cut/{name}").Reply(mockserver.Handler(hello).Fault(mockserver.TruncateAfter(5)))
	show(srv.Client(), srv.URL+"/hello/ann")
	show(srv.Client(), srv.URL+"/cut/ann")
	// Output:
	// 200 10 <nil>
	// 200 5 unexpected EOF
}

// Slow replies: late, in pieces, and without an end.
func ExampleReply_Trickle() {
	t := exampleT{}
	srv := mockserver.New(t)
	defer srv.Close()
	srv.On("GET", "/late").Reply(mockserver.Status(200).DelayBy(mockserver.Lognormal(5*time.Millisecond, 0.3)))
	srv.On("GET", "/pieces").Reply(mockserver.ALB(502).Trickle(50, time.Millisecond))
	srv.On("GET", "/events").Reply(mockserver.Stream("text/event-stream", time.Millisecond, "data: 1\n\n", "data: 2\n\n"))
	show(srv.Client(), srv.URL+"/late")
	show(srv.Client(), srv.URL+"/pieces")
	resp, err := srv.Client().Get(srv.URL + "/events")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close() // ends the stream
	first := make([]byte, 18)
	io.ReadFull(resp.Body, first)
	fmt.Printf("%q\n", first)
	// Output:
	// 200 0 <nil>
	// 502 122 <nil>
	// "data: 1\n\ndata: 2\n\n"
}
