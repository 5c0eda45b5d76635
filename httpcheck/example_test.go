package httpcheck_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/leakgate/leakgate/httpcheck"
)

// Wrap tracks any http.RoundTripper. Make it where the client is made, and look at it whenever you like.
func ExampleWrap() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no such session", http.StatusForbidden)
	}))
	defer srv.Close()

	transport := httpcheck.Wrap(&http.Transport{MaxIdleConnsPerHost: 10})
	client := &http.Client{Transport: transport}
	defer client.CloseIdleConnections()

	resp, err := client.Get(srv.URL + "/session?token=secret")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, leak := range transport.Leases() {
		fmt.Println(leak.Summary)
		fmt.Println("fix:", leak.Hint)
	}
	fmt.Printf("%+v\n", transport.Stats())

	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	fmt.Printf("%+v\n", transport.Stats())
	// Output:
	// response body of GET /session?token=… (403) was never closed
	// fix: defer resp.Body.Close()
	// {Requests:1 Leased:1 PeakLeased:1 Dialed:1 Reused:0 ClosedEarly:0}
	// {Requests:1 Leased:0 PeakLeased:1 Dialed:1 Reused:0 ClosedEarly:0}
}

// Instrument is for code that asserts the type of a transport or cannot be given another one.
func ExampleInstrument() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }))
	defer srv.Close()

	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	tracked := httpcheck.Instrument(tr)

	client := &http.Client{Transport: tr} // tr itself
	for range 3 {
		resp, err := client.Get(srv.URL)
		if err != nil {
			fmt.Println(err)
			return
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	s := tracked.Stats()
	fmt.Printf("%d requests, %d dialed, %d reused\n", s.Requests, s.Dialed, s.Reused)
	// Output: 3 requests, 1 dialed, 2 reused
}
