package leakcheck_test

import (
	"context"
	"errors"
	"io"
	"net"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

// soon is for a start that never returns, so that no machine is too slow for it; ample is for one that returns at once.
const (
	soon  = 50 * time.Millisecond
	ample = time.Hour
)

var errDead = errors.New("the dependency is dead")

// startups are functions of the program that start something.
func dialsWithoutTimeout(addr string) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

func dialsWithContext(ctx context.Context, addr string) error {
	conn, err := leakcheck.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

func readsForEver(ctx context.Context, addr string) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	_, err = io.ReadFull(conn, make([]byte, 7))
	return err
}

func waitsForDialer(ctx context.Context, addr string) error {
	failed := make(chan error)
	go func() { failed <- dialsWithContext(ctx, addr) }()
	return <-failed
}

func retries(stop chan struct{}) error {
	go retryLoop(stop)
	return errDead
}

func retryLoop(stop chan struct{}) { <-stop }

// reported is what varies from run to run beyond what normalize takes out.
var took = regexp.MustCompile(`(after|took) \d[\d.]*(µs|ms|s)`)

func stable(text string) string { return took.ReplaceAllString(text, "$1 TIME") }

// waitUntilIn waits until there is a goroutine in each of the states and functions.
func waitUntilIn(t *testing.T, places [][2]string) {
	for end := time.Now().Add(30 * time.Second); len(places) > 0; runtime.Gosched() {
		buf := make([]byte, 1<<20)
		for block := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(block, " ["+places[0][0]) && strings.Contains(block, "leakcheck_test."+places[0][1]+"(") {
				places = places[1:]
				break
			}
		}
		if time.Now().After(end) {
			t.Errorf("no goroutine is in %v", places[0])
			return
		}
	}
}

// TestFailFastReports holds whole reports.
func TestFailFastReports(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the sockets of the reports are as Linux has them")
	}
	stop := make(chan struct{})
	defer close(stop)
	patient := []leakcheck.Option{leakcheck.Wait(time.Minute)} // what ends with the context has that long on a busy machine
	for _, c := range []struct {
		name, why string
		within    time.Duration
		hangs     [][2]string // state and function of the goroutines that have to be there
		start     func(t *testing.T) func(context.Context) error
		opts      []leakcheck.Option
	}{
		{"failfast_background", "an error, and a goroutine that tries again: what is left behind is reported as Verify does", ample, nil, func(t *testing.T) func(context.Context) error {
			return func(context.Context) error { return retries(stop) }
		}, nil},
		{"failfast_dial", "the dial hangs, and nobody gave it the context: the goroutine is left, and reported once", soon, [][2]string{{"IO wait", "dialsWithoutTimeout"}}, func(t *testing.T) func(context.Context) error {
			hole := mockserver.DropSYN(t)
			return func(context.Context) error { return dialsWithoutTimeout(hole.Addr()) }
		}, []leakcheck.Option{leakcheck.Wait(100 * time.Millisecond)}},
		{"failfast_context", "the dial has the context, which nobody ends in production: it leaves nothing once that is cancelled", soon, [][2]string{{"IO wait", "dialsWithContext"}}, func(t *testing.T) func(context.Context) error {
			hole := mockserver.DropSYN(t)
			return func(ctx context.Context) error { return dialsWithContext(ctx, hole.Addr()) }
		}, patient},
		{"failfast_read", "the connection comes, and no answer", soon, [][2]string{{"IO wait", "readsForEver"}}, func(t *testing.T) func(context.Context) error {
			hole := mockserver.BlackHole(t)
			return func(ctx context.Context) error { return readsForEver(ctx, hole.Addr()) }
		}, patient},
		{"failfast_child", "it waits for a goroutine of its own, which hangs", soon, [][2]string{{"IO wait", "dialsWithContext"}, {"chan receive", "waitsForDialer"}}, func(t *testing.T) func(context.Context) error {
			hole := mockserver.DropSYN(t)
			return func(ctx context.Context) error { return waitsForDialer(ctx, hole.Addr()) }
		}, patient},
		{"failfast_noerror", "all is well, it says, and tries again in the background: one entry", ample, nil, func(t *testing.T) func(context.Context) error {
			return func(context.Context) error { _ = retries(stop); return nil }
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Log(c.why)
			start := c.start(t)
			rec := &recorder{name: "TestStartup"}
			leakcheck.BeforeVerdict(t, func() { waitUntilIn(t, c.hangs) })
			leakcheck.FailFast(rec, c.within, start, c.opts...)
			require.Len(t, rec.errs, 1)
			golden(t, c.name, stable(rec.errors()))
		})
	}
}

// TestFailFastLooksUp: while the name is looked up there is no socket yet, and the dial tells where it leads.
func TestFailFastLooksUp(t *testing.T) {
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	dial := leakcheck.WrapDial((&net.Dialer{Resolver: r}).DialContext)
	rec := &recorder{name: t.Name()}
	leakcheck.BeforeVerdict(t, func() { waitUntilIn(t, [][2]string{{"select", "looksUp"}}) })
	leakcheck.FailFast(rec, soon, func(ctx context.Context) error { return looksUp(ctx, dial, "broker.internal:5672") }, leakcheck.Wait(time.Minute))
	require.Len(t, rec.errs, 1)
	assert.Contains(t, rec.errs[0], "it was in net.(*Dialer).DialContext to broker.internal:5672 at fail_fast_test.go:")
	assert.Contains(t, rec.errs[0], "give the dial a time-out")
}

