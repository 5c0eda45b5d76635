//go:build incident

package sweep

import (
	"net/http"
	"testing"
	"time"

	"github.com/leakgate/leakgate/mockserver"
)

// The sweep of the client whose tests are green. It fails.
func TestLeakingClient(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		client := &Client{BaseURL: baseURL, HTTP: &http.Client{Timeout: 5 * time.Second}}
		_, _ = client.UserName(t.Context(), "1")
	}, mockserver.Without("stall-*"))
}
