package heldacross

import (
	"context"
	"database/sql"
	"os"
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
	out := record.Incident(t, map[string]string{"TestPay": "FAIL", "TestPayFixed": "PASS", "TestPaySlowly": "FAIL", "TestPayInProduction": "PASS"})
	assert.Contains(t, out, "10 requests hang, 10 of 10 connections are out, 90 customers wait for one\n")
	assert.Equal(t, 17, record.ReadmeShows(t, out), "lines of README.md that are compared")
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