func looksUp(ctx context.Context, dial func(context.Context, string, string) (net.Conn, error), addr string) error {
	conn, err := dial(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

// TestFailFastSilent: an error in time, and nothing left.
func TestFailFastSilent(t *testing.T) {
	dead := mockserver.Refuse(t)
	rec := &recorder{name: t.Name()}
	leakcheck.FailFast(rec, ample, func(ctx context.Context) error {
		assert.NoError(t, ctx.Err(), "it is cancelled when the verdict is there")
		_, has := ctx.Deadline()
		assert.False(t, has)
		return dialsWithContext(ctx, dead)
	})
	assert.Empty(t, rec.errs)
	assert.Empty(t, rec.logs)
}

// TestFailFastReportsOnce: a check around it does not repeat what it reported.
func TestFailFastReportsOnce(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	for name, start := range map[string]func(context.Context) error{
		"left behind": func(context.Context) error { return retries(stop) },
		"no error":    func(context.Context) error { _ = retries(stop); return nil },
		"hangs":       func(context.Context) error { <-stop; return nil },
	} {
		outer, inner := &recorder{name: "TestOnce"}, &recorder{name: "TestOnce"}
		done := leakcheck.Verify(outer)
		leakcheck.FailFast(inner, soon, start, leakcheck.Wait(0))
		done()
		assert.Len(t, inner.errs, 1, name)
		assert.Empty(t, outer.errs, name)
	}
}

// TestFailFastEnds: a start may end in other ways than by returning.
func TestFailFastEnds(t *testing.T) {
	t.Run("panic", func(t *testing.T) {
		rec := &recorder{name: t.Name()}
		leakcheck.FailFast(rec, ample, func(context.Context) error { panic("no configuration") })
		require.Len(t, rec.errs, 1)
		assert.Regexp(t, `(?s)^leakcheck\.FailFast: start panicked: no configuration\n\ngoroutine .*fail_fast_test\.go:\d+`, rec.errs[0])
	})
	t.Run("panic that is nil", func(t *testing.T) {
		rec := &recorder{name: t.Name()}
		leakcheck.FailFast(rec, ample, func(context.Context) error { panic(nil) }) //nolint:govet // on purpose
		require.Len(t, rec.errs, 1)
		assert.Contains(t, rec.errs[0], "leakcheck.FailFast: start panicked: ")
	})
	t.Run("Goexit", func(t *testing.T) {
		rec := &recorder{name: t.Name()}
		leakcheck.FailFast(rec, ample, func(context.Context) error { runtime.Goexit(); return nil })
		assert.Equal(t, []string{"leakcheck.FailFast: start ended its goroutine (runtime.Goexit) and returned nothing: return an error"}, rec.errs)
	})
	t.Run("FailNow", func(t *testing.T) {
		rec := &recorder{name: t.Name()}
		leakcheck.FailFast(rec, ample, func(context.Context) error { rec.Errorf("its own"); runtime.Goexit(); return nil })
		assert.Equal(t, []string{"its own"}, rec.errs)
	})
}

// TestFailFastAfterFailure: a test that failed before is judged all the same.
func TestFailFastAfterFailure(t *testing.T) {
	rec := &recorder{name: t.Name()}
	rec.Errorf("before")
	leakcheck.FailFast(rec, ample, func(context.Context) error { return nil })
	require.Len(t, rec.errs, 2)
	assert.Contains(t, rec.errs[1], "leakcheck: 1 leak: the start-up returned no error, although what it depends on is dead\n")
}

// TestFailFastDeadline: the test's own time counts when it ends first.
func TestFailFastDeadline(t *testing.T) {
	stop := make(chan struct{})
	rec := &recorder{name: t.Name(), deadline: time.Now().Add(200 * time.Millisecond)}
	leakcheck.FailFast(rec, ample, func(ctx context.Context) error { <-ctx.Done(); <-stop; return nil })
	close(stop)
	require.Len(t, rec.errs, 1)
	assert.Contains(t, rec.errs[0], "(the test's own time ends before 1h0m0s)")
}

// TestFailFastOptions: a wrong argument is an error that says what to do, and options are Verify's.
func TestFailFastOptions(t *testing.T) {
	never := func(context.Context) error { t.Error("it was started"); return nil }
	for want, call := range map[string]func(t leakcheck.TB){
		"leakcheck.FailFast: start is nil: pass a function that starts what is tested and returns its error": func(t leakcheck.TB) { leakcheck.FailFast(t, time.Second, nil) },
		"leakcheck.FailFast(0s): the time must be above 0, as in FailFast(t, time.Second, start)":            func(t leakcheck.TB) { leakcheck.FailFast(t, 0, never) },
		"leakcheck.FailFast(5ns): a number without a unit is nanoseconds: use 5*time.Second":                 func(t leakcheck.TB) { leakcheck.FailFast(t, 5, never) },
		"leakcheck.Wait(-1ns): the wait is negative: use 0 to look once, or a time such as 2*time.Second": func(t leakcheck.TB) {
			leakcheck.FailFast(t, ample, func(context.Context) error { return errDead }, leakcheck.Wait(-1))
		},
	} {
		rec := &recorder{name: t.Name()}
		call(rec)
		assert.Equal(t, []string{want}, rec.errs)
	}
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{name: t.Name()}
		leakcheck.FailFast(rec, ample, never)
		require.Len(t, rec.errs, 1)
		assert.Contains(t, rec.errs[0], "leakcheck.FailFast: it cannot run in a synctest bubble")
	})

	dead := mockserver.Refuse(t)
	rec := &recorder{name: t.Name()}
	leakcheck.FailFast(rec, ample, func(ctx context.Context) error { return dialsWithContext(ctx, dead) }, leakcheck.AllowRemotes(leakcheck.OwnListeners))
	require.Len(t, rec.errs, 1)
	assert.Contains(t, rec.errs[0], "leakcheck: 1 leak: dial of "+dead+" (refused) at fail_fast_test.go:")
}
