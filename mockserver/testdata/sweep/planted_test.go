package sweep

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/leakgate/leakgate/mockserver"
)

// Each planted client has a bug that is common, and a twin without it. All have a timeout of a minute where it is not the
// point that they have none, so that a busy machine finds what an idle one does. The planted ones leave out the scenarios
// that stall; the twins wait there for 100 ms, which begin when the request is sent: a busy machine may need longer to
// send it, and a scenario without a request proves nothing.

const timeout = 100 * time.Millisecond

// shared is a client that lives as long as the process.
var shared = &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}

// lasting is the transport of the twins, which lives as long as the process.
var lasting = &http.Transport{}

// careful is the client of a twin.
func careful(t *testing.T) *http.Client {
	return &http.Client{Transport: hurried(t, lasting), Timeout: time.Minute}
}

// hurried is a transport that does not wait for replies which do not come.
func hurried(t *testing.T, by *http.Transport) http.RoundTripper {
	if stalls(t) {
		return leaver{by}
	}
	return by
}

func stalls(t *testing.T) bool { return strings.Contains(t.Name(), "/stall-") }

// leaver leaves each request.
type leaver struct{ *http.Transport }

func (l leaver) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	return l.Transport.RoundTrip(req.WithContext(onceSent(ctx, cancel)))
}

// onceSent gives a context for a request that is to be left when the timeout is over.
func onceSent(ctx context.Context, leave func()) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { time.AfterFunc(timeout, leave) },
	})
}

var errStatus = errors.New("unexpected status")

const limit = 1 << 20

func drain(r io.Reader) { io.Copy(io.Discard, io.LimitReader(r, limit)) }

// noStalls leaves out 11 MiB of headers as well, which take a busy machine with the race detector some seconds.
var noStalls = mockserver.Without("stall-*", "fault-huge-header")

// one sweeps a call that takes a URL.
func one(t *testing.T, call func(url string) error, opts ...mockserver.SweepOption) {
	t.Helper()
	mockserver.Sweep(t, func(t *testing.T, baseURL string) { _ = call(baseURL + "/session") }, opts...)
}

// twin is one of a client without the bug.
func twin(t *testing.T, call func(c *http.Client, url string) error, opts ...mockserver.SweepOption) {
	t.Helper()
	mockserver.Sweep(t, func(t *testing.T, baseURL string) { _ = call(careful(t), baseURL+"/session") }, opts...)
}

// ---- The status alone is looked at.

func statusOnly(url string) error {
	resp, err := shared.Get(url) // LINE status-only
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errStatus
	}
	defer resp.Body.Close()
	drain(resp.Body)
	return nil
}

func statusOnlyFixed(c *http.Client, url string) error {
	resp, err := c.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errStatus
	}
	drain(resp.Body)
	return nil
}

func TestStatusOnly(t *testing.T)      { one(t, statusOnly, noStalls, usual) }
func TestStatusOnlyFixed(t *testing.T) { twin(t, statusOnlyFixed) }

// ---- The same over http.DefaultTransport, which leakcheck tracks.

func tracked(url string) error {
	c := &http.Client{Timeout: time.Minute}
	resp, err := c.Get(url) // LINE tracked
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errStatus
	}
	defer resp.Body.Close()
	drain(resp.Body)
	return nil
}

func TestTracked(t *testing.T) { one(t, tracked, noStalls, usual) }

// ---- A timeout of the client frees what was not closed, and hides it.

var hasty = &http.Client{Transport: &http.Transport{}, Timeout: timeout}

func TestTimeout(t *testing.T) {
	one(t, func(url string) error {
		resp, err := hasty.Get(url) // LINE timeout
		if err != nil || resp.StatusCode != http.StatusOK {
			return errStatus
		}
		return resp.Body.Close()
	}, noStalls)
}

// ---- One status has a return of its own.

func earlyReturn(url string) error {
	resp, err := shared.Get(url) // LINE early-return
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusNotFound {
		return nil
	}
	defer resp.Body.Close()
	drain(resp.Body)
	return nil
}

func earlyReturnFixed(c *http.Client, url string) error {
	resp, err := c.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return nil
	}
	drain(resp.Body)
	return nil
}

func TestEarlyReturn(t *testing.T)      { one(t, earlyReturn, noStalls) }
func TestEarlyReturnFixed(t *testing.T) { twin(t, earlyReturnFixed) }

