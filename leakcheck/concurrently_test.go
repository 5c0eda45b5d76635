package leakcheck_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/httpcheck"
	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

// inMemory is a database that has nothing and answers at once.
type inMemory struct{}

func (inMemory) Connect(context.Context) (driver.Conn, error) { return &memoryConn{}, nil }
func (inMemory) Driver() driver.Driver                        { return nil }

type memoryConn struct{}

func (*memoryConn) Prepare(string) (driver.Stmt, error)      { return memoryStmt{}, nil }
func (*memoryConn) Begin() (driver.Tx, error)                { return memoryTx{}, nil }
func (*memoryConn) Close() error                             { return nil }
func (*memoryConn) ResetSession(context.Context) error       { return nil }
func (*memoryConn) IsValid() bool                            { return true }
func (*memoryConn) Ping(context.Context) error               { return nil }
func (*memoryConn) CheckNamedValue(*driver.NamedValue) error { return nil }

type memoryTx struct{}

func (memoryTx) Commit() error   { return nil }
func (memoryTx) Rollback() error { return nil }

// memoryStmt is a statement that does nothing.
type memoryStmt struct{}

func (memoryStmt) Close() error                               { return nil }
func (memoryStmt) NumInput() int                              { return 0 }
func (memoryStmt) Exec([]driver.Value) (driver.Result, error) { return driver.ResultNoRows, nil }
func (memoryStmt) Query([]driver.Value) (driver.Rows, error)  { return nil, errors.New("not here") }

// memoryPool opens a pool of so many connections to a database in memory.
func memoryPool(t *testing.T, size int) *sql.DB {
	db := dbcheck.OpenDB(inMemory{})
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	t.Cleanup(func() { db.Close() })
	return db
}

// loadVaries is what the numbers of a load are replaced with.
var loadVaries = []struct{ re, to string }{
	{`\d+(\.\d+)?(ns|µs|ms|s)\b`, "T"},
	{`at [\d.e+]+ a second`, "at R a second"},
	{`: [\d.e+]+ a second`, ": R a second"},
	{`at most [\d.e+]+`, "at most R"},
	{`needs [\d.]+ connections?`, "needs N connections"},
	{`\(\d+%\)`, "(P%)"},
	{`had to wait for one, (once|\d times)`, "had to wait for one, N times"},
	{`and \d waited`, "and N waited"},
	{`for a connection: (once|\d times)`, "for a connection: N times"},
	{`0x[0-9a-f]+`, "0x"},
}

func steady(text string) string {
	for _, v := range loadVaries {
		text = regexp.MustCompile(v.re).ReplaceAllString(text, v.to)
	}
	return text
}

