package sweep

import (
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

// The tests that the client had: both are green, and so they are for the client that leaks.
func TestUserName(t *testing.T) {
	t.Cleanup(leakcheck.Verify(t))
	srv := mockserver.New(t)
	srv.On("GET", "/users/1").Reply(mockserver.JSON(200, user{Name: "Ada"}))
	srv.On("GET", "/users/2").Reply(mockserver.Nginx(404))

	client := &Client{BaseURL: srv.URL, HTTP: http.DefaultClient}
	name, err := client.UserName(t.Context(), "1")
	require.NoError(t, err)
	assert.Equal(t, "Ada", name)
	_, err = client.UserName(t.Context(), "2")
	assert.EqualError(t, err, "user 2: 404 Not Found")
}

func TestClient(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		client := &FixedClient{BaseURL: baseURL, HTTP: &http.Client{Timeout: 300 * time.Millisecond}}
		_, _ = client.UserName(t.Context(), "1") // errors are expected: most replies are errors
	})
}

// The client that leaks is swept in a process of its own, because the sweep fails.
func TestSweepFindsBoth(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a test binary")
	}
	out, err := exec.Command("go", "test", "-tags", "incident", "-count=1", "-run", "TestLeakingClient", ".").CombinedOutput()
	require.Error(t, err, "the sweep passes:\n%s", out)

	for _, text := range []string{
		"taken at    client.go:" + lineOf(t, "client.go", "c.HTTP.Do(req)") + "  sweep.(*Client).UserName",
		"fix         defer resp.Body.Close()",
		"unbounded read in 1 scenario",
	} {
		assert.Contains(t, string(out), text)
	}
	for _, scenario := range []string{
		"alb-503-html",        // the retry forgets the body of the response before
		"seq-503-503-ok",      // and again
		"body-json-list",      // so does the return after a decoding error
		"fault-endless-space", // and the decoder has no limit
	} {
		assert.Contains(t, string(out), "--- FAIL: TestLeakingClient/"+scenario+" (")
	}
	for _, scenario := range []string{"ok", "alb-403-html", "nginx-404-html"} {
		assert.NotContains(t, string(out), "TestLeakingClient/"+scenario+" (", "the client closes the body there")
	}
}

func lineOf(t *testing.T, file, text string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	before, _, ok := strings.Cut(string(data), text)
	require.True(t, ok, "%s has no %q", file, text)
	return strconv.Itoa(strings.Count(before, "\n") + 1)
}