// ---- A retry forgets the response before it.

func retry(url string) error {
	for range 3 {
		resp, err := shared.Get(url) // LINE retry
		if err != nil {
			continue
		}
		if resp.StatusCode >= 500 {
			continue
		}
		defer resp.Body.Close()
		drain(resp.Body)
		return nil
	}
	return errStatus
}

func retryFixed(c *http.Client, url string) error {
	for range 3 {
		resp, err := c.Get(url)
		if err != nil {
			continue
		}
		drain(resp.Body)
		resp.Body.Close()
		if resp.StatusCode < 500 {
			return nil
		}
	}
	return errStatus
}

func TestRetry(t *testing.T)      { one(t, retry, noStalls, usual) }
func TestRetryFixed(t *testing.T) { twin(t, retryFixed) }

// ---- Redirects are followed by hand.

var byHand = &http.Client{
	Transport: &http.Transport{}, Timeout: time.Minute,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func redirect(url string) error { return follow(byHand, url, false) }

func redirectFixed(c *http.Client, url string) error {
	c.CheckRedirect = byHand.CheckRedirect
	return follow(c, url, true)
}

func follow(c *http.Client, url string, closes bool) error {
	for range 5 {
		resp, err := c.Get(url) // LINE redirect
		if err != nil {
			return err
		}
		if to, err := resp.Location(); err == nil {
			if closes {
				resp.Body.Close()
			}
			url = to.String()
			continue
		}
		defer resp.Body.Close()
		drain(resp.Body)
		return nil
	}
	return errStatus
}

func TestRedirect(t *testing.T)      { one(t, redirect, noStalls) }
func TestRedirectFixed(t *testing.T) { twin(t, redirectFixed) }

// ---- An answer that cannot be decoded returns before the Close.

func decode(url string) error {
	resp, err := shared.Get(url) // LINE decode
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" {
		resp.Body.Close()
		return errStatus
	}
	var v struct{ Name string }
	if err := json.NewDecoder(io.LimitReader(resp.Body, limit)).Decode(&v); err != nil {
		return err
	}
	return resp.Body.Close()
}

func decodeFixed(c *http.Client, url string) error {
	resp, err := c.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errStatus
	}
	var v struct{ Name string }
	return json.NewDecoder(io.LimitReader(resp.Body, limit)).Decode(&v)
}

func TestDecode(t *testing.T)      { one(t, decode, noStalls) }
func TestDecodeFixed(t *testing.T) { twin(t, decodeFixed) }

// ---- HEAD first, and GET where that is not allowed.

func head(url string) error {
	resp, err := shared.Head(url)
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusMethodNotAllowed {
		resp, err = shared.Get(url) // LINE head
		if err != nil {
			return err
		}
	}
	if resp.StatusCode != http.StatusOK {
		return errStatus
	}
	return resp.Body.Close()
}

func headFixed(c *http.Client, url string) error {
	resp, err := c.Head(url)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusMethodNotAllowed {
		if resp, err = c.Get(url); err != nil {
			return err
		}
		resp.Body.Close()
	}
	if resp.StatusCode != http.StatusOK {
		return errStatus
	}
	return nil
}

func TestHead(t *testing.T)      { one(t, head, noStalls) }
func TestHeadFixed(t *testing.T) { twin(t, headFixed) }

// ---- The error of a copy returns before the Close.

func copies(url string) error {
	resp, err := shared.Get(url) // LINE copy
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if _, err := io.Copy(&b, io.LimitReader(resp.Body, limit)); err != nil {
		return err
	}
	return resp.Body.Close()
}

func copiesFixed(c *http.Client, url string) error {
	resp, err := c.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	_, err = io.Copy(&b, io.LimitReader(resp.Body, limit))
	return err
}

func TestCopy(t *testing.T)      { one(t, copies, noStalls) }
func TestCopyFixed(t *testing.T) { twin(t, copiesFixed) }

// ---- A list of pages: the first page is read with care, the others are not.

type list struct {
	Next string `json:"next"`
}

