package main

import (
	"context"
	"os"
	"runtime"
	"testing"
)

// TestPeak: the memory of a small program is its own, and not that of the process which started it.
func TestPeak(t *testing.T) {
	if !hasGNUTime() {
		if os.Getenv("LEAKGATE_REQUIRE_SERVICES") == "1" {
			t.Fatal("there is no GNU time: install package time")
		}
		t.Skip("there is no GNU time")
	}
	large := make([]byte, 64<<20)
	for i := 0; i < len(large); i += 4096 {
		large[i] = 1
	}
	s, err := run(context.Background(), t.TempDir(), nil, "true")
	if err != nil || s.rss <= 0 || s.rss >= 32<<10 {
		t.Errorf("%d kilobytes, %v", s.rss, err)
	}
	s, err = run(context.Background(), t.TempDir(), nil, "sh", "-c", "exit 3")
	if err != nil || s.code != 3 {
		t.Errorf("exit status %d, %v", s.code, err)
	}
	runtime.KeepAlive(large)
}