// TestConcurrentlyCounts: how many calls are made, by how many at once, and what is said of those that fail.
func TestConcurrentlyCounts(t *testing.T) {
	late := fmt.Errorf("asking the shop: %w", context.DeadlineExceeded)
	for _, c := range []struct {
		why              string
		clients          int
		opts             []leakcheck.Option
		fn               func(call int64) error
		calls, bad, late int
		err              string
	}{
		{"one call for each client", 5, nil, nil, 5, 0, 0, ""},
		{"a number of calls, shared", 3, []leakcheck.Option{leakcheck.Times(11)}, nil, 11, 0, 0, ""},
		{"fewer calls than clients", 8, []leakcheck.Option{leakcheck.Times(2)}, nil, 2, 0, 0, ""},
		{"errors are counted by their text, and time-outs are told apart", 2, []leakcheck.Option{leakcheck.Times(6)}, func(n int64) error {
			switch n {
			case 1:
				return late
			case 2, 4, 6:
				return errors.New("sold out")
			}
			return nil
		}, 6, 4, 1, "3 of 6 calls: sold out\n1 of 6 calls: asking the shop: context deadline exceeded"},
		{"not more texts than a reader can take", 1, []leakcheck.Option{leakcheck.Times(20)}, func(n int64) error { return fmt.Errorf("order %d", n) },
			20, 20, 0, "1 of 20 calls: order 1\n1 of 20 calls: order 2\n1 of 20 calls: order 3\n1 of 20 calls: order 4\n1 of 20 calls: order 5\n1 of 20 calls: order 6\n" +
				"1 of 20 calls: order 7\n1 of 20 calls: order 8\n1 of 20 calls: order 9\n1 of 20 calls: order 10\n1 of 20 calls: order 11\n1 of 20 calls: order 12\n" +
				"1 of 20 calls: order 13\n1 of 20 calls: order 14\n1 of 20 calls: order 15\n1 of 20 calls: order 16\n4 of 20 calls failed in other ways"},
		{"an error that cannot be asked", 1, nil, func(int64) error { return (*brokenError)(nil) }, 1, 1, 0,
			"1 of 1 call: an error of type *leakcheck_test.brokenError, which panics when it is asked for its text"},
	} {
		t.Run(c.why, func(t *testing.T) {
			rec := &recorder{name: "TestFake"}
			var n atomic.Int64
			load := leakcheck.Concurrently(rec, c.clients, func(ctx context.Context) error {
				assert.NoError(t, ctx.Err())
				i := n.Add(1)
				if c.fn == nil {
					return nil
				}
				return c.fn(i)
			}, append(c.opts, leakcheck.Instead())...)
			assert.Empty(t, rec.errs, "an error of a call does not fail the test")
			assert.Equal(t, c.bad > 0, len(rec.logs) == 1, "a load whose calls fail is not silent: %s", rec.logs)
			assert.Equal(t, []int{c.clients, c.calls, c.bad, c.late}, []int{load.Clients, load.Calls, load.Failed, load.TimedOut})
			assert.EqualValues(t, c.calls, n.Load())
			if c.err == "" {
				assert.NoError(t, load.Err())
				return
			}
			assert.EqualError(t, load.Err(), c.err)
			if c.late > 0 {
				assert.ErrorIs(t, load.Err(), context.DeadlineExceeded)
			}
		})
	}
}

type brokenError struct{ text string }

func (e *brokenError) Error() string { return e.text }

// TestConcurrentlyAtOnce: all clients are in fn at the same time.
func TestConcurrentlyAtOnce(t *testing.T) {
	const clients = 50
	var in sync.WaitGroup
	in.Add(clients)
	load := leakcheck.Concurrently(t, clients, func(context.Context) error {
		in.Done()
		in.Wait()
		return nil
	})
	assert.Equal(t, clients, load.Calls)
	assert.Empty(t, load.Pools)
}

// TestConcurrentlyFor: a load by time, in a bubble, where time is exact.
func TestConcurrentlyFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		load := leakcheck.Concurrently(t, 4, func(context.Context) error {
			time.Sleep(30 * time.Millisecond)
			return nil
		}, leakcheck.For(100*time.Millisecond))
		assert.Equal(t, 16, load.Calls, "those that were begun before the end are let to theirs")
		assert.Equal(t, 120*time.Millisecond, load.Took)
		assert.InDelta(t, 16/0.12, load.Rate, 1e-9)
	})
}

