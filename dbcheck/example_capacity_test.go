package dbcheck_test

import (
	"context"
	"fmt"

	"github.com/leakgate/leakgate/dbcheck"
)

// Twelve instances are one release away from a server that refuses the administrator. In a test: c.Verify(t).
func ExampleCapacity() {
	c := dbcheck.Capacity{Instances: 12, PoolMax: 20, ServerMax: 100, Reserved: 3}
	fmt.Println(c.Err())
	c.PoolMax = 8
	fmt.Println(c)
	c.Surge = 3 // while a release rolls out
	fmt.Println(c.Err())
	// Output:
	// 12 instances with pools of 20 need 240 connections; the server has 100 less 3 reserved = 97: a pool of 8 each would fit, or 4 instances
	// 12 instances with pools of 8 need 96 connections; the server has 100 less 3 reserved = 97: 1 is left
	// 12 instances, and 3 more during a deploy, with pools of 8 need 120 connections; the server has 100 less 3 reserved = 97: a pool of 6 each would fit, or 9 instances
}

// A pool that nobody limited, and the server's own limits.
func ExampleCapacityOf() {
	db := dbcheck.OpenDB(pgCensus()) // of the service, opened as it opens it
	defer db.Close()
	c, err := dbcheck.CapacityOf(context.Background(), db, 4)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Err())
	// Output:
	// 4 instances with pools without a limit can open any number of connections; the server has 100 less 15 reserved = 85: a pool of 21 each would fit
}
