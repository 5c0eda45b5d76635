package leakcheck_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/leakgate/leakgate/leakcheck"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l
}

func dial(t *testing.T, to net.Addr) net.Conn {
	t.Helper()
	c, err := net.Dial(to.Network(), to.String())
	require.NoError(t, err)
	return c
}

// TestCheck looks at all there is.
func TestCheck(t *testing.T) {
	only := leakcheck.Only(leakcheck.Goroutine)
	but := leakcheck.Ignore("nothing can end it", leakcheck.CreatedBy(pkg+"TestProvedUnreachable")) // which may have run before
	require.NoError(t, leakcheck.Check(only, but))
	stop := make(chan struct{})
	startOne(stop)
	err := leakcheck.Check(only, but)
	close(stop)
	var leaks *leakcheck.LeakError
	require.True(t, errors.As(err, &leaks))
	require.Len(t, leaks.Leaks, 1)
	l := leaks.Leaks[0]
	assert.Equal(t, leakcheck.Goroutine, l.Kind)
	assert.Equal(t, pkg+"startOne", l.Site.Function)
	assert.Equal(t, "func startOne(stop chan struct{}) { go waitOne(stop) }", l.Site.Source)
	assert.Equal(t, 1, l.Count)
	assert.Equal(t, "LK102", l.Code)
	assert.Contains(t, err.Error(), "leakcheck: 1 leak: goroutine leakcheck_test.waitOne has not ended\n")
}

// TestTake: what was there is no news, and what is new is, again and again.
func TestTake(t *testing.T) {
	old := make(chan struct{})
	go waitTwo(old)
	defer close(old)
	s := leakcheck.Take()
	require.NoError(t, s.Err())
	assert.Empty(t, s.Leaks())

	stop := make(chan struct{})
	startOne(stop)
	for range 2 {
		leaks := s.Leaks()
		require.Len(t, leaks, 1)
		assert.Equal(t, "goroutine leakcheck_test.waitOne has not ended", leaks[0].Summary)
	}
	close(stop)
	assert.Empty(t, s.Leaks())
}

// TestWaitZero looks once.
func TestWaitZero(t *testing.T) {
	r := &recorder{name: t.Name()}
	done := leakcheck.Verify(r, leakcheck.Wait(0))
	stop := make(chan struct{})
	startOne(stop)
	done()
	close(stop)
	require.Len(t, r.errs, 1)
	assert.NotContains(t, r.errs[0], "still so after")
}

// TestWindingDown: what ends within the wait is no leak, and nothing blocked is given up on while something of the test
// still runs.
func TestWindingDown(t *testing.T) {
	r := &recorder{name: t.Name()}
	done := leakcheck.Verify(r)
	stop := make(chan struct{})
	startOne(stop)
	go func() {
		time.Sleep(300 * time.Millisecond)
		close(stop)
	}()
	done()
	assert.Empty(t, r.errs)
}

// TestNoteWindsDown: a socket that would only be told of gets a moment to close, so that a driver's short connection to cancel
// a query is not told; one that stays is told after a few looks, and only once.
func TestNoteWindsDown(t *testing.T) {
	for _, c := range []struct {
		name       string
		looks      int // that still see it
		told, most int
	}{{"closes", 2, 0, 3}, {"stays", 100, 1, 4}} {
		t.Run(c.name, func(t *testing.T) {
			n, open := 0, false
			p := &probe{leakcheck.Socket, func() ([]uint64, error) {
				if n++; open && n <= c.looks {
					return []uint64{1}, nil
				}
				return nil, nil
			}, func(uint64) (leakcheck.Leak, bool) {
				return leakcheck.Leak{Note: true, Summary: "tcp4 connection was never closed"}, true
			}}
			for range 2 {
				r := &recorder{name: t.Name()}
				done := leakcheck.Verify(r, leakcheck.Instead(p))
				n, open = 0, true
				done()
				open = false
				assert.Empty(t, r.errs)
				assert.Len(t, r.logs, c.told)
				assert.LessOrEqual(t, n, c.most)
				if c.told == 1 {
					c.told, c.most = 0, 1 // it is known
				}
			}
		})
	}
}

