package leakcheck_test

import (
	"net/http"
	"testing"

	"github.com/leakgate/leakgate/leakcheck"
)

// What each run leaves more of is a leak, whatever a cache or a pool may keep. Three runs find what each of them leaves.
func ExampleRepeat() {
	_ = func(t *testing.T, client *http.Client, url string) { // func TestSession(t *testing.T)
		t.Cleanup(leakcheck.Verify(t)) // judges what was left once
		leakcheck.Repeat(t, 10, func() {
			resp, err := client.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
		})
	}
}

// A pool that takes five runs to fill is not judged while it does.
func ExampleWarmUp() {
	_ = func(t *testing.T, call func()) {
		leakcheck.Repeat(t, 3, call, leakcheck.WarmUp(5))
	}
}
