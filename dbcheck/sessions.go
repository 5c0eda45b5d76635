package dbcheck

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The states of a session. PostgreSQL calls them so; what MySQL and MariaDB call Sleep, and Query or Execute, is called the
// same here. A server may have more, in its own words.
const (
	StateActive            = "active"
	StateIdle              = "idle"
	StateIdleInTransaction = "idle in transaction"
)

// Session is one client's session as the server sees it. The server cannot know whether an idle one is leased from a pool
// or idle in it.
type Session struct {
	ID          uint64 // process id in PostgreSQL, connection id in MySQL and MariaDB
	User        string
	Database    string // "" when none is chosen
	Application string // application_name; in MySQL and MariaDB the attribute program_name, "" where performance_schema is off
	State       string // StateActive, StateIdle, StateIdleInTransaction, or the server's word; "" when hidden

	// IdleInTransaction: a transaction is open, and the client has not said anything since its last statement. In MySQL and MariaDB a
	// transaction begins to count with its first access to an InnoDB table, and only users with the PROCESS privilege see it.
	IdleInTransaction bool

	InState   time.Duration // since the state last changed; whole seconds in MySQL
	Age       time.Duration // since the session began; 0 when it is not known, as in MySQL and MariaDB
	TxAge     time.Duration // since the open transaction began; 0 without one, and in MySQL and MariaDB
	Statement string        // the last, or running, statement, with its literals hidden; "" when it is not known
	Client    string        // address:port of the client's end; "local" for a unix socket
	Wait      string        // what it waits for, in the server's words; "" when for nothing, or not known

	// Hidden: the server keeps the state of this session from the user that asked. PostgreSQL shows its own to each role, and others' to
	// superusers and members of pg_read_all_stats.
	Hidden bool

	start string // when it began, to the microsecond, in the server's text; in MySQL the client's end
	tx    string // its open transaction
	self  bool   // it is the one that asked
}

// String describes the session in one line: "session 4711 of app on orders from 127.0.0.1:5000: idle for 1.2s".
func (s Session) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "session %d of %s", s.ID, orWord(s.User, "a user that is not known"))
	if s.Database != "" {
		fmt.Fprintf(&b, " on %s", s.Database)
	}
	if s.Client != "" {
		fmt.Fprintf(&b, " from %s", s.Client)
	}
	switch {
	case s.Hidden:
		b.WriteString(": its state is hidden from this user")
	case s.State != "":
		fmt.Fprintf(&b, ": %s for %s", s.State, round(s.InState))
	}
	if s.Age > 0 {
		fmt.Fprintf(&b, ", open for %s", round(s.Age))
	}
	if s.Statement != "" {
		b.WriteString("; last: " + s.Statement)
	}
	return b.String()
}

func orWord(s, word string) string {
	if s == "" {
		return word
	}
	return s
}

// id tells the session from another that later gets the same number.
func (s Session) id() string { return fmt.Sprintf("%d %s", s.ID, s.start) }

// Sessions lists the sessions of all clients on the server that db is connected to, apart from the one that asks:
// PostgreSQL from 12 on, MySQL from 8 on, and MariaDB; which of them it is the server says. It uses one connection of the
// pool, and closes it when the pool had to open it.
//
// What the user of db may not see is missing: in PostgreSQL a session of another role has Hidden set, unless
// db's role is a superuser or in pg_read_all_stats; MySQL and MariaDB list only the user's own sessions
// without the PROCESS privilege. The server's own processes and replication are not listed.
//
// The error is one of the driver, of ctx, or wraps errors.ErrUnsupported when the database is another one, such as SQLite.
func Sessions(ctx context.Context, db *sql.DB) (out []Session, err error) {
	err = asking(ctx, db, func(s *server) error {
		out, err = s.sessions(ctx)
		return err
	})
	if err != nil {
		return nil, because("Sessions", err)
	}
	for i := 0; i < len(out); {
		if out[i].self {
			out = append(out[:i], out[i+1:]...)
			continue
		}
		i++
	}
	return out, nil
}

// server is one connection to a server that is asked about its sessions.
type server struct {
	conn    *sql.Conn
	version string
	dialect
}

// dialect is how one kind of server is asked.
type dialect interface {
	list(context.Context, *server) ([]Session, error)
	ownID() string // the query for the session's own number
	slots(context.Context, *server) (Slots, error)
}

func (s *server) sessions(ctx context.Context) ([]Session, error) {
	list, err := s.list(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("no list of sessions from the server, which says it is %s: %w", cutText(s.version), err)
	}
	return list, nil
}

