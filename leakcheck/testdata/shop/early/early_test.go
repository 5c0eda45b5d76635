// Package early has a test that may fail before it makes what it ignores.
package early

import (
	"os"
	"testing"

	"github.com/leakgate/leakgate/leakcheck"
)

func TestMain(m *testing.M) { os.Exit(leakcheck.Main(m)) }

func TestEarly(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t, leakcheck.Ignore("lives on", leakcheck.Func("example.com/shop/early.live"))))
	if os.Getenv("EARLY") == "fatal" {
		t.Fatal("no server")
	}
}