// TestConcurrentlyRefuses: wrong arguments fail the test, and nothing is called.
func TestConcurrentlyRefuses(t *testing.T) {
	none := func(context.Context) error { t.Error("called"); return nil }
	for _, c := range []struct {
		clients int
		fn      func(context.Context) error
		opts    []leakcheck.Option
		want    string
	}{
		{0, none, nil, "leakcheck.Concurrently: 0 clients: use 1 or more"},
		{2, nil, nil, "leakcheck.Concurrently: fn is nil: pass the function that each client calls"},
		{2, none, []leakcheck.Option{leakcheck.Times(0)}, "leakcheck.Times(0): use 1 or more, or leave the option out for one call of each client"},
		{2, none, []leakcheck.Option{leakcheck.For(0)}, "leakcheck.For(0s): use a time above 0, such as 2*time.Second"},
		{2, none, []leakcheck.Option{leakcheck.Times(3), leakcheck.For(time.Second)}, "leakcheck.Concurrently: Times(3) and For(1s): use one of them"},
		{2, none, []leakcheck.Option{leakcheck.MayBeFull(1)}, "leakcheck.MayBeFull(1): the share must be above 0 and below 1, as in MayBeFull(0.25)"},
		{2, none, []leakcheck.Option{leakcheck.Wait(-1)}, "leakcheck.Wait(-1ns): the wait is negative: use 0 to look once, or a time such as 2*time.Second"},
	} {
		rec := &recorder{name: "TestFake"}
		load := leakcheck.Concurrently(rec, c.clients, c.fn, c.opts...)
		assert.Equal(t, []string{c.want}, rec.errs)
		assert.NotNil(t, load)
		assert.NotEmpty(t, load.String())
		assert.NoError(t, load.Err())
	}
	assert.EqualError(t, leakcheck.Check(leakcheck.For(time.Second)),
		"leakcheck.Times, For and MayBeFull are about a load: give them to Concurrently")
}

// exhaust lets 5 clients hold a connection each of a pool of 2, until it was seen that they cannot.
func exhaust(t *testing.T, rec *recorder, opts ...leakcheck.Option) *leakcheck.Load {
	db := memoryPool(t, 2)
	seen := make(chan bool)
	defer leakcheck.OnExhausted(sync.OnceFunc(func() { close(seen) }))()
	rec.deadline = time.Now().Add(time.Minute)
	return leakcheck.Concurrently(rec, 5, func(ctx context.Context) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		select {
		case <-seen:
			return tx.Commit()
		case <-ctx.Done():
			return ctx.Err()
		}
	}, append(opts, dbcheck.DB(db))...)
}

// TestConcurrentlyExhausted: the whole report of a pool that had no more, although it recovered.
func TestConcurrentlyExhausted(t *testing.T) {
	rec := &recorder{name: "TestFake"}
	load := exhaust(t, rec)
	require.NoError(t, load.Err())
	require.Len(t, rec.errs, 1)
	golden(t, "concurrently", steady(rec.errors()))
	assert.Contains(t, load.String(), "  the sql.DB opened at concurrently_test.go:")

	require.Len(t, load.Pools, 1)
	p := load.Pools[0]
	assert.True(t, p.Exhausted())
	assert.Equal(t, []any{leakcheck.SQLConn, 2, 5, 2}, []any{p.Kind, p.Size, p.Leases, p.Peak})
	assert.True(t, p.Waits >= 1 && p.Waits <= 3 && p.Waiting >= 1 && p.Waiting <= 3, "%d waits, %d at once", p.Waits, p.Waiting)
	require.Len(t, p.AtExhaustion, 1)
	assert.Equal(t, 2, p.AtExhaustion[0].Count)
	assert.Contains(t, p.AtExhaustion[0].Site.Source, "db.BeginTx(ctx, nil)")
	assert.Equal(t, p.AtExhaustion[0].Site, p.LongestSite)
	assert.LessOrEqual(t, p.MeanHold, p.LongestHold)
	assert.LessOrEqual(t, p.Need, 2.0)
	agree(t, load, p)
}

// TestConcurrentlyByCount: leases so short that no dump shows who waits are judged by the pool's own count of waits, as long as
// what was waited for cannot have been a connection that the pool itself was closing.
func TestConcurrentlyByCount(t *testing.T) {
	defer leakcheck.WithoutDumps()()
	for _, c := range []struct {
		name string
		idle int
		want bool
	}{
		{"all were out", 2, true},
		{"the pool keeps none", -1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := memoryPool(t, 2)
			db.SetMaxIdleConns(c.idle)
			rec := &recorder{name: "TestFake", deadline: time.Now().Add(time.Minute)}
			var out atomic.Int64
			load := leakcheck.Concurrently(rec, 3, func(ctx context.Context) error {
				conn, err := db.Conn(ctx)
				if err != nil {
					return err
				}
				for out.Add(1); out.Load() < 2 || db.Stats().WaitCount == 0; {
					time.Sleep(time.Millisecond)
				}
				return conn.Close()
			})
			require.NoError(t, load.Err())
			require.Len(t, load.Pools, 1)
			p := load.Pools[0]
			assert.Equal(t, []any{c.want, 1, 2, 0}, []any{p.Exhausted(), p.Waits, p.Peak, p.Waiting})
			assert.Equal(t, c.want, len(rec.errs) == 1, rec.errors())
		})
	}
}