func pages(c *http.Client, url string, closes bool) error {
	first, err := c.Get(url)
	if err != nil {
		return err
	}
	defer first.Body.Close()
	if first.StatusCode != http.StatusOK {
		return errStatus
	}
	var l list
	if err := json.NewDecoder(io.LimitReader(first.Body, limit)).Decode(&l); err != nil {
		return err
	}
	for i := 0; l.Next != "" && i < 3; i++ {
		resp, err := c.Get(url + l.Next) // LINE pages
		if err != nil {
			return err
		}
		if closes {
			defer resp.Body.Close()
		}
		if resp.StatusCode != http.StatusOK {
			return errStatus
		}
		l = list{}
		err = json.NewDecoder(io.LimitReader(resp.Body, limit)).Decode(&l)
		resp.Body.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

var nextPage = mockserver.Success(mockserver.JSON(200, list{"?page=2"}))

func TestPages(t *testing.T) {
	one(t, func(url string) error { return pages(shared, url, false) }, nextPage, noStalls)
}
func TestPagesFixed(t *testing.T) {
	twin(t, func(c *http.Client, url string) error { return pages(c, url, true) }, nextPage)
}

// ---- The body is swapped for a buffer of its beginning, and that is closed.

func swap(c *http.Client, url string, closes bool) error {
	resp, err := c.Get(url) // LINE swap
	if err != nil {
		return err
	}
	begin, _ := io.ReadAll(io.LimitReader(resp.Body, 64))
	if closes {
		resp.Body.Close()
	}
	resp.Body = io.NopCloser(bytes.NewReader(begin))
	defer resp.Body.Close()
	drain(resp.Body)
	return nil
}

func TestSwap(t *testing.T) {
	one(t, func(url string) error { return swap(shared, url, false) }, noStalls, usual)
}
func TestSwapFixed(t *testing.T) {
	twin(t, func(c *http.Client, url string) error { return swap(c, url, true) })
}

// ---- Somebody else is to close the body, and is never told to.

func closer(url string) error {
	resp, err := shared.Get(url)
	if err != nil {
		return err
	}
	done := make(chan struct{})
	go func() { // LINE closer
		<-done
		resp.Body.Close()
	}()
	if resp.StatusCode != http.StatusOK {
		return errStatus
	}
	drain(resp.Body)
	close(done)
	return nil
}

func closerFixed(c *http.Client, url string) error {
	resp, err := c.Get(url)
	if err != nil {
		return err
	}
	done := make(chan struct{})
	defer close(done)
	go func() {
		<-done
		resp.Body.Close()
	}()
	if resp.StatusCode != http.StatusOK {
		return errStatus
	}
	drain(resp.Body)
	return nil
}

func TestCloser(t *testing.T)      { one(t, closer, noStalls, usual) }
func TestCloserFixed(t *testing.T) { twin(t, closerFixed) }

// ---- The caller leaves with its context, and the request goes on.

var patient = &http.Client{Transport: &http.Transport{}}

func cancelled(url string, tells bool) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	asked := context.Background()
	if tells {
		asked = ctx
	}
	asked = onceSent(asked, cancel)
	got := make(chan error, 1)
	go func() { // LINE cancel
		req, _ := http.NewRequestWithContext(asked, "GET", url, nil)
		resp, err := patient.Do(req)
		if err == nil {
			drain(resp.Body)
			err = resp.Body.Close()
		}
		got <- err
	}()
	select {
	case err := <-got:
		return err
	case <-ctx.Done():
		if tells {
			<-got
		}
		return ctx.Err()
	}
}

func TestCancel(t *testing.T) {
	one(t, func(url string) error { return cancelled(url, false) }, mockserver.Without("fault-huge-header")) // 11 MiB may take longer than it waits
}
func TestCancelFixed(t *testing.T) {
	one(t, func(url string) error { return cancelled(url, true) })
}

// ---- A connection that is upgraded and not wanted.

func upgrade(c *http.Client, url string, closes bool) error {
	req, _ := http.NewRequest("GET", url, nil)
	resp, err := c.Do(req) // LINE upgrade
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusSwitchingProtocols && !closes {
		return errStatus
	}
	defer resp.Body.Close()
	drain(resp.Body)
	return nil
}

func TestUpgrade(t *testing.T) {
	one(t, func(url string) error { return upgrade(shared, url, false) }, noStalls)
}
func TestUpgradeFixed(t *testing.T) {
	twin(t, func(c *http.Client, url string) error { return upgrade(c, url, true) })
}

// ---- No timeout at all.

func hang(c *http.Client, url string) error {
	resp, err := c.Get(url) // LINE hang
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	drain(resp.Body) // LINE hang-body
	return nil
}

func TestHang(t *testing.T) {
	one(t, func(url string) error { return hang(http.DefaultClient, url) }, mockserver.Without("fault-huge-header"))
}
func TestHangFixed(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		c := &http.Client{Timeout: time.Minute}
		if stalls(t) {
			c.Timeout = 5 * timeout // which begins before the request is sent
		}
		_ = hang(c, baseURL)
	})
}

