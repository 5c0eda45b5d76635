package leakcheck_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

const never = time.Hour // an interval that no test lasts: the first and the last sample alone

// TestSampleStops: between the two there is nothing, and after the end nothing either.
func TestSampleStops(t *testing.T) {
	rec := &recorder{name: "TestFake"}
	s := leakcheck.Sample(rec, never)
	assert.Len(t, s.Points(), 1)
	s.Stop()
	s.Stop()
	assert.Len(t, s.Points(), 2)
	assert.Empty(t, rec.errs)
}

// hangUp is a server that sends a part of its answer, and closes when it is told to: an unread body leaves a socket in
// CLOSE_WAIT then.
func hangUp(t *testing.T, now chan struct{}) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		fmt.Fprint(conn, "HTTP/1.1 403 Forbidden\r\nContent-Length: 118\r\n\r\n<html>")
		<-now
		conn.Close()
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// poolName is what a pool of tracked() is called.
const poolName = "*http.Transport"

// tracked is a client with a tracked transport of its own.
func tracked(t *testing.T) *http.Client {
	t.Helper()
	tr := httpcheck.Instrument(&http.Transport{})
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// hold asks and does not close.
func hold(t *testing.T, c *http.Client, url string) *http.Response {
	t.Helper()
	resp, err := c.Get(url + "/session")
	require.NoError(t, err)
	return resp
}

var drawn = regexp.MustCompile(`state       [▁▂▃▄▅▆▇█]+ \(\d+ samples? in [^)]*\)`)

// ceilingText is what a ceiling's failure says, without what differs from run to run.
func ceilingText(s string) string {
	return drawn.ReplaceAllString(s, "state       ▁█ (N samples in T)")
}

func TestSampleCloseWait(t *testing.T) {
	now := make(chan struct{})
	url := hangUp(t, now)
	c := tracked(t)
	rec := &recorder{name: "TestFake"}
	s := leakcheck.Sample(rec, time.Millisecond, leakcheck.AtMost(leakcheck.CloseWait, 2), leakcheck.AtMost(leakcheck.Leases(poolName), 9))
	defer s.Stop()
	for range 3 {
		resp := hold(t, c, url)
		defer resp.Body.Close()
	}
	assert.False(t, rec.Failed())
	close(now)
	require.Eventually(t, rec.Failed, time.Minute, time.Millisecond, "it fails while it runs")
	assert.GreaterOrEqual(t, s.Peak(leakcheck.CloseWait), 3)
	assert.Equal(t, 3, s.Peak(leakcheck.Leases(poolName)))
	n := len(s.Points())
	require.Eventually(t, func() bool { return len(s.Points()) > n+2 }, time.Minute, time.Millisecond, "it goes on")
	s.Stop()
	s.Stop()
	require.Len(t, rec.errs, 1, "once, although it was still so")
	golden(t, "ceiling-close-wait", ceilingText(rec.errs[0]))
	n = len(s.Points())
	time.Sleep(3 * time.Millisecond)
	assert.Len(t, s.Points(), n, "it has ended")
}
