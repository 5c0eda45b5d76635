package httpcheck

import (
	"fmt"

	"github.com/leakgate/leakgate/leakcheck"
)

// Codes of what a budget reports. docs/codes.md explains each.
const (
	codeMaxLeased = "LK011"
	codeMinReuse  = "LK012"
	codeEarly     = "LK013"
)

// MaxLeased fails a test in which more than n responses of one transport were out at one moment. n is at least 1.
func MaxLeased(n int) leakcheck.Option {
	if n < 1 {
		return leakcheck.Fail(fmt.Errorf("httpcheck.MaxLeased(%d): the limit must be at least 1", n))
	}
	return leakcheck.Limit("MaxLeased", func(u leakcheck.Usage) (leakcheck.Leak, bool) {
		return leakcheck.Leak{
			Kind: leakcheck.HTTPConn, Code: codeMaxLeased,
			Summary: fmt.Sprintf("%s had %d responses out at once, and the budget is %d", u.Pool, u.PeakLeased, n),
			State:   fmt.Sprintf("%d requests, %d connections opened, %d requests on an open one", u.Requests, u.Dialed, u.Reused),
			Hint:    "close each body before the next request, or limit how many run at once",
		}, u.Kind == leakcheck.HTTPConn && u.PeakLeased > n
	})
}

// MinReuse fails a test in which less than this share of a transport's requests found an open connection: a pool in name
// only. share is above 0 and at most 1. The first request of a transport can find none, so that it does not count; with one
// request there is nothing to judge. Transports that open no connections (mocks) are not judged.
func MinReuse(share float64) leakcheck.Option {
	if !(share > 0 && share <= 1) {
		return leakcheck.Fail(fmt.Errorf("httpcheck.MinReuse(%v): the share must be above 0 and at most 1, as in MinReuse(0.9)", share))
	}
	return leakcheck.Limit("MinReuse", func(u leakcheck.Usage) (leakcheck.Leak, bool) {
		total := u.Dialed + u.Reused - 1
		if u.Kind != leakcheck.HTTPConn || total < 1 {
			return leakcheck.Leak{}, false
		}
		got := float64(u.Reused) / float64(total)
		return leakcheck.Leak{
			Kind: leakcheck.HTTPConn, Code: codeMinReuse,
			Summary: fmt.Sprintf("%s reused a connection for %.0f%% of its requests, and the budget is %.0f%%", u.Pool, got*100, share*100),
			State:   fmt.Sprintf("%d requests, %d connections opened, %d requests on an open one; the first does not count", u.Requests, u.Dialed, u.Reused),
			Hint:    "read bodies to EOF before Close, use one client for all calls, and keep as many idle connections as run at once (MaxIdleConnsPerHost)",
		}, got < share
	})
}

// NoEarlyClose fails a test that closed a body before EOF, and names where the response came from. See Stats for what an
// early close costs.
func NoEarlyClose() leakcheck.Option {
	return leakcheck.Limit("NoEarlyClose", func(u leakcheck.Usage) (leakcheck.Leak, bool) {
		leak := leakcheck.Leak{
			Kind: leakcheck.HTTPConn, Code: codeEarly,
			Summary: fmt.Sprintf("%s had %s closed before EOF", u.Pool, bodies(u.ClosedEarly)),
			State:   "net/http throws the connection away, or from Go 1.27 on reads a short rest first",
			Hint:    "io.Copy(io.Discard, resp.Body) before resp.Body.Close(), when the rest is short",
		}
		if len(u.EarlySites) > 0 {
			leak.Site, leak.Stack = u.EarlySites[0].Site, u.EarlySites[0].Stack
		}
		return leak, u.Kind == leakcheck.HTTPConn && u.ClosedEarly > 0
	})
}

func bodies(n int) string {
	if n == 1 {
		return "1 body"
	}
	return fmt.Sprintf("%d bodies", n)
}
