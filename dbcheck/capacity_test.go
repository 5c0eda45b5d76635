package dbcheck_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
)

func TestCapacity(t *testing.T) {
	for _, c := range []struct {
		name string
		of   dbcheck.Capacity
		want string // "" when it fits
		says string // String, where that is not want
	}{
		{"fits", dbcheck.Capacity{Instances: 12, PoolMax: 8, ServerMax: 100, Reserved: 3}, "",
			"12 instances with pools of 8 need 96 connections; the server has 100 less 3 reserved = 97: 1 is left"},
		{"to the last one", dbcheck.Capacity{Instances: 97, PoolMax: 1, ServerMax: 100, Reserved: 3}, "",
			"97 instances with pools of 1 need 97 connections; the server has 100 less 3 reserved = 97: 0 are left"},
		{"one too many", dbcheck.Capacity{Instances: 98, PoolMax: 1, ServerMax: 100, Reserved: 3},
			"98 instances with pools of 1 need 98 connections; the server has 100 less 3 reserved = 97: not even a pool of 1 each would fit", ""},
		{"one instance", dbcheck.Capacity{Instances: 1, PoolMax: 1, ServerMax: 1}, "",
			"1 instance with pools of 1 needs 1 connection; the server has 1: 0 are left"},
		{"one instance too large", dbcheck.Capacity{Instances: 1, PoolMax: 101, ServerMax: 100},
			"1 instance with pools of 101 needs 101 connections; the server has 100: a pool of 100 would fit", ""},
		{"the example", dbcheck.Capacity{Instances: 12, PoolMax: 20, ServerMax: 100, Reserved: 3},
			"12 instances with pools of 20 need 240 connections; the server has 100 less 3 reserved = 97: a pool of 8 each would fit, or 4 instances", ""},
		{"a deploy", dbcheck.Capacity{Instances: 4, Surge: 1, PoolMax: 20, ServerMax: 100, Reserved: 3},
			"4 instances, and 1 more during a deploy, with pools of 20 need 100 connections; the server has 100 less 3 reserved = 97: a pool of 19 each would fit, or 3 instances", ""},
		{"a deploy that never fits", dbcheck.Capacity{Instances: 4, Surge: 4, PoolMax: 30, ServerMax: 100, Reserved: 3},
			"4 instances, and 4 more during a deploy, with pools of 30 need 240 connections; the server has 100 less 3 reserved = 97: a pool of 12 each would fit", ""},
		{"others", dbcheck.Capacity{Instances: 4, PoolMax: 20, ServerMax: 100, Reserved: 3, Others: 20},
			"4 instances with pools of 20 need 80 connections; the server has 100 less 3 reserved and 20 of others = 77: a pool of 19 each would fit, or 3 instances", ""},
		{"others have all", dbcheck.Capacity{Instances: 1, PoolMax: 1, ServerMax: 100, Others: 101},
			"1 instance with pools of 1 needs 1 connection; the server has 100 less 101 of others = -1: not even a pool of 1 each would fit", ""},
		{"no limit", dbcheck.Capacity{Instances: 2, ServerMax: 151},
			"2 instances with pools without a limit can open any number of connections; the server has 151: a pool of 75 each would fit", ""},
		{"no limit on a server of no limit", dbcheck.Capacity{Instances: 1, ServerMax: math.MaxInt32},
			"1 instance with pools without a limit can open any number of connections; the server has 2147483647: a pool of 2147483647 would fit", ""},
		{"no overflow", dbcheck.Capacity{Instances: math.MaxInt32, Surge: math.MaxInt32, PoolMax: math.MaxInt32, ServerMax: 100},
			fmt.Sprintf("2147483647 instances, and 2147483647 more during a deploy, with pools of 2147483647 need %d connections; the server has 100: not even a pool of 1 each would fit",
				min(int64(math.MaxInt), 2*math.MaxInt32*int64(math.MaxInt32))), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.of.Err()
			if c.want == "" {
				require.NoError(t, err)
				assert.Equal(t, c.says, c.of.String())
				return
			}
			assert.EqualError(t, err, c.want)
			assert.Equal(t, c.want, c.of.String())
			var e *dbcheck.CapacityError
			require.ErrorAs(t, err, &e)
			assert.Equal(t, c.of, e.Capacity)

			fits := c.of // what it says would fit does, and one more does not
			if fits.PoolMax = e.FitPool; e.FitPool > 0 {
				assert.NoError(t, fits.Err())
			}
			if fits.PoolMax++; fits.PoolMax <= math.MaxInt32 {
				assert.Error(t, fits.Err())
			}
			if fits = c.of; e.FitInstances > 0 {
				fits.Instances = e.FitInstances
				assert.NoError(t, fits.Err())
				fits.Instances++
				assert.Error(t, fits.Err())
			}
		})
	}
}

