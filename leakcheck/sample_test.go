package leakcheck_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/leakcheck"
)

const never = time.Hour // an interval that no test lasts: the first and the last sample alone

// TestSampleStops: between the two there is nothing, and after the end nothing either.
func TestSampleStops(t *testing.T) {
	watched := func() bool {
		runtime.GC() // ends the Snapshots of the tests before this one
		return lease.Live.Watching()
	}
	require.Eventually(t, func() bool { return !watched() }, time.Minute, time.Millisecond, "others watch")
	rec := &recorder{name: "TestFake"}
	s := leakcheck.Sample(rec, never)
	assert.Len(t, s.Points(), 1)
	s.Stop()
	s.Stop()
	assert.Len(t, s.Points(), 2)
	assert.Empty(t, rec.errs)
	assert.False(t, lease.Live.Watching(), "leases are taken as long as somebody watches")
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
const poolName = "leakcheck_test.sampled"

// sampled has a name of its own: pools of one name are counted together, and those of other tests may have lent something.
type sampled struct{ *http.Transport }

// tracked is a client with a tracked transport of its own.
func tracked(t *testing.T) *http.Client {
	t.Helper()
	tr := sampled{&http.Transport{}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: httpcheck.Wrap(tr)}
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
	notInDeepMode(t)
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

// TestSampleCeilings: what is above a ceiling fails, once, with what is held; what is at it does not.
func TestSampleCeilings(t *testing.T) {
	p := orders()
	for _, c := range []struct {
		why  string
		m    leakcheck.Metric
		most int
		want string // "" for none
	}{
		{"at it", leakcheck.Leases("orders"), 2, ""},
		{"above it", leakcheck.Leases("orders"), 1, "leakcheck: 1 leak: 2 leases of orders, and AtMost allows 1\n"},
		{"all pools", leakcheck.Leases(""), 1, "leakcheck: 1 leak: 2 leases, and AtMost allows 1\n"},
		{"none at all", leakcheck.Leases("orders"), 0, "leakcheck: 1 leak: 2 leases of orders, and AtMost allows 0\n"},
		{"another pool", leakcheck.Leases("invoices"), 0, ""},
		{"goroutines", leakcheck.Goroutines, 0, " goroutines, and AtMost allows 0\n"},
		{"the heap", leakcheck.HeapInUse, 1 << 10, "iB of heap in use, and AtMost allows 1.0 KiB\n"},
		{"the heap, at most all", leakcheck.HeapInUse, 1<<31 - 1, ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			rec := &recorder{name: "TestFake"}
			s := leakcheck.Sample(rec, never, leakcheck.AtMost(c.m, c.most))
			a, b := borrow(p), borrow(p)
			s.Stop()
			a.Release(false)
			b.Release(false)
			if c.want == "" {
				assert.Empty(t, rec.errs)
				return
			}
			require.Len(t, rec.errs, 1)
			assert.Contains(t, rec.errs[0], c.want)
			assert.Contains(t, rec.errs[0], "\n  LK602 ")
		})
	}
}

// TestSampleLeases: who holds what, by place, also of other tests.
func TestSampleLeases(t *testing.T) {
	notInDeepMode(t)
	p := orders()
	rec := &recorder{name: "TestFake"}
	s := leakcheck.Sample(rec, never, leakcheck.AtMost(leakcheck.Leases("orders"), 2))
	mine := []*lent{borrow(p), borrow(p)}
	mine = append(mine, borrowElsewhere(p))
	s.Stop()
	for _, l := range mine {
		l.Release(false)
	}
	golden(t, "ceiling-leases", ceilingText(rec.errors()))
	assert.Equal(t, []int{3, 3, 0}, []int{s.Peak(leakcheck.Leases("orders")), s.Peak(leakcheck.Leases("")), s.Peak(leakcheck.Leases("nobody"))})
	last := s.Points()[1]
	assert.Equal(t, map[string]int{"orders": 3}, last.Leases)
	assert.Equal(t, []int{3, 3, 0, -1}, []int{last.Of(leakcheck.Leases("orders")), last.Of(leakcheck.Leases("")), last.Of(leakcheck.Leases("x")), last.Of("x")})
}

func borrowElsewhere(p *lease.Pool) *lent { return borrow(p) }

// TestSampleJudgedAnyway: a test that failed for a ceiling alone has not failed by itself: its check says what is left.
func TestSampleJudgedAnyway(t *testing.T) {
	for _, c := range []struct {
		why   string
		first bool // it fails by itself before
		errs  int
		logs  int
	}{{"the ceiling alone", false, 2, 0}, {"after another failure", true, 2, 1}} {
		t.Run(c.why, func(t *testing.T) {
			p := orders()
			rec := &recorder{name: "TestFake"}
			check := leakcheck.Verify(rec, leakcheck.Only(leakcheck.SQLTx), leakcheck.Wait(0))
			if c.first {
				rec.Errorf("by itself")
			}
			l := borrow(p)
			defer l.Release(false)
			leakcheck.Sample(rec, never, leakcheck.AtMost(leakcheck.Leases("orders"), 0)).Stop()
			check()
			assert.Len(t, rec.errs, c.errs)
			assert.Len(t, rec.logs, c.logs)
		})
	}
}

// TestSampleRefuses: what is wrong fails the test with what to write, and the Series works all the same.
func TestSampleRefuses(t *testing.T) {
	for _, c := range []struct {
		every   time.Duration
		ceiling leakcheck.Ceiling
		want    string
	}{
		{0, leakcheck.AtMost(leakcheck.Sockets, 1<<20), "leakcheck.Sample(t, 0s): the interval must be above 0, as in Sample(t, 10*time.Millisecond)"},
		{-1, leakcheck.AtMost(leakcheck.Sockets, 1<<20), "leakcheck.Sample(t, -1ns): the interval must be above 0, as in Sample(t, 10*time.Millisecond)"},
		{never, leakcheck.Ceiling{}, "leakcheck.Sample: a Ceiling is empty: make it with AtMost, as in AtMost(leakcheck.CloseWait, 5)"},
		{never, leakcheck.AtMost(leakcheck.CloseWait, -1), "leakcheck.AtMost(CloseWait, -1): the number is negative: give the most that there may be, 0 or more"},
		{never, leakcheck.AtMost("close", 1), `leakcheck.AtMost: there is no metric "close": use Goroutines, Sockets, SocketsIn(state), CloseWait, Leases(pool), FDs or HeapInUse`},
		{never, leakcheck.AtMost(leakcheck.SocketsIn("closewait"), 1), `leakcheck.AtMost: no socket is ever in state "CLOSEWAIT"; there are ESTABLISHED, CLOSE_WAIT, SYN_SENT, SYN_RECV, SYN_RCVD, FIN_WAIT1, FIN_WAIT2, TIME_WAIT, LAST_ACK, CLOSING, CLOSED, LISTEN, DELETE_TCB, UNCONNECTED, unknown`},
	} {
		rec := &recorder{name: "TestFake"}
		s := leakcheck.Sample(rec, c.every, c.ceiling)
		s.Stop()
		assert.Equal(t, []string{c.want}, rec.errs)
		assert.Len(t, s.Points(), 2)
	}
	assert.Equal(t, leakcheck.CloseWait, leakcheck.SocketsIn("close-wait"))
	s := leakcheck.Sample(nil, never)
	s.Stop()
	assert.Empty(t, s.Points())
	assert.Equal(t, -1, s.Peak(leakcheck.Sockets))
	assert.NotEmpty(t, s.String())
}

// TestSampleUnknownPool: a name that nothing was lent by may be wrong.
func TestSampleUnknownPool(t *testing.T) {
	rec := &recorder{name: "TestFake"}
	s := leakcheck.Sample(rec, never, leakcheck.AtMost(leakcheck.Leases("oders"), 1))
	l := borrow(orders())
	s.Stop()
	l.Release(false)
	assert.Empty(t, rec.errs)
	assert.Equal(t, []string{`leakcheck: AtMost(Leases("oders"), 1) was never judged: no pool of that name has lent anything out; there is "orders"`}, rec.logs)
}

// TestSampleBubble: in a bubble there is no timer that would keep time going.
func TestSampleBubble(t *testing.T) {
	rec := &recorder{name: "TestFake"}
	synctest.Test(t, func(*testing.T) {
		s := leakcheck.Sample(rec, time.Millisecond)
		time.Sleep(time.Hour)
		s.Stop()
		assert.Len(t, s.Points(), 2)
	})
	assert.Equal(t, []string{"leakcheck: Sample takes the first and the last sample alone in a synctest bubble"}, rec.logs)
}

// TestSampleAfterEnd: a test that is over cannot be told by itself, and a panic on the timer's goroutine would end the process.
func TestSampleAfterEnd(t *testing.T) {
	s := leakcheck.Sample(&over{recorder{name: "TestFake"}}, time.Millisecond, leakcheck.AtMost(leakcheck.Leases("orders"), 0))
	l := borrow(orders())
	defer l.Release(false)
	require.Eventually(t, func() bool { return s.Peak(leakcheck.Leases("orders")) > 0 }, time.Minute, time.Millisecond)
	n := len(s.Points())
	require.Eventually(t, func() bool { return len(s.Points()) > n }, time.Minute, time.Millisecond, "it goes on")
	s.Stop()
}

// over is a T whose test is over.
type over struct{ recorder }

func (o *over) Errorf(string, ...any) { panic("something else than testing says") }

// TestSampleReport: a ceiling that was passed, and a lease that was told, are in the report; so are the samples, with what the
// sockets are in.
func TestSampleReport(t *testing.T) {
	out, passed, f := shopRun{main: "main", args: []string{"-test.run=TestCeiling|TestHeldLong"}}.one(t)
	assert.False(t, passed)
	assert.Equal(t, lines("test TestCeiling leaked", "test TestHeldLong passed",
		"leak TestCeiling failed LK602×1", "leak TestCeiling failed LK001×1", "leak TestHeldLong noted LK604×1", "end 1"), outline(f), out)
	assert.NotContains(t, out, "hunter2")
	most := make(map[string]int)
	for _, s := range f.Samples {
		assert.Positive(t, s.HeapInUse)
		if runtime.GOOS == "linux" {
			assert.Positive(t, s.FDs)
		}
		for state, n := range s.States {
			most[state] = max(most[state], n)
		}
	}
	assert.NotEmpty(t, most, "the connection of the response that was held: %v", f.Samples)
}
