package httpcheck

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"

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
// A client's Transport field is set while the test runs, and put back by the function returned. So a nil client, and one
// that another test uses with Verify at the same time, is an error of the test. A test and its subtests may share one. Pass
// a parallel test a client of its own, or Wrap the transport once where it is made and let leakcheck.Verify look at it.
func Verify(t leakcheck.TB, c *http.Client, opts ...leakcheck.Option) func() {
	if isNil(t) {
		return leakcheck.Verify(nil) // says so; nothing is tracked
	}
	t.Helper()
	if c == nil {
		return refuse(t, opts, errors.New("httpcheck.Verify: the client is nil: pass the *http.Client that the code under test uses, or &http.Client{}"))
	}
	leave, other := inUse.enter(c, t.Name())
	if other != "" {
		return refuse(t, opts, fmt.Errorf("httpcheck.Verify: %s uses the client at the same time, so that its responses cannot be told from this test's: give each test a client of its own", other))
	}
	before := c.Transport
	tracked := Wrap(before)
	if before != http.RoundTripper(tracked) {
		c.Transport = tracked
	}
	check := leakcheck.Verify(t, slices.Concat([]leakcheck.Option{leakcheck.Instead(tracked.Probe())}, opts)...)
	var once sync.Once
	return func() {
		t.Helper()
		once.Do(func() {
			if before != http.RoundTripper(tracked) && c.Transport == http.RoundTripper(tracked) {
				c.Transport = before
			}
			leave()
		})
		check()
	}
}

// refuse fails the test and looks at nothing.
func refuse(t leakcheck.TB, opts []leakcheck.Option, err error) func() {
	t.Helper()
	return leakcheck.Verify(t, slices.Concat(opts, []leakcheck.Option{leakcheck.Instead(), leakcheck.Fail(err)})...)
}

func isNil(t leakcheck.TB) bool {
	v := reflect.ValueOf(t)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

// clients knows which tests use a client now.
type clients struct {
	mu sync.Mutex
	by map[*http.Client][]string
}

var inUse clients

// enter notes that the test uses the client; other is a test that uses it already and is neither the same nor above or
// below.
func (u *clients) enter(c *http.Client, test string) (leave func(), other string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, o := range u.by[c] {
		if o != test && !strings.HasPrefix(test, o+"/") && !strings.HasPrefix(o, test+"/") {
			return nil, o
		}
	}
	if u.by == nil {
		u.by = make(map[*http.Client][]string)
	}
	u.by[c] = append(u.by[c], test)
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		i := slices.Index(u.by[c], test)
		u.by[c] = slices.Delete(u.by[c], i, i+1)
		if len(u.by[c]) == 0 {
			delete(u.by, c)
		}
	}, ""
}
