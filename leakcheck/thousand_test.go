package leakcheck_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/leakcheck"
)

// TestThousandParallel: of 1 000 parallel tests, 100 leak a body and a goroutine each. Each leak is reported on its own
// test, and nowhere else.
func TestThousandParallel(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<html>403 Forbidden</html>")
	}))
	defer srv.Close()
	n := 1000
	if testing.Short() {
		n = 100
	}
	tests := make([]*recorder, n)
	held := make([]io.Closer, len(tests))
	defer func() { // other tests count what the process holds
		for _, body := range held {
			if body != nil {
				body.Close()
			}
		}
	}()
	leaks := func(i int) bool { return i%10 == 3 }
	stop := make(chan struct{})
	defer close(stop)
	t.Run("all", func(t *testing.T) {
		for i := range tests {
			tests[i] = &recorder{name: fmt.Sprintf("TestNumber%d", i)}
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Cleanup(leakcheck.Verify(tests[i]))
				t.Parallel()
				resp, err := http.Get(fmt.Sprintf("%s/%d", srv.URL, i))
				require.NoError(t, err)
				if leaks(i) {
					held[i] = resp.Body
					startOne(stop)
					return
				}
				_, err = io.Copy(io.Discard, resp.Body)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
			})
		}
	})
	for i, r := range tests {
		if !leaks(i) {
			assert.Empty(t, r.errs, r.name)
			continue
		}
		if assert.Len(t, r.errs, 1, r.name) {
			verdict, _, _ := strings.Cut(r.errs[0], "\n")
			assert.Equal(t, fmt.Sprintf("leakcheck: 2 leaks: response body of GET /%d (403) was never closed; and 1 more entry", i), verdict)
			assert.Contains(t, r.errs[0], "goroutine leakcheck_test.waitOne has not ended")
		}
	}
}