// TestDeadline: the check is over before the test's own deadline.
func TestDeadline(t *testing.T) {
	r := &recorder{name: t.Name(), deadline: time.Now().Add(200 * time.Millisecond)}
	done := leakcheck.Verify(r, leakcheck.Wait(time.Hour))
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond): // never the same state for long
				time.Sleep(time.Millisecond)
			}
		}
	}()
	finished := make(chan struct{})
	go func() {
		done()
		close(finished)
	}()
	select {
	case <-finished:
	case <-time.After(time.Minute):
		t.Fatal("the check outlived the deadline")
	}
	close(stop)
	assert.Len(t, r.errs, 1)
}

// TestSecondCall of the function does nothing.
func TestSecondCall(t *testing.T) {
	r := &recorder{name: t.Name()}
	done := leakcheck.Verify(r)
	done()
	stop := make(chan struct{})
	startOne(stop)
	done()
	close(stop)
	assert.Empty(t, r.errs)
}

// TestDropped: whether a socket that nobody refers to is reported does not depend on when the collector runs.
func TestDropped(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the socket census of this system has no identity that the test could rely on")
	}
	l := listen(t)
	defer l.Close()
	for range 5 {
		r := &recorder{name: t.Name()}
		done := leakcheck.Verify(r, leakcheck.With(collects{}))
		func() { _ = dial(t, l.Addr()) }()
		done()
		require.Len(t, r.errs, 1)
		assert.Contains(t, r.errs[0], "connection to 127.0.0.1:")
		assert.Contains(t, r.errs[0], "proved unreachable: the garbage collector closed it when it was asked to run")
	}
}

// collects makes as much garbage as it can each time it is asked, so that the collector would run if it were let.
type collects struct{}

func (collects) Kind() leakcheck.Kind { return "garbage" }

func (collects) Held(ids []uint64) ([]uint64, error) {
	for range 64 {
		garbage = make([]byte, 1<<20)
	}
	return ids, nil
}

func (collects) Describe(uint64) (leakcheck.Leak, bool) { return leakcheck.Leak{}, false }

var garbage []byte

// TestProvedUnreachable: where the runtime can prove that a goroutine never wakes, the report says so.
func TestProvedUnreachable(t *testing.T) {
	r := &recorder{name: t.Name()}
	done := leakcheck.Verify(r)
	go waitOne(make(chan struct{}))
	done()
	require.Len(t, r.errs, 1)
	if proves {
		assert.Contains(t, r.errs[0], "proved unreachable: nothing that still runs can wake it")
	} else {
		assert.NotContains(t, r.errs[0], "proved")
	}
}

// TestGoleakOptions: a suite's own options go on working.
func TestGoleakOptions(t *testing.T) {
	for name, opt := range map[string]goleak.Option{
		"any function": goleak.IgnoreAnyFunction(pkg + "waitOne"),
		"top function": goleak.IgnoreTopFunction(pkg + "waitOne"),
	} {
		r := &recorder{name: t.Name()}
		done := leakcheck.Verify(r, leakcheck.Goleak(opt))
		one, two := make(chan struct{}), make(chan struct{})
		startOne(one)
		done()
		assert.Empty(t, r.errs, name)

		r = &recorder{name: t.Name()}
		done = leakcheck.Verify(r, leakcheck.Goleak(opt))
		startOne(one)
		go waitTwo(two)
		done()
		close(one)
		close(two)
		require.Len(t, r.errs, 1, name)
		assert.Contains(t, r.errs[0], "1 leak: goroutine leakcheck_test.waitTwo has not ended")
		assert.Contains(t, r.errs[0], "ignored: 1 (goleak options)")
	}
}

// TestGoleakDoesNotHideBodies: the usual goleak option against net/http's noise hides the real leak there; not here.
func TestGoleakDoesNotHideBodies(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") }))
	defer srv.Close()
	r := &recorder{name: t.Name()}
	done := leakcheck.Verify(r, leakcheck.Goleak(
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreAnyFunction("net/http.(*conn).serve")))
	resp, err := srv.Client().Get(srv.URL)
	require.NoError(t, err)
	done()
	require.NoError(t, resp.Body.Close())
	require.Len(t, r.errs, 1)
	body := "an HTTP/1 request"
	if inDeepMode() {
		body = "GET / (200)"
	}
	assert.Contains(t, r.errs[0], "1 leak: response body of "+body+" was never closed")
}

