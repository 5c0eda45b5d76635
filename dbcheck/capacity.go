package dbcheck

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"

	"github.com/leakgate/leakgate/leakcheck"
)

// codeCapacity is the code of a fleet that can exhaust its server.
const codeCapacity = "LK217"

// Capacity is the budget of a server's connections across the instances of a service. Each instance is well by itself, and
// together they may open more connections than the server takes: the one that comes up last is refused, or the
// administrator is.
//
//	func TestFleetFits(t *testing.T) {
//		c := dbcheck.Capacity{Instances: 12, PoolMax: 20, ServerMax: 100, Reserved: 3}
//		c.Verify(t)
//	}
//
// CapacityOf fills it from the pool and the server. The verdict is arithmetic on the limits, not on what is open now: a fleet
// that could exhaust the server fails though it never has.
type Capacity struct {
	Instances int // of the service that run at the same time: at least 1
	PoolMax   int // connections that each may open: db.SetMaxOpenConns, the sum where an instance has several pools; 0, database/sql's default, is no limit, and fails
	ServerMax int // connections that the server takes: max_connections; above 0
	Reserved  int // of ServerMax, not for the service: superuser_reserved_connections and reserved_connections in PostgreSQL, 0 in MySQL and MariaDB

	// Surge is how many instances run beside Instances while a release rolls out and old ones have not ended: maxSurge of a
	// Kubernetes Deployment, Instances for blue and green, 0 where the old ones end first.
	Surge int

	// Others is how many connections everybody else on the server may have: other services, jobs, somebody with psql, the
	// server's monitoring. OtherSessions counts those of now.
	Others int
}

// CapacityError says that the instances can exhaust the server. Its numbers are those of the Capacity that was judged.
type CapacityError struct {
	Capacity
	Need         int // connections that all instances together may open; 0 when a pool has no limit
	Room         int // connections that the server has for them; below 0 when Reserved and Others leave none
	FitPool      int // the largest PoolMax that would fit; 0 when not even 1 would
	FitInstances int // the most instances of this PoolMax that would fit; 0 when not even one would, or when the pool has no limit
}

// Error says the numbers and what would fit: "12 instances with pools of 20 need 240 connections; the server has 100 less 3
// reserved = 97: a pool of 8 each would fit, or 4 instances".
func (e *CapacityError) Error() string {
	return e.need() + "; the server has " + e.room() + ": " + e.fits()
}

// need is what the instances ask for.
func (e *CapacityError) need() string {
	if e.PoolMax == 0 {
		return e.fleet() + " with pools without a limit can open any number of connections"
	}
	return fmt.Sprintf("%s with pools of %d %s %s", e.fleet(), e.PoolMax, verb(e.runs(), "needs", "need"), many(e.Need, "connection"))
}

// fits is what would fit.
func (e *CapacityError) fits() string {
	if e.FitPool < 1 {
		return "not even a pool of 1 each would fit"
	}
	pool := fmt.Sprintf("a pool of %d", e.FitPool)
	if e.runs() > 1 {
		pool += " each"
	}
	pool += " would fit"
	if e.FitInstances > 0 {
		pool += ", or " + many(e.FitInstances, "instance")
	}
	return pool
}

// wrong says which of the numbers cannot be; "" when all can.
func (c Capacity) wrong() string {
	for _, n := range []struct {
		name       string
		value, min int
		what       string
	}{
		{"Instances", c.Instances, 1, "how many instances of the service run at the same time, at least 1"},
		{"PoolMax", c.PoolMax, 0, "how many connections each instance may open (db.SetMaxOpenConns), and 0 is no limit"},
		{"ServerMax", c.ServerMax, 1, "how many connections the server takes (max_connections): say it, or let dbcheck.CapacityOf read it"},
		{"Reserved", c.Reserved, 0, "how many of the server's connections are not for the service, at least 0"},
		{"Surge", c.Surge, 0, "how many instances run beside the others during a deploy, at least 0"},
		{"Others", c.Others, 0, "how many connections everybody else may have, at least 0"},
	} {
		switch {
		case n.value < n.min:
			return fmt.Sprintf("dbcheck.Capacity: %s is %d: it is %s", n.name, n.value, n.what)
		case n.value > math.MaxInt32:
			return fmt.Sprintf("dbcheck.Capacity: %s is %d: more than 2147483647 of them cannot be meant", n.name, n.value)
		}
	}
	if c.Reserved > c.ServerMax {
		return fmt.Sprintf("dbcheck.Capacity: Reserved is %d, and ServerMax is %d: what is reserved is a part of it", c.Reserved, c.ServerMax)
	}
	return ""
}

