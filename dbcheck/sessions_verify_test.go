package dbcheck_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
	"github.com/leakgate/leakgate/leakcheck"
)

// of is a session of application orders.
func of(id int64, state string, more ...func(*censusRow)) censusRow {
	r := censusRow{id: id, user: "app", db: "shop", app: "orders", state: state, inState: 1.2, age: 3, port: int(40000 + id), start: fmt.Sprint("s", id)}
	if strings.Contains(state, "transaction") {
		r.tx, r.query = fmt.Sprint("tx", id), "UPDATE users SET name = 'secret'"
	}
	for _, m := range more {
		m(&r)
	}
	return r
}

// quick keeps the tests short; what is left of a leak does not change with the time.
var quick = dbcheck.SessionsWait(20 * time.Millisecond)

func TestVerifySessions(t *testing.T) {
	before := of(1, "idle")
	inTx := of(1, "idle in transaction")
	for _, c := range []struct {
		name, reason string
		name63       string
		opts         []dbcheck.SessionsOption
		at, then     []censusRow
		f            *censusFake
	}{
		{name: "sessions-leak", reason: "new sessions: what they do, the statement without its literals, and the head-room",
			then: []censusRow{of(4, "idle"), of(2, "idle in transaction"), of(3, "idle in transaction", func(r *censusRow) { r.inState = 0.4 })}},
		{name: "sessions-one", reason: "a single one", then: []censusRow{of(4, "active")}},
		{name: "sessions-full", reason: "the slots of ordinary roles are taken", then: []censusRow{of(4, "idle")},
			f: &censusFake{version: pg15, max: 17, super: 15}},
		{name: "sessions-users", reason: "sessions of several users are one finding",
			then: []censusRow{of(4, "idle"), of(5, "idle", func(r *censusRow) { r.user = "worker" })}},
		{name: "sessions-hidden", reason: "what admin may not see",
			then: []censusRow{of(4, "", func(r *censusRow) { r.hidden = true })}},
		{name: "sessions-passes", reason: "those of before, of others, and one that takes its time to end",
			at: []censusRow{before}, then: []censusRow{before, of(2, "idle", func(r *censusRow) { r.looks = 2 }), of(3, "idle", func(r *censusRow) { r.app = "billing" })}},
		{name: "sessions-old-in-tx", reason: "one that was there, and has a transaction open now", at: []censusRow{before, of(2, "idle in transaction")},
			then: []censusRow{inTx, of(2, "idle in transaction")}},
		{name: "sessions-allow-idle", reason: "two idle ones are allowed, one in a transaction is not", opts: []dbcheck.SessionsOption{dbcheck.AllowIdle(2)},
			then: []censusRow{of(2, "idle"), of(3, "idle"), of(4, "idle in transaction")}},
		{name: "sessions-by-database", reason: "a session without a name is told by its database", name63: "shop",
			then: []censusRow{of(4, "idle", func(r *censusRow) { r.app = "" })}},
		{name: "sessions-mariadb", reason: "MariaDB, by the user", name63: "app", f: &censusFake{version: maria10, max: 151},
			then: []censusRow{of(4, ""), of(5, "", func(r *censusRow) { r.tx = "77" })}},
		{name: "sessions-cut", reason: "PostgreSQL keeps 63 bytes of a name", name63: strings.Repeat("orders-", 12),
			then: []censusRow{of(4, "idle", func(r *censusRow) { r.app = strings.Repeat("orders-", 12)[:63] })}},
		{name: "sessions-ascii", reason: "and replaces what is not ASCII", name63: "bestellung-für",
			then: []censusRow{of(4, "idle", func(r *censusRow) { r.app = `bestellung-f??r` }), of(5, "idle", func(r *censusRow) { r.app = `bestellung-f\xc3\xbcr` })}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := c.f
			if f == nil {
				f = pgCensus()
			}
			if c.name63 == "" {
				c.name63 = "orders"
			}
			db := f.pool(t)
			f.set(c.at...)
			ft := &fakeT{}
			check := dbcheck.VerifySessions(ft, db, c.name63, append(c.opts, quick)...)
			f.set(c.then...)
			check()
			golden(t, c.name, c.reason, ft)
			assert.Zero(t, f.stillOpen(), "the harness keeps no connection open")
		})
	}
}

