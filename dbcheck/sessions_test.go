package dbcheck_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
)

var ctx = context.Background()

// lines are sessions as they print.
func lines(all []dbcheck.Session) (out []string) {
	for _, s := range all {
		out = append(out, s.String())
	}
	return out
}

func TestSessionsPostgres(t *testing.T) {
	f := pgCensus(
		censusRow{id: 7, user: "app", db: "shop", app: "orders", state: "idle in transaction", inState: 1.25, age: 61, txAge: 2, tx: "x",
			query: "UPDATE users SET name = 'secret'", port: 40000, start: "1"},
		censusRow{id: 8, user: "app", db: "shop", state: "idle in transaction (aborted)", inState: 0.5, query: "SELECT nonsense", port: -1, start: "2"},
		censusRow{id: 9, user: "other", db: "shop", app: "billing", hidden: true, query: "<insufficient privilege>", start: "3"},
		censusRow{id: 10, user: "app", state: "active", inState: -3, port: 40001, host: "::1", start: "4"},
	)
	db := f.pool(t)
	got, err := dbcheck.Sessions(ctx, db)
	require.NoError(t, err)
	assert.Equal(t, []string{
		"session 7 of app on shop from 127.0.0.1:40000: idle in transaction for 1.25s, open for 1m1s; last: UPDATE users SET name = '…'",
		"session 8 of app on shop from local: idle in transaction (aborted) for 500ms; last: SELECT nonsense",
		"session 9 of other on shop from 127.0.0.1:0: its state is hidden from this user",
		"session 10 of app from [::1]:40001: active for 0s",
	}, lines(got))
	assert.Equal(t, []bool{true, true, false, false}, []bool{got[0].IdleInTransaction, got[1].IdleInTransaction, got[2].IdleInTransaction, got[3].IdleInTransaction})
	assert.Equal(t, "orders", got[0].Application)
	assert.Equal(t, 2*time.Second, got[0].TxAge)
	assert.Equal(t, "Client: ClientRead", got[0].Wait)
	assert.True(t, got[2].Hidden)
	assert.Zero(t, db.Stats().OpenConnections, "what was opened to ask is closed")

	require.NoError(t, db.QueryRow("SELECT 1").Scan(new(int)))
	_, err = dbcheck.Sessions(ctx, db)
	require.NoError(t, err)
	assert.Equal(t, 1, db.Stats().OpenConnections, "what was open stays so")
}

func TestSessionsMySQL(t *testing.T) {
	for _, version := range []string{maria10, mysql84} {
		f := &censusFake{version: version, max: 151, sessions: []censusRow{
			{id: 7, user: "app", db: "shop", app: "orders", tx: "421", inState: 2, port: 40000},
			{id: 8, user: "app", host: "localhost", inState: 1},
			{id: 9, user: "app", db: "shop", command: "Query", query: "SELECT 'secret'", reason: "User sleep", tx: "422", port: 40001},
			{id: 10, user: "app", command: "Change user", port: 40002},
		}}
		db := f.pool(t)
		got, err := dbcheck.Sessions(ctx, db)
		require.NoError(t, err)
		want := []string{
			"session 7 of app on shop from 127.0.0.1:40000: idle in transaction for 2s",
			"session 8 of app from local: idle for 1s",
			"session 9 of app on shop from 127.0.0.1:40001: active for 0s; last: SELECT '…'",
			"session 10 of app from 127.0.0.1:40002: change user for 0s",
		}
		assert.Equal(t, want, lines(got))
		assert.Empty(t, got[0].Application, "performance_schema is off")
		assert.True(t, got[0].IdleInTransaction)
		assert.False(t, got[2].IdleInTransaction)

		f.schema = true
		got, err = dbcheck.Sessions(ctx, db)
		require.NoError(t, err)
		assert.Equal(t, "orders", got[0].Application)
		assert.Equal(t, "SELECT '…' FROM events", got[0].Statement)
		assert.Equal(t, "SELECT '…'", got[2].Statement, "the running statement is known already")

		f.breakWith(func(_ context.Context, q string) error {
			if strings.Contains(q, "innodb_trx") || strings.Contains(q, "performance_schema.") {
				return &mysqlFakeError{Number: 1227, Message: "Access denied; you need the PROCESS privilege"}
			}
			return nil
		})
		got, err = dbcheck.Sessions(ctx, db)
		require.NoError(t, err, "without the privilege it is shown what may be seen")
		assert.Equal(t, dbcheck.StateIdle, got[0].State)

		f.breakWith(func(_ context.Context, q string) error {
			if strings.Contains(q, "innodb_trx") {
				return &mysqlFakeError{Number: 1205, Message: "Lock wait timeout"}
			}
			return nil
		})
		_, err = dbcheck.Sessions(ctx, db)
		assert.EqualError(t, err, "dbcheck.Sessions: no list of sessions from the server, which says it is "+version+": Error 1205: Lock wait timeout")
	}
}

// TestHeadroomOfAFullServer: a server that has just turned a client away keeps its slot for a moment, and turns away the one
// who asks how full it is; one that stays full is told as full.
func TestHeadroomOfAFullServer(t *testing.T) {
	full := &mysqlFakeError{Number: 1040, Message: "Too many connections"}
	f := &censusFake{version: "11.4.2-MariaDB", max: 151}
	refused := 0
	f.breakWith(func(_ context.Context, q string) error {
		if q == "connect" && refused < 3 {
			refused++
			return full
		}
		return nil
	})
	room, err := dbcheck.Headroom(ctx, f.pool(t))
	require.NoError(t, err)
	assert.Equal(t, 3, refused)
	assert.Equal(t, 151, room.Ordinary())

	f.breakWith(func(_ context.Context, q string) error {
		if q == "connect" {
			return full
		}
		return nil
	})
	_, err = dbcheck.Headroom(ctx, f.pool(t))
	assert.EqualError(t, err, "dbcheck.Headroom: no connection to the server: Error 1040: Too many connections")
	assert.True(t, dbcheck.Exhausted(err))

	short, cancel := context.WithCancel(ctx)
	f.breakWith(func(_ context.Context, q string) error {
		if q == "connect" {
			cancel() // it is not waited for longer than the caller does
			return full
		}
		return nil
	})
	_, err = dbcheck.Headroom(short, f.pool(t))
	assert.True(t, dbcheck.Exhausted(err), "%v", err)
}

