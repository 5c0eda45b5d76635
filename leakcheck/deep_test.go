package leakcheck_test

import (
	"testing"

	"github.com/leakgate/leakgate/internal/deep/bridge"
)

// inDeepMode says whether the tests run under leakgate test, whose agent knows lines that nobody else knows.
func inDeepMode() bool {
	offer, _ := bridge.Offered()
	return offer != nil
}

// notInDeepMode leaves out a test of what is said where nobody knows the line or the test: in deep mode they are known, and
// cmd/leakgate tests what is said then.
func notInDeepMode(t *testing.T) {
	t.Helper()
	if inDeepMode() {
		t.Skip("deep mode knows the lines")
	}
}