// agree checks Little's law: the rate of leases times their mean hold is what was counted over time. The mean hold is a whole number of
// nanoseconds.
func agree(t *testing.T, load *leakcheck.Load, p leakcheck.PoolLoad) {
	t.Helper()
	overTime, byRate := p.Need*float64(load.Took), float64(p.Leases)*float64(p.MeanHold)
	assert.InDelta(t, overTime, byRate, float64(p.Leases)+1)
}

// TestConcurrentlyMayBeFull: a share of the time is let pass, and what is left is in the numbers.
func TestConcurrentlyMayBeFull(t *testing.T) {
	rec := &recorder{name: "TestFake"}
	load := exhaust(t, rec, leakcheck.MayBeFull(0.999999999))
	require.Len(t, load.Pools, 1)
	assert.True(t, load.Pools[0].Exhausted())
	assert.Empty(t, rec.errs)
	assert.LessOrEqual(t, load.Pools[0].FullFor, load.Took)
}

// TestConcurrentlyOptions: those of Verify hold, and what the load leaves behind is reported with the rest.
func TestConcurrentlyOptions(t *testing.T) {
	rec := &recorder{name: "TestFake"}
	exhaust(t, rec, leakcheck.HighWater(0.5))
	require.Len(t, rec.errs, 1)
	assert.Contains(t, rec.errs[0], "leakcheck: 2 leaks: the sql.DB opened at concurrently_test.go:")
	assert.Contains(t, rec.errs[0], "LK603 sql-conn\n")
	assert.Contains(t, rec.errs[0], "LK214 sql-conn\n")
	assert.Contains(t, rec.errs[0], "had 2 of its 2 connections out at once, and the budget is 50%")

	rec = &recorder{name: "TestFake"}
	db := memoryPool(t, 4)
	var left []*sql.Conn
	var mu sync.Mutex
	load := leakcheck.Concurrently(rec, 3, func(ctx context.Context) error {
		c, err := db.Conn(context.WithoutCancel(ctx))
		mu.Lock()
		left = append(left, c)
		mu.Unlock()
		return err
	}, dbcheck.DB(db))
	for _, c := range left {
		c.Close()
	}
	require.Len(t, rec.errs, 1)
	assert.Contains(t, rec.errs[0], "leakcheck: 3 leaks: sql.Conn from db.Conn at concurrently_test.go:")
	assert.Contains(t, rec.errs[0], "LK204 sql-conn ×3\n")
	assert.NotContains(t, rec.errs[0], "LK603")
	require.Len(t, load.Pools, 1)
	assert.Equal(t, []int{3, 3, 0}, []int{load.Pools[0].Leases, load.Pools[0].Peak, load.Pools[0].Waits})
}

// TestConcurrentlyEnough: a pool with a connection for each client, and one without a limit, are never exhausted.
func TestConcurrentlyEnough(t *testing.T) {
	for _, size := range []int{5, 0} {
		rec := &recorder{name: "TestFake"}
		db := memoryPool(t, size)
		var in sync.WaitGroup
		in.Add(5)
		load := leakcheck.Concurrently(rec, 5, func(ctx context.Context) error {
			c, err := db.Conn(ctx)
			if err != nil {
				return err
			}
			in.Done()
			in.Wait()
			return c.Close()
		})
		assert.Empty(t, rec.errs)
		require.Len(t, load.Pools, 1)
		p := load.Pools[0]
		assert.Equal(t, []any{size, 5, 5, 0, false}, []any{p.Size, p.Leases, p.Peak, p.Waits, p.Exhausted()})
		assert.Nil(t, p.AtExhaustion)
	}
}

