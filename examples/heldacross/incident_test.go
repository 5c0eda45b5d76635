//go:build incident

package heldacross

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/examples/internal/fakepg"
	"github.com/leakgate/leakgate/leakcheck"
	"github.com/leakgate/leakgate/mockserver"
)

// openPool opens the checkout's pool of ten connections.
func openPool(t *testing.T) *sql.DB {
	db := dbcheck.OpenDB(fakepg.New(t, fakepg.Config{}).Connector())
	db.SetMaxOpenConns(10)
	t.Cleanup(func() { db.Close() })
	return db
}

// One client, and a payment service that answers at once. This test fails: the transaction is open while the request is.
func TestPay(t *testing.T) {
	db := openPool(t)
	t.Cleanup(leakcheck.Verify(t, dbcheck.DB(db), dbcheck.NoCallWhileHeld()))

	payments := mockserver.New(t)
	payments.On("POST", "/charges/{order}").Reply(mockserver.JSON(201, "paid"))

	checkout := &Checkout{DB: db, Payments: payments.URL}
	if err := checkout.Pay(context.Background(), "7"); err != nil {
		t.Error(err)
	}
}

// The same with the fixed checkout.
func TestPayFixed(t *testing.T) {
	db := openPool(t)
	t.Cleanup(leakcheck.Verify(t, dbcheck.DB(db), dbcheck.NoCallWhileHeld()))

	payments := mockserver.New(t)
	payments.On("POST", "/charges/{order}").Reply(mockserver.JSON(201, "paid"))

	checkout := &FixedCheckout{DB: db, Payments: payments.URL}
	if err := checkout.Pay(context.Background(), "7"); err != nil {
		t.Error(err)
	}
}

// MaxHold needs a service that is slow, and nothing that sees the request: it finds a call of any kind. This test fails.
func TestPaySlowly(t *testing.T) {
	db := openPool(t)
	t.Cleanup(dbcheck.Verify(t, db, dbcheck.MaxHold(50*time.Millisecond)))

	payments := mockserver.New(t)
	payments.On("POST", "/charges/{order}").Reply(mockserver.JSON(201, "paid").Delay(100 * time.Millisecond))

	checkout := &Checkout{DB: db, Payments: payments.URL}
	if err := checkout.Pay(context.Background(), "7"); err != nil {
		t.Error(err)
	}
}

// A hundred customers at once, and a service that takes 60 ms. This test fails: the pool was exhausted, though it recovered. All clients
// begin in one moment, in which some wait whatever the code does; what counts is half of the time.
func TestPayCrowd(t *testing.T) {
	db := openPool(t)
	payments := mockserver.New(t)
	payments.On("POST", "/charges/{order}").Reply(mockserver.JSON(201, "paid").Delay(60 * time.Millisecond))
	load := leakcheck.Concurrently(t, 100, one((&Checkout{DB: db, Payments: payments.URL}).Pay), leakcheck.MayBeFull(0.5))
	if err := load.Err(); err != nil {
		t.Error(err)
	}
}

// The same with the fixed checkout and the same pool.
func TestPayCrowdFixed(t *testing.T) {
	db := openPool(t)
	payments := mockserver.New(t)
	payments.On("POST", "/charges/{order}").Reply(mockserver.JSON(201, "paid").Delay(60 * time.Millisecond))
	load := leakcheck.Concurrently(t, 100, one((&FixedCheckout{DB: db, Payments: payments.URL}).Pay), leakcheck.MayBeFull(0.5))
	if err := load.Err(); err != nil {
		t.Error(err)
	}
}

// What a bigger pool would do, and would not. This test passes, and shows the numbers.
func TestBiggerPool(t *testing.T) {
	payments := mockserver.New(t)
	payments.On("POST", "/charges/{order}").Reply(mockserver.JSON(201, "paid").Delay(60 * time.Millisecond))
	for _, size := range []int{10, 20, 100} {
		db := openPool(t)
		db.SetMaxOpenConns(size)
		load := leakcheck.Concurrently(measured{t}, 100, one((&Checkout{DB: db, Payments: payments.URL}).Pay))
		if err := load.Err(); err != nil {
			t.Error(err)
		}
		t.Log(inWords(size, load))
	}
	t.Log(dbcheck.Capacity{Instances: 4, PoolMax: 100, ServerMax: 100, Reserved: 3})
}

// What happened: the payment service hung, and a hundred customers wanted to pay. This test passes, and shows the pool.
func TestPayInProduction(t *testing.T) {
	db, answer := openPool(t), make(chan bool)
	payments := mockserver.New(t)
	charges := payments.On("POST", "/charges/{order}").Reply(mockserver.Handler(hangs(answer)))

	paid := crowd(100, (&Checkout{DB: db, Payments: payments.URL}).Pay)
	payments.Wait(charges, 10, 30*time.Second)
	waitForQueue(t, db, 90)
	t.Logf("%d requests hang, %d of %d connections are out, %d customers wait for one",
		len(payments.Calls(charges)), db.Stats().InUse, db.Stats().MaxOpenConnections, db.Stats().WaitCount)

	close(answer)
	for range 100 {
		if err := <-paid; err != nil {
			t.Error(err)
		}
	}
}