// TestVerifySessionsOfAnotherDatabase: a test that runs at the same time on the same server has a database of its own, and often the same name.
func TestVerifySessionsOfAnotherDatabase(t *testing.T) {
	for _, c := range []struct {
		version, admin string
		want           []string // sessions that are reported
	}{
		{pg15, "shop", []string{"session 4 of app on shop", "session 6 of app from"}},
		{maria10, "shop", []string{"session 4 of app on shop", "session 6 of app from"}},
		{pg15, "postgres", []string{"session 4 of app on shop", "session 5 of app on other", "session 6 of app from"}},
		{pg15, "template1", []string{"session 4 of app on shop", "session 5 of app on other", "session 6 of app from"}},
		{maria10, "mysql", []string{"session 4 of app on shop", "session 5 of app on other", "session 6 of app from"}},
	} {
		t.Run(c.version[:5]+" "+c.admin, func(t *testing.T) {
			name := "orders"
			if c.version == maria10 {
				name = "app"
			}
			f := &censusFake{version: c.version, max: 100, super: 3, name: "leakgate-admin", database: c.admin}
			ft := &fakeT{}
			check := dbcheck.VerifySessions(ft, f.pool(t), name, quick)
			f.set(of(4, "idle"), of(5, "idle", func(r *censusRow) { r.db = "other" }), of(6, "idle", func(r *censusRow) { r.db = "" }))
			check()
			require.Len(t, ft.failures(), 1)
			for _, s := range []string{"session 4 of app on shop", "session 5 of app on other", "session 6 of app from"} {
				if slices.Contains(c.want, s) {
					assert.Contains(t, ft.failures()[0], s)
				} else {
					assert.NotContains(t, ft.failures()[0], s)
				}
			}
		})
	}
}

// TestVerifySessionsOwn: idle connections of the pool that asks are none of the application's, though they have its name.
func TestVerifySessionsOwn(t *testing.T) {
	f := pgCensus()
	f.name = "orders"
	db := f.pool(t)
	db.SetMaxIdleConns(3)
	ft := &fakeT{}
	check := dbcheck.VerifySessions(ft, db, "orders", quick)
	var held []*sql.Conn
	for range 3 {
		c, err := db.Conn(ctx)
		require.NoError(t, err)
		held = append(held, c)
	}
	for _, c := range held {
		require.NoError(t, c.Close())
	}
	check()
	assert.Empty(t, ft.failures())
	assert.Equal(t, 3, db.Stats().OpenConnections)
}

// TestVerifySessionsRefuses: what is wrong is said once, and the end does not hang.
func TestVerifySessionsRefuses(t *testing.T) {
	leaksOnPurpose(t)
	closed := (&censusFake{}).pool(t)
	require.NoError(t, closed.Close())
	gone := errors.New("server closed the connection unexpectedly")
	fails := func(on string, do func(context.Context) error) func(*censusFake) {
		return func(f *censusFake) {
			f.breakWith(func(ctx context.Context, q string) error {
				if strings.Contains(q, on) {
					return do(ctx)
				}
				return nil
			})
		}
	}
	silent := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	stuck := make(chan bool)
	t.Cleanup(func() { close(stuck) })
	for _, c := range []struct {
		name, reason  string
		db            *sql.DB
		app           string
		opts          []dbcheck.SessionsOption
		first, second func(*censusFake)
	}{
		{name: "sessions-refuse-nil", reason: "a nil pool", app: "orders"},
		{name: "sessions-refuse-closed", reason: "a closed pool", app: "orders", db: closed},
		{name: "sessions-refuse-name", reason: "no name", db: pgCensus().pool(t)},
		{name: "sessions-refuse-wait", reason: "a wait that is none", db: pgCensus().pool(t), app: "orders", opts: []dbcheck.SessionsOption{dbcheck.SessionsWait(0)}},
		{name: "sessions-refuse-idle", reason: "a number that is none", db: pgCensus().pool(t), app: "orders", opts: []dbcheck.SessionsOption{dbcheck.AllowIdle(-1)}},
		{name: "sessions-gone-before", reason: "no server at the beginning: said once", app: "orders", first: fails("connect", func(context.Context) error { return gone })},
		{name: "sessions-gone-after", reason: "no server at the end: said once", app: "orders", second: fails("", func(context.Context) error { return gone })},
		{name: "sessions-silent", reason: "a server that does not answer", app: "orders", second: fails("pg_stat", silent)},
		{name: "sessions-stuck", reason: "a driver that does not heed its context", app: "orders", second: fails("pg_stat", func(context.Context) error { <-stuck; return gone })},
		{name: "sessions-panic", reason: "a driver that panics", app: "orders", second: fails("pg_stat", func(context.Context) error { panic("the driver's own") })},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := pgCensus()
			db := c.db
			if c.first != nil || c.second != nil {
				db = sql.OpenDB(f)
			}
			if c.first != nil {
				c.first(f)
			}
			ft := &fakeT{}
			timed := &timedT{ft, time.Now().Add(time.Hour)}
			check := dbcheck.VerifySessions(timed, db, c.app, append([]dbcheck.SessionsOption{quick}, c.opts...)...)
			if c.second != nil {
				c.second(f)
				timed.at = time.Now().Add(2 * time.Second) // half of which is for a server that does not answer
			}
			check()
			golden(t, c.name, c.reason, ft)
		})
	}
}

