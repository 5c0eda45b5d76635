package dbcheck

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/leakgate/leakgate/internal/dbpool"
	"github.com/leakgate/leakgate/internal/lease"
	"github.com/leakgate/leakgate/leakcheck"
)

const (
	codeSessions = "LK208"

	// SQLSession is the kind of what VerifySessions reports.
	SQLSession leakcheck.Kind = "sql-session"
)

const (
	askMax      = 5 * time.Second        // for the server's answer to one look
	askGrace    = 500 * time.Millisecond // for a driver to come back once its context has ended
	sessionWait = 2 * time.Second        // for backends to end
	minAsks     = 3
	maxOwnConns = 64
)

// SessionsOption changes what VerifySessions does.
type SessionsOption func(*sessionCheck)

// SessionsWait sets how long VerifySessions waits for sessions to end: 2 s without it. It waits for less when t's deadline is
// near. max is above 0.
func SessionsWait(max time.Duration) SessionsOption {
	return func(c *sessionCheck) {
		if max <= 0 {
			c.wrong = fmt.Errorf("dbcheck.SessionsWait(%v): the wait must be above 0, as in SessionsWait(5*time.Second)", max)
			return
		}
		c.wait = max
	}
}

// AllowIdle lets up to n new idle sessions be, as those of a pool that outlives the test; n is what
// db.SetMaxIdleConns says (2 without it). A session that is idle in a transaction, or active, is reported all the same.
func AllowIdle(n int) SessionsOption {
	return func(c *sessionCheck) {
		if n < 0 {
			c.wrong = fmt.Errorf("dbcheck.AllowIdle(%d): the number of sessions must not be below 0", n)
			return
		}
		c.idle = n
	}
}

// VerifySessions asks the server which sessions an application has, and returns the function that asks again and fails t for those
// that are new and still open, and for those that were there and have a transaction open now which they had not:
//
//	t.Cleanup(dbcheck.VerifySessions(t, admin, "orders"))
//	db, err := sql.Open("pgx", dsn+"&application_name=orders")
//
// It sees what nothing in the process shows: a pool that is not wrapped, a connection of another process. Register it before
// what closes the pools, so that it looks after. A session ends some time after its client has closed, so that the server is
// asked again and again, for 2 s at most (SessionsWait), and less when t's deadline is near.
//
// A session is the application's when it has its name: application_name in PostgreSQL, which every driver takes in the data source
// name, and the connection attribute program_name in MySQL and MariaDB (connectionAttributes=program_name:orders in
// go-sql-driver/mysql). A session without a name is the application's when its user or its database is called so. MariaDB keeps
// program_name only where performance_schema is on, which it is not by default: give the test a user or a database of its own there, as dbtest
// does, and pass that. PostgreSQL keeps the first 63 bytes of a name, and so does the comparison.
//
// Where admin is connected to a database of the program, only sessions in that database count, so that tests that run at the same time
// with databases of their own do not see each other's; in MySQL and MariaDB also those that have chosen none. Where it is connected to one
// that is for maintenance (postgres, template1, mysql, information_schema, performance_schema, sys) or to none, those in all databases do. With
// dbtest, which gives each test a database of its own, admin is AdminDSN of the same Server:
//
//	srv := dbtest.Postgres(t)
//	admin, err := sql.Open("pgx", srv.AdminDSN)
//	t.Cleanup(func() { admin.Close() })
//	t.Cleanup(dbcheck.VerifySessions(t, admin, "orders"))
//	db, err := sql.Open("pgx", srv.DSN+"&application_name=orders")
//
// admin is a pool to the same server with the right to see those sessions (see Sessions): of the same role, or a
// superuser, for whom the server also keeps slots when all others are taken. Its own sessions are not counted, as far as they are idle or
// admin is wrapped; no connection stays open that it did not have before. Idle connections of a wrapped pool that is
// older than the check are not counted either. For other pools that outlive the test see AllowIdle.
//
// A server that does not answer, at the beginning or at the end, fails the test once, and holds it for no more than 5 s and a
// half. After a test that failed by itself it is only logged what is left.
func VerifySessions(t leakcheck.TB, admin *sql.DB, applicationName string, opts ...SessionsOption) func() {
	if isNil(t) {
		return leakcheck.Verify(nil) // says so
	}
	t.Helper()
	c := &sessionCheck{admin: admin, name: applicationName, wait: sessionWait, ask: askMax}
	for _, o := range opts {
		if o != nil {
			o(c)
		}
	}
	return leakcheck.Verify(t, leakcheck.Instead(), leakcheck.Follow("VerifySessions", c.begin))
}

