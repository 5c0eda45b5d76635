// Package fakepg stands for a PostgreSQL server where there is none: a database/sql driver, in the process, that has sessions
// and a limit on them as PostgreSQL has, and knows no SQL but for two questions about itself. What it says at the limit is what
// PostgreSQL says.
package fakepg

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// Driver is the name under which database/sql knows the driver.
const Driver = "fakepg"

// Config is what an administrator sets.
type Config struct {
	Version        int // major version, which decides what is said at the limit; 17 when it is 0
	MaxConnections int // max_connections; 100 when it is 0, as with PostgreSQL
	Reserved       int // superuser_reserved_connections: slots that nobody gets here, because nobody here is a superuser
}

// Server has sessions.
type Server struct {
	DSN string // the data source name, for sql.Open(fakepg.Driver, dsn)

	config Config

	mu       sync.Mutex
	sessions int
	peak     int
	executed []string
	columns  []string
	rows     [][]driver.Value
}

var servers struct {
	sync.Mutex
	byDSN map[string]*Server
	last  int
}

func init() { sql.Register(Driver, fakeDriver{}) }

// New starts a server. Sessions that are open when the test ends stay open: nothing is held by them.
func New(t interface{ Cleanup(func()) }, c Config) *Server {
	if c.Version == 0 {
		c.Version = 17
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = 100
	}
	servers.Lock()
	defer servers.Unlock()
	servers.last++
	s := &Server{DSN: fmt.Sprintf("fakepg://server%d", servers.last), config: c}
	if servers.byDSN == nil {
		servers.byDSN = make(map[string]*Server)
	}
	servers.byDSN[s.DSN] = s
	t.Cleanup(func() {
		servers.Lock()
		defer servers.Unlock()
		delete(servers.byDSN, s.DSN)
	})
	return s
}

// Connector is what sql.OpenDB takes.
func (s *Server) Connector() driver.Connector { return connector{s} }

// Answer sets what every query from now on gives. Without it a query gives no rows.
func (s *Server) Answer(columns []string, rows ...[]driver.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.columns, s.rows = columns, rows
}

// Sessions is how many are open.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions
}

// Peak is how many were open at most.
func (s *Server) Peak() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peak
}

// Executed lists the statements that were executed, BEGIN, COMMIT and ROLLBACK too; queries are not in it.
func (s *Server) Executed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.executed)
}

func (s *Server) execute(statement string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.executed = append(s.executed, statement)
}

// Error is one that the server sends.
type Error struct {
	Severity string
	Code     string // SQLSTATE
	Message  string
}

func (e *Error) Error() string { return e.Severity + ": " + e.Message + " (SQLSTATE " + e.Code + ")" }

// SQLState is the method by which errors of pgx and lib/pq give their code.
func (e *Error) SQLState() string { return e.Code }

// tooManyConnections is ERRCODE_TOO_MANY_CONNECTIONS.
const tooManyConnections = "53300"

// connect opens a session, or says what PostgreSQL says when there is no slot (src/backend/utils/init/postinit.c, and
// storage/lmgr/proc.c where none is reserved).
func (s *Server) connect() (driver.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions >= s.config.MaxConnections-s.config.Reserved {
		e := &Error{Severity: "FATAL", Code: tooManyConnections}
		switch {
		case s.config.Reserved == 0:
			e.Message = "sorry, too many clients already"
		case s.config.Version >= 16:
			e.Message = "remaining connection slots are reserved for roles with the SUPERUSER attribute"
		default:
			e.Message = "remaining connection slots are reserved for non-replication superuser connections"
		}
		return nil, e
	}
	s.sessions++
	s.peak = max(s.peak, s.sessions)
	return &conn{server: s}, nil
}

type fakeDriver struct{}

func (d fakeDriver) Open(dsn string) (driver.Conn, error) {
	c, err := d.OpenConnector(dsn)
	if err != nil {
		return nil, err
	}
	return c.Connect(context.Background())
}

func (fakeDriver) OpenConnector(dsn string) (driver.Connector, error) {
	servers.Lock()
	defer servers.Unlock()
	s := servers.byDSN[dsn]
	if s == nil {
		return nil, fmt.Errorf("fakepg: there is no server %q: take the DSN of one that fakepg.New has made", dsn)
	}
	return connector{s}, nil
}

type connector struct{ server *Server }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return c.server.connect()
}

func (connector) Driver() driver.Driver { return fakeDriver{} }

// conn is a session. database/sql uses it from one goroutine at a time.
type conn struct {
	server *Server
	closed bool
}

func (c *conn) Close() error {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if !c.closed {
		c.closed = true
		c.server.sessions--
	}
	return nil
}

func (c *conn) Ping(ctx context.Context) error            { return ctx.Err() }
func (c *conn) ResetSession(ctx context.Context) error    { return ctx.Err() }
func (c *conn) IsValid() bool                             { return !c.closed }
func (c *conn) Prepare(query string) (driver.Stmt, error) { return &stmt{c, query}, nil }
func (c *conn) Begin() (driver.Tx, error)                 { return c.BeginTx(context.Background(), driver.TxOptions{}) }

func (c *conn) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.server.execute("BEGIN")
	return tx{c.server}, nil
}

func (c *conn) ExecContext(ctx context.Context, query string, _ []driver.NamedValue) (driver.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.server.execute(query)
	return driver.RowsAffected(1), nil
}

func (c *conn) QueryContext(ctx context.Context, query string, _ []driver.NamedValue) (driver.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if columns, row := c.server.about(query); row != nil {
		return &rows{columns: columns, rows: [][]driver.Value{row}}, nil
	}
	return &rows{columns: c.server.columns, rows: c.server.rows}, nil
}

// about answers what dbcheck asks a server about itself: its version, its limits, and how many sessions it has. s.mu is locked.
func (s *Server) about(query string) (columns []string, row []driver.Value) {
	switch {
	case strings.Contains(query, "version()"):
		return []string{"version"}, []driver.Value{fmt.Sprintf("PostgreSQL %d.0 (fakepg)", s.config.Version)}
	case strings.Contains(query, "max_connections"):
		return []string{"max_connections", "superuser_reserved_connections", "reserved_connections", "count"},
			[]driver.Value{int64(s.config.MaxConnections), int64(s.config.Reserved), int64(0), int64(s.sessions)}
	}
	return nil, nil
}

type stmt struct {
	conn  *conn
	query string
}

func (s *stmt) Close() error  { return nil }
func (s *stmt) NumInput() int { return -1 } // database/sql need not count
func (s *stmt) Exec([]driver.Value) (driver.Result, error) {
	return s.conn.ExecContext(context.Background(), s.query, nil)
}
func (s *stmt) Query([]driver.Value) (driver.Rows, error) {
	return s.conn.QueryContext(context.Background(), s.query, nil)
}

type tx struct{ server *Server }

func (t tx) Commit() error {
	t.server.execute("COMMIT")
	return nil
}

func (t tx) Rollback() error {
	t.server.execute("ROLLBACK")
	return nil
}

type rows struct {
	columns []string
	rows    [][]driver.Value
}

func (r *rows) Columns() []string { return r.columns }
func (r *rows) Close() error      { return nil }

func (r *rows) Next(dest []driver.Value) error {
	if len(r.rows) == 0 {
		return io.EOF
	}
	copy(dest, r.rows[0])
	r.rows = r.rows[1:]
	return nil
}
