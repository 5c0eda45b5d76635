package httpcheck_test

import (
	"fmt"
	"net/http"

	"github.com/jarcoal/httpmock"

	"github.com/leakgate/leakgate/httpcheck"
)

// A mock opens no connection, so that nothing but a tracked body shows the leak.
func ExampleVerify_httpmock() {
	t := new(printT)
	mock := httpmock.NewMockTransport()
	mock.RegisterResponder("GET", "https://api.example.com/session", httpmock.NewStringResponder(403, "no such session"))
	client := &http.Client{Transport: mock}

	check := httpcheck.Verify(t, client)
	_, err := session(client, "https://api.example.com")
	fmt.Println(err)
	check()
	// Output:
	// session: 403
	// leakcheck: 1 leak: response body of GET /session (403) was never closed
}

// With httpmock.Activate the mock is http.DefaultTransport: wrap that.
func ExampleWrap_httpmock() {
	httpmock.Activate()
	defer httpmock.DeactivateAndReset()
	httpmock.RegisterResponder("GET", "https://api.example.com/session", httpmock.NewStringResponder(403, "no such session"))

	transport := httpcheck.Wrap(http.DefaultTransport)
	_, err := session(&http.Client{Transport: transport}, "https://api.example.com")
	fmt.Println(err)
	fmt.Println(transport.Leases()[0].Summary)
	// Output:
	// session: 403
	// response body of GET /session (403) was never closed
}
