package httpmock

import (
	"net/http"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/examples/internal/record"
	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

const url = "https://sessions.test/session/42"

type call func(*http.Client, string) (bool, error)

// A mock transport of the test's own, wrapped.
func TestOwnTransport(t *testing.T) {
	run := func(rec *record.T, call call) {
		rec.Cleanup(leakcheck.Verify(rec))
		mock := httpmock.NewMockTransport()
		mock.RegisterResponder("GET", url, mockserver.ALB(403).Responder())

		active, err := call(&http.Client{Transport: httpcheck.Wrap(mock)}, url)
		require.NoError(t, err)
		assert.False(t, active)
	}
	found(t, record.Run(t.Name(), func(rec *record.T) { run(rec, IsActive) }))
	silent(t, record.Run(t.Name(), func(rec *record.T) { run(rec, IsActiveFixed) }))
}

// httpmock's global transport, for code that was activated with httpmock.Activate.
func TestDefaultTransport(t *testing.T) {
	t.Cleanup(httpmock.DefaultTransport.Reset)
	httpmock.DefaultTransport.RegisterResponder("GET", url, mockserver.ALB(403).Responder())
	run := func(rec *record.T, call call) {
		rec.Cleanup(leakcheck.Verify(rec))
		before := http.DefaultTransport
		http.DefaultTransport = httpcheck.Wrap(httpmock.DefaultTransport) // in place of httpmock.Activate
		rec.Cleanup(func() { http.DefaultTransport = before })

		active, err := call(http.DefaultClient, url)
		require.NoError(t, err)
		assert.False(t, active)
	}
	found(t, record.Run(t.Name(), func(rec *record.T) { run(rec, IsActive) }))
	silent(t, record.Run(t.Name(), func(rec *record.T) { run(rec, IsActiveFixed) }))
}

// A client that exists already: httpcheck.Verify wraps its transport for one test.
func TestClient(t *testing.T) {
	mock := httpmock.NewMockTransport()
	mock.RegisterResponder("GET", url, httpmock.NewStringResponder(403, "<html>403 Forbidden</html>"))
	client := &http.Client{Transport: mock}
	run := func(rec *record.T, call call) {
		rec.Cleanup(httpcheck.Verify(rec, client))
		_, err := call(client, url)
		require.NoError(t, err)
	}
	found(t, record.Run(t.Name(), func(rec *record.T) { run(rec, IsActive) }))
	silent(t, record.Run(t.Name(), func(rec *record.T) { run(rec, IsActiveFixed) }))
	assert.Same(t, mock, client.Transport)
}

// Without httpcheck the same leak cannot be seen: nothing is held.
func TestPlainMockHidesIt(t *testing.T) {
	mock := httpmock.NewMockTransport()
	mock.RegisterResponder("GET", url, mockserver.ALB(403).Responder())
	silent(t, record.Run(t.Name(), func(rec *record.T) {
		rec.Cleanup(leakcheck.Verify(rec))
		_, err := IsActive(&http.Client{Transport: mock}, url)
		require.NoError(t, err)
	}))
}

func found(t *testing.T, rec *record.T) {
	t.Helper()
	require.Len(t, rec.Errors(), 1)
	assert.Contains(t, rec.Errors()[0], "leakcheck: 1 leak: response body of GET /session/42 (403")
	assert.Contains(t, rec.Errors()[0], "session.go:")
	assert.Contains(t, rec.Errors()[0], "resp, err := c.Get(url)")
	assert.Contains(t, rec.Errors()[0], "defer resp.Body.Close()")
}

func silent(t *testing.T, rec *record.T) {
	t.Helper()
	assert.Empty(t, rec.Output())
}
