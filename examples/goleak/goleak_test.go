package goleak

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/leakgate/leakgate/examples/internal/record"
	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

// The options that a package has gathered over the years.
var opts = []goleak.Option{
	goleak.IgnoreTopFunction("github.com/leakgate/leakgate/examples/goleak.(*Flusher).flush"),
	goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"),
	goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
	goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"),
}

// before and after are the two ways to write the same check.
func before(t *record.T, test func(), opts ...goleak.Option) {
	defer goleak.VerifyNone(t, opts...)
	test()
}

func after(t *record.T, test func(), opts ...goleak.Option) {
	t.Cleanup(leakcheck.Verify(t, leakcheck.Goleak(opts...)))
	test()
}

type check func(t *record.T, test func(), opts ...goleak.Option)

// Both find a goroutine that no option is for, and name it.
func TestBothFindAGoroutine(t *testing.T) {
	for name, check := range map[string]check{"before": before, "after": after} {
		t.Run(name, func(t *testing.T) {
			stop := make(chan struct{})
			defer close(stop)
			rec := record.Run(t.Name(), func(rec *record.T) {
				check(rec, func() { go waitFor(stop) }, opts...)
			})
			require.Len(t, rec.Errors(), 1)
			assert.Contains(t, rec.Errors()[0], "goleak.waitFor")
		})
	}
}

func waitFor(stop chan struct{}) { <-stop }

// Both leave out what an option is for, and both report it without the option.
func TestOptionsGoOnWorking(t *testing.T) {
	for name, check := range map[string]check{"before": before, "after": after} {
		t.Run(name, func(t *testing.T) {
			var started []*Flusher
			defer func() {
				for _, f := range started {
					f.stop()
				}
			}()
			start := func() { started = append(started, NewFlusher()) }

			with := record.Run(t.Name(), func(rec *record.T) { check(rec, start, opts...) })
			assert.Empty(t, with.Errors())

			without := record.Run(t.Name(), func(rec *record.T) { check(rec, start, goleak.IgnoreCurrent()) })
			require.Len(t, without.Errors(), 1)
			assert.Contains(t, without.Errors()[0], "goleak.(*Flusher).flush")
		})
	}
}

// The options that were meant for idle connections hide an unclosed body from goleak. leakcheck finds it with the same
// options.
func TestUnclosedBodyIsFoundDespiteTheOptions(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel() // ends what the code leaked, when all has been seen
	srv := mockserver.New(t)
	srv.On("GET", "/").Reply(mockserver.ALB(403))
	status := func() {
		code, err := Status(ctx, srv.URL)
		require.NoError(t, err)
		assert.Equal(t, 403, code)
	}

	rec := record.Run(t.Name(), func(rec *record.T) { before(rec, status, opts...) })
	assert.Empty(t, rec.Errors())

	rec = record.Run(t.Name(), func(rec *record.T) { after(rec, status, opts...) })
	require.Len(t, rec.Errors(), 1)
	assert.Contains(t, rec.Errors()[0], "response body of GET / (403, awselb/2.0) was never closed")
	assert.Contains(t, rec.Errors()[0], "resp, err := http.DefaultClient.Do(req)")
}