// sessionCheck is the check of one test.
type sessionCheck struct {
	admin *sql.DB
	name  string
	wait  time.Duration
	ask   time.Duration
	idle  int
	wrong error
	t     leakcheck.TB

	before map[string]string // sessions, and their transactions
	own    map[string]bool   // of the pool that asks
	pools  map[uint64]bool   // wrapped pools
}

var errNoTime = errors.New("no time is left before the test's deadline (go test -timeout)")

func (c *sessionCheck) begin(f leakcheck.Followed) (func() []leakcheck.Leak, error) {
	c.t = f.T
	if c.wrong != nil {
		return nil, c.wrong
	}
	if c.name == "" {
		return nil, errors.New(`dbcheck.VerifySessions: the application name is empty: pass the application_name of the data source name, as in VerifySessions(t, admin, "orders")`)
	}
	if err := usable(c.admin); err != nil {
		return nil, fmt.Errorf("dbcheck.VerifySessions: %w", err)
	}
	c.own, c.pools = make(map[string]bool), make(map[uint64]bool)
	for _, p := range dbpool.All() {
		c.pools[p.ID] = true
	}
	err := c.bounded(c.ask, func(s *server, l *look) error {
		l.own = c.askOwn(l.ctx, s)
		return c.look(s, l)
	}, func(l *look) {
		c.before = make(map[string]string)
		for _, v := range l.all {
			c.before[v.id()] = v.tx
			if slices.Contains(l.own, v.ID) {
				c.own[v.id()] = true
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("%w\nThe sessions at the beginning are not known, so that those at the end will not be looked at", err)
	}
	return c.end, nil
}

// look is what was seen at one moment.
type look struct {
	ctx      context.Context
	all      []Session
	own      []uint64 // sessions of the pool that asks, where that had to be known
	capacity string
}

// database is the one whose sessions count: the one that was asked in, or "" for all when that is for maintenance alone.
func (l *look) database() string {
	for _, v := range l.all {
		if !v.self {
			continue
		}
		switch v.Database {
		case "postgres", "template1", "mysql", "information_schema", "performance_schema", "sys":
			return ""
		}
		return v.Database
	}
	return ""
}

// left is what is new in a look.
func (c *sessionCheck) left(l *look) (out []Session) {
	idle := c.idle
	ends, database := c.adminEnds(), l.database()
	for _, v := range l.all {
		tx, old := c.before[v.id()]
		switch {
		case database != "" && v.Database != "" && v.Database != database:
		case !c.match(v) || v.self || c.own[v.id()] || slices.Contains(l.own, v.ID) || ends[v.Client]:
		case old && (!v.IdleInTransaction || v.tx == tx):
		case !old && v.State == StateIdle && c.idleOfOlder(v):
		case !old && v.State == StateIdle && idle > 0:
			idle--
		default:
			out = append(out, v)
		}
	}
	return out
}

// end polls until nothing is left, or the wait is over.
func (c *sessionCheck) end() []leakcheck.Leak {
	if c.t.Failed() {
		c.excuse()
		return nil
	}
	var (
		last *look
		left []Session
	)
	err := c.bounded(c.ask+c.wait, func(s *server, l *look) error {
		pause := 5 * time.Millisecond
		until := time.Now().Add(c.wait)
		if d, ok := l.ctx.Deadline(); ok && time.Until(d) < c.ask {
			until = time.Now().Add(min(c.wait, time.Until(d)/2)) // t's deadline is near
		}
		for n := 1; ; n++ {
			if err := c.look(s, l); err != nil {
				return err
			}
			left := c.left(l)
			if len(left) > 0 {
				l.own = c.askOwn(l.ctx, s)
				left = c.left(l)
			}
			if len(left) == 0 {
				return nil
			}
			if n >= minAsks && !time.Now().Before(until) {
				if cap, err := s.headroom(l.ctx); err == nil {
					l.capacity = cap.String()
				}
				return nil
			}
			time.Sleep(pause)
			pause = min(2*pause, 100*time.Millisecond)
		}
	}, func(l *look) { last, left = l, c.left(l) })
	if err != nil {
		c.t.Errorf("%v\nWhich sessions of application %q are still open is not known", err, c.name)
		return nil
	}
	return c.report(left, last.capacity)
}

// excuse: the test failed by itself.
func (c *sessionCheck) excuse() {
	err := c.bounded(time.Second, func(s *server, l *look) error {
		l.own = c.askOwn(l.ctx, s)
		return c.look(s, l)
	}, func(l *look) {
		if left := c.left(l); len(left) > 0 {
			c.t.Logf("dbcheck.VerifySessions: not checked, because the test failed by itself; %s still open on the server: %s",
				c.count(left), states(left))
		}
	})
	if err != nil {
		c.t.Logf("dbcheck.VerifySessions: not checked, because the test failed by itself; and %v", err)
	}
}

// bounded asks the server on a goroutine, so that a driver that does not heed its context cannot hold the test, and gives
// what was seen to done.
func (c *sessionCheck) bounded(most time.Duration, ask func(*server, *look) error, done func(*look)) error {
	if d, ok := c.t.(interface{ Deadline() (time.Time, bool) }); ok {
		if at, ok := d.Deadline(); ok {
			most = min(most, time.Until(at)/2)
		}
	}
	if most <= 0 {
		return fmt.Errorf("dbcheck.VerifySessions: the server was not asked: %w", errNoTime)
	}
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	l := &look{ctx: ctx}
	got := make(chan error, 1)
	go func() {
		got <- asking(ctx, c.admin, func(s *server) error { return ask(s, l) })
	}()
	timer := time.NewTimer(most + askGrace)
	defer timer.Stop()
	select {
	case err := <-got:
		switch {
		case err == nil:
			done(l)
			return nil
		case ctx.Err() != nil:
			err = fmt.Errorf("the server did not answer within %v: %w", round(most), err)
		}
		return because("VerifySessions", err)
	case <-timer.C:
		return fmt.Errorf("dbcheck.VerifySessions: the server did not answer within %v, and the driver (%T) does not end a call when its context ends: the goroutine that asks is left behind",
			round(most), c.admin.Driver())
	}
}

func (c *sessionCheck) look(s *server, l *look) (err error) {
	l.all, err = s.sessions(l.ctx)
	return err
}

// askOwn gives the numbers of the sessions that are idle in the pool that asks. database/sql hands out idle connections first, so that as many
// as are idle are taken at once, and given back.
func (c *sessionCheck) askOwn(ctx context.Context, s *server) (ids []uint64) {
	var held []*sql.Conn
	defer func() {
		for _, conn := range held {
			conn.Close()
		}
	}()
	for range min(c.admin.Stats().Idle, maxOwnConns) {
		conn, err := c.admin.Conn(ctx)
		if err != nil {
			return ids
		}
		var id uint64
		err = guarded(func() error { return conn.QueryRowContext(ctx, s.ownID()).Scan(&id) })
		if panicked(err) {
			return ids
		}
		held = append(held, conn)
		if err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// adminEnds gives the ends of the connections of the pool that asks, where it is wrapped.
func (c *sessionCheck) adminEnds() map[string]bool {
	out := make(map[string]bool)
	if p := trackedPool(c.admin); p != nil {
		for _, e := range p.known.View().Conns {
			if e.Local.IsValid() {
				out[e.Local.String()] = true
			}
		}
	}
	return out
}

// match says whether a session is the application's.
func (c *sessionCheck) match(v Session) bool {
	if v.Application == "" {
		return v.User == c.name || v.Database == c.name
	}
	return v.Application == c.name || slices.Contains(keptNames(c.name), v.Application)
}

// keptNames gives what PostgreSQL may keep of an application's name: 63 bytes of it, in whole characters (NAMEDATALEN), in
// which it replaces what is not ASCII, by ? up to version 15 and by \xNN from 16 on (pg_clean_ascii); and of that 63 again.
func keptNames(name string) []string {
	const most = 63
	for len(name) > most {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	var marks, hex strings.Builder
	for i := range len(name) {
		if c := name[i]; c >= 32 && c <= 126 {
			marks.WriteByte(c)
			hex.WriteByte(c)
		} else {
			marks.WriteByte('?')
			fmt.Fprintf(&hex, `\x%02x`, c)
		}
	}
	long := hex.String()
	return []string{marks.String(), long[:min(len(long), most)], name}
}

// idleOfOlder says whether the session is an idle connection of a wrapped pool that was there before the check.
func (c *sessionCheck) idleOfOlder(v Session) bool {
	p, u := madeBy(v)
	return p != nil && u == nil && c.pools[p.ID]
}

// madeBy finds the wrapped pool of this process that a session belongs to, by the client's end, and the lease that it is out with.
func madeBy(v Session) (*dbpool.View, *use) {
	end, err := netip.ParseAddrPort(v.Client)
	if err != nil {
		return nil, nil
	}
	end = netip.AddrPortFrom(end.Addr().Unmap(), end.Port())
	for _, p := range dbpool.All() {
		if !slices.ContainsFunc(p.Conns, func(e dbpool.Ends) bool { return e.Local == end }) {
			continue
		}
		for _, l := range lease.Live.All(nil) {
			if u, ok := l.Owner().(*use); ok && !u.over.Load() && u.info.ends.Local == end {
				return &p, u
			}
		}
		return &p, nil
	}
	return nil, nil
}

// report makes one finding of all of them.
func (c *sessionCheck) report(left []Session, capacity string) []leakcheck.Leak {
	if len(left) == 0 {
		return nil
	}
	slices.SortStableFunc(left, func(a, b Session) int { return rankState(a) - rankState(b) })
	l := leakcheck.Leak{
		Kind: SQLSession, Code: codeSessions,
		Summary: fmt.Sprintf("%s still open on the server: %s", c.count(left), states(left)),
		State:   capacity,
		Hint:    "close the pool that the test opened: defer db.Close()",
		Example: len(left) > 1,
	}
	if left[0].IdleInTransaction {
		l.Hint = "end the transaction on every path: defer tx.Rollback(); and close the pool that the test opened: defer db.Close()"
	}
	line := false
	for _, v := range left {
		text := v.String()
		p, u := madeBy(v)
		switch {
		case u != nil:
			text += "; out: " + u.What()
		case p != nil:
			text += "; idle in " + nameOf(p.PCs)
		}
		if p != nil && !line {
			line = true
			pcs := p.PCs
			if u != nil {
				pcs = u.PCs()
			}
			l = at(l, pcs)
		}
		if _, old := c.before[v.id()]; old {
			text += "; it was there before, without this transaction"
		}
		l.Holds = append(l.Holds, text)
	}
	if !line {
		l.Hint += "; opened with dbcheck.Open or dbcheck.OpenDB it has its line here"
	}
	return []leakcheck.Leak{l}
}

// count is "3 sessions of application "orders" are".
func (c *sessionCheck) count(in []Session) string {
	is := "are"
	if len(in) == 1 {
		is = "is"
	}
	return fmt.Sprintf("%s of application %q %s", many(len(in), "session"), c.name, is)
}

// rankState puts what does most harm first.
func rankState(v Session) int {
	switch {
	case v.IdleInTransaction:
		return 0
	case v.State != StateIdle:
		return 1
	}
	return 2
}

// states says what sessions do: "2 idle in transaction for 1.2s (last: UPDATE …), 1 idle for 3s". The time is the longest.
func states(in []Session) string {
	type line struct {
		state string
		n     int
		last  Session
	}
	var lines []*line
	for _, v := range in {
		state := v.State
		if v.Hidden {
			state = "in a state that is hidden from this user"
		}
		i := slices.IndexFunc(lines, func(l *line) bool { return l.state == state })
		if i < 0 {
			lines = append(lines, &line{state: state, last: v})
			i = len(lines) - 1
		}
		lines[i].n++
		if v.InState > lines[i].last.InState {
			lines[i].last = v
		}
	}
	var words []string
	for _, l := range lines {
		w := l.state
		if len(in) > 1 {
			w = fmt.Sprintf("%d %s", l.n, l.state)
		}
		if !l.last.Hidden {
			w += " for " + round(l.last.InState)
		}
		if l.last.IdleInTransaction && l.last.Statement != "" {
			w += " (last: " + l.last.Statement + ")"
		}
		words = append(words, w)
	}
	return strings.Join(words, ", ")
}
