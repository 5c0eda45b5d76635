package fragment

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var began = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

func header() Header {
	return Header{
		Module: "example.com/shop", Package: "example.com/shop/store", Dir: "store", ModuleDir: ".",
		GoVersion: "go1.26.8", GOOS: "linux", GOARCH: "amd64", PID: 4711, Began: began, Main: true, Baseline: "leakgate.baseline",
	}
}

func leak() Leak {
	return Leak{
		Kind: "http-response", Code: "LK001", Class: "tracked", Test: "TestClient/403", Outcome: Fatal,
		Fingerprint: "http-response | tracked | example.com/shop/store.(*Client).Get | TestClient",
		Summary:     "response body of GET /session (403, awselb/2.0) was never closed", Count: 1,
		Site: Frame{Func: "example.com/shop/store.(*Client).Get", File: "store/client.go", Line: 41, Source: "resp, err := c.http.Do(req)", InModule: true},
		Role: "taken at",
		Stack: []Frame{
			{Func: "example.com/shop/store.(*Client).Get", File: "store/client.go", Line: 41, Source: "resp, err := c.http.Do(req)", InModule: true},
			{Func: "example.com/shop/store.TestClient.func1", File: "store/client_test.go", Line: 12, Source: "c.Get(ctx)", InModule: true},
		},
		State: "0 of 118 bytes read", Holds: []string{"a socket", "2 goroutines"}, Hint: "defer resp.Body.Close()",
		Waited: 104 * time.Millisecond, At: began.Add(3 * time.Second),
	}
}

func test() Test {
	return Test{
		Name: "TestClient", Result: Leaked, Began: began.Add(time.Second), Took: 1500 * time.Millisecond,
		Goroutines: Peak{Before: 3, After: 5, Most: 9}, Sockets: Peak{Before: 0, After: 2, Most: 2},
		Pools: []Pool{{Kind: "http-conn", Name: "http.DefaultTransport", Size: 2, Requests: 4, Peak: 2, Dialed: 2, Reused: 2, Limit: 0.75}},
	}
}

func create(t testing.TB, dir string) *Writer {
	t.Helper()
	w, err := Create(dir, header())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, w.Close()) })
	return w
}

// TestRoundTrip: what is written is what is read, and the document is whole after each record.
func TestRoundTrip(t *testing.T) {
	w := create(t, filepath.Join(t.TempDir(), "a", "b"))
	want := Fragment{Header: header(), File: w.Path()}
	check := func() {
		t.Helper()
		got, err := ReadFile(w.Path())
		require.NoError(t, err)
		assert.Equal(t, &want, got)
	}
	check()
	for range 2 {
		require.NoError(t, w.Leak(leak()))
		want.Leaks = append(want.Leaks, leak())
		check()
		require.NoError(t, w.Test(test()))
		want.Tests = append(want.Tests, test())
		check()
		require.NoError(t, w.Ignored(Ignored{Test: "TestClient", Reason: "lives as long as the process", Count: 2}))
		want.Ignored = append(want.Ignored, Ignored{Test: "TestClient", Reason: "lives as long as the process", Count: 2})
		check()
		s := []Sample{{At: began, Goroutines: 3, Sockets: -1}, {At: began.Add(time.Second), Goroutines: 4, Leased: map[string]int{"db": 2}}}
		require.NoError(t, w.Samples(s))
		want.Samples = append(want.Samples, s...)
		check()
	}
	require.NoError(t, w.Samples(nil))
	require.NoError(t, w.End(End{At: began.Add(time.Minute), Code: 1, Unused: []string{"pool of the logger"}}))
	want.End = &End{At: began.Add(time.Minute), Code: 1, Unused: []string{"pool of the logger"}}
	check()
	require.NoError(t, w.Close())
	require.ErrorIs(t, w.Test(test()), os.ErrClosed)
	check()
}