// ---- null is no object.

type user struct{ Name string }

func garbage(c *http.Client, url string, looks bool) error {
	resp, err := c.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errStatus
	}
	var u *user
	if err := json.NewDecoder(io.LimitReader(resp.Body, limit)).Decode(&u); err != nil {
		return err
	}
	if looks && u == nil {
		return errStatus
	}
	_ = fmt.Sprint(u.Name) // LINE garbage
	return nil
}

func TestGarbage(t *testing.T) {
	one(t, func(url string) error { return garbage(shared, url, false) }, noStalls)
}
func TestGarbageFixed(t *testing.T) {
	twin(t, func(c *http.Client, url string) error { return garbage(c, url, true) })
}

// ---- A body that never ends is read to its end.

func endless(c *http.Client, url string, limits bool) error {
	resp, err := c.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	from := io.Reader(resp.Body)
	if limits {
		from = io.LimitReader(from, limit)
	}
	_, err = io.ReadAll(from) // LINE endless
	return err
}

func TestEndless(t *testing.T) {
	one(t, func(url string) error { return endless(shared, url, false) }, noStalls)
}
func TestEndlessFixed(t *testing.T) {
	twin(t, func(c *http.Client, url string) error { return endless(c, url, true) })
}

// ---- A retry without a limit or a wait.

func storm(c *http.Client, url string, most int) error {
	for range most {
		resp, err := c.Get(url) // LINE storm
		if err != nil {
			return err
		}
		drain(resp.Body)
		resp.Body.Close()
		if resp.StatusCode < 500 {
			return nil
		}
	}
	return errStatus
}

func TestStorm(t *testing.T) {
	one(t, func(url string) error { return storm(shared, url, 1<<30) }, noStalls)
}
func TestStormFixed(t *testing.T) {
	twin(t, func(c *http.Client, url string) error { return storm(c, url, 3) })
}

// ---- A transport for each call.

func transport(c *http.Client, url string) error {
	resp, err := c.Get(url) // LINE transport
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	drain(resp.Body)
	return nil
}

func TestTransport(t *testing.T) {
	one(t, func(url string) error {
		return transport(&http.Client{Transport: &http.Transport{}, Timeout: time.Minute}, url)
	}, noStalls)
}
func TestTransportFixed(t *testing.T) {
	mockserver.Sweep(t, func(t *testing.T, baseURL string) {
		c := &http.Client{Transport: hurried(t, &http.Transport{}), Timeout: time.Minute}
		defer c.CloseIdleConnections()
		_ = transport(c, baseURL)
	})
}

// ---- A body is never closed.

func never(url string) error {
	resp, err := shared.Get(url) // LINE never
	if err != nil || resp.StatusCode != http.StatusOK {
		return errStatus
	}
	return nil
}

func TestNever(t *testing.T) { one(t, never, noStalls, usual) }

// ---- Over HTTP/2 a body that has come whole is given back by itself; one that has not holds its stream.

func TestOverHTTP2(t *testing.T) {
	c := *mockserver.New(t, mockserver.HTTP2()).Client()
	c.Timeout = time.Minute
	one(t, func(url string) error {
		resp, err := c.Get(url) // LINE http2
		if err != nil || resp.StatusCode != http.StatusOK {
			return errStatus
		}
		return nil
	}, mockserver.Serve(mockserver.HTTP2()), noStalls)
}

func TestOverTLS(t *testing.T) {
	c := *mockserver.New(t, mockserver.TLS()).Client()
	c.Timeout = time.Minute
	one(t, func(url string) error {
		resp, err := c.Get(url) // LINE tls
		if err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return errStatus
		}
		drain(resp.Body)
		return resp.Body.Close()
	}, mockserver.Serve(mockserver.TLS()), noStalls, usual)
}

// usual statuses are enough for clients that leak in nearly every scenario: each leak costs the time in which it is waited for.
var usual = mockserver.Codes(200, 204, 400, 401, 403, 404, 500, 503)
