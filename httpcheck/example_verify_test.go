package httpcheck_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/leakgate/leakgate/httpcheck"
)

// printT stands for the *testing.T of a test, and prints the first line of what it is told.
type printT struct{ failed bool }

func (*printT) Helper()             {}
func (*printT) Name() string        { return "TestSession" }
func (t *printT) Failed() bool      { return t.failed }
func (*printT) Logf(string, ...any) {}
func (t *printT) Errorf(format string, args ...any) {
	t.failed = true
	line, _, _ := strings.Cut(fmt.Sprintf(format, args...), "\n")
	fmt.Println(line)
}

// session is the code under test: it forgets the body when it does not like the status.
func session(client *http.Client, url string) (name string, err error) {
	resp, err := client.Get(url + "/session")
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("session: %s", resp.Status)
	}
	defer resp.Body.Close()
	var v struct{ Name string }
	err = json.NewDecoder(resp.Body).Decode(&v)
	return v.Name, err
}

// In a test: t.Cleanup(httpcheck.Verify(t, client)).
func ExampleVerify() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no such session", http.StatusForbidden)
	}))
	defer srv.Close()
	t := new(printT)
	client := &http.Client{Transport: &http.Transport{}}

	check := httpcheck.Verify(t, client)
	_, err := session(client, srv.URL)
	fmt.Println(err)
	check()
	// Output:
	// session: 403 Forbidden
	// leakcheck: 1 leak: response body of GET /session (403) was never closed
}

// A body that is read to EOF holds nothing, so that only tracking shows that nobody closes it.
func ExampleVerify_readToEOF() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }))
	defer srv.Close()
	t := new(printT)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()

	check := httpcheck.Verify(t, client)
	resp, err := client.Get(srv.URL + "/greeting")
	if err == nil {
		_, _ = io.ReadAll(resp.Body)
	}
	check()
	// Output:
	// leakcheck: 1 leak: response body of GET /greeting (200) was read to EOF but never closed: leaks when it is not read to the end
}

// Budgets are options, of Verify for its client, and of leakcheck.Verify for all tracked transports that a test uses.
func ExampleMaxLeased() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }))
	defer srv.Close()
	t := new(printT)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()

	check := httpcheck.Verify(t, client, httpcheck.MaxLeased(1))
	func() {
		for range 3 {
			resp, err := client.Get(srv.URL)
			if err != nil {
				return
			}
			defer resp.Body.Close() // in a loop: all are out until the function ends
		}
	}()
	check()
	// Output:
	// leakcheck: 1 leak: *http.Transport had 3 responses out at once, and the budget is 1
}

// MinReuse finds a pool in name only.
func ExampleMinReuse() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }))
	defer srv.Close()
	t := new(printT)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

	check := httpcheck.Verify(t, client, httpcheck.MinReuse(0.9))
	for range 5 {
		resp, err := client.Get(srv.URL)
		if err != nil {
			continue
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	check()
	// Output:
	// leakcheck: 1 leak: *http.Transport reused a connection for 0% of its requests, and the budget is 90%
}

// NoEarlyClose finds bodies that are closed before they are read, which costs their connection.
func ExampleNoEarlyClose() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }))
	defer srv.Close()
	t := new(printT)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()

	check := httpcheck.Verify(t, client, httpcheck.NoEarlyClose())
	resp, err := client.Get(srv.URL)
	if err == nil {
		resp.Body.Close()
	}
	check()
	// Output:
	// leakcheck: 1 leak: *http.Transport had 1 body closed before EOF
}
