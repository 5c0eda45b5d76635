package dbcheck_test

import (
	"testing"

	"github.com/leakgate/leakgate/internal/deep/bridge"
)

// leaksOnPurpose keeps the agent of deep mode, where there is one, from judging a test that leaves things open because that is
// what it is about.
func leaksOnPurpose(t *testing.T) {
	t.Helper()
	if offer, _ := bridge.Offered(); offer != nil {
		bridge.Take(offer).ClaimTest(t)
	}
}

// notInDeepMode leaves out a test of what is said where nobody knows the line: in deep mode it is known, and cmd/leakgate tests
// what is said then.
func notInDeepMode(t *testing.T) {
	t.Helper()
	if offer, _ := bridge.Offered(); offer != nil {
		t.Skip("deep mode knows the lines")
	}
}