// asking takes a connection and lets ask use it. A panic of the driver becomes an error: this is no code of the test.
func asking(ctx context.Context, db *sql.DB, ask func(*server) error) (err error) {
	if err := usable(db); err != nil {
		return err
	}
	s, done, err := connect(ctx, db)
	if err != nil {
		return err
	}
	defer func() { done(err) }()
	return guarded(func() error { return ask(s) })
}

// usable says what is wrong with a pool.
func usable(db *sql.DB) error {
	if db == nil {
		return errors.New("the sql.DB is nil: pass an open pool to the server that is to be asked")
	}
	if c, ok := connectorOf(db); ok && *c == nil {
		return errors.New("the sql.DB was never opened: make it with sql.Open or dbcheck.Open")
	}
	if isClosed(db) {
		return errors.New("the sql.DB is closed already: pass an open pool to the server that is to be asked")
	}
	return nil
}

// panicError is a panic of the driver. database/sql never lets go of the sql.Conn then that the call was made on, so that to
// close it would wait for ever.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("the driver panicked: %v", e.value) }

// guarded turns a panic of the driver into an error.
func guarded(do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &panicError{r}
		}
	}()
	return do()
}

// panicked says whether an error is, or wraps, a panic.
func panicked(err error) bool {
	var p *panicError
	return errors.As(err, &p)
}

// A full server keeps the slot of a client that it turned away, or that has just closed, a little longer than the client knows:
// MariaDB holds the administrator's one spare slot until the thread of the refused connection has ended. So it is asked again
// for as long as fullWait before it is believed.
const (
	fullWait = time.Second
	fullPoll = 20 * time.Millisecond
)

// slot takes a connection of the pool.
func slot(ctx context.Context, db *sql.DB) (conn *sql.Conn, err error) {
	for end := time.Now().Add(fullWait); ; {
		err = guarded(func() (err error) {
			conn, err = db.Conn(ctx)
			return err
		})
		if err == nil || panicked(err) || !Exhausted(err) || time.Now().After(end) {
			return conn, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(fullPoll):
		}
	}
}

// connect takes a connection of the pool, and finds out what it is connected to. done gives it back; one that the pool had to
// open for this is closed, so that nothing stays open that the test has not opened.
func connect(ctx context.Context, db *sql.DB) (s *server, done func(error), err error) {
	before := db.Stats().OpenConnections
	conn, err := slot(ctx, db)
	if err != nil {
		if st := db.Stats(); st.MaxOpenConnections > 0 && st.InUse >= st.MaxOpenConnections && ctx.Err() != nil {
			return nil, nil, fmt.Errorf("all %d connections of the pool that asks are in use (SetMaxOpenConns): give it one more: %w", st.MaxOpenConnections, err)
		}
		return nil, nil, fmt.Errorf("no connection to the server: %w", err)
	}
	opened := db.Stats().OpenConnections > before
	done = func(err error) {
		if panicked(err) {
			return
		}
		_ = guarded(func() error {
			if opened {
				discard(conn)
			}
			return conn.Close()
		})
	}
	s = &server{conn: conn}
	if err := guarded(func() error { return s.identify(ctx, db) }); err != nil {
		done(err)
		return nil, nil, err
	}
	return s, done, nil
}

// discard closes the connection below conn: database/sql does so when it hears of a bad one.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
}

// identify asks the server what it is. The driver's name says nothing: many have one of their own.
func (s *server) identify(ctx context.Context, db *sql.DB) error {
	err := s.conn.QueryRowContext(ctx, "SELECT version()").Scan(&s.version)
	switch {
	case err == nil && strings.HasPrefix(s.version, "PostgreSQL "):
		s.dialect = postgres{}
		return nil
	case err == nil && s.version != "" && s.version[0] >= '0' && s.version[0] <= '9':
		s.dialect = mysql{}
		return nil
	case err == nil:
		return otherKind(db, s.version)
	}
	var one int
	if s.conn.QueryRowContext(ctx, "SELECT 1").Scan(&one) != nil {
		return fmt.Errorf("the server does not answer: %w", err)
	}
	return otherKind(db, err.Error())
}

func otherKind(db *sql.DB, says string) error {
	return fmt.Errorf("the database (driver %T) is neither PostgreSQL nor MySQL or MariaDB, which alone can be asked for their sessions; to SELECT version() it says: %s: %w",
		db.Driver(), cutText(says), errors.ErrUnsupported)
}

// cutText keeps a server's words to one line of a readable length.
func cutText(s string) string {
	const most = 100
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
