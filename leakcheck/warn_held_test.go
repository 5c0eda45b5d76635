package leakcheck_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/leakcheck"
)

// lent is a connection of a pool that a test has made up.
type lent struct {
	info lease.Info
	lease.Lease
}

func (l *lent) Now() lease.State { return lease.Held }
func (l *lent) Info() lease.Info { return l.info }

// orders is a pool of 4 connections.
func orders() *lease.Pool {
	return lease.Live.NewPool(string(leakcheck.SQLConn), "orders", func() int { return 4 })
}

// borrow takes a transaction of a pool.
func borrow(p *lease.Pool) *lent {
	l := &lent{info: lease.Info{
		Kind: "sql-tx", Summary: "sql.Tx from db.BeginTx was neither committed nor rolled back", State: "UPDATE stock SET n = ?",
		Note: "QueryContext runs for 2s",
	}}
	p.Take(&l.Lease, l, 0)
	return l
}

func (r *recorder) logged() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.logs...)
}

// await waits until there are n lines in the log.
func await(t *testing.T, r *recorder, n int) []string {
	t.Helper()
	require.Eventually(t, func() bool { return len(r.logged()) >= n }, time.Minute, time.Millisecond, "%d lines", n)
	return r.logged()
}

var heldFor = regexp.MustCompile(`(held for|returned after) [0-9.]+(µs|ms|s)`)

func withoutHeld(lines ...string) string {
	return heldFor.ReplaceAllString(strings.Join(lines, "\n"), "$1 T")
}

// TestWarnHeldResponse: what is said while a response is held, and when it is closed.
func TestWarnHeldResponse(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403); _, _ = w.Write([]byte("no")) }))
	defer srv.Close()
	tr := httpcheck.Instrument(&http.Transport{MaxConnsPerHost: 3})
	defer tr.CloseIdleConnections()
	rec := &recorder{name: "TestFake"}
	done := leakcheck.Verify(rec, leakcheck.Only(leakcheck.HTTPResponse), leakcheck.WarnHeld(time.Millisecond), nil)
	resp := hold(t, &http.Client{Transport: tr}, srv.URL)
	first := await(t, rec, 1)
	require.NoError(t, resp.Body.Close())
	both := await(t, rec, 2)
	done()
	assert.Empty(t, rec.errs, "it fails no test")
	assert.Len(t, rec.logged(), 2, "each once")
	assert.Len(t, first, 1, "the second line came when it was closed")
	golden(t, "warn-held-response", withoutHeld(both...))
}

// TestWarnHeldTx: the same of a database, with what it does.
func TestWarnHeldTx(t *testing.T) {
	rec := &recorder{name: "TestFake"}
	done := leakcheck.Verify(rec, leakcheck.Only(leakcheck.SQLTx), leakcheck.WarnHeld(time.Hour), leakcheck.WarnHeld(time.Millisecond), leakcheck.WarnHeld(time.Hour))
	l := borrow(orders())
	await(t, rec, 1)
	l.Release(false)
	await(t, rec, 2)
	done()
	golden(t, "warn-held-tx", withoutHeld(rec.logged()...))
}

// TestWarnHeldEnd: what is back just before the end is still said, what is held then is left to the check, and what is too
// much is counted.
func TestWarnHeldEnd(t *testing.T) {
	rec := &recorder{name: "TestFake"}
	done := leakcheck.Verify(rec, leakcheck.Only(leakcheck.SQLTx), leakcheck.WarnHeld(time.Millisecond), leakcheck.Wait(0))
	p := orders()
	var all []*lent
	for range 12 {
		all = append(all, borrow(p))
	}
	await(t, rec, 10)
	require.Eventually(t, func() bool { return !all[11].WhenBack(nil) }, time.Minute, time.Millisecond, "the last was seen too")
	for _, l := range all[:11] {
		l.Release(false)
	}
	defer all[11].Release(false)
	done()
	logs := rec.logged()
	said, back, full := 0, 0, 0
	for _, s := range logs {
		if strings.Contains(s, " still is; WarnHeld(1ms) says so") {
			said++
		}
		if strings.Contains(s, "\n") {
			full++
		}
		if strings.Contains(s, " was returned after ") {
			back++
		}
	}
	assert.Equal(t, []int{10, 10}, []int{said, back}, "%s", logs)
	assert.Equal(t, 1, full, "of one line the first alone is told in full: %s", logs)
	assert.Contains(t, logs, "leakcheck: 2 other leases held for longer than 1ms, not shown (LK604)")
	require.Len(t, rec.errs, 1)
	assert.Contains(t, rec.errs[0], "sql.Tx from db.BeginTx was neither committed nor rolled back")
}