// TestConcurrentlyHTTP: MaxConnsPerHost is a pool, and what is measured of it agrees with what the server counts.
func TestConcurrentlyHTTP(t *testing.T) {
	srv := mockserver.New(t)
	var (
		in, most, asked atomic.Int64
		all             = make(chan bool)
		open            = sync.OnceFunc(func() { close(all) })
	)
	ready := func() { // two are served, and all five have asked
		if in.Load() == 2 && asked.Load() == 5 {
			open()
		}
	}
	srv.On("GET", "/slow").Reply(mockserver.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for n := in.Add(1); ; {
			old := most.Load()
			if n <= old || most.CompareAndSwap(old, n) {
				break
			}
		}
		ready()
		<-all
		in.Add(-1)
		io.WriteString(w, "done")
	})))
	tr := &http.Transport{MaxConnsPerHost: 2, MaxIdleConnsPerHost: 2}
	t.Cleanup(tr.CloseIdleConnections)
	client := &http.Client{Transport: httpcheck.Wrap(tr)}

	rec := &recorder{name: "TestFake", deadline: time.Now().Add(time.Minute)}
	load := leakcheck.Concurrently(rec, 5, func(ctx context.Context) error {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GetConn: func(string) { asked.Add(1); ready() }})
		req, err := http.NewRequestWithContext(ctx, "GET", srv.URL+"/slow", nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	})
	require.NoError(t, load.Err())
	require.Len(t, rec.errs, 1)
	golden(t, "concurrently-http", steady(rec.errors()))

	require.Len(t, load.Pools, 1)
	p := load.Pools[0]
	assert.Equal(t, []any{leakcheck.HTTPConn, 2, 5, 3}, []any{p.Kind, p.Size, p.Leases, p.Waits})
	assert.Equal(t, len(srv.Conns()), p.Peak, "connections, as the server counts them")
	assert.Equal(t, int(most.Load()), p.Peak, "requests at once, as the server counts them")
	assert.Equal(t, len(srv.Requests()), p.Leases, "requests, as the server counts them")
	agree(t, load, p)
}

// TestConcurrentlyDialsInVain: under load a transport dials for requests that another connection serves in the end. What it keeps of
// that is its own affair.
func TestConcurrentlyDialsInVain(t *testing.T) {
	const others = 4
	srv := mockserver.New(t)
	srv.On("GET", "/").Reply(mockserver.Text(200, "done"))
	var dials atomic.Int64
	dialled, gate := make(chan bool, others), make(chan bool)
	tr := &http.Transport{MaxIdleConnsPerHost: 10, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, network, address)
		if dials.Add(1) > 1 {
			dialled <- true
			<-gate
		}
		return c, err
	}}
	t.Cleanup(tr.CloseIdleConnections)
	client := &http.Client{Transport: httpcheck.Wrap(tr)}
	get := func(ctx context.Context) (*http.Response, error) {
		req, err := http.NewRequestWithContext(ctx, "GET", srv.URL, nil)
		if err != nil {
			return nil, err
		}
		return client.Do(req)
	}
	read := func(resp *http.Response, err error) error {
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	rec := &recorder{name: "TestFake", deadline: time.Now().Add(time.Minute)}
	load := leakcheck.Concurrently(rec, 1, func(ctx context.Context) error {
		resp, err := get(ctx)
		if err != nil {
			return err
		}
		done := make(chan error, others)
		for range others {
			go func() { done <- read(get(ctx)) }()
		}
		for range others {
			<-dialled
		}
		errs := []error{read(resp, nil)} // from here on its connection serves them all
		for range others {
			errs = append(errs, <-done)
		}
		close(gate)
		for i := 0; len(srv.Conns()) < 1+others || i < 20; i++ { // until they are in the pool
			time.Sleep(time.Millisecond)
		}
		return errors.Join(errs...)
	})
	require.NoError(t, load.Err())
	assert.Empty(t, rec.errs)
	require.Len(t, load.Pools, 1)
	assert.Equal(t, []int{1 + others, 1}, []int{load.Pools[0].Leases, load.Pools[0].Peak})
}

