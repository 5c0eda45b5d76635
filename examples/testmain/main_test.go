package testmain

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/examples/internal/record"
	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

func TestMain(m *testing.M) { os.Exit(leakcheck.Main(m)) }

// This test knows nothing of leaks. It forgets the body when TestLeakIsFound asks for it.
func TestStatus(t *testing.T) {
	srv := mockserver.New(t)
	srv.On("GET", "/").Reply(mockserver.Nginx(502))
	code, err := Status(srv.URL, record.Leaky())
	require.NoError(t, err)
	assert.Equal(t, 502, code)
}

func TestLeakIsFound(t *testing.T) {
	out, code := record.Child(t, "^TestStatus$")
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "--- PASS: TestStatus") // the test itself passes, the package does not
	assert.Contains(t, out, "leakcheck: 1 leak: response body of GET / (502, nginx) was never closed")
	assert.Contains(t, out, "by TestStatus")
	assert.Contains(t, out, "resp, err := http.Get(url)")
}