// TestWarnHeldWhose: a check warns of its own leases, the innermost of those that are nested, and with the smallest limit of them.
func TestWarnHeldWhose(t *testing.T) {
	outer, inner, other := &recorder{name: "TestFake"}, &recorder{name: "TestFake/sub"}, &recorder{name: "TestOther"}
	only := leakcheck.Only(leakcheck.SQLTx)
	p := orders()
	before := borrow(p)
	defer before.Release(false)
	endOuter := leakcheck.Verify(outer, only, leakcheck.WarnHeld(time.Millisecond))
	endInner := leakcheck.Verify(inner, only, leakcheck.WarnHeld(time.Hour))
	var wg sync.WaitGroup
	begun, end := make(chan struct{}), make(chan struct{})
	wg.Add(1)
	go func() {
		defer wg.Done()
		endOther := leakcheck.Verify(other, only, leakcheck.WarnHeld(time.Millisecond))
		close(begun)
		<-end
		endOther()
	}()
	<-begun
	l := borrow(p)
	await(t, inner, 1)
	l.Release(false)
	await(t, inner, 2)
	endInner()
	l = borrow(p)
	await(t, outer, 1)
	l.Release(false)
	endOuter()
	close(end)
	wg.Wait()
	assert.Len(t, inner.logged(), 2)
	assert.Len(t, outer.logged(), 2, "not what the inner one has said, and not what there was before")
	assert.Empty(t, other.logged())
}

// TestWarnHeldLimits: two tests that run at once have each their own limit.
func TestWarnHeldLimits(t *testing.T) {
	patient, hasty := &recorder{name: "TestPatient"}, &recorder{name: "TestHasty"}
	only := leakcheck.Only(leakcheck.SQLTx)
	p := orders()
	holds, end := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		done := leakcheck.Verify(patient, only, leakcheck.WarnHeld(time.Hour))
		l := borrow(p)
		close(holds)
		<-end
		l.Release(false)
		done()
	})
	<-holds
	done := leakcheck.Verify(hasty, only, leakcheck.WarnHeld(time.Millisecond))
	l := borrow(p)
	await(t, hasty, 1) // the look that told it has met the older one before
	l.Release(false)
	done()
	close(end)
	wg.Wait()
	assert.Empty(t, patient.logged())
}

// TestWarnHeldHandedOn: what an inner check has told, and what is held longer than that, is the outer one's to take back.
func TestWarnHeldHandedOn(t *testing.T) {
	outer, inner := &recorder{name: "TestFake"}, &recorder{name: "TestFake/sub"}
	only := leakcheck.Only(leakcheck.SQLTx)
	endOuter := leakcheck.Verify(outer, only, leakcheck.WarnHeld(time.Hour))
	endInner := leakcheck.Verify(inner, only, leakcheck.WarnHeld(time.Millisecond), leakcheck.Wait(0))
	l := borrow(orders())
	await(t, inner, 1)
	endInner()
	l.Release(false)
	endOuter()
	require.Len(t, outer.logged(), 1)
	assert.Contains(t, outer.logged()[0], "leakcheck: sql.Tx from db.BeginTx was returned after ")
}

// borrowed is a check of one pool.
type borrowed struct{ pool *lease.Pool }

func (b borrowed) Kind() leakcheck.Kind                          { return leakcheck.SQLTx }
func (b borrowed) Held(ids []uint64) ([]uint64, error)           { return ids, nil }
func (b borrowed) Describe(uint64) (leak leakcheck.Leak, _ bool) { return leak, false }
func (b borrowed) LeasePool() *lease.Pool                        { return b.pool }
func (b borrowed) FailUnclosed() bool                            { return false }

