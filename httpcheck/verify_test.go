package httpcheck_test

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

// The client calls of the golden files, with and without their fault.

func login(c *http.Client, url string) error {
	resp, err := c.Get(url + "/page?token=secret")
	if err != nil {
		return err
	}
	if resp.StatusCode != 200 {
		return io.ErrNoProgress // and the body stays open
	}
	return resp.Body.Close()
}

func loginAndClose(c *http.Client, url string) error {
	resp, err := c.Get(url + "/page?token=secret")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

func decodeOnly(c *http.Client, url string) error {
	resp, err := c.Get(url + "/json")
	if err != nil {
		return err
	}
	var v any
	return json.NewDecoder(resp.Body).Decode(&v)
}

func closeUnread(c *http.Client, url string) error {
	resp, err := c.Get(url + "/big")
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func upgrade(c *http.Client, url string) (*http.Response, error) {
	return c.Get(url + "/upgrade")
}

func timesOut(ctx context.Context, c *http.Client, url string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/stall", nil)
	if err != nil {
		return err
	}
	_, err = c.Do(req)
	return err
}

func atOnce(c *http.Client, url string, n int) error {
	var open []io.Closer
	for range n {
		resp, err := c.Get(url + "/page")
		if err != nil {
			return err
		}
		_, _ = io.ReadFull(resp.Body, make([]byte, 1))
		open = append(open, struct {
			io.Closer
		}{closer(func() error {
			_, _ = io.Copy(io.Discard, resp.Body)
			return resp.Body.Close()
		})})
	}
	for _, o := range open {
		o.Close()
	}
	return nil
}

type closer func() error

func (f closer) Close() error { return f() }

func TestVerifyReports(t *testing.T) {
	var upgraded *http.Response // open until the checks are over
	defer func() { upgraded.Body.Close() }()
	srv := newServer(t)
	for _, c := range []struct {
		name, reason string
		opts         []leakcheck.Option
		run          func(c *http.Client) error
		fails        bool
	}{
		{"leak", "the origin story: an error page whose body nobody closes; what it holds is in the one entry", nil,
			func(c *http.Client) error { return login(c, srv.URL) }, true},
		{"leak-twice", "two of the same at one place are one entry with a count", nil,
			func(c *http.Client) error { _ = login(c, srv.URL); return login(c, srv.URL) }, true},
		{"clean", "closed and read: not a word", nil,
			func(c *http.Client) error { return loginAndClose(c, srv.URL) }, false},
		{"drained", "a body read to EOF and never closed holds nothing, and fails the test of its client all the same", nil,
			func(c *http.Client) error { return decodeOnly(c, srv.URL) }, true},
		{"context", "only the end of the context freed the connection: a finding too", nil,
			func(c *http.Client) error { return timesOut(t.Context(), c, srv.URL) }, true},
		{"upgrade", "a connection after 101 has no goroutine of net/http; only tracking finds it", nil,
			func(c *http.Client) (err error) {
				upgraded, err = upgrade(c, srv.URL)
				runtime.GC() // the collector closes a connection that nothing refers to: no goroutine of net/http does
				return err
			}, true},
		{"maxleased", "two at once under a budget of one", []leakcheck.Option{httpcheck.MaxLeased(1)},
			func(c *http.Client) error { return atOnce(c, srv.URL, 2) }, true},
		{"maxleased-kept", "two at once under a budget of two", []leakcheck.Option{httpcheck.MaxLeased(2)},
			func(c *http.Client) error { return atOnce(c, srv.URL, 2) }, false},
		{"minreuse", "bodies that are closed unread: each request dials, on every Go version since 1 MB is too much to drain", []leakcheck.Option{httpcheck.MinReuse(0.9)},
			func(c *http.Client) error {
				for range 3 {
					_ = closeUnread(c, srv.URL)
				}
				return nil
			}, true},
		{"minreuse-kept", "all but the first on the same connection", []leakcheck.Option{httpcheck.MinReuse(1)},
			func(c *http.Client) error {
				for range 3 {
					_ = loginAndClose(c, srv.URL)
				}
				return nil
			}, false},
		{"minreuse-one", "one request has nothing to reuse", []leakcheck.Option{httpcheck.MinReuse(1)},
			func(c *http.Client) error { return loginAndClose(c, srv.URL) }, false},
		{"noearlyclose", "names where the first of the bodies came from", []leakcheck.Option{httpcheck.NoEarlyClose()},
			func(c *http.Client) error { _ = closeUnread(c, srv.URL); return closeUnread(c, srv.URL) }, true},
		{"noearlyclose-kept", "read to EOF before Close", []leakcheck.Option{httpcheck.NoEarlyClose()},
			func(c *http.Client) error { return loginAndClose(c, srv.URL) }, false},
		{"budgets-together", "options add up, and a leak comes before budgets", []leakcheck.Option{httpcheck.NoEarlyClose(), httpcheck.MaxLeased(1)},
			func(c *http.Client) error {
				_ = login(c, srv.URL)
				return closeUnread(c, srv.URL)
			}, true},
		{"wrong-arguments", "each wrong budget is named with the way to write it, and nothing panics", []leakcheck.Option{
			httpcheck.MaxLeased(0), httpcheck.MinReuse(0), httpcheck.MinReuse(math.NaN()), httpcheck.MinReuse(2),
		}, func(c *http.Client) error { return loginAndClose(c, srv.URL) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := &http.Transport{}
			client := &http.Client{Transport: tr}
			ft := &fakeT{name: "TestLogin"}
			check := httpcheck.Verify(ft, client, slices.Concat(c.opts, []leakcheck.Option{leakcheck.Wait(0)})...)
			_ = c.run(client)
			check()
			assert.Equal(t, c.fails, ft.Failed())
			assert.Same(t, tr, client.Transport)
			golden(t, c.name, c.reason, ft)
			tr.CloseIdleConnections()
		})
	}
}

// TestVerifyClient: what happens to the client.
func TestVerifyClient(t *testing.T) {
	t.Run("nil client", func(t *testing.T) {
		ft := &fakeT{}
		httpcheck.Verify(ft, nil)()
		golden(t, "nil-client", "a nil client is told with what to pass", ft)
	})
	t.Run("nil t", func(t *testing.T) {
		for _, tb := range []leakcheck.TB{nil, (*testing.T)(nil), (*fakeT)(nil)} {
			c := &http.Client{}
			check := httpcheck.Verify(tb, c)
			assert.Nil(t, c.Transport, "nothing is tracked")
			check()
		}
	})
	t.Run("Transport nil is put back", func(t *testing.T) {
		c := &http.Client{}
		ft := &fakeT{}
		check := httpcheck.Verify(ft, c)
		assert.IsType(t, &httpcheck.Transport{}, c.Transport)
		check()
		assert.Nil(t, c.Transport)
		c.Transport = http.DefaultTransport
		check()
		assert.Equal(t, http.DefaultTransport, c.Transport, "the second call does nothing")
		assert.Empty(t, ft.failures())
	})
	t.Run("a Transport set meanwhile stays", func(t *testing.T) {
		c := &http.Client{}
		check := httpcheck.Verify(&fakeT{}, c)
		mine := &http.Transport{}
		c.Transport = mine
		check()
		assert.Same(t, mine, c.Transport)
	})
	t.Run("nested, in any order", func(t *testing.T) {
		for _, order := range [][]int{{1, 0}, {0, 1}} {
			srv := newServer(t)
			tr := &http.Transport{}
			c := &http.Client{Transport: tr}
			outer, inner := &fakeT{name: "TestA"}, &fakeT{name: "TestA/sub"}
			checks := []func(){httpcheck.Verify(outer, c, leakcheck.Wait(0)), httpcheck.Verify(inner, c, leakcheck.Wait(0))}
			_ = login(c, srv.URL)
			for _, i := range order {
				checks[i]()
			}
			assert.Same(t, tr, c.Transport)
			assert.Len(t, append(outer.failures(), inner.failures()...), 1, "one leak, one report")
			tr.CloseIdleConnections()
		}
	})
	t.Run("nested budgets: the inner one does not reset the outer one's", func(t *testing.T) {
		srv := newServer(t)
		tr := &http.Transport{}
		c := &http.Client{Transport: tr}
		defer tr.CloseIdleConnections()
		outer, inner := &fakeT{name: "TestA"}, &fakeT{name: "TestA/sub"}
		checkOuter := httpcheck.Verify(outer, c, httpcheck.MaxLeased(1))
		_ = atOnce(c, srv.URL, 3)
		checkInner := httpcheck.Verify(inner, c, httpcheck.MaxLeased(1))
		_ = loginAndClose(c, srv.URL)
		checkInner()
		checkOuter()
		assert.Empty(t, inner.failures())
		require.Len(t, outer.failures(), 1)
		assert.Contains(t, outer.failures()[0], "*http.Transport had 3 responses out at once, and the budget is 1")
	})
	t.Run("in use by another test", func(t *testing.T) {
		srv := newServer(t)
		tr := &http.Transport{}
		c := &http.Client{Transport: tr}
		defer tr.CloseIdleConnections()
		a, b := &fakeT{name: "TestA"}, &fakeT{name: "TestAB"}
		checkA := httpcheck.Verify(a, c)
		tracked := c.Transport
		checkB := httpcheck.Verify(b, c)
		assert.Same(t, tracked, c.Transport)
		_ = loginAndClose(c, srv.URL)
		checkB()
		assert.Same(t, tracked, c.Transport)
		checkA()
		assert.Same(t, tr, c.Transport)
		assert.Empty(t, a.failures())
		golden(t, "client-in-use", "two tests that share a client at the same time cannot be told apart", b)

		again := &fakeT{name: "TestB"}
		httpcheck.Verify(again, c)()
		assert.Empty(t, again.failures(), "one after the other is fine")
	})
	t.Run("the caller's options are not written to", func(t *testing.T) {
		opts := append(make([]leakcheck.Option, 0, 8), leakcheck.Wait(0))
		spare := opts[:2]
		httpcheck.Verify(&fakeT{}, nil, opts...)()
		assert.Nil(t, spare[1])
	})
	t.Run("an earlier test's leak is not this one's", func(t *testing.T) {
		srv := newServer(t)
		tr := &http.Transport{}
		in := httpcheck.Wrap(tr)
		c := &http.Client{Transport: in}
		earlier, err := c.Get(srv.URL + "/page")
		require.NoError(t, err)
		defer earlier.Body.Close() // it was this test's own
		_ = closeUnread(c, srv.URL)
		ft := &fakeT{}
		check := httpcheck.Verify(ft, c, httpcheck.NoEarlyClose())
		_ = loginAndClose(c, srv.URL)
		check()
		assert.Empty(t, ft.failures())
		assert.Len(t, in.Leases(), 1)
		tr.CloseIdleConnections()
	})
	t.Run("a test that failed by itself", func(t *testing.T) {
		srv := newServer(t)
		tr := &http.Transport{}
		c := &http.Client{Transport: tr}
		ft := &fakeT{name: "TestLogin"}
		check := httpcheck.Verify(ft, c)
		_ = login(c, srv.URL)
		ft.Errorf("want 200")
		check()
		golden(t, "failed-by-itself", "an early return is the likely reason, so that one log line is enough", ft)
		tr.CloseIdleConnections()
	})
}

// TestVerifyWithLeakcheck: both in one test report a leak once, whichever looks first.
func TestVerifyWithLeakcheck(t *testing.T) {
	srv := newServer(t)
	for _, httpFirst := range []bool{true, false} {
		for name, run := range map[string]func(c *http.Client, url string) error{"leak": login, "drained": decodeOnly} {
			tr := &http.Transport{}
			c := &http.Client{Transport: tr}
			ft := &fakeT{name: "TestBoth"}
			all := leakcheck.Verify(ft, leakcheck.Wait(0))
			one := httpcheck.Verify(ft, c, leakcheck.Wait(0))
			_ = run(c, srv.URL)
			tr.CloseIdleConnections()
			if httpFirst {
				one()
				all()
			} else {
				all()
				one()
			}
			assert.Len(t, ft.failures(), 1, "%s %v", name, httpFirst)
		}
	}
}

// TestDrainedNote: leakcheck.Verify logs a body that was read to EOF and never closed; httpcheck.Verify fails with it.
func TestDrainedNote(t *testing.T) {
	srv := newServer(t)
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	httpcheck.Instrument(tr)
	c := &http.Client{Transport: tr}
	ft := &fakeT{name: "TestLogin"}
	check := leakcheck.Verify(ft, leakcheck.Only(leakcheck.HTTPResponse))
	_ = decodeOnly(c, srv.URL)
	check()
	assert.Empty(t, ft.failures())
	require.Len(t, ft.logged(), 1)
	assert.Contains(t, ft.logged()[0], "response body of GET /json (200) was "+readButNotClosed)
	golden(t, "drained-note", "without httpcheck.Verify it is told, and does not fail the test: nothing is held", ft)
}

// TestBudgetsOfAllTransports: given to leakcheck.Verify, a budget judges every tracked transport that the test used.
func TestBudgetsOfAllTransports(t *testing.T) {
	srv := newServer(t)
	a, b := &http.Transport{}, &http.Transport{}
	defer a.CloseIdleConnections()
	defer b.CloseIdleConnections()
	httpcheck.Instrument(a)
	unused := httpcheck.Wrap(&http.Transport{})
	_ = unused
	ft := &fakeT{name: "TestAll"}
	check := leakcheck.Verify(ft, leakcheck.Only(leakcheck.HTTPResponse, leakcheck.HTTPConn), httpcheck.MaxLeased(1), httpcheck.NoEarlyClose())
	_ = atOnce(&http.Client{Transport: a}, srv.URL, 2)
	_ = atOnce(&http.Client{Transport: httpcheck.Wrap(b)}, srv.URL, 3)
	check()
	golden(t, "budgets-of-all", "each tracked transport is judged by itself; what was not used is not", ft)
}

// TestHTTPMock: a mock opens no connection; the body alone shows the leak.
func TestHTTPMock(t *testing.T) {
	for name, transport := range map[string]*httpmock.MockTransport{"of its own": httpmock.NewMockTransport(), "httpmock.DefaultTransport": httpmock.DefaultTransport} {
		t.Run(name, func(t *testing.T) {
			defer transport.Reset()
			transport.RegisterResponder("GET", "http://api.test/page", httpmock.NewStringResponder(403, page))
			transport.RegisterResponder("GET", "http://api.test/json", httpmock.NewStringResponder(200, `{"a":1}`).SetContentLength())
			c := &http.Client{Transport: transport}

			ft := &fakeT{name: "TestLogin"}
			check := httpcheck.Verify(ft, c, leakcheck.Wait(0), httpcheck.MinReuse(1))
			require.NoError(t, loginAndClose(c, "http://api.test"))
			check()
			assert.Empty(t, ft.failures())

			check = httpcheck.Verify(ft, c, leakcheck.Wait(0))
			require.Error(t, login(c, "http://api.test"))
			require.NoError(t, decodeOnly(c, "http://api.test"))
			check()
			golden(t, "httpmock", "httpmock's responses are tracked; that there is no connection is said", ft)
			assert.Equal(t, http.RoundTripper(transport), c.Transport)
			assert.Equal(t, 2, transport.GetCallCountInfo()["GET http://api.test/page"])
		})
	}
}

// TestProbeWithBudget: a probe given to leakcheck.Verify counts a transport once.
func TestProbeWithBudget(t *testing.T) {
	srv := newServer(t)
	in := httpcheck.Wrap(&http.Transport{})
	defer in.CloseIdleConnections()
	ft := &fakeT{}
	check := leakcheck.Verify(ft, leakcheck.Only(leakcheck.HTTPResponse, leakcheck.HTTPConn), leakcheck.With(in.Probe()), httpcheck.MaxLeased(1))
	_ = atOnce(&http.Client{Transport: in}, srv.URL, 2)
	check()
	require.Len(t, ft.failures(), 1)
	assert.Equal(t, 1, strings.Count(ft.failures()[0], "LK011"))
	assert.Contains(t, ft.failures()[0], "leakcheck: 1 leak: ")
}
