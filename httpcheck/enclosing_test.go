package httpcheck_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/internal/label"
	"github.com/leakgate/leakgate/leakcheck"
)

// TestEnclosingBudgets: a check that begins inside another one takes no budget away from it.
func TestEnclosingBudgets(t *testing.T) {
	if !label.Supported {
		t.Skip("this Go version does not let a goroutine read its own labels")
	}
	srv := newServer(t)
	for _, b := range []struct {
		name, says string
		option     leakcheck.Option
	}{
		{"MaxLeased", "had 3 responses out at once, and the budget is 1", httpcheck.MaxLeased(1)},
		{"MinReuse", "reused a connection for 0% of its requests, and the budget is 100%", httpcheck.MinReuse(1)},
		{"NoEarlyClose", "had 3 bodies closed before EOF", httpcheck.NoEarlyClose()},
	} {
		for _, in := range []struct {
			name  string
			begin func(*http.Client) (*fakeT, func())
		}{
			{"none", func(*http.Client) (*fakeT, func()) { return &fakeT{}, func() {} }},
			{"httpcheck.Verify", func(c *http.Client) (*fakeT, func()) {
				ft := &fakeT{name: "TestA"}
				return ft, httpcheck.Verify(ft, c)
			}},
			{"leakcheck.Verify in a subtest", func(*http.Client) (*fakeT, func()) {
				ft := &fakeT{name: "TestA/sub"}
				return ft, leakcheck.Verify(ft)
			}},
		} {
			t.Run(b.name+" around "+in.name, func(t *testing.T) {
				tr := &http.Transport{}
				defer tr.CloseIdleConnections()
				c := &http.Client{Transport: httpcheck.Wrap(tr)}
				outer := &fakeT{name: "TestA"}
				check := leakcheck.Verify(outer, b.option)
				ft, checkInner := in.begin(c)
				var open []*http.Response
				for range 3 {
					resp, err := c.Get(srv.URL + "/page")
					require.NoError(t, err)
					open = append(open, resp)
				}
				for _, resp := range open {
					assert.NoError(t, resp.Body.Close())
				}
				tr.CloseIdleConnections()
				checkInner()
				check()
				require.Len(t, outer.failures(), 1)
				assert.Contains(t, outer.failures()[0], "leakcheck: 1 leak: ")
				assert.Contains(t, outer.failures()[0], b.says)
				assert.Empty(t, ft.failures(), "it has no budget")
			})
		}
	}
}
