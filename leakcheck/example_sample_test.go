package leakcheck_test

import (
	"testing"
	"time"

	"github.com/leakgate/leakgate/leakcheck"
)

// A test that fails as soon as there are more than 5 sockets in CLOSE_WAIT, and says which lines hold them.
func ExampleSample() {
	_ = func(t *testing.T) {
		series := leakcheck.Sample(t, 10*time.Millisecond,
			leakcheck.AtMost(leakcheck.CloseWait, 5),
			leakcheck.AtMost(leakcheck.Leases("http.DefaultTransport"), 10),
		)
		// ... the test ...
		t.Log(series) // a table of what has changed, with a small plot for each
	}
}

// A benchmark says how much it held at most.
func ExampleSeries_Peak() {
	_ = func(b *testing.B) {
		series := leakcheck.Sample(b, time.Millisecond)
		for b.Loop() {
			// ... what is measured ...
		}
		series.Stop()
		b.ReportMetric(float64(series.Peak(leakcheck.Sockets)), "sockets-peak")
		b.ReportMetric(float64(series.Peak(leakcheck.HeapInUse)), "heap-peak-B")
	}
}

// What a test holds for longer than two seconds is logged while it is held, and again when it is given back.
func ExampleWarnHeld() {
	_ = func(t *testing.T) {
		t.Cleanup(leakcheck.Verify(t, leakcheck.WarnHeld(2*time.Second)))
	}
}