// TestConcurrentlyPanics: a panic ends the load and fails the test with its stack.
func TestConcurrentlyPanics(t *testing.T) {
	rec := &recorder{name: "TestFake"}
	load := leakcheck.Concurrently(rec, 1, func(context.Context) error { return boom() }, leakcheck.Times(1000))
	require.Len(t, rec.errs, 1)
	assert.True(t, strings.HasPrefix(rec.errs[0], "leakcheck.Concurrently: a client panicked, which ended the load: out of cheese\n"), rec.errs[0])
	assert.Contains(t, rec.errs[0], "leakcheck_test.boom(")
	assert.Equal(t, []int{1, 1}, []int{load.Calls, load.Failed})
	require.Len(t, rec.logs, 1, "the numbers are not lost")
	assert.Contains(t, rec.logs[0], "leakcheck: 1 call by 1 client in ")
}

func boom() error { panic("out of cheese") }

// TestConcurrentlyPanicEndsAll: the panic of one client ends the others too, which would go on for an hour.
func TestConcurrentlyPanicEndsAll(t *testing.T) {
	rec := &recorder{name: "TestFake"}
	var n atomic.Int64
	leakcheck.Concurrently(rec, 3, func(context.Context) error {
		if n.Add(1) == 2 {
			return boom()
		}
		runtime.Gosched()
		return nil
	}, leakcheck.For(time.Hour))
	require.Len(t, rec.errs, 1)
	assert.Contains(t, rec.errs[0], "out of cheese")
}

// TestConcurrentlyStatements: a statement that is open is no connection, and so no pool of its own.
func TestConcurrentlyStatements(t *testing.T) {
	rec := &recorder{name: "TestFake"}
	db := memoryPool(t, 2)
	load := leakcheck.Concurrently(rec, 2, func(ctx context.Context) error {
		s, err := db.PrepareContext(ctx, "SELECT 1")
		if err != nil {
			return err
		}
		_, err = s.ExecContext(ctx)
		return errors.Join(err, s.Close())
	})
	require.NoError(t, load.Err())
	assert.Empty(t, rec.errs)
	for _, p := range load.Pools {
		assert.Equal(t, leakcheck.SQLConn, p.Kind)
	}
}

// TestConcurrentlyExits: a client that calls FailNow ends, and the others go on.
func TestConcurrentlyExits(t *testing.T) {
	rec := &recorder{name: "TestFake"}
	var n atomic.Int64
	load := leakcheck.Concurrently(rec, 2, func(context.Context) error {
		if n.Add(1) == 1 {
			runtime.Goexit()
		}
		return nil
	}, leakcheck.Times(9))
	assert.Equal(t, []string{"leakcheck.Concurrently: 1 client ended by runtime.Goexit: let the function return an error"}, rec.errs)
	assert.Equal(t, []int{9, 1}, []int{load.Calls, load.Failed})

	rec = &recorder{name: "TestFake"}
	leakcheck.Concurrently(rec, 2, func(context.Context) error {
		rec.Errorf("by itself")
		runtime.Goexit()
		return nil
	})
	assert.Equal(t, []string{"by itself", "by itself"}, rec.errs, "FailNow has said it")
}

// waitsT is a T whose deadline is asked when the clients are where they hang.
type waitsT struct {
	*recorder
	in   *sync.WaitGroup
	left time.Duration // from then on; 0 for no deadline
}

func (w waitsT) Deadline() (time.Time, bool) {
	w.in.Wait()
	return time.Now().Add(w.left), w.left > 0
}