// TestWarnHeldOnePool: a check of one pool warns of what was taken from that one since it began, by whomever.
func TestWarnHeldOnePool(t *testing.T) {
	mine, other := orders(), orders()
	rec := &recorder{name: "TestFake"}
	before := borrow(mine)
	defer before.Release(false)
	done := leakcheck.Verify(rec, leakcheck.Instead(), leakcheck.With(borrowed{mine}), leakcheck.WarnHeld(time.Millisecond))
	elsewhere := borrow(other)
	defer elsewhere.Release(false)
	l := borrow(mine)
	lines := await(t, rec, 1) // the look that told it has met the older ones before
	l.Release(false)
	await(t, rec, 2)
	done()
	assert.Len(t, lines, 1)
	assert.Len(t, rec.logged(), 2)
}

// TestWarnHeldLong: what is not over the limit is not told.
func TestWarnHeldLong(t *testing.T) {
	rec := &recorder{name: "TestFake"}
	done := leakcheck.Verify(rec, leakcheck.Only(leakcheck.SQLTx), leakcheck.WarnHeld(time.Hour))
	l := borrow(orders())
	l.Release(false)
	done()
	assert.Empty(t, rec.logged())
}

func TestWarnHeldRefuses(t *testing.T) {
	for _, d := range []time.Duration{0, -time.Second} {
		rec := &recorder{name: "TestFake"}
		leakcheck.Verify(rec, leakcheck.Instead(), leakcheck.WarnHeld(d))()
		assert.Equal(t, []string{"leakcheck.WarnHeld(" + d.String() + "): the limit must be above 0, as in WarnHeld(2*time.Second)"}, rec.errs)
	}
	const refused = "leakcheck.WarnHeld follows a test: give it to Verify, or to Main for all tests of the package"
	assert.EqualError(t, leakcheck.Check(leakcheck.WarnHeld(time.Second)), refused)
	assert.EqualError(t, leakcheck.Take(leakcheck.WarnHeld(time.Second)).Err(), refused)
}

// TestWarnHeldBubble: a timer in a bubble would begin anew for ever.
func TestWarnHeldBubble(t *testing.T) {
	rec := &recorder{name: "TestFake"}
	synctest.Test(t, func(*testing.T) {
		done := leakcheck.Verify(rec, leakcheck.Instead(), leakcheck.WarnHeld(time.Second))
		time.Sleep(time.Hour)
		done()
	})
	assert.Equal(t, []string{"leakcheck: WarnHeld has no effect in a synctest bubble"}, rec.logged())
	assert.Empty(t, rec.errs)
}

// TestWarnHeldHangs: a test that hangs is told on standard error while it does, as go test has it without -v; with Main's WarnHeld
// also one that does not call Verify.
func TestWarnHeldHangs(t *testing.T) {
	bin, err := suite()
	require.NoError(t, err)
	for _, c := range []struct{ name, main, test string }{
		{"Verify", "", "TestHoldsVerified"},
		{"Main", "warn", "TestHoldsUnverified"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, bin, "-test.run=^"+c.test+"$")
			cmd.Dir = filepath.Join("testdata", "suite")
			cmd.Env = append(os.Environ(), "SUITE_MAIN="+c.main)
			in, err := cmd.StdinPipe()
			require.NoError(t, err)
			out, err := cmd.StderrPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			var lines []string
			for s := bufio.NewScanner(out); s.Scan(); {
				lines = append(lines, s.Text())
				if strings.HasPrefix(s.Text(), "    see ") {
					require.NoError(t, in.Close()) // now it gives back what it holds
				}
			}
			assert.NoError(t, cmd.Wait(), "%s", lines)
			require.NotEmpty(t, lines)
			text := withoutHeld(lines...)
			assert.Contains(t, text, c.test+": leakcheck: 1 finding: response body of GET /session (403) has been held for T and still is; WarnHeld(1ms) says so\n")
			assert.Contains(t, text, c.test+": leakcheck: response body of GET /session (403) was returned after T (LK604, taken at ")
		})
	}
}
