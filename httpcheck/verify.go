package httpcheck

import (
	"errors"
	"net/http"

	"github.com/leakgate/leakgate/leakcheck"
)

// Verify tracks the responses of one client for one test, and returns the function that fails t for each that was not
// closed and puts the client's transport back:
//
//	t.Cleanup(httpcheck.Verify(t, client))
//
// It covers what leakcheck.Verify cannot name by itself: https, HTTP/2, transports of one's own and mocks. It looks at this
// client's responses alone, also at those that hold nothing today (a body read to EOF and never closed). Options are
// leakcheck's, and the budgets of this package, which are judged for this client.
//
// A nil client, or one that is in use by another test at the same time, is an error of the test: a client's Transport field
// is set while the test runs. Pass the test a client of its own, or Wrap the transport once where it is made.
func Verify(t leakcheck.TB, c *http.Client, opts ...leakcheck.Option) func() {
	if t != nil {
		t.Helper()
	}
	if c == nil {
		return leakcheck.Verify(t, append(opts, leakcheck.Instead(),
			leakcheck.Fail(errors.New("httpcheck.Verify: the client is nil: pass the *http.Client that the code under test uses, or &http.Client{}")))...)
	}
	before := c.Transport
	tracked := Wrap(before)
	c.Transport = tracked
	check := leakcheck.Verify(t, append([]leakcheck.Option{leakcheck.Instead(tracked.Probe())}, opts...)...)
	return func() {
		if t != nil {
			t.Helper()
		}
		if c.Transport == http.RoundTripper(tracked) {
			c.Transport = before
		}
		check()
	}
}
