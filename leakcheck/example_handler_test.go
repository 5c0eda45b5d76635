package leakcheck_test

import (
	"expvar"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/leakgate/leakgate/leakcheck"
)

// At an admin path, also while the service runs: curl http://localhost:6060/debug/leakgate
func ExampleHandler() {
	mux := http.NewServeMux()
	mux.Handle("/debug/leakgate", leakcheck.Handler())

	admin := httptest.NewServer(mux) // as http.ListenAndServe("localhost:6060", mux) has it
	defer admin.Close()
	resp, err := http.Get(admin.URL + "/debug/leakgate?format=json&parts=leases")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status, resp.Header.Get("Content-Type"))
	// Output: 200 OK application/json
}

// Counts for what reads /debug/vars. expvar is imported by the service, and not by leakcheck.
func ExamplePublish() {
	if err := leakcheck.Publish("leakgate", expvar.Publish); err != nil {
		fmt.Println(err)
	}
}

// An end-to-end test that fails for what the service did not give back.
func ExampleRemote() {
	_ = func(t *testing.T) {
		t.Cleanup(leakcheck.Verify(t, leakcheck.Remote("http://localhost:6060/debug/leakgate")))
		// call the service
	}
}