// Err judges the numbers: nil when all instances together cannot open more connections than the server has for them, a
// *CapacityError with the numbers and what would fit when they can, or when PoolMax is 0, and another error when a number cannot be (no
// instance, no server, anything negative).
func (c Capacity) Err() error {
	if w := c.wrong(); w != "" {
		return errors.New(w)
	}
	if e := c.judge(); e.Need > e.Room || c.PoolMax == 0 {
		return e
	}
	return nil
}

// judge does the arithmetic on numbers that can be: each is at most 2³¹-1, so that 64 bits hold every result.
func (c Capacity) judge() *CapacityError {
	e := &CapacityError{Capacity: c}
	runs, room := int64(c.Instances)+int64(c.Surge), int64(c.ServerMax)-int64(c.Reserved)-int64(c.Others)
	e.Need, e.Room = toInt(runs*int64(c.PoolMax)), toInt(room)
	if room > 0 {
		e.FitPool = toInt(room / runs)
		if c.PoolMax > 0 {
			e.FitInstances = toInt(max(0, room/int64(c.PoolMax)-int64(c.Surge)))
		}
	}
	return e
}

// toInt keeps what does not fit in an int of 32 bits at its limits.
func toInt(n int64) int { return int(min(max(n, math.MinInt), math.MaxInt)) }

// runs is how many instances there are at the worst moment; more than one is all that a caller wants to know of a large number.
func (c Capacity) runs() int { return toInt(int64(c.Instances) + int64(c.Surge)) }

// fleet is "12 instances, and 3 more during a deploy,".
func (c Capacity) fleet() string {
	if c.Surge == 0 {
		return many(c.Instances, "instance")
	}
	return fmt.Sprintf("%s, and %d more during a deploy,", many(c.Instances, "instance"), c.Surge)
}

// room is "100 less 3 reserved and 10 of others = 87".
func (c Capacity) room() string {
	var less []string
	if c.Reserved > 0 {
		less = append(less, fmt.Sprintf("%d reserved", c.Reserved))
	}
	if c.Others > 0 {
		less = append(less, fmt.Sprintf("%d of others", c.Others))
	}
	if len(less) == 0 {
		return fmt.Sprint(c.ServerMax)
	}
	return fmt.Sprintf("%d less %s = %d", c.ServerMax, strings.Join(less, " and "), int64(c.ServerMax)-int64(c.Reserved)-int64(c.Others))
}

// String says the numbers and the verdict in one line: what Err says, or "12 instances with pools of 8 need 96 connections; the server
// has 100 less 3 reserved = 97: 1 is left".
func (c Capacity) String() string {
	if err := c.Err(); err != nil {
		return err.Error()
	}
	e := c.judge()
	left := e.Room - e.Need
	return fmt.Sprintf("%s; the server has %s: %s left", e.need(), c.room(), fmt.Sprintf("%d %s", left, verb(left, "is", "are")))
}

// verb is the form of a verb for n.
func verb(n int, one, several string) string {
	if n == 1 {
		return one
	}
	return several
}

// Verify fails t at once with LK217 where Err would be a *CapacityError, and says which number is wrong where one cannot be. It
// opens nothing and waits for nothing. A test that has failed already gets a line in its log instead.
func (c Capacity) Verify(t leakcheck.TB) {
	if isNil(t) {
		leakcheck.Verify(nil) // says so
		return
	}
	t.Helper()
	if err := c.Err(); err != nil && t.Failed() {
		t.Logf("dbcheck.Capacity: not judged, because the test failed by itself; %s", strings.TrimPrefix(err.Error(), "dbcheck.Capacity: "))
		return
	}
	var pcs [32]uintptr
	stack := pcs[:runtime.Callers(2, pcs[:])]
	leakcheck.Verify(t, leakcheck.Instead(), leakcheck.Follow("Capacity", func(leakcheck.Followed) (func() []leakcheck.Leak, error) {
		switch err := c.Err().(type) {
		case nil:
			return nil, nil
		case *CapacityError:
			return func() []leakcheck.Leak { return []leakcheck.Leak{at(err.leak(), stack)} }, nil
		default:
			return nil, err
		}
	}))()
}

