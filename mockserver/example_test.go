package mockserver_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/leakgate/leakgate/mockserver"
)

// exampleT stands for the *testing.T of a test. It has no Cleanup, so the examples call Close.
type exampleT struct{}

func (exampleT) Helper()                           {}
func (exampleT) Name() string                      { return "Example" }
func (exampleT) Failed() bool                      { return false }
func (exampleT) Logf(format string, args ...any)   { fmt.Printf(format+"\n", args...) }
func (exampleT) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }

func Example() {
	t := exampleT{}
	srv := mockserver.New(t)
	defer srv.Close() // a *testing.T closes it by itself
	srv.On("GET", "/session").Reply(mockserver.ALB(403))

	resp, err := srv.Client().Get(srv.URL + "/session")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(resp.Status, resp.Header.Get("Server"), len(body))
	fmt.Println(srv.Requests()[0].Path)
	// Output:
	// 403 Forbidden awselb/2.0 118
	// /session
}

// Find the response that was not closed from the server's side.
func ExampleServer_Conns() {
	t := exampleT{}
	srv := mockserver.New(t)
	defer srv.Close()
	srv.On("GET", "/session").Reply(mockserver.Status(403))
	client := srv.Client()

	leaked, err := client.Get(srv.URL + "/session") // the code under test forgets leaked.Body.Close()
	if err != nil {
		fmt.Println(err)
		return
	}

	client.CloseIdleConnections()
	time.Sleep(50 * time.Millisecond) // the client closes in the background
	for _, c := range srv.Conns() {
		if c.State != mockserver.ConnClosed {
			fmt.Printf("%s, %d: held\n", c.LastRequest, c.LastStatus)
		}
	}
	leaked.Body.Close()
	// Output: GET /session, 403: held
}

// One reply after the other; the last one stays.
func ExampleStub_Reply() {
	t := exampleT{}
	srv := mockserver.New(t)
	defer srv.Close()
	srv.On("GET", "/job/{id}").Reply(
		mockserver.Nginx(502),
		mockserver.JSON(200, map[string]string{"state": "done"}),
	)
	for range 3 {
		resp, err := srv.Client().Get(srv.URL + "/job/7")
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(resp.Status)
		resp.Body.Close()
	}
	// Output:
	// 502 Bad Gateway
	// 200 OK
	// 200 OK
}

// A decoder does not read the terminator of a chunked body that comes late, so the connection is held until Close.
func ExampleReply_Framing() {
	t := exampleT{}
	srv := mockserver.New(t)
	defer srv.Close()
	forbidden := mockserver.JSON(403, map[string]string{"message": "Forbidden"})
	srv.On("GET", "/session").Reply(forbidden.Framing(mockserver.ChunkedLate))

	resp, err := srv.Client().Get(srv.URL + "/session")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	var v struct{ Message string }
	fmt.Println(json.NewDecoder(resp.Body).Decode(&v), v.Message, resp.TransferEncoding)
	// Output: <nil> Forbidden [chunked]
}

// The same reply without a network, as httpmock.RegisterResponder takes it.
func ExampleReply_Responder() {
	respond := mockserver.ALB(503).Responder()
	req, err := http.NewRequest("GET", "http://upstream.test/", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := respond(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status, resp.ContentLength)
	// Output: 503 Service Temporarily Unavailable 162
}

// Test what the client does when it waits too long.
func ExampleReply_Delay() {
	t := exampleT{}
	srv := mockserver.New(t)
	defer srv.Close()
	srv.On("GET", "/slow").Reply(mockserver.Status(200).Delay(time.Hour))

	client := srv.Client()
	client.Timeout = 20 * time.Millisecond
	_, err := client.Get(srv.URL + "/slow")
	fmt.Println(os.IsTimeout(err))
	// Output: true
}