// timedT has a deadline.
type timedT struct {
	*fakeT
	at time.Time
}

func (t *timedT) Deadline() (time.Time, bool) { return t.at, true }

func TestVerifySessionsNoTimeLeft(t *testing.T) {
	ft := &fakeT{}
	dbcheck.VerifySessions(&timedT{ft, time.Now().Add(-time.Second)}, pgCensus().pool(t), "orders")()
	golden(t, "sessions-no-time", "the deadline is over", ft)
}

func TestVerifySessionsOfFailedTest(t *testing.T) {
	f := pgCensus()
	ft := &fakeT{}
	check := dbcheck.VerifySessions(ft, f.pool(t), "orders", quick)
	f.set(of(4, "idle in transaction"))
	ft.Errorf("by itself")
	check()
	golden(t, "sessions-failed", "a test that failed by itself: one log line", ft)

	f.set()
	ft = &fakeT{}
	check = dbcheck.VerifySessions(ft, f.pool(t), "orders", quick)
	f.breakWith(func(context.Context, string) error { return errors.New("gone") })
	ft.Errorf("by itself")
	check()
	golden(t, "sessions-failed-gone", "the same, and the server is gone", ft)
}

// TestVerifySessionsLine: the line of a wrapped pool is known by the client's end; idle connections of an older one are its own.
func TestVerifySessionsLine(t *testing.T) {
	server := database(t)
	older := dbcheck.OpenDB(server)
	defer older.Close()
	f := pgCensus()
	ft := &fakeT{}
	check := dbcheck.VerifySessions(ft, f.pool(t), "orders", quick)
	session := func(id int64, db *sql.DB, state string) censusRow {
		var end string
		c, err := db.Conn(ctx)
		require.NoError(t, err)
		require.NoError(t, c.Raw(func(dc any) error {
			end = dc.(interface{ Raw() driver.Conn }).Raw().(*netConn).inner.conn.LocalAddr().String()
			return nil
		}))
		require.NoError(t, c.Close())
		return of(id, state, func(r *censusRow) { _, err = fmt.Sscanf(end, "127.0.0.1:%d", &r.port) })
	}
	db := dbcheck.OpenDB(server)
	defer db.Close()
	f.set(session(2, older, "idle"), session(3, db, "idle"))
	tx, err := db.Begin()
	require.NoError(t, err)
	defer func() { _ = tx.Rollback() }()
	check()
	golden(t, "sessions-line", "a lease of a wrapped pool is named; the idle connection of a pool that was there before is no leak", ft)
}

func TestVerifySessionsNilT(t *testing.T) {
	assert.NotPanics(t, func() { dbcheck.VerifySessions(nil, nil, "")() })
	var _ leakcheck.Kind = dbcheck.SQLSession
}