// TestCapacityOfNumbersThatCannotBe: an error that says which, and no verdict.
func TestCapacityOfNumbersThatCannotBe(t *testing.T) {
	good := dbcheck.Capacity{Instances: 1, PoolMax: 1, ServerMax: 10}
	for _, c := range []struct {
		with func(*dbcheck.Capacity)
		want string
	}{
		{func(c *dbcheck.Capacity) { c.Instances = 0 }, "dbcheck.Capacity: Instances is 0: it is how many instances of the service run at the same time, at least 1"},
		{func(c *dbcheck.Capacity) { c.PoolMax = -1 }, "dbcheck.Capacity: PoolMax is -1: it is how many connections each instance may open (db.SetMaxOpenConns), and 0 is no limit"},
		{func(c *dbcheck.Capacity) { c.ServerMax = 0 }, "dbcheck.Capacity: ServerMax is 0: it is how many connections the server takes (max_connections): say it, or let dbcheck.CapacityOf read it"},
		{func(c *dbcheck.Capacity) { c.Reserved = -1 }, "dbcheck.Capacity: Reserved is -1: it is how many of the server's connections are not for the service, at least 0"},
		{func(c *dbcheck.Capacity) { c.Reserved = 11 }, "dbcheck.Capacity: Reserved is 11, and ServerMax is 10: what is reserved is a part of it"},
		{func(c *dbcheck.Capacity) { c.Surge = -1 }, "dbcheck.Capacity: Surge is -1: it is how many instances run beside the others during a deploy, at least 0"},
		{func(c *dbcheck.Capacity) { c.Others = math.MinInt }, fmt.Sprintf("dbcheck.Capacity: Others is %d: it is how many connections everybody else may have, at least 0", math.MinInt)},
		{func(c *dbcheck.Capacity) { *c = dbcheck.Capacity{} }, "dbcheck.Capacity: Instances is 0: it is how many instances of the service run at the same time, at least 1"},
	} {
		of := good
		c.with(&of)
		err := of.Err()
		assert.EqualError(t, err, c.want)
		assert.Equal(t, c.want, of.String())
		assert.False(t, errors.As(err, new(*dbcheck.CapacityError)))
	}
	if math.MaxInt > math.MaxInt32 {
		of, large := good, int64(math.MaxInt32)+1
		of.PoolMax = int(large)
		assert.EqualError(t, of.Err(), "dbcheck.Capacity: PoolMax is 2147483648: more than 2147483647 of them cannot be meant")
	}
	require.NoError(t, good.Err())
}

func TestCapacityVerify(t *testing.T) {
	for _, c := range []struct {
		name, reason string
		of           dbcheck.Capacity
		failed       bool
	}{
		{"capacity", "more than the server has: the numbers, what would fit, and the line that asked", dbcheck.Capacity{Instances: 12, PoolMax: 20, ServerMax: 100, Reserved: 3}, false},
		{"capacity-deploy", "only while a release rolls out", dbcheck.Capacity{Instances: 4, Surge: 1, PoolMax: 20, ServerMax: 100, Reserved: 3, Others: 10}, false},
		{"capacity-none", "nothing would fit", dbcheck.Capacity{Instances: 40, PoolMax: 20, ServerMax: 35, Reserved: 3}, false},
		{"capacity-others", "others have more than there is", dbcheck.Capacity{Instances: 1, PoolMax: 20, ServerMax: 100, Others: 120}, false},
		{"capacity-unlimited", "database/sql's default", dbcheck.Capacity{Instances: 2, ServerMax: 100, Reserved: 3}, false},
		{"capacity-fits", "silent", dbcheck.Capacity{Instances: 12, PoolMax: 8, ServerMax: 100, Reserved: 3}, false},
		{"capacity-wrong", "a number that cannot be", dbcheck.Capacity{PoolMax: 20, ServerMax: 100}, false},
		{"capacity-failed", "after a test that failed by itself one line is logged", dbcheck.Capacity{Instances: 12, PoolMax: 20, ServerMax: 100}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			ft := &fakeT{}
			if c.failed {
				ft.Errorf("the test's own")
			}
			c.of.Verify(ft)
			golden(t, c.name, c.reason, ft)
		})
	}
	assert.NotPanics(t, func() { dbcheck.Capacity{}.Verify(nil) }, "without a test it is said on standard error, as of every Verify")
}

