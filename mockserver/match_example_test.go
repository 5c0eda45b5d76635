package mockserver_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/leakgate/leakgate/mockserver"
)

// post stands for the client under test.
func post(c *http.Client, url, body string) string {
	resp, err := c.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	return resp.Status
}

// Two stubs of one path, told apart by what the body has.
func ExampleWithJSONSubset() {
	t := exampleT{}
	srv := mockserver.New(t)
	defer srv.Close()
	srv.On("POST", "/orders").Reply(mockserver.Status(201))
	srv.On("POST", "/orders", mockserver.WithJSONSubset(map[string]any{"user": map[string]any{"blocked": true}})).Reply(mockserver.ALB(403))

	fmt.Println(post(srv.Client(), srv.URL+"/orders", `{"user": {"name": "alice"}, "items": [1]}`))
	fmt.Println(post(srv.Client(), srv.URL+"/orders", `{"user": {"name": "bob", "blocked": true}}`))
	// Output:
	// 201 Created
	// 403 Forbidden
}

// A scenario: the same request is answered differently after another one.
func ExampleInState() {
	t := exampleT{}
	srv := mockserver.New(t)
	defer srv.Close()
	srv.On("POST", "/login").Sets("session", "open").Reply(mockserver.Status(204))
	srv.On("POST", "/orders").Reply(mockserver.ALB(403))
	srv.On("POST", "/orders", mockserver.InState("session", "open")).Reply(mockserver.Status(201))

	fmt.Println(post(srv.Client(), srv.URL+"/orders", ""))
	fmt.Println(post(srv.Client(), srv.URL+"/login", ""))
	fmt.Println(post(srv.Client(), srv.URL+"/orders", ""))
	fmt.Println(srv.State("session"))
	// Output:
	// 403 Forbidden
	// 204 No Content
	// 201 Created
	// open
}

// Wait for what the code under test does in the background.
func ExampleServer_Wait() {
	t := exampleT{}
	srv := mockserver.New(t)
	defer srv.Close()
	audit := srv.On("POST", "/audit").Reply(mockserver.Status(202))

	go post(srv.Client(), srv.URL+"/audit", `{"user": "bob"}`)

	for _, r := range srv.Wait(audit, 1, time.Minute) {
		fmt.Println(r.Path, string(r.Body))
	}
	// Output: /audit {"user": "bob"}
}

// A stub that is called too seldom, or not at all, fails the test.
func ExampleStub_Expect() {
	t := exampleT{}
	srv := mockserver.New(t)
	srv.On("POST", "/audit").Expect(2).Reply(mockserver.Status(202))
	srv.On("POST", "/metrics").Optional().Reply(mockserver.Status(202))
	post(srv.Client(), srv.URL+"/audit", "")
	srv.Close()
	// Output:
	// mockserver: 1 stub was not called as expected:
	// 	POST /audit (match_example_test.go:76): called 1 time, not 2
}
