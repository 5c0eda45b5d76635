package pgxcheck_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/dbcheck/pgxcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

var t *testing.T

// A pool for a test: what it lends and does not get back fails the test with the line.
func ExampleVerify() {
	pool, err := pgxcheck.New(context.Background(), "postgres://localhost/shop_test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pgxcheck.Close(t, pool) })
	t.Cleanup(pgxcheck.Verify(t, pool, dbcheck.NoNestedLease(), dbcheck.HighWater(0.75)))
}

// A pool that the program makes itself, from a config of its own.
func ExampleConfig() {
	cfg, err := pgxpool.ParseConfig("postgres://localhost/shop_test")
	if err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), pgxcheck.Config(cfg))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pgxcheck.Close(t, pool) })
	t.Cleanup(leakcheck.Verify(t, pgxcheck.Pool(pool)))
}