func TestCapacityOf(t *testing.T) {
	for _, c := range []struct {
		f    *censusFake
		want dbcheck.Capacity
	}{
		{&censusFake{version: pg15, max: 100, super: 3}, dbcheck.Capacity{Instances: 12, PoolMax: 20, ServerMax: 100, Reserved: 3}},
		{&censusFake{version: pg15, max: 100, super: 10, reserved: 5}, dbcheck.Capacity{Instances: 12, PoolMax: 20, ServerMax: 100, Reserved: 15}},
		{&censusFake{version: maria10, max: 151}, dbcheck.Capacity{Instances: 12, PoolMax: 20, ServerMax: 151}},
	} {
		db := c.f.pool(t)
		db.SetMaxOpenConns(20)
		got, err := dbcheck.CapacityOf(ctx, db, 12)
		require.NoError(t, err)
		assert.Equal(t, c.want, got)
		assert.Zero(t, c.f.stillOpen(), "what was opened to ask is closed")
	}

	got, err := dbcheck.CapacityOf(ctx, pgCensus().pool(t), 1)
	require.NoError(t, err)
	assert.EqualError(t, got.Err(), "1 instance with pools without a limit can open any number of connections; the server has 100 less 15 reserved = 85: a pool of 85 would fit")

	_, err = dbcheck.CapacityOf(ctx, nil, 1)
	assert.EqualError(t, err, "dbcheck.CapacityOf: the sql.DB is nil: pass an open pool to the server that is to be asked")
	_, err = dbcheck.CapacityOf(ctx, (&censusFake{version: "CockroachDB CCL v24"}).pool(t), 1)
	assert.ErrorIs(t, err, errors.ErrUnsupported)
	f := pgCensus()
	f.breakWith(func(_ context.Context, q string) error {
		if strings.Contains(q, "max_connections") {
			return sql.ErrNoRows
		}
		return nil
	})
	_, err = dbcheck.CapacityOf(ctx, f.pool(t), 1)
	assert.EqualError(t, err, "dbcheck.CapacityOf: no limits from the server, which says it is "+pg15+": the server gave no answer to the question for its limits")
}

func TestOtherSessions(t *testing.T) {
	own := func(r *censusRow) { r.user, r.db, r.app = "postgres", "postgres", "leakgate-admin" }
	f := pgCensus(of(1, "idle"), of(2, "active"), of(3, "idle", own), of(4, "", own, func(r *censusRow) { r.app = "psql" }))
	n, err := dbcheck.OtherSessions(ctx, f.pool(t))
	require.NoError(t, err)
	assert.Equal(t, 3, n)

	f.breakWith(func(_ context.Context, q string) error {
		if strings.Contains(q, "ORDER BY backend_start") {
			return errors.New("gone")
		}
		return nil
	})
	_, err = dbcheck.OtherSessions(ctx, f.pool(t))
	assert.EqualError(t, err, "dbcheck.OtherSessions: no list of sessions from the server, which says it is "+pg15+": gone")

	maria := &censusFake{version: maria10, max: 151, sessions: []censusRow{{id: 1, user: "app"}, {id: 2, user: "app"}}}
	maria.breakWith(func(_ context.Context, q string) error {
		if strings.Contains(q, "processlist") {
			maria.set() // a user without PROCESS is shown its own alone
		}
		return nil
	})
	n, err = dbcheck.OtherSessions(ctx, maria.pool(t))
	require.NoError(t, err)
	assert.Equal(t, 2, n, "the server counts them")
}
