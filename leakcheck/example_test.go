package leakcheck_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/leakgate/leakgate/leakcheck"
)

// The first line of a test.
func ExampleVerify() {
	_ = func(t *testing.T) { // func TestClient(t *testing.T)
		t.Cleanup(leakcheck.Verify(t))
	}
}

// In TestMain, with or without Verify in the tests.
func ExampleMain() {
	_ = func(m *testing.M) { // func TestMain(m *testing.M)
		os.Exit(leakcheck.Main(m))
	}
}

// Near the end of a pool is found before it is reached.
func ExampleHighWater() {
	_ = func(t *testing.T) { // fails when more than three quarters of a pool were out at one moment
		t.Cleanup(leakcheck.Verify(t, leakcheck.HighWater(0.75)))
	}
}

// What may stay is set aside with a reason. A report counts it, and Main tells when nothing matches it any more.
func ExampleIgnore() {
	_ = func(t *testing.T) {
		t.Cleanup(leakcheck.Verify(t,
			leakcheck.Ignore("the metrics exporter lives as long as the process", leakcheck.CreatedBy("example.com/app/metrics.Start")),
			leakcheck.Wait(3*time.Second),
		))
	}
}

// A suite that comes from goleak keeps its options.
func ExampleGoleak() {
	_ = func(m *testing.M) {
		leakcheck.VerifyTestMain(m, leakcheck.Goleak(
			goleak.IgnoreTopFunction("example.com/app/metrics.(*exporter).run"),
		))
	}
}

// Two moments can be compared anywhere.
func ExampleTake() {
	before := leakcheck.Take(leakcheck.Only(leakcheck.Goroutine))

	stop := make(chan struct{})
	go func() { <-stop }()

	for _, leak := range before.Leaks() {
		fmt.Println(leak.Kind, leak.Code, leak.Site.Source)
	}
	close(stop)
	// Output: goroutine LK102 go func() { <-stop }()
}