// TestSessionsRefuses: what is wrong, in words, and as errors that a program can tell.
func TestSessionsRefuses(t *testing.T) {
	leaksOnPurpose(t)
	closed := (&censusFake{}).pool(t)
	require.NoError(t, closed.Close())
	gone := errors.New("connection refused")
	breaks := func(f *censusFake, on string, err error) *censusFake {
		f.broken = func(_ context.Context, q string) error {
			if strings.Contains(q, on) {
				return err
			}
			return nil
		}
		return f
	}
	for _, c := range []struct {
		name string
		db   *sql.DB
		is   error
		want string
	}{
		{"nil", nil, nil, "dbcheck.Sessions: the sql.DB is nil: pass an open pool to the server that is to be asked"},
		{"closed", closed, nil, "dbcheck.Sessions: the sql.DB is closed already: pass an open pool to the server that is to be asked"},
		{"never opened", &sql.DB{}, nil, "dbcheck.Sessions: the sql.DB was never opened: make it with sql.Open or dbcheck.Open"},
		{"sqlite", breaks(pgCensus(), "version()", errors.New("no such function: version")).pool(t), errors.ErrUnsupported,
			"dbcheck.Sessions: the database (driver dbcheck_test.censusDriver) is neither PostgreSQL nor MySQL or MariaDB, which alone can be asked for their sessions; to SELECT version() it says: no such function: version: unsupported operation"},
		{"another server", (&censusFake{version: "CockroachDB CCL v24"}).pool(t), errors.ErrUnsupported,
			"dbcheck.Sessions: the database (driver dbcheck_test.censusDriver) is neither PostgreSQL nor MySQL or MariaDB, which alone can be asked for their sessions; to SELECT version() it says: CockroachDB CCL v24: unsupported operation"},
		{"no server", breaks(pgCensus(), "connect", gone).pool(t), gone, "dbcheck.Sessions: no connection to the server: connection refused"},
		{"gone", breaks(pgCensus(), "SELECT", gone).pool(t), gone, "dbcheck.Sessions: the server does not answer: connection refused"},
		{"query fails", breaks(pgCensus(), "pg_stat_activity", gone).pool(t), gone,
			"dbcheck.Sessions: no list of sessions from the server, which says it is PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64-pc-linux-gnu: connection refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := dbcheck.Sessions(ctx, c.db)
			assert.EqualError(t, err, c.want)
			if c.is != nil {
				assert.ErrorIs(t, err, c.is)
			}
		})
	}
	for _, at := range []string{"connect", "version()", "pg_stat_activity"} {
		t.Run("panics at "+at, func(t *testing.T) {
			f := pgCensus()
			f.broken = func(_ context.Context, q string) error {
				if strings.Contains(q, at) {
					panic("the driver's own")
				}
				return nil
			}
			_, err := dbcheck.Sessions(ctx, f.pool(t))
			require.Error(t, err)
			assert.Regexp(t, "^dbcheck.Sessions: (no connection to the server: )?the driver panicked: the driver's own$", err.Error())
		})
	}
	t.Run("no connection left", func(t *testing.T) {
		db := pgCensus().pool(t)
		db.SetMaxOpenConns(1)
		held, err := db.Conn(ctx)
		require.NoError(t, err)
		defer held.Close()
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		_, err = dbcheck.Sessions(short, db)
		assert.EqualError(t, err, "dbcheck.Sessions: all 1 connections of the pool that asks are in use (SetMaxOpenConns): give it one more: context deadline exceeded")
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestHeadroom(t *testing.T) {
	row := func(n int) (out []censusRow) {
		for i := range n {
			out = append(out, censusRow{id: int64(i + 1), start: fmt.Sprint(i)})
		}
		return out
	}
	for _, c := range []struct {
		f              *censusFake
		ordinary, free int
		want           string
	}{
		{&censusFake{version: pg15, max: 100, super: 3, sessions: row(0)}, 97, 96, "1 of 97 slots for ordinary roles are taken (max_connections 100, 3 of them reserved)"},
		{&censusFake{version: pg15, max: 100, super: 15, sessions: row(84)}, 85, 0, "85 of 85 slots for ordinary roles are taken (max_connections 100, 15 of them reserved)"},
		{&censusFake{version: pg15, max: 100, super: 10, reserved: 5, sessions: row(86)}, 85, 0, "85 of 85 slots for ordinary roles are taken (max_connections 100, 15 of them reserved and 2 of these taken)"},
		{&censusFake{version: maria10, max: 10, sessions: row(9)}, 10, 0, "10 of 10 slots for ordinary users are taken (max_connections 10, and 1 for an administrator)"},
	} {
		got, err := dbcheck.Headroom(ctx, c.f.pool(t))
		require.NoError(t, err)
		assert.Equal(t, c.want, got.String())
		assert.Equal(t, []int{c.ordinary, c.free}, []int{got.Ordinary(), got.Free()})
	}
	_, err := dbcheck.Headroom(ctx, nil)
	assert.EqualError(t, err, "dbcheck.Headroom: the sql.DB is nil: pass an open pool to the server that is to be asked")
}
