package mockserver

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

// inDeepMode says whether the tests run under leakgate test, where who took a response is known without a tracked client.
func inDeepMode() bool {
	offer, _ := bridge.Offered()
	return offer != nil
}
