package heldacross

import (
	"context"
	"database/sql"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/examples/internal/fakepg"
	"github.com/leakgate/leakgate/examples/internal/record"
	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

type checkout interface {
	Pay(ctx context.Context, order string) error
}

var checkouts = map[string]func(db *sql.DB, payments string) checkout{
	"buggy": func(db *sql.DB, payments string) checkout { return &Checkout{db, payments} },
	"fixed": func(db *sql.DB, payments string) checkout { return &FixedCheckout{db, payments} },
}

func pool(t *testing.T) (*sql.DB, *fakepg.Server) {
	srv := fakepg.New(t, fakepg.Config{})
	db := dbcheck.OpenDB(srv.Connector())
	db.SetMaxOpenConns(10)
	t.Cleanup(func() { db.Close() })
	return db, srv
}

// One client is enough: the request is seen while its goroutine holds the transaction. The fixed checkout is silent.
func TestCallWhileHeld(t *testing.T) {
	for name, open := range checkouts {
		t.Run(name, func(t *testing.T) {
			db, srv := pool(t)
			rec := record.Run(t.Name(), func(rec *record.T) {
				rec.Cleanup(leakcheck.Verify(rec, dbcheck.DB(db), dbcheck.NoCallWhileHeld()))
				payments := mockserver.New(rec)
				payments.On("POST", "/charges/{order}").Reply(mockserver.JSON(201, "paid"))
				require.NoError(t, open(db, payments.URL).Pay(t.Context(), "7"))
			})
			if name == "fixed" {
				assert.Empty(t, rec.Output())
				assert.Equal(t, []string{take, settle}, srv.Executed())
				return
			}
			require.Len(t, rec.Errors(), 1)
			begin, do := lineOf(t, "checkout.go", "c.DB.BeginTx"), lineOf(t, "checkout.go", "http.DefaultClient.Do")
			assert.Contains(t, rec.Errors()[0], "leakcheck: 1 leak: POST /charges/7 was sent at checkout.go:"+do+
				" while its goroutine held sql.Tx from db.BeginTx at checkout.go:"+begin+"\n")
			assert.Contains(t, rec.Errors()[0], "the lease, taken at checkout.go:"+begin+"  heldacross.(*Checkout).Pay")
		})
	}
}

// A client that goes another way, which no tracked transport sees, has its request told by the mock.
func TestCallWhileHeldByTheMockAlone(t *testing.T) {
	db, _ := pool(t)
	rec := record.Run(t.Name(), func(rec *record.T) {
		rec.Cleanup(dbcheck.Verify(rec, db, dbcheck.NoCallWhileHeld())) // does not look at HTTP
		payments := mockserver.New(rec)
		payments.On("POST", "/charges/{order}").Reply(mockserver.JSON(201, "paid"))
		require.NoError(t, checkouts["buggy"](db, payments.URL).Pay(t.Context(), "7"))
	})
	require.Len(t, rec.Errors(), 1)
	assert.Contains(t, rec.Errors()[0], "leakcheck: 1 leak: POST /charges/7 was sent at checkout.go:")
}

// A slow service is found by the time alone, with the longest gap and the calls on both sides of it.
func TestMaxHold(t *testing.T) {
	for name, limit := range map[string]time.Duration{
		"buggy": 50 * time.Millisecond,
		"fixed": 10 * time.Second, // far above what a machine that is busy with something else needs
	} {
		t.Run(name, func(t *testing.T) {
			db, _ := pool(t)
			rec := record.Run(t.Name(), func(rec *record.T) {
				rec.Cleanup(dbcheck.Verify(rec, db, dbcheck.MaxHold(limit)))
				payments := mockserver.New(rec)
				payments.On("POST", "/charges/{order}").Reply(mockserver.JSON(201, "paid").Delay(100 * time.Millisecond))
				require.NoError(t, checkouts[name](db, payments.URL).Pay(t.Context(), "7"))
			})
			if name == "fixed" {
				assert.Empty(t, rec.Output())
				return
			}
			require.Len(t, rec.Errors(), 1)
			assert.Contains(t, rec.Errors()[0], "held its connection for longer than 50ms")
			assert.Regexp(t, `of which \d+ms without a call of the driver, between ExecContext at checkout.go:32 and ExecContext at checkout.go:38\n`, rec.Errors()[0])
		})
	}
}

// A hundred customers drain the pool of ten when the service hangs, and not with the fix.
func TestCrowd(t *testing.T) {
	for name, open := range checkouts {
		t.Run(name, func(t *testing.T) {
			db, _ := pool(t)
			answer := make(chan bool)
			payments := mockserver.New(t)
			charges := payments.On("POST", "/charges/{order}").Reply(mockserver.Handler(hangs(answer)))

			paid := crowd(100, open(db, payments.URL).Pay)
			if name == "buggy" {
				payments.Wait(charges, 10, 30*time.Second)
				waitForQueue(t, db, 90)
				assert.Len(t, payments.Calls(charges), 10)
				assert.Equal(t, 10, db.Stats().InUse)
				assert.Equal(t, int64(90), db.Stats().WaitCount)
			} else {
				payments.Wait(charges, 100, 30*time.Second) // all of them at once
				assert.Equal(t, 0, db.Stats().InUse)
			}
			close(answer)
			for range 100 {
				assert.NoError(t, <-paid)
			}
			assert.Len(t, payments.Calls(charges), 100)
			assert.Equal(t, 0, db.Stats().InUse)
		})
	}
}

// A load of a hundred finds the pool that was exhausted, by the line that held its connections. With the fix the same pool is enough.
func TestConcurrently(t *testing.T) {
	for name, open := range checkouts {
		t.Run(name, func(t *testing.T) {
			db, _ := pool(t)
			payments := mockserver.New(t)
			payments.On("POST", "/charges/{order}").Reply(mockserver.JSON(201, "paid").Delay(60 * time.Millisecond))
			var load *leakcheck.Load
			rec := record.Run(t.Name(), func(rec *record.T) {
				load = leakcheck.Concurrently(rec, 100, one(open(db, payments.URL).Pay), leakcheck.MayBeFull(0.5))
				require.NoError(t, load.Err())
				assert.Equal(t, 100, load.Calls)
			})
			if name == "fixed" {
				assert.Empty(t, rec.Output())
				return
			}
			require.Len(t, rec.Errors(), 1)
			report := rec.Errors()[0]
			assert.Regexp(t, `^leakcheck: 1 leak: the sql.DB opened at heldacross_test.go:\d+ was exhausted: .*10 connections`, report)
			assert.Contains(t, report, "LK603 sql-conn\n")
			assert.Contains(t, report, "checkout.go:"+lineOf(t, "checkout.go", "c.DB.BeginTx")+"  heldacross.(*Checkout).Pay")
		})
	}
}

// What a bigger pool would do: as many clients as it has connections, and no more.
func TestPoolSizes(t *testing.T) {
	payments := mockserver.New(t)
	payments.On("POST", "/charges/{order}").Reply(mockserver.JSON(201, "paid").Delay(60 * time.Millisecond))
	for _, size := range []int{20, 100} {
		db, _ := pool(t)
		db.SetMaxOpenConns(size)
		load := leakcheck.Concurrently(measured{t}, 100, one(checkouts["buggy"](db, payments.URL).Pay))
		require.NoError(t, load.Err())
		i := slices.IndexFunc(load.Pools, func(p leakcheck.PoolLoad) bool { return p.Kind == leakcheck.SQLConn })
		require.GreaterOrEqual(t, i, 0)
		p := load.Pools[i]
		assert.Equal(t, size < 100, p.Exhausted(), "%d", size)
		assert.LessOrEqual(t, p.Peak, size)
		if size == 100 {
			assert.Zero(t, p.Waits)
		}
	}
}

// A charge that fails leaves the order open.
func TestChargeFails(t *testing.T) {
	for name, want := range map[string][]string{
		"buggy": {"BEGIN", take, "ROLLBACK"},
		"fixed": {take, reopen},
	} {
		t.Run(name, func(t *testing.T) {
			db, srv := pool(t)
			t.Cleanup(leakcheck.Verify(t, dbcheck.DB(db)))
			payments := mockserver.New(t)
			payments.On("POST", "/charges/{order}").Reply(mockserver.ALB(503))
			assert.EqualError(t, checkouts[name](db, payments.URL).Pay(t.Context(), "7"), "payment service: 503 Service Temporarily Unavailable")
			assert.Equal(t, want, srv.Executed())
		})
	}
}

// The tests that the README shows.
func TestIncident(t *testing.T) {
	out := record.Incident(t, map[string]string{"TestPay": "FAIL", "TestPayFixed": "PASS", "TestPaySlowly": "FAIL", "TestPayInProduction": "PASS",
		"TestPayCrowd": "FAIL", "TestPayCrowdFixed": "PASS", "TestBiggerPool": "PASS"})
	assert.Regexp(t, `a pool of 100: \d+ payments a second, \d+ transactions at once, nobody waited\n`, out)
	assert.Contains(t, out, "4 instances with pools of 100 need 400 connections; the server has 100 less 3 reserved = 97: a pool of 24 each would fit\n")
	assert.Contains(t, out, "10 requests hang, 10 of 10 connections are out, 90 customers wait for one\n")
	assert.Equal(t, 22, record.ReadmeShows(t, out), "lines of README.md that are compared")
}

// lineOf gives the number of the first line of the file that has the text.
func lineOf(t *testing.T, file, text string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	before, _, ok := strings.Cut(string(data), text)
	require.True(t, ok, "%s has no %q", file, text)
	return strconv.Itoa(strings.Count(before, "\n") + 1)
}