// leak is the error as an entry of a report.
func (e *CapacityError) leak() leakcheck.Leak {
	l := leakcheck.Leak{
		Kind: leakcheck.SQLConn, Code: codeCapacity,
		Summary: e.need() + ", and the server has " + verbRoom(e.Room),
		State:   "the server has " + e.room(),
	}
	pools, each := "pools", " each"
	if e.runs() == 1 {
		pools, each = "pool", ""
	}
	switch {
	case e.FitPool < 1:
		l.Hint = e.fits() + ": put a pooler such as PgBouncer between them and the server, run fewer instances, or raise max_connections"
	case e.FitInstances > 0:
		l.Hint = fmt.Sprintf("limit the %s to %d%s, db.SetMaxOpenConns(%[2]d), or run %[4]s", pools, e.FitPool, each, many(e.FitInstances, "instance"))
	default:
		l.Hint = fmt.Sprintf("limit the %s to %d%s: db.SetMaxOpenConns(%[2]d)", pools, e.FitPool, each)
	}
	return l
}

func verbRoom(n int) string {
	if n <= 0 {
		return "none"
	}
	return fmt.Sprint(n)
}

// CapacityOf gives the Capacity of so many instances whose pool is as db: PoolMax is what db was limited to
// (SetMaxOpenConns), ServerMax and Reserved are what the server that db is connected to says. Surge and Others are left at 0, for the
// caller to set, as is ServerMax where the server of the test is smaller or larger than the one of production:
//
//	c, err := dbcheck.CapacityOf(ctx, db, 12)
//	require.NoError(t, err)
//	c.Surge, c.Others = 3, 10
//	c.Verify(t)
//
// What is reserved is taken off for a superuser too: a service should not be one. A lower limit of the role, the user or the database
// (CONNECTION LIMIT, MAX_USER_CONNECTIONS) is not looked at, and behind PgBouncer the server that answers is not the pooler.
//
// A pgxpool.Pool is asked through stdlib.OpenDBFromPool of pgx; its limit is pool.Config().MaxConns, which PoolMax is to be set to.
//
// It uses one connection of db, as Headroom does. The error is one of the driver, of ctx, or wraps errors.ErrUnsupported when the
// database is neither PostgreSQL nor MySQL or MariaDB. Numbers are not judged here: a pool without a limit is what Err finds.
func CapacityOf(ctx context.Context, db *sql.DB, instances int) (c Capacity, err error) {
	err = asking(ctx, db, func(s *server) error {
		room, err := s.headroom(ctx)
		if err != nil {
			return err
		}
		c = Capacity{
			Instances: instances, PoolMax: db.Stats().MaxOpenConnections,
			ServerMax: room.Max, Reserved: room.SuperuserReserved + room.Reserved,
		}
		return nil
	})
	if err != nil {
		return Capacity{}, because("CapacityOf", err)
	}
	return c, nil
}

// OtherSessions counts the sessions on db's server that are not of db's service now: those that differ in the user, the
// database or the application's name from the session that asks. It is what Capacity.Others may be set to, where the server that
// is asked is shared as in production; of tests that run in parallel it counts the sessions too. What applies to the
// pool, the user's privileges and the error is as in Headroom.
func OtherSessions(ctx context.Context, db *sql.DB) (n int, err error) {
	err = asking(ctx, db, func(s *server) error {
		room, err := s.headroom(ctx)
		if err != nil {
			return err
		}
		all, err := s.sessions(ctx)
		if err != nil {
			return err
		}
		n = others(all, room.Used)
		return nil
	})
	if err != nil {
		return 0, because("OtherSessions", err)
	}
	return n, nil
}

// others counts the sessions that are not of the one that asked. The server says how many it has, and lists maybe fewer: MySQL and MariaDB
// show only a user's own.
func others(all []Session, used int) int {
	var self Session
	for _, v := range all {
		if v.self {
			self = v
		}
	}
	own := 0
	for _, v := range all {
		if v.User == self.User && v.Database == self.Database && v.Application == self.Application {
			own++
		}
	}
	return max(used-own, len(all)-own)
}
