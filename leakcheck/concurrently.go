package leakcheck

import (
	"context"
	"time"
)

// Concurrently lets clients call fn at once, each in a goroutine of its own, and says what that did to the pools of
// connections: how many were out at once, who waited for one and for how long, for how long each was held, and how many the
// load needs. It fails t for a pool that was exhausted, also when it recovered (LK603):
//
//	func TestCheckout(t *testing.T) {
//		db := openPool(t)
//		load := leakcheck.Concurrently(t, 100, func(ctx context.Context) error {
//			return checkout.Pay(ctx, newOrder())
//		}, leakcheck.For(2*time.Second))
//		require.NoError(t, load.Err())
//		t.Log(load)
//	}
//
// Each client calls fn once; with Times(n) they share n calls, and with For(d) they go on for that time. A call that was
// begun is let to its end. ctx is t's context, where t has one, and is cancelled when Concurrently returns.
//
// An error of fn does not fail t: it is counted, Load.Err gives it, and the load is logged. A panic of fn fails t with its stack, and ends the
// load. A client that calls t.FailNow, as package require does, ends, and the others go on; return an error instead. When no
// call has ended for a minute (in a synctest bubble, for a day), or the deadline of t comes near, ctx is cancelled and t fails with the lines at which the
// clients hang; those that do not end then are left behind.
//
// # What is measured
//
// The pools that are tracked and that the clients, or goroutines that they started, took something of: those of database/sql
// (package dbcheck), of pgxpool (package pgxcheck) and the connections of tracked HTTP transports, which are
// http.DefaultTransport and those of package httpcheck. See PoolLoad. Of HTTP/1 a connection is out from the moment that a
// request has it until the body of its response is closed or was read to its end. Of HTTP/2 each request counts as one, though
// many share a connection: such a pool is not exhausted as long as nobody waits.
//
// A pool is exhausted when all of its connections are out while somebody waits for one. Its size must be limited, by
// db.SetMaxOpenConns, the MaxConns of a pgxpool.Pool, or MaxConnsPerHost of an http.Transport, which counts for each host by
// itself; a pool without a limit is never exhausted. pgxpool and net/http tell who waits. database/sql tells how often somebody had to;
// that this was while all were out is seen in a dump of all goroutines, of which one is taken now and then while the pool is full and its
// count of waits has grown, until it is seen. Where leases are so short that no dump has shown it, the count decides.
//
// Measuring is not free: a load of 2 000 calls that do next to nothing, by 100 clients, took 153 ms where the same goroutines
// without it take 129 ms (BenchmarkConcurrently, Linux, two cores). Rates near what the machine can do are lower than without.
//
// # Options
//
// Besides Times and For, all options of Verify hold: the load is checked as a test is, so that what it leaves behind fails t,
// and HighWater and the budgets of httpcheck and dbcheck judge it. Wrong arguments fail t, and nothing is called. The Load that
// is returned is never nil.
func Concurrently(t TB, clients int, fn func(ctx context.Context) error, opts ...Option) *Load {
	if isNil(t) {
		refuse("leakcheck.Concurrently: t is nil: pass the *testing.T of the test that the load is part of")
		return &Load{}
	}
	t.Helper()
	inLoad := Option(func(c *config) { c.load.is = true })
	cfg := newConfig(append([]Option{inLoad}, opts...))
	load := &Load{Clients: clients}
	plan := cfg.load
	switch {
	case clients < 1:
		cfg.wrong("leakcheck.Concurrently: %d clients: use 1 or more", clients)
	case fn == nil:
		cfg.wrong("leakcheck.Concurrently: fn is nil: pass the function that each client calls")
	case plan.times > 0 && plan.during > 0:
		cfg.wrong("leakcheck.Concurrently: Times(%d) and For(%v): use one of them", plan.times, plan.during)
	}
	if err := cfg.err(); err != nil {
		failWith(t, "%v", err)
		return load
	}
	if plan.times == 0 && plan.during == 0 {
		plan.times = clients
	}

	var pools *poolWatch
	check := Verify(t, append([]Option{inLoad, Follow("Concurrently", func(f Followed) (func() []Leak, error) {
		pools = watchPools(f.Test)
		return func() []Leak { return load.exhausted(plan.full) }, nil
	})}, opts...)...)
	defer check()

	parent := context.Background()
	if c, ok := t.(interface{ Context() context.Context }); ok {
		if ctx := c.Context(); ctx != nil {
			parent = ctx
		}
	}
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	c := newCrowd(ctx, cancel, clients, fn, plan)
	problems := c.run(t, pools)
	load.count(c)
	pools.end(load)
	for _, text := range problems {
		failWith(t, "%s", text)
	}
	if len(problems) > 0 || load.Failed > 0 || t.Failed() {
		t.Logf("%s", load)
	}
	return load
}

// plan says how long a load goes on.
type plan struct {
	is     bool // the options are Concurrently's
	times  int
	during time.Duration
	full   float64 // share of the time for which a pool may be exhausted
}

// Times lets the clients of Concurrently make n calls in all, which they share as they come. n is 1 or more.
func Times(n int) Option {
	return func(c *config) {
		if n < 1 {
			c.wrong("leakcheck.Times(%d): use 1 or more, or leave the option out for one call of each client", n)
			return
		}
		c.load.times = n
	}
}

// For lets each client of Concurrently call again and again until the time is over. A call that was begun is let to its end.
func For(d time.Duration) Option {
	return func(c *config) {
		if d <= 0 {
			c.wrong("leakcheck.For(%v): use a time above 0, such as 2*time.Second", d)
			return
		}
		c.load.during = d
	}
}

// MayBeFull lets a pool be exhausted for a share of the load's time before Concurrently fails t for it: with MayBeFull(0.25), for a
// quarter of it. share is above 0 and below 1. Without it a moment is enough.
//
// All clients begin at once, and where there are more of them than connections, some wait in that moment whatever the code
// does, until the first are open. A load that goes on for longer than that moment tells it from a pool that is too small. Load has
// the numbers either way.
func MayBeFull(share float64) Option {
	return func(c *config) {
		if !(share > 0 && share < 1) {
			c.wrong("leakcheck.MayBeFull(%v): the share must be above 0 and below 1, as in MayBeFull(0.25)", share)
			return
		}
		c.load.full = share
	}
}

// checkLoad refuses options of a load where there is none.
func (c *config) checkLoad() {
	if !c.load.is && (c.load.times > 0 || c.load.during > 0 || c.load.full > 0) {
		c.wrong("leakcheck.Times, For and MayBeFull are about a load: give them to Concurrently")
	}
}
