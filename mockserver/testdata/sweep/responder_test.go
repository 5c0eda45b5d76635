package sweep

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"

	"github.com/leakgate/leakgate/mockserver"
)

// ---- The same without a socket. A mock's client has no connection that could be held.

// mocked sweeps a call whose client answers from httpmock.
func mocked(t *testing.T, call func(c *http.Client) error, opts ...mockserver.SweepOption) {
	t.Helper()
	mockserver.SweepResponder(t, func(t *testing.T, respond func(*http.Request) (*http.Response, error)) {
		mock := httpmock.NewMockTransport()
		mock.RegisterResponder("GET", "http://session.test/session", respond)
		_ = call(&http.Client{Transport: mock})
	}, opts...)
}

func mockedStatus(c *http.Client, closes bool) error {
	resp, err := c.Get("http://session.test/session") // LINE mocked-status
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK && !closes {
		return errStatus
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, limit))
	return err
}

func TestMocked(t *testing.T) {
	mocked(t, func(c *http.Client) error { return mockedStatus(c, false) }, noStalls)
}

func TestMockedFixed(t *testing.T) {
	mocked(t, func(c *http.Client) error {
		c.Timeout = 10 * timeout // a busy machine must not drop replies
		return mockedStatus(c, true)
	})
}

// httpmock answers a request with a timeout from a goroutine of its own, in which the line is not.
func TestMockedTimeout(t *testing.T) {
	mocked(t, func(c *http.Client) error {
		c.Timeout = time.Minute
		return mockedStatus(c, false)
	}, noStalls)
}

// A body that is read to its end must be closed as well: what a mock gives says nothing of what a transport would do.
func TestMockedDrained(t *testing.T) {
	mocked(t, func(c *http.Client) error {
		resp, err := c.Get("http://session.test/session") // LINE mocked-drained
		if err != nil {
			return err
		}
		_, err = io.ReadAll(io.LimitReader(resp.Body, limit))
		return err
	}, mockserver.Without("stall-*", "fault-huge-header", "fault-endless-*"))
}

func TestMockedDecode(t *testing.T) {
	mocked(t, func(c *http.Client) error {
		resp, err := c.Get("http://session.test/session") // LINE mocked-decode
		if err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" {
			return resp.Body.Close()
		}
		var v struct{ Name string }
		if err := json.NewDecoder(io.LimitReader(resp.Body, limit)).Decode(&v); err != nil {
			return err
		}
		return resp.Body.Close()
	}, noStalls)
}

func TestMockedHang(t *testing.T) {
	mocked(t, func(c *http.Client) error {
		resp, err := c.Get("http://session.test/session") // LINE mocked-hang
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		drain(resp.Body)
		return nil
	}, mockserver.Only("ok", "stall-0", "stall-no-reply"), mockserver.Deadline(300*time.Millisecond))
}

func TestMockedEndless(t *testing.T) {
	mocked(t, func(c *http.Client) error {
		resp, err := c.Get("http://session.test/session")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.ReadAll(resp.Body) // LINE mocked-endless
		return err
	}, mockserver.Only("ok", "fault-endless-*"), mockserver.BodyLimit(1<<20))
}

func TestMockedStorm(t *testing.T) {
	mocked(t, func(c *http.Client) error {
		c.Timeout = timeout
		for range 1 << 20 {
			resp, err := c.Get("http://session.test/session") // LINE mocked-storm
			if err != nil {
				return err
			}
			resp.Body.Close()
			if resp.StatusCode < 500 {
				return nil
			}
		}
		return errStatus
	}, mockserver.Only("ok", "alb-5*"))
}

func TestMockedTarget(t *testing.T) {
	mockserver.SweepResponder(t, func(t *testing.T, respond func(*http.Request) (*http.Response, error)) {
		mock := httpmock.NewMockTransport()
		mock.RegisterNoResponder(respond)
		c := &http.Client{Transport: mock}
		token, err := c.Post("http://session.test/token", "text/plain", nil)
		if err != nil || token.StatusCode != http.StatusOK {
			t.Fatal("the token is not for the sweep", err)
		}
		token.Body.Close()
		_ = mockedStatus(c, true)
	}, mockserver.Target("GET", "/session"), few)
}

func TestMockedUnused(t *testing.T) {
	mockserver.SweepResponder(t, func(t *testing.T, respond func(*http.Request) (*http.Response, error)) {}, few)
}

// A RoundTripper of one's own calls respond as well as httpmock does.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestMockedParallel(t *testing.T) {
	mockserver.SweepResponder(t, func(t *testing.T, respond func(*http.Request) (*http.Response, error)) {
		c := &http.Client{Transport: roundTripper(respond), Timeout: time.Minute}
		if err := mockedStatus(c, !in(t, "nginx-404-html")); errors.Is(err, errStatus) && !in(t, "nginx-404-html") {
			t.Error(err)
		}
	}, mockserver.Parallel(8), noStalls)
}

func TestMockedKeepsState(t *testing.T) {
	var once sync.Once
	mocked(t, func(c *http.Client) (err error) {
		once.Do(func() { err = mockedStatus(c, true) })
		return err
	}, few)
}

func TestMockedTargetRedirected(t *testing.T) {
	mockserver.SweepResponder(t, func(t *testing.T, respond func(*http.Request) (*http.Response, error)) {
		c := &http.Client{Transport: roundTripper(respond)}
		resp, err := c.Post("http://session.test/login", "text/plain", nil)
		if err != nil {
			return
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Error(resp.Status)
		}
	}, mockserver.Only("redirect-302-then-403"), mockserver.Target("POST", "/login"))
}