// probe is a user's own pool.
type probe struct {
	kind leakcheck.Kind
	held func() ([]uint64, error)
	leak func(uint64) (leakcheck.Leak, bool)
}

func (p probe) Kind() leakcheck.Kind { return p.kind }

func (p probe) Held(ids []uint64) ([]uint64, error) {
	more, err := p.held()
	return append(ids, more...), err
}

func (p probe) Describe(id uint64) (leakcheck.Leak, bool) { return p.leak(id) }

// TestProbes: a probe that fails or panics is named, and the others still look.
func TestProbes(t *testing.T) {
	held := []uint64{1}
	good := probe{"worker", func() ([]uint64, error) { return held, nil }, func(id uint64) (leakcheck.Leak, bool) {
		return leakcheck.Leak{Summary: "worker 2 was not returned", Hint: "pool.Put(w)"}, true
	}}
	fails := probe{"broken", func() ([]uint64, error) { return nil, errors.New("no route to pool") }, nil}
	panics := probe{"wild", func() ([]uint64, error) { panic("on purpose") }, nil}

	r := &recorder{name: t.Name()}
	done := leakcheck.Verify(r, leakcheck.With(good, fails, panics))
	held = append(held, 2)
	done()
	assert.Equal(t, []string{
		"leakcheck: probe \"broken\" could not list what is held: no route to pool\n" +
			"leakcheck: probe \"wild\" panicked in Held: on purpose: it sees nothing in this test",
	}, r.errs[:1])
	assert.Contains(t, r.errs[1], "leakcheck: 1 leak: worker 2 was not returned\n")
	golden(t, "probe", r.errs[1])

	r = &recorder{name: t.Name()}
	wild := probe{"worker", good.held, func(uint64) (leakcheck.Leak, bool) { panic("on purpose") }}
	done = leakcheck.Verify(r, leakcheck.With(wild))
	held = append(held, 3)
	done()
	assert.Equal(t, []string{"leakcheck: probe \"worker\" panicked in Describe(3): on purpose"}, r.errs)
}

// TestProbeStack: of a stack that a probe gives as the runtime has it, only the user's frames are shown.
func TestProbeStack(t *testing.T) {
	var held []uint64
	var stack []leakcheck.Frame
	var pcs [32]uintptr
	for frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs[:])]); ; {
		f, more := frames.Next()
		stack = append(stack, leakcheck.Frame{Function: f.Function, File: f.File, Line: f.Line})
		if !more {
			break
		}
	}
	p := &probe{"worker", func() ([]uint64, error) { return held, nil }, func(uint64) (leakcheck.Leak, bool) {
		return leakcheck.Leak{Stack: stack}, true
	}}
	r := &recorder{name: t.Name()}
	done := leakcheck.Verify(r, leakcheck.With(p))
	held = append(held, 1)
	done()
	golden(t, "probe-stack", r.errors())
}

// TestChild: a process that was started and not waited for.
func TestChild(t *testing.T) {
	notInDeepMode(t)
	if runtime.GOOS != "linux" {
		t.Skip("child processes are seen on Linux only")
	}
	r := &recorder{name: t.Name()}
	done := leakcheck.Verify(r)
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	done()
	require.NoError(t, in.Close())
	require.NoError(t, cmd.Wait())
	require.Len(t, r.errs, 1)
	golden(t, "child", r.errs[0])
}

// TestTwoPoolsOfOneKind: both count their resources from 1, and each leak is told.
func TestTwoPoolsOfOneKind(t *testing.T) {
	for _, name := range []string{"first", "second"} {
		var held []uint64
		p := &probe{"twin", func() ([]uint64, error) { return held, nil }, func(uint64) (leakcheck.Leak, bool) {
			return leakcheck.Leak{Summary: "worker of the " + name + " pool was not returned"}, true
		}}
		r := &recorder{name: t.Name()}
		done := leakcheck.Verify(r, leakcheck.With(p))
		held = append(held, 1)
		done()
		require.Len(t, r.errs, 1, name)
		assert.Contains(t, r.errs[0], "worker of the "+name+" pool was not returned")
	}
}
