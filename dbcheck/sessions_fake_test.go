package dbcheck_test

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
)

// censusFake is a driver that answers as a server does when it is asked for its sessions.
type censusFake struct {
	mu       sync.Mutex
	version  string
	sessions []censusRow
	max      int
	super    int
	reserved int
	broken   func(ctx context.Context, query string) error // instead of an answer
	conns    int                                           // ever opened
	open     int
	name     string // application_name of its own sessions
	schema   bool   // performance_schema
	database string // of its own sessions; "postgres" when not set
}

// censusRow is a session of the fake server.
type censusRow struct {
	id                    int64
	user, db, app, state  string
	tx, query, start      string
	port                  int
	hidden                bool
	looks                 int // it ends after so many looks; 0 for never
	inState, age, txAge   float64
	command, host, reason string
}

const (
	pg15    = "PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64-pc-linux-gnu"
	maria10 = "10.11.14-MariaDB-0+deb12u2"
	mysql84 = "8.4.3"
)

func pgCensus(rows ...censusRow) *censusFake {
	return &censusFake{version: pg15, sessions: rows, max: 100, super: 15, name: "leakgate-admin"}
}

func (f *censusFake) pool(t testing.TB) *sql.DB {
	db := sql.OpenDB(f)
	t.Cleanup(func() { db.Close() })
	return db
}

// set changes the sessions.
func (f *censusFake) set(rows ...censusRow) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sessions = rows
}

func (f *censusFake) breakWith(broken func(context.Context, string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = broken
}

func (f *censusFake) stillOpen() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open
}

func (f *censusFake) Driver() driver.Driver { return censusDriver{} }

type censusDriver struct{}

func (censusDriver) Open(string) (driver.Conn, error) { return nil, errors.New("not used") }

func (f *censusFake) Connect(ctx context.Context) (driver.Conn, error) {
	f.mu.Lock()
	broken := f.broken
	f.mu.Unlock()
	if broken != nil {
		if err := broken(ctx, "connect"); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns++
	f.open++
	return &censusConn{f: f, id: int64(9000 + f.conns)}, nil
}

type censusConn struct {
	f  *censusFake
	id int64
}

func (c *censusConn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not used") }
func (c *censusConn) Begin() (driver.Tx, error)           { return nil, errors.New("not used") }
func (c *censusConn) Close() error {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	c.f.open--
	return nil
}

func (c *censusConn) QueryContext(ctx context.Context, q string, _ []driver.NamedValue) (driver.Rows, error) {
	f := c.f
	f.mu.Lock()
	broken := f.broken
	f.mu.Unlock()
	if broken != nil {
		if err := broken(ctx, q); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	one := func(v ...driver.Value) driver.Rows { return &censusRows{rows: [][]driver.Value{v}} }
	switch {
	case q == "SELECT version()":
		return one(f.version), nil
	case q == "SELECT 1":
		return one(int64(1)), nil
	case strings.Contains(q, "pg_stat_activity") && strings.Contains(q, "max_connections"):
		return one(int64(f.max), int64(f.super), int64(f.reserved), int64(len(f.sessions)+f.open)), nil
	case strings.Contains(q, "FROM pg_stat_activity"):
		return f.postgres(c.id), nil
	case q == "SELECT pg_backend_pid()" || q == "SELECT connection_id()":
		return one(c.id), nil
	case strings.Contains(q, "information_schema.processlist"):
		return f.processlist(c.id), nil
	case strings.Contains(q, "innodb_trx"):
		r := &censusRows{}
		for _, s := range f.sessions {
			if s.tx != "" {
				r.rows = append(r.rows, []driver.Value{s.id, s.tx, "2026-01-02 03:04:05"})
			}
		}
		return r, nil
	case q == "SELECT @@performance_schema":
		return one(f.schema), nil
	case strings.Contains(q, "session_connect_attrs"):
		r := &censusRows{}
		for _, s := range f.sessions {
			if s.app != "" {
				r.rows = append(r.rows, []driver.Value{s.id, s.app})
			}
		}
		return r, nil
	case strings.Contains(q, "events_statements_current"):
		r := &censusRows{}
		for _, s := range f.sessions {
			r.rows = append(r.rows, []driver.Value{s.id, "SELECT 'secret' FROM events"})
		}
		return r, nil
	case q == "SELECT @@global.max_connections":
		return one(int64(f.max)), nil
	case strings.HasPrefix(q, "SHOW GLOBAL STATUS"):
		return one("Threads_connected", fmt.Sprint(len(f.sessions)+f.open)), nil
	}
	return nil, fmt.Errorf("the fake does not know %s", q)
}

// seen lists the sessions, and ends those whose looks are over. f.mu is locked.
func (f *censusFake) seen() []censusRow {
	var out, rest []censusRow
	for _, s := range f.sessions {
		out = append(out, s)
		if s.looks == 1 {
			continue
		}
		if s.looks > 1 {
			s.looks--
		}
		rest = append(rest, s)
	}
	f.sessions = rest
	return out
}

func (f *censusFake) own(self int64) (out []censusRow) {
	db := cmp.Or(f.database, "postgres")
	for i := range f.conns {
		id := int64(9001 + i)
		if f.conns-f.open <= i || id == self { // the older ones are closed first
			out = append(out, censusRow{id: id, user: "postgres", db: db, app: f.name, state: "idle", start: fmt.Sprint("own", i), port: 5000 + i})
		}
	}
	return out
}

func (f *censusFake) postgres(self int64) driver.Rows {
	r := &censusRows{}
	for _, s := range append(f.seen(), f.own(self)...) {
		wait := []string{"Client", "ClientRead"}
		if s.hidden {
			wait = []string{"", ""}
		}
		addr := "127.0.0.1"
		if s.host != "" {
			addr = s.host
		}
		if s.port < 0 {
			addr = ""
		}
		r.rows = append(r.rows, []driver.Value{s.id, s.user, s.db, s.app, s.state, wait[0], wait[1], addr, int64(s.port),
			s.inState, s.age, s.txAge, s.query, s.start, s.tx, s.hidden, s.id == self})
	}
	return r
}

func (f *censusFake) processlist(self int64) driver.Rows {
	r := &censusRows{}
	for _, s := range append(f.seen(), f.own(self)...) {
		if s.command == "" {
			s.command = "Sleep"
		}
		if s.host == "" {
			s.host = fmt.Sprintf("127.0.0.1:%d", s.port)
		}
		r.rows = append(r.rows, []driver.Value{s.id, s.user, s.host, s.db, s.command, s.inState * 1000, s.reason, s.query, s.id == self})
	}
	return r
}

type censusRows struct {
	rows [][]driver.Value
	n    int
}

func (r *censusRows) Columns() []string {
	if len(r.rows) == 0 {
		return nil
	}
	return make([]string, len(r.rows[0]))
}
func (r *censusRows) Close() error { return nil }
func (r *censusRows) Next(dest []driver.Value) error {
	if r.n == len(r.rows) {
		return io.EOF
	}
	copy(dest, r.rows[r.n])
	r.n++
	return nil
}

// mysqlFakeError is what a server answers; go-sql-driver's error has this name and field.
type mysqlFakeError = MySQLError

type MySQLError struct {
	Number  uint16
	Message string
}

func (e *MySQLError) Error() string { return fmt.Sprintf("Error %d: %s", e.Number, e.Message) }