// TestConcurrentlyHangs: clients that do not return are reported with the lines at which they are.
func TestConcurrentlyHangs(t *testing.T) {
	never := make(chan bool)
	var in sync.WaitGroup
	for name, c := range map[string]struct {
		hang          func(ctx context.Context)
		silence, wait time.Duration
		left          time.Duration
	}{
		"heeds its context": {func(ctx context.Context) { in.Done(); <-ctx.Done() }, time.Millisecond, time.Minute, 0},
		"does not":          {func(context.Context) { in.Done(); <-never }, time.Minute, time.Minute, 4 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			defer leakcheck.HangSoon(c.silence, c.wait)()
			in.Add(3)
			rec := waitsT{&recorder{name: "TestFake"}, &in, c.left}
			load := leakcheck.Concurrently(rec, 3, func(ctx context.Context) error {
				c.hang(ctx)
				return ctx.Err()
			}, leakcheck.Instead())
			require.Len(t, rec.errs, 1)
			text := regexp.MustCompile(`\[[a-z ]+\]`).ReplaceAllString(steady(rec.errors()), "[STATE]")
			golden(t, "concurrently-hang-"+strings.ReplaceAll(name, " ", "-"), text)
			assert.Equal(t, 3, load.Clients)
		})
	}
	close(never)
}

// TestLoadString: the table that a person reads.
func TestLoadString(t *testing.T) {
	const ms = time.Millisecond
	pay := leakcheck.Frame{Function: "example.com/shop.(*Checkout).Pay", File: "shop/checkout.go", Line: 27}
	load := &leakcheck.Load{
		Clients: 100, Calls: 300, Failed: 7, TimedOut: 5, Took: 1530 * ms, Rate: 196,
		Errors: []leakcheck.CallError{{Text: "asking the shop: context deadline exceeded", Count: 5, TimedOut: true}, {Text: "sold out\nuntil monday", Count: 2}},
		Pools: []leakcheck.PoolLoad{
			leakcheck.AsExhausted(leakcheck.PoolLoad{
				Kind: leakcheck.SQLConn, Pool: "the sql.DB opened at shop_test.go:12", Size: 10, Leases: 300, Peak: 10, Waits: 290, Waited: 70 * time.Second,
				FullFor: 1500 * ms, LongestHold: 64300 * time.Microsecond, LongestSite: pay, MeanHold: 50400 * time.Microsecond, Need: 9.88, Waiting: 86,
				AtExhaustion: []leakcheck.Holder{{Site: pay, Count: 9, Held: 12 * ms}, {Count: 1, Held: 3 * ms}},
			}),
			{Kind: leakcheck.HTTPConn, Pool: "http.DefaultTransport to shop:80", Leases: 300, Peak: 10, LongestHold: 61 * ms, MeanHold: 5 * ms, Need: 1},
		},
	}
	golden(t, "load", load.String())
	golden(t, "load-no-pools", (&leakcheck.Load{Clients: 1, Calls: 1, Took: 1234567, Rate: 810.000664}).String())
}

// TestConcurrentlyInBubble: where time is free a call may sleep for longer than a minute, and clients that wait for nothing are
// named all the same.
func TestConcurrentlyInBubble(t *testing.T) {
	rec := &recorder{name: "TestFake"}
	synctest.Test(t, func(*testing.T) {
		load := leakcheck.Concurrently(rec, 2, func(context.Context) error { time.Sleep(time.Hour); return nil })
		assert.Equal(t, []any{2, time.Hour}, []any{load.Calls, load.Took})
	})
	assert.Empty(t, append(rec.errs, rec.logs...))

	synctest.Test(t, func(*testing.T) {
		leakcheck.Concurrently(rec, 2, func(ctx context.Context) error { <-ctx.Done(); return nil })
	})
	require.Len(t, rec.errs, 1)
	assert.Contains(t, rec.errs[0], "leakcheck.Concurrently: 2 of 2 clients have not returned: no call has ended for 24h0m0s\n  2 × concurrently_test.go:")
	assert.Contains(t, rec.errs[0], "all of them have ended when their context was cancelled")
}
