package mockserver_test

import (
	"fmt"
	"io"

	"github.com/leakgate/leakgate/mockserver"
)

// A team's stub files answer as they are, and the test adds what it needs beside them.
func ExampleServer_Load() {
	t := exampleT{}
	srv := mockserver.New(t)
	defer srv.Close()
	srv.Load("testdata/wiremock") // has mappings and __files in it
	srv.On("GET", "/orders/8").Reply(mockserver.ALB(503))

	for _, path := range []string{"/orders/7", "/orders/8"} {
		resp, err := srv.Client().Get(srv.URL + path)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Println(resp.StatusCode, len(body))
	}
	// Output:
	// 200 26
	// 503 162
}
