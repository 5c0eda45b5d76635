package leakcheck_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/leakgate/leakgate/leakcheck"
)

// checkout stands for the code under test.
type checkout struct{}

func (checkout) Pay(context.Context) error { return nil }

// A load of a hundred clients for two seconds. A pool that is exhausted fails the test; a failed call fails it here by load.Err.
func ExampleConcurrently() {
	test := func(t *testing.T) {
		var till checkout
		load := leakcheck.Concurrently(t, 100, till.Pay, leakcheck.For(2*time.Second))
		if err := load.Err(); err != nil {
			t.Error(err)
		}
		t.Log(load)
	}
	_ = test
}

// Errors of calls are counted by their text.
func ExampleLoad_Err() {
	load := &leakcheck.Load{Calls: 9, Failed: 3, Errors: []leakcheck.CallError{
		{Err: errors.New("sold out"), Text: "sold out", Count: 2}, {Err: context.DeadlineExceeded, Text: "context deadline exceeded", Count: 1, TimedOut: true},
	}}
	fmt.Println(load.Err())
	fmt.Println(errors.Is(load.Err(), context.DeadlineExceeded))
	// Output:
	// 2 of 9 calls: sold out
	// 1 of 9 calls: context deadline exceeded
	// true
}
